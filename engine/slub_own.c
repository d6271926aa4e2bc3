/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What SLUB allocates for itself with kmalloc, so that it fills slabs and a trace shows it: sheaves
 * and barns, and a vector per slab with a pointer for each object that memory cgroups account
 * (mm/slub.c: __alloc_empty_sheaf, alloc_slab_obj_exts; before 6.10 mm/memcontrol.c:
 * memcg_alloc_slab_cgroups; 5.15 - 7.2). The switch own_kmallocs turns it off where the calls to be
 * executed contain these allocations already.
 */
#include "slub.h"

#include "kmalloc.h"

/* Where a flag says something of the object, not of how to find memory. */
#define NOT_FOR_OWN (KM_GFP_DMA | KM_GFP_RECLAIMABLE | KM_GFP_ACCOUNT)
#define NOT_FOR_SHEAVES (NOT_FOR_OWN | KM_GFP_NOFAIL | KM_GFP_THISNODE | KM_GFP_COMP)

/* Random copies of the classes go by the call site; these have one each, whoever asks. */
enum { SITE_SHEAF = 1, SITE_BARN, SITE_VECTOR };

/* One within another depends on what the classes' sheaves hold, which a watcher does not know. */
static void tell(struct km_slub *slub, uint64_t bytes, uint32_t gfp)
{
	struct km_machine *machine = slub->machine;

	if (!slub->own_depth && machine->watch_own)
		machine->watch_own(machine->watcher, bytes, gfp);
}

static uint64_t own_alloc(struct km_slub *slub, unsigned cpu, uint64_t bytes, uint32_t gfp,
			  uint64_t site)
{
	struct km_machine *machine = slub->machine;
	uint64_t caller = machine->caller, addr;

	gfp |= KM_GFP_ZERO;
	machine->caller = site;
	slub->own_depth++;
	addr = km_kmalloc(machine, cpu, bytes, gfp, -1);
	slub->own_depth--;
	machine->caller = caller;
	if (!addr)
		return 0;
	slub->own_bytes += km_kmalloc_bytes_alloc(bytes);
	slub->count->slab_own_alloc++;
	tell(slub, bytes, gfp);
	return addr;
}

static void own_free(struct km_slub *slub, unsigned cpu, uint64_t addr, uint64_t bytes)
{
	if (!addr)
		return;
	slub->own_depth++;
	km_kfree(slub->machine, cpu, addr);
	slub->own_depth--;
	slub->own_bytes -= km_kmalloc_bytes_alloc(bytes);
	slub->count->slab_own_free++;
	tell(slub, 0, 0);
}

/* Else a sheaf or barn is only a record: the machine's memory holds it since before the start. */
static bool takes_memory(const struct km_slub *slub)
{
	return slub->profile->own_kmallocs && slub->machine->booted;
}

/* ---- sheaves ---- */

static uint64_t sheaf_bytes(const struct km_slub_cache *cache)
{
	return KM_SHEAF_HEADER_BYTES + cache->sheaf_capacity * sizeof(uint64_t);
}

/*
 * A kmalloc class's own sheaf may come from a class that has none left for itself, which would ask
 * on and on: within such a request no further sheaf is made.
 */
bool km_sheaf_get_memory(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp,
			 struct km_sheaf *sheaf)
{
	struct km_slub *slub = cache->slub;
	bool nested = slub->no_new_sheaves;

	if (!takes_memory(slub))
		return true;
	if (nested)
		return false;
	slub->no_new_sheaves = cache->flags & KM_SLAB_KMALLOC;
	sheaf->addr = own_alloc(slub, cpu, sheaf_bytes(cache), gfp & ~NOT_FOR_SHEAVES, SITE_SHEAF);
	slub->no_new_sheaves = nested;
	return sheaf->addr != 0;
}

void km_sheaf_put_memory(struct km_slub_cache *cache, unsigned cpu, struct km_sheaf *sheaf)
{
	own_free(cache->slub, cpu, sheaf->addr, sheaf_bytes(cache));
	sheaf->addr = 0;
}

bool km_barn_get_memory(struct km_slub_cache *cache, unsigned cpu)
{
	if (!takes_memory(cache->slub))
		return true;
	cache->barn_addr = own_alloc(cache->slub, cpu, KM_BARN_BYTES, KM_GFP_KERNEL, SITE_BARN);
	return cache->barn_addr != 0;
}

void km_barn_put_memory(struct km_slub_cache *cache, unsigned cpu)
{
	own_free(cache->slub, cpu, cache->barn_addr, KM_BARN_BYTES);
	cache->barn_addr = 0;
}

/* ---- vectors ---- */

static bool keeps_vectors(const struct km_slub *slub)
{
	return slub->profile->memcg != KM_MEMCG_NONE && takes_memory(slub);
}

/* Behind the chain of the slab's record. */
static uint64_t *vector_of(struct km_slab *slab)
{
	return (uint64_t *)((char *)slab + km_slab_vector_offset(&slab->cache->geometry));
}

static uint64_t vector_bytes(const struct km_slab *slab)
{
	return slab->objects * sizeof(uint64_t);
}

/* 7.x: room behind the last object, or in what alignment adds to each. */
static bool vector_fits_in_slab(const struct km_slub_cache *cache, const struct km_slab *slab)
{
	const struct km_cache_geometry *geometry = &cache->geometry;
	uint64_t used = km_round_up((uint64_t)slab->objects * slab->size, sizeof(uint64_t));
	uint32_t end =
		geometry->offset >= geometry->inuse ? geometry->offset + KM_WORD : geometry->inuse;

	if (used + vector_bytes(slab) <= KM_PAGE_SIZE << slab->order)
		return true;
	return !cache->mergeable && !(cache->flags & KM_SLAB_DEBUG) &&
	       slab->size >= end + sizeof(uint64_t);
}

static void get_vector(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab,
		       uint32_t gfp)
{
	const struct km_profile *profile = cache->slub->profile;

	gfp &= ~(NOT_FOR_OWN | (profile->vector_may_fail ? KM_GFP_NOFAIL : 0) |
		 (profile->vector_no_comp ? KM_GFP_COMP : 0));
	*vector_of(slab) = own_alloc(cache->slub, cpu, vector_bytes(slab), gfp, SITE_VECTOR);
	slab->has_vector = *vector_of(slab) != 0;
}

void km_slab_new_vector(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab,
			uint32_t gfp)
{
	slab->has_vector = false;
	if (!(cache->flags & KM_SLAB_ACCOUNT) || !keeps_vectors(cache->slub))
		return;
	*vector_of(slab) = 0;
	if (cache->slub->profile->vector_in_slab && vector_fits_in_slab(cache, slab))
		slab->has_vector = true;
	else
		get_vector(cache, cpu, slab, gfp);
}

bool km_slub_charges(const struct km_slub *slub)
{
	return slub->profile->memcg == KM_MEMCG_CHARGED && slub->profile->own_kmallocs;
}

void km_slub_charge(struct km_slub *slub, unsigned cpu, uint64_t addr, uint32_t gfp)
{
	struct km_slab *slab = km_slub_slab_of(slub, addr);

	if (!(gfp & km_slab_uncharged(slab)) || !takes_memory(slub))
		return;
	get_vector(slab->cache, cpu, slab, gfp);
	if (slab->place == KM_PLACE_CPU)
		slab->cache->cpu[slab->cpu].uncharged = km_slab_uncharged(slab);
}

void km_slab_put_vector(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab)
{
	if (!slab->has_vector)
		return;
	own_free(cache->slub, cpu, *vector_of(slab), vector_bytes(slab));
	slab->has_vector = false;
}
