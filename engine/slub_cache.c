/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB caches: creation, merging with an existing cache, what sysfs shows of one
 * (mm/slub.c: init_cache_random_seq, calculate_sheaf_capacity; mm/slab_common.c: find_mergeable;
 * 5.15 - 7.2).
 */
#include "slub.h"

#include <errno.h>
#include <string.h>

#include "models.h"

static struct km_slub_cache *find_mergeable(const struct km_slub *slub,
					    const struct km_cache_spec *spec, uint32_t align)
{
	for (struct km_slub_cache *cache = slub->caches; cache; cache = cache->next)
		if (cache->mergeable && km_slab_fits(spec, align, cache->size, cache->flags))
			return cache;
	return NULL;
}

static void merge_into(struct km_slub_cache *cache, const struct km_cache_spec *spec)
{
	uint32_t inuse = (uint32_t)km_round_up(spec->object_size, 8);

	if (cache->object_size < spec->object_size)
		cache->object_size = spec->object_size;
	if (cache->geometry.inuse < inuse)
		cache->geometry.inuse = inuse;
	cache->aliases++;
}

/* The permutation, and the same as "what comes after". */
static void permute(struct km_slub_cache *cache, uint16_t *room)
{
	unsigned count = cache->geometry.objects;
	uint16_t *permutation = room, *successor = room + count;

	km_slab_permute(cache->slub->env, permutation, count);
	for (unsigned i = 0; i < count; i++)
		successor[permutation[i]] = permutation[i + 1 < count ? i + 1 : 0];
	cache->permutation = permutation;
	cache->successor = successor;
}

static uint32_t page_gfp_of(const struct km_slub_cache *cache)
{
	bool compound = cache->geometry.order > 0 || cache->slub->profile->comp_always;

	return km_slab_cache_gfp(cache->flags) | (compound ? KM_GFP_COMP : 0);
}

static void cache_init(struct km_slub_cache *cache, struct km_slub *slub,
		       const struct km_cache_spec *spec, const struct km_cache_geometry *geometry)
{
	const struct km_profile *profile = slub->profile;

	cache->slub = slub;
	cache->backend = profile->slab_front == KM_FRONT_SHEAVES ? &km_slub_direct_backend
								 : &km_slub_cpu_backend;
	cache->geometry = *geometry;
	cache->flags = spec->flags;
	cache->object_size = spec->object_size;
	cache->size = geometry->size;
	cache->reciprocal = km_reciprocal(geometry->size);
	cache->secret = km_env_random(&slub->secrets);
	cache->partial_in_objects = profile->cpu_partial_objects;
	cache->mergeable = km_slab_may_merge(slub->profile, spec);
	cache->page_gfp = page_gfp_of(cache);
	if (km_slub_charges(slub))
		cache->charged_gfp = spec->flags & KM_SLAB_ACCOUNT ? UINT32_MAX : KM_GFP_ACCOUNT;
	for (unsigned cpu = 0; cpu < slub->cpus; cpu++) {
		cache->cpu[cpu].size = geometry->size;
		cache->cpu[cpu].reciprocal = cache->reciprocal;
		km_cpu_slab_set(&cache->cpu[cpu], NULL);
	}
}

/* One block: the cache, its CPUs, the permutation twice, the name. */
static struct km_slub_cache *cache_new(struct km_slub *slub, const struct km_cache_spec *spec,
				       const struct km_cache_geometry *geometry)
{
	const char *name = spec->name ? spec->name : "";
	size_t cpus_end = sizeof(struct km_slub_cache) + slub->cpus * sizeof(struct km_slub_cpu);
	size_t name_start = cpus_end + 2 * geometry->objects * sizeof(uint16_t);
	size_t bytes = name_start + strlen(name) + 1;
	struct km_slub_cache *cache = km_env_alloc(slub->env, bytes);
	char *block = (char *)cache;

	if (!cache)
		return NULL;
	cache_init(cache, slub, spec, geometry);
	cache->bytes = bytes;
	cache->name = memcpy(block + name_start, name, strlen(name) + 1);
	if (!km_sheaf_setup(cache, spec->sheaf_capacity)) {
		km_env_release(slub->env, cache, bytes);
		return NULL;
	}
	if (slub->profile->random_freelist && geometry->objects > 1)
		permute(cache, (uint16_t *)(block + cpus_end));
	return cache;
}

void *km_slub_cache_create(void *self, const struct km_cache_spec *spec)
{
	struct km_slub *slub = self;
	const struct km_machine_spec *machine = &slub->machine->spec;
	struct km_cache_geometry geometry;
	struct km_slub_cache *cache;
	unsigned cpus = machine->present_cpus ? machine->present_cpus : machine->cpus;

	if (cpus == 1 && machine->possible_cpus > 1)
		cpus = machine->possible_cpus;
	if (km_cache_geometry(slub->profile, cpus, spec, &geometry))
		return NULL;
	cache = km_slab_may_merge(slub->profile, spec) ? find_mergeable(slub, spec, geometry.align)
						       : NULL;
	if (cache) {
		merge_into(cache, spec);
		return cache;
	}
	cache = cache_new(slub, spec, &geometry);
	if (!cache)
		return NULL;
	if (slub->newest)
		slub->newest->next = cache;
	else
		slub->caches = cache;
	slub->newest = cache;
	return cache;
}

/*
 * As kmem_cache_destroy(): free objects are taken from everywhere, then every slab must be empty.
 * If one is not, Linux complains and keeps the cache.
 */
int km_slub_cache_destroy(void *self, void *handle, unsigned cpu)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = handle, **link = &slub->caches, *before = NULL;

	if (cache->aliases) {
		cache->aliases--;
		return 0;
	}
	km_slub_slab_ops.shrink(slub, cache, cpu);
	if (km_slub_live(cache) || cache->nr_slabs)
		return -EBUSY;
	for (; *link != cache; link = &(*link)->next)
		before = *link;
	if (cache->sheaf_capacity)
		km_sheaf_teardown(cache, cpu);
	*link = cache->next;
	if (slub->newest == cache)
		slub->newest = before;
	km_env_release(slub->env, cache, cache->bytes);
	return 0;
}

int km_slub_cache_info(void *self, void *handle, struct km_cache_info *info)
{
	const struct km_slub *slub = self;
	const struct km_slub_cache *cache = handle;
	const struct km_cache_geometry *geometry = &cache->geometry;

	memset(info, 0, sizeof(*info));
	info->name = cache->name;
	info->object_size = cache->object_size;
	info->size = geometry->size;
	info->align = geometry->align;
	info->inuse = geometry->inuse;
	info->offset = geometry->offset;
	info->objects_per_slab = geometry->objects;
	info->order = geometry->order;
	info->min_partial = geometry->min_partial;
	info->cpu_partial = geometry->cpu_partial;
	info->cpu_partial_slabs = geometry->cpu_partial_slabs;
	info->sheaf_capacity = cache->sheaf_capacity;
	info->flags = cache->flags;
	info->slabs = cache->nr_slabs;
	info->total_objects = cache->total_objects;
	info->partial = cache->nr_partial;
	info->objects = cache->total_objects - km_node_free_objects(cache);
	/* A chain on a CPU without a current slab is not counted, as in Linux. */
	for (unsigned cpu = 0; cpu < slub->cpus; cpu++)
		if (cache->cpu[cpu].slab)
			info->cpu_slabs += 1u + cache->cpu[cpu].partial_slabs;
	info->live = km_slub_live(cache);
	return 0;
}
