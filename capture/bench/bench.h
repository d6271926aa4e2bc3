/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What recording costs beside its peers. The parts of the program $(BUILD)/bench/capture:
 *   bench_main.c the command line, the rounds
 *   setups.c     untraced, kmlab, ftrace, perf: start the tracer, run the load, read the outcome
 *   perf_data.c  how many events a perf.data holds, and how many it says were lost
 *   load.c       the loads; run by the tracer as its command
 *   process.c    running programs; a guard that undoes everything when the benchmark ends
 *   figures.c    the figures, their medians and intervals, the document
 * Functions return 0 or -errno with one sentence in *err.
 */
#ifndef KMLAB_CAPTURE_BENCH_H
#define KMLAB_CAPTURE_BENCH_H

#include "results/emit.h"

#include <kmlab/err.h>
#include <kmlab/types.h>

#define BENCH_MAX_ROUNDS 64
#define BENCH_PATH 4096

/* ---- load.c ---- */

enum bench_load { BENCH_COMMAND, BENCH_POLL, BENCH_ACCESS, BENCH_NR_LOADS };

struct bench_timing {
	double seconds;     /* of the load, without what starts it */
	double events;      /* slab events it makes; 0: not known */
	double cpu_ns;      /* of the loops: per event, CPU time of the thread that makes them */
	double nothing_ns;  /* likewise of a system call without events, in between */
	double total_cpu_s; /* of the load with all its processes */
};

#define BENCH_LOAD_WORD "--load-of-a-run"

/* argv: the program, BENCH_LOAD_WORD, kind of load, file for the timing, command. Exit code. */
int bench_load_main(int argc, char **argv);

/* ---- setups.c ---- */

/* BENCH_STORING: kmlab with rings so small that all is stored while the load runs. */
enum bench_setup_id {
	BENCH_UNTRACED,
	BENCH_KMLAB,
	BENCH_STORING,
	BENCH_FTRACE,
	BENCH_PERF,
	BENCH_NR_SETUPS
};

/* What one run came to. Where a tracer does not say or is none: NAN. */
struct bench_run {
	struct bench_timing timing;
	double kept, lost;   /* events */
	double bytes;        /* of what was kept, as it is stored */
	double tracer_cpu_s; /* of the tracer's own processes, from its start to its end */
};

struct bench {
	char self[BENCH_PATH];      /* this program */
	char directory[BENCH_PATH]; /* for temporary files */
	char instance[BENCH_PATH];  /* of tracefs, while ftrace records */
	const char *command;        /* the load */
	char **recorder;            /* kmlab-capture and its options, NULL at the end */
	unsigned rounds;
	uint64_t seed;
	double load_average;                /* of the last minute, before the first round */
	char how[BENCH_NR_SETUPS][1024];    /* a setup's command or settings */
	char missing[BENCH_NR_SETUPS][512]; /* why a setup cannot be measured; "" it can */
	double nothing_ns;                  /* median of all runs: the speed loops are told at */
	struct bench_run runs[BENCH_NR_SETUPS][BENCH_NR_LOADS][BENCH_MAX_ROUNDS];
};

extern const char *const bench_setup_names[BENCH_NR_SETUPS];

/* Look which setups this machine has; fills how[] and missing[]. */
void bench_setups_probe(struct bench *bench);
int bench_setup_run(struct bench *bench, enum bench_setup_id setup, enum bench_load load,
		    struct bench_run *run, struct km_err *err);

/* ---- perf_data.c ---- */

/*
 * Samples of a perf.data file (its format: tools/perf/Documentation/perf.data-file-format.txt) and
 * the number of events its records of losses name.
 */
int bench_perf_data(const char *path, double *samples, double *lost, struct km_err *err);

/* ---- process.c ---- */

/*
 * From here on this process sees mounts of its own, with tracefs in its usual place; and when it
 * and all it started are gone, however they ended, the temporary directory and the tracefs
 * instance are removed. bench_guard_end() waits for that.
 */
int bench_guard_begin(struct bench *bench, struct km_err *err);
void bench_guard_end(void);

/*
 * Run a program to its end, its output in `log` of the temporary directory. *cpu_s (or NULL): CPU
 * time of it and all it waited for. -EIO: it failed; the sentence quotes the log's last line.
 */
int bench_execute(const struct bench *bench, char *const argv[], double *cpu_s, struct km_err *err);

/* ---- figures.c ---- */

/* After the last round. */
void bench_print(struct bench *bench, enum km_format format);

#endif
