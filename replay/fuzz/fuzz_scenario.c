/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes scenarios: a text is parsed whole, its state blocks read as pages and as vmalloc ranges,
 * or a sentence with its line says why not. Short programs are also run, with all rules watched and
 * answers compared, on a machine that is made small: where the text asks for more memory or CPUs
 * than here, it is not run. Texts of a trace's snapshots are a target of their own.
 */
#include "replay/run.h"
#include "replay/state_text.h"
#include "traces/fuzz/targets.h"
#include <stdlib.h>
#include <string.h>

#define MEMORY (64ull << 20)
#define CPUS 8
#define CALLS 200
#define RUN_ONE_OF 16

static void read_block(const struct km_scenario_block *block)
{
	struct km_page_state pages;
	struct km_vm_state vm;
	struct km_err err = {""};

	if (km_state_parse_pages("input", block, &pages, &err) && !*err.text)
		abort();
	km_state_free_pages(&pages);
	err = (struct km_err){""};
	if (km_state_parse_vm("input", block, &vm, &err) && !*err.text)
		abort();
	km_state_free_vm(&vm);
}

static bool is_small(const struct km_scenario *scenario)
{
	const struct km_machine_spec *spec = &scenario->spec;
	uint64_t end = 0;

	for (unsigned i = 0; i < spec->nr_zones; i++) {
		const struct km_zone_spec *zone = &spec->zones[i];

		if (zone->start > MEMORY / KM_PAGE_SIZE || zone->spanned > MEMORY / KM_PAGE_SIZE)
			return false;
		end += zone->spanned;
	}
	return end <= MEMORY / KM_PAGE_SIZE && spec->cpus <= CPUS && spec->possible_cpus <= CPUS &&
	       scenario->nr_calls <= CALLS;
}

static void run_it(struct km_scenario *scenario)
{
	const struct km_run_options options = {
		.seed = 1, .check = true, .state = true, .debug = true};
	struct km_scenario_run run;
	struct km_err err = {""};
	int code;

	if (scenario->spec.memory_bytes > MEMORY)
		scenario->spec.memory_bytes = MEMORY;
	code = km_run_scenario(scenario, &options, &run, &err);
	if (!code)
		km_scenario_run_free(&run);
	else if (!*err.text)
		abort();
}

static void run_scenario(const uint8_t *data, size_t size)
{
	char *text = km_fuzz_text(data, size);
	struct km_scenario scenario;
	struct km_err err = {""};
	int code;

	if (!text)
		return;
	code = km_scenario_parse("input", text, &scenario, &err);
	free(text);
	if (code && strncmp(err.text, "input:", 6) != 0)
		abort();
	if (code)
		return;
	read_block(&scenario.state);
	read_block(&scenario.expect);
	if (is_small(&scenario) && (!km_fuzz_shortcuts || !km_fuzz_draw(data, size, RUN_ONE_OF)))
		run_it(&scenario);
	km_scenario_free(&scenario);
}

KM_FUZZ_TARGET(scenario, run_scenario, km_fuzz_mutate_lines)
