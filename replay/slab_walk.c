/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From events to calls: which slab of which cache an event is about. The first walk finds the
 * slabs, the second learns what the start state was, the others feed a model.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/choice.h"
#include "replay/event_order.h"
#include "results/term.h"

static uint32_t cache_of_event(const struct km_event *event)
{
	if (event->kind == KM_EV_CACHE_ALLOC || event->kind == KM_EV_BULK_ALLOC)
		return event->cache ? (uint32_t)KM_NR_KMALLOC + event->cache : KM_NO_INDEX;
	if (!event->bytes_req || event->bytes_req > KM_KMALLOC_MAX_CACHE)
		return KM_NO_INDEX;
	return (uint32_t)km_kmalloc_type(event->gfp) * KM_KMALLOC_CLASSES +
	       km_kmalloc_class(event->bytes_req);
}

static int have_slots(struct km_choice *choice, uint32_t slot)
{
	uint32_t wanted = choice->nr_slots ? choice->nr_slots : 1 << 16;
	uint64_t *addr;
	uint32_t *slab;

	if (slot < choice->nr_slots)
		return 0;
	while (wanted <= slot)
		wanted *= 2;
	addr = realloc(choice->slot_addr, wanted * sizeof(*addr));
	if (addr)
		choice->slot_addr = addr;
	slab = realloc(choice->slot_slab, wanted * sizeof(*slab));
	if (slab)
		choice->slot_slab = slab;
	if (!addr || !slab)
		return -ENOMEM;
	for (uint32_t i = choice->nr_slots; i < wanted; i++)
		slab[i] = KM_NO_INDEX;
	choice->nr_slots = wanted;
	return 0;
}

/* A call in a slab of the kernel, in the order the kernel did them. */
static void make_call(struct km_choice *choice, const struct km_slab_call *call)
{
	struct km_choice_cache *cache = &choice->caches[choice->slabs[call->slab].cache];

	if (call->event.time_ns < cache->begin_ns || call->event.time_ns > cache->end_ns)
		return;
	if (choice->walk == KM_WALK_LEARN) {
		choice->slabs[call->slab].taken += call->kind == KM_CALL_ALLOC ? 1 : -1;
		choice->slabs[call->slab].implied += call->implied;
		if (call->kind == KM_CALL_ALLOC)
			km_start_note_alloc(choice, call->slab, call->event.cpu);
		else
			km_start_note_free(choice, call->slab, call->event.cpu);
	} else if (choice->walk == KM_WALK_COMPARE ||
		   (choice->walk == KM_WALK_FOLLOW && cache->followed)) {
		km_races_call(choice, call);
	}
}

static int walk_alloc(struct km_choice *choice, const struct km_event *event, uint32_t slot)
{
	uint32_t index = km_choice_slab_at(choice, event->ptr);
	uint32_t cache = km_buckets_serve(choice, event, cache_of_event(event), index);

	if (have_slots(choice, slot))
		return -ENOMEM;
	choice->slot_slab[slot] = KM_NO_INDEX;
	if (cache == KM_NO_INDEX || cache >= choice->nr_caches || !choice->caches[cache].used ||
	    km_choice_pfn(choice, event->ptr) == UINT64_MAX || event->cpu >= choice->start->cpus)
		return 0;
	if (index == KM_NO_INDEX) {
		if (choice->walk != KM_WALK_FIND)
			return 0;
		index = km_choice_add_slab(choice, event->ptr, cache);
		return index == KM_NO_INDEX ? -ENOMEM : 0;
	}
	if (choice->slabs[index].cache != cache)
		return 0; /* the page's birth was not seen: another cache's slab by now */
	if (event->time_ns < choice->caches[cache].begin_ns)
		return 0;
	choice->slot_slab[slot] = index;
	choice->slot_addr[slot] = 0;
	make_call(choice, &(struct km_slab_call){KM_CALL_ALLOC, index, slot, *event, 0, false});
	return 0;
}

/* An object that was allocated before its cache's model began was in use at the start. */
static void walk_free_early(struct km_choice *choice, const struct km_event *event, uint64_t addr)
{
	uint32_t index = km_choice_slab_at(choice, addr);

	if (index != KM_NO_INDEX && !choice->slabs[index].young &&
	    choice->caches[choice->slabs[index].cache].begin_ns)
		make_call(choice, &(struct km_slab_call){KM_CALL_FREE_OLD, index, KM_NO_INDEX,
							 *event, 0, false});
}

/* `addr`: of the object in this slot. */
static void walk_free(struct km_choice *choice, const struct km_event *event, uint32_t slot,
		      uint64_t addr, bool implied)
{
	uint32_t index = slot < choice->nr_slots ? choice->slot_slab[slot] : KM_NO_INDEX;

	if (event->cpu >= choice->start->cpus)
		return;
	if (index == KM_NO_INDEX) {
		walk_free_early(choice, event, addr);
		return;
	}
	make_call(choice, &(struct km_slab_call){KM_CALL_FREE, index, slot, *event, 0, implied});
	choice->slot_slab[slot] = KM_NO_INDEX;
}

/*
 * An object was freed unseen, some time before its address was handed out again, and here, at the
 * last possible moment: an earlier one would have to be guessed, and any free puts its slab on a
 * list at that moment.
 */
static void walk_implied(struct km_choice *choice, const struct km_event *event, uint32_t slot,
			 uint64_t addr)
{
	if (choice->walk == KM_WALK_LEARN && slot < choice->nr_slots &&
	    choice->slot_slab[slot] != KM_NO_INDEX)
		choice->caches[choice->slabs[choice->slot_slab[slot]].cache].unseen++;
	walk_free(choice, event, slot, addr, true);
}

/* The slab of an object that nothing else showed, if the event names its cache or lists do. */
static void add_freed(struct km_choice *choice, const struct km_event *event)
{
	uint64_t pfn = km_choice_pfn(choice, event->ptr);
	uint32_t cache = KM_NO_INDEX;

	if (pfn == UINT64_MAX)
		return;
	if (event->kind == KM_EV_CACHE_FREE && event->cache)
		cache = KM_NR_KMALLOC + event->cache;
	else if (choice->listed_cache[pfn])
		cache = choice->listed_cache[pfn] - 1;
	if (cache < choice->nr_caches && choice->caches[cache].used)
		km_choice_add_slab(choice, event->ptr, cache);
}

static void walk_free_old(struct km_choice *choice, const struct km_event *event)
{
	struct km_choice_cache *cache;
	uint32_t index;

	if (km_event_space(event->kind) != KM_SPACE_SLAB || event->cpu >= choice->start->cpus)
		return;
	index = km_choice_slab_at(choice, event->ptr);
	if (index == KM_NO_INDEX) {
		if (choice->walk == KM_WALK_FIND)
			add_freed(choice, event);
		return;
	}
	cache = &choice->caches[choice->slabs[index].cache];
	if (choice->slabs[index].young && !km_unseen_known(cache)) {
		cache->unseen += choice->walk == KM_WALK_LEARN; /* its allocation */
		return;
	}
	make_call(choice,
		  &(struct km_slab_call){KM_CALL_FREE_OLD, index, KM_NO_INDEX, *event, 0, false});
}

static int walk_step(struct km_choice *choice, const struct km_event *event,
		     const struct km_repair_step *step)
{
	bool slab_space = km_event_space(event->kind) == KM_SPACE_SLAB;

	switch (step->action) {
	case KM_REPAIR_REALLOC:
		if (step->gone.space == KM_SPACE_SLAB)
			walk_implied(choice, event, step->slot, step->gone.ptr);
		/* fall through */
	case KM_REPAIR_ALLOC:
		return slab_space ? walk_alloc(choice, event, step->slot) : 0;
	case KM_REPAIR_FREE:
		if (step->gone.space == KM_SPACE_SLAB)
			walk_free(choice, event, step->slot, step->gone.ptr, false);
		return 0;
	case KM_REPAIR_FREE_OLD:
		walk_free_old(choice, event);
		return 0;
	default:
		return 0;
	}
}

/* Before repair sees the event: the slab that lay there until now. */
static void note_page_free(struct km_choice *choice, const struct km_event *event)
{
	uint64_t addr = choice->direct_map_base + (event->ptr << KM_PAGE_SHIFT);
	uint32_t index = km_choice_slab_at(choice, addr);
	struct km_kernel_slab *slab = index == KM_NO_INDEX ? NULL : &choice->slabs[index];

	if (slab && slab->base == event->ptr)
		slab->gone |= event->time_ns > choice->caches[slab->cache].begin_ns &&
			      event->time_ns <= choice->caches[slab->cache].end_ns;
}

static int walk_event(struct km_choice *choice, const struct km_event *event)
{
	struct km_repair_step step, gone;
	int code;

	code = km_repair_feed(choice->repair, event, &step);
	if (code)
		return code;
	while (km_repair_next_gone(choice->repair, &gone))
		if (gone.gone.space == KM_SPACE_SLAB)
			walk_implied(choice, event, gone.slot, gone.gone.ptr);
	if (choice->walk == KM_WALK_FOLLOW && event->kind == KM_EV_PAGE_FREE)
		km_follow_page_free(choice, event);
	if (choice->walk == KM_WALK_LEARN && event->kind == KM_EV_PAGE_FREE)
		note_page_free(choice, event);
	return walk_step(choice, event, &step);
}

int km_choice_walk(struct km_choice *choice, enum km_walk walk, struct km_err *err)
{
	struct km_event_order *order = NULL;
	const struct km_event *event;
	uint64_t seen = 0;
	int code;

	choice->walk = walk;
	for (uint32_t i = 0; i < choice->nr_caches; i++)
		memset(choice->caches[i].last_slab, 0, sizeof(choice->caches[i].last_slab));
	for (uint32_t i = 0; i < choice->nr_slots; i++)
		choice->slot_slab[i] = KM_NO_INDEX;
	if (km_repair_new(&choice->repair))
		return -ENOMEM;
	km_repair_set_direct_map(choice->repair, choice->direct_map_base);
	code = km_event_order_open(choice->trace, choice->delay_ns, &order, err);
	while (!code && (event = km_event_order_next(order, &code, err))) {
		code = walk_event(choice, event);
		if (++seen % 4096 == 0 && km_interrupted())
			code = -EINTR;
	}
	if (!code)
		km_races_settle(choice);
	if (!code && walk == KM_WALK_COMPARE)
		km_unseen_settle(choice);
	km_event_order_close(order);
	km_repair_delete(choice->repair);
	choice->repair = NULL;
	return code;
}
