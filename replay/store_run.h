/* SPDX-License-Identifier: GPL-2.0-only */
/* From measures to a result file and to the JSON document of `kmlab replay`. */
#ifndef REPLAY_STORE_RUN_H
#define REPLAY_STORE_RUN_H

#include "replay/fidelity.h"
#include "replay/measure.h"
#include "replay/pmu.h"
#include "replay/tlb_access.h"
#include "replay/touch.h"
#include "results/emit.h"
#include "results/result.h"

#define KM_KERNEL_TLB_WHY "the kernel's own accesses were not recorded"

struct km_run {
	const struct km_model_choice *choice;
	const char *params; /* JSON object text */
	uint64_t seed;
	unsigned rep;
	const struct km_measures *measures;
	const struct km_pmu_reading *pmu;  /* NULL: the counters were not asked for */
	const struct km_tlb_measures *tlb; /* NULL: not simulated, tlb_why says why */
	const struct km_tlb_choice *tlb_choice;
	const char *tlb_why;
	const struct km_access_spec *access; /* which is the headline */
	unsigned tlb_map;                    /* likewise */
	const struct km_touches *touches;    /* NULL: not timed, touch_why says why */
	unsigned touch_placement;            /* of it; KM_PLACEMENTS: none */
	const char *touch_why;
	unsigned workers; /* so many runs were made at once on this machine */
};

/* Provenance and distributions of the trace. *id is its row. */
int km_store_trace(struct km_result *result, struct km_trace *trace,
		   const struct km_program *program, const struct km_fidelity *fidelity,
		   const char *command, int64_t *id, struct km_err *err);
/* One run, whole or not at all. */
int km_store_run(struct km_result *result, int64_t trace, const struct km_run *run,
		 struct km_err *err);
/* store_tlb.c: what is known of the TLB, as metrics and notes; as the object "tlb". */
int km_store_tlb(struct km_result *result, int64_t id, const struct km_run *run,
		 struct km_err *err);
void km_emit_tlb(struct km_json *json, const struct km_run *run);
/* store_touch.c: the timed touch replay likewise; the object "touch", or null. */
int km_store_touch(struct km_result *result, int64_t id, const struct km_run *run,
		   struct km_err *err);
void km_emit_touch(struct km_json *json, const struct km_run *run);
/* The run as an object of the "runs" array. */
void km_emit_run(struct km_json *json, const struct km_run *run);

#endif
