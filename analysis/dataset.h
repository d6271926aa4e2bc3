/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A result file as a report sees it: traces, their facts, and machines (runs that differ only in
 * seed or repetition, taken together: medians of numbers, histograms merged, never averaged).
 * What was not measured is NAN or -ENOENT, never 0.
 */
#ifndef KMLAB_DATASET_H
#define KMLAB_DATASET_H

#include <kmlab/err.h>
#include <kmlab/hist.h>

struct km_machine_runs {
	char *model;   /* "slub@6.1" */
	char *params;  /* JSON object text */
	char *label;   /* model, and the parameters when there are any */
	int64_t *runs; /* in order of seed and repetition */
	size_t count;
	uint64_t *seeds;
	uint64_t *reps;
};

struct km_fact {
	char *key, *value;
};

struct km_trace_results {
	int64_t id;
	char *uuid, *path;
	struct km_fact *facts; /* sorted by key */
	size_t fact_count;
	struct km_machine_runs *machines; /* in the order they were first run */
	size_t machine_count;
};

struct km_dataset {
	struct km_result *result;
	const char *path; /* as given to km_dataset_open(), which does not copy it */
	struct km_trace_results *traces;
	size_t count;
};

/* Read everything but the measurements. A file without runs: -ENODATA. */
int km_dataset_open(const char *path, struct km_dataset *dataset, struct km_err *err);
void km_dataset_close(struct km_dataset *dataset);

/* Value of a fact, or NULL; as a number, or NAN. */
const char *km_dataset_fact(const struct km_trace_results *trace, const char *key);
double km_dataset_fact_number(const struct km_trace_results *trace, const char *key);

struct km_spread {
	double median, min, max;
	size_t count; /* runs that measured it; 0: median is NAN */
};
struct km_spread km_dataset_metric(const struct km_dataset *dataset,
				   const struct km_machine_runs *machine, const char *name);
/*
 * Where a run was timed: host, CPU, and beside how many others; to free(). NULL: it does not say,
 * as older ones do not, or nothing was timed.
 */
char *km_dataset_where(const struct km_dataset *dataset, int64_t run);
/* Note of the first run that has it, or NULL. The pointer lives until the next call. */
const char *km_dataset_note(const struct km_dataset *dataset, const struct km_machine_runs *machine,
			    const char *name);
/* Histogram of all runs merged. 0, or -ENOENT. */
int km_dataset_hist(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		    const char *name, struct km_hist *hist);

/* Histograms of the runs that have it, one by one: how many, 0 also without memory. The caller
 * frees *hists. */
size_t km_dataset_hists(const struct km_dataset *dataset, const struct km_machine_runs *machine,
			const char *name, struct km_hist **hists);
/* All the different texts of a note, with semicolons between; to free(). NULL: no run has it. */
char *km_dataset_notes(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		       const char *name);
/* Did the i-th run of one machine and the k-th of another take turns: one seed, one repetition? */
bool km_machine_turn(const struct km_machine_runs *machine, size_t i,
		     const struct km_machine_runs *other, size_t k);
/*
 * A metric divided by the same of another machine, run by run where both took turns. What was timed
 * in different places is left out.
 */
struct km_spread km_dataset_ratio(const struct km_dataset *dataset,
				  const struct km_machine_runs *machine,
				  const struct km_machine_runs *base, const char *name);

struct km_points {
	double *x, *y; /* y NAN: not measured at x */
	size_t count;
};
/* Series of the first run that has it, x in seconds. 0, -ENOENT, or an error in *err. */
int km_dataset_series(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		      const char *name, struct km_points *points, struct km_err *err);
void km_points_free(struct km_points *points);

/* Names in a list, sorted; `unit` is "" where there is none. */
struct km_name {
	char *name, *unit;
};
enum km_name_kind { KM_NAMES_METRIC, KM_NAMES_NOTE, KM_NAMES_PATH };
/* Every name that some run of the trace has. Caller frees with km_names_free(). */
int km_dataset_names(const struct km_dataset *dataset, const struct km_trace_results *trace,
		     enum km_name_kind kind, struct km_name **names, size_t *count,
		     struct km_err *err);
void km_names_free(struct km_name *names, size_t count);

/* Path count of the first run that has it (paths do not differ between repetitions); or NAN. */
double km_dataset_path(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		       const char *name);

#endif
