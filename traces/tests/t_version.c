/* SPDX-License-Identifier: GPL-2.0-only */
/* Traces of version 1 are read as they are, and are not changed by it. */
#include "engine/tests/tap.h"
#include "traces/repair.h"
#include "traces/tests/events.h"
#include <errno.h>
#include <glob.h>
#include <sqlite3.h>
#include <xxhash.h>

static struct km_err err;

static uint64_t hash_of(const char *path)
{
	FILE *file = fopen(path, "rb");
	XXH64_state_t *state = XXH64_createState();
	char bytes[65536];
	uint64_t hash;
	size_t got;

	XXH64_reset(state, 0);
	while (file && (got = fread(bytes, 1, sizeof(bytes), file)))
		XXH64_update(state, bytes, got);
	hash = XXH64_digest(state);
	XXH64_freeState(state);
	if (file)
		fclose(file);
	return hash;
}

/* What changed with version 2, undone. */
static void make_version_1(const char *path)
{
	static const char undo[] =
		"BEGIN; DROP TABLE cgroup; DELETE FROM stack;"
		"ALTER TABLE task RENAME TO new; CREATE TABLE task (id INTEGER PRIMARY KEY, tid "
		"INTEGER NOT NULL, tgid INTEGER NOT NULL, comm TEXT NOT NULL) STRICT;"
		"INSERT INTO task SELECT id,tid,tgid,comm FROM new; DROP TABLE new;"
		"DELETE FROM counts WHERE kind GLOB 'percpu*' OR kind GLOB 'rcu*' OR kind GLOB "
		"'bulk*';"
		"DELETE FROM filtered WHERE reason IN ('excluded', 'aged');"
		"DELETE FROM repair WHERE name IN ('objects', 'rcu_pending');"
		"PRAGMA user_version=1; COMMIT";
	struct km_trace_counts counts = {.filtered_null = 3};
	struct km_trace_writer *writer;
	uint64_t time = 0;
	sqlite3 *db;

	if (km_trace_create(path, &writer, &err) || test_define(writer))
		exit(2);
	for (unsigned i = 0; i < 5000; i++) {
		struct km_event event = test_event(&time);

		event.kind %= KM_EV_PERCPU_ALLOC;
		event.stack = 0;
		km_trace_append(writer, i % 2, &event, 1, &err);
	}
	if (km_trace_set_counts(writer, &counts, &err) || km_trace_finish(writer, time, &err) ||
	    sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, undo, NULL, NULL, NULL) != SQLITE_OK)
		exit(2);
	sqlite3_close(db);
}

static int64_t count_rows(struct km_trace *trace, const char *sql)
{
	sqlite3_stmt *row;
	int64_t value = -1;

	if (sqlite3_prepare_v2(km_trace_db(trace), sql, -1, &row, NULL) == SQLITE_OK &&
	    sqlite3_step(row) == SQLITE_ROW)
		value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static void check_trace(const char *path)
{
	uint64_t before = hash_of(path), recorded = 0;
	struct km_repair_counts stored, made;
	struct km_trace_counts counts;
	const struct km_trace_task *tasks;
	struct km_trace *trace;
	unsigned frames = 7, cgroups = 0;
	uint32_t n;
	int code;

	TAP_EQ(km_trace_open(path, &trace, &err), 0, "%s opens %s", path, err.text);
	TAP_EQ(km_trace_register_sql(trace, &err), 0, "and has tables");
	km_trace_counts(trace, &counts);
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		recorded += counts.recorded[kind];
	TAP_EQ(recorded, km_trace_events(trace), "its ledger adds up");
	TAP_EQ(count_rows(trace, "SELECT count(*) FROM event"), recorded, "all events are read");
	tasks = km_trace_tasks(trace, &n);
	for (uint32_t i = 0; i < n; i++)
		cgroups += tasks[i].cgroup != 0;
	if (count_rows(trace, "PRAGMA user_version") == 1) {
		TAP_EQ(cgroups, 0, "its %u tasks have no cgroups", n);
		TAP_EQ(count_rows(trace, "SELECT sum(cgroup IS NULL) FROM event"), recorded,
		       "in SQL neither");
	} else {
		TAP_OK(cgroups > 0, "of its %u tasks %u have cgroups", n, cgroups);
		TAP_OK(count_rows(trace, "SELECT sum(cgroup IS NULL) FROM event") <
			       (int64_t)recorded,
		       "in SQL, too");
	}
	TAP_OK(!km_trace_stack(trace, 1, &frames) && !frames, "it has no stacks");
	code = km_trace_repair(trace, &stored);
	TAP_OK(!code || code == -ENOENT, "its repair counts are stored, or by older rules");
	TAP_EQ(km_repair_trace(trace, &made, &err), 0, "they can be made %s", err.text);
	TAP_OK(code || !memcmp(&stored, &made, sizeof(made)), "stored ones are the same");
	TAP_EQ(made.objects, made.matched_frees + made.implied_frees + made.open,
	       "and account for all its objects");
	km_trace_close(trace);
	TAP_OK(hash_of(path) == before, "the file is as it was");
}

/* Bundled traces; if they are recorded anew they need not be of version 1, but must be read. */
static void check_samples(void)
{
	glob_t found;

	if (glob("traces/samples/*.kmt", 0, NULL, &found)) {
		TAP_OK(true, "bundled traces # SKIP there are none here");
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_trace(found.gl_pathv[i]);
	globfree(&found);
}

int main(void)
{
	const char *directory = test_directory();
	char path[128];

	snprintf(path, sizeof(path), "%s/T.kmt", directory);
	make_version_1(path);
	check_trace(path);
	check_samples();
	test_remove_directory(directory);
	return tap_done();
}
