/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The classic SLAB allocator as a model (mm/slab.c, 5.15 - 6.7; removed in 6.8): what its files
 * share. Every CPU has an array of free objects per cache; behind the arrays stand one shared
 * array and the node's lists of full, partial and free slabs. One NUMA node: no alien arrays.
 */
#ifndef ENGINE_SLAB_H
#define ENGINE_SLAB_H

#include <kmlab/machine.h>

#include "record.h"
#include "ring.h"
#include "slab_common.h"

/* Free-object indexes are bytes. */
#define KM_SLAB_OBJECTS_MAX 255u
/* 5.15: kmalloc classes go on above 8 KiB up to 4 MiB; indexes 14 to 22. */
#define KM_SLAB_LARGE_FIRST KM_KMALLOC_CLASSES
#define KM_SLAB_LARGE_CLASSES 9u

/* Where a slab's array of free indexes lies. */
enum km_slab_freelist {
	KM_FREELIST_IN_OBJECT, /* in a free object of the slab: takes no room */
	KM_FREELIST_OFF_SLAB,  /* in a kmalloc object of its own */
	KM_FREELIST_ON_SLAB,   /* in the last bytes of the slab */
};

struct km_slab_geometry {
	uint32_t size, align; /* stride and alignment, bytes */
	uint32_t order, objects;
	uint32_t colours, colour_step; /* first objects start at 0 ... colours - 1 steps, bytes */
	enum km_slab_freelist freelist;
	uint32_t limit, batch; /* of a CPU's array, objects */
	uint32_t shared_limit; /* of the shared array; 0: there is none */
};

/* 0, or -EINVAL when no order fits. `few_pages`: a machine of at most 32 MiB. */
int km_slab_geometry(const struct km_cache_spec *spec, unsigned possible_cpus, bool few_pages,
		     struct km_slab_geometry *geometry);

enum slab_object_state { SLAB_FREE, SLAB_CACHED, SLAB_LIVE };

/* One slab. */
struct slab {
	struct km_ring link; /* on a list of its cache; first, so that a link is its slab */
	struct slab_cache *cache;
	uint64_t first;    /* address of the first object: page address and colour */
	uint64_t freelist; /* address of the index array, KM_FREELIST_OFF_SLAB only */
	uint32_t active;   /* objects not free: handed out, or in an array */
	/* [objects]: indexes, those from `active` on are free; [objects]: enum slab_object_state */
	uint8_t index[] __attribute__((aligned(64)));
};

struct slab_array {
	uint32_t avail, limit, batch;
	bool touched; /* taken from since the reaper last looked */
	km_objref entry[];
};

struct slab_cache {
	struct slab_layer *layer;
	uint64_t live; /* objects handed out */
	/* node */
	struct km_ring full, partial, free;
	uint64_t nr_slabs, nr_free_slabs, nr_partial, free_objects, free_limit;
	struct slab_array *shared;
	uint32_t next_colour;
	bool free_touched; /* a free slab was taken since the reaper last looked */
	uint64_t next_reap_ns;
	/* constant */
	struct km_slab_geometry geometry;
	uint64_t reciprocal;
	uint32_t flags, object_size, page_gfp;
	bool mergeable;
	unsigned aliases;         /* further creations that got this cache */
	uint16_t *permutation;    /* CONFIG_SLAB_FREELIST_RANDOM; NULL: by address */
	struct km_ring *unused;   /* records kept for reuse, linked by next */
	struct slab_cache *older; /* in creation order */
	uint64_t seen_slabs, seen_live, seen_cached; /* validate()'s */
	const char *name;
	size_t bytes; /* of this record */
	struct slab_array *cpu[];
};

struct slab_layer {
	struct km_counters *count;
	struct slab **slab_of_pfn; /* the slab a page belongs to, or NULL */
	uint64_t max_pfn;
	struct km_env *env;
	struct km_machine *machine;
	const struct km_profile *profile;
	uint64_t slab_pages;
	struct slab_cache *newest;
	uint64_t next_reap_ns; /* of any CPU */
	uint64_t *reap_ns;     /* per CPU */
	unsigned cpus;
	struct km_record_pool records;
	void *large[KM_NR_KMALLOC_TYPES][KM_SLAB_LARGE_CLASSES]; /* 5.15's classes above 8 KiB */
};

static inline uint8_t *slab_states(struct slab *slab)
{
	return slab->index + slab->cache->geometry.objects;
}

/* The slab an address lies in, or NULL. */
static inline struct slab *slab_of(const struct slab_layer *layer, uint64_t addr)
{
	uint64_t pfn = (addr - KM_DIRECT_MAP_BASE) >> KM_PAGE_SHIFT;

	return pfn < layer->max_pfn ? layer->slab_of_pfn[pfn] : NULL;
}

/* ---- slab_node.c: slabs and the node's lists ---- */

/* A new slab on no list, all objects free; NULL without memory. */
struct slab *km_slab_grow(struct slab_cache *cache, unsigned cpu, uint32_t gfp);
/* What is left of a new slab joins the lists. */
void km_slab_grown(struct slab_cache *cache, struct slab *slab);
/* The slab to take from, still listed, or NULL: partial slabs come before free ones. */
struct slab *km_slab_first(struct slab_cache *cache);
/* Up to `wanted` objects of the slab behind what the array holds; how many are still wanted. */
unsigned km_slab_take(struct slab *slab, struct slab_array *array, unsigned wanted);
/* After taking from a slab that had so many active: to the head of the full or partial list. */
void km_slab_relist(struct slab *slab, unsigned active_before);
/* Objects go back to their slabs; free slabs beyond the limit go back to the page layer. */
void km_slab_give(struct slab_cache *cache, unsigned cpu, const km_objref *objects, unsigned n);
/* Release at most so many free slabs, the longest free first. */
void km_slab_drain_free(struct slab_cache *cache, unsigned cpu, uint64_t slabs);

/* ---- slab_array.c: arrays ---- */

struct slab_array *km_slab_array_new(struct slab_layer *layer, uint32_t limit, uint32_t batch);
/* One object for a CPU whose array is empty; 0 without memory. */
km_objref km_slab_refill(struct slab_cache *cache, unsigned cpu, uint32_t gfp);
/* Make room in a full array. */
void km_slab_flush(struct slab_cache *cache, unsigned cpu);
/* All arrays back to the slabs. `cpu` is the caller's. */
void km_slab_drain_arrays(struct slab_cache *cache, unsigned cpu);
/* Time has reached next_reap_ns: every CPU's reaper runs as often as it is due. */
void km_slab_reap(struct slab_layer *layer);

/* ---- slab_cache.c, slab_check.c: as in struct km_slab_ops ---- */

void *km_slab_cache_create(void *self, const struct km_cache_spec *spec);
int km_slab_cache_destroy(void *self, void *handle, unsigned cpu);
int km_slab_cache_info(void *self, void *handle, struct km_cache_info *info);
int km_slab_validate(void *self);

#endif
