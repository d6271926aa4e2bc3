/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the recorder wrote down which slab lay where (capture --shrink: capture/slab_lists.h), the
 * model starts from just that: every list in its order, with the number of free objects. A slab
 * that is on no list was full. Nothing is inferred then.
 */
#include <errno.h>
#include <kmlab/slab_state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/choice.h"
#include "replay/sysfs_slab.h"

/* A growing array of what was on lists. */
struct lists {
	struct km_listed *slabs;
	uint32_t nr;
};

/* Appends the slabs of one attribute, "PFN:FREE,PFN:FREE". */
static int read_list(struct lists *lists, const char *line, size_t length, const char *attribute,
		     uint32_t place)
{
	const char *at = km_sysfs_slab_text(line, length, attribute);

	while (at && at < line + length) {
		struct km_listed *larger;
		char *end;
		uint64_t pfn = strtoull(at, &end, 16);
		uint32_t free_objects;

		if (*end != ':')
			return -EINVAL;
		free_objects = (uint32_t)strtoul(end + 1, &end, 10);
		larger = realloc(lists->slabs, (lists->nr + 1) * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		lists->slabs = larger;
		larger[lists->nr++] = (struct km_listed){pfn, free_objects, place, KM_NO_INDEX};
		at = *end == ',' ? end + 1 : NULL;
	}
	return 0;
}

static int read_line(const struct km_choice *choice, const struct km_lists_line *line,
		     struct lists *lists)
{
	bool cpu_slabs = choice->start->profile->slab_front == KM_FRONT_CPU_SLAB;
	char attribute[32];
	int code;

	if (!line->text)
		return 0;
	code = read_list(lists, line->text, line->length, "node_list", KM_SEED_NODE_PARTIAL);
	for (unsigned cpu = 0; cpu_slabs && cpu < choice->start->cpus && !code; cpu++) {
		snprintf(attribute, sizeof(attribute), "cpu%u_slab", cpu);
		code = read_list(lists, line->text, line->length, attribute, KM_SEED_CPU_SLAB(cpu));
		snprintf(attribute, sizeof(attribute), "cpu%u_chain", cpu);
		if (!code)
			code = read_list(lists, line->text, line->length, attribute,
					 KM_SEED_CPU_PARTIAL(cpu));
	}
	return code;
}

/* ---- which cache a page belongs to: kfree() does not tell ---- */

static void hint_pages(struct km_choice *choice, uint32_t cache, const struct lists *lists)
{
	uint64_t pages = 1ull << choice->caches[cache].kernel_order;

	for (uint32_t i = 0; i < lists->nr; i++)
		for (uint64_t pfn = lists->slabs[i].pfn;
		     pfn < lists->slabs[i].pfn + pages && pfn < choice->max_pfn; pfn++)
			choice->listed_cache[pfn] = cache + 1;
}

int km_lists_hint(struct km_choice *choice)
{
	int code = 0;

	/* Objects that nothing shows but their free are older than the trace: the start has the
	 * last word. */
	for (int start = 0; start < 2; start++)
		for (uint32_t i = 0; i < choice->nr_caches && !code; i++) {
			struct lists lists = {NULL, 0};

			code = read_line(choice,
					 start ? &choice->caches[i].lists
					       : &choice->caches[i].end_lists,
					 &lists);
			hint_pages(choice, i, &lists);
			free(lists.slabs);
		}
	return code;
}

/* ---- the same slabs in the trace ---- */

/* The slab of this cache that was at a pfn at a time. */
static uint32_t find_slab(const struct km_choice *choice, uint32_t cache, uint64_t pfn,
			  uint64_t time_ns)
{
	uint32_t index = pfn < choice->max_pfn && choice->slab_at[pfn] ? choice->slab_at[pfn] - 1
								       : KM_NO_INDEX;

	while (index != KM_NO_INDEX && choice->slabs[index].birth_ns > time_ns)
		index = choice->slabs[index].older;
	return index != KM_NO_INDEX && choice->slabs[index].cache == cache &&
			       choice->slabs[index].base == pfn
		       ? index
		       : KM_NO_INDEX;
}

static int bind_one(struct km_choice *choice, uint32_t cache, struct km_listed *listed)
{
	listed->slab = find_slab(choice, cache, listed->pfn, choice->caches[cache].begin_ns);
	if (listed->slab == KM_NO_INDEX) /* the trace never touches it */
		listed->slab = km_choice_new_slab(choice, cache, listed->pfn);
	if (listed->slab == KM_NO_INDEX)
		return -ENOMEM;
	choice->slabs[listed->slab].is_listed = true;
	return 0;
}

static int bind_cache(struct km_choice *choice, uint32_t index)
{
	struct km_choice_cache *cache = &choice->caches[index];
	struct lists lists = {NULL, 0};
	int code = read_line(choice, &cache->lists, &lists);

	cache->listed = lists.slabs;
	cache->nr_listed = lists.nr;
	for (uint32_t i = 0; i < cache->nr_listed && !code; i++)
		code = bind_one(choice, index, &cache->listed[i]);
	return code;
}

int km_lists_bind(struct km_choice *choice)
{
	int code = 0;

	for (uint32_t i = 0; i < choice->nr_caches && !code; i++)
		code = bind_cache(choice, i);
	return code;
}

/* ---- what happened unseen between the lists of the start and those of the end ---- */

static uint32_t free_at_start(const struct km_kernel_slab *slab, uint32_t objects)
{
	return slab->young ? objects : slab->free_at_start;
}

/* Frees in a slab that no event showed, at least; allocations where it is negative. */
static int32_t balance_of(const struct km_kernel_slab *slab, uint32_t objects)
{
	int64_t seen = (int64_t)free_at_start(slab, objects) - slab->taken;
	int64_t there = slab->gone ? objects : slab->free_at_end;

	if (slab->young && !slab->taken && !there)
		return 0; /* it was not there yet */
	return (int32_t)(there - seen);
}

static int end_state(struct km_choice *choice, uint32_t index)
{
	struct km_choice_cache *cache = &choice->caches[index];
	struct lists lists = {NULL, 0};
	int code = read_line(choice, &cache->end_lists, &lists);

	for (uint32_t i = 0; i < cache->nr_listed; i++)
		choice->slabs[cache->listed[i].slab].free_at_start = cache->listed[i].free;
	for (uint32_t i = 0; i < lists.nr && !code; i++) {
		const struct km_listed *listed = &lists.slabs[i];
		uint32_t slab = find_slab(choice, index, listed->pfn, cache->end_ns);

		if (slab == KM_NO_INDEX) /* full at the start, or made unseen since */
			cache->unseen += listed->free;
		else
			choice->slabs[slab].free_at_end = listed->free;
	}
	free(lists.slabs);
	return code;
}

int km_lists_account(struct km_choice *choice)
{
	int code = 0;

	for (uint32_t i = 0; i < choice->nr_caches && !code; i++)
		if (choice->caches[i].accounted)
			code = end_state(choice, i);
	for (uint32_t i = 0; i < choice->nr_slabs && !code; i++) {
		struct km_kernel_slab *slab = &choice->slabs[i];
		struct km_choice_cache *cache = &choice->caches[slab->cache];

		if (!cache->accounted)
			continue;
		slab->balance = balance_of(slab, cache->objects);
		cache->unseen += (uint64_t)labs(slab->balance);
	}
	return code;
}

/* ---- into the model ---- */

static void pair_seeded(struct km_choice *choice, uint32_t index, uint64_t base, uint32_t live)
{
	struct km_kernel_slab *slab = &choice->slabs[index];

	slab->bound = true;
	slab->live = live;
	slab->full = live == choice->caches[slab->cache].objects;
	slab->pair = km_addr_to_pfn(base).value;
	choice->model_pair[slab->pair] = index + 1;
	choice->model_live[slab->pair] = live;
}

static bool was_full(const struct km_kernel_slab *slab)
{
	return !slab->is_listed;
}

static uint32_t count_full(const struct km_choice *choice, const struct km_choice_cache *cache)
{
	uint32_t count = 0;

	for (uint32_t i = cache->first_old; i != KM_NO_INDEX; i = choice->slabs[i].next_old)
		count += was_full(&choice->slabs[i]);
	return count;
}

/* An empty list entry cannot be: it was emptied while the list was read. */
static struct km_seed_slab seed_of(const struct km_listed *listed, uint32_t objects)
{
	struct km_seed_slab seed = {listed->free, listed->place};

	if (seed.free > objects)
		seed.free = objects;
	if (!seed.free && KM_SEED_KIND(seed.place) != KM_SEED_KIND(KM_SEED_CPU_SLAB(0)))
		seed.place = KM_SEED_FULL;
	return seed;
}

int km_lists_seed(struct km_choice *choice, struct km_choice_cache *cache)
{
	uint32_t nr = cache->nr_listed + count_full(choice, cache), n = cache->nr_listed;
	struct km_seed_slab *slabs = calloc(nr + 1, sizeof(*slabs));
	uint64_t *bases = calloc(nr + 1, sizeof(*bases));
	struct km_slab_seed seed = {nr, slabs};
	int code = -ENOMEM;

	if (!slabs || !bases)
		goto out;
	cache->cpu_slabs_counted = 0;
	for (uint32_t i = 0; i < n; i++)
		cache->cpu_slabs_counted += cache->listed[i].place != KM_SEED_NODE_PARTIAL;
	for (uint32_t i = 0; i < nr; i++)
		slabs[i] = i < n ? seed_of(&cache->listed[i], cache->objects)
				 : (struct km_seed_slab){0, KM_SEED_FULL};
	code = km_slub_seed(choice->machine->slab, cache->handle, &seed, bases);
	if (code)
		goto out;
	for (uint32_t i = 0; i < n; i++)
		pair_seeded(choice, cache->listed[i].slab, bases[i],
			    cache->objects - slabs[i].free);
	for (uint32_t i = cache->first_old; i != KM_NO_INDEX; i = choice->slabs[i].next_old)
		if (was_full(&choice->slabs[i]))
			pair_seeded(choice, i, bases[n++], cache->objects);
out:
	free(slabs);
	free(bases);
	return code;
}
