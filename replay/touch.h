/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timed touch replay: the touches of a trace's objects (access.h) are made on real memory
 * (memory.h), placed as each model places them, and timed. All placements are replayed side by
 * side: the trace is cut into windows within which no address is mapped anew; of each window every
 * placement's touches are made in turn, round by round, so that what disturbs hits all alike.
 *
 * Touches are loads that wait for one another, as in the calibration: what a kernel hides behind
 * other work does not hide here. All run on one CPU. Of two passes over a window the second is
 * timed. Beside each time stands that of the same bytes in the same order through a direct map of
 * 2 MiB pages: caches see no difference, so the rest is translation.
 */
#ifndef REPLAY_TOUCH_H
#define REPLAY_TOUCH_H

#include "replay/bench_figures.h"
#include "replay/memory.h"
#include "replay/placement.h"

/* Fewer touches than this are not timed: the clock would be. */
#define KM_TOUCH_LEAST 1000

/* ns per touch, medians of the rounds slice by slice (bench_figures.h). touches 0: not measured. */
struct km_touch_figures {
	uint64_t touches;
	struct km_bench_figure ns;
	struct km_bench_figure flat_ns;        /* the same bytes, 2 MiB direct map */
	struct km_bench_figure translation_ns; /* of the differences, round by round */
	/* What the TLB model says the translation is, by how loads are made; NAN: not known. */
	double predicted_ns[KM_TLB_LOADS];
};

/* Of a long trace the beginning is touched: until a placement has had so many. */
#define KM_TOUCH_MOST (1u << 22)

struct km_touches {
	unsigned windows;
	double coverage;              /* share of the trace's operations that were touched for */
	char why[KM_TLB_MAPS][200];   /* no memory of that map: the reason; "" there was */
	char gives[KM_TLB_MAPS][120]; /* which pages the host gave */
	struct km_touch_figures figures[KM_PLACEMENTS][KM_TLB_MAPS][KM_PLACING_SUBSETS];
};

/*
 * 0, -EINTR, or -errno with a sentence: models that cannot be replayed, no memory, too many
 * mappings. *touches is malloc'd.
 */
int km_touch_measure(const struct km_placing *placing, struct km_touches **touches,
		     struct km_err *err);

#endif
