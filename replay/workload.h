/* SPDX-License-Identifier: GPL-2.0-only */
/* A trace made ready to be replayed: opened, compiled, and its own model scored. */
#ifndef REPLAY_WORKLOAD_H
#define REPLAY_WORKLOAD_H

#include "replay/compile.h"
#include "replay/fidelity.h"
#include "replay/measure.h"
#include "replay/params.h"
#include "replay/tlb_access.h"

struct km_workload {
	struct km_trace *trace;
	struct km_start start;
	struct km_program *program;
	struct km_fidelity fidelity;
};

/*
 * `workload` is zero. 0, -EINTR, or -errno with a sentence: it cannot be read, lost events (unless
 * `allow_loss`), holds nothing to replay. To be closed in any case. `seed` is of the score.
 */
int km_workload_open(struct km_workload *workload, const char *path, bool allow_loss, uint64_t seed,
		     struct km_err *err);
void km_workload_close(struct km_workload *workload);

/* The choice gets a profile of its own: that it names, or the trace's; with these parameters. */
void km_workload_choose(const struct km_workload *workload, const struct km_params *params,
			struct km_model_choice *choice, struct km_profile *own);

/* One repetition on a model, or of what the kernel did. As km_measure(). */
int km_workload_measure(const struct km_workload *workload, const struct km_model_choice *choice,
			uint64_t seed, const struct km_timer *timer, struct km_measures **measures,
			struct km_err *err);
/* What this model's objects do to a TLB; all repetitions do the same. As km_tlb_measure(). */
int km_workload_simulate_tlb(const struct km_workload *workload,
			     const struct km_model_choice *choice, const struct km_tlb_choice *tlb,
			     const struct km_access_spec *access, unsigned split_percent,
			     uint64_t seed, struct km_tlb_measures **measures, struct km_err *err);

#endif
