/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls that no event showed, made in the model. How many there were in a slab is known: the lists
 * of start and end prove it, and addresses that were handed out twice (slab_lists.c, slab_walk.c).
 * When they were made is not. They are made where the kernel's choices show that they had been by
 * then:
 *
 *   - The kernel takes from a slab in which the model has no free object. One was freed.
 *   - The model would take from a slab that the kernel has left. What is free there was taken.
 *   - An object is freed in one of a row of slabs that lack allocations. They were made before.
 *
 * Nothing else is changed, and never more calls are made in a slab than were proven, so that a
 * wrong choice that has another cause stays one. Which object of a slab is freed makes no
 * difference to the choice of slabs: all count as seeded ones, of which the model knows only how
 * many are in use.
 */
#include <kmlab/slab_state.h>

#include "replay/choice.h"

#define MOST_COMING 512 /* slabs looked at */

bool km_unseen_known(const struct km_choice_cache *cache)
{
	return cache->accounted && cache->followed;
}

void km_unseen_reset(struct km_kernel_slab *slab)
{
	slab->implied_left = slab->implied;
	slab->owed_frees = slab->implied + (slab->balance > 0 ? (uint32_t)slab->balance : 0);
	slab->owed_allocs = slab->balance < 0 ? (uint32_t)-slab->balance : 0;
	slab->early = slab->unseen_live = 0;
}

int km_unseen_free_object(struct km_choice *choice, const struct km_choice_cache *cache,
			  unsigned cpu, uint64_t addr)
{
	uint64_t bytes = KM_PAGE_SIZE << cache->model_order;

	if (km_unseen_known(cache))
		return km_slub_free_seeded(choice->machine->slab, cpu, addr & ~(bytes - 1));
	km_kfree(choice->machine, cpu, addr);
	return 0;
}

static bool place_free(struct km_choice *choice, struct km_kernel_slab *slab, unsigned cpu)
{
	uint64_t model = slab->pair;

	if (!model || !slab->live ||
	    km_slub_free_seeded(choice->machine->slab, cpu, km_pfn_to_addr((km_pfn){model})))
		return false;
	slab->owed_frees--;
	slab->early += slab->early < slab->implied_left;
	slab->live--;
	if (choice->walk != KM_WALK_COMPARE)
		return true;
	choice->caches[slab->cache].placed++;
	if (!slab->live)
		km_choice_unpair(choice, slab);
	km_compare_release(choice, model);
	return true;
}

/* The kernel's slab that the model has at this address, if it is known. */
static struct km_kernel_slab *owner_of(struct km_choice *choice, uint64_t addr)
{
	uint32_t owner = addr ? choice->model_pair[km_addr_to_pfn(addr).value] : 0;

	return owner && owner != KM_ANONYMOUS ? &choice->slabs[owner - 1] : NULL;
}

/* From the slab that the model takes from next, which is this one. */
static bool place_alloc(struct km_choice *choice, struct km_kernel_slab *slab, unsigned cpu)
{
	struct km_choice_cache *cache = &choice->caches[slab->cache];
	uint64_t addr = km_cache_alloc(choice->machine, cache->handle, cpu, KM_GFP_KERNEL, -1);

	if (!addr || km_slub_make_seeded(choice->machine->slab, addr))
		return false;
	slab->owed_allocs--;
	slab->unseen_live++;
	slab->live++;
	if (choice->walk != KM_WALK_COMPARE)
		return true;
	cache->placed++;
	km_compare_hold(choice, slab->pair);
	return true;
}

static uint64_t next_of(const struct km_choice *choice, const struct km_choice_cache *cache,
			unsigned cpu)
{
	return km_slub_next_slab(choice->machine->slab, cache->handle, cpu);
}

/* Make allocations on a CPU that owes them in what it takes from, until `until` would take
 * `wanted`. */
static bool place_allocs(struct km_choice *choice, const struct km_choice_cache *cache,
			 unsigned cpu, unsigned until, uint64_t wanted)
{
	struct km_kernel_slab *slab;
	bool placed = false;

	while (next_of(choice, cache, until) != wanted &&
	       (slab = owner_of(choice, next_of(choice, cache, cpu))) && slab->owed_allocs &&
	       place_alloc(choice, slab, cpu))
		placed = true;
	return placed;
}

/* Would this CPU come to `wanted` (0: a new slab) by using up nothing but slabs that owe
 * allocations?
 */
static bool leads_to(struct km_choice *choice, const struct km_choice_cache *cache, unsigned cpu,
		     uint64_t wanted)
{
	uint64_t bases[MOST_COMING];
	unsigned nr =
		km_slub_coming_slabs(choice->machine->slab, cache->handle, cpu, bases, MOST_COMING);

	for (unsigned i = 0; i < nr; i++) {
		const struct km_kernel_slab *slab = owner_of(choice, bases[i]);

		if (bases[i] == wanted)
			return true;
		if (!slab || !slab->owed_allocs)
			return false;
	}
	return nr < MOST_COMING && !wanted;
}

/*
 * What the CPU would take from was used by then: by itself, if that leads to where it is; or by
 * another CPU, which had taken it from the node.
 */
static bool place_taken(struct km_choice *choice, const struct km_choice_cache *cache, unsigned cpu,
			uint64_t wanted)
{
	uint64_t next = next_of(choice, cache, cpu);

	if (leads_to(choice, cache, cpu, wanted))
		return place_allocs(choice, cache, cpu, cpu, wanted);
	for (unsigned other = 0; other < choice->start->cpus; other++)
		if (other != cpu && next_of(choice, cache, other) == next &&
		    place_allocs(choice, cache, other, cpu, wanted))
			return true;
	return place_allocs(choice, cache, cpu, cpu, wanted);
}

void km_unseen_place(struct km_choice *choice, const struct km_slab_call *call)
{
	struct km_kernel_slab *slab = &choice->slabs[call->slab];
	struct km_choice_cache *cache = &choice->caches[slab->cache];
	uint64_t wanted = slab->pair ? km_pfn_to_addr((km_pfn){slab->pair}) : 0;
	unsigned cpu = call->event.cpu;
	bool placed = km_unseen_known(cache) && (wanted || (slab->young && !slab->used));

	while (placed) {
		if (next_of(choice, cache, cpu) == wanted)
			return;
		placed = wanted && slab->owed_frees &&
					 !km_slub_has_free(choice->machine->slab, wanted)
				 ? place_free(choice, slab, cpu)
				 : place_taken(choice, cache, cpu, wanted);
	}
}

/*
 * A row of slabs that owe allocations, as the CPU comes to them. Returns where it ends: the first
 * slab that would not be used up by what is owed, or NULL; sets how many are in it, and whether
 * `slab` is.
 */
static const struct km_kernel_slab *row_of(struct km_choice *choice,
					   const struct km_choice_cache *cache, unsigned cpu,
					   const struct km_kernel_slab *slab, unsigned *length,
					   bool *in_row)
{
	uint64_t bases[MOST_COMING];
	unsigned nr =
		km_slub_coming_slabs(choice->machine->slab, cache->handle, cpu, bases, MOST_COMING);

	*in_row = false;
	for (*length = 0; *length < nr; ++*length) {
		const struct km_kernel_slab *at = owner_of(choice, bases[*length]);

		*in_row |= at && at == slab;
		if (!at || at->live + at->owed_allocs < cache->objects)
			return at;
	}
	return NULL;
}

/*
 * An object is freed in a slab that owes allocations: of those that were in use at the start, or
 * allocated unseen. If the slab is one of a row that owes them, then the latter: someone allocated
 * from one slab after the other, and all of that is made now. The CPU is the one that was the first
 * to allocate where the row ends: there it had come to.
 */
static void place_row(struct km_choice *choice, const struct km_kernel_slab *freed)
{
	const struct km_choice_cache *cache = &choice->caches[freed->cache];

	for (unsigned cpu = 0; cpu < choice->start->cpus; cpu++) {
		unsigned length;
		bool in_row;
		const struct km_kernel_slab *end =
			row_of(choice, cache, cpu, freed, &length, &in_row);

		if (!in_row || length < 2 || !end || end->first_user != cpu + 1u)
			continue;
		place_allocs(choice, cache, cpu, cpu, UINT64_MAX);
		return;
	}
}

bool km_unseen_covers(struct km_choice *choice, const struct km_slab_call *call)
{
	struct km_kernel_slab *slab = &choice->slabs[call->slab];

	if (!km_unseen_known(&choice->caches[slab->cache]))
		return false;
	if (call->kind == KM_CALL_FREE && call->implied && slab->implied_left) {
		slab->implied_left--;
		if (slab->early) {
			slab->early--;
			return true;
		}
		slab->owed_frees--;
	} else if (call->kind == KM_CALL_FREE_OLD) {
		if (slab->owed_allocs)
			place_row(choice, slab);
		if (!slab->young)
			return false;
		if (!slab->unseen_live) {
			slab->owed_allocs -= slab->owed_allocs != 0;
			return true;
		}
		slab->unseen_live--;
	}
	return false;
}

void km_unseen_settle(struct km_choice *choice)
{
	for (uint32_t i = 0; i < choice->nr_slabs; i++) {
		struct km_kernel_slab *slab = &choice->slabs[i];
		bool placed = km_unseen_known(&choice->caches[slab->cache]);

		while (placed && slab->owed_frees)
			placed = place_free(choice, slab, slab->user);
	}
}
