/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the vmalloc model says of a recorded kernel's areas and purges (kernel-facts: D.2 - D.4).
 *
 * Sizes: vmalloc's page array, which the same task asks for next, tells how many pages an area has;
 * the area must be these and a guard. Areas without one (vmap, ioremap, vm_map_ram) are counted.
 *
 * Purges: the model parks every freed area and says when its pages pass the limit, so that a purge
 * is due, how many areas it takes and from which address to which. How much waited at the start is
 * not known: the first purge is the start of counting. A kernel purge without one due is early:
 * forced by vm_unmap_aliases(), which follows every vfree() of memory that had been executable, or
 * by a lack of addresses.
 */
#ifndef REPLAY_VMAP_FIDELITY_H
#define REPLAY_VMAP_FIDELITY_H

#include "replay/fidelity.h"

struct km_vmap_fidelity {
	uint64_t areas, without_array;
	struct km_score sizes, purged_areas, purged_range;
	uint64_t purges_kernel;  /* counted from the first one on, which is not among them */
	uint64_t purges_model;   /* due in the model */
	uint64_t purges_matched; /* due in both */
	uint64_t early_own;      /* not due; the task had just freed an area */
	uint64_t early_other;
	uint64_t late_frees;    /* frees between due and done, summed over matched ones */
	uint64_t lazy_max;      /* pages */
	uint64_t lazy_open;     /* pages that the model has waiting at the end */
	uint64_t unknown_frees; /* of areas whose size neither trace nor vmallocinfo tells */
};

int km_vmap_fidelity_measure(struct km_trace *trace, const struct km_start *start,
			     struct km_vmap_fidelity *out, struct km_err *err);

#endif
