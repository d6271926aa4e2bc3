/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the repair rules decide about events of real captures: traces/tests/captured has a cut-out
 * per rule, with what is to be decided about each event in its first column. That of failed
 * allocations has none (no machine at hand could be made to fail one in a recording), nor has that
 * of objects handed to RCU (which kernels must allow to be recorded); t_repair.c has both.
 */
#include "engine/tests/tap.h"
#include "traces/import.h"
#include "traces/repair.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY "traces/tests/captured/"
#define LINE_BYTES 512

/* A free by another API is a word of its own. */
static const char *const words[] = {
	[KM_REPAIR_DROP] = "drop", [KM_REPAIR_ALLOC] = "alloc",  [KM_REPAIR_REALLOC] = "realloc",
	[KM_REPAIR_FREE] = "free", [KM_REPAIR_FREE_OLD] = "old", [KM_REPAIR_NOTE] = "note"};

/* False: the line is no event. Tasks are told apart by their thread, caches are not looked at. */
static bool parse(const char *line, char decision[16], struct km_event *event)
{
	char kind[32], ptr[32], context[32];
	unsigned cpu, order;

	memset(event, 0, sizeof(*event));
	if (*line == '#' ||
	    sscanf(line, "%15s %lu %u %31s %31s %lu %lu %u %u %*s %u %31s", decision,
		   &event->time_ns, &cpu, kind, ptr, &event->bytes_req, &event->bytes_alloc,
		   &event->gfp, &order, &event->task, context) != 11)
		return false;
	event->ptr = strtoull(ptr, NULL, 0);
	event->cpu = (uint16_t)cpu;
	event->order = (uint8_t)order;
	event->kind = KM_NR_EVENT_KINDS;
	for (uint8_t i = 0; i < KM_NR_EVENT_KINDS; i++)
		if (!strcmp(kind, km_event_name(i)))
			event->kind = i;
	event->context = !strcmp(context, "process")   ? KM_CTX_PROCESS
			 : !strcmp(context, "softirq") ? KM_CTX_SOFTIRQ
						       : KM_CTX_UNKNOWN;
	return event->kind != KM_NR_EVENT_KINDS;
}

static const char *decide(struct km_repair *repair, const struct km_event *event)
{
	struct km_repair_step step;

	if (km_repair_feed(repair, event, &step))
		exit(2);
	return step.cross_api ? "cross" : words[step.action];
}

/* Decides as the file says; what came of it is in *counts. */
static void follow(const char *name, struct km_repair_counts *counts)
{
	char path[128], line[LINE_BYTES], decision[16];
	unsigned events = 0, wrong = 0;
	struct km_repair *repair;
	struct km_event event;
	FILE *in;

	snprintf(path, sizeof(path), DIRECTORY "%s.txt", name);
	in = fopen(path, "r");
	if (!in || km_repair_new(&repair))
		exit(2);
	while (fgets(line, sizeof(line), in)) {
		const char *got;

		if (!parse(line, decision, &event))
			continue;
		got = decide(repair, &event);
		events++;
		if (!strcmp(got, decision))
			continue;
		wrong++;
		printf("# %s instead of: %s", got, line);
	}
	fclose(in);
	km_repair_counts(repair, counts);
	km_repair_delete(repair);
	TAP_OK(events > 4 && !wrong, "%s: %u events, decided as the kernel meant them", name,
	       events);
	TAP_EQ(counts->objects, counts->matched_frees + counts->implied_frees + counts->open,
	       "%s: every object ended or is open", name);
}

static void test_rules(void)
{
	struct km_repair_counts counts;

	follow("double_large", &counts);
	TAP_OK(counts.double_large == 1 && counts.objects == 1 && !counts.open,
	       "a large kmalloc that is traced twice is one object");
	follow("cross_api", &counts);
	TAP_OK(counts.cross_api_frees == 6 && !counts.open, "kfree() ends objects of a cache");
	follow("reused", &counts);
	TAP_OK(counts.implied_frees == 12 && counts.matched_frees == 1,
	       "an address that is handed out again was freed");
	follow("reused_page", &counts);
	TAP_EQ(counts.implied_frees, 1, "so was a page");
	follow("older", &counts);
	TAP_OK(counts.preexisting_frees == 2 && counts.matched_frees == 6,
	       "older objects are freed, and their addresses used again");
	follow("losses", &counts);
	TAP_OK(counts.implied_frees == 1 && counts.matched_frees == 2,
	       "a free that was lost ends its object where the address is handed out again");
}

/* They never get as far as the repair: recorders leave them out, importers count them. */
static void test_null_frees(void)
{
	const struct km_import_options options = {.kernel = "6.18.44"};
	struct km_import_report report;
	struct km_trace_writer *writer;
	struct km_err err = {""};
	char path[64];
	FILE *in = fopen(DIRECTORY "null_free.perf", "r");

	snprintf(path, sizeof(path), "/tmp/kmlab-captured-%d.kmt", (int)getpid());
	if (!in || km_trace_create(path, &writer, &err))
		exit(2);
	TAP_OK(!km_import_stream(KM_IMPORT_PERF, in, "null_free.perf", &options, writer, &report,
				 &err),
	       "frees of nothing in perf's text are imported: %s", err.text);
	TAP_OK(report.null_frees == 2 && report.recorded == 3,
	       "and counted, and no events of the trace");
	fclose(in);
	km_trace_discard(writer);
}

int main(void)
{
	test_rules();
	test_null_frees();
	return tap_done();
}
