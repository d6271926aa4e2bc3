/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB's CPU slabs: each CPU takes objects from a slab of its own, keeps a chain of partial slabs
 * behind it, and turns to the node when both are used up (mm/slub.c: ___slab_alloc, __slab_free,
 * put_cpu_partial, deactivate_slab; 5.15 - 6.18).
 */
#include "slub.h"

/* The chain counts slabs (5.16+) and, as each slab was pushed, free objects (5.15). */
static void partial_push(struct km_slub_cpu *c, unsigned cpu, struct km_slab *slab)
{
	uint32_t below = c->partial ? c->partial->partial_free : 0;

	slab->place = KM_PLACE_CPU_PARTIAL;
	slab->cpu = (uint16_t)cpu;
	slab->partial_free = below + slab->objects - slab->inuse;
	slab->next = c->partial;
	c->partial = slab;
	c->partial_slabs++;
}

static bool partial_is_full(const struct km_slub_cache *cache, const struct km_slub_cpu *c)
{
	if (!c->partial)
		return false;
	return cache->partial_in_objects ? c->partial->partial_free > cache->geometry.cpu_partial
					 : c->partial_slabs >= cache->geometry.cpu_partial_slabs;
}

static struct km_slab *partial_take_all(struct km_slub_cpu *c)
{
	struct km_slab *chain = c->partial;

	c->partial = NULL;
	c->partial_slabs = 0;
	return chain;
}

static void unfreeze(struct km_slub_cache *cache, unsigned cpu, struct km_slab *chain)
{
	if (!chain)
		return;
	cache->slub->count->slab_unfreeze++;
	km_node_put_chain(cache, cpu, chain);
}

void km_cpu_partial_put(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab, bool drain)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	struct km_slab *old = drain && partial_is_full(cache, c) ? partial_take_all(c) : NULL;

	partial_push(c, cpu, slab);
	unfreeze(cache, cpu, old);
}

void km_cpu_slab_install(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];

	km_cpu_slab_set(c, slab);
	km_cpu_freelist_set(c, slab->freelist);
	slab->place = KM_PLACE_CPU;
	slab->cpu = (uint16_t)cpu;
	slab->freelist = KM_OBJECT_END;
	slab->inuse = slab->objects;
}

/* Were these enough that a CPU takes from the node at once? */
static bool took_enough(const struct km_slub_cache *cache, unsigned pushed, unsigned objects)
{
	const struct km_cache_geometry *geometry = &cache->geometry;

	return cache->partial_in_objects ? objects > geometry->cpu_partial / 2
					 : pushed > geometry->cpu_partial_slabs / 2;
}

unsigned km_cpu_partial_from_node(const struct km_slub_cache *cache, const struct km_slab *first)
{
	unsigned pushed = 0, objects = first->objects - first->inuse;

	for (const struct km_slab *slab = first->next; slab && !took_enough(cache, pushed, objects);
	     slab = slab->next) {
		objects += slab->objects - slab->inuse;
		pushed++;
	}
	return pushed;
}

/* The first slab of the node becomes the CPU slab, some of the next ones its partial chain. */
static bool take_node_partial(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_slab *slab = cache->partial_head;
	unsigned pushed = 0, objects;

	if (!slab)
		return false;
	km_node_remove(cache, slab);
	objects = slab->objects - slab->inuse;
	km_cpu_slab_install(cache, cpu, slab);
	while ((slab = cache->partial_head) && !took_enough(cache, pushed, objects)) {
		km_node_remove(cache, slab);
		objects += slab->objects - slab->inuse;
		partial_push(&cache->cpu[cpu], cpu, slab);
		pushed++;
	}
	cache->slub->count->slab_node_partial++;
	return true;
}

static bool install_new(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp, int node)
{
	struct km_slab *slab = NULL;

	if (cache->slub->profile->try_node_first && node >= 0 && !(gfp & KM_GFP_THISNODE))
		slab = km_slab_new(cache, cpu, KM_GFP_NOWAIT | KM_GFP_NOWARN | KM_GFP_THISNODE);
	if (!slab)
		slab = km_slab_new(cache, cpu, gfp);
	if (!slab)
		return false;
	km_cpu_slab_install(cache, cpu, slab);
	return true;
}

/* The CPU's own chain is empty: give it another. False without memory. */
static bool refill(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp, int node)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	struct km_slab *slab = c->slab;

	if (slab && slab->freelist != KM_OBJECT_END) {
		/* objects other CPUs freed meanwhile */
		km_cpu_slab_install(cache, cpu, slab);
		cache->slub->count->slab_refill++;
		return true;
	}
	if (slab) {
		slab->place = KM_PLACE_FULL;
		km_cpu_slab_set(c, NULL);
	}
	slab = c->partial;
	if (slab) {
		c->partial = slab->next;
		c->partial_slabs--;
		km_cpu_slab_install(cache, cpu, slab);
		cache->slub->count->slab_cpu_partial++;
		return true;
	}
	return take_node_partial(cache, cpu) || install_new(cache, cpu, gfp, node);
}

static km_objref pop(struct km_slub_cpu *c)
{
	unsigned index = km_cpu_freelist(c);

	km_cpu_freelist_set(c, c->slab->chain[index]);
	c->slab->chain[index] = KM_OBJECT_CACHED;
	return km_objref_make(c->slab, index);
}

static bool cpu_take(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp, int node,
		     km_objref *object)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];

	if (km_cpu_freelist(c) != KM_OBJECT_END)
		cache->slub->count->slab_fast++;
	else if (!refill(cache, cpu, gfp, node))
		return false;
	*object = pop(c);
	return true;
}

static unsigned cpu_fill(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp,
			 km_objref *objects, unsigned wanted)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	unsigned got = 0;

	while (got < wanted) {
		if (km_cpu_freelist(c) == KM_OBJECT_END && !refill(cache, cpu, gfp, -1))
			break;
		objects[got++] = pop(c);
	}
	return got;
}

static bool cpu_give(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab, unsigned head,
		     unsigned tail, unsigned count)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];

	if (slab == c->slab) {
		slab->chain[tail] = (uint16_t)km_cpu_freelist(c);
		km_cpu_freelist_set(c, head);
		return true;
	}
	slab->chain[tail] = slab->freelist;
	slab->freelist = (uint16_t)head;
	slab->inuse = (uint16_t)(slab->inuse - count);
	if (slab->place == KM_PLACE_FULL) {
		cache->slub->count->slab_put_cpu_partial++;
		km_cpu_partial_put(cache, cpu, slab, true);
	} else if (slab->place == KM_PLACE_NODE && !slab->inuse &&
		   cache->nr_partial >= cache->geometry.min_partial) {
		km_node_remove(cache, slab);
		km_slab_release(cache, cpu, slab);
	}
	return false;
}

/* The CPU slab goes to the node, to the end it deserves: the tail if others freed to it. */
static void deactivate(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	struct km_slab *slab = c->slab;
	bool to_tail = slab->freelist != KM_OBJECT_END;
	unsigned first = km_cpu_freelist(c), last = first, count = 1;

	if (first != KM_OBJECT_END) {
		for (; slab->chain[last] != KM_OBJECT_END; count++)
			last = slab->chain[last];
		slab->chain[last] = slab->freelist;
		slab->freelist = (uint16_t)first;
		slab->inuse = (uint16_t)(slab->inuse - count);
	}
	km_cpu_slab_set(c, NULL);
	slab->place = KM_PLACE_FULL;
	if (!slab->inuse && cache->nr_partial >= cache->geometry.min_partial)
		km_slab_release(cache, cpu, slab);
	else if (slab->freelist != KM_OBJECT_END && to_tail)
		km_node_add_tail(cache, slab);
	else if (slab->freelist != KM_OBJECT_END)
		km_node_add_head(cache, slab);
}

static void cpu_flush(struct km_slub_cache *cache, unsigned cpu)
{
	if (cache->cpu[cpu].slab)
		deactivate(cache, cpu);
	unfreeze(cache, cpu, partial_take_all(&cache->cpu[cpu]));
}

const struct km_slub_backend km_slub_cpu_backend = {
	.take = cpu_take,
	.fill = cpu_fill,
	.give = cpu_give,
	.flush = cpu_flush,
	.fill_blocks = true,
	.main_is_spared = false,
	.fill_gfp = 0,
	.free_gfp = KM_GFP_NOWAIT | KM_GFP_NOWARN,
};
