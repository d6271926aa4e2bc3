/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes whole trace files: examined, opened, every event read and paired, in full and in brief,
 * all tables and snapshots, SQL over all of it. In libFuzzer's program the file lies in memory
 * (program/files.c), of these four ways of reading its bytes choose one, and one of THREADED inputs
 * is read ahead by a thread, as all are in kmlab.
 */
#include "traces/brief.h"
#include "traces/check.h"
#include "traces/fuzz/targets.h"
#include "traces/repair.h"
#include "traces/trace.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define THREADED 64

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

/* Another way to the same events: of all times, or of those between. UINT64_MAX: *err says why. */
static uint64_t count_briefs(struct km_trace *trace, uint64_t from_ns, uint64_t to_ns,
			     struct km_err *err)
{
	const struct km_trace_filter filter = {
		.from_ns = from_ns, .to_ns = to_ns, .cpu = -1, .brief = true};
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

/* Lifetimes, each event's neighbours looked for; and how many events lie between. */
static int pair_events(struct km_trace *trace, struct km_repair *repair, uint64_t from_ns,
		       uint64_t to_ns, uint64_t *between, struct km_err *err)
{
	struct km_trace_cursor *cursor;
	const struct km_event *events;
	struct km_repair_step step;
	size_t got;
	int code = km_trace_cursor_open(trace, NULL, &cursor, err);

	if (code)
		return code;
	km_repair_set_direct_map(repair, km_trace_direct_map(trace));
	while (!(code = km_trace_next_run(cursor, &events, &got, err)) && got)
		for (size_t i = 0; i < got; i++) {
			*between += events[i].time_ns >= from_ns && events[i].time_ns < to_ns;
			if (km_repair_feed(repair, &events[i], &step))
				abort();
			while (km_repair_next_gone(repair, &step))
				;
			km_repair_around(repair, events[i].ptr + 8);
		}
	km_trace_cursor_close(cursor);
	return code;
}

/* What is open can be read to its end, or says in a sentence why not; both ways say the same. */
static void read_events(struct km_trace *trace)
{
	uint64_t from_ns = km_trace_duration_ns(trace) / 4, to_ns = from_ns * 2 + 1;
	uint64_t all, part, between = 0;
	struct km_repair_counts counts;
	struct km_repair *repair;
	struct km_err err = {""};
	int code;

	if (km_repair_new(&repair))
		abort();
	code = pair_events(trace, repair, from_ns, to_ns, &between, &err);
	km_repair_counts(repair, &counts);
	km_repair_delete(repair);
	if (code ? !*err.text
		 : counts.objects != counts.matched_frees + counts.implied_frees + counts.open)
		abort();
	err = (struct km_err){""};
	all = count_briefs(trace, 0, 0, &err);
	if (all == UINT64_MAX ? !*err.text : !code && all != km_trace_events(trace))
		abort();
	err = (struct km_err){""};
	part = count_briefs(trace, from_ns, to_ns, &err);
	if (part == UINT64_MAX ? !*err.text : !code && part != between)
		abort();
}

static void read_tables(struct km_trace *trace)
{
	char text[KM_SITE_TEXT];
	uint32_t sites, stacks = 0, tasks;
	size_t texts = 0;
	unsigned frames;
	const struct km_trace_site *site = km_trace_site_table(trace, &sites);
	const struct km_trace_task *task = km_trace_tasks(trace, &tasks);
	struct km_repair_counts repairs;
	struct km_trace_counts counts;
	size_t gaps;

	for (uint32_t i = 0; i < sites; i++)
		km_trace_site_text(&site[i], text);
	for (uint32_t i = 0; i < tasks; i++)
		km_trace_cgroup_path(trace, task[i].cgroup);
	for (const uint32_t *frame; (frame = km_trace_stack(trace, ++stacks, &frames));)
		while (frames)
			if (frame[--frames] >= sites)
				abort();
	km_trace_repair(trace, &repairs);
	km_trace_counts(trace, &counts);
	km_trace_gaps(trace, &gaps);
	km_trace_loss_known(trace);
	km_trace_cpus(trace);
	km_trace_each_snapshot(trace, "sample", "/proc/buddyinfo", ignore_text, &texts);
	km_trace_snapshot_text(trace, "start", "/proc/zoneinfo");
}

static void query(struct km_trace *trace, unsigned which)
{
	static const char *const statements[] = {
		"SELECT kind,count(*),sum(bytes_alloc) FROM event GROUP BY 1",
		"SELECT * FROM event WHERE time_ns>1000 AND cpu=0",
		"SELECT rowid,* FROM object ORDER BY alloc_ns",
		"SELECT site,cache,count(*) FROM object GROUP BY 1,2",
		"SELECT length(text) FROM snapshot; SELECT name FROM site",
		"SELECT seq,ptr,tid,comm,cgroup FROM event WHERE kind='kfree' OR cache='dentry'",
	};
	struct km_err err = {""};

	if (!km_trace_register_sql(trace, &err))
		sqlite3_exec(km_trace_db(trace),
			     statements[which % (sizeof(statements) / sizeof(*statements))], NULL,
			     NULL, NULL);
	else if (!*err.text)
		abort();
}

/* Examined, and what is sound read on with; else what open says is the reader's own. */
static struct km_trace *check_or_open(const char *path)
{
	struct km_check_result result;
	struct km_trace *trace = NULL;
	struct km_err err = {""};

	if (km_trace_check(path, true, ignore_problem, NULL, &result, &trace, &err) && !*err.text)
		abort();
	if (trace && !result.problems)
		return trace;
	km_trace_close(trace);
	return km_trace_open(path, &trace, &err) ? NULL : trace;
}

static void run_trace(const uint8_t *data, size_t size)
{
	const char *path = km_fuzz_file(data, size);
	unsigned draw = km_fuzz_draw(data, size, 4 * 6 * THREADED);
	bool all = !km_fuzz_shortcuts;
	struct km_trace *trace = NULL;
	struct km_err err = {""};

	if (km_fuzz_shortcuts)
		km_fuzz_shortcuts->threads(draw < 4 * 6);
	if (all || draw % 4 == 0)
		trace = check_or_open(path);
	else if (km_trace_open(path, &trace, &err) && !*err.text)
		abort();
	if (trace && (all || draw % 4 == 1))
		read_events(trace);
	if (trace && (all || draw % 4 == 2))
		read_tables(trace);
	if (trace && (all || draw % 4 == 3))
		query(trace, draw / 4);
	km_trace_close(trace);
	km_fuzz_file_remove();
}

/*
 * Chunks' checksums, or nothing behind them would be reached. Where a page of the table leads to
 * itself there is no end to its rows.
 */
static void fix_checksums(sqlite3 *db)
{
	sqlite3_stmt *row = NULL, *update = NULL;
	sqlite3_int64 last = INT64_MIN;

	if (sqlite3_prepare_v2(db, "SELECT id,payload,xxh64 FROM chunk", -1, &row, NULL) ||
	    sqlite3_prepare_v2(db, "UPDATE chunk SET xxh64=?1 WHERE id=?2", -1, &update, NULL))
		goto out;
	while (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_int64(row, 0) > last) {
		const void *bytes = sqlite3_column_blob(row, 1);
		XXH64_hash_t sum =
			XXH64(bytes ? bytes : "", (size_t)sqlite3_column_bytes(row, 1), 0);

		last = sqlite3_column_int64(row, 0);
		if (sum == (XXH64_hash_t)sqlite3_column_int64(row, 2))
			continue;
		sqlite3_bind_int64(update, 1, (sqlite3_int64)sum);
		sqlite3_bind_int64(update, 2, sqlite3_column_int64(row, 0));
		sqlite3_step(update);
		sqlite3_reset(update);
	}
out:
	sqlite3_finalize(row);
	sqlite3_finalize(update);
}

static size_t mutate_trace(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	return km_fuzz_mutate_db(data, size, room, seed, seed / 4 % 16 ? fix_checksums : NULL);
}

KM_FUZZ_TARGET(trace, run_trace, mutate_trace)
