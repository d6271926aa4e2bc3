/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers of a kernel whose purging worker ran late: made here by delaying one purge of the model,
 * then compared as if they were Linux's. The delay must be found, and only where it may occur.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/tests/tap.h"
#include "replay/run_state.h"

#define CALLS 1500
#define SLOTS 120

static struct km_err err;

static void load(char *text, struct km_scenario *scenario)
{
	if (km_scenario_parse("t.kms", text, scenario, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

/* A random program; with `answers` each allocation states what that run returned. */
static char *program(const char *machine, const struct km_scenario_run *answers)
{
	struct km_env random = {.random_state = 11};
	bool live[SLOTS] = {false};
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	fprintf(out, "machine %s\n", machine);
	for (unsigned i = 0; i < CALLS; i++) {
		unsigned slot = km_env_random(&random) % SLOTS;
		uint64_t bytes = 1 + km_env_random(&random) % (1u << 20);

		if (live[slot]) {
			fprintf(out, "vfree(v%u)\n", slot);
		} else {
			fprintf(out, "v%u = vmalloc(%" PRIu64 ")", slot, bytes);
			if (answers)
				fprintf(out, " -> 0x%" PRIx64, answers->rows[i].result);
			fputc('\n', out);
		}
		live[slot] = !live[slot];
	}
	if (answers)
		fprintf(out, "expect begin\n%sexpect end\n", answers->state);
	fclose(out);
	return text;
}

/* Answers of a run on 6.12 with the purge that is due first delayed by `delay` calls. */
static void answers_with_delay(size_t delay, struct km_scenario *scenario,
			       struct km_scenario_run *run)
{
	struct km_run_options options = {.seed = 1, .state = true};
	char *text = program("kernel=6.12", NULL);
	struct late_purge late;
	struct run_trial trial = {0};

	load(text, scenario);
	free(text);
	km_run_once(scenario, &options, &trial, run, &err);
	TAP_OK(trial.last_purge < CALLS, "the program purges");
	late = (struct late_purge){trial.last_purge, trial.last_purge + delay};
	trial = (struct run_trial){.late = &late, .nr_late = delay != 0};
	km_scenario_run_free(run);
	km_run_once(scenario, &options, &trial, run, &err);
}

static void compare(const char *machine, size_t delay, bool expected)
{
	struct km_run_options options = {.seed = 1, .check = true};
	struct km_scenario made, scenario;
	struct km_scenario_run answers, run;
	char *text;
	bool same;

	answers_with_delay(delay, &made, &answers);
	text = program(machine, &answers);
	load(text, &scenario);
	free(text);
	TAP_EQ(km_run_scenario(&scenario, &options, &run, &err), 0, "%s runs", machine);
	same = run.check.matched[KM_CHECK_VMALLOC] == run.check.checked[KM_CHECK_VMALLOC] &&
	       run.check.matched[KM_CHECK_END] == run.check.checked[KM_CHECK_END];
	TAP_OK(same == expected, "%s, purge %zu calls late: %s", machine, delay,
	       expected ? "every address found" : "differs");
	TAP_EQ(run.check.late_purges, expected && delay ? 1 : 0, "late purges told");
	km_scenario_run_free(&run);
	km_scenario_run_free(&answers);
	km_scenario_free(&scenario);
	km_scenario_free(&made);
}

int main(void)
{
	compare("kernel=6.12", 0, true);
	compare("kernel=6.12", 3, true);
	compare("kernel=6.12", 90, true);
	compare("kernel=6.1", 90, false);
	return tap_done();
}
