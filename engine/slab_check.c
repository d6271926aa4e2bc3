/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Invariants of the SLAB model: every object is free in its slab, in exactly one array, or handed
 * out; every slab is on the list its count says. Walks everything.
 */
#include <errno.h>

#include "slab.h"

static bool pages_ok(const struct slab_layer *layer, const struct slab *slab)
{
	const struct km_slab_geometry *geometry = &slab->cache->geometry;
	uint64_t pages = 1ull << geometry->order, pfn = km_addr_to_pfn(slab->first).value;
	uint64_t end = slab->first + (uint64_t)geometry->objects * geometry->size +
		       (geometry->freelist == KM_FREELIST_ON_SLAB ? geometry->objects : 0);

	pfn -= pfn % pages;
	if (pfn + pages > layer->max_pfn || slab->first % (geometry->align & -geometry->align) ||
	    end > km_pfn_to_addr((km_pfn){pfn + pages}))
		return false;
	for (uint64_t i = 0; i < pages; i++)
		if (layer->slab_of_pfn[pfn + i] != slab)
			return false;
	return true;
}

/* Free indexes name free objects, each once. */
static bool objects_ok(struct slab *slab)
{
	struct slab_cache *cache = slab->cache;
	unsigned objects = cache->geometry.objects, free = 0, live = 0;
	bool seen[KM_SLAB_OBJECTS_MAX] = {false};

	for (unsigned i = slab->active; i < objects; i++) {
		unsigned object = slab->index[i];

		if (object >= objects || seen[object] || slab_states(slab)[object] != SLAB_FREE)
			return false;
		seen[object] = true;
	}
	for (unsigned i = 0; i < objects; i++) {
		free += slab_states(slab)[i] == SLAB_FREE;
		live += slab_states(slab)[i] == SLAB_LIVE;
	}
	cache->seen_live += live;
	cache->seen_cached += objects - free - live;
	return free == objects - slab->active;
}

enum wanted { WANT_FULL, WANT_PARTIAL, WANT_FREE };

static bool count_fits(const struct slab *slab, enum wanted wanted)
{
	unsigned objects = slab->cache->geometry.objects;

	switch (wanted) {
	case WANT_FULL:
		return slab->active == objects;
	case WANT_FREE:
		return slab->active == 0;
	default:
		return slab->active > 0 && slab->active < objects;
	}
}

static bool list_ok(struct slab_cache *cache, const struct km_ring *head, enum wanted wanted,
		    uint64_t *length)
{
	const struct km_ring *prev = head;

	*length = 0;
	for (struct km_ring *link = head->next; link != head; link = link->next) {
		struct slab *slab = (struct slab *)link;

		if (link->prev != prev || slab->cache != cache || ++*length > cache->nr_slabs ||
		    !count_fits(slab, wanted) || !pages_ok(cache->layer, slab) || !objects_ok(slab))
			return false;
		prev = link;
	}
	return head->prev == prev;
}

static bool array_ok(const struct slab_cache *cache, const struct slab_array *array)
{
	if (array->avail > array->limit)
		return false;
	for (unsigned i = 0; i < array->avail; i++) {
		struct slab *slab = km_objref_record(array->entry[i]);

		if (slab->cache != cache ||
		    slab_states(slab)[km_objref_index(array->entry[i])] != SLAB_CACHED)
			return false;
	}
	return true;
}

static bool arrays_ok(const struct slab_cache *cache)
{
	uint64_t held = cache->shared ? cache->shared->avail : 0;

	if (cache->shared && !array_ok(cache, cache->shared))
		return false;
	for (unsigned cpu = 0; cpu < cache->layer->cpus; cpu++) {
		if (!array_ok(cache, cache->cpu[cpu]))
			return false;
		held += cache->cpu[cpu]->avail;
	}
	return held == cache->seen_cached;
}

static bool cache_ok(struct slab_cache *cache)
{
	uint64_t full, partial, free, objects = cache->geometry.objects;

	cache->seen_live = cache->seen_cached = 0;
	if (!list_ok(cache, &cache->full, WANT_FULL, &full) ||
	    !list_ok(cache, &cache->partial, WANT_PARTIAL, &partial) ||
	    !list_ok(cache, &cache->free, WANT_FREE, &free))
		return false;
	return full + partial + free == cache->nr_slabs && partial == cache->nr_partial &&
	       free == cache->nr_free_slabs && cache->seen_live == cache->live &&
	       cache->nr_slabs * objects - cache->live - cache->seen_cached ==
		       cache->free_objects &&
	       arrays_ok(cache);
}

int km_slab_validate(void *self)
{
	struct slab_layer *layer = self;
	uint64_t pages = 0, owned = 0;

	for (struct slab_cache *cache = layer->newest; cache; cache = cache->older) {
		if (!cache_ok(cache))
			return -EINVAL;
		pages += cache->nr_slabs << cache->geometry.order;
	}
	for (uint64_t pfn = 0; pfn < layer->max_pfn; pfn++)
		owned += layer->slab_of_pfn[pfn] != NULL;
	return pages == layer->slab_pages && owned == pages ? 0 : -EINVAL;
}
