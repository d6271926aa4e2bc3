/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `compare` over small result files made here: ratios run by run within a file, of medians between
 * two, intervals, verdicts, conditions; what cannot be compared is said.
 */
#include "analysis/analysis.h"
#include "analysis/compare.h"
#include "results/result.h"
#include "run.h"

#include <math.h>

#define REPS 5

/* Timed numbers of slub go up and down with the machine, and vmalloc's, twice as much, with them.
 */
static void add_runs(struct km_result *result, int64_t trace, const char *model, double factor,
		     unsigned reps)
{
	static const double pace[REPS] = {10, 30, 20, 50, 40};

	for (unsigned rep = 0; rep < reps; rep++) {
		const struct km_run_key key = {trace, model, "{}", 1, rep};
		bool kernel = !strcmp(model, "kernel");
		int64_t run;

		km_result_add_run(result, &key, &run, NULL);
		if (!kernel)
			km_result_metric(result, run, "latency_ns.alloc.p50", "ns",
					 factor * pace[rep], true, NULL);
		km_result_metric(result, run, "pages.peak", "pages", 100 * factor, false, NULL);
		km_result_metric(result, run, "fragmentation.internal_time", "share", 0.25, false,
				 NULL);
		km_result_metric(result, run, "page_table_bytes.peak", "bytes",
				 factor > 1.5 ? 4096 : 0, false, NULL);
	}
}

static void make_result(const char *path, const char *uuid, double slub, unsigned reps)
{
	struct km_result *result;
	int64_t trace;

	if (km_result_create(path, &result, NULL) ||
	    km_result_add_trace(result, uuid, "dir/t.kmt", &trace, NULL))
		return;
	km_result_trace_fact(result, trace, "coverage", "0.98", NULL);
	km_result_trace_fact(result, trace, "fidelity_geometry_checked", "200", NULL);
	km_result_trace_fact(result, trace, "fidelity_geometry_matched", "199", NULL);
	add_runs(result, trace, "kernel", 1, reps);
	add_runs(result, trace, "slub", slub, reps);
	add_runs(result, trace, "vmalloc", 2 * slub, reps);
	km_result_close(result, NULL);
}

/* A timed run, and where it was: on which host, how many at once. */
static void add_on_host(struct km_result *result, int64_t trace, const char *model, unsigned rep,
			const char *host, const char *workers)
{
	const struct km_run_key key = {trace, model, "{}", 1, rep};
	int64_t run;

	km_result_add_run(result, &key, &run, NULL);
	km_result_metric(result, run, "latency_ns.alloc.p50", "ns", rep + 1, true, NULL);
	km_result_metric(result, run, "pages.peak", "pages", 100, false, NULL);
	km_result_note(result, run, "host.name", host, NULL);
	km_result_note(result, run, "host.cpu", "a CPU", NULL);
	km_result_note(result, run, "workers", workers, NULL);
}

/* slub and buddy on `host` and then on "b"; slab on "b" and then on "b"; slob beside others. */
static void make_hosts(const char *path, const char *host)
{
	struct km_result *result;
	int64_t trace;

	if (km_result_create(path, &result, NULL) ||
	    km_result_add_trace(result, "uuid-1", "t.kmt", &trace, NULL))
		return;
	for (unsigned rep = 0; rep < 2; rep++) {
		add_on_host(result, trace, "slub", rep, rep ? "b" : host, "1");
		add_on_host(result, trace, "buddy", rep, rep ? "b" : host, "1");
		add_on_host(result, trace, "slab", rep, "b", "1");
		add_on_host(result, trace, "slob", rep, rep ? "b" : host, "4");
	}
	km_result_close(result, NULL);
}

/* A value of the first row of that metric and model. */
static const char *of_row(const char *metric, const char *model, const char *key)
{
	static char path[64];

	for (unsigned i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), "$.rows[%u].metric", i);
		if (strcmp(json_at(path), metric))
			continue;
		snprintf(path, sizeof(path), "$.rows[%u].model", i);
		if (strcmp(json_at(path), model))
			continue;
		snprintf(path, sizeof(path), "$.rows[%u].%s", i, key);
		return json_at(path);
	}
	return "no such row";
}

static void test_models(void)
{
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "-f", "json"), 0, "one file's models are compared");
	TAP_OK(!strcmp(json_at("$.schema"), "1"), "JSON has its schema");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "vmalloc", "reference"), "slub"),
	       "with slub");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "vmalloc", "low"), "2") &&
		       !strcmp(of_row("latency_ns.alloc.p50", "vmalloc", "high"), "2"),
	       "run by run: what both runs of a turn shared is no uncertainty");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "vmalloc", "verdict"), "more"),
	       "the verdict is told");
	TAP_OK(!strcmp(of_row("fragmentation.internal_time", "vmalloc", "verdict"), "the same"),
	       "also of what is equal");
	TAP_OK(!strcmp(of_row("page_table_bytes.peak", "vmalloc", "verdict"), "from nothing"),
	       "what is divided by nothing has no ratio");
	TAP_OK(!strcmp(of_row("pages.peak", "kernel", "ratio"), "no such row"),
	       "the kernel's pages, counted another way, are left out");
	TAP_OK(!strcmp(of_row("fragmentation.internal_time", "kernel", "verdict"), "the same"),
	       "its internal fragmentation is not");
	TAP_OK(strstr(json_at("$.fidelity[0]"),
		      "slab geometry 199 of 200, slab choice not checked; "
		      "coverage 98.00 %") != NULL,
	       "fidelity stands beside it");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "--reference", "vmalloc", "--metric", "pages", "-f",
		   "json"),
	       0, "another reference");
	TAP_OK(!strcmp(of_row("pages.peak", "slub", "ratio"), "0.5") &&
		       !strcmp(of_row("pages.peak", "slub", "verdict"), "less"),
	       "turns the ratio over");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "slub", "ratio"), "no such row"),
	       "only what was asked for is compared");
}

static void test_files(void)
{
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "b.kmr", "-f", "json"), 0, "two files");
	TAP_OK(!strcmp(of_row("pages.peak", "b.kmr: slub", "reference"), "a.kmr: slub") &&
		       !strcmp(of_row("pages.peak", "b.kmr: slub", "ratio"), "1.1"),
	       "each model with itself in the first");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "b.kmr: slub", "ratio"), "1.1"),
	       "ratios of medians");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "b.kmr: slub", "verdict"),
		       "no difference told"),
	       "runs that took no turns differ by more than that");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "one.kmr", "-f", "json"), 0, "a file of one run");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "one.kmr: slub", "verdict"),
		       "one run: not told"),
	       "has no interval where it was timed");
	TAP_OK(!strcmp(of_row("pages.peak", "one.kmr: slub", "verdict"), "the same"),
	       "where it was counted it needs none");
}

/* Each has two runs, of which only the second took turns. */
static void test_turns(void)
{
	static const unsigned reps[2][2] = {{0, 1}, {1, 2}};
	struct km_result *result;
	int64_t trace;

	km_result_create("turns.kmr", &result, NULL);
	km_result_add_trace(result, "uuid-1", "t.kmt", &trace, NULL);
	for (unsigned i = 0; i < 2; i++) {
		add_on_host(result, trace, "slub", reps[0][i], "a", "1");
		add_on_host(result, trace, "buddy", reps[1][i], "a", "1");
	}
	km_result_close(result, NULL);
	TAP_EQ(RUN(km_cmd_compare, "turns.kmr", "-f", "json"), 0, "some runs failed");
	/* 1, 2 against 2, 3: not 2 / 1 and 3 / 2. */
	TAP_OK(!strncmp(of_row("latency_ns.alloc.p50", "buddy", "ratio"), "1.66666", 7),
	       "medians are divided where not all took turns: %s",
	       of_row("latency_ns.alloc.p50", "buddy", "ratio"));
}

static void test_conditions(void)
{
	struct km_condition condition;

	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "b.kmr", "--fail-if", "pages>+5%"), 1,
	       "a condition that is met is exit 1");
	TAP_OK(strstr(ran.err, "pages>+5%: pages.peak of b.kmr: slub is 1.1000 times") != NULL,
	       "and said");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "b.kmr", "--fail-if", "pages>+15%"), 0, "below it: 0");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "b.kmr", "--fail-if", "p50>+5%"), 0,
	       "an interval that reaches below the limit does not meet it");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "--fail-if", "p50>99%"), 1, "one that does not, does");
	TAP_EQ(RUN(km_cmd_compare, "b.kmr", "a.kmr", "--fail-if", "pages.peak<-5%"), 1,
	       "less can be asked for");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "--fail-if", "p99>+5%"), 2,
	       "a condition on what nobody measured is no yes");
	TAP_OK(strstr(ran.err, "no two runs measured latency_ns.alloc.p99") != NULL, "and said");
	TAP_OK(!km_condition_parse("free.p999<-2.5%", &condition) && !condition.above &&
		       !strcmp(condition.metric, "latency_ns.free.p999") &&
		       fabs(condition.limit - 0.975) < 1e-12,
	       "conditions are read");
	TAP_OK(km_condition_parse("p99", &condition) && km_condition_parse("p99>5", &condition) &&
		       km_condition_parse(">5%", &condition) &&
		       km_condition_parse("p99>x%", &condition) &&
		       km_condition_parse("p99>nan%", &condition),
	       "or refused");
}

static void test_hosts(void)
{
	static const char elsewhere[] = "timed elsewhere: not told";

	make_hosts("hosts.kmr", "a");
	make_hosts("only_b.kmr", "b");
	TAP_EQ(RUN(km_cmd_compare, "hosts.kmr", "-f", "json"), 0, "runs of two hosts");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "buddy", "verdict"), "the same") &&
		       !strcmp(of_row("latency_ns.alloc.p50", "buddy", "timed_elsewhere"), "0"),
	       "are told where each repetition was on one host");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "slab", "verdict"), elsewhere) &&
		       !strcmp(of_row("latency_ns.alloc.p50", "slab", "timed_elsewhere"), "1") &&
		       !*of_row("latency_ns.alloc.p50", "slab", "low"),
	       "and not where one was on another");
	TAP_OK(!strcmp(of_row("pages.peak", "slab", "verdict"), "the same"),
	       "what was counted may be counted anywhere");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "slob", "verdict"), elsewhere),
	       "runs beside others are another thing, too");
	TAP_EQ(RUN(km_cmd_compare, "hosts.kmr", "only_b.kmr", "-f", "json"), 0, "two files");
	TAP_OK(!strcmp(of_row("latency_ns.alloc.p50", "only_b.kmr: slub", "verdict"), elsewhere) &&
		       !strcmp(of_row("latency_ns.alloc.p50", "only_b.kmr: slab", "verdict"),
			       "no difference told"),
	       "are compared where all runs are of one host");
	TAP_EQ(RUN(km_cmd_compare, "hosts.kmr", "--fail-if", "p50>+900%"), 2,
	       "a condition on two hosts' times is no yes");
	TAP_OK(strstr(ran.err, "was timed on another host") != NULL, "and said");
	TAP_EQ(RUN(km_cmd_compare, "hosts.kmr", "--fail-if", "p50>+900%", "--across-hosts"), 0,
	       "unless that is asked for");
}

static void test_bad_input(void)
{
	TAP_EQ(RUN(km_cmd_compare, "-q"), 2, "no file is exit 2");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "--fail-if", "p99"), 2, "half a condition too");
	TAP_EQ(RUN(km_cmd_compare, "absent.kmr"), 2, "a file that is not there");
	TAP_OK(one_sentence(), "in one sentence");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "other.kmr"), 2, "results of two traces");
	TAP_OK(one_sentence() && strstr(ran.err, "replay one trace into both"), "are not compared");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "--reference", "slob"), 2, "an absent reference");
	TAP_OK(one_sentence() && strstr(ran.err, "no run of 'slob' in a.kmr"), "is named");
	TAP_EQ(RUN(km_cmd_compare, "a.kmr", "--metric", "nothing"), 2, "what nobody measured");
	TAP_OK(one_sentence() && strstr(ran.err, "nothing to compare"), "is said");
}

int main(void)
{
	enter_scratch();
	make_result("a.kmr", "uuid-1", 1, REPS);
	make_result("b.kmr", "uuid-1", 1.1, REPS);
	make_result("one.kmr", "uuid-1", 1, 1);
	make_result("other.kmr", "uuid-2", 1, REPS);
	test_models();
	test_files();
	test_turns();
	test_conditions();
	test_hosts();
	test_bad_input();
	leave_scratch();
	return tap_done();
}
