/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLAB caches: creation, merging, kmalloc's classes, what /proc/slabinfo shows of one
 * (mm/slab.c: setup_cpu_cache, get_slabinfo; mm/slab_common.c: create_kmalloc_caches; 5.15, 6.1).
 */
#include <errno.h>
#include <string.h>

#include "slab.h"

#define SMALLEST_KMALLOC 32u
#define FIRST_REAP_NODE_NS 4000000000ull

/* An alias must not weaken the cache's own alignment, which SLUB does not ask. */
static struct slab_cache *find_mergeable(const struct slab_layer *layer,
					 const struct km_cache_spec *spec)
{
	uint32_t align = km_slab_align(spec);
	struct slab_cache *found = NULL;

	/* The oldest that fits. */
	for (struct slab_cache *cache = layer->newest; cache; cache = cache->older)
		if (cache->mergeable && align <= cache->geometry.align &&
		    cache->geometry.align % align == 0 &&
		    km_slab_fits(spec, align, cache->geometry.size, cache->flags))
			found = cache;
	return found;
}

static bool arrays_new(struct slab_cache *cache)
{
	const struct km_slab_geometry *geometry = &cache->geometry;

	if (geometry->shared_limit) {
		cache->shared = km_slab_array_new(cache->layer, geometry->shared_limit, 0);
		if (!cache->shared)
			return false;
	}
	for (unsigned cpu = 0; cpu < cache->layer->cpus; cpu++) {
		cache->cpu[cpu] = km_slab_array_new(cache->layer, geometry->limit, geometry->batch);
		if (!cache->cpu[cpu])
			return false;
	}
	return true;
}

static void cache_init(struct slab_cache *cache, struct slab_layer *layer,
		       const struct km_cache_spec *spec, const struct km_slab_geometry *geometry)
{
	cache->layer = layer;
	km_ring_init(&cache->full);
	km_ring_init(&cache->partial);
	km_ring_init(&cache->free);
	cache->geometry = *geometry;
	cache->reciprocal = km_reciprocal(geometry->size);
	cache->free_limit = (1ull + layer->cpus) * geometry->batch + geometry->objects;
	cache->flags = spec->flags;
	cache->object_size = spec->object_size;
	cache->page_gfp = KM_GFP_COMP | km_slab_cache_gfp(spec->flags);
	cache->mergeable = km_slab_may_merge(layer->profile, spec);
	cache->next_reap_ns = layer->env->time_ns + FIRST_REAP_NODE_NS;
}

/* One block: the cache, its CPUs, the permutation, the name. */
static struct slab_cache *cache_new(struct slab_layer *layer, const struct km_cache_spec *spec,
				    const struct km_slab_geometry *geometry)
{
	const char *name = spec->name ? spec->name : "";
	size_t cpus_end = sizeof(struct slab_cache) + layer->cpus * sizeof(struct slab_array *);
	size_t name_start = cpus_end + geometry->objects * sizeof(uint16_t);
	size_t bytes = name_start + strlen(name) + 1;
	struct slab_cache *cache = km_env_alloc(layer->env, bytes);
	char *block = (char *)cache;

	if (!cache)
		return NULL;
	cache_init(cache, layer, spec, geometry);
	cache->bytes = bytes;
	cache->name = memcpy(block + name_start, name, strlen(name) + 1);
	if (!arrays_new(cache)) {
		km_env_release(layer->env, cache, bytes);
		return NULL;
	}
	if (layer->profile->random_freelist && geometry->objects > 1) {
		cache->permutation = (uint16_t *)(block + cpus_end);
		km_slab_permute(layer->env, cache->permutation, geometry->objects);
	}
	cache->older = layer->newest;
	layer->newest = cache;
	return cache;
}

/* Linux keeps to order 0 on a machine of at most 32 MiB. */
static bool few_pages(const struct km_machine_spec *machine)
{
	uint64_t managed = 0;

	for (unsigned i = 0; i < machine->nr_zones; i++)
		managed += machine->zones[i].managed;
	return managed && managed <= 32ull << 20 >> KM_PAGE_SHIFT;
}

static void *create(struct slab_layer *layer, const struct km_cache_spec *spec)
{
	const struct km_machine_spec *machine = &layer->machine->spec;
	unsigned possible =
		machine->possible_cpus > layer->cpus ? machine->possible_cpus : layer->cpus;
	struct km_slab_geometry geometry;

	if (km_slab_geometry(spec, possible, few_pages(machine), &geometry))
		return NULL;
	return cache_new(layer, spec, &geometry);
}

/* ---- kmalloc: no class below 32 bytes; 5.15 goes on above 8 KiB ---- */

static enum km_kmalloc_type type_of(uint32_t flags)
{
	return flags & KM_SLAB_CACHE_DMA         ? KM_KMALLOC_DMA
	       : flags & KM_SLAB_RECLAIM_ACCOUNT ? KM_KMALLOC_RECLAIM
	       : flags & KM_SLAB_ACCOUNT         ? KM_KMALLOC_CGROUP
						 : KM_KMALLOC_NORMAL;
}

static const char *const large_names[KM_NR_KMALLOC_TYPES][KM_SLAB_LARGE_CLASSES] = {
#define NAMES(prefix)                                                                              \
	{                                                                                          \
		prefix "16k", prefix "32k", prefix "64k", prefix "128k", prefix "256k",            \
			prefix "512k", prefix "1M", prefix "2M", prefix "4M"                       \
	}
	[KM_KMALLOC_NORMAL] = NAMES("kmalloc-"),
	[KM_KMALLOC_RECLAIM] = NAMES("kmalloc-rcl-"),
	[KM_KMALLOC_DMA] = NAMES("dma-kmalloc-"),
	[KM_KMALLOC_CGROUP] = NAMES("kmalloc-cg-"),
#undef NAMES
};

static bool create_large_classes(struct slab_layer *layer, const struct km_cache_spec *largest)
{
	enum km_kmalloc_type type = type_of(largest->flags);
	void **classes = layer->large[type];
	struct km_cache_spec spec = *largest;

	for (unsigned i = 0; i < KM_SLAB_LARGE_CLASSES; i++) {
		spec.name = large_names[type][i];
		spec.object_size *= 2;
		spec.align = spec.object_size;
		classes[i] = create(layer, &spec);
		if (!classes[i])
			return false;
	}
	return true;
}

static void *kmalloc_class(struct slab_layer *layer, const struct km_cache_spec *asked)
{
	struct km_cache_spec spec = *asked;
	struct slab_cache *cache;

	if (spec.object_size <= SMALLEST_KMALLOC) {
		for (cache = layer->newest; cache; cache = cache->older)
			if (cache->object_size == SMALLEST_KMALLOC && cache->flags == spec.flags)
				return cache;
		spec.object_size = spec.align = SMALLEST_KMALLOC;
		spec.name = km_kmalloc_cache_name(type_of(spec.flags),
						  km_kmalloc_class(SMALLEST_KMALLOC));
	}
	cache = create(layer, &spec);
	if (cache && spec.object_size == KM_KMALLOC_MAX_CACHE &&
	    layer->profile->slab_large_classes && !create_large_classes(layer, &spec))
		return NULL;
	return cache;
}

void *km_slab_cache_create(void *self, const struct km_cache_spec *spec)
{
	struct slab_layer *layer = self;
	struct slab_cache *cache;

	if (!spec->object_size || spec->object_size > KM_PAGE_SIZE << KM_MAX_ORDER)
		return NULL;
	if (spec->flags & KM_SLAB_KMALLOC)
		return kmalloc_class(layer, spec);
	cache = km_slab_may_merge(layer->profile, spec) ? find_mergeable(layer, spec) : NULL;
	if (!cache)
		return create(layer, spec);
	cache->aliases++;
	if (cache->object_size < spec->object_size)
		cache->object_size = spec->object_size;
	return cache;
}

/* Its arrays' records stay with the layer until the end. */
int km_slab_cache_destroy(void *self, void *handle, unsigned cpu)
{
	struct slab_layer *layer = self;
	struct slab_cache *cache = handle, **link = &layer->newest;

	if (cache->aliases) {
		cache->aliases--;
		return 0;
	}
	km_slab_drain_arrays(cache, cpu);
	km_slab_drain_free(cache, cpu, UINT64_MAX);
	if (cache->nr_slabs)
		return -EBUSY;
	while (*link != cache)
		link = &(*link)->older;
	*link = cache->older;
	km_env_release(layer->env, cache, cache->bytes);
	return 0;
}

int km_slab_cache_info(void *self, void *handle, struct km_cache_info *info)
{
	const struct slab_cache *cache = handle;
	const struct km_slab_geometry *geometry = &cache->geometry;

	(void)self;
	memset(info, 0, sizeof(*info));
	info->name = cache->name;
	info->object_size = cache->object_size;
	info->size = geometry->size;
	info->align = geometry->align;
	info->inuse = (uint32_t)km_round_up(cache->object_size, KM_WORD);
	info->objects_per_slab = geometry->objects;
	info->order = geometry->order;
	info->slabs = cache->nr_slabs;
	info->total_objects = cache->nr_slabs * geometry->objects;
	info->partial = cache->nr_partial;
	/* Objects in any array count as active. */
	info->objects = info->total_objects - cache->free_objects;
	info->flags = cache->flags;
	info->live = cache->live;
	return 0;
}
