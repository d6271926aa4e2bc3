/* SPDX-License-Identifier: GPL-2.0-only */
/* The plan of a sweep: what is read and refused, what belongs together, how it is dealt out. */
#include <stdlib.h>
#include <string.h>

#include "engine/tests/tap.h"
#include "replay/sweep.h"

#define TITLE "#kmlab sweep plan 1\n"

static struct km_sweep_plan plan;
static struct km_err err;

static int parse_bytes(const char *text, size_t length)
{
	char *copy = malloc(length ? length : 1); /* exact, so that reading past it is seen */

	memcpy(copy, text, length);
	err.text[0] = '\0';
	return km_sweep_plan_parse("p.tsv", copy, length, &plan, &err);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void refused(const char *text, const char *part)
{
	int code = parse(text);

	TAP_OK(code < 0 && strstr(err.text, part) && !strchr(err.text, '\n') && !plan.jobs,
	       "refused: %s", code ? err.text : part);
	if (!code)
		km_sweep_plan_free(&plan);
}

static void test_fields(void)
{
	const struct km_sweep_job *job;

	TAP_EQ(parse(TITLE "#trace\tand so on\n\n"
			   "dir/a b.kmt\tu1\t10\tslub@6.1\tmerge=0,fallback=1\t0x7\t3\t-\n"
			   "b.kmt\tu2\t5\tmalloc:none.so\t-\t1\t0\ttlb=zen4,allow-loss"),
	       0, "a plan is read, also without its last newline");
	TAP_EQ(plan.nr_jobs, 2, "two jobs");
	job = plan.jobs;
	TAP_OK(!strcmp(job->trace, "dir/a b.kmt") && !strcmp(job->uuid, "u1") &&
		       job->events == 10 && !strcmp(job->model, "slub@6.1"),
	       "trace, identity, model");
	TAP_OK(!strcmp(job->params, "{\"fallback\":1,\"merge\":0}"),
	       "parameters, in order of their names");
	TAP_OK(job->seed == 7 && job->rep == 3 && job->line == 4, "seed, repetition, line");
	TAP_OK(!strcmp(job[1].model, "malloc:none.so") && !strcmp(job[1].params, "{}"),
	       "a library is not looked for, and no parameter is none");
	km_sweep_plan_free(&plan);
	TAP_EQ(parse("a.kmt\tu1\t10\tslub\t-\t1\t0\t-\n"), 0, "a piece needs no title");
	km_sweep_plan_free(&plan);
	TAP_EQ(parse(TITLE "a.kmt\tu\t1\tslub\t-\t1\t0\t-\n" TITLE
			   "a.kmt\tu\t1\tslub\t-\t1\t1\t-\n"),
	       0, "two plans may be joined");
	TAP_EQ(plan.nr_jobs, 2, "to one");
	km_sweep_plan_free(&plan);
}

static void test_refusals(void)
{
	static const char zero[] = "a.kmt\tu\t1\tslub\0\t-\t1\t0\t-\n";

	refused("", "holds no job");
	refused(TITLE, "holds no job");
	refused("#kmlab sweep plan 2\na.kmt\tu\t1\tslub\t-\t1\t0\t-\n", "has plan format 2");
	refused("#kmlab sweep plan\n", "names no version");
	refused("#kmlab sweep plan x\n", "names no version");
	refused("hello\n", "line 1: a job has 8 fields");
	refused("a.kmt\tu\t1\tslub\t-\t1\t0\n", "here are fewer");
	refused("a.kmt\tu\t1\tslub\t-\t1\t0\t-\t-\n", "here are more");
	refused("\tu\t1\tslub\t-\t1\t0\t-\n", "the field trace is empty");
	refused("a.kmt\tu\t1\tslub\t\t1\t0\t-\n", "the field params is empty");
	refused("a.kmt\tu\t-1\tslub\t-\t1\t0\t-\n", "events is a number up to");
	refused("a.kmt\tu\t1\tslub\t-\t99999999999999999999\t0\t-\n", "seed is a number up to");
	refused("a.kmt\tu\t1\tslub\t-\t1\t1000\t-\n", "rep is a number up to 999, not '1000'");
	refused("a.kmt\tu\t1\tslub\t-\t1\t0\t-\r\n", "control character");
	refused("a.kmt\tu\t1\tslabby\t-\t1\t0\t-\n", "unknown model 'slabby'");
	refused("a.kmt\tu\t1\tslub@9\t-\t1\t0\t-\n", "names the profile '9'");
	refused("a.kmt\tu\t1\tmalloc:\t-\t1\t0\t-\n", "malloc");
	refused("a.kmt\tu\t1\tslub\tnone=1\t1\t0\t-\n", "there is no parameter 'none'");
	refused("a.kmt\tu\t1\tslub\tmerge\t1\t0\t-\n", "takes KEY=NUMBER");
	refused("a.kmt\tu\t1\tslub\tmerge=1,\t1\t0\t-\n", "takes KEY=NUMBER");
	refused("a.kmt\tu\t1\tslub\tmerge=1,merge=0\t1\t0\t-\n", "given twice");
	refused("a.kmt\tu\t1\tslub\tmerge=7\t1\t0\t-\n", "takes 0 to 1, not 7");
	refused("a.kmt\tu\t1\tslub\t-\t1\t0\tspeed=9\n", "there is no setting 'speed=9'");
	refused("a.kmt\tu\t1\tslub\t-\t1\t0\ttlb=\n", "names no TLB");
	refused("a.kmt\tu\t1\tslub\t-\t1\t0\taccess=A9\n", "no access model 'A9'");
	refused("a.kmt\tu\t1\tslub\t-\t1\t0\tdirect-map=9G\n", "line 1");
	refused("a.kmt\tu\t1\tslub\tmerge=1,fallback=0\t1\t0\t-\n"
		"b.kmt\tv\t1\tslub\t-\t1\t0\t-\n"
		"x.kmt\tu\t1\tslub\tfallback=0,merge=0x1\t1\t0\ttlb=zen4\n",
		"line 3 is the job of line 1 once more");
	TAP_OK(parse_bytes(zero, sizeof(zero) - 1) < 0 && strstr(err.text, "control character"),
	       "refused: a zero byte");
}

/* Letters of traces, then repetition: the group of each job. */
static const char *groups(const char *jobs)
{
	static char text[256], line[64];
	char all[1024] = TITLE;
	size_t used = 0;

	for (const char *at = jobs; *at; at += 2 + (at[2] == ' ')) {
		snprintf(line, sizeof(line), "%c.kmt\tu%c\t1\tkvmalloc:%zu\t-\t1\t%c\t-\n", at[0],
			 at[0], (size_t)(at - jobs) + 1, at[1]);
		strcat(all, line);
	}
	if (parse(all))
		return err.text;
	for (size_t i = 0; i < plan.nr_jobs; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u/%u", i ? " " : "",
					 plan.jobs[i].workload, plan.jobs[i].group);
	return text;
}

static void test_groups(void)
{
	const char *got = groups("b0 b0 b1 a0 a0 b1 c0");

	TAP_OK(!strcmp(got, "0/0 0/0 0/1 1/2 1/2 0/1 2/3"), "in order of appearance: %s", got);
	TAP_OK(plan.nr_workloads == 3 && plan.nr_groups == 4, "and counted");
	km_sweep_plan_free(&plan);
	TAP_EQ(parse("a.kmt\tu\t1\tslub\t-\t1\t0\t-\n"
		     "a.kmt\tu\t1\tslub\t-\t2\t0\t-\n"
		     "a.kmt\tu\t1\tbuddy\t-\t1\t0\ttlb=zen4\n"),
	       0, "other seeds and settings");
	TAP_OK(plan.nr_groups == 3 && plan.nr_workloads == 2, "are other groups");
	km_sweep_plan_free(&plan);
}

static void begin(struct km_sweep *sweep)
{
	*sweep = (struct km_sweep){.plan = &plan, .states = calloc(plan.nr_jobs, 1)};
	sweep->count[KM_SWEEP_APART] = plan.nr_jobs;
}

/* How often each job is taken by one of n shards, and whether groups stay whole. */
static void deal(unsigned shards, bool scatter)
{
	unsigned taken[16] = {0}, owner[16] = {0};
	bool once = true, whole = true;
	struct km_sweep sweep;

	for (unsigned k = 1; k <= shards; k++) {
		begin(&sweep);
		km_sweep_take_shard(&sweep, k, shards, scatter);
		for (size_t i = 0; i < plan.nr_jobs; i++) {
			uint32_t group = plan.jobs[i].group;

			if (sweep.states[i] != KM_SWEEP_WAITING)
				continue;
			taken[i]++;
			whole &= !owner[group] || owner[group] == k;
			owner[group] = k;
		}
		free(sweep.states);
	}
	for (size_t i = 0; i < plan.nr_jobs; i++)
		once &= taken[i] == 1;
	TAP_OK(once, "%u shards%s: each job is in one", shards, scatter ? ", scattered" : "");
	TAP_OK(whole == (!scatter || shards == 1), "%u shards: groups %s", shards,
	       scatter ? "are dealt out" : "stay whole");
}

static void test_shards(void)
{
	struct km_sweep sweep;

	groups("b0 b0 b1 a0 a0 b1 c0");
	for (unsigned shards = 1; shards < 10; shards++) {
		deal(shards, false);
		deal(shards, true);
	}
	begin(&sweep);
	km_sweep_take_range(&sweep, 2, 3);
	TAP_OK(sweep.count[KM_SWEEP_WAITING] == 2 && sweep.states[1] == KM_SWEEP_WAITING &&
		       sweep.states[2] == KM_SWEEP_WAITING,
	       "jobs 2 to 3 are those");
	free(sweep.states);
	begin(&sweep);
	km_sweep_take_range(&sweep, 7, 99);
	TAP_EQ(sweep.count[KM_SWEEP_WAITING], 1, "a range ends with the plan");
	free(sweep.states);
	km_sweep_plan_free(&plan);
}

int main(void)
{
	test_fields();
	test_refusals();
	test_groups();
	test_shards();
	return tap_done();
}
