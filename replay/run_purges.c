/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux purges lazily freed vmalloc space in a worker. From 6.9 on, and with several CPUs, it may
 * run some calls after it became due (kernel-facts: D.3), which recorded answers show only by the
 * addresses that follow. So the instants are searched: at the first address that differs, the last
 * purge before it is moved later, call by call, until the answers agree for longer than before.
 */
#include "replay/run_state.h"

#define MAX_DELAY_CALLS 512u

static int try_late(const struct km_scenario *scenario, const struct km_run_options *options,
		    struct run_trial *trial, struct km_err *err)
{
	struct km_scenario_run run;
	int code = km_run_once(scenario, options, trial, &run, err);

	if (!code)
		km_scenario_run_free(&run);
	return code;
}

/* Add the purge `due` at its best instant; *found is false when no instant is better than none. */
static int place_purge(const struct km_scenario *scenario, const struct km_run_options *options,
		       struct late_purge *late, size_t nr_late, const struct run_trial *now,
		       bool *found, struct km_err *err)
{
	struct run_trial trial = {.late = late, .nr_late = nr_late + 1, .trial = true};
	size_t best = now->first_mismatch, best_run = 0;
	/* Not beyond the call whose answer shows that the purge had not happened, and a bit. */
	size_t last = now->last_purge + MAX_DELAY_CALLS;

	if (last > scenario->nr_calls)
		last = scenario->nr_calls;
	for (size_t run = now->last_purge + 1; run <= last && best != SIZE_MAX; run++) {
		int code;

		late[nr_late] = (struct late_purge){now->last_purge, run};
		code = try_late(scenario, options, &trial, err);
		if (code)
			return code;
		if (trial.first_mismatch > best) {
			best = trial.first_mismatch;
			best_run = run;
		}
	}
	*found = best > now->first_mismatch;
	late[nr_late] = (struct late_purge){now->last_purge, best_run};
	return 0;
}

int km_find_late_purges(const struct km_scenario *scenario, const struct km_run_options *options,
			struct late_purge late[MAX_LATE_PURGES], size_t *nr_late,
			struct km_err *err)
{
	*nr_late = 0;
	while (*nr_late < MAX_LATE_PURGES) {
		struct run_trial now = {.late = late, .nr_late = *nr_late, .trial = true};
		bool found = false;
		int code = try_late(scenario, options, &now, err);

		if (code)
			return code;
		if (now.first_mismatch == SIZE_MAX || now.last_purge == SIZE_MAX)
			return 0;
		if (*nr_late && late[*nr_late - 1].due == now.last_purge)
			return 0;
		code = place_purge(scenario, options, late, *nr_late, &now, &found, err);
		if (code || !found)
			return code;
		++*nr_late;
	}
	return 0;
}
