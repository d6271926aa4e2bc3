/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLAB's arrays of free objects, one per CPU and one shared by all, and the reaper that empties
 * what lies idle (mm/slab.c: cache_alloc_refill, cache_flusharray, drain_array, cache_reap; 6.1).
 */
#include <string.h>

#include "slab.h"

#define IDLE_REFILL_MAX 16u /* objects for a CPU that took none lately */
#define SECOND_NS 1000000000ull
#define REAP_CPU_NS (2 * SECOND_NS)
#define REAP_NODE_NS (4 * SECOND_NS)

struct slab_array *km_slab_array_new(struct slab_layer *layer, uint32_t limit, uint32_t batch)
{
	struct slab_array *array =
		km_record_new(&layer->records, sizeof(*array) + limit * sizeof(array->entry[0]));

	if (array) {
		array->limit = limit;
		array->batch = batch;
	}
	return array;
}

/* ---- taking ---- */

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* The newest objects of the shared array move, and keep their order. */
static bool refill_from_shared(struct slab_cache *cache, struct slab_array *array, unsigned wanted)
{
	struct slab_array *shared = cache->shared;
	unsigned moved;

	if (!shared || !shared->avail)
		return false;
	moved = smaller(shared->avail, smaller(wanted, array->limit));
	shared->avail -= moved;
	memcpy(array->entry, shared->entry + shared->avail, moved * sizeof(array->entry[0]));
	array->avail = moved;
	shared->touched = true;
	cache->layer->count->array_shared++;
	return true;
}

/* What is still wanted when the lists have no more. */
static unsigned refill_from_lists(struct slab_cache *cache, struct slab_array *array,
				  unsigned wanted)
{
	struct slab *slab;

	while (wanted && (slab = km_slab_first(cache))) {
		unsigned before = slab->active;

		wanted = km_slab_take(slab, array, wanted);
		km_slab_relist(slab, before);
	}
	cache->free_objects -= array->avail;
	if (array->avail)
		cache->layer->count->array_refill++;
	return wanted;
}

/* The array's page failed on this node's terms: one slab with the caller's own flags, one object.
 */
static bool refill_in_need(struct slab_cache *cache, struct slab_array *array, unsigned cpu,
			   uint32_t gfp)
{
	struct slab *slab;

	if (gfp & KM_GFP_THISNODE)
		return false;
	slab = km_slab_grow(cache, cpu, gfp);
	if (!slab)
		return false;
	km_slab_grown(cache, slab);
	slab = km_slab_first(cache);
	km_slab_take(slab, array, 1);
	km_slab_relist(slab, slab->active - 1);
	cache->free_objects--;
	return true;
}

km_objref km_slab_refill(struct slab_cache *cache, unsigned cpu, uint32_t gfp)
{
	struct slab_array *array = cache->cpu[cpu];
	unsigned wanted = array->touched ? array->batch : smaller(array->batch, IDLE_REFILL_MAX);
	uint32_t here = (gfp | KM_GFP_THISNODE | KM_GFP_NOWARN) & ~KM_GFP_NOFAIL;
	struct slab *slab;

	if (cache->free_objects || (cache->shared && cache->shared->avail)) {
		if (!refill_from_shared(cache, array, wanted))
			wanted = refill_from_lists(cache, array, wanted);
	}
	if (!array->avail) {
		slab = km_slab_grow(cache, cpu, here);
		if (slab) {
			km_slab_take(slab, array, wanted);
			km_slab_grown(cache, slab);
		} else if (!refill_in_need(cache, array, cpu, gfp)) {
			return 0;
		}
	}
	array->touched = true;
	return array->entry[--array->avail];
}

/* ---- giving ---- */

static void drop_oldest(struct slab_array *array, unsigned n)
{
	array->avail -= n;
	memmove(array->entry, array->entry + n, array->avail * sizeof(array->entry[0]));
}

void km_slab_flush(struct slab_cache *cache, unsigned cpu)
{
	struct slab_array *array = cache->cpu[cpu], *shared = cache->shared;
	unsigned n = array->batch, room = shared ? shared->limit - shared->avail : 0;

	cache->layer->count->array_flush++;
	if (room) {
		n = smaller(n, room);
		memcpy(shared->entry + shared->avail, array->entry, n * sizeof(array->entry[0]));
		shared->avail += n;
	} else {
		km_slab_give(cache, cpu, array->entry, n);
	}
	drop_oldest(array, n);
}

static void drain_all(struct slab_cache *cache, struct slab_array *array, unsigned cpu)
{
	unsigned n = array->avail;

	array->avail = 0;
	km_slab_give(cache, cpu, array->entry, n);
}

/* The caller's CPU need not be called first. */
void km_slab_drain_arrays(struct slab_cache *cache, unsigned caller)
{
	drain_all(cache, cache->cpu[caller], caller);
	for (unsigned cpu = 0; cpu < cache->layer->cpus; cpu++)
		if (cpu != caller)
			drain_all(cache, cache->cpu[cpu], cpu);
	if (cache->shared)
		drain_all(cache, cache->shared, caller);
}

/* ---- the reaper ---- */

/* An array in use is left alone once; an idle one loses a fifth of its limit. */
static void reap_array(struct slab_cache *cache, struct slab_array *array, unsigned cpu)
{
	unsigned n;

	if (!array || !array->avail)
		return;
	if (array->touched) {
		array->touched = false;
		return;
	}
	n = (array->limit + 4) / 5;
	if (n > array->avail)
		n = (array->avail + 1) / 2;
	cache->layer->count->array_reap++;
	km_slab_give(cache, cpu, array->entry, n);
	drop_oldest(array, n);
}

static void reap_cache(struct slab_cache *cache, unsigned cpu, uint64_t now_ns)
{
	uint64_t fifth = 5ull * cache->geometry.objects;

	reap_array(cache, cache->cpu[cpu], cpu);
	if (cache->next_reap_ns > now_ns)
		return;
	cache->next_reap_ns = now_ns + REAP_NODE_NS;
	reap_array(cache, cache->shared, cpu);
	if (cache->free_touched)
		cache->free_touched = false;
	else
		km_slab_drain_free(cache, cpu, (cache->free_limit + fifth - 1) / fifth);
}

/* The CPU whose reaper is due first. */
static unsigned first_due(const struct slab_layer *layer)
{
	unsigned first = 0;

	for (unsigned cpu = 1; cpu < layer->cpus; cpu++)
		if (layer->reap_ns[cpu] < layer->reap_ns[first])
			first = cpu;
	return first;
}

void km_slab_reap(struct slab_layer *layer)
{
	uint64_t now_ns = layer->env->time_ns;
	unsigned cpu;

	while (layer->reap_ns[cpu = first_due(layer)] <= now_ns) {
		uint64_t due_ns = layer->reap_ns[cpu];

		layer->reap_ns[cpu] = due_ns + REAP_CPU_NS;
		for (struct slab_cache *cache = layer->newest; cache; cache = cache->older)
			reap_cache(cache, cpu, due_ns);
	}
	layer->next_reap_ns = layer->reap_ns[cpu];
}
