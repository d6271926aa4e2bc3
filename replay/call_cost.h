/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a pair of calls costs, an allocation and a free, by placement and subset of the objects:
 * host time of the model, each call timed on its own, the clock's cost taken off, the machine fresh
 * in each round, placements in turn. Means, because a purge of many areas falls to one call of
 * many.
 */
#ifndef REPLAY_CALL_COST_H
#define REPLAY_CALL_COST_H

#include "replay/bench_figures.h"
#include "replay/placement.h"

struct km_call_figures {
	uint64_t pairs;            /* objects allocated, per round; 0: not measured */
	struct km_bench_figure ns; /* per pair, median of the rounds slice by slice */
	double ratio;              /* to the first placement's */
};

struct km_call_costs {
	struct km_call_figures figures[KM_PLACEMENTS][KM_PLACING_SUBSETS];
};

/* 0, -EINTR, or -errno with a sentence. *costs is malloc'd. */
int km_call_measure(const struct km_placing *placing, struct km_call_costs **costs,
		    struct km_err *err);

#endif
