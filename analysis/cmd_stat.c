/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab stat T.kmt: who allocates what, for how long and at what waste. One list of columns serves
 * the tables, the JSON document and --sort.
 */
#include "analysis.h"

#include "results/emit.h"
#include "results/options.h"
#include "results/term.h"
#include "stat.h"
#include "trace_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct stat_args {
	const char *file;
	struct km_stat_options options;
	const char *sort;
	uint64_t top;
	bool top_given;
	struct km_common_options common;
};

/* ---- columns ---- */

enum unit { COUNT, BYTES, NS, PERCENT };

/* X(key, unit, value of a row) */
#define SUM_COLUMNS(X)                                                                             \
	X(hits, COUNT, km_stat_sum(stat, row, KM_SUM_HITS))                                        \
	X(bytes_req, BYTES, km_stat_sum(stat, row, KM_SUM_REQ))                                    \
	X(bytes_alloc, BYTES, km_stat_sum(stat, row, KM_SUM_ALLOC))

/* Counts and bytes of a sampled trace are scaled as the hits are. */
#define COLUMNS(X)                                                                                 \
	X(waste, PERCENT, km_stat_waste(row))                                                      \
	X(live, COUNT, (double)row->live)                                                          \
	X(live_bytes, BYTES, (double)row->live_bytes)                                              \
	X(peak_bytes, BYTES, (double)row->peak_bytes)                                              \
	X(mean_bytes, BYTES, km_stat_mean(stat, row))                                              \
	X(frees, COUNT, (double)row->frees)                                                        \
	X(cross_frees, COUNT, (double)row->cross_frees)                                            \
	X(implied_frees, COUNT, (double)row->implied)                                              \
	X(leaks, COUNT, km_stat_leaks(row))                                                        \
	X(p50_ns, NS, km_stat_lifetime(row, 0.5))                                                  \
	X(p90_ns, NS, km_stat_lifetime(row, 0.9))                                                  \
	X(p99_ns, NS, km_stat_lifetime(row, 0.99))

/* Of a sampled trace, besides: standard errors. */
#define ERROR_COLUMNS(X)                                                                           \
	X(hits_se, COUNT, km_stat_error(stat, row, KM_SUM_HITS))                                   \
	X(bytes_req_se, BYTES, km_stat_error(stat, row, KM_SUM_REQ))                               \
	X(bytes_alloc_se, BYTES, km_stat_error(stat, row, KM_SUM_ALLOC))
#define ESTIMATED_COLUMNS(X) SUM_COLUMNS(X) ERROR_COLUMNS(X)

typedef double value_fn(const struct km_stat *stat, const struct km_stat_row *row);

#define X(key, unit, value)                                                                        \
	static double value_of_##key(const struct km_stat *stat, const struct km_stat_row *row)    \
	{                                                                                          \
		bool scaled = (unit) == COUNT || (unit) == BYTES;                                  \
                                                                                                   \
		return (value) * (scaled ? km_stat_scale(stat, row) : 1);                          \
	}
COLUMNS(X)
#undef X
#define X(key, unit, value)                                                                        \
	static double value_of_##key(const struct km_stat *stat, const struct km_stat_row *row)    \
	{                                                                                          \
		return value;                                                                      \
	}
ESTIMATED_COLUMNS(X)
#undef X

static const struct column {
	const char *key, *title;
	enum unit unit;
	value_fn *value;
} columns[] = {
#define X(key, unit, value) {#key, #key ">", unit, value_of_##key},
	SUM_COLUMNS(X) COLUMNS(X) ERROR_COLUMNS(X)
#undef X
};

enum {
	NR_ERROR_COLUMNS = KM_NR_SUMS,
	NR_ALL_COLUMNS = sizeof(columns) / sizeof(columns[0]),
	NR_COLUMNS = NR_ALL_COLUMNS - NR_ERROR_COLUMNS
};

static unsigned nr_columns(const struct km_stat *stat)
{
	return stat->sample > 1 ? NR_ALL_COLUMNS : NR_COLUMNS;
}

static const struct column *find_column(const char *key)
{
	for (unsigned i = 0; i < NR_ALL_COLUMNS; i++)
		if (strcmp(columns[i].key, key) == 0)
			return &columns[i];
	return NULL;
}

/* ---- rows in order ---- */

struct order {
	uint32_t id;
	double value;
};

/* Greatest first; what there is no value of is last. */
static int compare(const void *a, const void *b)
{
	const struct order *left = a, *right = b;

	if (isnan(left->value) != isnan(right->value))
		return isnan(left->value) ? 1 : -1;
	if (left->value != right->value && !isnan(left->value))
		return left->value < right->value ? 1 : -1;
	return left->id < right->id ? -1 : left->id > right->id;
}

/* The groups that have anything, to free(). NULL: no memory. */
static struct order *sorted(const struct km_stat *stat, const struct stat_args *args, size_t *count)
{
	const struct column *column = find_column(args->sort);
	struct order *order = malloc((stat->nr_rows + 1) * sizeof(*order));

	*count = 0;
	for (uint32_t i = 0; order && i < stat->nr_rows; i++)
		if (stat->rows[i].hits)
			order[(*count)++] = (struct order){i, column->value(stat, &stat->rows[i])};
	if (order)
		qsort(order, *count, sizeof(*order), compare);
	return order;
}

/* ---- printing ---- */

static void cell(struct km_table *table, enum km_format format, const struct column *column,
		 double value)
{
	char human[KM_HUMAN_BYTES];

	if (isnan(value))
		km_table_cell(table, format == KM_FORMAT_TABLE ? "-" : NULL);
	else if (column->unit == PERCENT)
		km_table_cellf(table, "%.2f", value);
	else if (format != KM_FORMAT_TABLE || column->unit == COUNT)
		km_table_cellf(table, "%.0f", value);
	else
		km_table_cell(table, column->unit == NS ? km_human_ns(value, human)
							: km_human_bytes(value, human));
}

static void table_row(struct km_table *table, enum km_format format, const struct km_stat *stat,
		      const struct km_stat_row *row, const char *name)
{
	km_table_cell(table, name);
	for (unsigned i = 0; i < nr_columns(stat); i++)
		cell(table, format, &columns[i], columns[i].value(stat, row));
}

static void print_table(const struct km_stat *stat, const struct order *order, size_t shown,
			enum km_format format)
{
	const char *titles[1 + NR_ALL_COLUMNS] = {km_stat_by_names[stat->groups.by]};
	char name[KM_GROUP_TEXT];
	struct km_table *table;

	for (unsigned i = 0; i < NR_ALL_COLUMNS; i++)
		titles[1 + i] = columns[i].title;
	table = km_table_new(1 + nr_columns(stat), titles);
	for (size_t i = 0; i < shown; i++)
		table_row(table, format, stat, &stat->rows[order[i].id],
			  km_groups_name(&stat->groups, order[i].id, name));
	table_row(table, format, stat, &stat->total, "total");
	km_table_print(table, stdout, format);
	km_table_free(table);
}

/* False: the recorder did not count them. */
static bool lost_events(const struct km_trace *trace, uint64_t *lost)
{
	struct km_trace_counts counts;

	*lost = 0;
	km_trace_counts(trace, &counts);
	for (unsigned cause = 0; cause < KM_NR_LOSS_CAUSES; cause++)
		*lost += counts.lost[cause];
	return km_trace_loss_known(trace);
}

/* The lines `perf kmem stat` ends with, and how much of it all was seen. */
static void print_summary(const struct km_stat *stat, FILE *out)
{
	const struct km_stat_row *total = &stat->total;
	const struct km_living_counts *counts = &stat->counts;
	double requested = km_stat_sum(stat, total, KM_SUM_REQ);
	double allocated = km_stat_sum(stat, total, KM_SUM_ALLOC);
	double ended = (double)(total->frees + total->implied);
	char req[KM_HUMAN_BYTES], alloc[KM_HUMAN_BYTES], waste[KM_HUMAN_BYTES];
	uint64_t lost;

	km_human_bytes(requested, req);
	km_human_bytes(allocated, alloc);
	km_human_bytes(allocated - requested, waste);
	fprintf(out, "requested %s, allocated %s, wasted %s (%.2f %%)\n", req, alloc, waste,
		total->bytes_alloc ? km_stat_waste(total) : 0);
	fprintf(out, "freed on another CPU: %" PRIu64 "/%" PRIu64, total->cross_frees,
		total->frees);
	if (stat->one_node)
		fprintf(out, "; allocated for another node: %" PRIu64 "/%" PRIu64, stat->cross_node,
			total->frees + total->implied + total->live);
	fprintf(out, "\ncoverage: %" PRIu64 " events, ", stat->events);
	if (lost_events(stat->groups.trace, &lost))
		fprintf(out, "%" PRIu64 " lost", lost);
	else
		fprintf(out, "losses not known");
	if (stat->sample > 1)
		fprintf(out, ", 1 of %" PRIu64 " addresses sampled", stat->sample);
	if (stat->missed > 0)
		fprintf(out, ", about %.0f allocations at a few others in no row", stat->missed);
	fprintf(out,
		"; of objects that ended %.2f %% without a traced free; %" PRIu64
		" frees of older objects; %" PRIu64 " allocations traced twice, %" PRIu64
		" failed\n",
		ended > 0 ? 100 * (double)total->implied / ended : 0, counts->preexisting_frees,
		counts->double_large, counts->failed_allocs);
}

static void json_value(struct km_json *json, const struct column *column, double value)
{
	bool whole = column->unit != PERCENT && value >= 0 && value < 0x1p63;

	if (whole)
		km_json_u64(json, column->key, (uint64_t)(value + 0.5));
	else
		km_json_f64(json, column->key, value);
}

static void json_row(struct km_json *json, const char *key, const struct km_stat *stat,
		     const struct km_stat_row *row, const char *name)
{
	km_json_object(json, key);
	if (name)
		km_json_str(json, "name", name);
	for (unsigned i = 0; i < nr_columns(stat); i++)
		json_value(json, &columns[i], columns[i].value(stat, row));
	km_json_close(json);
}

static void json_coverage(struct km_json *json, const struct km_stat *stat)
{
	const struct km_living_counts *counts = &stat->counts;
	uint64_t lost;

	km_json_object(json, "coverage");
	km_json_u64(json, "events", stat->events);
	if (lost_events(stat->groups.trace, &lost))
		km_json_u64(json, "lost", lost);
	else
		km_json_null(json, "lost");
	km_json_bool(json, "complete", km_trace_complete(stat->groups.trace));
	km_json_u64(json, "matched_frees", stat->total.frees);
	km_json_u64(json, "implied_frees", stat->total.implied);
	km_json_u64(json, "preexisting_frees", counts->preexisting_frees);
	km_json_u64(json, "double_large", counts->double_large);
	km_json_u64(json, "failed_allocs", counts->failed_allocs);
	km_json_u64(json, "null_frees", counts->null_frees);
	km_json_close(json);
}

static void print_json(const struct km_stat *stat, const struct order *order, size_t shown,
		       size_t count)
{
	char name[KM_GROUP_TEXT];
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "by", km_stat_by_names[stat->groups.by]);
	km_json_u64(&json, "from_ns", stat->from_ns);
	km_json_u64(&json, "to_ns", stat->to_ns);
	km_json_u64(&json, "sample", stat->sample);
	if (stat->sample > 1)
		km_json_u64(&json, "missed", (uint64_t)(stat->missed + 0.5));
	json_coverage(&json, stat);
	if (stat->one_node)
		km_json_u64(&json, "cross_node_allocs", stat->cross_node);
	else
		km_json_null(&json, "cross_node_allocs");
	json_row(&json, "total", stat, &stat->total, NULL);
	km_json_u64(&json, "rows_hidden", count - shown);
	km_json_array(&json, "rows");
	for (size_t i = 0; i < shown; i++)
		json_row(&json, NULL, stat, &stat->rows[order[i].id],
			 km_groups_name(&stat->groups, order[i].id, name));
	km_json_close(&json);
	km_json_end(&json);
}

static int print(const struct km_stat *stat, const struct stat_args *args)
{
	enum km_format format = args->common.format;
	uint64_t top = args->top_given || format != KM_FORMAT_TABLE ? args->top : 20;
	size_t count, shown;
	struct order *order = sorted(stat, args, &count);

	if (!order)
		return km_error("cannot sort the rows: not enough memory");
	shown = top && top < count ? (size_t)top : count;
	if (format == KM_FORMAT_JSON) {
		print_json(stat, order, shown, count);
	} else {
		print_table(stat, order, shown, format);
		if (format == KM_FORMAT_TABLE)
			print_summary(stat, stdout);
		else if (!km_quiet)
			print_summary(stat, stderr);
	}
	if (shown < count)
		km_note("%zu more rows; --top 0 shows all", count - shown);
	free(order);
	return KM_EXIT_OK;
}

/* ---- the command ---- */

static void parse_by(struct stat_args *args, const char *name, struct argp_state *state)
{
	for (unsigned i = 0; i < KM_NR_BY; i++) {
		if (strcmp(name, km_stat_by_names[i]) == 0) {
			args->options.by = (enum km_stat_by)i;
			return;
		}
	}
	argp_error(state, "--by takes site, cache, size, gfp, cpu, task or module, not '%s'", name);
}

static void parse_sort(struct stat_args *args, const char *key, struct argp_state *state)
{
	char known[512] = "";

	args->sort = key;
	if (find_column(key))
		return;
	for (unsigned i = 0; i < NR_ALL_COLUMNS; i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			 i ? ", " : "", columns[i].key);
	argp_error(state, "there is no column '%s' to sort by; there are %s", key, known);
}

/* "A,B", "A," or ",B" */
static void parse_time(struct stat_args *args, const char *text, struct argp_state *state)
{
	struct km_stat_options *options = &args->options;
	const char *at = text;

	if (*at != ',')
		options->from_ns = km_parse_seconds(state, "--time", &at);
	if (*at == ',' && at[1]) {
		at++;
		options->to_ns = km_parse_seconds(state, "--time", &at);
		if (options->to_ns <= options->from_ns)
			argp_error(state, "--time A,B takes a B after A, not '%s'", text);
	} else if (*at == ',') {
		at++;
	} else {
		argp_error(state, "--time takes A,B in seconds, not '%s'", text);
	}
	if (*at)
		argp_error(state, "--time takes A,B in seconds, not '%s'", text);
}

static int parse_option(int key, char *arg, struct argp_state *state)
{
	struct stat_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case 'b':
		parse_by(args, arg, state);
		return 0;
	case 'l':
		args->options.live = true;
		return 0;
	case 'T':
		parse_time(args, arg, state);
		return 0;
	case 's':
		parse_sort(args, arg, state);
		return 0;
	case 't':
		args->top = km_parse_number(state, "--top", arg, 0, UINT32_MAX);
		args->top_given = true;
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		km_take_trace(state, arg, &args->file);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Zeros are not to be taken for counts of something. */
static void note_no_events(const struct km_trace *trace, const char *file)
{
	if (!km_trace_events(trace))
		km_note("%s holds no events", file);
	else
		km_note("no event of %s lies in the time asked for: it ends at %.6f s", file,
			(double)km_trace_duration_ns(trace) / 1e9);
}

int km_cmd_stat(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"by", 'b', "GROUP", 0,
		 "A row per site (default), cache, size, gfp, cpu, task or module", 0},
		{"live", 'l', NULL, 0, "Count only objects that are live at the end", 0},
		{"time", 'T', "A,B", 0, "As if the trace had been from A to B seconds", 0},
		{"sort", 's', "COLUMN", 0, "Greatest first (default: bytes_alloc)", 0},
		{"top", 't', "N", 0, "N rows (default: 20 in a table, else all; 0: all)", 0},
		{0},
	};
	static const char doc[] =
		"Count slab allocations: bytes asked for and got, what is live, lifetimes.\v"
		"peak and mean are of live bytes over time; cross_frees were freed on another CPU "
		"than allocated; implied_frees ended without a traced free, so no lifetime is "
		"known; leaks are live at the end and older than half of the time (none are told "
		"where most objects end unseen); p50_ns, p90_ns, p99_ns are lifetimes of freed "
		"objects. Counts and bytes of a sampled trace are "
		"scaled up with what the ledger counted of all addresses, with standard errors "
		"(_se; where sums vary widely between addresses they tell too little).\n\n"
		"EXAMPLES\n"
		"  kmlab stat t.kmt\n"
		"  kmlab stat t.kmt --by cache --sort waste --top 10\n"
		"  kmlab stat t.kmt --by task --time 1,2.5 --format csv\n"
		"  kmlab stat t.kmt --live --by module";
	const struct argp argp = {options, parse_option, "T.kmt", doc, km_common_children,
				  NULL,    NULL};
	struct stat_args args = {.sort = "bytes_alloc"};
	struct km_trace *trace;
	struct km_stat stat;
	struct km_err err = {""};
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	if (km_trace_open(args.file, &trace, &err))
		return km_error("%s", err.text);
	if (km_stat_run(trace, &args.options, &stat, &err)) {
		code = km_error("%s", err.text);
	} else {
		code = print(&stat, &args);
		if (!stat.events)
			note_no_events(trace, args.file);
		if (!km_trace_complete(trace))
			km_note("%s was not finished: it holds what was stored before its capture "
				"ended",
				args.file);
		km_stat_free(&stat);
	}
	km_trace_close(trace);
	return code;
}
