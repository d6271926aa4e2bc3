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

static void put_report(const struct import_args *args, const struct km_import_report *report)
{
	const struct km_detail details[] = {
		{.name = "trace", .text = args->output},
		{.name = "recorded", .value = report->recorded},
		{.name = "null_frees", .value = report->null_frees},
		{.name = "lost",
		 .value = report->lost,
		 .unknown = !report->loss_known || report->lost_marks},
		{.name = "lost_counted", .value = report->lost},
		{.name = "lost_uncounted_places", .value = report->lost_marks},
		{.name = "other_events", .value = report->other},
		{.name = "unknown_events", .value = report->unknown},
		{.name = "unknown_flags", .value = report->unknown_flags},
		{.name = "unordered", .value = report->unordered},
		{.name = "duration_ns", .value = report->duration_ns}};

	km_put_details(details, sizeof(details) / sizeof(*details), stdout, args->common.format);
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
		"  perf record -a -e 'kmem:*' -o p.data -- make\n"
		"  kmlab import perf p.data -o t.kmt\n"
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
	put_report(&args, &report);
	say(&args, &report);
	return KM_EXIT_OK;
}
