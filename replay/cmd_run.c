/* SPDX-License-Identifier: GPL-2.0-only */
/* `kmlab run`: options, and the rows, the comparison and the end state as one document. */
#include "replay/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/run.h"
#include "results/options.h"
#include "results/term.h"

struct arguments {
	const char *path;
	struct km_run_options run;
	struct km_memory_layout memory;
	struct km_common_options common;
};

enum { OPT_DIRECT_MAP = 256 };

/* clang-format off */
static const struct argp_option options[] = {
	{"check", 'c', NULL, 0, "Compare with what Linux returned (-> and expect); exit 1 if anything differs", 0},
	{"debug", 'd', NULL, 0, "Report every rule broken and what was never freed; exit 1 if there is any", 0},
	{"state", 's', NULL, 0, "Add the end state, as an expect block", 0},
	{"model", 'm', "MODEL", 0, "Run on this model instead of slub (see 'kmlab models')", 0},
	{"direct-map", OPT_DIRECT_MAP, "SIZE", 0, "Put real memory behind the machine, its direct map in pages of 1G, 2M, 4K or split:PERCENT%; fill every object and look at it again; exit 1 if one was changed", 0},
	{"seed", 'S', "N", 0, "Seed of the machine's random numbers (default 1)", 0},
	{0},
};
/* clang-format on */

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct km_err err = {""};

	switch (key) {
	case OPT_DIRECT_MAP:
		if (km_memory_parse(arg, &arguments->memory, &err))
			argp_error(state, "%s", err.text);
		arguments->run.memory = &arguments->memory;
		break;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		break;
	case 'c':
		arguments->run.check = true;
		break;
	case 'd':
		arguments->run.debug = true;
		break;
	case 's':
		arguments->run.state = true;
		break;
	case 'm':
		arguments->run.model = km_model_find(arg);
		if (!arguments->run.model)
			argp_error(state, "unknown model '%s'; 'kmlab models' lists them", arg);
		break;
	case 'S':
		arguments->run.seed = km_parse_number(state, "--seed", arg, 0, UINT64_MAX);
		break;
	case ARGP_KEY_ARG:
		if (arguments->path)
			argp_error(state, "one scenario at a time; '%s' is a second", arg);
		arguments->path = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no scenario given; name a file, or - for standard input");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- rows ---- */

static const char *const columns[] = {"line",        "cpu",   "call", "result",
				      "bytes_alloc", "cache", "note"};
#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* A text to free; "" without a result. */
static char *pfns_text(const struct km_run_row *row)
{
	char *text = malloc(5 + row->nr_pfns * 12ull), *end = text;

	end = text ? stpcpy(text, "pfn") : NULL;
	for (uint32_t i = 0; text && i < row->nr_pfns; i++)
		end += sprintf(end, " 0x%" PRIx32, row->pfns[i]);
	return text;
}

static char *result_text(const struct km_run_row *row)
{
	char text[32] = "";

	if (row->kind == KM_RESULT_PFNS)
		return pfns_text(row);
	if (row->kind == KM_RESULT_ADDRESS)
		snprintf(text, sizeof(text), "0x%" PRIx64, row->result);
	else if (row->kind == KM_RESULT_PFN)
		snprintf(text, sizeof(text), "pfn 0x%" PRIx64, row->result);
	else if (row->kind == KM_RESULT_NULL)
		snprintf(text, sizeof(text), "NULL");
	return strdup(text);
}

static void print_rows(const struct km_scenario_run *run, enum km_format format)
{
	struct km_table *table = km_table_new(NR_COLUMNS, columns);

	for (size_t i = 0; i < run->nr_rows; i++) {
		const struct km_run_row *row = &run->rows[i];
		char *result = result_text(row);

		km_table_cellf(table, "%u", row->call->line);
		km_table_cellf(table, "%u", row->call->cpu);
		km_table_cell(table, km_call_name(row->call->call));
		km_table_cell(table, result);
		free(result);
		if (row->bytes_alloc != UINT64_MAX)
			km_table_cellf(table, "%" PRIu64, row->bytes_alloc);
		else
			km_table_cell(table, NULL);
		km_table_cell(table, row->cache);
		km_table_cell(table, row->note);
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

/* ---- comparison ---- */

static bool all_matched(const struct km_scenario_run *run)
{
	for (unsigned kind = 0; kind < KM_NR_CHECKS; kind++)
		if (run->check.checked[kind] != run->check.matched[kind])
			return false;
	return run->broken == 0 && run->touch.spoilt == 0;
}

/* ---- real memory ---- */

static void print_touch(const struct km_scenario_run *run, FILE *out)
{
	const struct km_run_touch *touch = &run->touch;

	fprintf(out,
		"touched   %" PRIu64 " objects of %" PRIu64 " KiB, %" PRIu64
		" of them changed by something else\n",
		touch->objects, touch->bytes >> 10, touch->spoilt);
	fprintf(out, "host gave ");
	for (unsigned leaf = 0; leaf < KM_NR_LEAVES; leaf++)
		fprintf(out, "%s%" PRIu64 " KiB in %s", leaf ? ", " : "direct map ",
			touch->pages.direct[leaf] >> 10, km_leaf_name((enum km_leaf)leaf));
	for (unsigned leaf = 0; leaf < KM_LEAF_1G; leaf++)
		fprintf(out, "%s%" PRIu64 " KiB in %s", leaf ? ", " : "; vmalloc ",
			touch->pages.vmalloc[leaf] >> 10, km_leaf_name((enum km_leaf)leaf));
	fprintf(out, " (asked for %s; %" PRIu64 " mappings)\n", km_leaf_name(touch->asked),
		touch->pages.mappings);
}

static void json_touch(struct km_json *json, const struct km_scenario_run *run)
{
	const struct km_run_touch *touch = &run->touch;

	km_json_object(json, "memory");
	km_json_u64(json, "objects", touch->objects);
	km_json_u64(json, "bytes", touch->bytes);
	km_json_u64(json, "changed", touch->spoilt);
	km_json_u64(json, "mappings", touch->pages.mappings);
	for (unsigned range = 0; range < 2; range++) {
		const uint64_t *leaves = range ? touch->pages.vmalloc : touch->pages.direct;

		km_json_object(json, range ? "vmalloc_bytes" : "direct_map_bytes");
		for (unsigned leaf = 0; leaf < KM_NR_LEAVES; leaf++)
			km_json_u64(json, km_leaf_name((enum km_leaf)leaf), leaves[leaf]);
		km_json_close(json);
	}
	km_json_close(json);
}

static void print_check(const struct km_scenario_run *run, FILE *out)
{
	uint64_t total = 0;

	for (unsigned kind = 0; kind < KM_NR_CHECKS; kind++) {
		total += run->check.checked[kind];
		if (run->check.checked[kind])
			fprintf(out, "%-9s %" PRIu64 " of %" PRIu64 " as Linux\n",
				km_check_name(kind), run->check.matched[kind],
				run->check.checked[kind]);
	}
	if (!total)
		fputs("nothing to compare: the scenario has no -> results and no expect block\n",
		      out);
	if (run->check.late_purges)
		fprintf(out, "purges    %u that Linux's worker ran some calls late\n",
			run->check.late_purges);
	if (run->check.disturbed)
		fprintf(out, "something else in Linux's kernel used vmalloc from line %u on\n",
			run->check.disturbed);
	if (run->broken)
		fprintf(out, "%zu calls broke a rule: see their notes\n", run->broken);
	for (unsigned i = 0; i < run->check.nr_mismatches; i++)
		fprintf(out, "%s\n", run->check.mismatch[i]);
}

/* ---- findings ---- */

static void print_findings(const struct km_scenario_run *run, FILE *out)
{
	for (size_t i = 0; i < run->nr_findings; i++) {
		const struct km_run_finding *finding = &run->findings[i];

		fprintf(out, "line %u: %s; %s\n", finding->line, finding->what,
			km_rule_text(finding->rule)->advice);
	}
	if (!run->nr_findings)
		fputs("no rule was broken, and everything was freed\n", out);
}

/* ---- JSON ---- */

static void json_row(struct km_json *json, const struct km_run_row *row)
{
	char *result = result_text(row);

	km_json_object(json, NULL);
	km_json_u64(json, "line", row->call->line);
	km_json_u64(json, "cpu", row->call->cpu);
	km_json_str(json, "call", km_call_name(row->call->call));
	km_json_str(json, "result", result);
	free(result);
	if (row->bytes_alloc != UINT64_MAX)
		km_json_u64(json, "bytes_alloc", row->bytes_alloc);
	else
		km_json_null(json, "bytes_alloc");
	km_json_str(json, "cache", row->cache);
	km_json_str(json, "note", row->note);
	km_json_close(json);
}

static void json_check(struct km_json *json, const struct km_scenario_run *run)
{
	km_json_object(json, "check");
	km_json_bool(json, "passed", all_matched(run));
	for (unsigned kind = 0; kind < KM_NR_CHECKS; kind++) {
		km_json_object(json, kind == KM_CHECK_END ? "end_state" : km_check_name(kind));
		km_json_u64(json, "checked", run->check.checked[kind]);
		km_json_u64(json, "matched", run->check.matched[kind]);
		km_json_close(json);
	}
	km_json_u64(json, "late_purges", run->check.late_purges);
	if (run->check.disturbed)
		km_json_u64(json, "disturbed_from_line", run->check.disturbed);
	km_json_array(json, "mismatches");
	for (unsigned i = 0; i < run->check.nr_mismatches; i++)
		km_json_str(json, NULL, run->check.mismatch[i]);
	km_json_close(json);
	km_json_close(json);
}

static void json_findings(struct km_json *json, const struct km_scenario_run *run)
{
	km_json_array(json, "findings");
	for (size_t i = 0; i < run->nr_findings; i++) {
		const struct km_run_finding *finding = &run->findings[i];

		km_json_object(json, NULL);
		km_json_str(json, "rule", km_rule_text(finding->rule)->name);
		km_json_u64(json, "line", finding->line);
		km_json_u64(json, "count", finding->count);
		if (finding->rule == KM_RULE_LEAK)
			km_json_u64(json, "bytes", finding->bytes);
		km_json_str(json, "what", finding->what);
		km_json_str(json, "advice", km_rule_text(finding->rule)->advice);
		km_json_close(json);
	}
	km_json_close(json);
}

static void print_json(const struct arguments *arguments, const struct km_scenario *scenario,
		       struct km_scenario_run *run)
{
	struct km_json json;
	char *save = NULL, text[24];

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "scenario", scenario->path);
	km_json_str(&json, "profile", scenario->spec.profile.name);
	km_json_str(&json, "reclaim",
		    km_profile_text("reclaim", scenario->spec.profile.reclaim, text, false));
	km_json_array(&json, "rows");
	for (size_t i = 0; i < run->nr_rows; i++)
		json_row(&json, &run->rows[i]);
	km_json_close(&json);
	if (arguments->run.memory)
		json_touch(&json, run);
	if (arguments->run.check)
		json_check(&json, run);
	if (arguments->run.debug)
		json_findings(&json, run);
	if (arguments->run.state) {
		km_json_array(&json, "state");
		for (char *line = strtok_r(run->state, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			km_json_str(&json, NULL, line);
		km_json_close(&json);
	}
	km_json_end(&json);
}

/* ---- the command ---- */

static void print_run(const struct arguments *arguments, const struct km_scenario *scenario,
		      struct km_scenario_run *run)
{
	/* A comparison is the document itself unless a format for the rows was asked for. */
	bool rows = !arguments->run.check || arguments->common.format_given;

	if (arguments->common.format == KM_FORMAT_JSON) {
		print_json(arguments, scenario, run);
		return;
	}
	if (rows)
		print_rows(run, arguments->common.format);
	if (arguments->run.check)
		print_check(run, rows ? stderr : stdout);
	if (arguments->run.memory)
		print_touch(run, rows ? stderr : stdout);
	if (arguments->run.debug)
		print_findings(run, arguments->common.format == KM_FORMAT_TABLE ? stdout : stderr);
	if (arguments->run.state)
		printf("expect begin\n%sexpect end\n", run->state);
}

int km_cmd_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "F.kms",
		.doc = "Execute a scenario of kernel allocation calls on a simulated machine; one "
		       "row per executed line."
		       "\vCalls: kmem_cache_create[_usercopy] kmem_cache_alloc kmem_cache_zalloc "
		       "kmem_cache_free kmem_cache_alloc_bulk kmem_cache_free_bulk "
		       "kmem_cache_shrink kmem_cache_destroy alloc_pages alloc_page "
		       "__get_free_pages __get_free_page get_zeroed_page alloc_pages_exact "
		       "alloc_pages_bulk alloc_pages_bulk_array split_page __free_pages "
		       "__free_page free_pages free_page free_pages_exact kmalloc kzalloc kcalloc "
		       "kmalloc_array (and _node) "
		       "kmemdup kstrdup memdup_user krealloc krealloc_array krealloc_node_align "
		       "kfree kfree_sensitive kfree_bulk ksize kmalloc_size_roundup kvmalloc "
		       "kvzalloc kvcalloc kvmalloc_array kvrealloc kvfree vmalloc vzalloc (and "
		       "_node) vmalloc_user vmalloc_32[_user] vmalloc_huge __vmalloc "
		       "__vmalloc_node "
		       "vrealloc vfree vmap vunmap vm_map_ram vm_unmap_ram vm_unmap_aliases "
		       "ioremap iounmap; "
		       "\"context process\", atomic, softirq or interrupt for the lines that "
		       "follow.\n\n"
		       "EXAMPLES\n"
		       "  kmlab run a.kms --check\n"
		       "  xz -dc a.kms.xz | kmlab run - --format json",
		.children = km_common_children,
	};
	struct arguments arguments = {.run.seed = 1};
	struct km_scenario scenario;
	struct km_err err = {""};
	struct km_scenario_run run;
	int status = KM_EXIT_OK;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return KM_EXIT_ERROR;
	if (km_scenario_load(arguments.path, &scenario, &err))
		return km_error("%s", err.text);
	if (km_run_scenario(&scenario, &arguments.run, &run, &err)) {
		km_scenario_free(&scenario);
		return km_error("%s", err.text);
	}
	print_run(&arguments, &scenario, &run);
	if ((arguments.run.check && !all_matched(&run)) || run.nr_findings || run.touch.spoilt)
		status = KM_EXIT_NO;
	if (fflush(stdout) || ferror(stdout))
		status = km_error("cannot write the output: %s", strerror(errno));
	km_scenario_run_free(&run);
	km_scenario_free(&scenario);
	return status;
}
