/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live slab objects of a trace, as small and as fast as a table of statistics needs them. What
 * an event means is decided as traces/repair.h decides it; t_stat.c compares every count.
 */
#ifndef KMLAB_STAT_LIVING_H
#define KMLAB_STAT_LIVING_H

#include "living_table.h"
#include "living_traits.h"
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
	struct km_living_traits traits; /* of objects that begin */
	uint64_t word;                  /* what their lives have in common */
	uint16_t cpu;
	uint8_t verb; /* enum km_living_verb */
	uint8_t order;
	bool kmalloc, large; /* kmalloc; one that may be traced twice */
};

/* How an object began. */
struct km_living_birth {
	uint64_t time_ns;
	const struct km_living_traits *traits; /* until the next object begins or ends */
	uint32_t group;
	uint16_t cpu;
};

/* What left no trace in any group; named as the counters of km_repair_counts that they equal. */
struct km_living_counts {
	uint64_t preexisting_frees, null_frees, failed_allocs, double_large;
};

struct km_living {
	struct km_living_table table;
	/*
	 * A birth is kept in one word, from the top: the time, the object's own group if such there
	 * are, the CPU, the number of traits. What has no number, as there are too many traits, or
	 * a time beyond what was announced is in `wide`: then the number is KM_LIVING_WIDE, and the
	 * place there is where else the time is.
	 */
	unsigned time_shift, own_shift, cpu_shift;
	uint64_t most_time, own_mask, cpu_mask, number_mask;
	struct km_living_numbers numbers;
	struct km_living_wide {
		uint64_t time_ns; /* of a place that is free: the next such one */
		struct km_living_traits traits;
		uint32_t group;
		uint16_t cpu;
	} * wide;
	uint64_t nr_wide, max_wide, free_wide;
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

#define KM_LIVING_WIDE 1 /* 0 is no number, as a life that is 0 has ended */

/* What is known of the calls before the first. */
struct km_living_hints {
	uint32_t kinds;       /* a bit for each kind of event that may come */
	uint64_t calls, open; /* about so many events, and objects that stay */
	uint64_t duration_ns; /* later calls are few */
	uint64_t direct_map;  /* where it begins */
	uint32_t own_groups;  /* each object has a group of its own, below that; 0: none has */
	unsigned cpus;        /* CPUs are below that */
};
/* Empty but for what the first call needs: -ENOMEM. */
int km_living_init(struct km_living *live, const struct km_living_hints *hints);
void km_living_free(struct km_living *live);

/* The shape of such calls, whose objects are of that group; false: no memory. */
bool km_living_shape(struct km_living *live, const struct km_event *event, uint32_t group,
		     struct km_living_shape *shape);

/* ---- private to what follows ---- */

/* A leaf for the page of ptr, if events can be about that page; -ENOMEM. */
int km_living_new_leaf(struct km_living *live, uint64_t ptr);
/*
 * A call comes after a large kmalloc. True: it is that one again, of the object at its place; NULL:
 * it is no allocation.
 */
bool km_living_after_large(struct km_living *live, const struct km_living_call *call,
			   const struct km_living_shape *shape,
			   const struct km_living_place *place);
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

/* The life of an object that one word does not hold; 0: no memory. */
uint64_t km_living_wide_life(struct km_living *live, uint64_t time_ns,
			     const struct km_living_shape *shape, uint32_t group);
void km_living_free_wide(struct km_living *live, uint64_t life);

static inline uint64_t km_living_life(struct km_living *live, uint64_t time_ns,
				      const struct km_living_shape *shape, uint32_t group)
{
	if (__builtin_expect(shape->word == KM_LIVING_WIDE || time_ns > live->most_time, 0))
		return km_living_wide_life(live, time_ns, shape, group);
	return time_ns << live->time_shift | (group & live->own_mask) << live->own_shift |
	       shape->word;
}

static inline struct km_living_birth km_living_wide_birth(const struct km_living_wide *wide)
{
	return (struct km_living_birth){wide->time_ns, &wide->traits, wide->group, wide->cpu};
}

static inline void km_living_end_life(struct km_living *live, uint64_t life)
{
	if (__builtin_expect((life & live->number_mask) == KM_LIVING_WIDE, 0))
		km_living_free_wide(live, life);
}

/* ---- calls ---- */

/* Of an object that lives. */
static inline struct km_living_birth km_living_birth(const struct km_living *live,
						     const struct km_living_place *place)
{
	const uint64_t life = place->life, number = life & live->number_mask;
	const uint64_t time_ns = life >> live->time_shift;
	const struct km_living_traits *traits;
	uint32_t own;

	if (__builtin_expect(number == KM_LIVING_WIDE, 0))
		return km_living_wide_birth(&live->wide[time_ns]);
	traits = &live->numbers.traits[number];
	own = (uint32_t)(life >> live->own_shift & live->own_mask);
	return (struct km_living_birth){time_ns, traits, traits->group + own,
					(uint16_t)(life >> live->cpu_shift & live->cpu_mask)};
}

/* Any call but an allocation of slab objects. */
static inline void km_living_note(struct km_living *live, const struct km_living_call *call,
				  const struct km_living_shape *shape)
{
	if (__builtin_expect(live->nr_large, 0))
		km_living_after_large(live, call, shape, NULL);
}

/*
 * The place of what an allocation of slab objects gave; NULL: it failed. *twice: nothing began, the
 * object that is there belongs to this call: km_living_change(). Else km_living_put() must follow:
 * if there is a live object, it ended unseen.
 */
static inline struct km_living_place *km_living_alloc(struct km_living *live,
						      const struct km_living_call *call,
						      const struct km_living_shape *shape,
						      bool *twice)
{
	struct km_living_place *place;

	*twice = false;
	if (__builtin_expect(!call->ptr, 0)) {
		live->counts.failed_allocs++;
		km_living_note(live, call, shape);
		return NULL;
	}
	place = km_living_find(&live->table, call->ptr);
	if (__builtin_expect(live->nr_large, 0))
		*twice = km_living_after_large(live, call, shape, place);
	return place;
}

/* An object begins at its place. -ENOMEM: there is no room for another. */
static inline int km_living_put(struct km_living *live, struct km_living_place *place,
				const struct km_living_call *call,
				const struct km_living_shape *shape, uint32_t group)
{
	if (place->life) {
		km_living_end_life(live, place->life);
	} else {
		live->table.used += !place->ptr;
		if (live->with_pages && km_living_begins(live, call->ptr))
			return -1;
	}
	place->ptr = call->ptr;
	place->life = km_living_life(live, call->time_ns, shape, group);
	if (__builtin_expect(!place->life, 0))
		return -1;
	if (__builtin_expect(shape->large, 0))
		km_living_set_large(live, call, shape->cpu);
	return live->table.used > live->table.most ? km_living_table_renew(&live->table) : 0;
}

/* A live object is that of another allocation, but for the time. -ENOMEM. */
int km_living_change(struct km_living *live, struct km_living_place *place,
		     const struct km_living_shape *shape, uint32_t group);

/* The place of what a free of a slab object ends, for km_living_remove(); NULL: none. */
static inline struct km_living_place *km_living_freed(struct km_living *live, uint64_t ptr)
{
	struct km_living_place *place;

	if (ptr <= KM_LIVING_NULL_MAX) {
		live->counts.null_frees++;
		return NULL;
	}
	place = km_living_find(&live->table, ptr);
	if (place->life)
		return place;
	live->counts.preexisting_frees++;
	return NULL;
}

static inline void km_living_remove(struct km_living *live, struct km_living_place *place)
{
	uint16_t *page = live->with_pages ? km_living_page(live, place->ptr) : NULL;

	if (page)
		--*page;
	km_living_end_life(live, place->life);
	place->life = 0;
}

/* A call with this pointer is near. */
static inline void km_living_prefetch(const struct km_living *live, uint64_t ptr)
{
	__builtin_prefetch(&live->table.places[km_living_home(&live->table, ptr)]);
}

/*
 * Pages were handed out or given back: the place of an object that seems live in them, one per
 * call, for km_living_remove(); NULL when there are no more. *offset: where to look on; at first 0.
 */
struct km_living_place *km_living_next_gone(struct km_living *live,
					    const struct km_living_call *call,
					    const struct km_living_shape *shape, uint64_t *offset);

#endif
