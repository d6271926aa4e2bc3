/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual table `event`: every condition gives what a selection by hand gives. */
#include "engine/tests/tap.h"
#include "traces/tests/events.h"
#include <sqlite3.h>

enum { EVENTS = 60000 };

static struct km_err err;
static struct km_trace *trace;
static struct km_event *all;
static size_t nr_all;

/* First column of the first row; INT64_MIN on an error. */
static int64_t number(const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value = INT64_MIN;

	if (sqlite3_prepare_v2(km_trace_db(trace), sql, -1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		printf("# %s: %s\n", sql, sqlite3_errmsg(km_trace_db(trace)));
	else
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void make_trace(const char *path)
{
	struct km_trace_writer *writer;
	struct km_trace_cursor *cursor;
	struct km_trace_site site = {
		.id = 7, .address = 0xffffffff81000070ull, .symbol = "foo", .offset = 0x1c};
	uint64_t time[2] = {0};
	size_t got;

	TAP_EQ(km_trace_create(path, &writer, &err), 0, "create");
	test_define(writer);
	km_trace_define_site(writer, &site, &err);
	site.id = 8;
	snprintf(site.module, sizeof(site.module), "ext4");
	km_trace_define_site(writer, &site, &err);
	for (unsigned i = 0; i < EVENTS; i++) {
		unsigned cpu = (unsigned)(test_random() % 2);
		struct km_event event = test_event(&time[cpu]);

		if (event.kind == KM_EV_PAGE_EXTFRAG && i % 100) /* rare */
			event.kind = KM_EV_KMALLOC;
		km_trace_append(writer, cpu, &event, 1, &err);
		if (i % 7000 == 0) /* many chunks */
			km_trace_flush(writer, &err);
	}
	TAP_EQ(km_trace_finish(writer, time[0], &err), 0, "finish");
	TAP_EQ(km_trace_open(path, &trace, &err), 0, "open");
	TAP_EQ(km_trace_register_sql(trace, &err), 0, "register");
	all = calloc(EVENTS, sizeof(*all));
	km_trace_cursor_open(trace, NULL, &cursor, &err);
	while (!km_trace_next(cursor, all + nr_all, 1000, &got, &err) && got)
		nr_all += got;
	km_trace_cursor_close(cursor);
	TAP_EQ(nr_all, EVENTS, "all events read");
}

/* `by_hand` is an expression over `const struct km_event *e`. */
#define SELECTS(condition, by_hand)                                                                \
	do {                                                                                       \
		int64_t want_ = 0, sum_ = 0;                                                       \
		for (size_t i_ = 0; i_ < nr_all; i_++) {                                           \
			const struct km_event *e = &all[i_];                                       \
			if (by_hand) {                                                             \
				want_++;                                                           \
				sum_ += (int64_t)e->bytes_req;                                     \
			}                                                                          \
		}                                                                                  \
		TAP_EQ(number("SELECT count(*) * 1000000000 + ifnull(sum(bytes_req), 0) FROM "     \
			      "event WHERE " condition),                                           \
		       want_ * 1000000000 + sum_, "%lld rows: %s", (long long)want_, condition);   \
	} while (0)

static void test_conditions(void)
{
	SELECTS("1", e);
	SELECTS("cpu = 1", e->cpu == 1);
	SELECTS("cpu = 2", e->cpu == 2);
	SELECTS("cpu = -1", e->cpu == 2);
	SELECTS("cpu = 65536", e->cpu == 2);
	SELECTS("cpu = 1.0", e->cpu == 1);
	SELECTS("cpu = 'x'", e->cpu == 2);
	SELECTS("cpu = '1'", e->cpu == 1);
	SELECTS("cpu = NULL", e->cpu == 2);
	SELECTS("cpu = 0 AND cpu = 1", e->cpu == 2);
	SELECTS("cpu IN (0, 1)", e->cpu < 2);
	SELECTS("kind = 'kmalloc'", e->kind == KM_EV_KMALLOC);
	SELECTS("kind = 'page_extfrag'", e->kind == KM_EV_PAGE_EXTFRAG);
	SELECTS("kind = 'KMALLOC'", e->kind == 255);
	SELECTS("kind = 'KMALLOC' COLLATE NOCASE", e->kind == KM_EV_KMALLOC);
	SELECTS("kind = 'nothing'", e->kind == 255);
	SELECTS("kind = 5", e->kind == 255);
	SELECTS("kind = NULL", e->kind == 255);
	SELECTS("kind != 'kmalloc'", e->kind != KM_EV_KMALLOC);
	SELECTS("kind IN ('kfree', 'vmap_free')",
		e->kind == KM_EV_KFREE || e->kind == KM_EV_VMAP_FREE);
	SELECTS("kind LIKE 'page%'", km_event_group_of(e->kind) == KM_GROUP_PAGE);
	SELECTS("time_ns < 1000000", e->time_ns < 1000000);
	SELECTS("time_ns <= 1000000", e->time_ns <= 1000000);
	SELECTS("time_ns > 20000000", e->time_ns > 20000000);
	SELECTS("time_ns >= 20000000", e->time_ns >= 20000000);
	SELECTS("time_ns > 20000000.5", e->time_ns > 20000000);
	SELECTS("time_ns BETWEEN 9000000 AND 9900000 AND cpu = 0 AND kind = 'kfree'",
		e->time_ns >= 9000000 && e->time_ns <= 9900000 && e->cpu == 0 &&
			e->kind == KM_EV_KFREE);
	SELECTS("time_ns > 9223372036854775807", e->time_ns > INT64_MAX);
	SELECTS("time_ns < -9223372036854775807", e->time_ns > INT64_MAX);
	SELECTS("time_ns >= -5", e);
	SELECTS("time_ns > 20 AND time_ns < 10", e->cpu == 2);
	SELECTS("time_ns > 'text'", e->cpu == 2);
	SELECTS("time_ns > NULL", e->cpu == 2);
}

static void test_text_conditions(void)
{
	SELECTS("cache = 'cache_7' AND context = 'softirq'",
		e->cache == 7 && e->context == KM_CTX_SOFTIRQ);
	SELECTS("cache IS NULL", e->cache == 0);
	SELECTS("cache = 'cache_7'", e->cache == 7);
	SELECTS("cache = 'CACHE_7' COLLATE NOCASE", e->cache == 7);
	SELECTS("cache = 'cache_7' AND cache = 'cache_8'", e->cpu == 2);
	SELECTS("cache IN ('cache_7', 'cache_8') AND time_ns > 20000000 AND kind = 'kfree'",
		(e->cache == 7 || e->cache == 8) && e->time_ns > 20000000 &&
			e->kind == KM_EV_KFREE);
	SELECTS("cache = ''", e->cpu == 2);
	SELECTS("cache = NULL", e->cpu == 2);
	SELECTS("cache = 7", e->cpu == 2);
	SELECTS("cache = cast('cache_7' AS BLOB)", e->cpu == 2);
	SELECTS("time_ns < '1000000'", e->time_ns < 1000000);
	SELECTS("time_ns BETWEEN 1000000.0 AND 2000000.5",
		e->time_ns >= 1000000 && e->time_ns <= 2000000);
	SELECTS("time_ns < (SELECT 1000000)", e->time_ns < 1000000);
	SELECTS("ptr > 0xffff888000400000 AND tid = 103 AND time_ns > 1000000",
		(int64_t)e->ptr > (int64_t)0xffff888000400000 && e->task == 3 &&
			e->time_ns > 1000000);
	SELECTS("page_order = 2 AND migratetype = 1 AND node = -1",
		e->order == 2 && e->migratetype == 1);
	SELECTS("tid = 105 AND comm = 'task_5'", e->task == 5);
	SELECTS("site = 'foo+0x1c'", e->site == 7);
	SELECTS("site = 'foo+0x1c [ext4]'", e->site == 8);
	SELECTS("site = '0xffffffff81000090'", e->site == 9);
	SELECTS("printf('%x', site_address) = 'ffffffff81000090'", e->site == 9);
	SELECTS("gfp = 0xcc0 AND bytes_alloc > 1500", e->gfp == 0xcc0 && e->bytes_alloc > 1500);
	SELECTS("stack IS NULL AND ptr % 128 = 0", !e->stack && e->ptr % 128 == 0);
	SELECTS("stack = 3", e->stack == 3);
	SELECTS("cgroup = 1", e->task >= 10);
	SELECTS("cgroup IS NULL", e->task < 10);
	SELECTS("cgroup = (SELECT id FROM cgroup WHERE path = '/user.slice')", e->task >= 10);
}

static void test_kinds_agree(void)
{
	struct km_trace_counts counts;

	km_trace_counts(trace, &counts);
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		char sql[128];

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM event WHERE kind='%s'",
			 km_event_name(kind));
		TAP_EQ(number(sql), counts.recorded[kind], "count of %s is the ledger's",
		       km_event_name(kind));
	}
	TAP_EQ(number("SELECT count(*) FROM (SELECT kind, count(*) AS n FROM event GROUP BY 1) "
		      "JOIN counts USING (kind) WHERE n = recorded"),
	       KM_NR_EVENT_KINDS, "GROUP BY kind agrees with table counts");
}

static void test_order(void)
{
	sqlite3_stmt *statement;
	size_t at = 0, wrong = 0;

	sqlite3_prepare_v2(km_trace_db(trace), "SELECT time_ns, cpu, seq, ptr FROM event", -1,
			   &statement, NULL);
	for (; sqlite3_step(statement) == SQLITE_ROW; at++)
		wrong += at >= nr_all ||
			 sqlite3_column_int64(statement, 0) != (int64_t)all[at].time_ns ||
			 sqlite3_column_int(statement, 1) != all[at].cpu ||
			 sqlite3_column_int64(statement, 2) != all[at].seq ||
			 sqlite3_column_int64(statement, 3) != (int64_t)all[at].ptr;
	sqlite3_finalize(statement);
	TAP_OK(at == nr_all && !wrong, "rows come in merged order");
	TAP_EQ(number("SELECT time_ns FROM event ORDER BY time_ns, cpu, seq LIMIT 1"),
	       all[0].time_ns, "ORDER BY time_ns");
	TAP_EQ(number("SELECT time_ns FROM event ORDER BY time_ns DESC LIMIT 1"),
	       all[nr_all - 1].time_ns, "ORDER BY time_ns DESC");
	TAP_EQ(number("SELECT max(rowid) FROM event"), EVENTS, "rowid counts the rows");
}

/* What the first columns of the rows are, joined. */
static void check_rows(const char *sql, const char *want)
{
	sqlite3_stmt *statement;
	char text[1024] = "";

	sqlite3_prepare_v2(km_trace_db(trace), sql, -1, &statement, NULL);
	while (sqlite3_step(statement) == SQLITE_ROW && strlen(text) < 900) {
		strcat(text, (const char *)sqlite3_column_text(statement, 0));
		strcat(text, " ");
	}
	sqlite3_finalize(statement);
	if (!TAP_OK(!strcmp(text, want), "%s", sql))
		printf("# got %s\n# want %s\n", text, want);
}

/* Whether the plan has SQLite sort. */
static bool sorts(const char *sql)
{
	sqlite3_stmt *statement;
	bool found = false;
	char explain[256];

	snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
	sqlite3_prepare_v2(km_trace_db(trace), explain, -1, &statement, NULL);
	while (sqlite3_step(statement) == SQLITE_ROW)
		found |= strstr((const char *)sqlite3_column_text(statement, 3), "TEMP B-TREE") !=
			 NULL;
	sqlite3_finalize(statement);
	return found;
}

#define KINDS_BY_NAME                                                                              \
	"bulk_alloc bulk_free cache_alloc cache_free kfree kmalloc page_alloc page_extfrag "       \
	"page_free page_pcpu_drain page_zone_locked percpu_alloc percpu_free rcu_free "            \
	"vmap_alloc vmap_free vmap_purge "

/* Rows in groups of a kind or a CPU need not be sorted, and are the same. */
static void test_groups(void)
{
	static const char *const unsorted[] = {
		"SELECT kind, count(*) FROM event GROUP BY kind",
		"SELECT kind, cpu, count(*) FROM event GROUP BY kind, cpu",
		"SELECT kind FROM event ORDER BY kind",
		"SELECT cpu, count(*) FROM event GROUP BY cpu",
	};

	for (size_t i = 0; i < sizeof(unsorted) / sizeof(*unsorted); i++)
		TAP_OK(!sorts(unsorted[i]), "no sorting: %s", unsorted[i]);
	check_rows("SELECT kind FROM event GROUP BY kind", KINDS_BY_NAME);
	check_rows("SELECT DISTINCT kind FROM event ORDER BY kind", KINDS_BY_NAME);
	check_rows("SELECT kind FROM event WHERE kind != 'rcu_free' AND cpu = 1 GROUP BY 1 HAVING "
		   "kind > 'q'",
		   "vmap_alloc vmap_free vmap_purge ");
	check_rows("SELECT kind FROM event WHERE kind IN ('vmap_free', 'kfree') GROUP BY 1",
		   "kfree vmap_free ");
	check_rows("SELECT kind FROM event GROUP BY 1 ORDER BY 1 DESC LIMIT 2",
		   "vmap_purge vmap_free ");
	check_rows("SELECT cpu FROM event GROUP BY cpu", "0 1 ");
	check_rows("SELECT DISTINCT cpu FROM event ORDER BY cpu DESC", "1 0 ");
	TAP_EQ(number("SELECT count(*) FROM (SELECT kind, cpu, count(*) AS n, sum(ptr & 0xffff) AS "
		      "p, min(time_ns) AS t, count(DISTINCT tid) AS d FROM event GROUP BY 1, 2) "
		      "JOIN (SELECT +kind AS kind, +cpu AS cpu, count(*) AS n, sum(ptr & 0xffff) "
		      "AS p, min(time_ns) AS t, count(DISTINCT tid) AS d FROM event GROUP BY "
		      "+kind, +cpu) USING (kind, cpu, n, p, t, d)"),
	       2 * KM_NR_EVENT_KINDS, "groups are the same when SQLite sorts");
	TAP_EQ(number("SELECT count(*) FROM (SELECT kind FROM event WHERE time_ns > 20000000 "
		      "ORDER BY kind, cpu)"),
	       number("SELECT count(*) FROM event WHERE time_ns > 20000000"),
	       "with a condition on the time too");
	TAP_EQ(number("SELECT count(*) FROM event"), EVENTS, "count(*) alone");
}

static void test_joins(void)
{
	TAP_EQ(number("SELECT count(*) FROM event a JOIN event b ON a.time_ns = b.time_ns AND "
		      "a.cpu = b.cpu AND a.seq = b.seq WHERE a.time_ns < 500000 AND a.cpu = 0"),
	       number("SELECT count(*) FROM event WHERE time_ns < 500000 AND cpu = 0"),
	       "a self join finds each row once");
	TAP_OK(sqlite3_exec(km_trace_db(trace), "DELETE FROM event", NULL, NULL, NULL) != SQLITE_OK,
	       "the table cannot be written");
	TAP_OK(sqlite3_exec(km_trace_db(trace), "DELETE FROM chunk", NULL, NULL, NULL) != SQLITE_OK,
	       "nor the trace");
}

int main(void)
{
	const char *directory = test_directory();
	char path[128];

	snprintf(path, sizeof(path), "%s/T.kmt", directory);
	make_trace(path);
	test_conditions();
	test_text_conditions();
	test_kinds_agree();
	test_order();
	test_groups();
	test_joins();
	km_trace_close(trace);
	free(all);
	test_remove_directory(directory);
	return tap_done();
}
