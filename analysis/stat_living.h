/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live slab objects of a trace, as small and as fast as a table of statistics needs them. What
 * an event means is decided as traces/repair.h decides it; t_stat.c compares every count.
 */
#ifndef KMLAB_STAT_LIVING_H
#define KMLAB_STAT_LIVING_H

#include "living_table.h"
#include "traces/brief.h"
#include "traces/trace.h"

/* A traced call, but for what many have in common: its shape. */
struct km_living_call {
	uint64_t ptr, time_ns;
	const struct km_actor *actor;
};

enum km_living_verb {
	KM_LIVING_BEGIN, /* an object: km_living_alloc() */
	KM_LIVING_END,   /* km_living_note(), km_living_freed() */
	KM_LIVING_PAGES, /* handed out or given back: km_living_note(), km_living_next_gone() */
	KM_LIVING_OTHER  /* km_living_note() */
};

/* What calls of a shape do, decided once. */
struct km_living_shape {
	struct km_living_traits traits; /* of objects that begin; cpu: of any */
	uint8_t verb;                   /* enum km_living_verb */
	uint8_t order;
	bool kmalloc, large; /* kmalloc; one that may be traced twice */
};
struct km_living_shape km_living_shape(const struct km_event *event, uint32_t group);

/* What left no trace in any group; named as the counters of km_repair_counts that they equal. */
struct km_living_counts {
	uint64_t preexisting_frees, null_frees, failed_allocs, double_large;
};

struct km_living {
	struct km_living_table table;
	/* Where events can be about pages: by pfn, objects that begin there, see km_living_page().
	 */
	bool with_pages;
	uint16_t **leaves;
	size_t nr_leaves;
	uint64_t direct_map;
	/* The last large kmalloc of each CPU, as long as its task has done nothing else there. */
	struct km_living_large {
		uint64_t ptr, time_ns;
		uint32_t task;
		uint8_t context;
		bool valid;
	} * large;
	unsigned nr_large; /* that are valid; mostly none */
	struct km_living_counts counts;
};

#define KM_LIVING_NULL_MAX 16 /* this and the next as in traces/repair.c */
#define KM_LIVING_LARGE_BYTES 8192
#define KM_LIVING_LEAF_SHIFT 15 /* pages per leaf: 128 MiB of memory in 4 KiB pages */

/*
 * Of calls of those kinds, a bit for each, and of about so many calls, of whose objects about so
 * many stay. Empty but for what the first call needs: -ENOMEM.
 */
int km_living_init(struct km_living *live, uint32_t kinds, uint64_t calls, uint64_t open,
		   uint64_t direct_map, unsigned cpus);
void km_living_free(struct km_living *live);

/* ---- private to what follows ---- */

/* A leaf for the page of ptr, if events can be about that page; -ENOMEM. */
int km_living_new_leaf(struct km_living *live, uint64_t ptr);
/*
 * A call comes after a large kmalloc. True: it is that one again, of the object that is there, or
 * NULL.
 */
bool km_living_after_large(struct km_living *live, const struct km_living_call *call,
			   const struct km_living_shape *shape,
			   const struct km_living_object *object);
void km_living_set_large(struct km_living *live, const struct km_living_call *call, unsigned cpu);

/* Where the live objects that begin in the page of ptr are counted; NULL: nowhere. */
static inline uint16_t *km_living_page(const struct km_living *live, uint64_t ptr)
{
	uint64_t pfn = (ptr - live->direct_map) >> KM_PAGE_SHIFT,
		 leaf = pfn >> KM_LIVING_LEAF_SHIFT;

	return leaf < live->nr_leaves && live->leaves[leaf]
		       ? &live->leaves[leaf][pfn & ((1u << KM_LIVING_LEAF_SHIFT) - 1)]
		       : NULL;
}

/* An object begins in the page of ptr. -ENOMEM. */
static inline int km_living_begins(struct km_living *live, uint64_t ptr)
{
	uint16_t *page = km_living_page(live, ptr);

	if (__builtin_expect(!page, 0)) {
		if (km_living_new_leaf(live, ptr))
			return -1;
		page = km_living_page(live, ptr);
	}
	if (page)
		++*page;
	return 0;
}

/* ---- calls ---- */

/* Any call but an allocation of slab objects. */
static inline void km_living_note(struct km_living *live, const struct km_living_call *call,
				  const struct km_living_shape *shape)
{
	if (__builtin_expect(live->nr_large, 0))
		km_living_after_large(live, call, shape, NULL);
}

/*
 * The place of what an allocation of slab objects gave; NULL: it failed. *twice: nothing began,
 * the object that is there belongs to this call. Else km_living_put() must follow: if the object
 * that is there is live, it ended unseen.
 */
static inline struct km_living_object *km_living_alloc(struct km_living *live,
						       const struct km_living_call *call,
						       const struct km_living_shape *shape,
						       bool *twice)
{
	struct km_living_object *object;

	*twice = false;
	if (__builtin_expect(!call->ptr, 0)) {
		live->counts.failed_allocs++;
		km_living_note(live, call, shape);
		return NULL;
	}
	object = km_living_find(&live->table, call->ptr);
	if (__builtin_expect(live->nr_large, 0))
		*twice = km_living_after_large(live, call, shape, object);
	return object;
}

/* An object begins at its place, in that group. -ENOMEM: there is no room for another. */
static inline int km_living_put(struct km_living *live, struct km_living_object *object,
				const struct km_living_call *call,
				const struct km_living_shape *shape, uint32_t group)
{
	if (!object->of.live) {
		live->table.used += !object->ptr;
		if (live->with_pages && km_living_begins(live, call->ptr))
			return -1;
	}
	object->ptr = call->ptr;
	object->time_ns = call->time_ns;
	object->of = shape->traits;
	object->of.group = group;
	if (__builtin_expect(shape->large, 0))
		km_living_set_large(live, call, shape->traits.cpu);
	return live->table.used > live->table.most ? km_living_table_renew(&live->table) : 0;
}

/* The object that a free of a slab object ends, for km_living_remove(); NULL: none. */
static inline struct km_living_object *km_living_freed(struct km_living *live, uint64_t ptr)
{
	struct km_living_object *object;

	if (ptr <= KM_LIVING_NULL_MAX) {
		live->counts.null_frees++;
		return NULL;
	}
	object = km_living_find(&live->table, ptr);
	if (object->of.live)
		return object;
	live->counts.preexisting_frees++;
	return NULL;
}

static inline void km_living_remove(struct km_living *live, struct km_living_object *object)
{
	uint16_t *page = live->with_pages ? km_living_page(live, object->ptr) : NULL;

	if (page)
		--*page;
	object->of.live = false;
}

/* A call with this pointer is near: its line, and the one where looking goes on. */
static inline void km_living_prefetch(const struct km_living *live, uint64_t ptr)
{
	const struct km_living_object *line =
		&live->table.places[km_living_home(&live->table, ptr)];

	__builtin_prefetch(line);
	__builtin_prefetch(line + 2); /* behind the last there is nothing, which does no harm */
}

/*
 * Pages were handed out or given back: an object that seemed live in them, one per call, removed;
 * false when there are no more. *offset: where to look on; at first 0.
 */
bool km_living_next_gone(struct km_living *live, const struct km_living_call *call,
			 const struct km_living_shape *shape, uint64_t *offset,
			 struct km_living_object *gone);

#endif
