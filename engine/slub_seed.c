/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slabs that exist before the first call: what a live system's slab state says, put into the
 * model. Which objects of such a slab are in use is unknown, only how many.
 */
#include <errno.h>
#include <kmlab/slab_state.h>

#include "slub.h"

enum seed_kind { SEED_CPU_SLAB, SEED_CPU_PARTIAL, SEED_NODE_PARTIAL, SEED_FULL };

static bool current_slab_taken(const struct km_slub_cache *cache, const struct km_slab_seed *seed,
			       unsigned index)
{
	uint32_t place = seed->slabs[index].place;

	if (cache->cpu[KM_SEED_CPU(place)].slab)
		return true;
	for (unsigned i = 0; i < index; i++)
		if (seed->slabs[i].place == place)
			return true;
	return false;
}

static bool seed_valid(const struct km_slub_cache *cache, const struct km_slab_seed *seed,
		       unsigned index)
{
	const struct km_seed_slab *slab = &seed->slabs[index];
	uint32_t kind = KM_SEED_KIND(slab->place);
	bool cpu_slabs = cache->backend == &km_slub_cpu_backend;

	if (slab->free > cache->geometry.objects)
		return false;
	if (kind <= SEED_CPU_PARTIAL &&
	    (!cpu_slabs || KM_SEED_CPU(slab->place) >= cache->slub->cpus))
		return false;
	switch (kind) {
	case SEED_CPU_SLAB:
		return !current_slab_taken(cache, seed, index);
	case SEED_CPU_PARTIAL:
	case SEED_NODE_PARTIAL:
		return slab->free > 0;
	case SEED_FULL:
		return slab->free == 0;
	default:
		return false;
	}
}

/* All but the last `free` objects of the chain have been in use since before the start. */
static void use_objects(struct km_slab *slab, unsigned free)
{
	unsigned used = slab->objects - free;

	for (unsigned i = 0; i < used; i++) {
		unsigned index = slab->freelist;

		slab->freelist = slab->chain[index];
		slab->chain[index] = KM_OBJECT_SEEDED;
	}
	slab->inuse = (uint16_t)used;
	slab->seeded = (uint16_t)used;
}

static void place_slab(struct km_slub_cache *cache, struct km_slab *slab, uint32_t place)
{
	switch (KM_SEED_KIND(place)) {
	case SEED_CPU_SLAB:
		km_cpu_slab_install(cache, KM_SEED_CPU(place), slab);
		break;
	case SEED_CPU_PARTIAL:
		km_cpu_partial_put(cache, KM_SEED_CPU(place), slab, false);
		break;
	case SEED_NODE_PARTIAL:
		km_node_add_head(cache, slab);
		break;
	default:
		break;
	}
}

int km_slub_seed(void *self, void *cache_handle, const struct km_slab_seed *seed,
		 uint64_t *slab_addrs_out)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = cache_handle;
	struct km_slab *made = NULL, *slab;
	/* Seeding is not a call: no path is counted for it. */
	struct km_counters before = *slub->count;
	unsigned nr = 0;

	for (unsigned i = 0; i < seed->nr; i++)
		if (!seed_valid(cache, seed, i))
			return -EINVAL;
	for (; nr < seed->nr; nr++) {
		slab = km_slab_new(cache, 0, KM_GFP_KERNEL);
		if (!slab)
			goto out_release;
		slab->next = made;
		made = slab;
		if (slab->objects < cache->geometry.objects)
			goto out_release;
	}
	/* Last to first, so that the first of each list ends at its head. */
	while (nr-- > 0) {
		slab = made;
		made = slab->next;
		use_objects(slab, seed->slabs[nr].free);
		slab_addrs_out[nr] = slab->base;
		place_slab(cache, slab, seed->slabs[nr].place);
	}
	*slub->count = before;
	return 0;

out_release:
	while (made) {
		slab = made;
		made = slab->next;
		km_slab_release(cache, 0, slab);
	}
	*slub->count = before;
	return -ENOMEM;
}

int km_slub_free_seeded(void *self, unsigned cpu, uint64_t slab_base)
{
	struct km_slub *slub = self;
	struct km_slab *slab = km_slub_slab_of(slub, slab_base);
	unsigned index = 0;

	if (!slab || slab->base != slab_base || !slab->seeded)
		return -EFAULT;
	while (slab->chain[index] != KM_OBJECT_SEEDED)
		index++;
	slab->seeded--;
	slab->chain[index] = KM_OBJECT_LIVE;
	km_slub_free_object(slub, cpu, slab, index);
	return 0;
}

int km_slub_make_seeded(void *self, uint64_t addr)
{
	uint64_t index;
	struct km_slab *slab = km_slub_live_object(self, addr, &index);

	if (!slab)
		return -EFAULT;
	slab->chain[index] = KM_OBJECT_SEEDED;
	slab->seeded++;
	return 0;
}

bool km_slub_has_free(void *self, uint64_t slab_base)
{
	const struct km_slab *slab = km_slub_slab_of(self, slab_base);

	return slab && slab->base == slab_base &&
	       (slab->freelist != KM_OBJECT_END ||
		(slab->place == KM_PLACE_CPU &&
		 slab->cache->cpu[slab->cpu].freelist != KM_OBJECT_END));
}

static unsigned chain_length(const struct km_slab *slab, unsigned head)
{
	unsigned length = 0;

	for (; head != KM_OBJECT_END; head = slab->chain[head])
		length++;
	return length;
}

/* The chain grows or shrinks at its head until it is `wanted` long. */
static void set_length(struct km_slab *slab, uint16_t *head, unsigned length, unsigned wanted)
{
	for (; length > wanted; length--) {
		unsigned index = *head;

		*head = slab->chain[index];
		slab->chain[index] = KM_OBJECT_SEEDED;
		slab->seeded++;
	}
	for (unsigned index = 0; length < wanted; index++) {
		if (slab->chain[index] != KM_OBJECT_SEEDED)
			continue;
		slab->chain[index] = *head;
		*head = (uint16_t)index;
		slab->seeded--;
		length++;
	}
}

int km_slub_seed_count(void *self, uint64_t slab_base, unsigned free)
{
	struct km_slub *slub = self;
	struct km_slab *slab = km_slub_slab_of(slub, slab_base);
	unsigned other = 0, length;
	struct km_slub_cpu *c;
	uint16_t head;

	if (!slab || slab->base != slab_base)
		return -EFAULT;
	c = &slab->cache->cpu[slab->cpu];
	head = slab->freelist;
	if (slab->place == KM_PLACE_CPU) { /* what others freed stays apart */
		other = chain_length(slab, slab->freelist);
		head = (uint16_t)km_cpu_freelist(c);
	}
	length = chain_length(slab, head);
	if (free < other || free > other + length + slab->seeded ||
	    (slab->place == KM_PLACE_FULL && free) ||
	    ((slab->place == KM_PLACE_CPU_PARTIAL || slab->place == KM_PLACE_NODE) && !free))
		return -EINVAL;
	set_length(slab, &head, length, free - other);
	if (slab->place == KM_PLACE_CPU) {
		km_cpu_freelist_set(c, head);
	} else {
		slab->freelist = head;
		slab->inuse = (uint16_t)(slab->objects - free);
	}
	return 0;
}
