/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLAB's slabs and the node's three lists: growing with colours, taking, giving back, releasing
 * (mm/slab.c: cache_grow_begin, alloc_block, fixup_slab_list, free_block, drain_freelist; 6.1).
 */
#include <string.h>

#include "slab.h"

/* ---- growing and releasing ---- */

static struct slab *record_take(struct slab_cache *cache)
{
	struct slab *slab = (struct slab *)cache->unused;

	if (slab) {
		cache->unused = slab->link.next;
		return slab;
	}
	slab = km_record_new(&cache->layer->records, sizeof(*slab) + 2 * cache->geometry.objects);
	if (slab)
		slab->cache = cache;
	return slab;
}

static void record_keep(struct slab *slab)
{
	slab->link.next = slab->cache->unused;
	slab->cache->unused = &slab->link;
}

static uint64_t page_addr(const struct slab *slab)
{
	return slab->first & ~((KM_PAGE_SIZE << slab->cache->geometry.order) - 1);
}

/* Where the first object of the next slab starts: caches' objects shall not all share lines. */
static uint32_t next_colour(struct slab_cache *cache)
{
	cache->next_colour++;
	if (cache->next_colour >= cache->geometry.colours)
		cache->next_colour = 0;
	return cache->next_colour * cache->geometry.colour_step;
}

/*
 * All objects free, in the order in which they will be taken. Which of them holds a freelist inside
 * an object only turns the shuffled order, whose start is random.
 */
static void fill_index(struct slab *slab)
{
	const struct slab_cache *cache = slab->cache;
	unsigned count = cache->geometry.objects;
	unsigned start = cache->permutation ? km_slab_random_below(cache->layer->env, count) : 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned turned = start + i < count ? start + i : start + i - count;

		slab->index[i] = (uint8_t)(cache->permutation ? cache->permutation[turned] : i);
	}
	memset(slab_states(slab), SLAB_FREE, count);
}

static bool alloc_freelist(struct slab *slab, unsigned cpu, uint32_t gfp)
{
	struct slab_layer *layer = slab->cache->layer;

	slab->freelist = 0;
	if (slab->cache->geometry.freelist != KM_FREELIST_OFF_SLAB)
		return true;
	gfp = km_slab_caller_gfp(layer->profile, gfp) & ~(KM_GFP_HARDWALL | KM_GFP_THISNODE);
	slab->freelist = km_kmalloc(layer->machine, cpu, slab->cache->geometry.objects, gfp, -1);
	return slab->freelist != 0;
}

static void set_owner(struct slab_layer *layer, const struct slab *slab, struct slab *owner)
{
	uint64_t pfn = km_addr_to_pfn(page_addr(slab)).value;

	for (uint64_t i = 0; i < 1ull << slab->cache->geometry.order; i++)
		layer->slab_of_pfn[pfn + i] = owner;
}

struct slab *km_slab_grow(struct slab_cache *cache, unsigned cpu, uint32_t gfp)
{
	struct slab_layer *layer = cache->layer;
	const struct km_page_ops *page = layer->machine->model->page;
	struct slab *slab = record_take(cache);
	unsigned order = cache->geometry.order;
	km_pfn pfn;

	if (!slab)
		return NULL;
	pfn = page->alloc(layer->machine->page, cpu,
			  km_slab_caller_gfp(layer->profile, gfp) | cache->page_gfp, order);
	if (!km_pfn_valid(pfn)) {
		record_keep(slab);
		return NULL;
	}
	slab->first = km_pfn_to_addr(pfn) + next_colour(cache);
	slab->active = 0;
	if (!alloc_freelist(slab, cpu, gfp)) {
		page->free(layer->machine->page, cpu, pfn, order);
		record_keep(slab);
		return NULL;
	}
	fill_index(slab);
	set_owner(layer, slab, slab);
	layer->slab_pages += 1ull << order;
	layer->count->slab_new++;
	return slab;
}

static void destroy(struct slab *slab, unsigned cpu)
{
	struct slab_cache *cache = slab->cache;
	struct slab_layer *layer = cache->layer;
	unsigned order = cache->geometry.order;

	set_owner(layer, slab, NULL);
	layer->slab_pages -= 1ull << order;
	layer->count->slab_discard++;
	layer->machine->model->page->free(layer->machine->page, cpu,
					  km_addr_to_pfn(page_addr(slab)), order);
	if (slab->freelist)
		km_kfree(layer->machine, cpu, slab->freelist);
	record_keep(slab);
}

/* ---- lists ---- */

void km_slab_grown(struct slab_cache *cache, struct slab *slab)
{
	cache->nr_slabs++;
	cache->free_objects += cache->geometry.objects - slab->active;
	if (!slab->active) {
		km_ring_insert(cache->free.prev, &slab->link);
		cache->nr_free_slabs++;
	} else if (slab->active == cache->geometry.objects) {
		km_ring_insert(&cache->full, &slab->link);
	} else {
		km_ring_insert(&cache->partial, &slab->link);
		cache->nr_partial++;
	}
}

struct slab *km_slab_first(struct slab_cache *cache)
{
	if (!km_ring_empty(&cache->partial))
		return (struct slab *)cache->partial.next;
	cache->free_touched = true;
	return km_ring_empty(&cache->free) ? NULL : (struct slab *)cache->free.next;
}

unsigned km_slab_take(struct slab *slab, struct slab_array *array, unsigned wanted)
{
	unsigned objects = slab->cache->geometry.objects;

	for (; slab->active < objects && wanted; wanted--) {
		unsigned object = slab->index[slab->active++];

		slab_states(slab)[object] = SLAB_CACHED;
		array->entry[array->avail++] = km_objref_make(slab, object);
	}
	return wanted;
}

/* From whichever list it is on, as the object counts before the change say. */
static void unlist(struct slab *slab, unsigned active_before)
{
	struct slab_cache *cache = slab->cache;

	km_ring_remove(&slab->link);
	if (!active_before)
		cache->nr_free_slabs--;
	else if (active_before < cache->geometry.objects)
		cache->nr_partial--;
}

void km_slab_relist(struct slab *slab, unsigned active_before)
{
	struct slab_cache *cache = slab->cache;

	unlist(slab, active_before);
	if (slab->active == cache->geometry.objects) {
		km_ring_insert(&cache->full, &slab->link);
	} else {
		km_ring_insert(&cache->partial, &slab->link);
		cache->nr_partial++;
	}
}

static void give_one(struct slab *slab, unsigned object)
{
	struct slab_cache *cache = slab->cache;

	unlist(slab, slab->active);
	slab->index[--slab->active] = (uint8_t)object;
	slab_states(slab)[object] = SLAB_FREE;
	if (!slab->active) {
		km_ring_insert(&cache->free, &slab->link);
		cache->nr_free_slabs++;
	} else {
		/* To the tail: its other objects have the longest time to come back, too. */
		km_ring_insert(cache->partial.prev, &slab->link);
		cache->nr_partial++;
	}
}

/* The free slab at the tail leaves the cache, not yet its pages. */
static struct slab *unlist_free(struct slab_cache *cache)
{
	struct slab *slab = (struct slab *)cache->free.prev;

	unlist(slab, 0);
	cache->nr_slabs--;
	cache->free_objects -= cache->geometry.objects;
	return slab;
}

void km_slab_give(struct slab_cache *cache, unsigned cpu, const km_objref *objects, unsigned n)
{
	struct km_ring *discard = NULL;

	cache->free_objects += n;
	for (unsigned i = 0; i < n; i++)
		give_one(km_objref_record(objects[i]), km_objref_index(objects[i]));
	while (cache->free_objects > cache->free_limit && !km_ring_empty(&cache->free)) {
		struct slab *slab = unlist_free(cache);

		slab->link.next = discard;
		discard = &slab->link;
	}
	while (discard) {
		struct slab *slab = (struct slab *)discard;

		discard = discard->next;
		destroy(slab, cpu);
	}
}

void km_slab_drain_free(struct slab_cache *cache, unsigned cpu, uint64_t slabs)
{
	while (slabs-- && !km_ring_empty(&cache->free))
		destroy(unlist_free(cache), cpu);
}
