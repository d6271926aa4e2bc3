/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB as a slab layer: the ops table and the fast paths (mm/slub.c, 5.15 - 7.2). The
 * profile picks the generation. One NUMA node; slabs of RCU-typesafe caches go back without
 * waiting for a grace period.
 */
#include "slub.h"

#include <errno.h>

#include "models.h"

static void slub_destroy(void *self)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = slub->caches, *next;

	for (; cache; cache = next) {
		next = cache->next;
		km_env_release(slub->env, cache, cache->bytes);
	}
	km_records_destroy(&slub->records);
	km_env_release(slub->env, slub->slab_of_pfn, slub->max_pfn * sizeof(*slub->slab_of_pfn));
	km_env_release(slub->env, slub, sizeof(*slub));
}

static int slub_create(struct km_machine *machine, void **self)
{
	struct km_slub *slub = km_env_alloc(machine->env, sizeof(*slub));

	if (!slub)
		return -ENOMEM;
	slub->env = machine->env;
	slub->records.env = machine->env;
	slub->count = &machine->env->count;
	slub->machine = machine;
	slub->profile = &machine->spec.profile;
	slub->secrets.random_state = ~machine->env->random_state;
	slub->cpus = machine->spec.cpus;
	slub->max_pfn = machine->max_pfn;
	slub->slab_of_pfn = km_env_alloc(machine->env, slub->max_pfn * sizeof(*slub->slab_of_pfn));
	if (!slub->slab_of_pfn) {
		km_env_release(machine->env, slub, sizeof(*slub));
		return -ENOMEM;
	}
	*self = slub;
	return 0;
}

/* The flags say nothing of where the object lies: the cgroup is charged afterwards. */
static __attribute__((noinline)) uint64_t charge(struct km_slub *slub, unsigned cpu, uint64_t addr,
						 uint32_t gfp)
{
	km_slub_charge(slub, cpu, addr, gfp);
	return addr;
}

/* Kept out of line, so that the fast path saves no registers. */
static __attribute__((noinline)) uint64_t
alloc_slow(struct km_slub *slub, struct km_slub_cache *cache, unsigned cpu, uint32_t gfp, int node)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	uint32_t grow_gfp = gfp & ~KM_GFP_ACCOUNT;
	km_objref object;

	if (c->main && km_sheaf_replenish(cache, cpu, grow_gfp)) {
		object = c->main->objects[--c->main->nr];
	} else if (!cache->backend->take(cache, cpu, grow_gfp, node, &object)) {
		slub->count->slab_fail++;
		return 0;
	}
	return gfp & cache->charged_gfp ? charge(slub, cpu, km_objref_hand_out(object), gfp)
					: km_objref_hand_out(object);
}

/* The first object of the CPU's own chain, which is not empty. */
static inline uint64_t pop_own(struct km_slub_cpu *c, uint64_t index)
{
	uint64_t addr = c->first, next;
	uint16_t *mark = &c->chain[index];

	next = *mark;
	*mark = KM_OBJECT_LIVE;
	c->freelist = (uint16_t)next;
	c->first = c->base + next * c->size;
	return addr;
}

/* The last object of a sheaf, which is not empty, and its slab. */
static inline uint64_t pop_sheaf(struct km_sheaf *sheaf, uint64_t size, struct km_slab **slab)
{
	km_objref object = sheaf->objects[--sheaf->nr];
	unsigned index = km_objref_index(object);

	*slab = km_objref_slab(object);
	(*slab)->chain[index] = KM_OBJECT_LIVE;
	return (*slab)->base + index * size;
}

/*
 * The fast paths touch the CPU's line and the object's mark; with sheaves also the sheaf and, as
 * on a free, the slab's line. 0: there is nothing to be had so.
 */
static inline __attribute__((always_inline)) uint64_t alloc_fast(struct km_slub_cache *cache,
								 unsigned cpu, uint32_t *uncharged)
{
	struct km_slub_cpu *c = km_slub_cpu(cache, cpu);
	uint64_t index = c->freelist, addr;
	struct km_slab *slab;

	if (LIKELY(index != KM_OBJECT_END)) {
		addr = pop_own(c, index);
		*uncharged = c->uncharged;
	} else if (c->main && c->main->nr) {
		addr = pop_sheaf(c->main, c->size, &slab);
		*uncharged = km_slab_uncharged(slab);
	} else {
		return 0;
	}
	if (!addr) /* no object lies there: callers need not ask */
		__builtin_unreachable();
	return addr;
}

/* Where an object less in use moves the slab to no other place: true, and the object is free. */
static inline bool free_in_place(struct km_slab *slab, uint64_t index)
{
	if (slab->place == KM_PLACE_FULL || (slab->place == KM_PLACE_NODE && slab->inuse == 1))
		return false;
	slab->chain[index] = slab->freelist;
	slab->freelist = (uint16_t)index;
	slab->inuse--;
	return true;
}

/* Always 0, so that the fast path ends in this call. */
static __attribute__((noinline)) int free_slow(struct km_slub_cache *cache, unsigned cpu,
					       struct km_slab *slab, uint64_t index, uint64_t *slow)
{
	struct km_counters *count = cache->slub->count;
	struct km_sheaf *main;

	if (!cache->cpu[cpu].main) {
		*slow += 1;
		count->slab_free_slow++;
		cache->backend->give(cache, cpu, slab, (unsigned)index, (unsigned)index, 1);
		return 0;
	}
	slab->chain[index] = KM_OBJECT_CACHED;
	km_sheaf_make_room(cache, cpu);
	main = cache->cpu[cpu].main;
	main->objects[main->nr++] = km_objref_make(slab, index);
	return 0;
}

/* An object that is marked KM_OBJECT_LIVE. */
static inline int free_object(unsigned cpu, struct km_slab *slab, uint64_t index, uint64_t *slow)
{
	struct km_slub_cpu *c = &slab->cache->cpu[cpu];
	struct km_sheaf *main = c->main;

	if (!main && slab == c->slab) {
		slab->chain[index] = c->freelist;
		km_cpu_freelist_set(c, (unsigned)index);
		return 0;
	}
	if (main && main->nr < c->sheaf_capacity) {
		slab->chain[index] = KM_OBJECT_CACHED;
		main->objects[main->nr++] = km_objref_make(slab, index);
		return 0;
	}
	return free_slow(slab->cache, cpu, slab, index, slow);
}

void km_slub_free_object(struct km_slub *slub, unsigned cpu, struct km_slab *slab, unsigned index)
{
	uint64_t slow = 0;

	free_object(cpu, slab, index, &slow);
	slub->count->slab_free_fast += !slow;
}

static uint64_t slub_alloc(void *self, void *handle, unsigned cpu, uint32_t gfp, int node)
{
	struct km_slub *slub = self;
	uint32_t uncharged;
	uint64_t addr = alloc_fast(handle, cpu, &uncharged);

	if (UNLIKELY(!addr))
		return alloc_slow(slub, handle, cpu, gfp, node);
	slub->count->slab_fast++;
	return UNLIKELY(gfp & uncharged) ? charge(slub, cpu, addr, gfp) : addr;
}

static int slub_free(void *self, unsigned cpu, uint64_t addr)
{
	struct km_slub *slub = self;
	uint64_t index;
	struct km_slab *slab = km_slub_live_object(slub, addr, &index);

	if (UNLIKELY(!slab))
		return -EFAULT;
	km_slub_free_object(slub, cpu, slab, (unsigned)index);
	return 0;
}

/* ---- calls of a program ---- */

static inline uint64_t serve_alloc(void *self, const struct km_serving *serving, unsigned cpu,
				   struct km_slow_calls *slow)
{
	uint32_t uncharged;
	uint64_t addr = alloc_fast(serving->cache, cpu, &uncharged);

	if (UNLIKELY(!addr)) {
		slow->allocs++;
		return alloc_slow(self, serving->cache, cpu, serving->gfp, serving->node);
	}
	return UNLIKELY(serving->gfp & uncharged) ? charge(self, cpu, addr, serving->gfp) : addr;
}

/* Into the main sheaf if it has room, else the long way. The object's slab is looked up. */
static inline int serve_free_other(struct km_slub *slub, struct km_slub_cpu *c, unsigned cpu,
				   uint64_t addr, struct km_slow_calls *slow)
{
	struct km_sheaf *main = c->main;
	struct km_slab *slab = km_slub_slab_of(slub, addr);
	uint64_t index;

	if (UNLIKELY(!slab))
		goto out_refuse;
	index = km_reciprocal_divide(addr - slab->base, c->reciprocal);
	if (UNLIKELY(slab->chain[index] != KM_OBJECT_LIVE))
		goto out_refuse;
	if (LIKELY(main && main->nr < c->sheaf_capacity)) {
		slab->chain[index] = KM_OBJECT_CACHED;
		main->objects[main->nr++] = km_objref_make(slab, index);
		return 0;
	}
	if (main || !free_in_place(slab, index))
		return free_slow(slab->cache, cpu, slab, index, &slow->frees);
	slub->count->slab_free_slow++;
	slow->frees++;
	return 0;

out_refuse:
	slow->frees++;
	return addr ? -EFAULT : 0;
}

/*
 * The cache is known: what lies in the slab that the CPU takes from need not be looked up. The
 * address is what an allocation from it returned, so it is the start of an object.
 */
static inline int serve_free(void *self, const struct km_serving *serving, unsigned cpu,
			     uint64_t addr, struct km_slow_calls *slow)
{
	struct km_slub_cpu *c = km_slub_cpu(serving->cache, cpu);
	uint64_t offset = addr - c->base, index;
	uint16_t *mark;

	if (UNLIKELY(offset >= c->bytes))
		return serve_free_other(self, c, cpu, addr, slow);
	index = km_reciprocal_divide(offset, c->reciprocal);
	mark = &c->chain[index];
	if (UNLIKELY(*mark != KM_OBJECT_LIVE)) {
		slow->frees++;
		return -EFAULT;
	}
	*mark = c->freelist;
	c->freelist = (uint16_t)index;
	c->first = addr;
	return 0;
}

static KM_CALLS_ALIGNED const struct km_op *
slub_run(void *self, struct km_calls *calls, const struct km_op *op, const struct km_op *end)
{
	return km_calls_loop(self, calls, op, end, serve_alloc, serve_free, KM_RUN_COUNTED);
}

/* ---- the rest of the table ---- */

static void slub_flush_cpu(void *self, void *handle, unsigned cpu)
{
	struct km_slub_cache *cache = handle;

	(void)self;
	if (cache->sheaf_capacity)
		km_sheaf_flush_cpu(cache, cpu);
	cache->backend->flush(cache, cpu);
}

/* A worker on every CPU flushes it, the caller's own once the caller sleeps: it comes last. */
static void slub_shrink(void *self, void *handle, unsigned caller)
{
	const struct km_slub *slub = self;
	struct km_slub_cache *cache = handle;

	for (unsigned cpu = 0; cpu < slub->cpus; cpu++)
		if (cpu != caller)
			slub_flush_cpu(self, handle, cpu);
	slub_flush_cpu(self, handle, caller);
	if (cache->sheaf_capacity)
		km_sheaf_flush_barn(cache, caller);
	km_node_shrink(cache, caller);
}

static void *slub_cache_of(void *self, uint64_t addr)
{
	const struct km_slab *slab = km_slub_slab_of(self, addr);

	return slab ? slab->cache : NULL;
}

static void slub_usage(void *self, uint64_t *slab_pages, uint64_t *live_bytes)
{
	const struct km_slub *slub = self;
	uint64_t bytes = 0;

	for (const struct km_slub_cache *cache = slub->caches; cache; cache = cache->next)
		bytes += km_slub_live(cache) * cache->size;
	*slab_pages = slub->slab_pages;
	*live_bytes = bytes - slub->own_bytes;
}

const struct km_slab_ops km_slub_slab_ops = {
	.name = "slub",
	.create = slub_create,
	.destroy = slub_destroy,
	.cache_create = km_slub_cache_create,
	.alloc = slub_alloc,
	.free = slub_free,
	.run = slub_run,
	.alloc_bulk = km_slub_alloc_bulk,
	.free_bulk = km_slub_free_bulk,
	.shrink = slub_shrink,
	.flush_cpu = slub_flush_cpu,
	.cache_destroy = km_slub_cache_destroy,
	.cache_of = slub_cache_of,
	.cache_info = km_slub_cache_info,
	.free_pointer = km_slub_free_pointer,
	.stops_double_free = km_slub_stops_double_free,
	.usage = slub_usage,
	.validate = km_slub_validate,
};
