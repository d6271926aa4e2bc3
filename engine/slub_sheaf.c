/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sheaves: arrays of objects in front of the slabs, a main and a spare one per CPU and a barn of
 * full and empty ones per node (mm/slub.c; 6.18 for caches that ask, over CPU slabs; 7.2 for
 * nearly all, over the node). Linux takes a sheaf's memory from kmalloc, and traces show it; here
 * it is host memory, so that a recorded sheaf is not counted twice.
 */
#include "slub.h"

static struct km_sheaf *sheaf_pop(struct km_sheaf **list)
{
	struct km_sheaf *sheaf = *list;

	if (sheaf)
		*list = sheaf->next;
	return sheaf;
}

static void sheaf_push(struct km_sheaf **list, struct km_sheaf *sheaf)
{
	sheaf->next = *list;
	*list = sheaf;
}

static struct km_sheaf *sheaf_new(struct km_slub_cache *cache)
{
	struct km_sheaf *sheaf = sheaf_pop(&cache->unused_sheaves);

	if (!sheaf)
		sheaf = km_record_new(&cache->slub->records,
				      sizeof(*sheaf) +
					      cache->sheaf_capacity * sizeof(sheaf->objects[0]));
	return sheaf;
}

/* An empty sheaf is freed: its memory is for the next. */
static void sheaf_free(struct km_slub_cache *cache, struct km_sheaf *sheaf)
{
	sheaf_push(&cache->unused_sheaves, sheaf);
}

static struct km_sheaf *empty_sheaf(struct km_slub_cache *cache)
{
	struct km_sheaf *sheaf = sheaf_pop(&cache->barn_empty);

	return sheaf ? sheaf : sheaf_new(cache);
}

static void barn_put_full(struct km_slub_cache *cache, struct km_sheaf *sheaf)
{
	sheaf_push(&cache->barn_full, sheaf);
	cache->barn_nr_full++;
}

static struct km_sheaf *barn_get_full(struct km_slub_cache *cache)
{
	struct km_sheaf *sheaf = sheaf_pop(&cache->barn_full);

	if (sheaf)
		cache->barn_nr_full--;
	return sheaf;
}

static void sheaf_flush(struct km_slub_cache *cache, unsigned cpu, struct km_sheaf *sheaf)
{
	unsigned n = (unsigned)sheaf->nr;

	if (!n)
		return;
	cache->slub->count->sheaf_flush++;
	sheaf->nr = 0;
	km_slub_give_all(cpu, sheaf->objects, n);
}

static void flush_main(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_sheaf *sheaf = cache->cpu[cpu].main;

	if (sheaf->nr)
		cache->slub->count->sheaf_flush++;
	while (sheaf->nr) {
		unsigned batch = sheaf->nr < KM_SHEAF_FLUSH_BATCH ? (unsigned)sheaf->nr
								  : KM_SHEAF_FLUSH_BATCH;

		sheaf->nr -= batch;
		km_slub_give_all(cpu, sheaf->objects + sheaf->nr, batch);
	}
}

bool km_sheaf_setup(struct km_slub_cache *cache)
{
	for (unsigned cpu = 0; cpu < cache->slub->cpus; cpu++) {
		cache->cpu[cpu].main = sheaf_new(cache);
		if (!cache->cpu[cpu].main)
			return false;
	}
	return true;
}

static void swap_main_and_spare(struct km_slub_cpu *c)
{
	struct km_sheaf *main = c->main;

	c->main = c->spare;
	c->spare = main;
}

/* Another sheaf is at hand: the spare, or a full one of the barn. */
static bool exchange_main(struct km_slub_cache *cache, struct km_slub_cpu *c)
{
	struct km_sheaf *full;

	if (c->spare && c->spare->nr) {
		swap_main_and_spare(c);
		cache->slub->count->slab_fast++;
		return true;
	}
	full = barn_get_full(cache);
	if (!full)
		return false;
	sheaf_push(&cache->barn_empty, c->main);
	c->main = full;
	cache->slub->count->sheaf_barn_get++;
	return true;
}

bool km_sheaf_replenish(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp)
{
	const struct km_slub_backend *backend = cache->backend;
	struct km_slub_cpu *c = &cache->cpu[cpu];
	struct km_sheaf *sheaf;

	if (exchange_main(cache, c))
		return true;
	if (backend->fill_blocks && !(gfp & KM_GFP_DIRECT_RECLAIM))
		return false;
	sheaf = c->spare;
	c->spare = NULL;
	if (!sheaf)
		sheaf = empty_sheaf(cache);
	if (!sheaf)
		return false;
	cache->slub->count->sheaf_refill++;
	sheaf->nr = backend->fill(cache, cpu, gfp | backend->fill_gfp, sheaf->objects,
				  cache->sheaf_capacity);
	if (sheaf->nr < cache->sheaf_capacity) {
		sheaf_flush(cache, cpu, sheaf);
		sheaf_free(cache, sheaf);
		return false;
	}
	if (backend->main_is_spared)
		c->spare = c->main;
	else
		sheaf_push(&cache->barn_empty, c->main);
	c->main = sheaf;
	return true;
}

void km_sheaf_make_room(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	struct km_sheaf *empty;

	if (c->spare && c->spare->nr < cache->sheaf_capacity) {
		swap_main_and_spare(c);
		return;
	}
	if (c->spare && cache->barn_nr_full >= KM_BARN_MAX_FULL) {
		sheaf_flush(cache, cpu, c->spare);
		swap_main_and_spare(c);
		return;
	}
	empty = empty_sheaf(cache);
	if (!empty) {
		flush_main(cache, cpu);
		return;
	}
	if (c->spare) {
		barn_put_full(cache, c->main);
		cache->slub->count->sheaf_barn_get++;
	} else {
		c->spare = c->main;
	}
	c->main = empty;
}

unsigned km_sheaf_alloc_bulk(struct km_slub_cache *cache, unsigned cpu, km_objref *objects,
			     unsigned n)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	unsigned got = 0;

	while (got < n) {
		unsigned batch;

		if (!c->main->nr && !exchange_main(cache, c))
			break;
		batch = c->main->nr < n - got ? (unsigned)c->main->nr : n - got;
		c->main->nr -= batch;
		for (unsigned i = 0; i < batch; i++)
			objects[got + i] = c->main->objects[c->main->nr + i];
		got += batch;
	}
	return got;
}

/* Room in the main sheaf without new memory. */
static bool find_room(struct km_slub_cache *cache, struct km_slub_cpu *c)
{
	struct km_sheaf *empty;

	if (c->main->nr < cache->sheaf_capacity)
		return true;
	if (c->spare && c->spare->nr < cache->sheaf_capacity) {
		swap_main_and_spare(c);
		return true;
	}
	if (c->spare && cache->barn_nr_full >= KM_BARN_MAX_FULL)
		return false;
	empty = sheaf_pop(&cache->barn_empty);
	if (!empty)
		return false;
	if (c->spare)
		barn_put_full(cache, c->main);
	else
		c->spare = c->main;
	c->main = empty;
	cache->slub->count->sheaf_barn_get++;
	return true;
}

unsigned km_sheaf_free_bulk(struct km_slub_cache *cache, unsigned cpu, const km_objref *objects,
			    unsigned n)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];
	unsigned done = 0;

	while (done < n && find_room(cache, c)) {
		struct km_sheaf *main = c->main;

		while (done < n && main->nr < cache->sheaf_capacity)
			main->objects[main->nr++] = objects[done++];
	}
	return done;
}

void km_sheaf_flush_cpu(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_slub_cpu *c = &cache->cpu[cpu];

	if (c->spare) {
		sheaf_flush(cache, cpu, c->spare);
		sheaf_free(cache, c->spare);
		c->spare = NULL;
	}
	flush_main(cache, cpu);
}

void km_sheaf_flush_barn(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_sheaf *sheaf;

	while ((sheaf = barn_get_full(cache))) {
		sheaf_flush(cache, cpu, sheaf);
		sheaf_free(cache, sheaf);
	}
	while ((sheaf = sheaf_pop(&cache->barn_empty)))
		sheaf_free(cache, sheaf);
}
