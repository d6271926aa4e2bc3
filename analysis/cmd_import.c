/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab import perf|ftrace|llfree FILE -o T.kmt: a trace made elsewhere, as a trace of ours. */
#include "analysis.h"

#include "results/emit.h"
#include "results/options.h"
#include "results/term.h"
#include "traces/import.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct import_args {
	const char *format, *file, *output, *kernel;
	struct km_common_options common;
};

static const struct argp_option options[] = {
	{"output", 'o', "T.kmt", 0, "The trace to write", 0},
	{"kernel", 'k', "RELEASE", 0,
	 "What 'uname -r' prints on the recorded machine, where the file does not say it", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct import_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case 'o':
		args->output = arg;
		return 0;
	case 'k':
		args->kernel = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (args->file)
			argp_error(state, "one file at a time; '%s' is a second", arg);
		else if (args->format)
			args->file = arg;
		else
			args->format = arg;
		return 0;
	case ARGP_KEY_END:
		if (!args->file || !args->output)
			argp_error(state, "a format, a file and -o are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int find_format(const char *name)
{
	for (int i = 0; i < KM_NR_IMPORT_FORMATS; i++)
		if (!strcmp(name, km_import_format_names[i]))
			return i;
	return -1;
}

/* ---- what became of it ---- */

static void put_json(const struct import_args *args, const struct km_import_report *report)
{
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "trace", args->output);
	km_json_u64(&json, "recorded", report->recorded);
	km_json_u64(&json, "null_frees", report->null_frees);
	if (report->loss_known && !report->lost_marks)
		km_json_u64(&json, "lost", report->lost);
	else
		km_json_null(&json, "lost");
	km_json_u64(&json, "lost_counted", report->lost);
	km_json_u64(&json, "lost_uncounted_places", report->lost_marks);
	km_json_u64(&json, "other_events", report->other);
	km_json_u64(&json, "unknown_events", report->unknown);
	km_json_u64(&json, "unknown_flags", report->unknown_flags);
	km_json_u64(&json, "unordered", report->unordered);
	km_json_u64(&json, "duration_ns", report->duration_ns);
	km_json_end(&json);
}

static void put_table(const struct import_args *args, const struct km_import_report *report)
{
	static const char *const titles[] = {"fact", "value>"};
	const struct {
		const char *title;
		uint64_t value;
	} rows[] = {{"recorded", report->recorded},
		    {"null_frees", report->null_frees},
		    {"lost_counted", report->lost},
		    {"lost_uncounted_places", report->lost_marks},
		    {"other_events", report->other},
		    {"unknown_events", report->unknown},
		    {"unknown_flags", report->unknown_flags},
		    {"unordered", report->unordered},
		    {"duration_ns", report->duration_ns}};
	struct km_table *table = km_table_new(2, titles);

	km_table_cell(table, "trace");
	km_table_cell(table, args->output);
	km_table_cell(table, "lost");
	if (report->loss_known && !report->lost_marks)
		km_table_cellf(table, "%" PRIu64, report->lost);
	else
		km_table_cell(table, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		km_table_cell(table, rows[i].title);
		km_table_cellf(table, "%" PRIu64, rows[i].value);
	}
	km_table_print(table, stdout, args->common.format);
	km_table_free(table);
}

static void say(const struct import_args *args, const struct km_import_report *report)
{
	if (report->unknown)
		km_note("%" PRIu64
			" events are none of kmem, vmalloc and percpu and were left out; "
			"the first was %s",
			report->unknown, report->first_unknown);
	if (report->unknown_flags)
		km_note("%" PRIu64
			" events have gfp flags that kernel does not have, which were left "
			"out; the first was %s",
			report->unknown_flags, report->first_flag);
	if (report->unordered)
		km_note("%" PRIu64 " events are older than the first; they were moved to its time",
			report->unordered);
	if (report->lost)
		km_note("%" PRIu64 " events were lost when %s was recorded; of which kinds is not "
			"known, and was estimated",
			report->lost, args->file);
	if (!report->loss_known)
		km_note("%s does not say how many events were lost when it was recorded; the trace "
			"keeps that as unknown",
			args->file);
	else if (report->lost_marks)
		km_note("%s marks %" PRIu64
			" places where events were lost without their number; the "
			"trace keeps its losses as unknown",
			args->file, report->lost_marks);
}

int km_cmd_import(int argc, char **argv)
{
	static const char doc[] =
		"Make a trace of one that was recorded elsewhere.\v"
		"FORMAT is one of\n"
		"  perf    perf.data (perf itself must be installed), or what 'perf script' "
		"printed; "
		"with\n          --header --ns --show-lost-events it says what else it knows\n"
		"  ftrace  /sys/kernel/tracing/trace with hash-ptr off, or what 'trace-cmd report' "
		"printed\n"
		"  llfree  page traces of LLFree, 16 bytes an entry\n\n"
		"Events of kmem, vmalloc and percpu are taken, others counted. Losses become gaps "
		"where "
		"the file tells them.\n\n"
		"EXAMPLES\n"
		"  perf record -a -e 'kmem:*' -o p.data -- make; kmlab import perf p.data -o "
		"t.kmt\n"
		"  kmlab import ftrace trace.txt --kernel 6.1.0-13-amd64 -o t.kmt";
	const struct argp argp = {options, parse_option, "FORMAT FILE", doc, km_common_children,
				  NULL,    NULL};
	struct import_args args = {0};
	struct km_import_report report;
	struct km_trace_writer *writer;
	struct km_err err = {""};
	struct km_import_options wanted = {.stop = km_interrupted};
	int format, code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	wanted.kernel = args.kernel;
	format = find_format(args.format);
	if (format < 0)
		return km_error("'%s' cannot be imported; perf, ftrace and llfree can",
				args.format);
	if (km_trace_create(args.output, &writer, &err))
		return km_error("%s", err.text);
	km_catch_interrupts();
	code = km_import_file((enum km_import_format)format, args.file, &wanted, writer, &report,
			      &err);
	if (code) {
		km_trace_discard(writer);
		if (code != -EINTR)
			return km_error("%s", err.text);
		km_note("interrupted; nothing was written");
		return KM_EXIT_INTERRUPTED;
	}
	if (km_trace_finish(writer, report.duration_ns, &err))
		return km_error("%s", err.text);
	if (args.common.format == KM_FORMAT_JSON)
		put_json(&args, &report);
	else
		put_table(&args, &report);
	say(&args, &report);
	return KM_EXIT_OK;
}
