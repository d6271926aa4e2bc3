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
#include <xxhash.h>

/* From libFuzzer; absent where the corpus is only replayed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room) __attribute__((weak));

#define KEPT 4096
#define FLUSHED 64
#define WHOLE 1024

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

/* Into the trace, as it says; 0 or -errno. */
static int import_to(struct km_trace_writer *writer, enum km_import_format format,
		     const uint8_t *data, size_t size, struct km_import_report *report)
{
	FILE *in = fmemopen((void *)(uintptr_t)data, size, "rb");
	const struct km_import_options options = {.kernel = "6.1"};
	struct km_err err = {""};
	int code;

	if (!in)
		abort();
	code = km_import_stream(format, in, "input", &options, writer, report, &err);
	if (code && !*err.text)
		abort();
	fclose(in);
	return code;
}

/* A trace of its own, which is finished and examined. */
static void import_whole(enum km_import_format format, const uint8_t *data, size_t size)
{
	struct km_import_report report;
	struct km_trace_writer *writer;
	struct km_err err = {""};
	char path[64];

	if (km_trace_create(km_fuzz_file(path, ".kmt"), &writer, &err))
		abort();
	if (import_to(writer, format, data, size, &report)) {
		km_trace_discard(writer);
		return;
	}
	if (km_trace_finish(writer, report.duration_ns, &err))
		abort();
	check_made(path);
	remove(path);
}

/*
 * To create a trace takes a hundred times as long as to import an input into it. So they go into
 * one trace, KEPT inputs long or until one of them makes it useless, which a flush tells.
 */
static void import_quickly(enum km_import_format format, const uint8_t *data, size_t size)
{
	static struct km_trace_writer *writer;
	static unsigned kept;
	struct km_import_report report;
	struct km_err err = {""};
	char path[64];

	if (!writer && km_trace_create(km_fuzz_file(path, "-kept.kmt"), &writer, &err))
		abort();
	import_to(writer, format, data, size, &report);
	if (++kept % FLUSHED || (kept % KEPT && !km_trace_flush(writer, &err)))
		return;
	km_trace_discard(writer);
	writer = NULL;
}

/*
 * Where a corpus is replayed each input becomes a trace. Under libFuzzer, which has millions, one
 * of WHOLE does: which, its bytes say, so that it is the same one when it is run alone.
 */
static void import(enum km_import_format format, const uint8_t *data, size_t size)
{
	if (!size)
		return;
	if (!LLVMFuzzerMutate || XXH64(data, size, 0) % WHOLE == 0)
		import_whole(format, data, size);
	else
		import_quickly(format, data, size);
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
