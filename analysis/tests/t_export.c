/* SPDX-License-Identifier: GPL-2.0-only */
/* What is exported can be read by others, and says what the trace says. */
#include "analysis/export_text.h"
#include "engine/tests/tap.h"
#include "traces/export.h"
#include "traces/repair.h"
#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE "traces/samples/fork.kmt"

static struct km_trace *trace;
static struct km_err err;

/* One number of one statement, with a text as its parameter. */
static int64_t number(sqlite3 *db, const char *sql, const char *text)
{
	sqlite3_stmt *row;
	int64_t value = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK) {
		printf("# %s: %s\n", sql, sqlite3_errmsg(db));
		exit(2);
	}
	if (text)
		sqlite3_bind_text(row, 1, text, -1, SQLITE_STATIC);
	if (sqlite3_step(row) == SQLITE_ROW)
		value = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return value;
}

static void test_db(void)
{
	struct km_trace_filter filter = {.cpu = -1};
	char path[64];
	uint64_t rows;
	sqlite3 *db;
	int code;

	snprintf(path, sizeof(path), "/tmp/kmlab-export-%d.db", (int)getpid());
	unlink(path);
	code = km_export_db(trace, &filter, path, NULL, &rows, &err);
	TAP_OK(!code && rows == km_trace_events(trace), "%" PRIu64 " rows: %s", rows, err.text);
	km_trace_register_sql(trace, &err);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		exit(2);
	TAP_EQ(number(db, "SELECT sum(ptr % 1000003 + time_ns + cpu * 7 + seq) FROM event", NULL),
	       number(km_trace_db(trace),
		      "SELECT sum(ptr % 1000003 + time_ns + cpu * 7 + seq) FROM event", NULL),
	       "their addresses, times, CPUs and order are the trace's");
	TAP_EQ(number(db,
		      "SELECT count(*) FROM named_event WHERE kind = 'cache_alloc' AND cache = "
		      "'filp' AND comm = 'true'",
		      NULL),
	       number(km_trace_db(trace),
		      "SELECT count(*) FROM event WHERE kind = 'cache_alloc' AND cache = 'filp' "
		      "AND "
		      "comm = 'true'",
		      NULL),
	       "and names lead to the same events");
	TAP_EQ(number(db, "SELECT count(*) FROM meta WHERE key = 'kernel'", NULL), 1,
	       "facts are there");
	sqlite3_close(db);
	unlink(path);
}

typedef int text_fn(struct km_trace *from, const struct km_trace_filter *filter, FILE *out,
		    uint64_t *rows, struct km_err *error);

static char *text_of(text_fn *write, const struct km_trace_filter *filter, uint64_t *rows)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out || write(trace, filter, out, rows, &err) || fclose(out))
		exit(2);
	return text;
}

static void test_csv(void)
{
	struct km_trace_filter filter = {.from_ns = 100000000, .to_ns = 101000000, .cpu = -1};
	uint64_t rows, lines = 0;
	char *text = text_of(km_export_csv, &filter, &rows);
	unsigned uneven = 0;

	for (char *line = text, *end; (end = strstr(line, "\r\n")); line = end + 2, lines++) {
		unsigned commas = 0;

		for (char *at = line; at < end; at++)
			commas += *at == ',';
		uneven += commas != 16;
	}
	TAP_OK(rows > 100 && lines == rows + 1 && !uneven, "a line for each of %" PRIu64 " events",
	       rows);
	TAP_OK(!strncmp(text, "time_ns,cpu,seq,kind,ptr,", 25), "under a header");
	free(text);
}

static void test_perfetto(void)
{
	struct km_trace_filter all = {.cpu = -1}, some = {.from_ns = 50000000, .cpu = -1};
	static const char last[] =
		"SELECT sum(bytes) FROM (SELECT e.value->>'$.name' AS name, "
		"e.value->>'$.args.bytes' AS bytes, max(e.value->>'$.ts') "
		"FROM json_each(?1, '$.traceEvents') AS e WHERE e.value->>'$.ph' = 'C' GROUP BY 1)";
	static const char instants[] = "SELECT count(*) FROM json_each(?1, '$.traceEvents') AS e "
				       "WHERE e.value->>'$.ph' = 'i'";
	struct km_repair_counts counts;
	uint64_t rows;
	sqlite3 *db;
	char *text = text_of(km_export_perfetto, &all, &rows);

	if (sqlite3_open(":memory:", &db) != SQLITE_OK || km_repair_trace(trace, &counts, &err))
		exit(2);
	TAP_EQ(number(db, "SELECT json_valid(?1)", text), 1, "it is JSON");
	TAP_EQ(number(db, instants, text), km_trace_events(trace), "an instant for each event");
	TAP_EQ(number(db, last, text), counts.open_bytes,
	       "the counters end with what is live at the end");
	free(text);
	text = text_of(km_export_perfetto, &some, &rows);
	TAP_EQ(number(db, instants, text), rows, "a part: %" PRIu64 " of them", rows);
	TAP_EQ(number(db, last, text), counts.open_bytes, "with the same at its end");
	free(text);
	sqlite3_close(db);
}

int main(void)
{
	if (km_trace_open(SAMPLE, &trace, &err)) {
		printf("# %s\n", err.text);
		return 2;
	}
	test_db();
	test_csv();
	test_perfetto();
	km_trace_close(trace);
	return tap_done();
}
