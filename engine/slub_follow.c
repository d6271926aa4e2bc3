/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Following a live kernel: what the model would choose next, and making it choose what the kernel
 * chose, so that each choice can be compared from the same state (CPU slabs: 5.15 - 6.18).
 */
#include <errno.h>
#include <kmlab/slab_state.h>

#include "slub.h"

uint64_t km_slub_next_slab(void *self, void *cache_handle, unsigned cpu)
{
	const struct km_slub_cache *cache = cache_handle;
	const struct km_slub_cpu *c = &cache->cpu[cpu];

	(void)self;
	if (c->slab && (km_cpu_freelist(c) != KM_OBJECT_END || c->slab->freelist != KM_OBJECT_END))
		return c->base;
	if (c->partial)
		return c->partial->base;
	return cache->partial_head ? cache->partial_head->base : 0;
}

struct coming {
	uint64_t *bases;
	unsigned nr, room;
};

static void comes(struct coming *coming, const struct km_slab *slab)
{
	if (coming->nr < coming->room)
		coming->bases[coming->nr++] = slab->base;
}

/* From the node a CPU takes one slab and puts as many more on its chain as go there: it uses the
 * last of these first. The next such lot. */
static const struct km_slab *lot_comes(const struct km_slub_cache *cache,
				       const struct km_slab *slab, struct coming *coming)
{
	const struct km_slab *last = slab, *after = slab->next;

	for (unsigned n = km_cpu_partial_from_node(cache, slab); n && after; n--) {
		last = after;
		after = after->next;
	}
	comes(coming, slab);
	for (; last != slab; last = last->prev)
		comes(coming, last);
	return after;
}

unsigned km_slub_coming_slabs(void *self, void *cache_handle, unsigned cpu, uint64_t *bases,
			      unsigned room)
{
	const struct km_slub_cache *cache = cache_handle;
	const struct km_slub_cpu *c = &cache->cpu[cpu];
	struct coming coming = {bases, 0, room};

	(void)self;
	if (c->slab && (c->freelist != KM_OBJECT_END || c->slab->freelist != KM_OBJECT_END))
		comes(&coming, c->slab);
	for (const struct km_slab *slab = c->partial; slab; slab = slab->next)
		comes(&coming, slab);
	for (const struct km_slab *slab = cache->partial_head; slab && coming.nr < room;)
		slab = lot_comes(cache, slab, &coming);
	return coming.nr;
}

/* A CPU lets go of its slab, whose own chain then holds all its free objects; how many. */
static unsigned release_current(struct km_slub_cpu *c)
{
	struct km_slab *slab = c->slab;
	unsigned count = 0, first = km_cpu_freelist(c), last = first;

	if (first != KM_OBJECT_END) {
		while (slab->chain[last] != KM_OBJECT_END)
			last = slab->chain[last];
		slab->chain[last] = slab->freelist;
		slab->freelist = (uint16_t)first;
	}
	for (unsigned index = slab->freelist; index != KM_OBJECT_END; index = slab->chain[index])
		count++;
	slab->inuse = (uint16_t)(slab->objects - count);
	slab->place = KM_PLACE_FULL;
	km_cpu_slab_set(c, NULL);
	return count;
}

static void unlink_partial(struct km_slub_cpu *c, struct km_slab *slab)
{
	struct km_slab **at = &c->partial;

	while (*at != slab)
		at = &(*at)->next;
	*at = slab->next;
	c->partial_slabs--;
}

/* Take a slab from wherever it is; it is on no list then. */
static void detach(struct km_slub_cache *cache, struct km_slab *slab)
{
	switch ((enum km_slab_place)slab->place) {
	case KM_PLACE_CPU:
		release_current(&cache->cpu[slab->cpu]);
		break;
	case KM_PLACE_CPU_PARTIAL:
		unlink_partial(&cache->cpu[slab->cpu], slab);
		break;
	case KM_PLACE_NODE:
		km_node_remove(cache, slab);
		break;
	case KM_PLACE_FULL:
		break;
	}
	slab->place = KM_PLACE_FULL;
}

static bool has_free(const struct km_slub_cache *cache, const struct km_slab *slab)
{
	return slab->freelist != KM_OBJECT_END ||
	       (slab->place == KM_PLACE_CPU &&
		km_cpu_freelist(&cache->cpu[slab->cpu]) != KM_OBJECT_END);
}

static void move_to(struct km_slub_cache *cache, struct km_slab *slab, unsigned cpu)
{
	detach(cache, slab);
	km_cpu_partial_put(cache, cpu, slab, false);
}

/* The CPU leaves its slab; objects free in it then are in use, or were freed late. */
static void leave(struct km_slub_cache *cache, unsigned cpu, unsigned other, bool freed_late)
{
	struct km_slab *slab = cache->cpu[cpu].slab;

	if (!slab || !release_current(&cache->cpu[cpu]))
		return;
	if (freed_late)
		km_cpu_partial_put(cache, other, slab, true);
	else
		km_slub_seed_count(cache->slub, slab->base, 0);
}

/* Leave nothing for the CPU's search to find. */
static void clear_way(struct km_slub_cache *cache, unsigned cpu, unsigned other)
{
	while (cache->cpu[cpu].partial)
		move_to(cache, cache->cpu[cpu].partial, other);
	while (cache->partial_head)
		move_to(cache, cache->partial_head, other);
}

static void move_to_tail(struct km_slub_cache *cache, struct km_slab *slab)
{
	detach(cache, slab);
	km_node_add_tail(cache, slab);
}

/*
 * The CPU's search finds this slab, not those that are before it now: on the CPU's own chain they
 * were drained to the node before; the node's list begins with it.
 */
static void find_first(struct km_slub_cache *cache, unsigned cpu, struct km_slab *slab)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];

	while (c->partial && c->partial != slab)
		move_to_tail(cache, c->partial);
	while (slab->place == KM_PLACE_NODE && cache->partial_head != slab)
		move_to_tail(cache, cache->partial_head);
}

int km_slub_switch_slab(void *self, void *cache_handle, unsigned cpu, uint64_t slab_base,
			unsigned other, bool freed_late)
{
	struct km_slub *slub = self;
	struct km_slub_cache *cache = cache_handle;
	struct km_slab *slab = slab_base ? km_slub_slab_of(slub, slab_base) : NULL;

	if (other == cpu || (slab_base && (!slab || slab->base != slab_base ||
					   slab->cache != cache || !has_free(cache, slab))))
		return -EINVAL;
	if (slab && slab == cache->cpu[cpu].slab)
		return 0; /* has_free(): it is what the next allocation takes */
	leave(cache, cpu, other, freed_late);
	if (!slab) {
		clear_way(cache, cpu, other);
	} else if (slab->place == KM_PLACE_NODE ||
		   (slab->place == KM_PLACE_CPU_PARTIAL && slab->cpu == cpu)) {
		find_first(cache, cpu, slab);
	} else {
		move_to(cache, slab, cpu);
	}
	return 0;
}

int km_slub_drop_slab(void *self, unsigned cpu, uint64_t slab_base)
{
	struct km_slub *slub = self;
	struct km_slab *slab = km_slub_slab_of(slub, slab_base);
	struct km_slub_cache *cache = slab ? slab->cache : NULL;

	if (!slab || slab->base != slab_base)
		return -EINVAL;
	for (unsigned i = 0; i < slab->objects; i++)
		if (slab->chain[i] == KM_OBJECT_LIVE || slab->chain[i] == KM_OBJECT_CACHED)
			return -EINVAL;
	detach(cache, slab);
	km_slab_release(cache, cpu, slab);
	return 0;
}
