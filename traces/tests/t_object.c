/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtual table `object`: a row per lifetime, each way a lifetime can end, all accounted for.
 */
#include "engine/tests/tap.h"
#include "traces/repair.h"
#include "traces/tests/events.h"
#include <glob.h>
#include <sqlite3.h>

#define PAGE(n) (KM_DIRECT_MAP_BASE + (uint64_t)(n)*KM_PAGE_SIZE)

static struct km_err err;
static struct km_trace *trace;
static char path[128];

/* All columns of the rows that meet the condition, in their order, as one text. */
static const char *rows(const char *columns, const char *condition)
{
	static char text[4096];
	sqlite3_stmt *statement;
	char sql[1024];
	size_t at = 0;
	int code;

	snprintf(sql, sizeof(sql), "SELECT %s FROM object WHERE %s", columns, condition);
	code = sqlite3_prepare_v2(km_trace_db(trace), sql, -1, &statement, NULL);
	text[0] = 0;
	while (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(statement); i++) {
			const char *value = (const char *)sqlite3_column_text(statement, i);

			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s",
					       i ? " " : (at ? "; " : ""), value ? value : "-");
		}
	}
	if (code != SQLITE_OK)
		printf("# %s: %s\n", sql, sqlite3_errmsg(km_trace_db(trace)));
	sqlite3_finalize(statement);
	return text;
}

#define ROWS(columns, condition, want)                                                             \
	do {                                                                                       \
		const char *got_ = rows(columns, condition);                                       \
		if (!TAP_OK(!strcmp(got_, want), "%s: %s", condition, columns))                    \
			printf("# got %s\n# want %s\n", got_, want);                               \
	} while (0)

static void open_trace(void)
{
	if (km_trace_open(path, &trace, &err) || km_trace_register_sql(trace, &err)) {
		printf("# %s\n", err.text);
		exit(2);
	}
}

/* Times in order; task 3 is tid 103, site 2 the address ...20, cache 4 "cache_4". */
static const struct km_event events[] = {
	{.time_ns = 10,
	 .kind = KM_EV_KMALLOC,
	 .ptr = PAGE(1),
	 .bytes_req = 10,
	 .bytes_alloc = 16,
	 .gfp = 0xcc0,
	 .site = 2,
	 .task = 3,
	 .stack = 2},
	{.time_ns = 20, .kind = KM_EV_KFREE, .ptr = PAGE(1), .site = 3, .task = 4},
	{.time_ns = 30,
	 .kind = KM_EV_CACHE_ALLOC,
	 .ptr = PAGE(2),
	 .bytes_req = 60,
	 .bytes_alloc = 64,
	 .site = 2,
	 .task = 3,
	 .cache = 4},
	{.time_ns = 40, .kind = KM_EV_KFREE, .ptr = PAGE(2), .site = 3, .task = 4},
	{.time_ns = 50, .kind = KM_EV_CACHE_ALLOC, .ptr = PAGE(2), .bytes_alloc = 64, .cache = 4},
	{.time_ns = 60, .kind = KM_EV_CACHE_ALLOC, .ptr = PAGE(2), .bytes_alloc = 128, .cache = 5},
	{.time_ns = 65, .kind = KM_EV_RCU_FREE, .ptr = PAGE(2), .site = 7, .task = 8},
	{.time_ns = 70, .kind = KM_EV_CACHE_ALLOC, .ptr = PAGE(2), .bytes_alloc = 256, .cache = 6},
	{.time_ns = 80, .kind = KM_EV_CACHE_FREE, .ptr = PAGE(3), .cache = 7, .site = 9},
	{.time_ns = 90,
	 .kind = KM_EV_PAGE_ALLOC,
	 .ptr = 8,
	 .order = 1,
	 .bytes_req = 8192,
	 .bytes_alloc = 8192,
	 .gfp = 1},
	{.time_ns = 100, .kind = KM_EV_KMALLOC, .ptr = PAGE(9), .bytes_req = 5, .bytes_alloc = 8},
	{.time_ns = 110, .kind = KM_EV_PAGE_FREE, .ptr = 8, .order = 1},
	{.time_ns = 120, .kind = KM_EV_VMAP_ALLOC, .ptr = KM_VMALLOC_START, .bytes_alloc = 8192},
	{.time_ns = 130, .kind = KM_EV_PERCPU_ALLOC, .ptr = 0x40, .bytes_req = 4, .bytes_alloc = 4},
	{.time_ns = 140, .kind = KM_EV_PERCPU_FREE, .ptr = 0x40},
	{.time_ns = 150, .kind = KM_EV_BULK_ALLOC, .ptr = PAGE(4), .cache = 4},
	{.time_ns = 160, .kind = KM_EV_RCU_FREE, .ptr = PAGE(4)},
	{.time_ns = 170, .kind = KM_EV_KFREE, .ptr = 0},
};

static void make_trace(void)
{
	struct km_trace_writer *writer;

	if (km_trace_create(path, &writer, &err) || test_define(writer))
		exit(2);
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		km_trace_append(writer, i % 2, &events[i], 1, &err);
	if (km_trace_finish(writer, 200, &err))
		exit(2);
}

static void test_kinds_of_free(void)
{
	make_trace();
	open_trace();
	ROWS("kind, alloc_ns, free_ns, free_after_ns, free_before_ns, alloc_call, free_call",
	     "free_kind = 'explicit'",
	     "slab 10 20 - - kmalloc kfree; page 90 110 - - page_alloc page_free; "
	     "percpu 130 140 - - percpu_alloc percpu_free");
	ROWS("kind, alloc_ns, free_ns, cache, alloc_call, free_call", "free_kind = 'cross_api'",
	     "slab 30 40 cache_4 cache_alloc kfree");
	ROWS("kind, alloc_ns, free_ns, free_after_ns, free_before_ns, cache, free_call",
	     "free_kind = 'implied'",
	     "slab 50 - 50 60 cache_4 -; slab 60 - 65 70 cache_5 -; slab 100 - 100 110 - -; "
	     "slab 150 - 160 - cache_4 -");
	ROWS("kind, alloc_ns, free_ns, free_after_ns, free_before_ns", "free_kind = 'open'",
	     "slab 70 - - -; vmap 120 - - -");
	ROWS("kind, alloc_ns, free_ns, cache, bytes_alloc, gfp, alloc_call, free_call, alloc_cpu, "
	     "free_cpu, alloc_site, alloc_tid, alloc_comm",
	     "free_kind = 'preexisting'", "slab - 80 cache_7 - - - cache_free - 0 - - -");
	ROWS("count(*), count(DISTINCT rowid), min(rowid), max(rowid)", "1", "11 11 1 11");
}

static void test_columns(void)
{
	ROWS("printf('%x', ptr), bytes_req, bytes_alloc, gfp, page_order, backing, alloc_cpu, "
	     "alloc_site, alloc_tid, alloc_comm, alloc_stack, free_cpu, free_site, free_tid, "
	     "free_comm",
	     "alloc_ns = 10",
	     "ffff888000001000 10 16 3264 - - 0 0xffffffff81000020 103 task_3 2 1 "
	     "0xffffffff81000030 104 task_4");
	ROWS("ptr, bytes_alloc, gfp, page_order, backing", "kind = 'page'", "8 8192 1 1 1");
	ROWS("free_site, free_tid, free_cpu", "alloc_ns = 60", "0xffffffff81000070 108 0");
	ROWS("free_site, free_tid, free_cpu", "alloc_ns = 50", "- - -");
	km_trace_close(trace);
}

static uint64_t count_of(const char *condition)
{
	return strtoull(rows("count(*)", condition), NULL, 10);
}

/* Rows of the table are as many as the stored counts say. */
static void account(const char *what)
{
	struct km_repair_counts counts;

	TAP_EQ(km_trace_repair(trace, &counts), 0, "%s: its repair counts are stored", what);
	TAP_EQ(count_of("free_kind = 'explicit'"), counts.matched_frees - counts.cross_api_frees,
	       "explicit frees");
	TAP_EQ(count_of("free_kind = 'cross_api'"), counts.cross_api_frees, "cross-API frees");
	TAP_EQ(count_of("free_kind = 'implied'"), counts.implied_frees + counts.rcu_pending,
	       "implied frees");
	TAP_EQ(count_of("free_kind = 'open'"), counts.open - counts.rcu_pending, "open objects");
	TAP_EQ(count_of("free_kind = 'preexisting'"), counts.preexisting_frees,
	       "objects older than the trace");
	TAP_EQ(count_of("free_kind != 'preexisting'"), counts.objects, "all objects");
	TAP_EQ(strtoull(rows("sum(bytes_alloc)", "free_ns IS NULL AND free_before_ns IS NULL"),
			NULL, 10),
	       counts.open_bytes, "bytes of what is open");
}

/* The bundled traces: what `info` says and what `object` holds. */
static void test_samples(void)
{
	glob_t found;

	if (glob("traces/samples/*.kmt", 0, NULL, &found)) {
		TAP_OK(true, "bundled traces # SKIP there are none here");
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		snprintf(path, sizeof(path), "%s", found.gl_pathv[i]);
		open_trace();
		account(path);
		km_trace_close(trace);
	}
	globfree(&found);
}

/* The table and the repair pass are the same decisions. */
static void test_accounts(void)
{
	struct km_trace_writer *writer;
	uint64_t time = 0;

	if (km_trace_create(path, &writer, &err) || test_define(writer))
		exit(2);
	for (unsigned i = 0; i < 100000; i++) {
		struct km_event event = test_event(&time);

		event.ptr = km_event_space(event.kind) == KM_SPACE_PAGE
				    ? test_random() % 4096 >> event.order << event.order
				    : PAGE(0) + test_random() % 20000 * 64;
		km_trace_append(writer, i % 3, &event, 1, &err);
	}
	if (km_trace_finish(writer, time, &err))
		exit(2);
	open_trace();
	account("made");
	TAP_EQ(count_of("free_ns < alloc_ns OR free_before_ns < free_after_ns OR free_after_ns < "
			"alloc_ns"),
	       0, "nothing ends before it begins");
	TAP_EQ(count_of("lifetime_ns IS NOT free_ns - alloc_ns AND free_kind IN ('explicit', "
			"'cross_api')") +
		       count_of("lifetime_ns IS NOT NULL AND free_kind NOT IN ('explicit', "
				"'cross_api')"),
	       0, "lifetimes are those of both ends");
	TAP_OK(count_of("alloc_ns IN (SELECT a.alloc_ns FROM object a WHERE a.free_kind = 'open' "
			"LIMIT 3)") == 3,
	       "two of the tables can be read at once");
	km_trace_close(trace);
}

int main(void)
{
	const char *directory = test_directory();

	snprintf(path, sizeof(path), "%s/T.kmt", directory);
	test_kinds_of_free();
	test_columns();
	test_accounts();
	test_samples();
	test_remove_directory(directory);
	return tap_done();
}
