/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traces made elsewhere, into a trace of ours: perf.data (read by executing `perf script`) and its
 * text, ftrace's text as it stands in /sys/kernel/tracing/trace or as `trace-cmd report` prints it,
 * and LLFree's page traces. Memory is bounded by what is distinct: names, call sites, tasks, CPUs.
 *
 * What others leave out stays out: without a start state, without per-kind losses (what was lost is
 * spread over the kinds in proportion; meta key "fired" says "estimated"), and with the time they
 * give: events of one tick keep their order by nanoseconds put between them. Where a file cannot
 * tell what it lost, meta key "loss" says "unknown".
 */
#ifndef KMLAB_TRACES_IMPORT_H
#define KMLAB_TRACES_IMPORT_H

#include "trace.h"

enum km_import_format { KM_IMPORT_PERF, KM_IMPORT_FTRACE, KM_IMPORT_LLFREE, KM_NR_IMPORT_FORMATS };
extern const char *const km_import_format_names[KM_NR_IMPORT_FORMATS]; /* perf ftrace llfree */

struct km_import_report {
	uint64_t recorded;
	uint64_t null_frees;    /* freeing nothing: counted as filtered, as capture does */
	uint64_t lost;          /* as far as the file counts them */
	uint64_t lost_marks;    /* losses it marks without saying how many */
	uint64_t other;         /* events of these tracepoints that say nothing of an object */
	uint64_t unknown;       /* other events */
	uint64_t unknown_flags; /* gfp flags no kernel of that profile has: left out */
	uint64_t unordered;     /* events older than the first: moved to its time */
	char first_unknown[64], first_flag[64];
	bool loss_known;
	uint64_t duration_ns;
};

struct km_import_options {
	const char *kernel; /* release that wrote the file; NULL: the file says it */
	bool (*stop)(void); /* asked now and then; NULL: never */
};

/*
 * Read `path` and append all of it to the writer, facts, gaps and ledger too; the caller finishes
 * (or discards) it. 0; -EPROTO: not such a file, with its line; -ENOTSUP: it cannot be imported as
 * it is; -EINTR: stopped; or -errno of reading or writing.
 */
int km_import_file(enum km_import_format format, const char *path,
		   const struct km_import_options *options, struct km_trace_writer *writer,
		   struct km_import_report *report, struct km_err *err);

/* The same from a stream that is no perf.data; `name` is for messages. */
int km_import_stream(enum km_import_format format, FILE *in, const char *name,
		     const struct km_import_options *options, struct km_trace_writer *writer,
		     struct km_import_report *report, struct km_err *err);

#endif
