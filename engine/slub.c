/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB as a slab layer: the ops table, the fast paths, bulk calls (mm/slub.c, 5.15 - 7.2). The
 * profile picks the generation. One NUMA node; slabs of RCU-typesafe caches go back without
 * waiting for a grace period.
 */
#include "slub.h"

#include <errno.h>

#include "models.h"

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* Objects of another slab that the search for one slab's objects passes before it ends. */
#define GROUP_LOOK_AHEAD 3

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

/* Kept out of line, so that the fast path saves no registers. */
static __attribute__((noinline)) uint64_t
alloc_slow(struct km_slub *slub, struct km_slub_cache *cache, unsigned cpu, uint32_t gfp, int node)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	km_objref object;

	if (c->main && km_sheaf_replenish(cache, cpu, gfp)) {
		object = c->main->objects[--c->main->nr];
	} else if (!cache->backend->take(cache, cpu, gfp, node, &object)) {
		slub->count->slab_fail++;
		return 0;
	}
	c->live++;
	return km_objref_hand_out(object);
}

static uint64_t slub_alloc(void *self, void *handle, unsigned cpu, uint32_t gfp, int node);

/* The flag says nothing of where the object lies: the cgroup is charged afterwards. */
static __attribute__((noinline)) uint64_t alloc_accounted(struct km_slub *slub,
							  struct km_slub_cache *cache, unsigned cpu,
							  uint32_t gfp, int node)
{
	uint64_t addr = slub_alloc(slub, cache, cpu, gfp & ~KM_GFP_ACCOUNT, node);

	if (addr)
		km_slub_charge(slub, cpu, addr, gfp);
	return addr;
}

/* The fast paths touch the CPU's line, the object's mark, a counter, and on a free the slab's line.
 */
static uint64_t slub_alloc(void *self, void *handle, unsigned cpu, uint32_t gfp, int node)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = handle;
	struct km_slub_cpu *c = &cache->cpu[cpu];
	unsigned index = c->freelist;

	if (!LIKELY(!(gfp & KM_GFP_ACCOUNT)))
		return alloc_accounted(slub, cache, cpu, gfp, node);

	if (LIKELY(index != KM_OBJECT_END && !c->main)) {
		uint16_t *chain = c->slab->chain;

		c->freelist = chain[index];
		chain[index] = KM_OBJECT_LIVE;
		c->live++;
		slub->count->slab_fast++;
		return c->base + (uint64_t)index * c->size;
	}
	if (c->main && c->main->nr) {
		c->live++;
		slub->count->slab_fast++;
		return km_objref_hand_out(c->main->objects[--c->main->nr]);
	}
	return alloc_slow(slub, cache, cpu, gfp, node);
}

/* Always 0, so that the fast path ends in this call. */
static __attribute__((noinline)) int free_slow(struct km_slub_cache *cache, unsigned cpu,
					       struct km_slab *slab, uint64_t index)
{
	struct km_counters *count = cache->slub->count;
	struct km_sheaf *main;

	if (!cache->cpu[cpu].main) {
		count->slab_free_slow++;
		cache->backend->give(cache, cpu, slab, (unsigned)index, (unsigned)index, 1);
		return 0;
	}
	count->slab_free_fast++;
	slab->chain[index] = KM_OBJECT_CACHED;
	km_sheaf_make_room(cache, cpu);
	main = cache->cpu[cpu].main;
	main->objects[main->nr++] = km_objref_make(slab, index);
	return 0;
}

static inline int free_object(struct km_slub *slub, unsigned cpu, struct km_slab *slab,
			      uint64_t index)
{
	struct km_slub_cpu *c = &slab->cache->cpu[cpu];
	struct km_sheaf *main = c->main;

	c->live--;
	if (LIKELY(slab == c->slab && !main)) {
		slub->count->slab_free_fast++;
		slab->chain[index] = c->freelist;
		c->freelist = (uint16_t)index;
		return 0;
	}
	if (main && main->nr < c->sheaf_capacity) {
		slub->count->slab_free_fast++;
		slab->chain[index] = KM_OBJECT_CACHED;
		main->objects[main->nr++] = km_objref_make(slab, index);
		return 0;
	}
	return free_slow(slab->cache, cpu, slab, index);
}

void km_slub_free_object(struct km_slub *slub, unsigned cpu, struct km_slab *slab, unsigned index)
{
	free_object(slub, cpu, slab, index);
}

/* The live object at addr, or NULL. */
static inline struct km_slab *live_object(const struct km_slub *slub, uint64_t addr,
					  uint64_t *index)
{
	struct km_slab *slab = km_slub_slab_of(slub, addr);
	uint64_t offset;

	if (UNLIKELY(!slab))
		return NULL;
	offset = addr - slab->base;
	*index = km_reciprocal_divide(offset, slab->reciprocal);
	if (UNLIKELY(*index * slab->size != offset || slab->chain[*index] != KM_OBJECT_LIVE))
		return NULL;
	return slab;
}

static int slub_free(void *self, unsigned cpu, uint64_t addr)
{
	struct km_slub *slub = self;
	uint64_t index;
	struct km_slab *slab = live_object(slub, addr, &index);

	if (UNLIKELY(!slab))
		return -EFAULT;
	return free_object(slub, cpu, slab, index);
}

/* ---- bulk ---- */

/*
 * One group from the end of the array: the last object and those of its slab that the search
 * finds. They are chained, the last found first. How many objects remain before the group.
 */
static unsigned take_group(km_objref *objects, unsigned n, unsigned *head, unsigned *count)
{
	struct km_slab *slab = km_objref_slab(objects[n - 1]);
	unsigned same = n - 1, misses = 0;

	*head = km_objref_index(objects[same]);
	*count = 1;
	for (unsigned i = same; i-- > 0 && misses < GROUP_LOOK_AHEAD;) {
		km_objref object = objects[i];

		if (km_objref_slab(object) != slab) {
			misses++;
			continue;
		}
		slab->chain[km_objref_index(object)] = (uint16_t)*head;
		*head = km_objref_index(object);
		*count += 1;
		same--;
		objects[i] = objects[same];
		objects[same] = object;
	}
	return same;
}

unsigned km_slub_give_all(unsigned cpu, km_objref *objects, unsigned n)
{
	unsigned fast = 0;

	while (n) {
		unsigned head, count, tail = km_objref_index(objects[n - 1]);
		struct km_slab *slab = km_objref_slab(objects[n - 1]);

		n = take_group(objects, n, &head, &count);
		if (slab->cache->backend->give(slab->cache, cpu, slab, head, tail, count))
			fast += count;
	}
	return fast;
}

/* All or nothing, as in Linux. */
static unsigned slub_alloc_bulk(void *self, void *handle, unsigned cpu, uint32_t gfp, unsigned n,
				uint64_t *addrs)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = handle;
	unsigned got = 0;

	if (cache->sheaf_capacity) {
		got = km_sheaf_alloc_bulk(cache, cpu, addrs, n);
		slub->count->slab_fast += got;
	}
	if (cache->backend->fill_blocks) {
		while (got < n && cache->backend->take(cache, cpu, gfp, -1, &addrs[got]))
			got++;
	} else if (got < n) {
		got += cache->backend->fill(cache, cpu, gfp, addrs + got, n - got);
	}
	if (got < n) {
		slub->count->slab_fail++;
		km_slub_give_all(cpu, addrs, got);
		return 0;
	}
	cache->live += n;
	for (unsigned i = 0; i < n; i++)
		addrs[i] = km_objref_hand_out(addrs[i]);
	for (unsigned i = 0; gfp & KM_GFP_ACCOUNT && i < n; i++)
		km_slub_charge(slub, cpu, addrs[i], gfp);
	return n;
}

/*
 * The array is where the groups are sorted out: its contents are undefined afterwards. Addresses
 * that are not live objects are left out. Objects of one cache are kmem_cache_free_bulk(), mixed
 * ones are kfree_bulk(), which goes past the sheaves.
 */
static void slub_free_bulk(void *self, unsigned cpu, unsigned n, uint64_t *addrs)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = NULL;
	unsigned valid = 0, done = 0, fast = 0;
	bool mixed = false;

	for (unsigned i = 0; i < n; i++) {
		uint64_t index;
		struct km_slab *slab = live_object(slub, addrs[i], &index);

		if (!slab)
			continue;
		mixed |= cache && cache != slab->cache;
		cache = slab->cache;
		cache->live--;
		slab->chain[index] = KM_OBJECT_CACHED;
		addrs[valid++] = km_objref_make(slab, index);
	}
	if (!valid)
		return;
	if (!mixed && cache->sheaf_capacity)
		done = fast = km_sheaf_free_bulk(cache, cpu, addrs, valid);
	fast += km_slub_give_all(cpu, addrs + done, valid - done);
	slub->count->slab_free_fast += fast;
	slub->count->slab_free_slow += valid - fast;
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
	.alloc_bulk = slub_alloc_bulk,
	.free_bulk = slub_free_bulk,
	.shrink = slub_shrink,
	.flush_cpu = slub_flush_cpu,
	.cache_destroy = km_slub_cache_destroy,
	.cache_of = slub_cache_of,
	.cache_info = km_slub_cache_info,
	.usage = slub_usage,
	.validate = km_slub_validate,
};
