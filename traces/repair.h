/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From events to lifetimes. The tracepoints are not a complete log: this module alone decides what
 * each event means for the set of live objects, and counts every decision (design: "repair").
 *
 * Feed events in merged order; each answer says what to do with the event. Slots are dense object
 * ids: a slot is reused after its object is gone, so tables indexed by slot are bounded by live
 * objects, not by trace length.
 */
#ifndef KMLAB_REPAIR_H
#define KMLAB_REPAIR_H

#include <kmlab/err.h>
#include <kmlab/event.h>

enum km_repair_action {
	KM_REPAIR_DROP,    /* means nothing for live objects (NULL free, failed or double event) */
	KM_REPAIR_ALLOC,   /* a new object in `slot` */
	KM_REPAIR_REALLOC, /* the object in `slot` was freed unseen (implied); a new one is there */
	KM_REPAIR_FREE,    /* the object in `slot` is freed */
	KM_REPAIR_FREE_OLD, /* frees an object older than the trace */
	KM_REPAIR_NOTE,     /* not an alloc or free (zone_locked, purge ...) */
};

/* Where an object's pointer means something; per-CPU pointers are no addresses. */
enum km_object_space { KM_SPACE_SLAB, KM_SPACE_PAGE, KM_SPACE_VMAP, KM_SPACE_PERCPU, KM_NR_SPACES };

/* Of the objects that a kind of event is about. */
static inline enum km_object_space km_event_space(unsigned kind)
{
	static const uint8_t spaces[] = {[KM_GROUP_SLAB] = KM_SPACE_SLAB,
					 [KM_GROUP_PAGE] = KM_SPACE_PAGE,
					 [KM_GROUP_VMAP] = KM_SPACE_VMAP,
					 [KM_GROUP_PERCPU] = KM_SPACE_PERCPU,
					 [KM_GROUP_RCU] = KM_SPACE_SLAB};

	return (enum km_object_space)spaces[km_event_group_of(kind)];
}

struct km_object {
	uint64_t ptr; /* address, or pfn for pages */
	uint64_t alloc_ns;
	uint64_t bytes_req, bytes_alloc;
	uint32_t gfp, site, task, stack;
	uint16_t cache, cpu;
	uint8_t kind; /* the allocating event's */
	uint8_t order;
	uint8_t space;
	uint8_t backing; /* pages: a slab or large-kmalloc block (set when an object in it is seen)
			  */
	/* Handed to kvfree_call_rcu(): it ends after that, most often unseen. */
	uint8_t rcu_handed;
	uint16_t rcu_cpu;
	uint32_t rcu_site, rcu_task;
	uint64_t rcu_ns;
};

struct km_repair_step {
	enum km_repair_action action;
	uint32_t slot;         /* ALLOC, REALLOC, FREE */
	struct km_object gone; /* FREE, REALLOC: the object that ended */
	bool cross_api;        /* FREE: by another API than it was allocated with */
};

/* X(field, meaning): one list for the struct, the rows of a trace's table `repair` and readers. */
#define KM_REPAIR_COUNTERS(X)                                                                      \
	X(objects, "objects that began")                                                           \
	X(implied_frees, "frees not traced, implied by what came after them")                      \
	X(cross_api_frees, "frees by another API than the object was allocated with")              \
	X(preexisting_frees, "frees of objects older than the trace")                              \
	X(double_large, "large kmallocs traced twice")                                             \
	X(open, "objects live after the events fed so far")                                        \
	X(rcu_pending, "of them, objects handed to RCU")                                           \
	X(open_bytes, "their bytes, as allocated")                                                 \
	X(matched_frees, "frees that ended a traced object")                                       \
	X(null_frees, "frees of nothing")                                                          \
	X(failed_allocs, "allocations that returned nothing")                                      \
	X(page_splits, "frees of a part of a traced block of pages")

/* objects = matched_frees + implied_frees + open, after any event. */
struct km_repair_counts {
#define X(field, meaning) uint64_t field;
	KM_REPAIR_COUNTERS(X)
#undef X
};

struct km_repair;
struct km_trace;

int km_repair_new(struct km_repair **repair);
void km_repair_delete(struct km_repair *repair);
/* Where the recording kernel mapped all memory; KM_DIRECT_MAP_BASE until told otherwise. */
void km_repair_set_direct_map(struct km_repair *repair, uint64_t base);
/* 0, or -ENOMEM. */
int km_repair_feed(struct km_repair *repair, const struct km_event *event,
		   struct km_repair_step *step);
/*
 * Objects that the last event ended besides the one in its step (freed pages take what was in them
 * along): one per call, as an implied KM_REPAIR_FREE; false when there are no more.
 */
bool km_repair_next_gone(struct km_repair *repair, struct km_repair_step *step);
/* Objects by slot; the count is the highest slot used + 1. kind KM_NR_EVENT_KINDS = slot empty. */
const struct km_object *km_repair_objects(const struct km_repair *repair, uint32_t *count);
/* Live page block that covers the direct-map address, or NULL. */
const struct km_object *km_repair_block_at(const struct km_repair *repair, uint64_t addr);
/* Live slab object that begins before the direct-map address and ends after it, or NULL. */
const struct km_object *km_repair_around(const struct km_repair *repair, uint64_t addr);
void km_repair_counts(const struct km_repair *repair, struct km_repair_counts *counts);

/*
 * Which rules these are: to be raised whenever a decision changes, so that counts stored by older
 * ones are made anew and not shown beside objects of these (meta key repair_rules).
 */
#define KM_REPAIR_RULES 2

/*
 * All events of a trace through a repair of their own; km_trace_repair() reads what is stored.
 * 0 or -errno with a sentence in *err.
 */
int km_repair_trace(struct km_trace *trace, struct km_repair_counts *counts, struct km_err *err);

#endif
