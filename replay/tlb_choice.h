/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which TLB a replay simulates: this machine's as calibrated, a core from the table, or none; and
 * what may be said of it.
 */
#ifndef REPLAY_TLB_CHOICE_H
#define REPLAY_TLB_CHOICE_H

#include <kmlab/err.h>
#include <kmlab/tlb.h>

#include "replay/tlb_overlap.h"

struct km_tlb_choice {
	struct km_tlb_spec spec;
	struct km_tlb_overlap overlap; /* of this machine; cache.entries 0: not known */
	double cycle_ns;               /* likewise; 0: not known */
	bool calibrated; /* on the CPU that is named, with the held-out error required */
	char text[200];  /* "zen4: L1 72, L2 3072/8 ..." for captions */
	char why[256];   /* of calibrated false; "" otherwise */
};

/* The least that the walks counted take: overlapped, their lines near. NAN: not measured here. */
double km_tlb_overlapped_walk_cycles(const struct km_tlb_choice *choice,
				     const struct km_tlb_counts *counts);

/* "host", or a core of the table. 0 or -EINVAL with a sentence that names them. */
int km_tlb_choose(const char *name, struct km_tlb_choice *choice, struct km_err *err);

#endif
