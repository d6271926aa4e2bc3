/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB without CPU slabs: objects move straight between sheaves (or callers) and the slabs of the
 * node partial list (mm/slub.c, 7.2: __refill_objects_node, ___slab_alloc, __slab_free).
 */
#include "slub.h"

/* Move up to `wanted` objects from the front of a slab's chain, in chain order. */
static unsigned detach(struct km_slab *slab, km_objref *objects, unsigned wanted)
{
	unsigned got = 0, index = slab->freelist;

	while (got < wanted && index != KM_OBJECT_END) {
		unsigned next = slab->chain[index];

		slab->chain[index] = KM_OBJECT_CACHED;
		objects[got++] = km_objref_make(slab, index);
		index = next;
	}
	slab->freelist = (uint16_t)index;
	slab->inuse = (uint16_t)(slab->inuse + got);
	return got;
}

/* Slabs from the head of the list until they hold enough; a remainder goes back to the tail. */
static unsigned fill_from_node(struct km_slub_cache *cache, km_objref *objects, unsigned wanted)
{
	unsigned got = 0;

	while (got < wanted && cache->partial_head) {
		struct km_slab *slab = cache->partial_head;

		km_node_remove(cache, slab);
		got += detach(slab, objects + got, wanted - got);
		if (slab->freelist != KM_OBJECT_END)
			km_node_add_tail(cache, slab);
	}
	if (got)
		cache->slub->count->slab_node_partial++;
	return got;
}

static unsigned direct_fill(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp,
			    km_objref *objects, unsigned wanted)
{
	unsigned got = fill_from_node(cache, objects, wanted);

	while (got < wanted) {
		struct km_slab *slab = km_slab_new(cache, cpu, gfp);

		if (!slab)
			break;
		got += detach(slab, objects + got, wanted - got);
		if (slab->freelist != KM_OBJECT_END)
			km_node_add_head(cache, slab);
	}
	return got;
}

/* One object; its slab stays or becomes the head of the list while it has more. */
static bool take_from_node(struct km_slub_cache *cache, km_objref *object)
{
	struct km_slab *slab = cache->partial_head;

	if (!slab)
		return false;
	detach(slab, object, 1);
	if (slab->freelist == KM_OBJECT_END)
		km_node_remove(cache, slab);
	cache->slub->count->slab_node_partial++;
	return true;
}

static bool take_from_new(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp,
			  km_objref *object)
{
	struct km_slab *slab = km_slab_new(cache, cpu, gfp);

	if (!slab)
		return false;
	detach(slab, object, 1);
	if (slab->freelist != KM_OBJECT_END)
		km_node_add_head(cache, slab);
	return true;
}

static bool direct_take(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp, int node,
			km_objref *object)
{
	const uint32_t mild = KM_GFP_NOWAIT | KM_GFP_NOWARN | KM_GFP_NOMEMALLOC | KM_GFP_ACCOUNT;

	if (take_from_node(cache, object))
		return true;
	if (node >= 0 && !(gfp & KM_GFP_THISNODE) &&
	    take_from_new(cache, cpu, (gfp & mild) | KM_GFP_NOWARN | KM_GFP_THISNODE, object))
		return true;
	return take_from_new(cache, cpu, gfp, object);
}

static bool direct_give(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab,
			unsigned head, unsigned tail, unsigned count)
{
	bool was_full = slab->freelist == KM_OBJECT_END;

	slab->chain[tail] = slab->freelist;
	slab->freelist = (uint16_t)head;
	slab->inuse = (uint16_t)(slab->inuse - count);
	if (!slab->inuse && cache->nr_partial >= cache->geometry.min_partial) {
		if (!was_full)
			km_node_remove(cache, slab);
		km_slab_release(cache, cpu, slab);
	} else if (was_full) {
		km_node_add_tail(cache, slab);
	}
	return false;
}

/* A CPU holds no slabs here. */
static void direct_flush(struct km_slub_cache *cache, unsigned cpu)
{
	(void)cache;
	(void)cpu;
}

const struct km_slub_backend km_slub_direct_backend = {
	.take = direct_take,
	.fill = direct_fill,
	.give = direct_give,
	.flush = direct_flush,
	.fill_blocks = false,
	.main_is_spared = true,
	.fill_gfp = KM_GFP_NOMEMALLOC | KM_GFP_NOWARN,
	.free_gfp = KM_GFP_NOWARN,
};
