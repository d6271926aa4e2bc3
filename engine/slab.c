/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The classic SLAB as a slab layer: the ops table and the fast paths (mm/slab.c). It follows 6.1,
 * the last long-term kernel that had it; 5.15 differs in its kmalloc classes. 6.8 removed it: on
 * later profiles it is 6.1's SLAB over that kernel's pages. One NUMA node of a NUMA kernel, hence
 * no alien arrays; slabs of RCU-typesafe caches go back without waiting for a grace period. No
 * distribution kernel with SLAB was at hand: this follows the source, and no recorded answers
 * prove it.
 */
#include "slab.h"

#include <errno.h>

#include "models.h"

#define FIRST_REAP_NS 1000000000ull
#define REAP_STAGGER_NS 12000000ull /* CPUs' timers are set three ticks of 4 ms apart */

static void slab_destroy(void *self)
{
	struct slab_layer *layer = self;
	struct slab_cache *cache = layer->newest, *older;

	for (; cache; cache = older) {
		older = cache->older;
		km_env_release(layer->env, cache, cache->bytes);
	}
	km_records_destroy(&layer->records);
	km_env_release(layer->env, layer->reap_ns, layer->cpus * sizeof(*layer->reap_ns));
	km_env_release(layer->env, layer->slab_of_pfn,
		       layer->max_pfn * sizeof(*layer->slab_of_pfn));
	km_env_release(layer->env, layer, sizeof(*layer));
}

static int slab_create(struct km_machine *machine, void **self)
{
	struct slab_layer *layer = km_env_alloc(machine->env, sizeof(*layer));

	if (!layer)
		return -ENOMEM;
	layer->env = layer->records.env = machine->env;
	layer->count = &machine->env->count;
	layer->machine = machine;
	layer->profile = &machine->spec.profile;
	layer->cpus = machine->spec.cpus;
	layer->max_pfn = machine->max_pfn;
	layer->slab_of_pfn =
		km_env_alloc(machine->env, layer->max_pfn * sizeof(*layer->slab_of_pfn));
	layer->reap_ns = km_env_alloc(machine->env, layer->cpus * sizeof(*layer->reap_ns));
	if (!layer->slab_of_pfn || !layer->reap_ns) {
		slab_destroy(layer);
		return -ENOMEM;
	}
	layer->next_reap_ns = machine->env->time_ns + FIRST_REAP_NS;
	for (unsigned cpu = 0; cpu < layer->cpus; cpu++)
		layer->reap_ns[cpu] = layer->next_reap_ns + cpu * REAP_STAGGER_NS;
	*self = layer;
	return 0;
}

/* ---- the calls ---- */

static inline uint64_t hand_out(struct slab_cache *cache, km_objref object)
{
	struct slab *slab = km_objref_record(object);
	unsigned index = km_objref_index(object);

	slab_states(slab)[index] = SLAB_LIVE;
	cache->live++;
	return slab->first + (uint64_t)index * cache->geometry.size;
}

/* Kept out of line, so that the fast path saves no registers. */
static __attribute__((noinline)) uint64_t alloc_slow(struct slab_cache *cache, unsigned cpu,
						     uint32_t gfp)
{
	km_objref object = km_slab_refill(cache, cpu, gfp);

	if (!object) {
		cache->layer->count->slab_fail++;
		return 0;
	}
	return hand_out(cache, object);
}

static uint64_t slab_alloc(void *self, void *handle, unsigned cpu, uint32_t gfp, int node)
{
	struct slab_layer *layer = self;
	struct slab_cache *cache = handle;
	struct slab_array *array = cache->cpu[cpu];

	(void)node;
	if (layer->env->time_ns >= layer->next_reap_ns)
		km_slab_reap(layer);
	if (!array->avail)
		return alloc_slow(cache, cpu, gfp);
	array->touched = true;
	layer->count->slab_fast++;
	return hand_out(cache, array->entry[--array->avail]);
}

/* The live object at addr; false if there is none. */
static bool live_object(const struct slab_layer *layer, uint64_t addr, struct slab **slab,
			unsigned *index)
{
	const struct km_slab_geometry *geometry;
	uint64_t offset;

	*slab = slab_of(layer, addr);
	if (!*slab || addr < (*slab)->first)
		return false;
	geometry = &(*slab)->cache->geometry;
	offset = addr - (*slab)->first;
	*index = km_reciprocal_divide(offset, (*slab)->cache->reciprocal);
	return (uint64_t)*index * geometry->size == offset && *index < geometry->objects &&
	       slab_states(*slab)[*index] == SLAB_LIVE;
}

static int slab_free(void *self, unsigned cpu, uint64_t addr)
{
	struct slab_layer *layer = self;
	struct slab_array *array;
	struct slab_cache *cache;
	struct slab *slab;
	unsigned index;

	if (layer->env->time_ns >= layer->next_reap_ns)
		km_slab_reap(layer);
	if (!live_object(layer, addr, &slab, &index))
		return -EFAULT;
	cache = slab->cache;
	array = cache->cpu[cpu];
	slab_states(slab)[index] = SLAB_CACHED;
	cache->live--;
	if (array->avail < array->limit) {
		layer->count->slab_free_fast++;
	} else {
		layer->count->slab_free_slow++;
		km_slab_flush(cache, cpu);
	}
	array->entry[array->avail++] = km_objref_make(slab, index);
	return 0;
}

static void slab_shrink(void *self, void *handle, unsigned cpu)
{
	(void)self;
	km_slab_drain_arrays(handle, cpu);
	km_slab_drain_free(handle, cpu, UINT64_MAX);
}

static void *slab_cache_of(void *self, uint64_t addr)
{
	const struct slab *slab = slab_of(self, addr);

	return slab ? slab->cache : NULL;
}

static void slab_usage(void *self, uint64_t *slab_pages, uint64_t *live_bytes)
{
	const struct slab_layer *layer = self;
	uint64_t bytes = 0;

	for (const struct slab_cache *cache = layer->newest; cache; cache = cache->older)
		bytes += cache->live * cache->geometry.size;
	*slab_pages = layer->slab_pages;
	*live_bytes = bytes;
}

/* ---- kmalloc ---- */

static uint64_t slab_kmalloc_max(const struct km_machine *machine)
{
	return machine->spec.profile.slab_large_classes ? KM_KMALLOC_MAX_SIZE
							: KM_KMALLOC_MAX_CACHE;
}

static void *slab_kmalloc_cache(void *self, uint64_t bytes, uint32_t gfp)
{
	const struct slab_layer *layer = self;
	enum km_kmalloc_type type = km_kmalloc_type(gfp);
	unsigned index = km_kmalloc_class(bytes);

	if (index < KM_SLAB_LARGE_FIRST)
		return layer->machine->kmalloc_caches[type][index];
	if (type == KM_KMALLOC_CGROUP && !layer->profile->kmalloc_cg)
		type = KM_KMALLOC_NORMAL;
	return layer->large[type][index - KM_SLAB_LARGE_FIRST];
}

static uint64_t slab_kmalloc_bytes(void *self, uint64_t bytes)
{
	const struct slab_cache *cache = slab_kmalloc_cache(self, bytes, 0);

	return cache->geometry.size;
}

static uint64_t slab_ksize(void *self, uint64_t addr)
{
	const struct slab *slab = slab_of(self, addr);

	return slab ? slab->cache->object_size : 0;
}

KM_SLAB_RUN(slab_run, slab_alloc, slab_free, KM_RUN_TIMED)

const struct km_slab_ops km_slab_slab_ops = {
	.name = "slab",
	.create = slab_create,
	.destroy = slab_destroy,
	.cache_create = km_slab_cache_create,
	.alloc = slab_alloc,
	.free = slab_free,
	.run = slab_run,
	.shrink = slab_shrink,
	.cache_destroy = km_slab_cache_destroy,
	.cache_of = slab_cache_of,
	.cache_info = km_slab_cache_info,
	.usage = slab_usage,
	.validate = km_slab_validate,
	.kmalloc_max = slab_kmalloc_max,
	.kmalloc_cache = slab_kmalloc_cache,
	.kmalloc_bytes = slab_kmalloc_bytes,
	.ksize = slab_ksize,
};
