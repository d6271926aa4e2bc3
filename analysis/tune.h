/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Size classes of kmalloc: which would waste least of what a trace asked for. Exact: the choice of
 * classes is a shortest path over the sizes that occur (dynamic programming).
 */
#ifndef KMLAB_TUNE_H
#define KMLAB_TUNE_H

#include <kmlab/types.h>

#define KM_TUNE_LARGEST 8192u /* the largest class; more is pages */
#define KM_TUNE_CLASSES 64

/* What was asked for in one size, bytes, from 1 to the largest class. */
struct km_demand {
	unsigned bytes, bytes_alloc;
	double calls, live; /* live: mean number of objects over the trace's time */
};

struct km_plan {
	unsigned classes[KM_TUNE_CLASSES]; /* rising; the last is KM_TUNE_LARGEST */
	unsigned nr_classes;
	double waste_live;  /* bytes, mean over time */
	double waste_calls; /* bytes, over all calls */
};

/*
 * The classes that the demands were served from: Linux's if all are of them, else those that
 * occurred and the largest. -E2BIG: more than KM_TUNE_CLASSES.
 */
int km_plan_now(const struct km_demand *demands, size_t count, struct km_plan *plan);
/*
 * The best plan with at most so many classes besides those of `keep` (NULL: of its own, the largest
 * counted). Classes are multiples of 8. by_calls: the waste of all calls is made least, else the
 * mean waste. 0; -ENOMEM; -E2BIG.
 */
int km_plan_best(const struct km_demand *demands, size_t count, const struct km_plan *keep,
		 unsigned added, bool by_calls, struct km_plan *plan);

#endif
