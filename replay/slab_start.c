/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The slabs that existed before the trace, put into the model. sysfs counted them at the start:
 * so many on the node partial list, on each CPU's chain, in use as CPU slabs. Which kernel slab is
 * which of them is seen only when it is used, so the model starts with that many anonymous slabs,
 * and each is bound to a kernel slab when both are first allocated from together. How many of its
 * objects were free then follows from the trace: at least as many as were taken from it.
 *
 * A slab from which never more was taken than had been freed to it before was full, and is seeded
 * as that very slab: the first free puts it on a list at a known moment.
 */
#include <errno.h>
#include <kmlab/slab_state.h>
#include <stdlib.h>
#include <string.h>

#include "replay/choice.h"
#include "replay/sysfs_slab.h"

/* ---- what was counted ---- */

/* What a shrunk cache, or one at the end, had: the line of a snapshot about its directory. */
static const char *line_of(const struct km_choice *choice, const char *source, const char *line,
			   size_t length, size_t *found_length)
{
	const char *directory = line ? km_sysfs_slab_text(line, length, "directory") : NULL;

	return directory ? km_sysfs_slab_directory(
				   km_trace_snapshot_text(choice->trace, "end", source), directory,
				   strcspn(directory, " \n"), found_length)
			 : NULL;
}

static int64_t counted(const char *line, size_t length, const char *attribute)
{
	return line ? km_sysfs_slab_number(line, length, attribute) : -1;
}

/* The recorder wrote down the lists themselves a moment after the shrink: the model begins there.
 */
static void use_lists(struct km_choice_cache *cache, const char *line, size_t length)
{
	int64_t took = counted(line, length, "lists_took_ns");

	cache->lists = (struct km_lists_line){line, length};
	cache->begin_ns = (uint64_t)counted(line, length, "lists_ns") + (uint64_t)took;
	cache->slabs_counted = counted(line, length, "listed_slabs");
	cache->partial_counted = counted(line, length, "listed_partial");
	cache->accounted = cache->end_lists.text != NULL;
}

void km_start_counts(const struct km_choice *choice, struct km_choice_cache *cache)
{
	const char *text = km_trace_snapshot_text(choice->trace, "start", "sysfs slab");
	size_t length = 0, shrunk_length = 0, lists_length = 0, end_length = 0;
	const char *line = km_sysfs_slab_line(text, cache->name, &length);
	const char *shrunk = line_of(choice, "slab shrink", line, length, &shrunk_length);
	const char *lists = line_of(choice, "slab shrink lists", line, length, &lists_length);
	const char *ended = line_of(choice, "slab lists", line, length, &end_length);
	int64_t begin = shrunk ? km_sysfs_slab_number(shrunk, shrunk_length, "shrunk_ns") : 0;

	cache->end_ns = ended ? (uint64_t)counted(ended, end_length, "lists_ns") : UINT64_MAX;
	if (counted(ended, end_length, "cpu_lists") == 1)
		cache->end_lists = (struct km_lists_line){ended, end_length};
	if (shrunk) {
		line = shrunk;
		length = shrunk_length;
	}
	cache->begin_ns = begin > 0 ? (uint64_t)begin : 0;
	cache->slabs_counted = counted(line, length, "slabs");
	cache->partial_counted = counted(line, length, "partial");
	cache->cpu_slabs_counted = counted(line, length, "cpu_slabs");
	if (!begin || cache->cpu_slabs_counted < 0)
		return;
	if (counted(lists, lists_length, "cpu_lists") == 1) {
		use_lists(cache, lists, lists_length);
		return;
	}
	/* What a CPU had when it was read, it took from the node meanwhile. */
	cache->partial_counted += cache->cpu_slabs_counted;
	cache->cpu_slabs_counted = 0;
}

/* ---- learning ---- */

static void list_old(struct km_choice *choice, uint32_t index)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	struct km_choice_cache *cache = &choice->caches[slab->cache];

	if (slab->listed || slab->young)
		return;
	slab->listed = true;
	if (cache->last_old == KM_NO_INDEX)
		cache->first_old = index;
	else
		choice->slabs[cache->last_old].next_old = index;
	cache->last_old = index;
	cache->old++;
}

/*
 * A CPU turns to this slab. The one it leaves is used up; had the one freed to last been full
 * before, it would have come to the head of the CPU's chain and be the one the CPU turns to.
 */
static void note_switch(struct km_choice *choice, struct km_choice_cache *cache, uint32_t index,
			uint16_t cpu)
{
	uint32_t left = cache->last_slab[cpu], freed = cache->last_freed[cpu];

	if (left)
		choice->slabs[left - 1].exhausted = true;
	if (freed)
		choice->slabs[freed - 1].was = freed == index + 1 ? KM_WAS_FULL : KM_WAS_PARTIAL;
	cache->last_freed[cpu] = 0;
	cache->last_slab[cpu] = index + 1;
}

void km_start_note_alloc(struct km_choice *choice, uint32_t index, uint16_t cpu)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	struct km_choice_cache *cache = &choice->caches[slab->cache];

	list_old(choice, index);
	if (cache->last_slab[cpu] != index + 1)
		note_switch(choice, cache, index, cpu);
	slab->touched = true;
	if (!slab->first_user)
		slab->first_user = cpu + 1u;
	slab->net++;
	if (slab->net > slab->most && !slab->exhausted)
		slab->most = slab->net;
	else if (slab->net > slab->most && !slab->young)
		cache->unseen++, slab->net--; /* more than there were: one was freed unseen */
	if (!cache->first_slab[cpu])
		cache->first_slab[cpu] = index + 1;
}

void km_start_note_free(struct km_choice *choice, uint32_t index, uint16_t cpu)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	struct km_choice_cache *cache = &choice->caches[slab->cache];

	list_old(choice, index);
	slab->net--;
	if (cache->last_slab[cpu] != index + 1 && cache->last_freed[cpu] != index + 1)
		cache->last_freed[cpu] = slab->touched || slab->young ? 0 : index + 1;
	slab->touched = true;
}

/* ---- seeding ---- */

/*
 * Was it full at the start? One that was used up without more taken from it than freed to it was;
 * of another the trace may tell; the rest is taken for what most slabs of the cache were.
 */
static bool was_full(const struct km_kernel_slab *slab, bool mostly_full)
{
	if (slab->most > 0 || slab->was == KM_WAS_PARTIAL)
		return false;
	return slab->exhausted || slab->was == KM_WAS_FULL || mostly_full;
}

static void classify_old(struct km_choice *choice, struct km_choice_cache *cache)
{
	int64_t slabs = cache->slabs_counted, partial = cache->partial_counted;
	bool mostly_full = slabs < 0 || partial < 0 || 2 * partial <= slabs;

	/* Where CPUs had slabs, the first one used was such a slab. */
	for (unsigned cpu = 0; cache->cpu_slabs_counted > 0 && cpu < choice->start->cpus; cpu++)
		if (cache->first_slab[cpu] && !choice->slabs[cache->first_slab[cpu] - 1].exhausted)
			choice->slabs[cache->first_slab[cpu] - 1].was = KM_WAS_PARTIAL;
	cache->partial_old = 0;
	for (uint32_t i = cache->first_old; i != KM_NO_INDEX; i = choice->slabs[i].next_old) {
		choice->slabs[i].full = was_full(&choice->slabs[i], mostly_full);
		cache->partial_old += !choice->slabs[i].full;
	}
}

/* Did this CPU's first allocation come from a slab older than the trace (new: from another)? */
static bool began_with(const struct km_choice *choice, const struct km_choice_cache *cache,
		       unsigned cpu, bool new)
{
	uint32_t first = cache->first_slab[cpu];

	return first && !choice->slabs[first - 1].young != new;
}

/* Where the anonymous slabs of a cache are. */
struct places {
	uint32_t node;
	uint32_t chain[KM_MAX_CPUS];
	bool current[KM_MAX_CPUS];
	uint32_t anonymous; /* all of them */
};

/* sysfs tells how many CPUs' slabs and chains there are together: find CPUs that add up to it. */
static void find_current(const struct km_choice *choice, const struct km_choice_cache *cache,
			 struct places *places, uint32_t cpu_slabs)
{
	for (int round = 0; round < 2; round++)
		for (unsigned cpu = 0; cpu < choice->start->cpus; cpu++) {
			bool likely = began_with(choice, cache, cpu, false);

			if (places->current[cpu] || cpu_slabs < 1 + places->chain[cpu] ||
			    (round == 0 && !likely))
				continue;
			places->current[cpu] = true;
			cpu_slabs -= 1 + places->chain[cpu];
		}
}

/*
 * More slabs with free objects were used than sysfs counted: some came after it was read, most
 * likely as CPU slabs. Where nothing was counted they were on the node list.
 */
static void add_missing(const struct km_choice *choice, const struct km_choice_cache *cache,
			bool counted, struct places *places)
{
	bool cpu_slabs = counted && choice->start->profile->slab_front == KM_FRONT_CPU_SLAB;

	for (unsigned cpu = 0; cpu_slabs && cpu < choice->start->cpus; cpu++) {
		if (places->anonymous >= cache->partial_old)
			return;
		if (places->current[cpu] || !began_with(choice, cache, cpu, false))
			continue;
		places->current[cpu] = true;
		places->anonymous++;
	}
	if (places->anonymous < cache->partial_old) {
		places->node += cache->partial_old - places->anonymous;
		places->anonymous = cache->partial_old;
	}
}

/* What sysfs said of the CPUs: the lengths of their chains, and which have a CPU slab. */
static void find_on_cpus(const struct km_choice *choice, const struct km_choice_cache *cache,
			 const char *line, size_t length, struct places *places)
{
	int64_t cpu_slabs = cache->cpu_slabs_counted;

	for (unsigned cpu = 0; cpu < choice->start->cpus; cpu++)
		places->chain[cpu] = km_sysfs_slab_chain(line, length, cpu);
	find_current(choice, cache, places, cpu_slabs < 0 ? 0 : (uint32_t)cpu_slabs);
	for (unsigned cpu = 0; cpu < choice->start->cpus; cpu++)
		places->anonymous += places->chain[cpu] + places->current[cpu];
}

static void find_places(struct km_choice *choice, const struct km_choice_cache *cache,
			struct places *places)
{
	const char *text = km_trace_snapshot_text(choice->trace, "start", "sysfs slab");
	size_t length;
	const char *line = km_sysfs_slab_line(text, cache->name, &length);
	int64_t partial = cache->partial_counted;

	*places = (struct places){.node = partial < 0 ? 0 : (uint32_t)partial};
	places->anonymous = places->node;
	if (line && !cache->begin_ns && choice->start->profile->slab_front == KM_FRONT_CPU_SLAB)
		find_on_cpus(choice, cache, line, length, places);
	add_missing(choice, cache, line && !cache->begin_ns, places);
}

/* One free object stands for "some": binding tells how many. */
static void fill_anonymous(const struct km_choice *choice, const struct km_choice_cache *cache,
			   const struct places *places, struct km_seed_slab *slabs)
{
	for (unsigned cpu = 0; cpu < choice->start->cpus; cpu++) {
		if (places->current[cpu]) /* it was used up when a new slab came first */
			*slabs++ = (struct km_seed_slab){!began_with(choice, cache, cpu, true),
							 KM_SEED_CPU_SLAB(cpu)};
		for (uint32_t i = 0; i < places->chain[cpu]; i++)
			*slabs++ = (struct km_seed_slab){1, KM_SEED_CPU_PARTIAL(cpu)};
	}
	for (uint32_t i = 0; i < places->node; i++)
		*slabs++ = (struct km_seed_slab){1, KM_SEED_NODE_PARTIAL};
}

static uint32_t live_at_start(const struct km_choice_cache *cache,
			      const struct km_kernel_slab *slab)
{
	uint32_t most = slab->most > 0 ? (uint32_t)slab->most : 0;

	return most < cache->objects ? cache->objects - most : 0;
}

static void pair_seeded(struct km_choice *choice, const struct km_choice_cache *cache,
			const struct km_slab_seed *seed, const uint64_t *bases)
{
	uint32_t n = cache->nr_anonymous;

	for (uint32_t i = 0; i < cache->nr_anonymous; i++) {
		uint64_t pfn = km_addr_to_pfn(bases[i]).value;

		choice->model_pair[pfn] = KM_ANONYMOUS;
		choice->model_live[pfn] = cache->objects - seed->slabs[i].free;
	}
	for (uint32_t i = cache->first_old; i != KM_NO_INDEX; i = choice->slabs[i].next_old) {
		struct km_kernel_slab *slab = &choice->slabs[i];

		slab->live = live_at_start(cache, slab);
		slab->bound = slab->full;
		if (!slab->bound)
			continue;
		slab->pair = km_addr_to_pfn(bases[n++]).value;
		choice->model_pair[slab->pair] = i + 1;
		choice->model_live[slab->pair] = slab->live;
	}
}

static int seed_cache(struct km_choice *choice, struct km_choice_cache *cache)
{
	struct places places;
	struct km_slab_seed seed = {0};
	struct km_seed_slab *slabs;
	uint64_t *bases;
	int code = -ENOMEM;

	find_places(choice, cache, &places);
	slabs = calloc(places.anonymous + cache->old + 1, sizeof(*slabs));
	bases = calloc(places.anonymous + cache->old + 1, sizeof(*bases));
	if (!slabs || !bases)
		goto out;
	fill_anonymous(choice, cache, &places, slabs);
	seed.nr = places.anonymous + cache->old - cache->partial_old;
	for (uint32_t i = places.anonymous; i < seed.nr; i++)
		slabs[i] = (struct km_seed_slab){0, KM_SEED_FULL};
	seed.slabs = slabs;
	code = km_slub_seed(choice->machine->slab, cache->handle, &seed, bases);
	if (code)
		goto out;
	free(cache->anonymous);
	cache->anonymous = bases;
	cache->nr_anonymous = places.anonymous;
	pair_seeded(choice, cache, &seed, bases);
	bases = NULL;
out:
	free(slabs);
	free(bases);
	return code;
}

int km_start_seed_slabs(struct km_choice *choice)
{
	const struct km_slab_ops *ops = choice->machine->model->slab;
	int code = 0;

	for (uint32_t i = 0; i < choice->nr_slabs; i++) {
		choice->slabs[i].live = 0;
		choice->slabs[i].pair = 0;
		choice->slabs[i].used = choice->slabs[i].refuted = false;
		km_unseen_reset(&choice->slabs[i]);
	}
	for (uint32_t i = 0; i < choice->nr_caches && !code; i++) {
		struct km_choice_cache *cache = &choice->caches[i];

		if (!cache->used)
			continue;
		memset(cache->last_slab, 0, sizeof(cache->last_slab));
		classify_old(choice, cache);
		ops->cache_info(choice->machine->slab, cache->handle, &cache->at_start);
		code = cache->lists.text ? km_lists_seed(choice, cache) : seed_cache(choice, cache);
		ops->cache_info(choice->machine->slab, cache->handle, &cache->at_start);
	}
	return code;
}

bool km_start_refute(struct km_choice *choice, uint32_t index, unsigned cpu)
{
	const struct km_choice_cache *cache = &choice->caches[choice->slabs[index].cache];
	void *slub = choice->machine->slab;
	bool refuted = false;
	uint64_t next;

	while ((next = km_slub_next_slab(slub, cache->handle, cpu)) &&
	       choice->model_pair[km_addr_to_pfn(next).value] == KM_ANONYMOUS &&
	       !km_slub_drop_slab(slub, cpu, next)) {
		choice->model_pair[km_addr_to_pfn(next).value] = 0;
		refuted = true;
	}
	return refuted;
}

bool km_start_bind(struct km_choice *choice, uint32_t index, uint64_t model_pfn)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	const struct km_choice_cache *cache = &choice->caches[slab->cache];
	uint32_t live = slab->live < cache->objects ? slab->live : cache->objects;

	if (slab->young || slab->bound || choice->model_pair[model_pfn] != KM_ANONYMOUS)
		return false;
	slab->bound = true;
	slab->pair = model_pfn;
	choice->model_pair[model_pfn] = index + 1;
	choice->model_live[model_pfn] = live;
	km_slub_seed_count(choice->machine->slab, km_pfn_to_addr((km_pfn){model_pfn}),
			   cache->objects - live);
	return true;
}
