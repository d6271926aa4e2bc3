/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are no traces, or no good ones: one clear sentence each, and never a crash. */
#include "engine/tests/tap.h"
#include "traces/brief.h"
#include "traces/tests/events.h"
#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

static struct km_err err;
static const char *directory;
static char path[128];

#define RECORD "record one with 'kmlab capture -o T.kmt'"

static void make_trace(unsigned events)
{
	struct km_trace_writer *writer;
	uint64_t time = 0;

	if (km_trace_create(path, &writer, &err) || test_define(writer))
		exit(2);
	for (unsigned i = 0; i < events; i++) {
		struct km_event event = test_event(&time);

		km_trace_append(writer, i % 2, &event, 1, &err);
	}
	if (km_trace_finish(writer, time, &err))
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

static void put(const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
		exit(2);
}

/* Opening fails with the code, and the sentence is the path with this behind it. */
static void refuses(int code, const char *behind)
{
	struct km_trace *trace;
	int rc = km_trace_open(path, &trace, &err);
	size_t prefix = strlen(path);

	if (!rc)
		km_trace_close(trace);
	TAP_OK(rc == code && !strncmp(err.text, path, prefix) && !strcmp(err.text + prefix, behind),
	       "%d: %s", rc, err.text);
}

static void test_foreign(void)
{
	char many[300];

	unlink(path);
	refuses(-ENOENT, " does not exist; " RECORD);
	put("", 0);
	refuses(-EPROTO, " is not a kmlab trace: it is empty; " RECORD);
	put("hello", 5);
	refuses(-EPROTO, " is not a kmlab trace: it is not an SQLite file; " RECORD);
	memset(many, 'x', sizeof(many));
	put(many, sizeof(many));
	refuses(-EPROTO, " is not a kmlab trace: it is not an SQLite file; " RECORD);
	unlink(path);
	change("PRAGMA application_id=0x6b6d6c72; CREATE TABLE t(a)");
	refuses(-EPROTO, " is not a kmlab trace: it is an SQLite file of another application (id "
			 "0x6b6d6c72); " RECORD);
}

static void test_version(void)
{
	make_trace(10);
	change("PRAGMA user_version=3");
	refuses(-ENOTSUP, " was written by a newer kmlab (trace version 3, this one reads up to "
			  "2); update kmlab");
	change("PRAGMA user_version=0");
	refuses(-EPROTO, " is damaged: it has no trace version; copy it again or " RECORD);
}

static void test_tables(void)
{
	static const char *const tables[] = {"meta",     "chunk",  "cache",   "site",   "task",
					     "cgroup",   "stack",  "gap",     "counts", "lost",
					     "filtered", "repair", "snapshot"};
	char sql[128], behind[256];

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		make_trace(10);
		snprintf(sql, sizeof(sql), "DROP TABLE %s", tables[i]);
		change(sql);
		snprintf(behind, sizeof(behind),
			 " is damaged: no such table: %s; copy it again or " RECORD, tables[i]);
		refuses(-EPROTO, behind);
	}
}

static void test_rows(void)
{
	static const struct {
		const char *sql, *table;
	} damages[] = {
		{"UPDATE site SET id=100000 WHERE id=5", "site"},
		{"UPDATE task SET id=100000 WHERE id=5", "task"},
		{"UPDATE cache SET id=60000 WHERE id=5", "cache"},
		{"UPDATE cache SET slab_order=262144 WHERE id=5", "cache"},
		{"UPDATE chunk SET first_seq=3 WHERE cpu=0", "chunk"},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET events=70000", "chunk"},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET codec=2", "chunk"},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET cpu=-1", "chunk"},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET kinds=0", "chunk"},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET kinds=1<<31", "chunk"},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET sorted=2", "chunk"},
		{"PRAGMA ignore_check_constraints=1; UPDATE chunk SET first_seq=first_seq+(1<<32)",
		 "chunk"},
		{"UPDATE counts SET kind='x' WHERE kind='kfree'", "counts"},
		{"INSERT INTO lost VALUES('x', 1)", "lost"},
	};
	char behind[256];

	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		make_trace(10);
		change(damages[i].sql);
		snprintf(behind, sizeof(behind),
			 " is damaged: table %s has a row that cannot be; copy it again or " RECORD,
			 damages[i].table);
		refuses(-EPROTO, behind);
	}
	make_trace(10);
	change("DELETE FROM task");
	refuses(-EPROTO, " is damaged: a dictionary is empty; copy it again or " RECORD);
}

/* ---- snapshots ---- */

static int count_text(void *context, uint64_t time_ns, const char *text)
{
	(void)time_ns;
	*(int *)context += text != NULL;
	return 0;
}

static int stop_reading(void *context)
{
	(void)context;
	return 1;
}

static void test_snapshots(void)
{
	struct km_trace *trace;
	int seen = 0;

	make_trace(10);
	change("INSERT INTO snapshot(phase,time_ns,source,bytes,text) "
	       "VALUES('sample',1,'a',3,'one'),('sample',2,'a',3,'four')");
	if (km_trace_open(path, &trace, &err))
		exit(2);
	TAP_EQ(km_trace_each_snapshot(trace, "sample", "a", count_text, &seen), -EPROTO,
	       "a snapshot of another size than its row says");
	TAP_EQ(seen, 1, "the one before it is read");
	TAP_OK(!km_trace_snapshot_text(trace, "sample", "a"), "it is not handed out");
	sqlite3_progress_handler(km_trace_db(trace), 1, stop_reading, NULL);
	seen = 0;
	TAP_OK(km_trace_each_snapshot(trace, "sample", "a", count_text, &seen) < 0 && !seen,
	       "a read that fails is not the end of the rows");
	km_trace_close(trace);
}

static bool briefs; /* are read, ahead in a thread */

static int read_some(struct km_trace_cursor *cursor, size_t *got)
{
	struct km_stretch stretch = {0};
	struct km_event events[256];
	int rc;

	if (!briefs)
		return km_trace_next(cursor, events, 256, got, &err);
	do
		rc = km_trace_next_stretch(cursor, &stretch, &err);
	while (!rc && !stretch.n && stretch.legend);
	*got = stretch.n;
	return rc;
}

/* Read all; 0, or the error of the first failure, which stays. */
static int read_all(uint64_t *events)
{
	const struct km_trace_filter filter = {.cpu = -1, .brief = briefs};
	struct km_trace_cursor *cursor = NULL;
	struct km_trace *trace;
	size_t got;
	int rc = km_trace_open(path, &trace, &err);

	*events = 0;
	if (rc)
		return rc;
	rc = km_trace_cursor_open(trace, &filter, &cursor, &err);
	while (!rc && !(rc = read_some(cursor, &got)) && got)
		*events += got;
	if (rc && cursor && read_some(cursor, &got) != rc)
		rc = -EAGAIN;
	km_trace_snapshot_text(trace, "start", "/proc/a");
	km_trace_cursor_close(cursor);
	km_trace_close(trace);
	return rc;
}

static void test_chunks(void)
{
	static const struct {
		const char *sql, *what;
	} damages[] = {
		{"UPDATE chunk SET payload=zeroblob(length(payload)) WHERE id=2",
		 " is damaged: chunk 2 fails its checksum; copy it again or " RECORD},
		{"UPDATE chunk SET xxh64=xxh64+1 WHERE id=1",
		 " is damaged: chunk 1 fails its checksum; copy it again or " RECORD},
		{"UPDATE chunk SET t_max=t_max+1 WHERE id=1",
		 " is damaged: chunk 1 cannot be decoded; copy it again or " RECORD},
		{"UPDATE chunk SET payload=x'' WHERE id=1",
		 " is damaged: chunk 1 cannot be decoded; copy it again or " RECORD},
		{"DELETE FROM site WHERE id > 3",
		 " is damaged: table stack has a row that cannot be; copy it again or " RECORD},
		{"UPDATE stack SET frames = x'010203' WHERE id = 5",
		 " is damaged: table stack has a row that cannot be; copy it again or " RECORD},
		{"DELETE FROM stack WHERE id > 3",
		 " is damaged: chunk 1 cannot be decoded; copy it again or " RECORD},
	};
	uint64_t events;

	for (size_t i = 0; i < 2 * sizeof(damages) / sizeof(*damages); i++) {
		int rc;

		make_trace(5000);
		change(damages[i / 2].sql);
		briefs = i % 2;
		rc = read_all(&events);
		TAP_OK(rc == -EPROTO && !strcmp(err.text + strlen(path), damages[i / 2].what),
		       "%d: %s%s", rc, err.text, briefs ? " (in brief)" : "");
	}
	briefs = false;
}

/* ---- a table without an end ---- */

#define LEVELS 10
#define CHILDREN 50

static void put_big_endian(uint8_t *at, uint32_t value, unsigned bytes)
{
	while (bytes--) {
		at[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* An inner page of a table all of whose children are one page: https://sqlite.org/fileformat2.html
 */
static void put_inner_page(uint8_t *page, size_t size, uint32_t child)
{
	size_t at = size;

	memset(page, 0, size);
	page[0] = 5;
	put_big_endian(page + 3, CHILDREN, 2);
	put_big_endian(page + 8, child, 4);
	for (unsigned i = 0; i < CHILDREN; i++) {
		at -= 5;
		put_big_endian(page + at, child, 4);
		page[at + 4] = (uint8_t)(i + 1);
		put_big_endian(page + 12 + 2 * i, (uint32_t)at, 2);
	}
	put_big_endian(page + 5, (uint32_t)at, 2);
}

static sqlite3_int64 number(const char *sql)
{
	sqlite3_stmt *row;
	sqlite3_int64 value = 0;
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK)
		exit(2);
	if (sqlite3_step(row) == SQLITE_ROW)
		value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return value;
}

/* The root of the table gets levels above it, on each of which all ways lead to the same page. */
static void put_levels(uint32_t root, size_t size, uint32_t pages)
{
	FILE *file = fopen(path, "r+b");
	uint8_t *page = malloc(size), bytes[4];

	if (!file || !page || fseek(file, (long)((root - 1) * size), SEEK_SET) ||
	    fread(page, size, 1, file) != 1 || fseek(file, 0, SEEK_END) ||
	    fwrite(page, size, 1, file) != 1)
		exit(2);
	for (unsigned i = 0; i < LEVELS; i++) {
		put_inner_page(page, size, ++pages);
		if (i == LEVELS - 1 && fseek(file, (long)((root - 1) * size), SEEK_SET))
			exit(2);
		if (fwrite(page, size, 1, file) != 1)
			exit(2);
	}
	put_big_endian(bytes, pages, 4);
	if (fseek(file, 28, SEEK_SET) || fwrite(bytes, 4, 1, file) != 1 || fclose(file))
		exit(2);
	free(page);
}

static void make_endless(const char *table)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_schema WHERE name='%s'", table);
	put_levels((uint32_t)number(sql), (size_t)number("PRAGMA page_size"),
		   (uint32_t)number("PRAGMA page_count"));
}

static void test_endless(const char *table, const char *behind)
{
	make_trace(1000);
	make_endless(table);
	refuses(-EPROTO, behind);
}

/* Snapshots are read when they are asked for: then it ends, with those that there are. */
static void test_endless_snapshots(void)
{
	struct km_trace *trace;
	const char *text;
	int seen = 0;

	make_trace(1000);
	change("INSERT INTO snapshot(phase,time_ns,source,bytes,text) "
	       "VALUES('sample',1,'a',3,'one')");
	make_endless("snapshot");
	if (km_trace_open(path, &trace, &err))
		exit(2);
	text = km_trace_snapshot_text(trace, "sample", "a");
	TAP_OK(text && !strcmp(text, "one"), "a snapshot of a table without an end is found");
	TAP_EQ(km_trace_each_snapshot(trace, "sample", "a", count_text, &seen), 0, "so is each");
	TAP_EQ(seen, 1, "once");
	km_trace_close(trace);
}

static void test_truncated(void)
{
	char behind[256];
	struct stat st;
	unsigned wrong = 0;
	off_t cut;

	make_trace(20000);
	stat(path, &st);
	if (truncate(path, st.st_size - 1000))
		exit(2);
	snprintf(behind, sizeof(behind),
		 " is truncated: it has %lld of its %lld bytes; copy it again or " RECORD,
		 (long long)st.st_size - 1000, (long long)st.st_size);
	refuses(-EPROTO, behind);
	for (cut = st.st_size - 65536; cut > 0; cut -= 61111) {
		uint64_t events;

		if (truncate(path, cut))
			exit(2);
		wrong += read_all(&events) != -EPROTO;
	}
	TAP_EQ(wrong, 0, "truncated anywhere it is refused");
}

/* Damage of the SQLite structure itself. What is still readable may be read. */
static void test_flipped_bytes(void)
{
	unsigned other = 0, seen = 0, rounds = 300;
	char *good, *bad;
	struct stat st;
	FILE *file;

	make_trace(20000);
	stat(path, &st);
	good = malloc((size_t)st.st_size);
	bad = malloc((size_t)st.st_size);
	file = fopen(path, "rb");
	if (!good || !bad || !file ||
	    fread(good, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		exit(2);
	fclose(file);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t events;
		int rc;

		memcpy(bad, good, (size_t)st.st_size);
		for (int j = 0; j < 8; j++) {
			uint64_t at = test_random() % (uint64_t)st.st_size;

			if (j < 4) /* where the structure is: starts and ends of pages */
				at = at / 65536 * 65536 + test_random() % 4096 * (j % 2 ? 1 : 15);
			if (at < (uint64_t)st.st_size)
				bad[at] = (char)test_random();
		}
		put(bad, (size_t)st.st_size);
		err.text[0] = 0;
		rc = read_all(&events);
		seen += rc != 0;
		other += rc ? !err.text[0] || strchr(err.text, '\n') : events != 20000;
	}
	TAP_EQ(other, 0, "damaged anywhere: all events, or one sentence (%u of %u)", seen, rounds);
	free(good);
	free(bad);
}

int main(void)
{
	directory = test_directory();
	snprintf(path, sizeof(path), "%s/T.kmt", directory);
	test_foreign();
	unlink(path);
	test_version();
	test_tables();
	test_rows();
	test_snapshots();
	test_chunks();
	test_endless("chunk", " is damaged: table chunk has no end; copy it again or " RECORD);
	test_endless("site",
		     " is damaged: table site has a row that cannot be; copy it again or " RECORD);
	test_endless_snapshots();
	test_truncated();
	unlink(path);
	test_flipped_bytes();
	test_remove_directory(directory);
	return tap_done();
}
