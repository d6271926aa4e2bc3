/* SPDX-License-Identifier: GPL-2.0-only */
/* What recording costs here and now, and how much of it to do (budget.c). */
#ifndef KMLAB_CAPTURE_BUDGET_H
#define KMLAB_CAPTURE_BUDGET_H

#include "capture.h"

struct km_dictionary;
struct km_drain;

/*
 * CPU time per event of a system call that makes events of one of the groups (bits of
 * enum km_event_group), whoever records them. 0: of these groups none of ours makes any.
 */
double km_budget_event_ns(unsigned groups);

struct km_budget {
	double percent;     /* of the CPU time of all CPUs */
	double bare_ns;     /* km_budget_event_ns() before the recorder was opened */
	double attached_ns; /* and after */
};

/*
 * Record into nothing for a second, and set the sampling so that recording keeps within the
 * budget; says what it chose and why. -EDQUOT: seeing the events alone takes more.
 */
int km_budget_choose(const struct km_budget *budget, struct km_recorder *recorder,
		     struct km_drain *drain, struct km_dictionary *dictionary, struct km_err *err);

#endif
