/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB's node layer: slabs and their pages, the node partial list, discard and shrink
 * (mm/slub.c: allocate_slab, shuffle_freelist, __put_partials, __kmem_cache_do_shrink;
 * 5.15 - 7.2). One NUMA node.
 */
#include <string.h>

#include "slub.h"

/* Slabs with at most this many free objects are sorted by shrink. */
#define SHRINK_PROMOTE_MAX 32
/* Longer partial lists are sampled at both ends by slabinfo (6.12+). */
#define COUNT_EXACTLY_MAX 10000

/* Pages at the preferred order without trying hard, else at the smallest order that holds one. */
static km_pfn slab_pages(struct km_slub_cache *cache, unsigned cpu, uint32_t base, unsigned *order)
{
	struct km_slub *slub = cache->slub;
	const struct km_page_ops *page = slub->machine->model->page;
	const struct km_cache_geometry *geometry = &cache->geometry;
	uint32_t first = (base | KM_GFP_NOWARN | KM_GFP_NORETRY) & ~KM_GFP_NOFAIL;
	km_pfn pfn;

	if (first & KM_GFP_DIRECT_RECLAIM && geometry->order > geometry->min_order)
		first = (first | KM_GFP_NOMEMALLOC) & ~KM_GFP_RECLAIM;
	*order = geometry->order;
	pfn = page->alloc(slub->machine->page, cpu, first, *order);
	if (km_pfn_valid(pfn))
		return pfn;
	*order = geometry->min_order;
	pfn = page->alloc(slub->machine->page, cpu, base, *order);
	if (km_pfn_valid(pfn) && *order < geometry->order)
		slub->count->slab_fallback_order++;
	return pfn;
}

/* A slab smaller than usual follows the permutation and skips what it does not have. */
static void chain_small(struct km_slab *slab, const uint16_t *permutation, unsigned count,
			unsigned start)
{
	unsigned last = KM_OBJECT_END;

	for (unsigned i = 0; i < count; i++) {
		unsigned index = permutation[(start + i) % count];

		if (index >= slab->objects)
			continue;
		if (last == KM_OBJECT_END)
			slab->freelist = (uint16_t)index;
		else
			slab->chain[last] = (uint16_t)index;
		last = index;
	}
	slab->chain[last] = KM_OBJECT_END;
}

static void chain_build(struct km_slub_cache *cache, struct km_slab *slab)
{
	unsigned count = cache->geometry.objects, start;

	if (!cache->permutation || slab->objects < 2) {
		for (unsigned i = 0; i < slab->objects; i++)
			slab->chain[i] = (uint16_t)(i + 1);
		slab->chain[slab->objects - 1] = KM_OBJECT_END;
		slab->freelist = 0;
		return;
	}
	start = km_slab_random_below(cache->slub->env, count);
	if (slab->objects < count) {
		chain_small(slab, cache->permutation, count, start);
		return;
	}
	memcpy(slab->chain, cache->successor, count * sizeof(slab->chain[0]));
	slab->freelist = cache->permutation[start];
	slab->chain[cache->permutation[start ? start - 1 : count - 1]] = KM_OBJECT_END;
}

static struct km_slab *slab_record(struct km_slub_cache *cache)
{
	struct km_slab *slab = cache->unused_slabs;

	if (slab) {
		cache->unused_slabs = slab->next;
		return slab;
	}
	slab = km_record_new(&cache->slub->records,
			     km_slab_vector_offset(&cache->geometry) + sizeof(uint64_t));
	if (!slab)
		return NULL;
	slab->cache = cache;
	slab->size = cache->size;
	slab->reciprocal = cache->reciprocal;
	return slab;
}

static void slab_record_keep(struct km_slub_cache *cache, struct km_slab *slab)
{
	slab->next = cache->unused_slabs;
	cache->unused_slabs = slab;
}

struct km_slab *km_slab_new(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp)
{
	struct km_slub *slub = cache->slub;
	struct km_slab *slab = slab_record(cache);
	unsigned order;
	km_pfn pfn;

	if (!slab)
		return NULL;
	gfp = km_slab_caller_gfp(slub->profile, gfp) | cache->page_gfp;
	pfn = slab_pages(cache, cpu, gfp, &order);
	if (!km_pfn_valid(pfn)) {
		slab_record_keep(cache, slab);
		return NULL;
	}
	slab->base = km_pfn_to_addr(pfn);
	slab->order = (uint8_t)order;
	slab->objects = (uint16_t)(order == cache->geometry.order ? cache->geometry.objects
								  : cache->geometry.min_objects);
	slab->inuse = 0;
	slab->seeded = 0;
	slab->place = KM_PLACE_FULL;
	slab->next = NULL;
	slab->prev = NULL;
	km_slab_new_vector(cache, cpu, slab, gfp);
	chain_build(cache, slab);
	slab->chain[slab->objects] = KM_OBJECT_END;
	for (uint64_t i = 0; i < (uint64_t)1 << order; i++)
		slub->slab_of_pfn[pfn.value + i] = slab;
	slub->slab_pages += (uint64_t)1 << order;
	cache->nr_slabs++;
	cache->total_objects += slab->objects;
	slub->count->slab_new++;
	return slab;
}

void km_slab_release(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab)
{
	struct km_slub *slub = cache->slub;
	km_pfn pfn = km_addr_to_pfn(slab->base);

	for (uint64_t i = 0; i < (uint64_t)1 << slab->order; i++)
		slub->slab_of_pfn[pfn.value + i] = NULL;
	slub->slab_pages -= (uint64_t)1 << slab->order;
	cache->nr_slabs--;
	cache->total_objects -= slab->objects;
	slub->count->slab_discard++;
	km_slab_put_vector(cache, cpu, slab);
	slub->machine->model->page->free(slub->machine->page, cpu, pfn, slab->order);
	slab_record_keep(cache, slab);
}

void km_node_add_head(struct km_slub_cache *cache, struct km_slab *slab)
{
	slab->place = KM_PLACE_NODE;
	slab->prev = NULL;
	slab->next = cache->partial_head;
	if (slab->next)
		slab->next->prev = slab;
	else
		cache->partial_tail = slab;
	cache->partial_head = slab;
	cache->nr_partial++;
}

void km_node_add_tail(struct km_slub_cache *cache, struct km_slab *slab)
{
	slab->place = KM_PLACE_NODE;
	slab->next = NULL;
	slab->prev = cache->partial_tail;
	if (slab->prev)
		slab->prev->next = slab;
	else
		cache->partial_head = slab;
	cache->partial_tail = slab;
	cache->nr_partial++;
}

void km_node_remove(struct km_slub_cache *cache, struct km_slab *slab)
{
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		cache->partial_head = slab->next;
	if (slab->next)
		slab->next->prev = slab->prev;
	else
		cache->partial_tail = slab->prev;
	slab->place = KM_PLACE_FULL;
	cache->nr_partial--;
}

/* Pages leave after every list insertion, the last slab set aside first. */
static void release_chain(struct km_slub_cache *cache, unsigned cpu, struct km_slab *chain)
{
	while (chain) {
		struct km_slab *slab = chain;

		chain = slab->next;
		km_slab_release(cache, cpu, slab);
	}
}

void km_node_put_chain(struct km_slub_cache *cache, unsigned cpu, struct km_slab *chain)
{
	struct km_slab *discard = NULL;

	while (chain) {
		struct km_slab *slab = chain;

		chain = slab->next;
		if (!slab->inuse && cache->nr_partial >= cache->geometry.min_partial) {
			slab->next = discard;
			discard = slab;
		} else {
			km_node_add_tail(cache, slab);
		}
	}
	release_chain(cache, cpu, discard);
}

void km_node_shrink(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_slab *promoted[SHRINK_PROMOTE_MAX] = {NULL}, *discard = NULL, *slab, *next;

	for (slab = cache->partial_head; slab; slab = next) {
		unsigned free = slab->objects - slab->inuse;
		struct km_slab **list = NULL;

		next = slab->next;
		if (free == slab->objects)
			list = &discard;
		else if (free <= SHRINK_PROMOTE_MAX)
			list = &promoted[free - 1];
		if (!list)
			continue;
		km_node_remove(cache, slab);
		slab->next = *list;
		*list = slab;
	}
	/* Fullest first: the lists go in front one after another, each keeping its order. */
	for (unsigned i = SHRINK_PROMOTE_MAX; i-- > 0;) {
		struct km_slab *reversed = NULL;

		for (slab = promoted[i]; slab; slab = next) {
			next = slab->next;
			slab->next = reversed;
			reversed = slab;
		}
		for (slab = reversed; slab; slab = next) {
			next = slab->next;
			km_node_add_head(cache, slab);
		}
	}
	release_chain(cache, cpu, discard);
}

uint64_t km_node_free_objects(const struct km_slub_cache *cache)
{
	const struct km_slab *slab;
	uint64_t sum = 0, seen = 0;

	if (!cache->slub->profile->partial_count_sampled ||
	    cache->nr_partial <= COUNT_EXACTLY_MAX) {
		for (slab = cache->partial_head; slab; slab = slab->next)
			sum += slab->objects - slab->inuse;
		return sum;
	}
	for (slab = cache->partial_head; seen < COUNT_EXACTLY_MAX / 2; slab = slab->next, seen++)
		sum += slab->objects - slab->inuse;
	for (slab = cache->partial_tail; seen < COUNT_EXACTLY_MAX; slab = slab->prev, seen++)
		sum += slab->objects - slab->inuse;
	sum = sum / seen * cache->nr_partial + sum % seen * cache->nr_partial / seen;
	return sum < cache->total_objects ? sum : cache->total_objects;
}

static uint64_t free_in_list(const struct km_slab *slab)
{
	uint64_t sum = 0;

	for (; slab; slab = slab->next)
		sum += slab->objects - slab->inuse;
	return sum;
}

uint64_t km_slub_live(const struct km_slub_cache *cache)
{
	uint64_t elsewhere = km_sheaf_objects(cache) + free_in_list(cache->partial_head);

	for (unsigned cpu = 0; cpu < cache->slub->cpus; cpu++) {
		const struct km_slub_cpu *c = &cache->cpu[cpu];

		elsewhere += free_in_list(c->partial);
		if (!c->slab)
			continue;
		elsewhere += c->slab->objects - c->slab->inuse;
		for (unsigned i = km_cpu_freelist(c); i != KM_OBJECT_END; i = c->chain[i])
			elsewhere++;
	}
	return cache->total_objects - elsewhere;
}
