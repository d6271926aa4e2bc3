/* SPDX-License-Identifier: GPL-2.0-only */
/* The same objects placed in several ways, to be measured side by side (call_cost.h, touch.h). */
#ifndef REPLAY_PLACEMENT_H
#define REPLAY_PLACEMENT_H

#include "replay/tlb_access.h"

#define KM_PLACEMENTS 6
#define KM_PLACING_SUBSETS 7 /* 0: all */

struct km_placement {
	const struct km_model_choice *model;
	uint32_t site_to_vmalloc; /* UINT32_MAX: none */
	unsigned maps;            /* bit m: touched on memory mapped as map m of tlb_access.h */
};

struct km_placing {
	const struct km_program *program;
	struct km_trace *trace;
	const struct km_start *start;
	const struct km_tlb_choice *tlb;
	bool predict; /* tlb is this machine's: say what it makes of the same touches */
	const struct km_access_spec *access;
	unsigned split_percent; /* of the split map */
	unsigned rounds;        /* 1 to KM_BENCH_MAX_VALUES */
	uint64_t seed;
	const struct km_placement *placements;
	unsigned nr_placements;
	uint32_t site; /* subset 1 is this call site; UINT32_MAX: subsets are size classes + 1 */
};

/* Of the object that an operation is made on. */
static inline unsigned km_placing_subset(const struct km_placing *placing, size_t op)
{
	if (placing->site != UINT32_MAX)
		return placing->program->site[op] == placing->site;
	return 1 + km_size_class(km_op_request(placing->program, &placing->program->ops[op])->size);
}

#endif
