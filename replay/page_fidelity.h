/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How closely the page model follows the recorded kernel: the trace's page events are replayed on a
 * machine with the zones and free blocks of its start, and /proc/buddyinfo at the end compared.
 *
 * What the trace does not say is guessed, and counted: which pages in use at the start a free means
 * (the lowest of its zone and order that the model still has), where allocations came from that no
 * event shows (bulk). Per-CPU lists begin empty, as what they held is not recorded.
 */
#ifndef REPLAY_PAGE_FIDELITY_H
#define REPLAY_PAGE_FIDELITY_H

#include "replay/start.h"
#include "traces/trace.h"

struct km_page_fidelity {
	struct km_buddyinfo start, model, kernel; /* kernel: at the end */
	uint64_t allocs, frees;
	uint64_t old_frees;  /* of pages that no event allocated */
	uint64_t lost_frees; /* of these, the model had none to free */
	uint64_t failed;     /* allocations for which the model had no page */
	uint64_t implied;    /* a page was allocated that was not freed before */
	uint64_t other_zone; /* allocations the model served from another zone */
};

/* 0, or -errno with a sentence: no page events, or no snapshots to begin and end with. */
int km_page_fidelity_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			     struct km_page_fidelity *fidelity, struct km_err *err);

#endif
