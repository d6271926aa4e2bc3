/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ledger of a recording that goes into several traces: fired = recorded + lost + filtered holds
 * for each, and their sum is the recorder's own ledger (tally.c).
 */
#ifndef KMLAB_CAPTURE_TALLY_H
#define KMLAB_CAPTURE_TALLY_H

#include "drain.h"

struct km_tally {
	struct km_recorder *recorder;
	struct km_drain *drain;
	uint64_t checked_ns;                  /* CLOCK_MONOTONIC */
	uint64_t missed[KM_NR_RECORD_KINDS];  /* lost to recursion so far: gaps tell of each */
	struct km_trace_counts given;         /* of the parts that ended */
	struct km_tally_mark {                /* where the present part began */
		struct km_kind_counts counts; /* ring_full: those that are in earlier parts */
		uint64_t missed;
	} begun[KM_NR_RECORD_KINDS];
};

static inline uint64_t km_sum(const uint64_t *values, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += values[i];
	return total;
}

void km_tally_open(struct km_tally *tally, struct km_recorder *recorder, struct km_drain *drain);
/* A few times a second: gaps for what was newly lost to recursion. */
int km_tally_check(struct km_tally *tally, uint64_t now_ns, struct km_err *err);
/* Everything lost so far, for a person: a few system calls. */
uint64_t km_tally_lost(const struct km_tally *tally);

/* The ledger of the present part until now; the drain and the check have just come as far. */
void km_tally_part(const struct km_tally *tally, struct km_trace_counts *counts);
/* The same, and the next part begins; then the drain may get its next target. */
void km_tally_next(struct km_tally *tally, struct km_trace_counts *counts);
/*
 * Recording has stopped, and the drain is finished: the whole, and the last part, which gets what
 * is left of it.
 */
int km_tally_last(struct km_tally *tally, uint64_t end_ns, struct km_recorder_totals *whole,
		  struct km_trace_counts *last, struct km_err *err);

#endif
