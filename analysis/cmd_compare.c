/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab compare R.kmr…: models, or files, against a reference: ratios, intervals, a verdict. */
#include "analysis.h"

#include "compare.h"

#include "results/options.h"
#include "results/term.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FILES 16
#define MOST_METRICS 32
#define MOST_CONDITIONS 16

static const char *const usual[] = {"latency_ns.alloc.p50",
				    "latency_ns.alloc.p99",
				    "latency_ns.free.p50",
				    "latency_ns.free.p99",
				    "ops_per_s",
				    "pages.peak",
				    "pages.mean",
				    "page_table_bytes.peak",
				    "fragmentation.internal_time",
				    "fragmentation.slab_utilisation"};
#define NR_USUAL (sizeof(usual) / sizeof(usual[0]))

struct row {
	const struct km_side *side, *base;
	char metric[64];
	struct km_ratio ratio;
};

struct compare_args {
	char *files[MOST_FILES];
	unsigned nr_files;
	const char *reference;
	char metrics[MOST_METRICS][64];
	unsigned nr_metrics;
	struct km_condition conditions[MOST_CONDITIONS];
	unsigned nr_conditions;
	bool across_hosts;
	struct km_common_options common;
};

struct comparison {
	const struct compare_args *args;
	struct km_dataset datasets[MOST_FILES];
	unsigned nr_datasets;
	struct km_side *sides;
	size_t nr_sides;
	struct row *rows;
	size_t nr_rows;
};

enum { OPT_FAIL_IF = 256, OPT_METRIC, OPT_REFERENCE, OPT_ACROSS_HOSTS };

static const struct argp_option options[] = {
	{"fail-if", OPT_FAIL_IF, "'METRIC>+5%'", 0,
	 "Exit 1 if a ratio is beyond this (> or <) with its whole interval; repeatable", 0},
	{"metric", OPT_METRIC, "NAME", 0,
	 "Compare this instead of the usual ones; p50 p90 p99 p999 max are of allocations, "
	 "free.p99 of frees, pages is pages.peak; repeatable",
	 0},
	{"reference", OPT_REFERENCE, "MODEL", 0,
	 "Compare with this model of the first file (default: slub, or the first that was timed; "
	 "of several files each model with itself in the first)",
	 0},
	{"across-hosts", OPT_ACROSS_HOSTS, NULL, 0,
	 "Judge also what was timed on different hosts, or beside different numbers of other runs",
	 0},
	{0},
};

static void add_metric(struct argp_state *state, struct compare_args *args, const char *word)
{
	if (args->nr_metrics == MOST_METRICS)
		argp_error(state, "at most %d metrics are compared", MOST_METRICS);
	else if (km_metric_name(word, args->metrics[args->nr_metrics],
				sizeof(args->metrics[args->nr_metrics])))
		argp_error(state, "'%s' is no name of a metric", word);
	else
		args->nr_metrics++;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct compare_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case OPT_FAIL_IF:
		if (args->nr_conditions == MOST_CONDITIONS)
			argp_error(state, "at most %d conditions are looked at", MOST_CONDITIONS);
		else if (km_condition_parse(arg, &args->conditions[args->nr_conditions++]))
			argp_error(state,
				   "--fail-if takes METRIC>+PERCENT%% or METRIC<-PERCENT%%, as "
				   "'p99>+5%%', not '%s'",
				   arg);
		return 0;
	case OPT_METRIC:
		add_metric(state, args, arg);
		return 0;
	case OPT_REFERENCE:
		args->reference = arg;
		return 0;
	case OPT_ACROSS_HOSTS:
		args->across_hosts = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->nr_files == MOST_FILES)
			argp_error(state, "at most %d result files are compared", MOST_FILES);
		else
			args->files[args->nr_files++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no result file given; make one with 'kmlab replay'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- who is compared with whom ---- */

static int collect_sides(struct comparison *comparison)
{
	size_t count = 0;

	for (unsigned i = 0; i < comparison->nr_datasets; i++)
		for (size_t k = 0; k < comparison->datasets[i].count; k++)
			count += comparison->datasets[i].traces[k].machine_count;
	comparison->sides = calloc(count, sizeof(*comparison->sides));
	if (!comparison->sides)
		return -ENOMEM;
	for (unsigned i = 0; i < comparison->nr_datasets; i++) {
		const struct km_dataset *dataset = &comparison->datasets[i];

		for (size_t k = 0; k < dataset->count; k++)
			for (size_t m = 0; m < dataset->traces[k].machine_count; m++)
				comparison->sides[comparison->nr_sides++] =
					(struct km_side){dataset, &dataset->traces[k],
							 &dataset->traces[k].machines[m]};
	}
	return 0;
}

static bool is_timed(const struct km_side *side)
{
	return km_dataset_metric(side->dataset, side->machine, "latency_ns.alloc.p50").count > 0;
}

static bool is_called(const struct km_side *side, const char *name)
{
	return !strcmp(side->machine->label, name) || !strcmp(side->machine->model, name);
}

/* The machine of the first file, on the same trace, that a side is compared with; or NULL. */
static const struct km_side *base_of(const struct comparison *comparison,
				     const struct km_side *side)
{
	const char *name = comparison->args->reference;
	const struct km_side *timed = NULL;

	if (!name && comparison->nr_datasets > 1)
		name = side->machine->label;
	for (size_t i = 0; i < comparison->nr_sides; i++) {
		const struct km_side *base = &comparison->sides[i];

		if (base->dataset != &comparison->datasets[0] ||
		    strcmp(base->trace->uuid, side->trace->uuid))
			continue;
		if (is_called(base, name ? name : "slub"))
			return base;
		if (!name && !timed && is_timed(base))
			timed = base;
	}
	return timed;
}

static bool is_known(const struct comparison *comparison, const struct km_side *side)
{
	for (size_t i = 0; i < comparison->datasets[0].count; i++)
		if (!strcmp(comparison->datasets[0].traces[i].uuid, side->trace->uuid))
			return true;
	return false;
}

/* ---- rows ---- */

/* The usual metrics or those asked for, and those of conditions. */
static const char *metric_number(const struct compare_args *args, size_t number)
{
	size_t first = args->nr_metrics ? args->nr_metrics : NR_USUAL;

	if (number < first)
		return args->nr_metrics ? args->metrics[number] : usual[number];
	return number - first < args->nr_conditions ? args->conditions[number - first].metric
						    : NULL;
}

/* The recorded kernel's slabs are counted another way than a model's: its pages are no ratio. */
static bool is_comparable(const struct km_side *side, const struct km_side *base,
			  const char *metric)
{
	return !strcmp(side->machine->model, "kernel") == !strcmp(base->machine->model, "kernel") ||
	       !strncmp(metric, "fragmentation.internal", strlen("fragmentation.internal"));
}

static int add_rows(struct comparison *comparison, const struct km_side *side,
		    const struct km_side *base)
{
	size_t first = comparison->nr_rows;
	const char *metric;

	for (size_t i = 0; (metric = metric_number(comparison->args, i)) != NULL; i++) {
		struct row *row = &comparison->rows[comparison->nr_rows];
		bool there = !is_comparable(side, base, metric);
		int code;

		for (size_t k = first; k < comparison->nr_rows; k++)
			there |= !strcmp(comparison->rows[k].metric, metric);
		code = there ? -ENOENT
			     : km_compare(side, base, metric, comparison->args->across_hosts,
					  &row->ratio);
		if (code == -ENOENT)
			continue;
		if (code)
			return code;
		row->side = side;
		row->base = base;
		snprintf(row->metric, sizeof(row->metric), "%s", metric);
		comparison->nr_rows++;
	}
	return 0;
}

static int compare_all(struct comparison *comparison, struct km_err *err)
{
	int code = collect_sides(comparison);

	if (!code)
		comparison->rows = calloc(comparison->nr_sides * (MOST_METRICS + MOST_CONDITIONS),
					  sizeof(*comparison->rows));
	for (size_t i = 0; !code && comparison->rows && i < comparison->nr_sides; i++) {
		const struct km_side *side = &comparison->sides[i];
		const struct km_side *base = base_of(comparison, side);

		if (!is_known(comparison, side))
			return km_fail(err, -EINVAL,
				       "%s is of another trace (%s) than %s; replay one trace "
				       "into both",
				       side->dataset->path, side->trace->path,
				       comparison->datasets[0].path);
		if (!base && comparison->args->reference)
			return km_fail(err, -EINVAL, "there is no run of '%s' in %s",
				       comparison->args->reference, comparison->datasets[0].path);
		if (base && base != side)
			code = add_rows(comparison, side, base);
	}
	if (code || !comparison->rows)
		return km_fail(err, -ENOMEM, "no memory to compare so many runs");
	if (!comparison->nr_rows)
		return km_fail(err, -ENODATA,
			       "there is nothing to compare: no two runs measured the same; replay "
			       "with several models, or give a second file");
	return 0;
}

/* ---- the answer ---- */

static const char *verdict(const struct km_ratio *ratio)
{
	if (ratio->elsewhere)
		return "timed elsewhere: not told";
	if (isnan(ratio->ratio))
		return "from nothing";
	if (isnan(ratio->low))
		return "one run: not told";
	if (ratio->low > 1)
		return "more";
	if (ratio->high < 1)
		return "less";
	return ratio->low == 1 && ratio->high == 1 ? "the same" : "no difference told";
}

static const char *side_name(const struct comparison *comparison, const struct km_side *side,
			     char text[200])
{
	if (comparison->nr_datasets > 1)
		snprintf(text, 200, "%.90s: %.100s", side->dataset->path, side->machine->label);
	else
		snprintf(text, 200, "%.190s", side->machine->label);
	return text;
}

static void fidelity_text(const struct km_trace_results *trace, char *text, size_t size)
{
	static const char *const what[][2] = {{"bytes_alloc", "sizes"},
					      {"geometry", "slab geometry"},
					      {"slab_choice", "slab choice"}};
	double coverage = km_dataset_fact_number(trace, "coverage");
	size_t used = (size_t)snprintf(text, size, "fidelity of %.60s's own model:", trace->path);

	for (unsigned i = 0; i < 3 && used < size; i++) {
		char key[64];
		double checked, matched;

		snprintf(key, sizeof(key), "fidelity_%s_checked", what[i][0]);
		checked = km_dataset_fact_number(trace, key);
		snprintf(key, sizeof(key), "fidelity_%s_matched", what[i][0]);
		matched = km_dataset_fact_number(trace, key);
		if (checked > 0)
			used += (size_t)snprintf(text + used, size - used, "%s %s %.0f of %.0f",
						 i ? "," : "", what[i][1], matched, checked);
		else
			used += (size_t)snprintf(text + used, size - used, "%s %s not checked",
						 i ? "," : "", what[i][1]);
	}
	if (!isnan(coverage) && used < size)
		snprintf(text + used, size - used, "; coverage %.2f %%", 100 * coverage);
}

static void number_cell(struct km_table *table, double value, const char *format)
{
	if (isnan(value))
		km_table_cell(table, "-");
	else
		km_table_cellf(table, format, value);
}

static void print_rows(const struct comparison *comparison, enum km_format format)
{
	static const char *const titles[] = {"trace", "metric", "unit",  "reference",
					     "model", "value>", "of>",   "ratio>",
					     "low>",  "high>",  "runs>", "verdict"};
	struct km_table *table = km_table_new(12, titles);
	char text[400];

	for (size_t i = 0; i < comparison->nr_rows; i++) {
		const struct row *row = &comparison->rows[i];
		const char *name = strrchr(row->side->trace->path, '/');

		km_table_cell(table, name ? name + 1 : row->side->trace->path);
		km_table_cell(table, row->metric);
		km_table_cell(table, row->ratio.unit);
		km_table_cell(table, side_name(comparison, row->base, text));
		km_table_cell(table, side_name(comparison, row->side, text));
		number_cell(table, row->ratio.value, "%.6g");
		number_cell(table, row->ratio.base, "%.6g");
		number_cell(table, row->ratio.ratio, "%.4f");
		number_cell(table, row->ratio.low, "%.4f");
		number_cell(table, row->ratio.high, "%.4f");
		km_table_cellf(table, "%zu", row->ratio.runs);
		km_table_cell(table, verdict(&row->ratio));
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
	for (size_t i = 0; i < comparison->datasets[0].count; i++) {
		fidelity_text(&comparison->datasets[0].traces[i], text, sizeof(text));
		if (format == KM_FORMAT_TABLE)
			printf("%s\n", text);
		else
			km_note("%s", text);
	}
}

static bool is_broken(const struct row *row, const struct km_condition *condition)
{
	return !strcmp(row->metric, condition->metric) && !row->ratio.elsewhere &&
	       km_condition_met(condition, &row->ratio);
}

static void print_json(const struct comparison *comparison)
{
	const struct compare_args *args = comparison->args;
	struct km_json json;
	char text[400];

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_f64(&json, "interval", 0.95);
	km_json_array(&json, "fidelity");
	for (size_t i = 0; i < comparison->datasets[0].count; i++) {
		fidelity_text(&comparison->datasets[0].traces[i], text, sizeof(text));
		km_json_str(&json, NULL, text);
	}
	km_json_close(&json);
	km_json_array(&json, "rows");
	for (size_t i = 0; i < comparison->nr_rows; i++) {
		const struct row *row = &comparison->rows[i];

		km_json_object(&json, NULL);
		km_json_str(&json, "trace", row->side->trace->path);
		km_json_str(&json, "metric", row->metric);
		km_json_str(&json, "unit", row->ratio.unit);
		km_json_str(&json, "reference", side_name(comparison, row->base, text));
		km_json_str(&json, "model", side_name(comparison, row->side, text));
		km_json_f64(&json, "value", row->ratio.value);
		km_json_f64(&json, "reference_value", row->ratio.base);
		km_json_f64(&json, "ratio", row->ratio.ratio);
		km_json_f64(&json, "low", row->ratio.low);
		km_json_f64(&json, "high", row->ratio.high);
		km_json_u64(&json, "runs", row->ratio.runs);
		km_json_bool(&json, "timed_elsewhere", row->ratio.elsewhere);
		km_json_str(&json, "verdict", verdict(&row->ratio));
		km_json_array(&json, "failed");
		for (unsigned k = 0; k < args->nr_conditions; k++)
			if (is_broken(row, &args->conditions[k]))
				km_json_str(&json, NULL, args->conditions[k].text);
		km_json_close(&json);
		km_json_close(&json);
	}
	km_json_end(&json);
}

/* A condition on what nobody measured, or on two machines' times, would hold by chance: that is an
 * error, not a yes. */
static int judge(const struct comparison *comparison)
{
	int status = KM_EXIT_OK;
	char text[200];

	for (unsigned k = 0; k < comparison->args->nr_conditions; k++) {
		const struct km_condition *condition = &comparison->args->conditions[k];
		bool measured = false;

		for (size_t i = 0; i < comparison->nr_rows; i++) {
			const struct row *row = &comparison->rows[i];

			measured |= !strcmp(row->metric, condition->metric);
			if (!strcmp(row->metric, condition->metric) && row->ratio.elsewhere)
				status =
					km_error("%s cannot be judged: %s of %s was timed on "
						 "another host than the reference, or beside other "
						 "runs; time both on one, or give --across-hosts",
						 condition->text, row->metric,
						 side_name(comparison, row->side, text));
			if (!is_broken(row, condition))
				continue;
			km_warn("%s: %s of %s is %.4f times that of the reference", condition->text,
				row->metric, side_name(comparison, row->side, text),
				row->ratio.ratio);
			status = status == KM_EXIT_OK ? KM_EXIT_NO : status;
		}
		if (!measured)
			status = km_error("%s cannot be judged: no two runs measured %s",
					  condition->text, condition->metric);
	}
	return status;
}

int km_cmd_compare(int argc, char **argv)
{
	static const char doc[] =
		"Compare the runs of result files: ratios with 95 % intervals, and a verdict.\v"
		"One file: its models with the reference; runs took turns, so they are divided one "
		"by one. Several files of one trace: each model with itself in the first. "
		"Intervals "
		"are of medians of 2000 resamples, the same each time; what was timed in one run "
		"has "
		"none. A verdict of more or less is one whose whole interval says so. What is "
		"measured in another way in the recorded kernel is left out. How closely the "
		"trace's "
		"own model follows that kernel stands below. What was timed on different hosts, or "
		"beside different numbers of other runs, has a ratio but neither interval nor "
		"verdict.\n\n"
		"Exit status: 0, or 1 if a --fail-if is met (without an interval: by the "
		"ratio).\n\n"
		"EXAMPLES\n"
		"  kmlab replay a.kmt --model slub,slub@6.1,vmalloc --reps 9 -o a.kmr\n"
		"  kmlab compare a.kmr\n"
		"  kmlab compare a.kmr --reference slub@6.1 --metric p99 --metric pages\n"
		"  kmlab compare before.kmr after.kmr --fail-if 'p99>+5%'";
	const struct argp argp = {options, parse_option, "R.kmr…", doc, km_common_children,
				  NULL,    NULL};
	struct compare_args args = {.nr_files = 0};
	struct comparison comparison = {.args = &args};
	struct km_err err = {""};
	int code = 0;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	for (unsigned i = 0; i < args.nr_files && !code; i++) {
		code = km_dataset_open(args.files[i], &comparison.datasets[i], &err);
		comparison.nr_datasets += !code;
	}
	if (!code)
		code = compare_all(&comparison, &err);
	if (code) {
		code = km_error("%s", err.text);
	} else {
		if (args.common.format == KM_FORMAT_JSON)
			print_json(&comparison);
		else
			print_rows(&comparison, args.common.format);
		code = judge(&comparison);
	}
	free(comparison.rows);
	free(comparison.sides);
	for (unsigned i = 0; i < comparison.nr_datasets; i++)
		km_dataset_close(&comparison.datasets[i]);
	return code;
}
