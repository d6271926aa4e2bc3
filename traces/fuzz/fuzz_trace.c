/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes whole trace files: every way of reading one. */
#include "traces/brief.h"
#include "traces/check.h"
#include "traces/fuzz/targets.h"
#include "traces/repair.h"
#include "traces/trace.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void ignore_problem(void *context, const struct km_check_problem *problem)
{
	(void)context;
	(void)problem;
}

static int ignore_text(void *context, uint64_t time_ns, const char *text)
{
	(void)time_ns;
	*(size_t *)context += *text != 0;
	return 0;
}

/* Another way to the same events. */
static uint64_t count_briefs(struct km_trace *trace, struct km_err *err)
{
	const struct km_trace_filter filter = {.cpu = -1, .brief = true};
	struct km_trace_cursor *cursor;
	struct km_stretch stretch;
	uint64_t count = 0;
	int code = km_trace_cursor_open(trace, &filter, &cursor, err);

	if (code)
		return UINT64_MAX;
	while (!(code = km_trace_next_stretch(cursor, &stretch, err)) &&
	       (stretch.n || stretch.legend))
		count += stretch.n;
	km_trace_cursor_close(cursor);
	return code ? UINT64_MAX : count;
}

/* What is open can be read to its end, or says in a sentence why not. */
static void read_all(struct km_trace *trace)
{
	struct km_repair_counts counts;
	struct km_err err = {""};
	size_t texts = 0;
	uint64_t briefs;
	int code = km_repair_trace(trace, &counts, &err);

	if (code && !*err.text)
		abort();
	briefs = count_briefs(trace, &err);
	if (briefs == UINT64_MAX ? !*err.text : !code && briefs != km_trace_events(trace))
		abort();
	km_trace_each_snapshot(trace, "sample", "/proc/buddyinfo", ignore_text, &texts);
	km_trace_snapshot_text(trace, "start", "/proc/zoneinfo");
	if (!km_trace_register_sql(trace, &err))
		sqlite3_exec(km_trace_db(trace), "SELECT kind,count(*) FROM event GROUP BY 1", NULL,
			     NULL, NULL);
}

void km_fuzz_trace(const uint8_t *data, size_t size)
{
	struct km_check_result result;
	struct km_trace *trace = NULL;
	struct km_err err = {""};
	char path[64];
	FILE *file = fopen(km_fuzz_file(path, ".kmt"), "wb");

	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		abort();
	if (km_trace_check(path, true, ignore_problem, NULL, &result, &trace, &err) && !*err.text)
		abort();
	if (!trace || result.problems) { /* what open says then is the reader's own */
		km_trace_close(trace);
		trace = NULL;
		if (km_trace_open(path, &trace, &err) && !*err.text)
			abort();
	}
	if (trace)
		read_all(trace);
	km_trace_close(trace);
	unlink(path);
	unlink(km_fuzz_file(path, ".kmt-journal"));
	unlink(km_fuzz_file(path, ".kmt-wal"));
	unlink(km_fuzz_file(path, ".kmt-shm"));
}
