/* SPDX-License-Identifier: GPL-2.0-only */
/* The integrity walk: a sound trace is quiet, every kind of damage is named, the rest is read. */
#include "engine/tests/tap.h"
#include "traces/check.h"
#include "traces/tests/events.h"
#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define EVENTS 140000 /* two chunks per CPU */
#define LOST 11

static struct km_err err;
static const char *directory;
static char path[128];

/* EVENTS events on two CPUs with a true ledger. */
static void make_trace(bool finish)
{
	struct km_trace_counts counts = {.lost = {[KM_LOSS_RING_FULL] = LOST}, .filtered_self = 3};
	struct km_trace_gap gap = {1, KM_LOSS_RING_FULL, 2000, 3000, LOST};
	struct km_trace_writer *writer;
	uint64_t time = 0;

	test_random_state = 1;
	if (km_trace_create(path, &writer, &err) || test_define(writer))
		exit(2);
	for (unsigned i = 0; i < EVENTS; i++) {
		struct km_event event = test_event(&time);

		counts.fired[event.kind]++;
		km_trace_append(writer, i % 2, &event, 1, &err);
	}
	counts.fired[KM_EV_KFREE] += LOST + 3;
	if (km_trace_set_meta(writer, "cpus", "2", &err) || km_trace_add_gap(writer, &gap, &err) ||
	    km_trace_set_counts(writer, &counts, &err) || km_trace_flush(writer, &err))
		exit(2);
	if (!finish)
		km_trace_abandon(writer);
	else if (km_trace_finish(writer, time, &err))
		exit(2);
}

static void change(const char *sql)
{
	char *message = NULL;
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
		printf("# %s: %s\n", sql, message);
		exit(2);
	}
	sqlite3_close(db);
}

/* ---- a check and what it said ---- */

static struct {
	int code;
	struct km_check_result result;
	unsigned of[KM_NR_CHECK_PARTS];
	struct km_check_problem first;
	uint64_t read; /* events the cursor gave */
	bool opened, complete;
} checked;

static void note(void *context, const struct km_check_problem *problem)
{
	(void)context;
	checked.of[problem->part]++;
	if (!*checked.first.what)
		checked.first = *problem;
}

static void check(bool deep)
{
	struct km_trace_cursor *cursor;
	struct km_trace *trace;
	struct km_event batch[256];
	size_t got;

	memset(&checked, 0, sizeof(checked));
	checked.code = km_trace_check(path, deep, note, NULL, &checked.result, &trace, &err);
	checked.opened = !checked.code && trace;
	if (!checked.opened)
		return;
	checked.complete = km_trace_complete(trace);
	if (km_trace_cursor_open(trace, NULL, &cursor, &err))
		exit(2);
	while (!km_trace_next(cursor, batch, 256, &got, &err) && got)
		checked.read += got;
	km_trace_cursor_close(cursor);
	km_trace_close(trace);
}

static void test_sound(void)
{
	for (int deep = 0; deep < 2; deep++) {
		make_trace(true);
		check(deep);
		TAP_EQ(checked.result.problems, 0, "sound%s: %s", deep ? ", deep" : "",
		       checked.first.what);
		TAP_EQ(checked.result.chunks, 4, "four chunks");
		TAP_EQ(checked.read, EVENTS, "all events are read");
	}
	make_trace(false);
	check(true);
	TAP_OK(!checked.result.problems && !checked.complete && checked.read == EVENTS,
	       "unfinished, and sound: %s", checked.first.what);
}

/* Each damage gives this many problems of this part, and these can be read. */
static void test_damage(void)
{
	static const struct {
		const char *sql, *what;
		enum km_check_part part;
		unsigned problems, chunks;
		bool deep;
	} damages[] = {
		{"UPDATE chunk SET payload=zeroblob(length(payload)) WHERE id=2",
		 "chunk 2 fails its checksum", KM_CHECK_CHUNK, 1, 3, false},
		{"UPDATE chunk SET xxh64=xxh64+1 WHERE id=3", "chunk 3 fails its checksum",
		 KM_CHECK_CHUNK, 1, 3, false},
		{"UPDATE chunk SET t_max=t_max+1 WHERE id=1", "chunk 1: column t_max is ",
		 KM_CHECK_INDEX, 1, 4, false},
		{"UPDATE chunk SET kinds=1, sorted=1-sorted WHERE id=1",
		 "chunk 1: column kinds is 1, ", KM_CHECK_INDEX, 2, 4, false},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET codec=2 WHERE id=1",
		 "SQLite: CHECK constraint failed in chunk", KM_CHECK_INDEX, 1, 4, false},
		{"DELETE FROM chunk WHERE id=1", "cpu 0: 65536 events are missing before chunk 3",
		 KM_CHECK_SEQUENCE, 1, 3, false},
		{"DELETE FROM stack WHERE id > 3",
		 "chunk 1 names a site, task, cache or stack that is in no dictionary",
		 KM_CHECK_CHUNK, 4, 0, false},
		{"UPDATE counts SET fired=fired+1 WHERE kind='kfree'", "", KM_CHECK_LEDGER, 1, 4,
		 false},
		{"UPDATE counts SET fired=fired+1, recorded=recorded+1 WHERE kind='kfree'", "",
		 KM_CHECK_LEDGER, 1, 4, false},
		{"UPDATE gap SET events=10",
		 "11 events were lost by ring_full, the gaps of that "
		 "cause hold 10",
		 KM_CHECK_GAP, 1, 4, false},
		{"UPDATE gap SET after_ns=9999", "gap 1 cannot be: ", KM_CHECK_GAP, 1, 4, false},
		{"UPDATE gap SET cpu=2", "gap 1 cannot be: cpu 2", KM_CHECK_GAP, 1, 4, false},
		{"UPDATE repair SET count=count+1 WHERE name='open'",
		 "the stored count of open is ", KM_CHECK_REPAIR, 1, 4, true},
		{"DELETE FROM repair WHERE name='open'", "the repair counts are not all there",
		 KM_CHECK_REPAIR, 1, 4, true},
	};

	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		make_trace(true);
		change(damages[i].sql);
		check(damages[i].deep);
		TAP_EQ(checked.of[damages[i].part], damages[i].problems, "%s: %s", damages[i].sql,
		       checked.first.what);
		TAP_OK(!strncmp(checked.first.what, damages[i].what, strlen(damages[i].what)),
		       "that is what it says");
		TAP_OK(checked.result.chunks == damages[i].chunks &&
			       checked.read == checked.result.events,
		       "%u of 4 chunks are read", damages[i].chunks);
	}
}

static void test_tables(void)
{
	make_trace(true);
	change("UPDATE site SET id=100000 WHERE id=5");
	check(false);
	TAP_OK(!checked.code && checked.of[KM_CHECK_TABLE] == 1 && !checked.opened,
	       "a dictionary with a hole cannot be read: %s", checked.first.what);
	TAP_EQ(checked.result.chunks, 4, "and the chunks are examined nevertheless");
	make_trace(true);
	change("DROP TABLE gap");
	check(false);
	TAP_EQ(checked.of[KM_CHECK_TABLE], 1, "a missing table: %s", checked.first.what);
}

/* Behind the dictionaries, of which each has a page of 64 KiB, most of it unused. */
#define CHUNKS_BEGIN (1 << 20)

/* Flip single bytes: each is found, but in the unused end of a page. */
static void test_flipped(void)
{
	unsigned silent = 0, rounds = 0, named = 0;
	struct stat status;
	FILE *file;

	make_trace(true);
	if (stat(path, &status))
		exit(2);
	for (long at = CHUNKS_BEGIN; at < status.st_size; at += 29 * 4096, rounds++) {
		int byte;

		file = fopen(path, "r+b");
		if (!file || fseek(file, at, SEEK_SET) || (byte = fgetc(file)) < 0 ||
		    fseek(file, at, SEEK_SET) || fputc(byte ^ 0x20, file) < 0 || fclose(file))
			exit(2);
		check(true);
		silent += !checked.code && !checked.result.problems;
		named += checked.of[KM_CHECK_CHUNK] == 1 && checked.result.chunks == 3;
		file = fopen(path, "r+b");
		if (!file || fseek(file, at, SEEK_SET) || fputc(byte, file) < 0 || fclose(file))
			exit(2);
	}
	TAP_OK(rounds > 10 && silent <= 2, "%u flipped bytes, %u of them in unused space", rounds,
	       silent);
	TAP_OK(named > rounds / 2, "%u were in the bytes of one chunk: it alone is not read",
	       named);
}

static void test_foreign(void)
{
	static char text[4096] = "hello";
	struct stat status;
	FILE *file;

	unlink(path);
	check(false);
	TAP_EQ(checked.code, -ENOENT, "no file: %s", err.text);
	file = fopen(path, "wb");
	fwrite(text, 1, sizeof(text), file);
	fclose(file);
	check(false);
	TAP_EQ(checked.code, -EPROTO, "no trace: %s", err.text);
	unlink(path);
	make_trace(true);
	change("PRAGMA user_version=99");
	check(false);
	TAP_EQ(checked.code, -ENOTSUP, "newer: %s", err.text);
	make_trace(true);
	if (stat(path, &status) || truncate(path, status.st_size / 2))
		exit(2);
	check(false);
	TAP_OK(!checked.code && checked.of[KM_CHECK_FILE] && !checked.opened, "truncated: %s",
	       checked.first.what);
}

int main(void)
{
	directory = test_directory();
	snprintf(path, sizeof(path), "%s/t.kmt", directory);
	test_sound();
	test_damage();
	test_tables();
	test_flipped();
	test_foreign();
	test_remove_directory(directory);
	return tap_done();
}
