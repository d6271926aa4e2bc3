/* SPDX-License-Identifier: GPL-2.0-only */
/* Fuzzes whole trace files: every way of reading one. */
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

/* What can be opened can be read to its end, or says in a sentence why not. */
static void read_all(const char *path)
{
	struct km_repair_counts counts;
	struct km_trace *trace;
	struct km_err err = {""};
	size_t texts = 0;

	if (km_trace_open(path, &trace, &err)) {
		if (!*err.text)
			abort();
		return;
	}
	if (km_repair_trace(trace, &counts, &err) && !*err.text)
		abort();
	km_trace_each_snapshot(trace, "sample", "/proc/buddyinfo", ignore_text, &texts);
	km_trace_snapshot_text(trace, "start", "/proc/zoneinfo");
	if (!km_trace_register_sql(trace, &err))
		sqlite3_exec(km_trace_db(trace), "SELECT kind,count(*) FROM event GROUP BY 1", NULL,
			     NULL, NULL);
	km_trace_close(trace);
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
	km_trace_close(trace);
	read_all(path);
	unlink(path);
	unlink(km_fuzz_file(path, ".kmt-journal"));
	unlink(km_fuzz_file(path, ".kmt-wal"));
	unlink(km_fuzz_file(path, ".kmt-shm"));
}
