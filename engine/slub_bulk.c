/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLUB's calls for many objects at once, and objects given to their slabs in groups (mm/slub.c:
 * build_detached_freelist, __kmem_cache_alloc_bulk; 5.15 - 7.2).
 */
#include "slub.h"

/* Objects of another slab that the search for one slab's objects passes before it ends. */
#define GROUP_LOOK_AHEAD 3

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
unsigned km_slub_alloc_bulk(void *self, void *handle, unsigned cpu, uint32_t gfp, unsigned n,
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
	for (unsigned i = 0; i < n; i++)
		addrs[i] = km_objref_hand_out(addrs[i]);
	for (unsigned i = 0; gfp & cache->charged_gfp && i < n; i++)
		km_slub_charge(slub, cpu, addrs[i], gfp);
	return n;
}

/*
 * The array is where the groups are sorted out: its contents are undefined afterwards. Addresses
 * that are not live objects are left out. Objects of one cache are kmem_cache_free_bulk(), mixed
 * ones are kfree_bulk(), which goes past the sheaves.
 */
void km_slub_free_bulk(void *self, unsigned cpu, unsigned n, uint64_t *addrs)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = NULL;
	unsigned valid = 0, done = 0, fast = 0;
	bool mixed = false;

	for (unsigned i = 0; i < n; i++) {
		uint64_t index;
		struct km_slab *slab = km_slub_live_object(slub, addrs[i], &index);

		if (!slab)
			continue;
		mixed |= cache && cache != slab->cache;
		cache = slab->cache;
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
