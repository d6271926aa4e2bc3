/* SPDX-License-Identifier: GPL-2.0-only */
/* `check` over small traces made here: each misuse once, each doubt, leaks, damage. */
#include "analysis/analysis.h"
#include "run.h"
#include "traces/trace.h"

#include <kmlab/gfp.h>

#define BASE 0xffff888000100000ull
#define MS 1000000ull

enum { SITE_ALLOC = 1, SITE_FREE, SITE_OTHER };
enum { CACHE_A = 1, CACHE_B };

static struct km_trace_writer *writer;
static struct km_err err;
static uint64_t now;

static void start(const char *path)
{
	struct km_trace_cache a = {.name = "cache_a"}, b = {.name = "cache_b"};
	struct km_trace_task task = {.tid = 17, .tgid = 17, .comm = "driver"};
	struct km_trace_site sites[] = {
		{.id = SITE_ALLOC, .address = 0x1010, .symbol = "probe", .offset = 0x10},
		{.id = SITE_FREE,
		 .address = 0x2020,
		 .symbol = "remove",
		 .offset = 0x20,
		 .module = "toy"},
		{.id = SITE_OTHER, .address = 0x3030},
	};

	now = 0;
	if (km_trace_create(path, &writer, &err) || km_trace_define_cache(writer, &a, &err) ||
	    km_trace_define_cache(writer, &b, &err) || km_trace_define_task(writer, &task, &err) ||
	    km_trace_set_meta(writer, "cpus", "2", &err))
		exit(2);
	for (unsigned i = 0; i < 3; i++)
		if (km_trace_site_id(writer, sites[i].address) != sites[i].id ||
		    km_trace_define_site(writer, &sites[i], &err))
			exit(2);
}

static void put(struct km_event event)
{
	event.time_ns = now += 1000;
	event.task = 1;
	event.node = -1;
	if (km_trace_append(writer, 0, &event, 1, &err))
		exit(2);
}

static void alloc(uint64_t ptr, unsigned kind, unsigned cache)
{
	put((struct km_event){.kind = (uint8_t)kind,
			      .ptr = ptr,
			      .bytes_req = 100,
			      .bytes_alloc = 128,
			      .gfp = KM_GFP_KERNEL,
			      .site = SITE_ALLOC,
			      .cache = (uint16_t)cache});
}

static void release(uint64_t ptr, unsigned kind, unsigned cache)
{
	put((struct km_event){
		.kind = (uint8_t)kind, .ptr = ptr, .site = SITE_FREE, .cache = (uint16_t)cache});
}

static void finish(struct km_trace_counts counts, uint64_t duration_ns)
{
	if (km_trace_set_counts(writer, &counts, &err) ||
	    km_trace_finish(writer, duration_ns, &err))
		exit(2);
}

/* What fired is what the test appended: told afterwards, from what the store counted. */
static void settle(const char *path, unsigned extra)
{
	char sql[160];
	sqlite3 *db;

	snprintf(sql, sizeof(sql),
		 "UPDATE counts SET fired = recorded; "
		 "UPDATE counts SET fired = fired + %u WHERE kind = 'kfree'",
		 extra);
	if (sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, NULL))
		exit(2);
	sqlite3_close(db);
}

static void test_clean(void)
{
	start("clean.kmt");
	for (unsigned i = 0; i < 5; i++) {
		alloc(BASE, KM_EV_KMALLOC, 0);
		release(BASE, KM_EV_KFREE, 0);
	}
	release(BASE + 4096, KM_EV_KFREE, 0); /* older than the trace */
	finish((struct km_trace_counts){0}, MS);
	settle("clean.kmt", 0);
	TAP_EQ(RUN(km_cmd_check, "clean.kmt"), 0, "a sound trace without misuse is exit 0");
	TAP_OK(strstr(ran.out, "finished, 11 events intact") != NULL, "and says what it is");
	TAP_EQ(RUN(km_cmd_check, "clean.kmt", "--deep", "-f", "json"), 0, "deep, too");
	TAP_OK(json_number("$.schema") == 1 && json_number("$.ok") == 1 &&
		       !strcmp(json_at("$.misuse"), "[]") && !strcmp(json_at("$.leak"), "[]"),
	       "JSON: ok, nothing found");
	TAP_EQ(RUN(km_cmd_check, "clean.kmt", "-f", "tsv"), 0, "tsv");
	TAP_OK(!strncmp(ran.out, "finding\trule\tcount\tbytes\ttime_s\tcpu\ttask\tsite\twhat\n",
			51),
	       "has its titles");
}

/* One misuse of each rule, the first one twice. */
static void write_misuse(const char *path)
{
	start(path);
	for (unsigned i = 0; i < 2; i++) {
		alloc(BASE, KM_EV_KMALLOC, 0);
		release(BASE, KM_EV_KFREE, 0);
		release(BASE, KM_EV_KFREE, 0);
	}
	alloc(BASE + 256, KM_EV_CACHE_ALLOC, CACHE_A);
	release(BASE + 256, KM_EV_CACHE_FREE, CACHE_B);
	alloc(BASE + 512, KM_EV_KMALLOC, 0);
	release(BASE + 512 + 16, KM_EV_KFREE, 0);
	put((struct km_event){.kind = KM_EV_KMALLOC,
			      .ptr = BASE + 1024,
			      .bytes_req = 8,
			      .bytes_alloc = 8,
			      .gfp = KM_GFP_KERNEL,
			      .site = SITE_OTHER,
			      .context = KM_CTX_SOFTIRQ});
	put((struct km_event){.kind = KM_EV_KMALLOC,
			      .ptr = BASE + 1032,
			      .bytes_req = 8,
			      .bytes_alloc = 8,
			      .gfp = KM_GFP_ATOMIC,
			      .site = SITE_OTHER,
			      .context = KM_CTX_SOFTIRQ});
}

static void test_misuse(void)
{
	write_misuse("bad.kmt");
	finish((struct km_trace_counts){0}, MS);
	settle("bad.kmt", 0);
	TAP_EQ(RUN(km_cmd_check, "bad.kmt", "-f", "json"), 1, "misuse is exit 1");
	TAP_OK(json_number("$.ok") == 0 && !strcmp(json_at("$.integrity"), "[]"),
	       "the file itself is sound");
	TAP_OK(!strcmp(json_at("$.misuse[0].rule"), "double_free"), "double free");
	TAP_EQ(json_number("$.misuse[0].count"), 2, "happened twice");
	TAP_EQ(json_number("$.misuse[0].time_ns"), 3000, "first at 3 us");
	TAP_OK(!strcmp(json_at("$.misuse[0].site"), "remove+0x20 [toy]") &&
		       !strcmp(json_at("$.misuse[0].task"), "driver/17") &&
		       json_number("$.misuse[0].cpu") == 0,
	       "where and by whom");
	TAP_OK(strstr(json_at("$.misuse[0].what"),
		      "0xffff888000100000, freed 1.00 us before at remove+0x20 [toy] by driver/17; "
		      "find the two owners of the object"),
	       "and what to do: %s", json_at("$.misuse[0].what"));
	TAP_OK(!strcmp(json_at("$.misuse[1].rule"), "wrong_cache") &&
		       strstr(json_at("$.misuse[1].what"), "from cache_a into cache_b"),
	       "wrong cache: %s", json_at("$.misuse[1].what"));
	TAP_OK(!strcmp(json_at("$.misuse[2].rule"), "interior_free"), "interior free: %s",
	       json_at("$.misuse[2].what"));
	TAP_OK(!strcmp(json_at("$.misuse[3].rule"), "sleeping_flag") &&
		       !strcmp(json_at("$.misuse[3].site"), "0x0000000000003030") &&
		       json_number("$.misuse[3].count") == 1,
	       "sleeping flag: %s", json_at("$.misuse[3].what"));
	TAP_OK(!*json_at("$.misuse[4].rule") && !*json_at("$.suspect[0].rule"), "and that is all");
	RUN(km_cmd_check, "bad.kmt", "-f", "csv");
	TAP_OK(strstr(ran.out, "\r\nmisuse,double_free,2,,0.000003,0,driver/17,remove+0x20 [toy],"),
	       "csv has the same");
}

/* The same events where something may have gone unseen. */
static void test_doubt(void)
{
	static const struct {
		struct km_trace_counts counts;
		const char *groups, *doubt;
		unsigned misuse, suspects;
	} cases[] = {
		{{.lost = {[KM_LOSS_RING_FULL] = 5}}, NULL, "events were lost", 1, 3},
		{{.filtered_excluded = 5}, NULL, "a filter left out", 1, 3},
		{{.filtered_aged = 5}, NULL, "older events were discarded", 1, 3},
		{{.filtered_null = 0}, "slab,page", "bulk allocations", 3, 1},
		{{.filtered_null = 0}, "slab,page,rcu", NULL, 4, 0},
		{{.filtered_null = 5}, NULL, NULL, 4, 0},
		{{.filtered_self = 5}, NULL, NULL, 4, 0}, /* nobody else can have run */
	};
	char path[32];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct km_trace_gap gap = {0, KM_LOSS_RING_FULL, 1000, 2000, 5};

		snprintf(path, sizeof(path), "doubt%u.kmt", i);
		write_misuse(path);
		if (cases[i].groups)
			km_trace_set_meta(writer, "groups", cases[i].groups, &err);
		if (cases[i].counts.lost[KM_LOSS_RING_FULL])
			km_trace_add_gap(writer, &gap, &err);
		finish(cases[i].counts, MS);
		settle(path, i < 3 || i > 4 ? 5 : 0);
		TAP_EQ(RUN(km_cmd_check, path, "-f", "json"), 1, "what needs no history is proven");
		TAP_OK(!strcmp(json_at("$.integrity"), "[]"), "the ledger is right");
		snprintf(path, sizeof(path), "$.misuse[%u].rule", cases[i].misuse - 1);
		TAP_OK(*json_at(path), "%u proven: %s", cases[i].misuse, json_at(path));
		snprintf(path, sizeof(path), "$.misuse[%u].rule", cases[i].misuse);
		TAP_OK(!*json_at(path), "and no more");
		if (!cases[i].doubt)
			continue;
		snprintf(path, sizeof(path), "$.suspect[%u].what", cases[i].suspects - 1);
		TAP_OK(strstr(json_at(path), cases[i].doubt), "%u suspects: %s", cases[i].suspects,
		       json_at(path));
	}
}

/* Two frees between which others may have run. */
static void test_others(void)
{
	static const struct {
		const char *key, *value, *doubt;
		uint64_t self;
	} cases[] = {
		{"kernel", "6.1.0", NULL, 0},
		{"kernel", "6.1.0", "the recorder's own", 5},
		{"kernel", "6.18.3", "kmalloc_nolock() of this kernel is not traced", 0},
		{"loss", "unknown", "its recorder did not count every loss", 0},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		start("others.kmt");
		km_trace_set_meta(writer, cases[i].key, cases[i].value, &err);
		alloc(BASE, KM_EV_KMALLOC, 0);
		release(BASE, KM_EV_KFREE, 0);
		now += MS;
		release(BASE, KM_EV_KFREE, 0);
		finish((struct km_trace_counts){.filtered_self = cases[i].self}, 2 * MS);
		settle("others.kmt", (unsigned)cases[i].self);
		TAP_EQ(RUN(km_cmd_check, "others.kmt", "-f", "json"), !cases[i].doubt,
		       "%s %s, %u filtered", cases[i].key, cases[i].value, (unsigned)cases[i].self);
		TAP_OK(!cases[i].doubt || strstr(json_at("$.suspect[0].what"), cases[i].doubt),
		       "%s", json_at("$.suspect[0].what"));
		unlink("others.kmt");
	}
}

static void test_leaks(void)
{
	start("leak.kmt");
	for (unsigned i = 0; i < 7; i++)
		alloc(BASE + i * 128, KM_EV_KMALLOC, 0);
	release(BASE, KM_EV_KFREE, 0);
	alloc(BASE + 128, KM_EV_KMALLOC, 0); /* its free was not traced: not old either */
	finish((struct km_trace_counts){0}, 14000);
	settle("leak.kmt", 0);
	TAP_EQ(RUN(km_cmd_check, "leak.kmt", "-f", "json"), 0, "leaks alone are exit 0");
	TAP_EQ(json_number("$.leak[0].count"), 4, "live, and allocated in the first half");
	TAP_EQ(json_number("$.leak[0].bytes"), 4 * 128, "their bytes");
	TAP_OK(json_number("$.leak[0].allocated") == 8 && json_number("$.leak[0].freed") == 1 &&
		       json_number("$.leak[0].implied_frees") == 1,
	       "%s", json_at("$.leak[0].what"));
	TAP_EQ(json_number("$.leak[0].time_ns"), 3000, "when the oldest began");
	RUN(km_cmd_check, "leak.kmt", "-f", "json", "--age", "0.00001");
	TAP_EQ(json_number("$.leak[0].count"), 1, "--age: older than 10 us");
	RUN(km_cmd_check, "leak.kmt", "-f", "json", "--age", "0");
	TAP_EQ(json_number("$.leak[0].count"), 6, "--age 0: all that is live");
	TAP_EQ(RUN(km_cmd_check, "leak.kmt", "--age", "soon"), 2, "no seconds are exit 2");
}

/* Four of five addresses are handed out again and again with no free to be seen. */
static void test_unseen(void)
{
	start("unseen.kmt");
	for (unsigned i = 0; i < 20; i++)
		alloc(BASE + (i % 5) * 128, KM_EV_KMALLOC, 0);
	release(BASE, KM_EV_KFREE, 0);
	finish((struct km_trace_counts){0}, 100000);
	settle("unseen.kmt", 0);
	TAP_EQ(RUN(km_cmd_check, "unseen.kmt", "-f", "json"), 0, "frees that cannot be traced");
	TAP_OK(!strcmp(json_at("$.leak"), "[]"), "make no leaks");
	TAP_EQ(json_number("$.unseen[0].count"), 4, "what seems live is told");
	TAP_OK(strstr(json_at("$.unseen[0].what"), " 15 ended without a traced free and 1 with"),
	       "and why: %s", json_at("$.unseen[0].what"));
}

/* A recorded shell that starts processes: maple nodes are freed in bulk. */
static void test_unseen_capture(const char *path)
{
	if (access(path, R_OK)) {
		printf("ok %u - fork.kmt # SKIP it is not in traces/samples\n", ++tap_run);
		return;
	}
	TAP_EQ(RUN(km_cmd_check, (char *)(uintptr_t)path, "-f", "json"), 0, "a fork/exec capture");
	TAP_OK(strstr(json_at("$.unseen[0].what"), "of maple_node "), "%s",
	       json_at("$.unseen[0].what"));
	TAP_OK(!strstr(json_at("$.leak"), "mas_"), "no maple node is called a leak");
}

static void change(const char *path, const char *sql)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) || sqlite3_exec(db, sql, NULL, NULL, NULL))
		exit(2);
	sqlite3_close(db);
}

static void test_damage(void)
{
	change("clean.kmt", "UPDATE chunk SET payload = zeroblob(length(payload))");
	TAP_EQ(RUN(km_cmd_check, "clean.kmt"), 1, "damage is exit 1");
	TAP_OK(strstr(ran.out, "chunk 1 fails its checksum"), "the chunk is named");
	TAP_OK(strstr(ran.out, "damaged: 1 of 1 chunks cannot be read; 0 events can"), "and told");
	change("leak.kmt", "DROP TABLE gap");
	TAP_EQ(RUN(km_cmd_check, "leak.kmt", "-f", "json"), 1, "without a table it is damaged");
	TAP_OK(json_number("$.readable") == 0 && json_number("$.events") == 9,
	       "not readable, its events are whole");
	write_misuse("cut.kmt");
	km_trace_flush(writer, &err);
	km_trace_abandon(writer);
	TAP_EQ(RUN(km_cmd_check, "cut.kmt", "-f", "json"), 1, "an unfinished trace is examined");
	TAP_OK(json_number("$.complete") == 0 && !strcmp(json_at("$.integrity"), "[]"),
	       "and sound as it is");
	TAP_EQ(RUN(km_cmd_check, "absent.kmt"), 2, "no file is exit 2");
	TAP_OK(one_sentence(), "and one sentence");
	write_text("foreign.kmt", "this is not a trace\n", 20);
	TAP_EQ(RUN(km_cmd_check, "foreign.kmt"), 2, "a foreign file is exit 2");
	TAP_OK(one_sentence(), "and one sentence");
}

int main(void)
{
	static char fork_capture[4096];

	if (!realpath("traces/samples/fork.kmt", fork_capture))
		*fork_capture = '\0';
	enter_scratch();
	test_clean();
	test_misuse();
	test_doubt();
	test_others();
	test_leaks();
	test_unseen();
	test_unseen_capture(fork_capture);
	test_damage();
	leave_scratch();
	return tap_done();
}
