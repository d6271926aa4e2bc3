/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `info` and `sql` over a small trace made here, whose every number is known: prime counts, so that
 * a number that is counted twice or swapped with another cannot agree by luck.
 */
#include "analysis/analysis.h"
#include "run.h"
#include "traces/trace.h"

#define ALLOCS 23 /* kmalloc of 100 bytes, 128 given */
#define FREES 17  /* of these, freed */
#define OLD 5     /* frees of objects older than the trace */
#define PAGES 7

static uint64_t now;

static struct km_event event(enum km_event_kind kind, uint64_t ptr, unsigned cpu, uint32_t seq)
{
	struct km_event made = {.time_ns = now += 1000,
				.ptr = ptr,
				.kind = (uint8_t)kind,
				.cpu = (uint16_t)cpu,
				.seq = seq,
				.node = -1};

	if (kind == KM_EV_KMALLOC) {
		made.bytes_req = 100;
		made.bytes_alloc = 128;
	}
	if (kind == KM_EV_PAGE_ALLOC)
		made.bytes_req = made.bytes_alloc = 4096;
	return made;
}

static int append_all(struct km_trace_writer *writer, struct km_err *err)
{
	struct km_event events[ALLOCS + FREES + OLD], pages[PAGES];
	uint32_t n = 0;

	now = 0;
	for (unsigned i = 0; i < ALLOCS; i++, n++)
		events[n] = event(KM_EV_KMALLOC, 0xffff888000100000 + i * 128, 0, n);
	for (unsigned i = 0; i < FREES; i++, n++)
		events[n] = event(KM_EV_KFREE, 0xffff888000100000 + i * 128, 0, n);
	for (unsigned i = 0; i < OLD; i++, n++)
		events[n] = event(KM_EV_KFREE, 0xffff888000800000 + i * 128, 0, n);
	for (uint32_t i = 0; i < PAGES; i++)
		pages[i] = event(KM_EV_PAGE_ALLOC, 0x4000 + i, 1, i);
	if (km_trace_append(writer, 0, events, n, err))
		return -1;
	return km_trace_append(writer, 1, pages, PAGES, err);
}

static bool make_trace(const char *path, bool finish)
{
	struct km_trace_counts counts = {.lost = {[KM_LOSS_RING_FULL] = 11},
					 .filtered_null = 13,
					 .filtered_self = 3,
					 .filtered_excluded = 5,
					 .filtered_aged = 6};
	struct km_trace_gap gap = {1, KM_LOSS_RING_FULL, 2000, 3000, 11};
	struct km_trace_writer *writer;
	struct km_err err = {""};

	counts.recorded[KM_EV_KMALLOC] = counts.fired[KM_EV_KMALLOC] = ALLOCS;
	counts.recorded[KM_EV_KFREE] = FREES + OLD;
	counts.fired[KM_EV_KFREE] = FREES + OLD + 13 + 3 + 5 + 6;
	counts.recorded[KM_EV_PAGE_ALLOC] = PAGES;
	counts.fired[KM_EV_PAGE_ALLOC] = PAGES + 11;
	if (km_trace_create(path, &writer, &err)) {
		printf("# %s\n", err.text);
		return false;
	}
	if (km_trace_set_meta(writer, "kernel", "6.1.0-test", &err) ||
	    km_trace_set_meta(writer, "cpus", "2", &err) ||
	    km_trace_set_meta(writer, "command", "say \"hello\"", &err) ||
	    append_all(writer, &err) || km_trace_flush(writer, &err)) {
		printf("# %s\n", err.text);
		km_trace_abandon(writer);
		return false;
	}
	if (!finish) {
		km_trace_abandon(writer);
		return true;
	}
	if (km_trace_add_gap(writer, &gap, &err) || km_trace_set_counts(writer, &counts, &err) ||
	    km_trace_finish(writer, 60000, &err)) {
		printf("# %s\n", err.text);
		return false;
	}
	return true;
}

static void test_info(void)
{
	TAP_EQ(RUN(km_cmd_info, "t.kmt", "--format", "json"), 0, "info succeeds");
	TAP_EQ(json_number("$.schema"), 1, "the JSON document says its schema");
	TAP_OK(!strcmp(json_at("$.kernel"), "6.1.0-test"), "kernel");
	TAP_OK(!strcmp(json_at("$.command"), "say \"hello\""), "quotes in the command survive");
	TAP_EQ(json_number("$.cpus"), 2, "cpus");
	TAP_EQ(json_number("$.duration_ns"), 60000, "duration_ns");
	TAP_EQ(json_number("$.events.kmalloc"), ALLOCS, "kmalloc events");
	TAP_EQ(json_number("$.events.kfree"), FREES + OLD, "kfree events");
	TAP_EQ(json_number("$.events.page_alloc"), PAGES, "page_alloc events");
	TAP_EQ(json_number("$.events_total"), ALLOCS + FREES + OLD + PAGES, "events_total");
	TAP_EQ(json_number("$.recorded"), ALLOCS + FREES + OLD + PAGES, "recorded");
	TAP_EQ(json_number("$.lost_total"), 11, "lost_total");
	TAP_EQ(json_number("$.lost.ring_full"), 11, "lost.ring_full");
	TAP_EQ(json_number("$.lost.contended"), 0, "lost.contended");
	TAP_EQ(json_number("$.lost.recursion"), 0, "lost.recursion");
	TAP_EQ(json_number("$.filtered.null"), 13, "filtered.null");
	TAP_EQ(json_number("$.filtered.self"), 3, "filtered.self");
	TAP_EQ(json_number("$.filtered.sampled"), 0, "filtered.sampled");
	TAP_EQ(json_number("$.filtered.excluded"), 5, "filtered.excluded");
	TAP_EQ(json_number("$.filtered.aged"), 6, "filtered.aged");
	TAP_EQ(json_number("$.balance.allocs_before"), ALLOCS + PAGES, "allocations as traced");
	TAP_EQ(json_number("$.balance.frees_before"), FREES + OLD, "frees as traced");
	TAP_EQ(json_number("$.balance.open_before"), ALLOCS + PAGES - FREES - OLD,
	       "the balance before repair");
	TAP_EQ(json_number("$.balance.allocs_after"), ALLOCS + PAGES, "objects");
	TAP_EQ(json_number("$.balance.frees_after"), FREES, "those that ended");
	TAP_EQ(json_number("$.balance.open_after"), ALLOCS + PAGES - FREES,
	       "the balance after repair");
	TAP_EQ(json_number("$.fired"), ALLOCS + FREES + OLD + PAGES + 11 + 13 + 3 + 5 + 6,
	       "fired = recorded + lost + filtered");
	TAP_EQ(json_number("$.gaps"), 1, "gaps");
	TAP_EQ(json_number("$.complete"), 1, "the trace is complete");
	TAP_EQ(json_number("$.repair.preexisting_frees"), OLD, "frees of older objects");
	TAP_EQ(json_number("$.repair.implied_frees"), 0, "implied frees");
	TAP_EQ(json_number("$.repair.cross_api_frees"), 0, "cross-API frees");
	TAP_EQ(json_number("$.repair.double_large"), 0, "double large");
	TAP_EQ(json_number("$.repair.open"), ALLOCS - FREES + PAGES, "alive at the end");
	TAP_OK(json_number("$.file_bytes") > 0 && *json_at("$.bytes_per_event"), "sizes are there");
	TAP_EQ(RUN(km_cmd_info, "t.kmt", "-f", "csv"), 0, "csv succeeds");
	TAP_OK(strstr(ran.out, "\r\nevents.kmalloc,23\r\n") != NULL, "and has a row per fact");
	TAP_EQ(RUN(km_cmd_info, "t.kmt"), 0, "the table succeeds");
	TAP_OK(!strncmp(ran.out, "fact ", 5) && strstr(ran.out, "lost.ring_full"),
	       "and has its title and rows");
}

static void test_unfinished(void)
{
	TAP_OK(make_trace("cut.kmt", false), "a capture that ends without finishing");
	TAP_EQ(RUN(km_cmd_info, "cut.kmt", "-f", "json"), 0, "is readable");
	TAP_EQ(json_number("$.complete"), 0, "is said to be incomplete");
	TAP_EQ(json_number("$.events.kmalloc"), ALLOCS, "has its events counted");
	TAP_EQ(json_number("$.repair.open"), ALLOCS - FREES + PAGES, "and paired");
	TAP_OK(strstr(ran.err, "not finished") != NULL, "and stderr says so");
}

static void test_sql(void)
{
	TAP_EQ(RUN(km_cmd_sql, "t.kmt",
		   "SELECT kind, count(*) AS n, sum(bytes_req) AS bytes FROM event GROUP BY 1"
		   " ORDER BY n",
		   "--format", "json"),
	       0, "sql succeeds");
	TAP_EQ(json_number("$.schema"), 1, "its JSON document says its schema");
	TAP_OK(!strcmp(json_at("$.rows[0].kind"), "page_alloc"), "kinds are named as in info");
	TAP_EQ(json_number("$.rows[0].n"), PAGES, "page_alloc agrees with info");
	TAP_EQ(json_number("$.rows[1].n"), FREES + OLD, "kfree agrees with info");
	TAP_EQ(json_number("$.rows[2].n"), ALLOCS, "kmalloc agrees with info");
	TAP_EQ(json_number("$.rows[2].bytes"), 100 * ALLOCS, "and so do its bytes");
	TAP_EQ(RUN(km_cmd_sql, "t.kmt", "SELECT 'a,\"b' AS x, NULL AS y, x'0aff' AS z", "-f",
		   "csv"),
	       0, "csv succeeds");
	TAP_OK(!strncmp(ran.out, "x,y,z\r\n\"a,\"\"b\",,", 16), "and quotes as RFC 4180 says");
	TAP_EQ(RUN(km_cmd_sql, "t.kmt", "SELECT x'0aff' AS z, 0.5 AS f", "-f", "json"), 0, "blobs");
	TAP_OK(!strcmp(json_at("$.rows[0].z"), "0aff"), "are hexadecimal in JSON");
	TAP_OK(!strcmp(json_at("$.rows[0].f"), "0.5"), "and fractions stay numbers");
	TAP_EQ(RUN(km_cmd_sql, "t.kmt", "SELECT kind, ptr FROM event WHERE 0", "-f", "json"), 0,
	       "no rows");
	TAP_OK(!strcmp(json_at("$.rows"), "[]"), "is an empty list");
	TAP_EQ(RUN(km_cmd_sql, "t.kmt", "SELECT count(*) n FROM event;"), 0, "a final ; is fine");
	TAP_OK(!strcmp(ran.out, " n\n52\n"), "and the table is aligned");
}

static void refused(const char *statement, const char *what)
{
	RUN(km_cmd_sql, "t.kmt", (char *)statement, "-f", "json");
	if (!TAP_OK(ran.status == 2 && one_sentence(), "refused: %s", what))
		printf("# status %d, stdout %s, stderr %s\n", ran.status, ran.out, ran.err);
}

static void test_refusals(void)
{
	refused("DELETE FROM meta", "writing");
	refused("CREATE TABLE x(y)", "creating");
	refused("ATTACH 'other.db' AS other", "attaching a file");
	refused("PRAGMA user_version = 9", "changing a setting");
	refused("SELECT load_extension('x')", "loading code");
	refused("SELECT name FROM pragma_table_info('event')", "a pragma as a table");
	TAP_OK(strstr(ran.err, "PRAGMA table_info(event)") != NULL, "with what to ask instead");
	TAP_EQ(RUN(km_cmd_sql, "t.kmt", "PRAGMA table_info(event)", "-f", "json"), 0,
	       "which works");
	TAP_OK(!strcmp(json_at("$.rows[0].name"), "time_ns"), "and gives the columns");
	refused("SELECT 1; SELECT 2", "two statements");
	refused("", "no statement");
	refused("SELEC 1", "a syntax error");
	refused("SELECT * FROM nothing", "an unknown table");
	TAP_OK(access("other.db", F_OK), "no file appeared");
	RUN(km_cmd_info, "t.kmt", "-f", "json");
	TAP_EQ(json_number("$.events_total"), ALLOCS + FREES + OLD + PAGES, "nothing changed");
}

static void bad_file(const char *path, const char *what)
{
	RUN(km_cmd_info, (char *)path);
	if (!TAP_OK(ran.status == 2 && one_sentence(), "info: %s is one sentence, exit 2", what))
		printf("# status %d, stdout %s, stderr %s\n", ran.status, ran.out, ran.err);
	RUN(km_cmd_sql, (char *)path, "SELECT count(*) FROM event", "-f", "json");
	if (!TAP_OK(ran.status == 2 && one_sentence(), "sql: %s is one sentence, exit 2", what))
		printf("# status %d, stdout %s, stderr %s\n", ran.status, ran.out, ran.err);
}

static void test_bad_files(void)
{
	write_text("foreign.kmt", "this is not a trace\n", 20);
	write_text("empty.kmt", "", 0);
	truncate_copy("t.kmt", "truncated.kmt");
	newer_copy("t.kmt", "newer.kmt");
	bad_file("absent.kmt", "a file that is not there");
	bad_file("foreign.kmt", "a foreign file");
	bad_file("empty.kmt", "an empty file");
	bad_file("truncated.kmt", "a truncated trace");
	bad_file("newer.kmt", "a trace from a newer program");
	TAP_EQ(RUN(km_cmd_info, "t.kmt", "--format", "xml"), 2, "an unknown format is exit 2");
	TAP_EQ(run_command(km_cmd_info, (char *[]){(char *)"info", NULL}), 2, "no file is exit 2");
	TAP_EQ(RUN(km_cmd_sql, "t.kmt"), 2, "no statement is exit 2");
}

int main(void)
{
	enter_scratch();
	if (!TAP_OK(make_trace("t.kmt", true), "a trace is written")) {
		leave_scratch();
		return tap_done();
	}
	test_info();
	test_unfinished();
	test_sql();
	test_refusals();
	test_bad_files();
	leave_scratch();
	return tap_done();
}
