/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sheaves: arrays of objects in front of the slabs, a main and a spare one per CPU and a barn of
 * full and empty ones per node (mm/slub.c; 6.18 for caches that ask, over CPU slabs; 7.2 for
 * nearly all, over the node). Their memory is kmalloc's (slub_own.c), so that they fill slabs, too.
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

static struct km_sheaf *sheaf_new(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp)
{
	struct km_sheaf *sheaf = sheaf_pop(&cache->unused_sheaves);

	if (!sheaf)
		sheaf = km_record_new(&cache->slub->records,
				      sizeof(*sheaf) +
					      cache->sheaf_capacity * sizeof(sheaf->objects[0]));
	if (sheaf && !km_sheaf_get_memory(cache, cpu, gfp, sheaf)) {
		sheaf_push(&cache->unused_sheaves, sheaf);
		return NULL;
	}
	return sheaf;
}

/* An empty sheaf is freed; its record is for the next. */
static void sheaf_free(struct km_slub_cache *cache, unsigned cpu, struct km_sheaf *sheaf)
{
	km_sheaf_put_memory(cache, cpu, sheaf);
	sheaf_push(&cache->unused_sheaves, sheaf);
}

static struct km_sheaf *empty_sheaf(struct km_slub_cache *cache, unsigned cpu, uint32_t gfp)
{
	struct km_sheaf *sheaf = sheaf_pop(&cache->barn_empty);

	return sheaf ? sheaf : sheaf_new(cache, cpu, gfp);
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

/* 7.x: as many as fill the kmalloc class that the wished number needs; 6.18: as asked. */
static uint32_t capacity_of(const struct km_slub_cache *cache, uint32_t asked)
{
	const struct km_profile *profile = cache->slub->profile;
	uint32_t size = cache->size, capacity;

	if (profile->slab_front != KM_FRONT_SHEAVES)
		return profile->sheaves_opt_in ? asked : 0;
	if (cache->flags & KM_SLAB_NO_SHEAVES)
		return 0;
	capacity = size >= 4096 ? 4 : size >= 1024 ? 12 : size >= 256 ? 28 : 60;
	return capacity > asked ? capacity : asked;
}

/*
 * No CPU has a main sheaf before all are there: where a class serves its own sheaves' memory, it is
 * asked while they are made.
 */
bool km_sheaf_setup(struct km_slub_cache *cache, uint32_t asked)
{
	struct km_sheaf *mains = NULL, *sheaf;

	cache->sheaf_capacity = capacity_of(cache, asked);
	if (!cache->sheaf_capacity)
		return true;
	if (!km_barn_get_memory(cache, 0))
		return false;
	for (unsigned cpu = 0; cpu < cache->slub->machine->spec.possible_cpus; cpu++) {
		sheaf = sheaf_new(cache, 0, KM_GFP_KERNEL);
		if (!sheaf)
			goto out;
		sheaf_push(&mains, sheaf);
	}
	for (unsigned cpu = 0; cpu < cache->slub->cpus; cpu++) {
		cache->cpu[cpu].main = sheaf_pop(&mains);
		cache->cpu[cpu].sheaf_capacity = (uint16_t)cache->sheaf_capacity;
	}
	cache->absent_mains = mains;
	return true;

out:
	while ((sheaf = sheaf_pop(&mains)))
		sheaf_free(cache, 0, sheaf);
	km_barn_put_memory(cache, 0);
	return false;
}

void km_sheaf_teardown(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_sheaf *sheaf;

	for (unsigned i = 0; i < cache->slub->cpus; i++) {
		sheaf_free(cache, cpu, cache->cpu[i].main);
		cache->cpu[i].main = NULL;
	}
	while ((sheaf = sheaf_pop(&cache->absent_mains)))
		sheaf_free(cache, cpu, sheaf);
	km_barn_put_memory(cache, cpu);
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
		sheaf = empty_sheaf(cache, cpu, gfp);
	if (!sheaf)
		return false;
	cache->slub->count->sheaf_refill++;
	sheaf->nr = backend->fill(cache, cpu, gfp | backend->fill_gfp, sheaf->objects,
				  cache->sheaf_capacity);
	if (sheaf->nr < cache->sheaf_capacity) {
		sheaf_flush(cache, cpu, sheaf);
		sheaf_free(cache, cpu, sheaf);
		return false;
	}
	if (backend->main_is_spared && !c->spare)
		c->spare = c->main;
	else
		sheaf_push(&cache->barn_empty, c->main);
	c->main = sheaf;
	return true;
}

/*
 * While the empty sheaf's memory was allocated, the same cache may have served it from its main
 * sheaf: then there is room already.
 */
static void install_empty(struct km_slub_cache *cache, struct km_slub_cpu *c,
			  struct km_sheaf *empty)
{
	if (c->spare && c->main->nr < cache->sheaf_capacity) {
		sheaf_push(&cache->barn_empty, empty);
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
	empty = empty_sheaf(cache, cpu, cache->backend->free_gfp);
	if (!empty)
		flush_main(cache, cpu);
	else
		install_empty(cache, c, empty);
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

	struct km_sheaf *spare = c->spare;

	/* A class that serves sheaves' memory gets it back here: the CPU has no spare any more. */
	c->spare = NULL;
	if (spare) {
		sheaf_flush(cache, cpu, spare);
		sheaf_free(cache, cpu, spare);
	}
	flush_main(cache, cpu);
}

void km_sheaf_flush_barn(struct km_slub_cache *cache, unsigned cpu)
{
	struct km_sheaf *sheaf;

	while ((sheaf = barn_get_full(cache))) {
		sheaf_flush(cache, cpu, sheaf);
		sheaf_free(cache, cpu, sheaf);
	}
	while ((sheaf = sheaf_pop(&cache->barn_empty)))
		sheaf_free(cache, cpu, sheaf);
}

uint64_t km_sheaf_objects(const struct km_slub_cache *cache)
{
	uint64_t sum = 0;

	for (const struct km_sheaf *sheaf = cache->barn_full; sheaf; sheaf = sheaf->next)
		sum += sheaf->nr;
	for (unsigned cpu = 0; cpu < cache->slub->cpus; cpu++) {
		sum += cache->cpu[cpu].main ? cache->cpu[cpu].main->nr : 0;
		sum += cache->cpu[cpu].spare ? cache->cpu[cpu].spare->nr : 0;
	}
	return sum;
}
