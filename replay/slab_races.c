/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Orders between CPUs that decide about slabs and that no clock can tell: records are made a little
 * away from the moment itself. When they are close, the order is taken from what the kernel did.
 *
 * A CPU has taken the last object of its slab; another frees an object of that slab. If the first
 * CPU asks for the next object after that, it finds the freed one and stays; if before, it leaves,
 * and the free puts the slab on the other CPU's chain. Such a free waits, and with it what its CPU
 * does after it, until the first CPU has shown whether it stayed.
 *
 * Two CPUs change the node list. An allocation for which the model would turn to another slab than
 * the kernel waits, and with it what its CPU does after it, until another CPU's call has made it
 * fit.
 */
#include <kmlab/slab_state.h>

#include "replay/choice.h"

/* Farther apart than this, the records tell the order. */
#define RACE_NS 3000

static void apply(struct km_choice *choice, const struct km_slab_call *call)
{
	struct km_kernel_slab *slab = &choice->slabs[call->slab];

	if (call->kind == KM_CALL_ALLOC)
		km_unseen_place(choice, call);
	if (choice->walk == KM_WALK_COMPARE)
		km_compare_call(choice, call);
	else
		km_follow_call(choice, call);
	if (call->kind == KM_CALL_ALLOC) {
		choice->caches[slab->cache].last_slab[call->event.cpu] = call->slab + 1;
		slab->user = call->event.cpu;
		slab->used = true;
	}
}

static void settle(struct km_choice *choice, struct km_race *race)
{
	for (uint32_t i = 0; i < race->nr; i++)
		apply(choice, &race->calls[i]);
	race->nr = 0;
}

void km_races_settle(struct km_choice *choice)
{
	for (uint32_t i = 0; i < choice->nr_caches; i++)
		settle(choice, &choice->caches[i].race);
}

static bool begins(const struct km_choice *choice, const struct km_slab_call *call)
{
	const struct km_kernel_slab *slab = &choice->slabs[call->slab];
	const struct km_choice_cache *cache = &choice->caches[slab->cache];

	return cache->followed && call->kind != KM_CALL_ALLOC && slab->user != call->event.cpu &&
	       cache->last_slab[slab->user] == call->slab + 1 && slab->live >= cache->objects;
}

/* Is it the free of an object whose allocation waits? */
static bool frees_waiting(const struct km_race *race, const struct km_slab_call *call)
{
	if (call->kind != KM_CALL_FREE)
		return false;
	for (uint32_t i = 0; i < race->nr; i++)
		if (race->calls[i].kind == KM_CALL_ALLOC && race->calls[i].slot == call->slot)
			return true;
	return false;
}

/* Is it the allocation for which the kernel made the slab? */
static bool is_made(const struct km_choice *choice, const struct km_slab_call *call)
{
	const struct km_kernel_slab *slab = &choice->slabs[call->slab];

	return call->kind == KM_CALL_ALLOC && choice->caches[slab->cache].followed && slab->young &&
	       !slab->used;
}

/* Would the model take this object from the kernel's slab? True also when that cannot be said. */
static bool fits(const struct km_choice *choice, const struct km_slab_call *call)
{
	const struct km_kernel_slab *slab = &choice->slabs[call->slab];
	const struct km_choice_cache *cache = &choice->caches[slab->cache];
	uint64_t next;

	if (call->kind != KM_CALL_ALLOC || !cache->followed ||
	    (!slab->pair && (!slab->young || slab->bound || slab->lost)))
		return true;
	next = km_slub_next_slab(choice->machine->slab, cache->handle, call->event.cpu);
	return next == (slab->pair ? km_pfn_to_addr((km_pfn){slab->pair}) : 0);
}

/* Another CPU's call while some wait. */
static void pass(struct km_choice *choice, struct km_race *race, const struct km_slab_call *call)
{
	const struct km_slab_call *first = &race->calls[0];
	bool decided = call->kind == KM_CALL_ALLOC && first->kind != KM_CALL_ALLOC &&
		       call->event.cpu == choice->slabs[first->slab].user;

	if (decided && call->slab == first->slab)
		settle(choice, race);
	apply(choice, call);
	if (!race->nr || (!decided && (first->kind != KM_CALL_ALLOC || !fits(choice, first))))
		return;
	choice->caches[choice->slabs[call->slab].cache].reordered +=
		choice->walk == KM_WALK_COMPARE;
	settle(choice, race);
}

void km_races_call(struct km_choice *choice, const struct km_slab_call *call)
{
	struct km_race *race = &choice->caches[choice->slabs[call->slab].cache].race;
	struct km_slab_call now = *call;

	if (choice->walk == KM_WALK_COMPARE && is_made(choice, call))
		choice->slabs[call->slab].refuted |=
			km_start_refute(choice, call->slab, call->event.cpu);
	if (race->nr && (race->nr == KM_RACE_CALLS || frees_waiting(race, call) ||
			 call->event.time_ns > race->calls[0].event.time_ns + RACE_NS))
		settle(choice, race);
	/* Its slot may be taken by another object while it waits. */
	if (call->kind == KM_CALL_FREE)
		now.addr = choice->slot_addr[call->slot];
	if (race->nr && call->event.cpu != race->calls[0].event.cpu)
		pass(choice, race, &now);
	else if (race->nr || begins(choice, call) || !fits(choice, call))
		race->calls[race->nr++] = now;
	else
		apply(choice, &now);
}
