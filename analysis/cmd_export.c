/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab export T.kmt --rows X.db|X.csv --perfetto X.json: a trace for other programs. */
#include "analysis.h"

#include "analysis/export_text.h"
#include "analysis/window.h"
#include "results/emit.h"
#include "results/options.h"
#include "results/term.h"
#include "traces/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct export_args {
	const char *file, *rows, *perfetto;
	struct km_window window;
	struct km_common_options common;
};

enum { OPTION_ROWS = 256, OPTION_PERFETTO };

static const struct argp_option options[] = {
	{"rows", OPTION_ROWS, "X.db|X.csv", 0,
	 "Plain tables: an SQLite file with dictionaries, or one CSV file with the names in it", 0},
	{"perfetto", OPTION_PERFETTO, "X.json", 0, "For ui.perfetto.dev and chrome://tracing", 0},
	{"time", 't', "A,B", 0, "What lies from A to before B, in seconds; either may be left out",
	 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct export_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case OPTION_ROWS:
		args->rows = arg;
		return 0;
	case OPTION_PERFETTO:
		args->perfetto = arg;
		return 0;
	case 't':
		km_parse_window(state, arg, &args->window);
		return 0;
	case ARGP_KEY_ARG:
		km_take_trace(state, arg, &args->file);
		return 0;
	case ARGP_KEY_END:
		if (!args->file || (!args->rows && !args->perfetto))
			argp_error(state, "a trace and --rows or --perfetto are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && !strcmp(text + n - m, end);
}

typedef int text_fn(struct km_trace *trace, const struct km_trace_filter *filter, FILE *out,
		    uint64_t *rows, struct km_err *err);

static int write_text(struct km_trace *trace, const struct km_trace_filter *filter,
		      const char *path, text_fn *write, uint64_t *rows, struct km_err *err)
{
	FILE *out = fopen(path, "we");
	int code;

	if (!out)
		return km_fail(err, -errno, "cannot write %s: %s", path, strerror(errno));
	code = write(trace, filter, out, rows, err);
	if (!code && ferror(out))
		code = km_fail(err, -EIO, "cannot write %s; is the disk full?", path);
	if (fclose(out) && !code)
		code = km_fail(err, -errno, "cannot write %s: %s", path, strerror(errno));
	return code;
}

/* Under a name of its own until it is whole: what was there before stays until then. */
static int write_file(struct km_trace *trace, const struct km_trace_filter *filter,
		      const char *path, text_fn *write, uint64_t *rows, struct km_err *err)
{
	char *part;
	int code;

	if (asprintf(&part, "%s.part", path) < 0)
		return km_fail(err, -ENOMEM, "cannot write %s: not enough memory", path);
	unlink(part);
	code = write ? write_text(trace, filter, part, write, rows, err)
		     : km_export_db(trace, filter, part, km_interrupted, rows, err);
	if (!code && rename(part, path))
		code = km_fail(err, -errno, "cannot write %s: %s", path, strerror(errno));
	if (code)
		unlink(part);
	free(part);
	return code;
}

static void put_report(const struct export_args *args, const uint64_t *rows)
{
	static const char *const titles[] = {"file", "events>"};
	const char *const files[] = {args->rows, args->perfetto};
	struct km_table *table;
	struct km_json json;

	if (args->common.format == KM_FORMAT_JSON) {
		km_json_begin(&json, stdout);
		km_json_u64(&json, "schema", 1);
		km_json_array(&json, "files");
		for (unsigned i = 0; i < 2; i++) {
			if (!files[i])
				continue;
			km_json_object(&json, NULL);
			km_json_str(&json, "file", files[i]);
			km_json_u64(&json, "events", rows[i]);
			km_json_close(&json);
		}
		km_json_end(&json);
		return;
	}
	table = km_table_new(2, titles);
	for (unsigned i = 0; i < 2; i++) {
		if (!files[i])
			continue;
		km_table_cell(table, files[i]);
		km_table_cellf(table, "%" PRIu64, rows[i]);
	}
	km_table_print(table, stdout, args->common.format);
	km_table_free(table);
}

int km_cmd_export(int argc, char **argv)
{
	static const char doc[] =
		"Write a trace for programs that do not know its format.\v"
		"The SQLite file has the tables event, kind, cache, site, task, stack, gap and "
		"meta, and "
		"the view named_event; DuckDB, pandas and R read both it and the CSV file. "
		"Perfetto's "
		"file has a track per CPU with the losses on it, and the bytes live by kind.\n\n"
		"EXAMPLES\n"
		"  kmlab export t.kmt --rows t.db\n"
		"  kmlab export t.kmt --time 1,1.2 --perfetto t.json";
	const struct argp argp = {options, parse_option, "T.kmt", doc, km_common_children,
				  NULL,    NULL};
	struct export_args args = {0};
	struct km_trace_filter filter = {.cpu = -1};
	uint64_t rows[2] = {0, 0};
	struct km_trace *trace;
	struct km_err err = {""};
	int code = 0;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	if (args.rows && !ends_with(args.rows, ".db") && !ends_with(args.rows, ".csv"))
		return km_error("--rows takes a name that ends with .db or .csv, not %s",
				args.rows);
	if (km_trace_open(args.file, &trace, &err))
		return km_error("%s", err.text);
	km_catch_interrupts();
	filter.from_ns = args.window.from_ns;
	filter.to_ns = args.window.to_ns;
	if (args.rows)
		code = write_file(trace, &filter, args.rows,
				  ends_with(args.rows, ".csv") ? km_export_csv : NULL, &rows[0],
				  &err);
	if (!code && args.perfetto)
		code = write_file(trace, &filter, args.perfetto, km_export_perfetto, &rows[1],
				  &err);
	km_trace_close(trace);
	if (code == -EINTR) {
		km_note("interrupted; nothing was written");
		return KM_EXIT_INTERRUPTED;
	}
	if (code)
		return km_error("%s", err.text);
	put_report(&args, rows);
	return KM_EXIT_OK;
}
