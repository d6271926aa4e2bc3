/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that measures one job of a sweep. It has the compiled trace in memory, as it was forked
 * from who compiled it, and leaves what it measured in memory that both see.
 */
#ifndef REPLAY_SWEEP_WORKER_H
#define REPLAY_SWEEP_WORKER_H

#include <sys/types.h>

#include "replay/sweep.h"
#include "replay/workload.h"

/* What it leaves. What a struct points to is filled in by the one who reads. */
struct km_sweep_product {
	int code;
	struct km_err err;
	bool timed, has_tlb; /* has_tlb before it begins: known, it need not simulate */
	struct km_measures measures;
	struct km_latency latency;
	struct km_tlb_measures tlb;
};

/* The settings of jobs, with the TLB that they name. */
struct km_sweep_setting {
	const char *text;
	struct km_sweep_settings settings;
	struct km_tlb_choice tlb;
	struct km_sweep_setting *next;
};

struct km_sweep_worker {
	pid_t pid;                        /* 0: none */
	int end;                          /* can be polled: the process is gone */
	struct km_sweep_product *product; /* shared */
	/* What it is to do. */
	size_t number; /* of the job in the plan */
	const struct km_sweep_job *job;
	const struct km_sweep_setting *setting;
	struct km_model_choice choice;
	struct km_profile profile;
	int64_t trace_row; /* in the result file, for who stores the run */
};

/* Room for a product. 0 or -ENOMEM; released in any case, which ends a process that runs. */
int km_sweep_worker_init(struct km_sweep_worker *worker);
void km_sweep_worker_release(struct km_sweep_worker *worker);

/* `lock`: a descriptor that the process closes at once. 0, or -errno with a sentence. */
int km_sweep_worker_start(struct km_sweep_worker *worker, const struct km_workload *workload,
			  const struct km_timer *timer, int lock, struct km_err *err);
/*
 * Until the process has ended. 0: the product is whole; -EINTR; -errno with a sentence: the job
 * failed, or the process crashed.
 */
int km_sweep_worker_wait(struct km_sweep_worker *worker, struct km_err *err);

#endif
