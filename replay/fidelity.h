/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How closely the models reproduce what the traced kernel did. Three levels: bytes_alloc of every
 * kmalloc event; geometry of every cache in sysfs; the slab every object was put in.
 *
 * Slab choice: the SLUB model runs with the trace's own profile from a start state learned from
 * the trace itself (slabs older than the trace, their free objects and place). Kernel slabs and
 * model slabs are paired when first used together; an allocation matches when its kernel slab and
 * its model slab are each other's partner, or both are unpaired. A pair ends when either slab
 * holds no live object, so one divergence keeps counting for as long as it is visible.
 */
#ifndef REPLAY_FIDELITY_H
#define REPLAY_FIDELITY_H

#include "replay/start.h"
#include "traces/trace.h"

struct km_score {
	uint64_t checked, matched;
};

struct km_cache_fidelity {
	char name[64];
	struct km_score slab_choice;
	/* Counts at the end; -1 = sysfs was not recorded. The model's are start + its own change.
	 */
	int64_t slabs_model, slabs_kernel;
	int64_t partial_model, partial_kernel;
	int64_t cpu_slabs_model, cpu_slabs_kernel;
};

struct km_fidelity {
	struct km_score bytes_alloc, geometry, slab_choice;
	struct km_cache_fidelity *caches; /* by slab_choice.checked, most first */
	size_t nr_caches;
	int64_t pages_model, pages_kernel; /* of the slabs of all caches above; -1 unknown */
};

int km_fidelity_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			struct km_fidelity *fidelity, struct km_err *err);
void km_fidelity_release(struct km_fidelity *fidelity);

/* "99.98 %", or "-" when nothing was checked. */
const char *km_score_text(const struct km_score *score, char buf[16]);

#endif
