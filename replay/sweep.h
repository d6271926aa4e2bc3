/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sweep: a plan of jobs (sweep_plan.c), the runs they become (sweep_run.c), what came of them
 * (sweep_print.c). A job is one run: its key in a result file, the trace it is of, and where that
 * lies.
 *
 * The plan is a text of tab-separated lines, a job each; what begins with '#' is a comment, but the
 * first line says "#kmlab sweep plan 1" where it was not cut off. Lines stand for themselves: any
 * of them, in any order, are a plan.
 */
#ifndef REPLAY_SWEEP_H
#define REPLAY_SWEEP_H

#include "replay/params.h"
#include "replay/tlb_access.h"
#include "results/emit.h"
#include "results/result.h"

#define KM_SWEEP_TITLE "#kmlab sweep plan"
#define KM_SWEEP_VERSION 1
#define KM_SWEEP_MOST_JOBS 1000000
#define KM_SWEEP_MOST_WORKERS 256

struct km_sweep_job {
	const char *trace; /* path, from where kmlab is run */
	const char *uuid;  /* the capture's identity, with the number of its events */
	uint64_t events;
	const char *model;    /* as for --model */
	const char *settings; /* struct km_sweep_settings as text */
	const char *given;    /* parameters, as km_params_parse() takes them */
	char *params;         /* the same as a JSON object, keys sorted */
	uint64_t seed;
	unsigned rep;
	unsigned line;     /* in the plan's file */
	uint32_t workload; /* number of the trace with settings, in order of appearance */
	/* Of the jobs whose timings are compared with one another: those of a workload, seed and
	 * repetition. In order of appearance. */
	uint32_t group;
};

struct km_sweep_plan {
	const char *name; /* of the file; not copied */
	struct km_sweep_job *jobs;
	size_t nr_jobs;
	uint32_t nr_workloads, nr_groups;
	char *text; /* which jobs point into */
};

/*
 * Takes `text` of `length` bytes, malloc'd, in any case. 0, or -EINVAL, -E2BIG or -ENOMEM with a
 * sentence that names the line. No file is touched and no library loaded: whether traces and models
 * are there is seen when a job is run.
 */
int km_sweep_plan_parse(const char *name, char *text, size_t length, struct km_sweep_plan *plan,
			struct km_err *err);
/* From a file; "-" is standard input. */
int km_sweep_plan_read(const char *path, struct km_sweep_plan *plan, struct km_err *err);
void km_sweep_plan_free(struct km_sweep_plan *plan);

/* How a job is measured, as options of `kmlab replay` say it. */
struct km_sweep_settings {
	char tlb[64];
	struct km_access_spec access;
	unsigned map, split_percent;
	bool allow_loss;
};
/* "-", or some of tlb=NAME, access=MODEL, direct-map=SIZE, allow-loss, with commas. -EINVAL. */
int km_sweep_settings_parse(const char *text, struct km_sweep_settings *settings,
			    struct km_err *err);

enum km_sweep_state {
	KM_SWEEP_APART, /* not asked for: another shard's */
	KM_SWEEP_WAITING,
	KM_SWEEP_DONE,
	KM_SWEEP_EARLIER, /* done before */
	KM_SWEEP_FAILED,
	KM_SWEEP_STATES
};
extern const char *const km_sweep_state_names[KM_SWEEP_STATES];

struct km_sweep {
	const struct km_sweep_plan *plan;
	const char *output, *command;
	unsigned workers;
	bool again; /* also what is done */
	/* By job. What is not to be run is APART. */
	uint8_t *states; /* enum km_sweep_state */
	char **why;      /* of FAILED */
	size_t count[KM_SWEEP_STATES];
	struct km_result *result;
	int lock; /* of the result file; -1: none */
};

/* WAITING: the jobs of shard `number` (from 1) of `shards`: whole groups, or single jobs. */
void km_sweep_take_shard(struct km_sweep *sweep, unsigned number, unsigned shards, bool scatter);
/* WAITING: jobs `first` to `last`, from 1. */
void km_sweep_take_range(struct km_sweep *sweep, size_t first, size_t last);

/*
 * Run what is WAITING, in the plan's order trace by trace, at most `workers` at once, each in a
 * process of its own. 0, also where jobs failed; -EINTR: interrupted; -errno with a sentence:
 * nothing can be stored any more. What is done is stored in any case, and `states` tell.
 */
int km_sweep_run(struct km_sweep *sweep, struct km_err *err);
/* Close the result file. As km_result_close(). */
int km_sweep_close(struct km_sweep *sweep, struct km_err *err);

/* The document of `sweep run`: a row for each job that was asked for. */
void km_sweep_print_jobs(const struct km_sweep *sweep, enum km_format format);

/* What `sweep merge` was asked for, and found. */
struct km_sweep_merged {
	const char *output;               /* NULL: nothing is kept */
	const struct km_sweep_plan *plan; /* NULL: not given */
	uint64_t files, added, same, left_out, missing, unplanned;
	struct km_result *result;
};
/* Why a result file has no run of this job, or NULL: it has. Lives until the next call. */
const char *km_sweep_missing(struct km_result *result, const struct km_sweep_job *job);
/* The document of `sweep merge`: medians, a row for each trace, model and parameters. */
int km_sweep_print_outcome(const struct km_sweep_merged *merged, enum km_format format,
			   struct km_err *err);

/* The parts of `kmlab sweep`: argv[0] is what they are called. */
int km_cmd_sweep_plan(int argc, char **argv);
int km_cmd_sweep_run(int argc, char **argv);
int km_cmd_sweep_merge(int argc, char **argv);

#endif
