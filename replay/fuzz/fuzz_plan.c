/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes plans of a sweep. One that is read, written anew with its parameters as they were
 * understood, is read as the same jobs; each is in exactly one of a few shards, with its group.
 */
#include "replay/sweep.h"
#include "traces/fuzz/targets.h"
#include <stdlib.h>
#include <string.h>

/* "{"a":1,"b":"oom"}" as a=1,b=oom; {} as - */
static void put_params(FILE *out, const char *json)
{
	if (!json[2])
		fputs("-", out);
	for (const char *at = json; json[2] && *at; at++)
		if (!strchr("{}\"", *at))
			fputc(*at == ':' ? '=' : *at, out);
}

static char *write_plan(const struct km_sweep_plan *plan, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		exit(2);
	for (size_t i = 0; i < plan->nr_jobs; i++) {
		const struct km_sweep_job *job = &plan->jobs[i];

		fprintf(out, "%s\t%s\t%llu\t%s\t", job->trace, job->uuid,
			(unsigned long long)job->events, job->model);
		put_params(out, job->params);
		fprintf(out, "\t%llu\t%u\t%s\n", (unsigned long long)job->seed, job->rep,
			job->settings);
	}
	fclose(out);
	return text;
}

static void expect_same(const struct km_sweep_plan *a, const struct km_sweep_plan *b)
{
	if (a->nr_jobs != b->nr_jobs || a->nr_groups != b->nr_groups ||
	    a->nr_workloads != b->nr_workloads)
		abort();
	for (size_t i = 0; i < a->nr_jobs; i++) {
		const struct km_sweep_job *x = &a->jobs[i], *y = &b->jobs[i];

		if (strcmp(x->trace, y->trace) || strcmp(x->uuid, y->uuid) ||
		    strcmp(x->model, y->model) || strcmp(x->params, y->params) ||
		    strcmp(x->settings, y->settings) || x->events != y->events ||
		    x->seed != y->seed || x->rep != y->rep || x->group != y->group ||
		    x->workload != y->workload || x->group >= a->nr_groups)
			abort();
	}
}

static void expect_dealt(const struct km_sweep_plan *plan, bool scatter)
{
	unsigned *taken = calloc(plan->nr_jobs, sizeof(*taken));
	struct km_sweep sweep = {.plan = plan, .states = malloc(plan->nr_jobs)};

	if (!taken || !sweep.states)
		exit(2);
	for (unsigned k = 1; k <= 3; k++) {
		memset(sweep.states, KM_SWEEP_APART, plan->nr_jobs);
		km_sweep_take_shard(&sweep, k, 3, scatter);
		for (size_t i = 0; i < plan->nr_jobs; i++)
			taken[i] += sweep.states[i] == KM_SWEEP_WAITING;
	}
	for (size_t i = 0; i < plan->nr_jobs; i++)
		if (taken[i] != 1)
			abort();
	free(sweep.states);
	free(taken);
}

static char *copy_of(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);

	if (!copy)
		exit(2);
	return memcpy(copy, data, size);
}

static void run_plan(const uint8_t *data, size_t size)
{
	struct km_sweep_plan plan, again;
	struct km_err err = {""};
	size_t length;
	char *text;

	if (km_sweep_plan_parse("plan", copy_of(data, size), size, &plan, &err)) {
		if (!err.text[0] || strchr(err.text, '\n'))
			abort();
		return;
	}
	text = write_plan(&plan, &length);
	if (km_sweep_plan_parse("again", text, length, &again, &err))
		abort();
	expect_same(&plan, &again);
	expect_dealt(&plan, false);
	expect_dealt(&plan, true);
	km_sweep_plan_free(&again);
	km_sweep_plan_free(&plan);
}

KM_FUZZ_TARGET(plan, run_plan, km_fuzz_mutate_lines)
