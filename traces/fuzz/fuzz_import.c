/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes the importers: what they accept becomes a sound trace, what not is told in a sentence.
 * Where the corpus is replayed each input becomes a trace file, which is then examined. In
 * libFuzzer's program one of WHOLE inputs does; the others end in a sink that demands of every call
 * what the writer would (program/sink.c). So parsing, dictionaries, times, stacks and the ledger
 * are covered by every execution, the writer by one of WHOLE.
 */
#include "traces/check.h"
#include "traces/fuzz/targets.h"
#include "traces/import.h"
#include "traces/import_parse.h"
#include <kmlab/profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE 1024

/* Lines alone, without a file around them. */
static void run_lines(const uint8_t *data, size_t size)
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

	if (km_trace_create(km_fuzz_path(path, ".kmt"), &writer, &err))
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

static void import_to_sink(enum km_import_format format, const uint8_t *data, size_t size)
{
	struct km_trace_writer *sink = km_fuzz_shortcuts->sink_open();
	struct km_import_report report;

	if (!import_to(sink, format, data, size, &report))
		km_fuzz_shortcuts->sink_close(&report);
}

/* Which inputs become traces their bytes say, so that it is the same ones when they run alone. */
static void import(enum km_import_format format, const uint8_t *data, size_t size)
{
	if (!size)
		return;
	if (!km_fuzz_shortcuts || !km_fuzz_draw(data, size, WHOLE))
		import_whole(format, data, size);
	else
		import_to_sink(format, data, size);
}

static void run_perf(const uint8_t *data, size_t size)
{
	import(KM_IMPORT_PERF, data, size);
}

static void run_ftrace(const uint8_t *data, size_t size)
{
	import(KM_IMPORT_FTRACE, data, size);
}

static void run_llfree(const uint8_t *data, size_t size)
{
	import(KM_IMPORT_LLFREE, data, size);
}

#define PAGE 4096u
#define ENTRY 16u

/* An entry or the head of a page, or whole pages, so that the rest stays a trace. */
static size_t mutate_llfree(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	size_t pages = size / PAGE, page, entry;

	if (pages < 2 || size % PAGE || seed % 16 == 0)
		return LLVMFuzzerMutate(data, size, room);
	seed /= 16;
	page = 1 + seed % (pages - 1);
	entry = seed / 64 % (PAGE / ENTRY);
	if (seed % 8 == 0 && size + PAGE <= room) {
		memcpy(data + size, data + page * PAGE, PAGE);
		return size + PAGE;
	}
	if (seed % 8 == 1 && pages > 2)
		return size - PAGE;
	if (seed % 8 == 2) /* the trace's head */
		page = entry = 0;
	LLVMFuzzerMutate(data + page * PAGE + entry * ENTRY, ENTRY, ENTRY);
	return size;
}

KM_FUZZ_TARGET(lines, run_lines, km_fuzz_mutate_lines)
KM_FUZZ_TARGET(perf, run_perf, km_fuzz_mutate_lines)
KM_FUZZ_TARGET(ftrace, run_ftrace, km_fuzz_mutate_lines)
KM_FUZZ_TARGET(llfree, run_llfree, mutate_llfree)
