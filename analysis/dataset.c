/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a result file (results/schema.sql) into what reports are made of. Lists come through SQL,
 * single values through results/result.h.
 */
#include "dataset.h"

#include "results/query.h"
#include "results/result.h"
#include "results/sorted.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- SQL that says what went wrong ---- */

static int damaged(const struct km_dataset *dataset, const struct km_err *why, struct km_err *err)
{
	return km_fail(err, -EPROTO,
		       "the result file %s is damaged (%.200s); make it again with kmlab replay",
		       dataset->path, why->text);
}

/* ?1 is an id in all statements of this file. */
static int open_rows(const struct km_dataset *dataset, const char *sql, int64_t id,
		     struct km_query **rows, struct km_err *err)
{
	struct km_err why = {""};

	if (km_query_open(km_result_db(dataset->result), sql, rows, &why))
		return damaged(dataset, &why, err);
	km_query_bind_i64(*rows, 1, id);
	return 0;
}

/* 1: a row, 0: no more rows, negative: damaged. */
static int step(const struct km_dataset *dataset, struct km_query *rows, struct km_err *err)
{
	struct km_err why = {""};
	int code = km_query_step(rows, &why);

	return code < 0 ? damaged(dataset, &why, err) : code;
}

static char *column_copy(const struct km_query *row, unsigned column)
{
	const char *text = km_query_text(row, column);

	return strdup(text ? text : "");
}

/* One more zeroed element at the end of an array, or NULL. */
static void *array_add(void *array_pointer, size_t *count, size_t size)
{
	char *grown, **array = array_pointer;

	grown = realloc(*array, (*count + 1) * size);
	if (!grown)
		return NULL;
	*array = grown;
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

static int no_memory(struct km_err *err)
{
	return km_fail(err, -ENOMEM, "no memory to read the results; close other programs");
}

/* ---- loading ---- */

/* {"min_partial":10,"x":2} reads as "min_partial=10 x=2". */
static char *make_label(const char *model, const char *params)
{
	size_t room = strlen(model) + strlen(params) + 2;
	char *label = malloc(room), *to;
	bool open = false;

	if (!label)
		return NULL;
	strcpy(label, model);
	if (!strchr(params, ':'))
		return label;
	to = label + strlen(label);
	for (const char *at = params; *at; at++) {
		if (*at == '"' || *at == '}' || *at == ' ')
			continue;
		if (*at == '{' || *at == ',')
			*to++ = ' ';
		else
			*to++ = *at == ':' && !open ? '=' : *at;
		open = *at == ':' || (open && *at != ',');
	}
	*to = '\0';
	return label;
}

static int add_run(struct km_trace_results *trace, const struct km_query *row, struct km_err *err)
{
	const char *model = km_query_text(row, 1);
	const char *params = km_query_text(row, 2);
	struct km_machine_runs *machine = NULL;
	size_t seeds, reps;
	uint64_t *seed, *rep;
	int64_t *run;

	if (!model || !params)
		return no_memory(err);
	for (size_t i = 0; i < trace->machine_count && !machine; i++)
		if (!strcmp(trace->machines[i].model, model) &&
		    !strcmp(trace->machines[i].params, params))
			machine = &trace->machines[i];
	if (!machine) {
		machine = array_add(&trace->machines, &trace->machine_count, sizeof(*machine));
		if (!machine)
			return no_memory(err);
		machine->model = strdup(model);
		machine->params = strdup(params);
		machine->label = make_label(model, params);
		if (!machine->model || !machine->params || !machine->label)
			return no_memory(err);
	}
	seeds = reps = machine->count;
	seed = array_add(&machine->seeds, &seeds, sizeof(*seed));
	rep = array_add(&machine->reps, &reps, sizeof(*rep));
	run = seed && rep ? array_add(&machine->runs, &machine->count, sizeof(*run)) : NULL;
	if (!run)
		return no_memory(err);
	*seed = (uint64_t)km_query_i64(row, 3);
	*rep = (uint64_t)km_query_i64(row, 4);
	*run = km_query_i64(row, 0);
	return 0;
}

static int load_runs(const struct km_dataset *dataset, struct km_trace_results *trace,
		     struct km_err *err)
{
	struct km_query *rows = NULL;
	int code =
		open_rows(dataset,
			  "SELECT id, model, params, seed, rep FROM run WHERE trace = ?1 ORDER BY"
			  " min(id) OVER (PARTITION BY model, params), seed, rep, id",
			  trace->id, &rows, err);

	while (!code && (code = step(dataset, rows, err)) > 0)
		code = add_run(trace, rows, err);
	km_query_close(rows);
	return code;
}

static int load_facts(const struct km_dataset *dataset, struct km_trace_results *trace,
		      struct km_err *err)
{
	struct km_query *rows = NULL;
	int code = open_rows(dataset,
			     "SELECT key, value FROM trace_fact WHERE trace = ?1 ORDER BY key",
			     trace->id, &rows, err);

	while (!code && (code = step(dataset, rows, err)) > 0) {
		struct km_fact *fact = array_add(&trace->facts, &trace->fact_count, sizeof(*fact));

		if (!fact)
			code = no_memory(err);
		else
			code = !(fact->key = column_copy(rows, 0)) ||
					       !(fact->value = column_copy(rows, 1))
				       ? no_memory(err)
				       : 0;
	}
	km_query_close(rows);
	return code;
}

static int load_traces(struct km_dataset *dataset, struct km_err *err)
{
	struct km_query *rows = NULL;
	int code = open_rows(dataset,
			     "SELECT id, uuid, path FROM trace WHERE id IN (SELECT trace FROM run)"
			     " ORDER BY id",
			     0, &rows, err);

	while (!code && (code = step(dataset, rows, err)) > 0) {
		struct km_trace_results *trace =
			array_add(&dataset->traces, &dataset->count, sizeof(*trace));

		if (!trace) {
			code = no_memory(err);
			break;
		}
		trace->id = km_query_i64(rows, 0);
		trace->uuid = column_copy(rows, 1);
		trace->path = column_copy(rows, 2);
		code = trace->uuid && trace->path ? load_facts(dataset, trace, err)
						  : no_memory(err);
		if (!code)
			code = load_runs(dataset, trace, err);
	}
	km_query_close(rows);
	return code;
}

int km_dataset_open(const char *path, struct km_dataset *dataset, struct km_err *err)
{
	struct km_dataset opened = {.path = path};
	int code = km_result_open(path, &opened.result, err);

	if (code)
		return code;
	code = load_traces(&opened, err);
	if (!code && !opened.count)
		code = km_fail(err, -ENODATA,
			       "%s holds no runs yet; add some with 'kmlab replay T.kmt -o %s'",
			       path, path);
	if (code) {
		km_dataset_close(&opened);
		return code;
	}
	*dataset = opened;
	return 0;
}

static void free_trace(struct km_trace_results *trace)
{
	for (size_t i = 0; i < trace->fact_count; i++) {
		free(trace->facts[i].key);
		free(trace->facts[i].value);
	}
	for (size_t i = 0; i < trace->machine_count; i++) {
		struct km_machine_runs *machine = &trace->machines[i];

		free(machine->model);
		free(machine->params);
		free(machine->label);
		free(machine->runs);
		free(machine->seeds);
		free(machine->reps);
	}
	free(trace->facts);
	free(trace->machines);
	free(trace->uuid);
	free(trace->path);
}

void km_dataset_close(struct km_dataset *dataset)
{
	for (size_t i = 0; i < dataset->count; i++)
		free_trace(&dataset->traces[i]);
	free(dataset->traces);
	km_result_close(dataset->result, NULL);
	memset(dataset, 0, sizeof(*dataset));
}

/* ---- values ---- */

const char *km_dataset_fact(const struct km_trace_results *trace, const char *key)
{
	for (size_t i = 0; i < trace->fact_count; i++)
		if (!strcmp(trace->facts[i].key, key))
			return trace->facts[i].value;
	return NULL;
}

double km_dataset_fact_number(const struct km_trace_results *trace, const char *key)
{
	const char *text = km_dataset_fact(trace, key);
	char *end;
	double value;

	if (!text)
		return NAN;
	value = strtod(text, &end);
	return end == text || *end ? NAN : value;
}

/* Sorts the values. */
static struct km_spread spread_of(double *values, size_t n)
{
	struct km_spread spread = {.median = NAN, .min = NAN, .max = NAN};

	if (!n)
		return spread;
	km_sort(values, n);
	spread.min = values[0];
	spread.max = values[n - 1];
	spread.median = km_middle(values, n);
	spread.count = n;
	return spread;
}

struct km_spread km_dataset_metric(const struct km_dataset *dataset,
				   const struct km_machine_runs *machine, const char *name)
{
	double *values = calloc(machine->count, sizeof(*values));
	struct km_spread spread;
	size_t n = 0;

	for (size_t i = 0; values && i < machine->count; i++)
		if (!km_result_get_metric(dataset->result, machine->runs[i], name, &values[n]))
			n++;
	spread = spread_of(values, n);
	free(values);
	return spread;
}

char *km_dataset_where(const struct km_dataset *dataset, int64_t run)
{
	static const char *const notes[] = {"host.name", "host.cpu", "workers"};
	char *where = strdup("");

	for (size_t i = 0; where && i < sizeof(notes) / sizeof(notes[0]); i++) {
		const char *text = km_result_get_note(dataset->result, run, notes[i]);
		char *longer = NULL;

		if (!text || asprintf(&longer, "%s%s%s", where, i ? ", " : "", text) < 0)
			longer = NULL;
		free(where);
		where = longer;
	}
	return where;
}

static bool timed_elsewhere(const struct km_dataset *dataset, int64_t a, int64_t b)
{
	char *where = km_dataset_where(dataset, a), *other = km_dataset_where(dataset, b);
	bool elsewhere = where && other && strcmp(where, other);

	free(where);
	free(other);
	return elsewhere;
}

bool km_machine_turn(const struct km_machine_runs *machine, size_t i,
		     const struct km_machine_runs *other, size_t k)
{
	return machine->seeds[i] == other->seeds[k] && machine->reps[i] == other->reps[k];
}

/* NAN: one of them did not measure it, or they cannot be divided. */
static double run_ratio(const struct km_dataset *dataset, int64_t run, int64_t base,
			const char *name)
{
	struct km_measure value, against;

	if (km_result_get_measure(dataset->result, run, name, &value) ||
	    km_result_get_measure(dataset->result, base, name, &against) || !(against.value > 0) ||
	    (value.timed && timed_elsewhere(dataset, run, base)))
		return NAN;
	return value.value / against.value;
}

struct km_spread km_dataset_ratio(const struct km_dataset *dataset,
				  const struct km_machine_runs *machine,
				  const struct km_machine_runs *base, const char *name)
{
	double *values = calloc(machine->count, sizeof(*values));
	struct km_spread spread;
	size_t n = 0, k = 0;

	for (size_t i = 0; values && i < machine->count; i++) {
		/* Mostly the next one. */
		for (size_t tried = 0; tried < base->count; tried++, k++)
			if (km_machine_turn(machine, i, base, k % base->count))
				break;
		if (!km_machine_turn(machine, i, base, k % base->count))
			continue;
		values[n] = run_ratio(dataset, machine->runs[i], base->runs[k % base->count], name);
		n += !isnan(values[n]);
	}
	spread = spread_of(values, n);
	free(values);
	return spread;
}

const char *km_dataset_note(const struct km_dataset *dataset, const struct km_machine_runs *machine,
			    const char *name)
{
	const char *text = NULL;

	for (size_t i = 0; i < machine->count && !text; i++)
		text = km_result_get_note(dataset->result, machine->runs[i], name);
	return text;
}

/* Is it one of the texts that stand there already, with semicolons between? */
static bool told(const char *texts, const char *text)
{
	size_t length = strlen(text);

	for (const char *at = texts; (at = strstr(at, text)) != NULL; at += length)
		if ((at == texts || at[-1] == ' ') && (!at[length] || at[length] == ';'))
			return true;
	return false;
}

char *km_dataset_notes(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		       const char *name)
{
	char *texts = NULL, *longer;

	for (size_t i = 0; i < machine->count; i++) {
		const char *text = km_result_get_note(dataset->result, machine->runs[i], name);

		if (!text || !*text || (texts && told(texts, text)))
			continue;
		if (asprintf(&longer, "%s%s%s", texts ? texts : "", texts ? "; " : "", text) < 0)
			return texts;
		free(texts);
		texts = longer;
	}
	return texts;
}

int km_dataset_hist(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		    const char *name, struct km_hist *hist)
{
	struct km_hist *one = malloc(sizeof(*one));
	int code = one ? -ENOENT : -ENOMEM;

	for (size_t i = 0; one && i < machine->count; i++) {
		if (km_result_get_hist(dataset->result, machine->runs[i], name, one) || !one->total)
			continue;
		if (code)
			memset(hist, 0, sizeof(*hist));
		km_hist_merge(hist, one);
		code = 0;
	}
	free(one);
	return code;
}

size_t km_dataset_hists(const struct km_dataset *dataset, const struct km_machine_runs *machine,
			const char *name, struct km_hist **hists)
{
	size_t n = 0;

	*hists = calloc(machine->count, sizeof(**hists));
	for (size_t i = 0; *hists && i < machine->count; i++)
		if (!km_result_get_hist(dataset->result, machine->runs[i], name, &(*hists)[n]) &&
		    (*hists)[n].total)
			n++;
	return n;
}

/* ---- lists ---- */

void km_points_free(struct km_points *points)
{
	free(points->x);
	free(points->y);
	memset(points, 0, sizeof(*points));
}

static int read_points(const struct km_dataset *dataset, struct km_query *rows,
		       struct km_points *points, struct km_err *err)
{
	size_t room = 0;
	int code;

	while ((code = step(dataset, rows, err)) > 0) {
		if (points->count == room) {
			double *x, *y;

			room = room ? 2 * room : 256;
			x = realloc(points->x, room * sizeof(*x));
			points->x = x ? x : points->x;
			y = realloc(points->y, room * sizeof(*y));
			points->y = y ? y : points->y;
			if (!x || !y)
				return no_memory(err);
		}
		points->x[points->count] = (double)km_query_i64(rows, 0) / 1e9;
		points->y[points->count++] =
			km_query_type(rows, 1) == KM_VALUE_NULL ? NAN : km_query_f64(rows, 1);
	}
	return code;
}

static bool any_measured(const struct km_points *points)
{
	for (size_t i = 0; i < points->count; i++)
		if (!isnan(points->y[i]))
			return true;
	return false;
}

int km_dataset_series(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		      const char *name, struct km_points *points, struct km_err *err)
{

	for (size_t i = 0; i < machine->count; i++) {
		struct km_points found = {0};
		struct km_query *rows = NULL;
		int code =
			open_rows(dataset,
				  "SELECT time_ns, value FROM series WHERE run = ?1 AND name = ?2"
				  " ORDER BY time_ns",
				  machine->runs[i], &rows, err);

		if (!code) {
			km_query_bind_text(rows, 2, name);
			code = read_points(dataset, rows, &found, err);
		}
		km_query_close(rows);
		if (!code && any_measured(&found)) {
			*points = found;
			return 0;
		}
		km_points_free(&found);
		if (code)
			return code;
	}
	return -ENOENT;
}

int km_dataset_names(const struct km_dataset *dataset, const struct km_trace_results *trace,
		     enum km_name_kind kind, struct km_name **names, size_t *count,
		     struct km_err *err)
{
	static const char *const queries[] = {
		[KM_NAMES_METRIC] = "SELECT name, min(unit) FROM metric WHERE run IN"
				    " (SELECT id FROM run WHERE trace = ?1) GROUP BY name",
		[KM_NAMES_NOTE] = "SELECT DISTINCT name, '' FROM note WHERE run IN"
				  " (SELECT id FROM run WHERE trace = ?1) ORDER BY name",
		[KM_NAMES_PATH] = "SELECT DISTINCT name, '' FROM path WHERE count > 0 AND run IN"
				  " (SELECT id FROM run WHERE trace = ?1) ORDER BY name",
	};
	struct km_name *found = NULL;
	size_t n = 0;
	struct km_query *rows = NULL;
	int code = open_rows(dataset, queries[kind], trace->id, &rows, err);

	while (!code && (code = step(dataset, rows, err)) > 0) {
		struct km_name *name = array_add(&found, &n, sizeof(*name));

		code = name && (name->name = column_copy(rows, 0)) &&
				       (name->unit = column_copy(rows, 1))
			       ? 0
			       : no_memory(err);
	}
	km_query_close(rows);
	if (code) {
		km_names_free(found, n);
		return code;
	}
	*names = found;
	*count = n;
	return 0;
}

void km_names_free(struct km_name *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(names[i].name);
		free(names[i].unit);
	}
	free(names);
}

double km_dataset_path(const struct km_dataset *dataset, const struct km_machine_runs *machine,
		       const char *name)
{
	double value = NAN;

	for (size_t i = 0; i < machine->count && isnan(value); i++) {
		struct km_query *row = NULL;

		if (open_rows(dataset, "SELECT count FROM path WHERE run = ?1 AND name = ?2",
			      machine->runs[i], &row, NULL))
			continue;
		km_query_bind_text(row, 2, name);
		if (step(dataset, row, NULL) > 0)
			value = (double)km_query_i64(row, 0);
		km_query_close(row);
	}
	return value;
}
