/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a run measures. Three passes over fresh machines with one seed, so that no measurement
 * disturbs another: `metrics` (footprint, fragmentation, paths: deterministic), `speed` (the bare
 * loop, timed as a whole), `latency` (each operation timed on its own).
 */
#ifndef REPLAY_MEASURE_H
#define REPLAY_MEASURE_H

#include <kmlab/counters.h>
#include <kmlab/hist.h>

#include "replay/host.h"
#include "replay/replayer.h"

#define KM_SERIES_POINTS 240

/* X(field, name in results, unit, what) - curves over trace time; NAN where not measured */
#define KM_SERIES(X)                                                                               \
	X(pages, "pages", "pages", "held for objects: slabs, blocks, areas, their page tables")    \
	X(pages_all, "pages_all", "pages", "held for everything replayed")                         \
	X(live_req, "live_bytes_req", "bytes", "asked for by live objects")                        \
	X(live_alloc, "live_bytes_alloc", "bytes", "set aside for live objects")                   \
	X(internal, "internal_frag", "share", "1 - asked / set aside, of live objects")            \
	X(utilisation, "slab_utilisation", "share", "object bytes / slab bytes")                   \
	X(unusable, "unusable_order9", "share", "free pages not in blocks of 2 MiB or more")       \
	X(unmovable, "unmovable_2m_share", "share", "2 MiB blocks with an unmovable page")         \
	X(mixed, "mixed_2m_share", "share",                                                        \
	  "2 MiB blocks in use by movable and other pages, none at the start")                     \
	X(huge_free, "free_2m_of_optimal", "share",                                                \
	  "free 2 MiB blocks / those free pages could be")                                         \
	X(page_table, "page_table_bytes", "bytes", "page tables of the vmalloc range")             \
	X(tlb_4k, "tlb_entries_4k", "entries", "to reach all live objects, 4 KiB direct map")      \
	X(tlb_2m, "tlb_entries_2m", "entries", "to reach all live objects, 2 MiB direct map")

struct km_series {
	size_t n;
	uint64_t time_ns[KM_SERIES_POINTS + 1];
#define X(field, name, unit, what) double field[KM_SERIES_POINTS + 1];
	KM_SERIES(X)
#undef X
};

#define KM_SIZE_CLASSES 6
extern const char *const km_size_class_names[KM_SIZE_CLASSES]; /* le64 le256 ... gt16k */
unsigned km_size_class(uint64_t bytes);

struct km_latency { /* in nanoseconds, timer cost included */
	struct km_hist alloc, free;
	struct km_hist alloc_by_size[KM_SIZE_CLASSES];
	struct km_hist page_alloc, page_free, vmap_alloc, vmap_free;
	double timer_cost_ns;
	const char *method;
};

struct km_measures {
	bool offline_only;   /* the kernel itself: nothing was executed, so nothing was timed */
	bool places_objects; /* false for null: footprint means nothing */
	bool has_objects;    /* false: the trace holds no slab events */
	bool fills_slabs;    /* objects lie in slabs: their utilisation is the model's */
	uint64_t ops, failed;
	uint64_t wall_ns;
	double pages_peak, pages_mean, pages_end;
	double internal_event, internal_time;
	/* time-weighted means; NAN: not measured */
	double utilisation, unusable, unmovable, mixed, huge_free;
	double page_table_peak, tlb_4k_peak, tlb_2m_peak;
	double coverage;
	struct km_series series;
	struct km_counters paths;
	struct km_latency *latency; /* NULL: not measured */
	char why_no_latency[160], start_state[160], method[256];
};

/* One repetition on a model. Interrupted: -EINTR. The caller frees with km_measures_free(). */
int km_measure(const struct km_program *program, struct km_trace *trace,
	       const struct km_start *start, const struct km_model_choice *choice, uint64_t seed,
	       const struct km_timer *timer, struct km_measures **measures, struct km_err *err);
/* The same figures for what Linux itself did, from recorded pointers and snapshots. */
int km_measure_kernel(const struct km_program *program, struct km_trace *trace,
		      const struct km_start *start, struct km_measures **measures,
		      struct km_err *err);
void km_measures_free(struct km_measures *measures);

/* ---- shared by both ---- */

/* Means and peaks from the series; `measures->series` is complete. */
void km_measures_summarise(struct km_measures *measures);
/*
 * Of the events recorded or lost, the share whose meaning is known: all but losses and frees of
 * objects older than the trace. Filtered events are in neither.
 */
double km_coverage(struct km_trace *trace, const struct km_program *program);

/* Live objects' bytes and the address space they touch, kept up to date per operation. */
struct km_live;
struct km_live *km_live_new(uint64_t max_pfn);
void km_live_free(struct km_live *live);
void km_live_add(struct km_live *live, uint64_t addr, uint64_t asked, uint64_t placed);
void km_live_remove(struct km_live *live, uint64_t addr, uint64_t asked, uint64_t placed);
/* Time goes on: the integrals behind time-weighted shares. */
void km_live_advance(struct km_live *live, uint64_t time_ns);
struct km_live_now {
	double asked, placed;           /* bytes */
	double tlb_4k, tlb_2m;          /* entries */
	double asked_time, placed_time; /* byte-nanoseconds */
};
void km_live_read(const struct km_live *live, struct km_live_now *now);

#endif
