/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Invariants of the SLUB model: every object of every slab is in exactly one state, every list and
 * count says what the slabs say. Walks everything.
 */
#include <errno.h>

#include "slub.h"

/* Length of a chain; more than the slab has objects if it is broken. */
static unsigned chain_length(const struct km_slab *slab, unsigned head)
{
	unsigned length = 0;

	while (head != KM_OBJECT_END && length <= slab->objects) {
		if (head >= slab->objects)
			return slab->objects + 1u;
		head = slab->chain[head];
		length++;
	}
	return length;
}

static bool slab_pages_ok(const struct km_slub *slub, const struct km_slab *slab)
{
	uint64_t pfn = km_addr_to_pfn(slab->base).value, pages = (uint64_t)1 << slab->order;

	if (pfn % pages || pfn + pages > slub->max_pfn)
		return false;
	for (uint64_t i = 0; i < pages; i++)
		if (slub->slab_of_pfn[pfn + i] != slab)
			return false;
	return (uint64_t)slab->objects * slab->size <= pages << KM_PAGE_SHIFT;
}

static bool place_ok(const struct km_slab *slab, unsigned own)
{
	const struct km_slub_cache *cache = slab->cache;

	switch (slab->place) {
	case KM_PLACE_FULL:
		return own == 0;
	case KM_PLACE_CPU:
		return slab->cpu < cache->slub->cpus && cache->cpu[slab->cpu].slab == slab;
	case KM_PLACE_CPU_PARTIAL:
		return own > 0 && slab->cpu < cache->slub->cpus;
	case KM_PLACE_NODE:
		return own > 0;
	default:
		return false;
	}
}

static bool slab_ok(const struct km_slub *slub, struct km_slab *slab)
{
	struct km_slub_tally *tally = &slab->cache->tally;
	unsigned own = chain_length(slab, slab->freelist), live = 0, cached = 0, seeded = 0;
	unsigned private = 0;

	if (slab->place == KM_PLACE_CPU && slab->cpu < slub->cpus)
	private = chain_length(slab, km_cpu_freelist(&slab->cache->cpu[slab->cpu]));
	for (unsigned i = 0; i < slab->objects; i++) {
		live += slab->chain[i] == KM_OBJECT_LIVE;
		cached += slab->chain[i] == KM_OBJECT_CACHED;
		seeded += slab->chain[i] == KM_OBJECT_SEEDED;
	}
	if (!slab_pages_ok(slub, slab) || !place_ok(slab, own) || seeded != slab->seeded ||
	    own != (unsigned)(slab->objects - slab->inuse) ||
	    live + cached + seeded + private != slab->inuse)
		return false;
	tally->live += live + seeded;
	tally->cached += cached;
	tally->slabs++;
	tally->objects += slab->objects;
	tally->partial += slab->place == KM_PLACE_NODE;
	return true;
}

/* Every slab is found through its pages, in one pass, and counted with its cache. */
static bool slabs_ok(const struct km_slub *slub)
{
	uint64_t pages = 0;

	for (uint64_t pfn = 0; pfn < slub->max_pfn; pfn++) {
		uint64_t addr = km_pfn_to_addr((km_pfn){pfn});
		struct km_slab *slab = slub->slab_of_pfn[pfn];

		if (!slab)
			continue;
		pages++;
		if (addr < slab->base || addr >= slab->base + (KM_PAGE_SIZE << slab->order))
			return false;
		if (slab->base == addr && !slab_ok(slub, slab))
			return false;
	}
	return pages == slub->slab_pages;
}

static bool node_list_ok(const struct km_slub_cache *cache)
{
	const struct km_slab *slab = cache->partial_head, *prev = NULL;
	uint64_t length = 0;

	for (; slab && length <= cache->nr_partial; prev = slab, slab = slab->next, length++)
		if (slab->place != KM_PLACE_NODE || slab->prev != prev || slab->cache != cache)
			return false;
	return length == cache->nr_partial && cache->partial_tail == prev;
}

static bool cpus_ok(const struct km_slub_cache *cache)
{
	for (unsigned cpu = 0; cpu < cache->slub->cpus; cpu++) {
		const struct km_slub_cpu *c = &cache->cpu[cpu];
		const struct km_slab *slab = c->partial;
		unsigned length = 0;

		for (; slab && length <= c->partial_slabs; slab = slab->next, length++)
			if (slab->place != KM_PLACE_CPU_PARTIAL || slab->cpu != cpu)
				return false;
		if (length != c->partial_slabs)
			return false;
		if (c->slab && (c->slab->place != KM_PLACE_CPU || c->slab->cpu != cpu ||
				c->base != c->slab->base || c->chain != c->slab->chain ||
				c->uncharged != km_slab_uncharged(c->slab)))
			return false;
		if (c->bytes != (c->slab && !c->main ? c->slab->objects * cache->size : 0))
			return false;
		if ((!c->slab || c->main) && c->freelist != KM_OBJECT_END)
			return false;
		if ((!c->slab || !c->main) && c->behind != KM_OBJECT_END)
			return false;
		if (c->freelist != KM_OBJECT_END &&
		    c->first != c->base + c->freelist * (uint64_t)cache->size)
			return false;
	}
	return true;
}

static bool cache_ok(const struct km_slub_cache *cache)
{
	const struct km_slub_tally *tally = &cache->tally;

	return node_list_ok(cache) && cpus_ok(cache) && tally->live == km_slub_live(cache) &&
	       tally->cached == km_sheaf_objects(cache) && tally->slabs == cache->nr_slabs &&
	       tally->objects == cache->total_objects && tally->partial == cache->nr_partial;
}

int km_slub_validate(void *self)
{
	const struct km_slub *slub = self;
	struct km_slub_cache *cache;

	for (cache = slub->caches; cache; cache = cache->next)
		cache->tally = (struct km_slub_tally){0};
	if (!slabs_ok(slub))
		return -EINVAL;
	for (cache = slub->caches; cache; cache = cache->next)
		if (!cache_ok(cache))
			return -EINVAL;
	return 0;
}
