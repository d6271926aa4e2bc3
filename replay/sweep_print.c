/* SPDX-License-Identifier: GPL-2.0-only */
/* What a sweep prints: its jobs and what became of them; the outcome of files put together. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/sweep.h"
#include "results/query.h"
#include "results/sorted.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void json_job(struct km_json *json, const struct km_sweep_plan *plan, size_t number)
{
	const struct km_sweep_job *job = &plan->jobs[number];

	km_json_object(json, NULL);
	km_json_u64(json, "job", number + 1);
	km_json_str(json, "trace", job->trace);
	km_json_str(json, "model", job->model);
	km_json_raw(json, "params", job->params);
	km_json_u64(json, "seed", job->seed);
	km_json_u64(json, "rep", job->rep);
}

/* ---- sweep run ---- */

static void print_jobs_json(const struct km_sweep *sweep)
{
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "plan", sweep->plan->name);
	km_json_str(&json, "results", sweep->output);
	km_json_u64(&json, "workers", sweep->workers);
	km_json_u64(&json, "done", sweep->count[KM_SWEEP_DONE]);
	km_json_u64(&json, "done_before", sweep->count[KM_SWEEP_EARLIER]);
	km_json_u64(&json, "failed", sweep->count[KM_SWEEP_FAILED]);
	km_json_u64(&json, "not_run", sweep->count[KM_SWEEP_WAITING]);
	km_json_array(&json, "jobs");
	for (size_t i = 0; i < sweep->plan->nr_jobs; i++) {
		if (sweep->states[i] == KM_SWEEP_APART)
			continue;
		json_job(&json, sweep->plan, i);
		km_json_str(&json, "state", km_sweep_state_names[sweep->states[i]]);
		km_json_str(&json, "why", sweep->why[i]);
		km_json_close(&json);
	}
	km_json_end(&json);
}

void km_sweep_print_jobs(const struct km_sweep *sweep, enum km_format format)
{
	static const char *const titles[] = {"job>",  "trace", "model", "params",
					     "seed>", "rep>",  "state", "why"};
	struct km_table *table;

	if (format == KM_FORMAT_JSON) {
		print_jobs_json(sweep);
		return;
	}
	table = km_table_new(8, titles);
	if (!table)
		return;
	for (size_t i = 0; i < sweep->plan->nr_jobs; i++) {
		const struct km_sweep_job *job = &sweep->plan->jobs[i];

		if (sweep->states[i] == KM_SWEEP_APART)
			continue;
		km_table_cellf(table, "%zu", i + 1);
		km_table_cell(table, base_name(job->trace));
		km_table_cell(table, job->model);
		km_table_cell(table, job->given);
		km_table_cellf(table, "%llu", (unsigned long long)job->seed);
		km_table_cellf(table, "%u", job->rep);
		km_table_cell(table, km_sweep_state_names[sweep->states[i]]);
		km_table_cell(table, sweep->why[i]);
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

/* ---- sweep merge: a row for the runs that differ only in seed and repetition ---- */

static const struct {
	const char *title, *format, *metric;
	double scale;
} figures[] = {
	{"alloc p50 ns>", "%.0f", "latency_ns.alloc.p50", 1},
	{"alloc p99 ns>", "%.0f", "latency_ns.alloc.p99", 1},
	{"free p50 ns>", "%.0f", "latency_ns.free.p50", 1},
	{"Mops/s>", "%.1f", "ops_per_s", 1e-6},
	{"peak pages>", "%.0f", "pages.peak", 1},
	{"internal %>", "%.2f", "fragmentation.internal_time", 100},
	{"unusable %>", "%.2f", "fragmentation.unusable_order9", 100},
	{"slab util %>", "%.1f", "fragmentation.slab_utilisation", 100},
};
#define NR_FIGURES (sizeof(figures) / sizeof(figures[0]))
#define NR_COLUMNS (6 + NR_FIGURES)

struct outcome {
	char *trace, *model, *params;
	int64_t trace_id;
	int64_t *runs;
	size_t nr_runs, room;
};

typedef void (*outcome_printer)(void *out, struct km_result *result, const struct outcome *outcome);

/* The different texts of a note, in order of appearance, with commas. */
static char *note_texts(struct km_result *result, const struct outcome *outcome, const char *name)
{
	char *texts = strdup(",");

	for (size_t i = 0; texts && i < outcome->nr_runs; i++) {
		const char *text = km_result_get_note(result, outcome->runs[i], name);
		char *word = NULL, *longer = NULL;

		if (!text || asprintf(&word, ",%s,", text) < 0)
			continue;
		if (!strstr(texts, word) && asprintf(&longer, "%s%s,", texts, text) > 0) {
			free(texts);
			texts = longer;
		}
		free(word);
	}
	if (texts && texts[1])
		texts[strlen(texts) - 1] = '\0';
	return texts;
}

static double median_of(struct km_result *result, const struct outcome *outcome, const char *metric)
{
	double *values = calloc(outcome->nr_runs, sizeof(*values)), median = NAN;
	size_t n = 0;

	for (size_t i = 0; values && i < outcome->nr_runs; i++)
		n += !km_result_get_metric(result, outcome->runs[i], metric, &values[n]);
	if (n)
		median = km_median(values, n);
	free(values);
	return median;
}

static void json_words(struct km_json *json, const char *key, char *texts)
{
	char *rest = NULL;

	km_json_array(json, key);
	for (char *word = texts ? strtok_r(texts, ",", &rest) : NULL; word;
	     word = strtok_r(NULL, ",", &rest))
		km_json_str(json, NULL, word);
	km_json_close(json);
	free(texts);
}

static void json_outcome(void *out, struct km_result *result, const struct outcome *outcome)
{
	struct km_json *json = out;

	km_json_object(json, NULL);
	km_json_str(json, "trace", outcome->trace);
	km_json_str(json, "model", outcome->model);
	km_json_raw(json, "params", outcome->params);
	km_json_u64(json, "runs", outcome->nr_runs);
	json_words(json, "hosts", note_texts(result, outcome, "host.name"));
	json_words(json, "workers", note_texts(result, outcome, "workers"));
	for (size_t i = 0; i < NR_FIGURES; i++)
		km_json_f64(json, figures[i].metric, median_of(result, outcome, figures[i].metric));
	km_json_close(json);
}

/* {"fallback":0,"reclaim":"30%"} as fallback=0,reclaim=30% */
static void params_cell(struct km_table *table, const char *params)
{
	char *text = strdup(params), *to = text;

	for (const char *from = params; text && *from; from++)
		if (!strchr("{}\" ", *from))
			*to++ = *from == ':' ? '=' : *from;
	if (text)
		*to = '\0';
	km_table_cell(table, text && *text ? text : "-");
	free(text);
}

static void words_cell(struct km_table *table, char *texts)
{
	km_table_cell(table, texts && texts[1] ? texts + 1 : "-");
	free(texts);
}

static void table_outcome(void *out, struct km_result *result, const struct outcome *outcome)
{
	struct km_table *table = out;

	km_table_cell(table, outcome->trace);
	km_table_cell(table, outcome->model);
	params_cell(table, outcome->params);
	km_table_cellf(table, "%zu", outcome->nr_runs);
	words_cell(table, note_texts(result, outcome, "host.name"));
	words_cell(table, note_texts(result, outcome, "workers"));
	for (size_t i = 0; i < NR_FIGURES; i++) {
		double value = median_of(result, outcome, figures[i].metric);

		if (isnan(value))
			km_table_cell(table, "-");
		else
			km_table_cellf(table, figures[i].format, value * figures[i].scale);
	}
}

static void forget(struct outcome *outcome)
{
	free(outcome->trace);
	free(outcome->model);
	free(outcome->params);
	outcome->trace = outcome->model = outcome->params = NULL;
	outcome->nr_runs = 0;
}

static bool begin(struct outcome *outcome, const struct km_query *row)
{
	const char *path = km_query_text(row, 2), *model = km_query_text(row, 3);
	const char *params = km_query_text(row, 4);

	forget(outcome);
	outcome->trace_id = km_query_i64(row, 1);
	outcome->trace = strdup(path ? base_name(path) : "");
	outcome->model = strdup(model ? model : "");
	outcome->params = strdup(params ? params : "{}");
	return outcome->trace && outcome->model && outcome->params;
}

static bool belongs(const struct outcome *outcome, const struct km_query *row)
{
	const char *model = km_query_text(row, 3), *params = km_query_text(row, 4);

	return outcome->nr_runs && model && params && outcome->trace_id == km_query_i64(row, 1) &&
	       !strcmp(outcome->model, model) && !strcmp(outcome->params, params);
}

static bool add_run(struct outcome *outcome, int64_t run)
{
	if (outcome->nr_runs == outcome->room) {
		size_t room = outcome->room ? 2 * outcome->room : 16;
		int64_t *grown = realloc(outcome->runs, room * sizeof(*grown));

		if (!grown)
			return false;
		outcome->runs = grown;
		outcome->room = room;
	}
	outcome->runs[outcome->nr_runs++] = run;
	return true;
}

static int each_outcome(struct km_result *result, outcome_printer print, void *out,
			struct km_err *err)
{
	struct outcome outcome = {0};
	struct km_query *rows = NULL;
	int code = km_query_open(
		km_result_db(result),
		"SELECT run.id, trace.id, trace.path, run.model,"
		" iif(json_valid(run.params), run.params, 'null') FROM run"
		" JOIN trace ON trace.id = run.trace ORDER BY trace.id,"
		" min(run.id) OVER (PARTITION BY run.trace, run.model, run.params), run.id",
		&rows, err);

	while (!code && (code = km_query_step(rows, err)) > 0) {
		bool room = true;

		if (!belongs(&outcome, rows)) {
			if (outcome.nr_runs)
				print(out, result, &outcome);
			room = begin(&outcome, rows);
		}
		code = room && add_run(&outcome, km_query_i64(rows, 0))
			       ? 0
			       : km_fail(err, -ENOMEM, "no memory to print the results");
	}
	if (!code && outcome.nr_runs)
		print(out, result, &outcome);
	km_query_close(rows);
	forget(&outcome);
	free(outcome.runs);
	return code;
}

/* ---- sweep merge: what is missing ---- */

const char *km_sweep_missing(struct km_result *result, const struct km_sweep_job *job)
{
	struct km_run_key key = {
		.model = job->model, .params = job->params, .seed = job->seed, .rep = job->rep};
	const char *why;
	int64_t run;

	if (km_result_find_trace(result, job->uuid, &key.trace))
		return "not run";
	if (!km_result_find_run(result, &key, &run))
		return NULL;
	why = km_result_get_failure(result, &key);
	return why ? why : "not run";
}

static int json_failures(struct km_json *json, struct km_result *result, struct km_err *err)
{
	struct km_query *rows = NULL;
	int code = km_query_open(
		km_result_db(result),
		"SELECT trace.path, model, iif(json_valid(params), params, 'null'), seed,"
		" rep, why FROM failure"
		" JOIN trace ON trace.id = failure.trace"
		" ORDER BY trace.id, seed, rep, model, params",
		&rows, err);

	km_json_array(json, "failures");
	while (!code && (code = km_query_step(rows, err)) > 0) {
		km_json_object(json, NULL);
		km_json_str(json, "trace", km_query_text(rows, 0));
		km_json_str(json, "model", km_query_text(rows, 1));
		km_json_raw(json, "params", km_query_text(rows, 2));
		km_json_i64(json, "seed", km_query_i64(rows, 3));
		km_json_i64(json, "rep", km_query_i64(rows, 4));
		km_json_str(json, "why", km_query_text(rows, 5));
		km_json_close(json);
		code = 0;
	}
	km_json_close(json);
	km_query_close(rows);
	return code;
}

static int print_outcome_json(const struct km_sweep_merged *merged, struct km_err *err)
{
	struct km_json json;
	int code;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "results", merged->output);
	km_json_u64(&json, "files", merged->files);
	km_json_u64(&json, "runs_added", merged->added);
	km_json_u64(&json, "runs_the_same", merged->same);
	km_json_u64(&json, "runs_left_out", merged->left_out);
	km_json_array(&json, "rows");
	code = each_outcome(merged->result, json_outcome, &json, err);
	km_json_close(&json);
	if (!code)
		code = json_failures(&json, merged->result, err);
	if (!merged->plan) {
		km_json_null(&json, "missing");
		km_json_null(&json, "unplanned");
		km_json_end(&json);
		return code;
	}
	km_json_array(&json, "missing");
	for (size_t i = 0; i < merged->plan->nr_jobs; i++) {
		const char *why = km_sweep_missing(merged->result, &merged->plan->jobs[i]);

		if (!why)
			continue;
		json_job(&json, merged->plan, i);
		km_json_str(&json, "why", why);
		km_json_close(&json);
	}
	km_json_close(&json);
	km_json_u64(&json, "unplanned", merged->unplanned);
	km_json_end(&json);
	return code;
}

int km_sweep_print_outcome(const struct km_sweep_merged *merged, enum km_format format,
			   struct km_err *err)
{
	const char *titles[NR_COLUMNS] = {"trace", "model", "params", "runs>", "hosts", "workers"};
	struct km_table *table;
	int code;

	if (format == KM_FORMAT_JSON)
		return print_outcome_json(merged, err);
	for (size_t i = 0; i < NR_FIGURES; i++)
		titles[6 + i] = figures[i].title;
	table = km_table_new(NR_COLUMNS, titles);
	if (!table)
		return km_fail(err, -ENOMEM, "no memory to print the results");
	code = each_outcome(merged->result, table_outcome, table, err);
	if (!code)
		km_table_print(table, stdout, format);
	km_table_free(table);
	return code;
}
