/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `stat`: every decision about an object is that of the repair pass, for bundled captures and
 * random events; and a small trace whose every number is known.
 */
#include "analysis/analysis.h"
#include "analysis/stat.h"
#include "run.h"
#include "traces/repair.h"
#include "traces/tests/events.h"

#include <math.h>
#include <unistd.h>

static struct km_err err;

/* ---- what the repair pass makes of it, per site ---- */

struct expected {
	struct km_stat_row *rows, total;
	struct km_living_counts counts;
};

static bool is_slab(const struct km_object *object)
{
	return object->kind != KM_NR_EVENT_KINDS && object->space == KM_SPACE_SLAB;
}

/* Hits are counted when the object is done, by the site it has then. */
static void expect_object(struct expected *expected, const struct km_object *object)
{
	struct km_stat_row *row = &expected->rows[object->site];

	row->hits++;
	row->bytes_req += object->bytes_req;
	row->bytes_alloc += object->bytes_alloc;
	expected->total.hits++;
}

static void expect_gone(struct expected *expected, const struct km_object *gone,
			const struct km_event *free)
{
	struct km_stat_row *row = &expected->rows[gone->site];

	if (!is_slab(gone))
		return;
	expect_object(expected, gone);
	row->implied += !free;
	row->frees += free != NULL;
	row->cross_frees += free && free->cpu != gone->cpu;
	expected->total.implied += !free;
	expected->total.frees += free != NULL;
}

static void expect_event(struct expected *expected, struct km_repair *repair,
			 const struct km_event *event)
{
	struct km_repair_step step;

	if (km_repair_feed(repair, event, &step))
		exit(2);
	if (step.action == KM_REPAIR_FREE)
		expect_gone(expected, &step.gone, event);
	if (step.action == KM_REPAIR_REALLOC)
		expect_gone(expected, &step.gone, NULL);
	if (step.action == KM_REPAIR_FREE_OLD && km_event_space(event->kind) == KM_SPACE_SLAB)
		expected->counts.preexisting_frees++;
	while (km_repair_next_gone(repair, &step))
		expect_gone(expected, &step.gone, NULL);
}

static void expect(struct km_trace *trace, struct expected *expected)
{
	struct km_trace_cursor *cursor;
	struct km_repair_counts counts;
	const struct km_object *objects;
	struct km_repair *repair;
	struct km_event events[256];
	uint32_t count;
	size_t got;

	km_trace_site_table(trace, &count);
	*expected = (struct expected){.rows = calloc(count, sizeof(*expected->rows))};
	if (km_repair_new(&repair) || km_trace_cursor_open(trace, NULL, &cursor, &err))
		exit(2);
	km_repair_set_direct_map(repair, km_trace_direct_map(trace));
	while (!km_trace_next(cursor, events, 256, &got, &err) && got)
		for (size_t i = 0; i < got; i++)
			expect_event(expected, repair, &events[i]);
	objects = km_repair_objects(repair, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (!is_slab(&objects[i]))
			continue;
		expect_object(expected, &objects[i]);
		expected->rows[objects[i].site].live++;
		expected->rows[objects[i].site].live_bytes += objects[i].bytes_alloc;
		expected->total.live++;
		expected->total.live_bytes += objects[i].bytes_alloc;
	}
	km_repair_counts(repair, &counts);
	expected->counts.double_large = counts.double_large;
	km_trace_cursor_close(cursor);
	km_repair_delete(repair);
}

/* ---- is it the same ---- */

static void same_counts(const struct km_stat *got, const struct expected *want)
{
	TAP_EQ(got->total.hits, want->total.hits, "objects");
	TAP_EQ(got->total.frees, want->total.frees, "matched frees");
	TAP_EQ(got->total.implied, want->total.implied, "implied frees");
	TAP_EQ(got->total.live, want->total.live, "live at the end");
	TAP_EQ(got->total.live_bytes, want->total.live_bytes, "their bytes");
	TAP_EQ(got->counts.preexisting_frees, want->counts.preexisting_frees,
	       "frees of older objects");
	TAP_EQ(got->counts.double_large, want->counts.double_large, "objects traced twice");
}

static void compare(const char *path, const char *what)
{
	struct km_stat_options options = {.by = KM_BY_SITE};
	struct expected expected;
	struct km_trace *trace;
	struct km_stat stat;
	unsigned sites = 0, wrong = 0;

	if (!TAP_OK(!km_trace_open(path, &trace, &err) &&
			    !km_stat_run(trace, &options, &stat, &err),
		    "%s %s", what, err.text))
		return;
	expect(trace, &expected);
	same_counts(&stat, &expected);
	for (uint32_t i = 0; i < stat.groups.count; i++) {
		const struct km_stat_row *got = &stat.rows[i], *want = &expected.rows[i];

		sites += want->hits != 0;
		wrong += got->hits != want->hits || got->bytes_req != want->bytes_req ||
			 got->bytes_alloc != want->bytes_alloc || got->live != want->live ||
			 got->live_bytes != want->live_bytes || got->frees != want->frees ||
			 got->cross_frees != want->cross_frees || got->implied != want->implied;
	}
	TAP_OK(sites > 1 && !wrong, "%u of %u sites differ", wrong, sites);
	free(expected.rows);
	km_stat_free(&stat);
	km_trace_close(trace);
}

/* Few addresses, so that all rules meet; large kmallocs, doubled now and then; pages over all. */
static struct km_event random_event(uint64_t *time_ns)
{
	struct km_event event = test_event(time_ns);

	event.ptr = KM_DIRECT_MAP_BASE + test_random() % 4096 * 64;
	event.task = (uint32_t)(test_random() % 2);
	event.context = 0;
	if (test_random() % 8 == 0) {
		event.kind = KM_EV_KMALLOC;
		event.bytes_req = event.bytes_alloc = 16384;
	}
	if (km_event_space(event.kind) == KM_SPACE_PAGE)
		event.ptr = test_random() % 64;
	if (test_random() % 32 == 0)
		event.ptr = test_random() % 2 ? 0 : UINT64_MAX - 7;
	return event;
}

static void test_random_events(void)
{
	struct km_trace_writer *writer;
	uint64_t time = 0;

	if (km_trace_create("random.kmt", &writer, &err) || test_define(writer) ||
	    km_trace_set_meta(writer, "direct_map_base", "0xffff888000000000", &err))
		exit(2);
	for (unsigned i = 0; i < 100000; i++) {
		struct km_event event = random_event(&time);
		unsigned cpu = (unsigned)(test_random() % 3);

		km_trace_append(writer, cpu, &event, 1, &err);
		if (event.kind == KM_EV_KMALLOC && event.bytes_alloc > 8192 && test_random() % 2) {
			event.time_ns = ++time;
			event.site = 1;
			km_trace_append(writer, cpu, &event, 1, &err);
		}
	}
	if (km_trace_finish(writer, time, &err))
		exit(2);
	compare("random.kmt", "random events");
}

static void test_samples(const char *directory)
{
	static const char *const names[] = {"compile", "fork", "messages", "tables", "walk"};
	char copy[64], command[4600];

	for (unsigned i = 0; i < 5; i++) {
		snprintf(copy, sizeof(copy), "%s.kmt", names[i]);
		snprintf(command, sizeof(command), "cp '%s/%s' . 2>/dev/null", directory, copy);
		if (system(command))
			printf("ok %u - %s # SKIP it is not in traces/samples\n", ++tap_run,
			       names[i]);
		else
			compare(copy, names[i]);
	}
}

/* ---- a trace whose numbers are known ---- */

static void put(struct km_trace_writer *writer, unsigned cpu, uint64_t time_ns, unsigned kind,
		uint64_t object, uint64_t req, uint64_t alloc, uint32_t site)
{
	struct km_event event = {.time_ns = time_ns,
				 .kind = (uint8_t)kind,
				 .ptr = KM_DIRECT_MAP_BASE + object * 4096,
				 .bytes_req = req,
				 .bytes_alloc = alloc,
				 .gfp = 0xcc0,
				 .site = site,
				 .task = 1,
				 .node = -1};

	if (km_trace_append(writer, cpu, &event, 1, &err))
		exit(2);
}

static struct km_trace_writer *begin(const char *path, const char *sample)
{
	struct km_trace_task task = {.tid = 17, .tgid = 17, .comm = "driver"};
	struct km_trace_site toy = {1, 0x1010, "probe", 0x10, "toy"};
	struct km_trace_site core = {2, 0x2020, "start", 0x20, ""};
	struct km_trace_writer *writer;

	if (km_trace_create(path, &writer, &err) || km_trace_define_task(writer, &task, &err) ||
	    km_trace_site_id(writer, toy.address) != 1 ||
	    km_trace_site_id(writer, core.address) != 2 ||
	    km_trace_define_site(writer, &toy, &err) || km_trace_define_site(writer, &core, &err) ||
	    km_trace_set_meta(writer, "profile", "6.1", &err) ||
	    km_trace_snapshot(writer, "start", 0, "/proc/zoneinfo", "Node 0, zone DMA\n", 17, &err))
		exit(2);
	if (sample && km_trace_set_meta(writer, "sample", sample, &err))
		exit(2);
	return writer;
}

static void end(struct km_trace_writer *writer)
{
	struct km_trace_counts counts = {.filtered_null = 0};

	if (km_trace_set_counts(writer, &counts, &err) || km_trace_finish(writer, 10000, &err))
		exit(2);
}

/*
 *	ns	site 1 (probe [toy])		site 2 (start)
 *	1000	object 1: 100 of 128
 *	2000	object 2: 100 of 128
 *	3000	1 freed on cpu 1
 *	4000					object 3: 60 of 64
 *	5000	object 2 anew: its free was not traced
 *	9000	2 freed on cpu 0
 */
static void make_known(const char *path, const char *sample)
{
	struct km_trace_writer *writer = begin(path, sample);

	put(writer, 0, 1000, KM_EV_KMALLOC, 1, 100, 128, 1);
	put(writer, 0, 2000, KM_EV_KMALLOC, 2, 100, 128, 1);
	put(writer, 1, 3000, KM_EV_KFREE, 1, 0, 0, 1);
	put(writer, 1, 4000, KM_EV_KMALLOC, 3, 60, 64, 2);
	put(writer, 0, 5000, KM_EV_KMALLOC, 2, 100, 128, 1);
	put(writer, 0, 9000, KM_EV_KFREE, 2, 0, 0, 2);
	end(writer);
}

static void test_known(void)
{
	make_known("t.kmt", NULL);
	TAP_EQ(RUN(km_cmd_stat, "t.kmt", "-q", "-f", "tsv"), 0, "by site");
	TAP_OK(!strcmp(ran.out,
		       "site\thits\tbytes_req\tbytes_alloc\twaste\tlive\tlive_bytes\tpeak_bytes\t"
		       "mean_bytes\tfrees\tcross_frees\timplied_frees\tleaks\tp50_ns\tp90_ns\t"
		       "p99_ns\n"
		       "probe+0x10 [toy]\t3\t300\t384\t21.88\t0\t0\t256\t115\t2\t1\t1\t0\t2008\t"
		       "4000\t4000\n"
		       "start+0x20\t1\t60\t64\t6.25\t1\t64\t64\t38\t0\t0\t0\t1\t\t\t\n"
		       "total\t4\t360\t448\t19.64\t1\t64\t256\t154\t2\t1\t1\t1\t2008\t4000\t"
		       "4000\n"),
	       "all of its numbers");
	if (tap_failed)
		printf("# %s\n", ran.out);
	TAP_EQ(RUN(km_cmd_stat, "t.kmt", "-f", "json", "--by", "module"), 0, "JSON, by module");
	TAP_OK(json_number("$.schema") == 1 && !strcmp(json_at("$.by"), "module") &&
		       !strcmp(json_at("$.rows[0].name"), "toy") &&
		       !strcmp(json_at("$.rows[1].name"), "kernel"),
	       "modules");
	TAP_OK(json_number("$.total.bytes_alloc") == 448 &&
		       json_number("$.coverage.implied_frees") == 1 &&
		       json_number("$.cross_node_allocs") == 0,
	       "total and coverage");
	TAP_EQ(RUN(km_cmd_stat, "t.kmt"), 0, "the table");
	TAP_OK(strstr(ran.out, "requested 360 B, allocated 448 B, wasted 88 B (19.64 %)\n"
			       "freed on another CPU: 1/2; allocated for another node: 0/4\n"),
	       "ends as perf's does");
}

static void first_row(const char *by, const char *name, unsigned hits)
{
	RUN(km_cmd_stat, "t.kmt", "-f", "json", "--by", (char *)by);
	TAP_OK(!strcmp(json_at("$.rows[0].name"), name) && json_number("$.rows[0].hits") == hits,
	       "by %s: %s %lld", by, json_at("$.rows[0].name"), json_number("$.rows[0].hits"));
}

static void test_groups(void)
{
	first_row("cache", "kmalloc-128", 3);
	first_row("size", "128", 3);
	first_row("gfp", "GFP_KERNEL", 4);
	first_row("cpu", "0", 3);
	first_row("task", "driver/17", 4);
}

static void test_options(void)
{
	RUN(km_cmd_stat, "t.kmt", "-f", "json", "--live");
	TAP_OK(json_number("$.total.hits") == 1 && json_number("$.total.bytes_req") == 60 &&
		       !strcmp(json_at("$.rows[0].name"), "start+0x20") &&
		       !*json_at("$.rows[1].name"),
	       "--live: only what is live");
	RUN(km_cmd_stat, "t.kmt", "-f", "json", "--time", "0.0000015,0.0000045");
	TAP_OK(json_number("$.total.hits") == 2 && json_number("$.total.live") == 2 &&
		       json_number("$.coverage.preexisting_frees") == 1 &&
		       json_number("$.from_ns") == 1500 && json_number("$.to_ns") == 4500,
	       "--time A,B: as if that were all");
	RUN(km_cmd_stat, "t.kmt", "-f", "json", "--time", "0.0000045,");
	TAP_EQ(json_number("$.total.hits"), 1, "--time A,");
	RUN(km_cmd_stat, "t.kmt", "-f", "json", "--sort", "live", "--top", "1");
	TAP_OK(!strcmp(json_at("$.rows[0].name"), "start+0x20") && !*json_at("$.rows[1].name") &&
		       json_number("$.rows_hidden") == 1,
	       "--sort and --top");
	TAP_OK(RUN(km_cmd_stat, "t.kmt", "--time", "5,6") == 0 &&
		       strstr(ran.err, "no event of t.kmt lies in the time asked for: it ends at "
				       "0.000010 s"),
	       "a time without events is said to be so: %s", ran.err);
	TAP_EQ(RUN(km_cmd_stat, "t.kmt", "--by", "colour"), 2, "no such group is exit 2");
	TAP_EQ(RUN(km_cmd_stat, "t.kmt", "--sort", "colour"), 2, "no such column is exit 2");
	TAP_EQ(RUN(km_cmd_stat, "t.kmt", "--time", "5"), 2, "one time is exit 2");
	TAP_EQ(RUN(km_cmd_stat, "t.kmt", "--time", "5,4"), 2, "times backwards are exit 2");
	TAP_EQ(RUN(km_cmd_stat, "absent.kmt"), 2, "no file is exit 2");
	TAP_OK(one_sentence(), "and one sentence");
}

/* Frees of one cache that nothing traces: object 1 anew three times, and object 2 since the start.
 */
static void test_unseen(void)
{
	struct km_trace_writer *writer = begin("unseen.kmt", NULL);

	put(writer, 0, 500, KM_EV_KMALLOC, 2, 100, 128, 1);
	put(writer, 0, 600, KM_EV_KMALLOC, 3, 60, 64, 2);
	for (uint64_t ns = 1000; ns <= 4000; ns += 1000)
		put(writer, 0, ns, KM_EV_KMALLOC, 1, 100, 128, 1);
	end(writer);
	RUN(km_cmd_stat, "unseen.kmt", "-f", "json", "--by", "size");
	TAP_OK(!strcmp(json_at("$.rows[0].name"), "128") &&
		       json_number("$.rows[0].implied_frees") == 3 &&
		       json_number("$.rows[0].live") == 2 && !*json_at("$.rows[0].leaks"),
	       "where most frees are unseen, what is old is not called a leak");
	TAP_OK(json_number("$.rows[1].leaks") == 1 && json_number("$.total.leaks") == 1,
	       "elsewhere it is, and the total has no others");
}

/* 1 of 10 addresses: y of object 1, 2, 3 are 1, 2, 1 hits. */
static void test_sampled(void)
{
	make_known("sampled.kmt", "10");
	TAP_EQ(RUN(km_cmd_stat, "sampled.kmt", "-f", "json"), 0, "a sampled trace");
	TAP_OK(json_number("$.sample") == 10 && json_number("$.total.hits") == 40 &&
		       json_number("$.total.bytes_alloc") == 4480 &&
		       json_number("$.total.p50_ns") == 2008 /* of a histogram */,
	       "is scaled up, but for its times");
	TAP_EQ(json_number("$.total.hits_se"), (long long)(sqrt(90. * (1 + 4 + 1)) + .5),
	       "with the error of choosing addresses");
	TAP_EQ(json_number("$.rows[1].bytes_alloc_se"), (long long)(sqrt(90. * 64 * 64) + .5),
	       "of each row, too");
}

/* Rows of enough sampled allocations to have an error, and those of them that are near enough. */
struct cover {
	unsigned rows, covered;
};

/* A part numbers its sites anew. */
static const struct km_stat_row *row_of(const struct km_stat *stat, uint64_t address)
{
	uint32_t count;
	const struct km_trace_site *sites = km_trace_site_table(stat->groups.trace, &count);

	for (uint32_t i = 0; i < count; i++)
		if (sites[i].address == address)
			return &stat->rows[i];
	return NULL;
}

static void cover_row(const struct km_stat *whole, const struct km_stat_row *truth,
		      const struct km_stat *part, const struct km_stat_row *row,
		      struct cover *cover)
{
	for (enum km_stat_sum sum = KM_SUM_HITS; sum < KM_NR_SUMS; sum++) {
		double off = km_stat_sum(part, row, sum) - km_stat_sum(whole, truth, sum);

		cover->rows++;
		cover->covered += fabs(off) <= 2 * km_stat_error(part, row, sum);
	}
}

static void cover_rows(const struct km_stat *whole, const struct km_stat *part, struct cover *cover)
{
	uint32_t count;
	const struct km_trace_site *sites = km_trace_site_table(part->groups.trace, &count);

	for (uint32_t i = 1; i < count; i++) {
		const struct km_stat_row *truth = row_of(whole, sites[i].address);

		if (truth && part->rows[i].hits >= 10)
			cover_row(whole, truth, part, &part->rows[i], cover);
	}
}

/* A part of a capture's addresses says what the whole has, as nearly as it says. */
static void cover_capture(const char *directory, const char *name, char *share, struct cover *cover)
{
	const struct km_stat_options options = {.by = KM_BY_SITE};
	struct km_stat whole, part;
	struct km_trace *traces[2];
	double off;
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s.kmt", directory, name);
	TAP_EQ(RUN(km_cmd_edit, path, "-q", "--sample", share, "-o", "part.kmt"), 0, "%s: %s", name,
	       share);
	if (km_trace_open(path, &traces[0], &err) || km_trace_open("part.kmt", &traces[1], &err) ||
	    km_stat_run(traces[0], &options, &whole, &err) ||
	    km_stat_run(traces[1], &options, &part, &err))
		exit(2);
	cover_rows(&whole, &part, cover);
	off = km_stat_sum(&part, &part.total, KM_SUM_HITS) - (double)whole.total.hits;
	TAP_OK(fabs(off) <= 2 * km_stat_error(&part, &part.total, KM_SUM_HITS),
	       "the number of all allocations is, by the ledger: off by %.0f", off);
	TAP_OK(strcmp(name, "walk") ? part.missed < 0.1 * (double)whole.total.hits
				    : part.missed > 0.4 * (double)whole.total.hits,
	       "what was at a few addresses that were not kept is told: %.0f", part.missed);
	km_stat_free(&whole);
	km_stat_free(&part);
	km_trace_close(traces[0]);
	km_trace_close(traces[1]);
}

static void test_sampled_captures(const char *directory)
{
	static const char *const names[] = {"compile", "fork", "walk"};
	struct cover cover = {0, 0};
	char path[4200];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s.kmt", directory, names[i]);
		if (access(path, R_OK)) {
			printf("ok %u - %s # SKIP it is not in traces/samples\n", ++tap_run,
			       names[i]);
			continue;
		}
		cover_capture(directory, names[i], (char[]){"1/4"}, &cover);
		cover_capture(directory, names[i], (char[]){"1/8"}, &cover);
	}
	/* Nineteen of twenty would be, were no address handed out much more often than others. */
	TAP_OK(cover.covered >= cover.rows * 90 / 100,
	       "%u of %u sums of sites are within two standard errors", cover.covered, cover.rows);
}

int main(void)
{
	static char samples[4096];

	if (!realpath("traces/samples", samples))
		*samples = '\0';
	enter_scratch();
	test_known();
	test_groups();
	test_options();
	test_unseen();
	test_sampled();
	test_sampled_captures(samples);
	test_random_events();
	test_samples(samples);
	leave_scratch();
	return tap_done();
}
