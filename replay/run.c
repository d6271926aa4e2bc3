/* SPDX-License-Identifier: GPL-2.0-only */
/* A scenario from its first call to its end state: machine, start state, calls, comparison. */
#include "replay/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/host.h"
#include "replay/run_state.h"
#include "replay/state_text.h"

static bool is_buddy(const struct km_machine *machine)
{
	return strcmp(machine->model->page->name, "buddy") == 0;
}

static bool is_vmalloc(const struct km_machine *machine)
{
	return strcmp(machine->model->vm->name, "vmalloc") == 0;
}

static int load_pages(struct executor *run, struct km_err *err)
{
	const struct km_scenario *scenario = run->scenario;
	struct km_page_state state;
	int code = km_state_parse_pages(scenario->path, &scenario->state, &state, err);

	if (!code && is_buddy(run->machine)) {
		code = km_buddy_load_state(run->machine->page, &state);
		if (code)
			km_fail(err, code,
				"%s: the page lines of the state block contradict each other: %s",
				scenario->path, strerror(-code));
	}
	km_state_free_pages(&state);
	return code;
}

static int load_vm(struct executor *run, struct km_err *err)
{
	const struct km_scenario *scenario = run->scenario;
	struct km_vm_state state;
	int code = km_state_parse_vm(scenario->path, &scenario->state, &state, err);

	if (!code && is_vmalloc(run->machine)) {
		code = km_vmalloc_load_state(run->machine->vm, &state);
		if (code)
			km_fail(err, code,
				"%s: the address ranges of the state block are unordered "
				"or overlap: %s",
				scenario->path, strerror(-code));
	}
	km_state_free_vm(&state);
	return code;
}

static int start(struct executor *run, struct km_err *err)
{
	const struct km_scenario *scenario = run->scenario;
	struct km_machine_spec spec = scenario->spec;
	int code;

	spec.model = run->options->model ? run->options->model : km_model_find("slub");
	km_host_env(&run->env, run->options->seed);
	code = km_machine_create(&run->env, &spec, &run->machine);
	if (code)
		return km_fail(err, code, "%s: this machine cannot be built: %s", scenario->path,
			       strerror(-code));
	km_run_watch_own(run);
	if (km_state_has_pages(&scenario->state))
		code = load_pages(run, err);
	if (!code && km_state_has_vm(&scenario->state))
		code = load_vm(run, err);
	if (!code && run->options->memory)
		code = km_run_touch_begin(run, err);
	return code;
}

/* ---- end state ---- */

/* Are there any? */
static bool print_caches(struct executor *run, FILE *out)
{
	const struct km_scenario *scenario = run->scenario;
	struct km_cache_info info;
	bool any = false;

	for (size_t i = 0; i < scenario->nr_names; i++)
		if (run->variables[i].cache &&
		    run->machine->model->slab->cache_info(run->machine->slab,
							  run->variables[i].cache, &info) == 0) {
			km_state_print_cache(out, scenario->names[i], &info);
			any = true;
		}
	return any;
}

/* What no kernel file shows and no start state sets, so as comments. */
static void print_tables(struct executor *run, FILE *out)
{
	const struct km_counters *count = &run->env.count;
	struct km_vm_usage usage;

	run->machine->model->vm->usage(run->machine->vm, &usage);
	fprintf(out, "# vtlb flushes %" PRIu64 " full %" PRIu64 " on_cpus %" PRIu64 "\n",
		count->tlb_flush, count->tlb_flush_full, count->tlb_flush_cpu);
	fprintf(out, "# vtables pages %" PRIu64 " leaves_4k %" PRIu64 " leaves_2m %" PRIu64 "\n",
		usage.page_table_pages, usage.leaf_4k, usage.leaf_2m);
}

static int print_state(struct executor *run, FILE *out)
{
	struct km_page_state pages;
	struct km_vm_state vm;

	if (print_caches(run, out))
		km_run_print_own(run, out);
	if (is_buddy(run->machine)) {
		if (km_buddy_save_state(run->machine->page, &pages))
			return -ENOMEM;
		km_state_print_pages(out, &pages, &run->machine->spec.profile);
		km_buddy_release_state(run->machine->page, &pages);
	}
	if (is_vmalloc(run->machine)) {
		if (km_vmalloc_save_state(run->machine->vm, &vm))
			return -ENOMEM;
		km_state_print_vm(out, &vm);
		km_vmalloc_release_state(run->machine->vm, &vm);
		print_tables(run, out);
	}
	return 0;
}

static int end_state(struct executor *run)
{
	bool compare = run->options->check && run->scenario->expect.present;
	size_t length;
	FILE *out;
	int code;

	if (!run->options->state && !compare)
		return 0;
	out = open_memstream(&run->run->state, &length);
	if (!out)
		return -ENOMEM;
	code = print_state(run, out);
	if (fclose(out))
		code = -ENOMEM;
	return !code && compare ? km_check_end(run, run->run->state) : code;
}

/* ---- the run ---- */

/* Around each call: the purging worker waits, or runs, where it is said to be late. */
static void steer_purges(struct executor *run)
{
	for (size_t i = 0; i < run->nr_late; i++) {
		if (run->late[i].run == run->at) {
			km_vmalloc_hold_purges(run->machine->vm, false);
			km_vmalloc_purge(run->machine->vm, 0);
		}
		if (run->late[i].due == run->at)
			km_vmalloc_hold_purges(run->machine->vm, true);
	}
}

static int execute(struct executor *run, bool trial, struct km_err *err)
{
	const struct km_scenario *scenario = run->scenario;
	int code = start(run, err);

	if (code)
		return code;
	run->recorded = run->options->check && scenario->nr_calls && scenario->calls[0].has_lazy &&
			is_vmalloc(run->machine);
	for (; run->at < scenario->nr_calls && !code; run->at++) {
		struct km_run_row *row = &run->run->rows[run->at];
		uint64_t purged = run->env.count.vm_purge;

		if (run->nr_late && is_vmalloc(run->machine))
			steer_purges(run);
		if (run->recorded)
			km_run_lazy_before(run, &scenario->calls[run->at]);
		code = km_run_call(run, &scenario->calls[run->at], row);
		if (run->recorded)
			km_run_lazy_after(run, &scenario->calls[run->at]);
		run->run->nr_rows++;
		run->run->broken += row->rule != KM_RULE_NONE;
		if (run->env.count.vm_purge != purged && run->first_mismatch == SIZE_MAX)
			run->last_purge = run->at;
		if (trial && run->first_mismatch != SIZE_MAX)
			return 0;
	}
	if (!code)
		code = end_state(run);
	if (!code && run->options->debug)
		code = km_run_find(run);
	if (code)
		return km_fail(err, code, "%s: %s", scenario->path, strerror(-code));
	if (run->memory)
		code = km_run_touch_end(run, err);
	if (code)
		return code;
	if (run->first_mismatch == SIZE_MAX &&
	    run->run->check.matched[KM_CHECK_END] != run->run->check.checked[KM_CHECK_END])
		run->first_mismatch = scenario->nr_calls;
	return 0;
}

int km_run_once(const struct km_scenario *scenario, const struct km_run_options *options,
		struct run_trial *trial, struct km_scenario_run *run, struct km_err *err)
{
	struct executor executor = {.scenario = scenario,
				    .options = options,
				    .run = run,
				    .late = trial->late,
				    .nr_late = trial->nr_late,
				    .first_mismatch = SIZE_MAX,
				    .last_purge = SIZE_MAX};
	int code = -ENOMEM;

	*run = (struct km_scenario_run){0};
	run->rows = calloc(scenario->nr_calls + 1, sizeof(*run->rows));
	executor.variables = calloc(scenario->nr_names + 1, sizeof(*executor.variables));
	if (run->rows && executor.variables)
		code = execute(&executor, trial->trial, err);
	else
		km_fail(err, code, "%s: out of memory", scenario->path);
	trial->first_mismatch = executor.first_mismatch;
	trial->last_purge = executor.last_purge;
	km_machine_destroy(executor.machine);
	km_memory_close(executor.memory);
	free(executor.variables);
	free(executor.live);
	km_addr_map_free(&executor.by_addr);
	km_addr_map_free(&executor.freed);
	km_addr_map_free(&executor.to_model);
	km_addr_map_free(&executor.to_kernel);
	km_addr_map_free(&executor.kernel_live);
	km_addr_map_free(&executor.model_live);
	if (code)
		km_scenario_run_free(run);
	return code;
}

/* On one CPU up to 6.8 the worker's instant follows from the calls; elsewhere it must be searched.
 */
static bool purge_may_be_late(const struct km_scenario *scenario)
{
	bool recorded = scenario->nr_calls && scenario->calls[0].has_lazy;

	return !recorded && (scenario->spec.profile.vmap_nodes || scenario->spec.cpus > 1);
}

int km_run_scenario(const struct km_scenario *scenario, const struct km_run_options *options,
		    struct km_scenario_run *run, struct km_err *err)
{
	struct late_purge late[MAX_LATE_PURGES];
	struct run_trial trial = {.late = late};
	int code = km_run_once(scenario, options, &trial, run, err);

	if (code || !options->check || trial.first_mismatch == SIZE_MAX ||
	    trial.last_purge == SIZE_MAX || !purge_may_be_late(scenario))
		return code;
	code = km_find_late_purges(scenario, options, late, &trial.nr_late, err);
	km_scenario_run_free(run);
	if (!code)
		code = km_run_once(scenario, options, &trial, run, err);
	if (!code)
		run->check.late_purges += (unsigned)trial.nr_late;
	return code;
}

void km_scenario_run_free(struct km_scenario_run *run)
{
	for (size_t i = 0; i < run->nr_rows; i++)
		free(run->rows[i].note), free(run->rows[i].pfns);
	for (unsigned i = 0; i < run->check.nr_mismatches; i++)
		free(run->check.mismatch[i]);
	for (size_t i = 0; i < run->nr_findings; i++)
		free(run->findings[i].what);
	free(run->findings);
	for (size_t i = 0; i < run->nr_names; i++)
		free(run->names[i]);
	free(run->names);
	free(run->rows);
	free(run->state);
	*run = (struct km_scenario_run){0};
}
