/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The result file (.kmr): what replays measured, in SQLite (results/schema.sql documents every
 * column). One file may hold many runs over many traces; a report needs nothing else.
 *
 * Functions return 0 or -errno with one sentence in *err.
 */
#ifndef KMLAB_RESULT_H
#define KMLAB_RESULT_H

#include <kmlab/err.h>
#include <kmlab/hist.h>

struct sqlite3;

#define KM_RESULT_APPLICATION_ID 0x6b6d6c72 /* 'kmlr' */
#define KM_RESULT_VERSION 1

struct km_result;

/* Create or open for adding runs. Refuses foreign, newer and damaged files. */
int km_result_create(const char *path, struct km_result **result, struct km_err *err);
int km_result_open(const char *path, struct km_result **result, struct km_err *err);
/* Commit, leave WAL mode, close. */
int km_result_close(struct km_result *result, struct km_err *err);
struct sqlite3 *km_result_db(struct km_result *result);

/* All writes between begin and commit are one transaction: a run is there whole or not at all. */
int km_result_begin(struct km_result *result, struct km_err *err);
int km_result_commit(struct km_result *result, struct km_err *err);
void km_result_rollback(struct km_result *result);

/* The trace runs refer to; provenance is a key-value list. Same uuid: same id, facts replaced. */
int km_result_add_trace(struct km_result *result, const char *uuid, const char *path, int64_t *id,
			struct km_err *err);
int km_result_trace_fact(struct km_result *result, int64_t trace, const char *key,
			 const char *value, struct km_err *err);
/* Distributions of the trace itself: "size_req", "size_alloc", "lifetime_ns" ... */
int km_result_trace_hist(struct km_result *result, int64_t trace, const char *name,
			 const char *unit, const struct km_hist *hist, struct km_err *err);

struct km_run_key {
	int64_t trace;
	const char *model;  /* as given: "slub@6.1" */
	const char *params; /* JSON object text, keys sorted */
	uint64_t seed;
	unsigned rep;
};

/* Replaces an earlier run with the same key. *run is the new row id. */
int km_result_add_run(struct km_result *result, const struct km_run_key *key, int64_t *run,
		      struct km_err *err);
/* A run that could not be made, with the sentence that says why; until it is made. */
int km_result_add_failure(struct km_result *result, const struct km_run_key *key, const char *why,
			  struct km_err *err);
/* A number with its unit; `timing` marks what may differ between two equal runs. */
int km_result_metric(struct km_result *result, int64_t run, const char *name, const char *unit,
		     double value, bool timing, struct km_err *err);
/* A text fact of the run: tlb.source, start state, method ... "" never; absent = not known. */
int km_result_note(struct km_result *result, int64_t run, const char *name, const char *text,
		   struct km_err *err);
int km_result_hist(struct km_result *result, int64_t run, const char *name, const char *unit,
		   const struct km_hist *hist, struct km_err *err);
/* Points of a time series over trace time; NAN values are stored as NULL (not measured). */
int km_result_series(struct km_result *result, int64_t run, const char *name, const char *unit,
		     size_t n, const uint64_t *time_ns, const double *value, struct km_err *err);
int km_result_path(struct km_result *result, int64_t run, const char *name, uint64_t count,
		   struct km_err *err);

/* ---- reading; every pointer lives until the next call with the same result ---- */

/* Row ids: 0, or -ENOENT. */
int km_result_find_trace(struct km_result *result, const char *uuid, int64_t *trace);
int km_result_find_run(struct km_result *result, const struct km_run_key *key, int64_t *run);
/* Why the run could not be made, or NULL. */
const char *km_result_get_failure(struct km_result *result, const struct km_run_key *key);

/* Metric of a run: 0 and *value, or -ENOENT when it was not measured. */
int km_result_get_metric(struct km_result *result, int64_t run, const char *name, double *value);
struct km_measure {
	double value;
	char unit[24];
	bool timed; /* may differ between two equal runs */
};
/* The same, with its unit. */
int km_result_get_measure(struct km_result *result, int64_t run, const char *name,
			  struct km_measure *measure);
const char *km_result_get_note(struct km_result *result, int64_t run, const char *name);
/* 0, or -ENOENT. *hist is filled. */
int km_result_get_hist(struct km_result *result, int64_t run, const char *name,
		       struct km_hist *hist);
int km_result_get_trace_hist(struct km_result *result, int64_t trace, const char *name,
			     struct km_hist *hist);

#endif
