/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes the importers: what they accept becomes a sound trace, what not is told in a sentence. */
#include "traces/check.h"
#include "traces/fuzz/targets.h"
#include "traces/import.h"
#include "traces/import_parse.h"
#include <kmlab/profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void km_fuzz_lines(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	const struct km_profile *profile = km_profile_for_release("6.1");

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct km_text text = {at, (size_t)((newline ? newline : end) - at)};
		struct km_fields fields;
		struct km_line line;

		for (unsigned format = 0; format < 2; format++) {
			if (format)
				km_line_ftrace(text, &line);
			else
				km_line_perf(text, &line);
			if (line.kind == KM_LINE_BAD && !line.why)
				abort();
			if (line.kind == KM_LINE_EVENT &&
			    km_fields_parse(line.event, line.fields, profile, &fields) ==
				    KM_FIELDS_BAD &&
			    !fields.why)
				abort();
		}
		at = text.at + text.n + 1;
	}
}

static void print_problem(void *context, const struct km_check_problem *problem)
{
	(void)context;
	fprintf(stderr, "%s: %s\n", km_check_part_names[problem->part], problem->what);
}

static void check_made(const char *path)
{
	struct km_check_result result;
	struct km_trace *trace = NULL;
	struct km_err err = {""};

	if (km_trace_check(path, true, print_problem, NULL, &result, &trace, &err) ||
	    result.problems)
		abort();
	km_trace_close(trace);
}

static void import(enum km_import_format format, const uint8_t *data, size_t size)
{
	FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "rb") : NULL;
	const struct km_import_options options = {.kernel = "6.1"};
	struct km_import_report report;
	struct km_trace_writer *writer;
	struct km_err err = {""};
	char path[64];

	if (!in)
		return;
	if (km_trace_create(km_fuzz_file(path, ".kmt"), &writer, &err))
		abort();
	if (km_import_stream(format, in, "input", &options, writer, &report, &err)) {
		if (!*err.text)
			abort();
		km_trace_discard(writer);
	} else {
		if (km_trace_finish(writer, report.duration_ns, &err))
			abort();
		check_made(path);
		remove(path);
	}
	fclose(in);
}

void km_fuzz_perf(const uint8_t *data, size_t size)
{
	import(KM_IMPORT_PERF, data, size);
}

void km_fuzz_ftrace(const uint8_t *data, size_t size)
{
	import(KM_IMPORT_FTRACE, data, size);
}

void km_fuzz_llfree(const uint8_t *data, size_t size)
{
	import(KM_IMPORT_LLFREE, data, size);
}
