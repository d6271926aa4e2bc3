/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab sql T.kmt "SELECT …": one read-only statement over a trace, where the virtual table `event`
 * has a row per event and `object` one per lifetime. Rows are written as they come, so a query over
 * millions of events needs no memory for them; only the aligned table has to see all rows first.
 */
#include "analysis.h"

#include "results/emit.h"
#include "results/options.h"
#include "results/query.h"
#include "results/term.h"
#include "traces/trace.h"

#include <errno.h>
#include <stdlib.h>

struct sql_args {
	const char *file, *query;
	struct km_common_options common;
};

static int parse_option(int key, char *arg, struct argp_state *state)
{
	struct sql_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case ARGP_KEY_ARG:
		if (args->query)
			argp_error(state, "one statement, in quotes; '%s' is left over", arg);
		else if (args->file)
			args->query = arg;
		else
			args->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!args->query)
			argp_error(state, "a trace and a statement are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One JSON value of a row. Integers stay exact; a BLOB is its hexadecimal text. */
static void json_value(struct km_json *json, const struct km_query *row, unsigned column)
{
	const char *name = km_query_name(row, column);
	const unsigned char *bytes;
	size_t length;
	char *hex;

	switch (km_query_type(row, column)) {
	case KM_VALUE_INTEGER:
		km_json_i64(json, name, km_query_i64(row, column));
		return;
	case KM_VALUE_REAL:
		km_json_f64(json, name, km_query_f64(row, column));
		return;
	case KM_VALUE_NULL:
		km_json_null(json, name);
		return;
	case KM_VALUE_BLOB:
		bytes = km_query_blob(row, column, &length);
		hex = calloc(2 * length + 1, 1);
		for (size_t i = 0; hex && i < length; i++)
			sprintf(hex + 2 * i, "%02x", bytes[i]);
		km_json_str(json, name, hex);
		free(hex);
		return;
	case KM_VALUE_TEXT:
		km_json_str(json, name, km_query_text(row, column));
	}
}

/* The document begins with the first row, so that a query that fails at once prints nothing. */
static int print_json(struct km_query *row, struct km_err *err)
{
	struct km_json json;
	int code = km_query_step(row, err);

	if (code < 0)
		return code;
	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_array(&json, "rows");
	for (; code > 0; code = km_query_step(row, err)) {
		km_json_object(&json, NULL);
		for (unsigned i = 0; i < km_query_columns(row); i++)
			json_value(&json, row, i);
		km_json_close(&json);
	}
	km_json_end(&json);
	return code;
}

static void print_line(const struct km_query *row, enum km_format format, bool header)
{
	for (unsigned i = 0; i < km_query_columns(row); i++) {
		const char *text = header ? km_query_name(row, i) : km_query_text(row, i);

		if (i)
			putchar(format == KM_FORMAT_CSV ? ',' : '\t');
		km_emit_field(stdout, format, text ? text : "");
	}
	fputs(format == KM_FORMAT_CSV ? "\r\n" : "\n", stdout);
}

static int print_separated(struct km_query *row, enum km_format format, struct km_err *err)
{
	int code = km_query_step(row, err);

	if (code < 0)
		return code;
	print_line(row, format, true);
	for (; code > 0; code = km_query_step(row, err))
		print_line(row, format, false);
	return code;
}

static int print_table(struct km_query *row, struct km_err *err)
{
	unsigned columns = km_query_columns(row);
	char **titles = calloc(columns, sizeof(*titles));
	struct km_table *table;
	int code = km_query_step(row, err);

	/* Numbers in the first row make a column right-aligned. */
	for (unsigned i = 0; titles && i < columns; i++) {
		enum km_value_type type = code > 0 ? km_query_type(row, i) : KM_VALUE_TEXT;
		bool right = type == KM_VALUE_INTEGER || type == KM_VALUE_REAL;

		if (asprintf(&titles[i], "%s%s", km_query_name(row, i), right ? ">" : "") < 0)
			titles[i] = NULL;
	}
	table = titles ? km_table_new(columns, (const char *const *)titles) : NULL;
	for (; code > 0; code = km_query_step(row, err))
		for (unsigned i = 0; i < columns; i++)
			km_table_cell(table, km_query_text(row, i));
	if (!code)
		km_table_print(table, stdout, KM_FORMAT_TABLE);
	km_table_free(table);
	for (unsigned i = 0; titles && i < columns; i++)
		free(titles[i]);
	free(titles);
	return code;
}

static int run_query(struct sqlite3 *db, const struct sql_args *args)
{
	struct km_query *row = NULL;
	struct km_err err = {""};
	int code = km_query_open(db, args->query, &row, &err);

	if (!code && args->common.format == KM_FORMAT_JSON)
		code = print_json(row, &err);
	else if (!code && args->common.format == KM_FORMAT_TABLE)
		code = print_table(row, &err);
	else if (!code)
		code = print_separated(row, args->common.format, &err);
	km_query_close(row);
	if (code == -EPERM)
		return km_error("the statement would change the trace or reach outside it; kmlab "
				"sql only reads, so use SELECT, or PRAGMA table_info(event)");
	if (code == -EINVAL)
		return km_error("exactly one SELECT statement is needed, in quotes");
	if (code && km_interrupted()) {
		km_note("interrupted; the trace is as it was");
		return KM_EXIT_INTERRUPTED;
	}
	if (code)
		return km_error("the statement failed: %s", err.text);
	return KM_EXIT_OK;
}

int km_cmd_sql(int argc, char **argv)
{
	static const char doc[] =
		"Query a trace with SQL.\v"
		"The table 'event' has one row per recorded event, 'object' one per object: who "
		"allocated and freed it, when, and how its free is known (free_kind explicit, "
		"cross_api, implied, open, preexisting). cache, site (name: as in event), task, "
		"cgroup, stack, snapshot (text), gap, counts, lost, filtered, repair and meta are "
		"tables of the trace file. What columns a table has tells PRAGMA "
		"table_info(event). Addresses are signed: printf('%x', ptr) shows one as the "
		"kernel does.\n\n"
		"EXAMPLES\n"
		"  kmlab sql t.kmt \"SELECT kind, count(*) FROM event GROUP BY 1\"\n"
		"  kmlab sql t.kmt \"SELECT * FROM event LIMIT 5\" --format json\n"
		"  kmlab sql t.kmt \"SELECT alloc_site, sum(bytes_alloc) FROM object\n"
		"                   WHERE free_kind = 'open' GROUP BY 1\"";
	const struct argp argp = {NULL, parse_option, "T.kmt STATEMENT", doc, km_common_children,
				  NULL, NULL};
	struct sql_args args = {0};
	struct km_trace *trace;
	struct km_err err = {""};
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	if (km_trace_open(args.file, &trace, &err))
		return km_error("%s", err.text);
	if (km_trace_register_sql(trace, &err)) {
		code = km_error("%s", err.text);
	} else {
		km_catch_interrupts();
		km_query_only_reading(km_trace_db(trace));
		code = run_query(km_trace_db(trace), &args);
	}
	km_trace_close(trace);
	return code;
}
