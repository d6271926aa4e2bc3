/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What translation costs a stream of loads, by how the loads are made. Loads that wait for one
 * another pay the whole latency of an L2 TLB hit or a walk. Loads of which each can begin before
 * the one before has ended pay less: an out-of-order core translates several at a time. And a walk
 * costs less where the page-table line it ends in has just been read, as when pages are visited in
 * order, than where that line comes from behind the L1 data cache. What a real stream pays lies
 * between the two kinds of loads.
 *
 * Measured in user space (tlb_overlap.c) beside the same number of lines side by side, loaded the
 * same way, over pages in order and shuffled, in more pages than the L1 and than the L2 TLB hold.
 */
#ifndef REPLAY_TLB_OVERLAP_H
#define REPLAY_TLB_OVERLAP_H

#include <kmlab/err.h>
#include <kmlab/tlb.h>

#include "replay/bench_figures.h"

/* X(constant, name, what) */
#define KM_TLB_LOADS_LIST(X)                                                                       \
	X(KM_TLB_DEPENDENT, "dependent", "each waits for the one before")                          \
	X(KM_TLB_OVERLAPPED, "overlapped", "independent of one another")

enum km_tlb_loads {
#define X(constant, name, what) constant,
	KM_TLB_LOADS_LIST(X)
#undef X
		KM_TLB_LOADS
};

extern const char *const km_tlb_loads_names[KM_TLB_LOADS];
extern const char *const km_tlb_loads_what[KM_TLB_LOADS];

/* ns, medians of the rounds and their 95 % intervals; none below 0. */
struct km_tlb_load_costs {
	bool measured;                 /* false: such pages do not miss here, or it was not tried */
	struct km_bench_figure l2_hit; /* an L1 miss that the L2 TLB has */
	struct km_bench_figure walk;   /* its page-table lines in the L1 data cache */
	struct km_bench_figure line;   /* what a line that is not there adds */
};

struct km_tlb_overlap {
	struct km_tlb_array_spec cache; /* lines of the L1 data cache; entries 0: not measured */
	struct km_tlb_load_costs costs[2][KM_TLB_LOADS]; /* of 4 KiB pages, of 2 MiB and larger */
};

/* `spec` with the cache that page-table lines and data share, so that far lines are counted. */
struct km_tlb_spec km_tlb_overlap_spec(const struct km_tlb_overlap *overlap,
				       const struct km_tlb_spec *spec);

/*
 * ns of the translations that were counted under km_tlb_overlap_spec(); NAN: not measured. Where
 * large pages never missed in the calibration, theirs cost what those of 4 KiB cost.
 */
double km_tlb_overlap_ns(const struct km_tlb_overlap *overlap, enum km_tlb_loads loads,
			 const struct km_tlb_counts *counts);

/* ns of the walks alone, each with its lines near: the least they cost. NAN: not measured. */
double km_tlb_overlap_walk_ns(const struct km_tlb_overlap *overlap, enum km_tlb_loads loads,
			      const struct km_tlb_counts *counts);

/*
 * Measure, for a TLB of this geometry (l1[0], l2[0], host_size). rounds is cut to
 * KM_BENCH_MAX_VALUES. 0, -EINTR, or -errno with a sentence.
 */
int km_tlb_overlap_measure(struct km_tlb_overlap *overlap, const struct km_tlb_spec *spec,
			   unsigned rounds, struct km_err *err);

/* ---- the arithmetic of one round, apart from the clock ---- */

#define KM_TLB_OVERLAP_HITS 2u   /* numbers of pages that the L2 TLB holds */
#define KM_TLB_OVERLAP_POINTS 5u /* and those that it does not */

/* By number of pages, and order: 0 shuffled, 1 in order. */
struct km_tlb_overlap_point {
	double ns[2];   /* per load, what lines side by side take taken off */
	double hits[2]; /* per load, simulated: L2 hits, walks, far lines */
	double walks[2], far[2];
};

/* Costs l2_hit, walk, line of one round; false: the points hold no misses. */
bool km_tlb_overlap_solve(const struct km_tlb_overlap_point points[KM_TLB_OVERLAP_POINTS],
			  double costs[3]);

#endif
