/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live slab objects of a trace, as small and as fast as a table of statistics needs them. What
 * an event means is decided as traces/repair.h decides it; t_stat.c compares every count.
 */
#ifndef KMLAB_STAT_LIVING_H
#define KMLAB_STAT_LIVING_H

#include "traces/columns.h"

/* A traced call, but for what many have in common: its shape. */
struct km_living_call {
	uint64_t ptr, time_ns;
	const struct km_actor *actor;
};

struct km_living_object {
	uint64_t ptr; /* 0: none was ever there */
	uint64_t time_ns;
	uint32_t group; /* of the allocation; the caller's */
	uint32_t bytes_req, bytes_alloc;
	uint16_t cpu;
	bool live;
};

/* What left no trace in any group; named as the counters of km_repair_counts that they equal. */
struct km_living_counts {
	uint64_t preexisting_frees, null_frees, failed_allocs, double_large;
};

struct km_living {
	/*
	 * Open addressing, linear probing. An object that ended keeps its place, as its address is
	 * likely to be handed out again; those that do not come back go when the table is full.
	 */
	struct km_living_object *objects;
	unsigned bits; /* log2 of their number */
	size_t used;   /* places taken */
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
	struct km_living_counts counts;
};

#define KM_LIVING_NULL_MAX 16 /* this and the next as in traces/repair.c */
#define KM_LIVING_LARGE_BYTES 8192
#define KM_LIVING_LEAF_SHIFT 15 /* pages per leaf: 128 MiB of memory in 4 KiB pages */

/*
 * Of calls of those kinds, a bit for each, and of about so many calls. Empty but for what the first
 * call needs: -ENOMEM.
 */
int km_living_init(struct km_living *live, uint32_t kinds, uint64_t calls, uint64_t direct_map,
		   unsigned cpus);
void km_living_free(struct km_living *live);

/* ---- private to what follows ---- */

/* Only the live objects, in at most a quarter of the places; -ENOMEM. */
int km_living_renew(struct km_living *live);
/* A leaf for the page of ptr, if events can be about that page; -ENOMEM. */
int km_living_new_leaf(struct km_living *live, uint64_t ptr);

/* Where the live objects that begin in the page of ptr are counted; NULL: nowhere. */
static inline uint16_t *km_living_page(const struct km_living *live, uint64_t ptr)
{
	uint64_t pfn = (ptr - live->direct_map) >> KM_PAGE_SHIFT,
		 leaf = pfn >> KM_LIVING_LEAF_SHIFT;

	return leaf < live->nr_leaves && live->leaves[leaf]
		       ? &live->leaves[leaf][pfn & ((1u << KM_LIVING_LEAF_SHIFT) - 1)]
		       : NULL;
}

/* The first of the two places in one cache line where an object may lie first. */
static inline size_t km_living_home(const struct km_living *live, uint64_t ptr)
{
	return ptr * 0x9e3779b97f4a7c15ull >> (64 - live->bits) & ~(size_t)1;
}

/*
 * The object at ptr, live or not, or the empty place where it belongs. The choice in a line is no
 * branch, as nothing could predict it.
 */
static inline struct km_living_object *km_living_find(const struct km_living *live, uint64_t ptr)
{
	size_t mask = ((size_t)1 << live->bits) - 1, at = km_living_home(live, ptr);

	for (;; at = (at + 2) & mask) {
		struct km_living_object *object = &live->objects[at];

		object += (object->ptr != ptr) & (object->ptr != 0);
		if (object->ptr == ptr || !object->ptr)
			return object;
	}
}

static inline uint32_t km_living_size(uint64_t bytes)
{
	return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

static inline bool km_living_same_actor(const struct km_living_large *large,
					const struct km_living_call *call)
{
	return large->task == call->actor->task && large->context == call->actor->context;
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

/* The very object, traced by an inner and now by an outer function. */
static inline bool km_living_is_double(const struct km_living_large *large,
				       const struct km_living_object *object,
				       const struct km_event *shape)
{
	return shape->kind == KM_EV_KMALLOC && object->live && large->ptr == object->ptr &&
	       large->time_ns == object->time_ns &&
	       object->bytes_req == km_living_size(shape->bytes_req) &&
	       object->bytes_alloc == km_living_size(shape->bytes_alloc);
}

/* ---- calls ---- */

/* Any call but an allocation of slab objects. */
static inline void km_living_note(struct km_living *live, const struct km_living_call *call,
				  const struct km_event *shape)
{
	struct km_living_large *large = &live->large[shape->cpu];

	if (__builtin_expect(large->valid, 0) && km_living_same_actor(large, call))
		large->valid = false;
}

/*
 * The place of what an allocation of slab objects gave; NULL: it failed. *twice: nothing began,
 * the object that is there belongs to this call. Else km_living_put() must follow: if the object
 * that is there is live, it ended unseen.
 */
static inline struct km_living_object *km_living_alloc(struct km_living *live,
						       const struct km_living_call *call,
						       const struct km_event *shape, bool *twice)
{
	struct km_living_large *large = &live->large[shape->cpu];
	struct km_living_object *object;

	*twice = false;
	if (!call->ptr) {
		live->counts.failed_allocs++;
		km_living_note(live, call, shape);
		return NULL;
	}
	object = km_living_find(live, call->ptr);
	if (__builtin_expect(large->valid, 0) && km_living_same_actor(large, call)) {
		*twice = km_living_is_double(large, object, shape);
		live->counts.double_large += *twice;
		large->valid = false;
	}
	return object;
}

/* An object begins at its place. -ENOMEM: there is no room for another. */
static inline int km_living_put(struct km_living *live, struct km_living_object *object,
				const struct km_living_call *call, const struct km_event *shape,
				uint32_t group)
{
	if (!object->live) {
		live->used += !object->ptr;
		if (live->with_pages && km_living_begins(live, call->ptr))
			return -1;
	}
	*object = (struct km_living_object){.ptr = call->ptr,
					    .time_ns = call->time_ns,
					    .group = group,
					    .bytes_req = km_living_size(shape->bytes_req),
					    .bytes_alloc = km_living_size(shape->bytes_alloc),
					    .cpu = shape->cpu,
					    .live = true};
	if (shape->kind == KM_EV_KMALLOC && shape->bytes_alloc > KM_LIVING_LARGE_BYTES)
		live->large[shape->cpu] = (struct km_living_large){
			call->ptr, call->time_ns, call->actor->task, call->actor->context, true};
	return live->used > (size_t)1 << live->bits >> 1 ? km_living_renew(live) : 0;
}

/* The object that a free of a slab object ends, for km_living_remove(); NULL: none. */
static inline struct km_living_object *km_living_freed(struct km_living *live, uint64_t ptr)
{
	struct km_living_object *object;

	if (ptr <= KM_LIVING_NULL_MAX) {
		live->counts.null_frees++;
		return NULL;
	}
	object = km_living_find(live, ptr);
	if (object->live)
		return object;
	live->counts.preexisting_frees++;
	return NULL;
}

static inline void km_living_remove(struct km_living *live, struct km_living_object *object)
{
	uint16_t *page = live->with_pages ? km_living_page(live, object->ptr) : NULL;

	if (page)
		--*page;
	object->live = false;
}

/* A call with this pointer is near. */
static inline void km_living_prefetch(const struct km_living *live, uint64_t ptr)
{
	__builtin_prefetch(&live->objects[km_living_home(live, ptr)]);
}

/*
 * Pages were handed out or given back: an object that seemed live in them, one per call, removed;
 * false when there are no more. *offset: where to look on; at first 0.
 */
bool km_living_next_gone(struct km_living *live, const struct km_living_call *call,
			 const struct km_event *shape, uint64_t *offset,
			 struct km_living_object *gone);

#endif
