/* SPDX-License-Identifier: GPL-2.0-only */
/* `kmlab module`: options, and a module's log, calls, map and findings as one document. */
#include "replay/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/module.h"
#include "replay/module_map.h"
#include "results/options.h"
#include "results/term.h"

struct arguments {
	struct km_module_options module;
	struct km_common_options common;
	char *words[256];
	unsigned nr_words;
	bool map;
};

enum { OPT_FILES = 0x100, OPT_TIMEOUT, OPT_CPUS, OPT_FRESH };

/* clang-format off */
static const struct argp_option options[] = {
	{"kernel", 'k', "VERSION", 0, "Behave as this kernel (5.15 6.1 6.6 6.12 6.18 7.2; default 6.1)", 0},
	{"map", 'm', NULL, 0, "Draw both address spaces: virtual, and physical", 0},
	{"memory", 'M', "SIZE", 0, "Memory of the machine (default 1G)", 0},
	{"cpus", OPT_CPUS, "N", 0, "CPUs of the machine (default 1)", 0},
	{"time", 't', "SECONDS", 0, "Simulated time between init and exit, for timers, work and threads (default 1)", 0},
	{"interrupts", 'i', "N", 0, "Raise each interrupt the module asks for N times after init (default 1)", 0},
	{"files", OPT_FILES, NULL, 0, "Open, write, read and close each file the module registers", 0},
	{"param", 'p', "NAME=VALUE", 0, "Set a parameter of the module", 0},
	{"fresh", OPT_FRESH, NULL, 0, "On a machine that has just booted: free pages lie in order", 0},
	{"no-checks", 'n', NULL, 0, "Do not check every access, only red zones and poison", 0},
	{"timeout", OPT_TIMEOUT, "SECONDS", 0, "CPU time after which the module counts as hung (default 10)", 0},
	{"seed", 'S', "N", 0, "Seed of the machine's random numbers (default 1)", 0},
	{0},
};
/* clang-format on */

static void set_kernel(struct argp_state *state, struct km_machine_spec *spec, const char *name)
{
	const struct km_profile *profile = km_profile_find(name);

	if (!profile && name[0] >= '0' && name[0] <= '9' && strchr(name, '.'))
		profile = km_profile_for_release(name);
	if (!profile)
		argp_error(state, "--kernel %s is not a release such as 6.1 or 6.12", name);
	spec->profile = *profile;
}

static uint64_t parse_size(struct argp_state *state, const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

	if (end == text || (shift ? end[1] : *end) || value > UINT64_MAX >> shift ||
	    value << shift < 16u << 20 || value << shift > 64ull << 30)
		argp_error(state, "--memory %s is not a size from 16M to 64G", text);
	return value << shift;
}

/* "a.c b.c name=value": sources and parameters, as insmod takes them. */
static void sort_words(struct argp_state *state, struct arguments *arguments)
{
	struct km_module_options *module = &arguments->module;
	unsigned sources = 0;

	module->sources = calloc(arguments->nr_words + 1, sizeof(char *));
	if (!module->sources)
		argp_failure(state, KM_EXIT_ERROR, ENOMEM, "arguments");
	for (unsigned i = 0; i < arguments->nr_words; i++) {
		if (strchr(arguments->words[i], '='))
			module->params[module->nr_params++] = arguments->words[i];
		else
			module->sources[sources++] = arguments->words[i];
	}
	module->nr_sources = sources;
	if (!sources)
		argp_error(state, "no source given; name a module's .c file");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct km_module_options *module = &arguments->module;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		break;
	case 'k':
		set_kernel(state, &module->spec, arg);
		break;
	case 'm':
		arguments->map = true;
		break;
	case 'M':
		module->spec.memory_bytes = parse_size(state, arg);
		break;
	case OPT_CPUS:
		module->spec.cpus = (unsigned)km_parse_number(state, "--cpus", arg, 1, 64);
		break;
	case 't':
		module->run_ns = km_parse_number(state, "--time", arg, 0, 1000000) * 1000000000ull;
		break;
	case 'i':
		module->interrupts =
			(unsigned)km_parse_number(state, "--interrupts", arg, 0, 100000);
		break;
	case OPT_FILES:
		module->files = true;
		break;
	case OPT_FRESH:
		module->fresh = true;
		break;
	case 'n':
		module->no_checks = true;
		break;
	case OPT_TIMEOUT:
		module->cpu_seconds = (unsigned)km_parse_number(state, "--timeout", arg, 1, 100000);
		break;
	case 'S':
		module->seed = km_parse_number(state, "--seed", arg, 0, UINT64_MAX);
		break;
	case 'p':
		if (!strchr(arg, '='))
			argp_error(state, "--param %s has no =; write NAME=VALUE", arg);
		/* fall through */
	case ARGP_KEY_ARG:
		if (arguments->nr_words == sizeof(arguments->words) / sizeof(char *))
			argp_error(state, "too many arguments");
		arguments->words[arguments->nr_words++] = arg;
		break;
	case ARGP_KEY_END:
		sort_words(state, arguments);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- calls ---- */

static const char *const columns[] = {"phase",    "where", "call", "bytes",       "gfp", "result",
				      "physical", "cache", "slab", "bytes_alloc", "note"};
#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *const phases[KM_NR_PHASES] = {"init", "run", "exit"};

static const char *physical_text(const struct km_module_report *report,
				 const struct km_module_call *call, char text[64])
{
	const struct km_module_run *runs = &report->runs[call->first_run];
	uint64_t start = call->addr - KM_DIRECT_MAP_BASE;

	text[0] = 0;
	if (call->addr <= 16 || call->kind == KM_OBJECT_NONE || call->kind == KM_OBJECT_PERCPU)
		return text;
	if (call->kind != KM_OBJECT_AREA)
		snprintf(text, 64, "0x%" PRIx64, start);
	else if (call->nr_runs == 1)
		snprintf(text, 64, "0x%" PRIx64 " (%u pages)", runs->pfn << KM_PAGE_SHIFT,
			 runs->pages);
	else if (call->nr_runs)
		snprintf(text, 64, "0x%" PRIx64 " … (%u pieces)", runs->pfn << KM_PAGE_SHIFT,
			 call->nr_runs);
	return text;
}

static const char *result_text(const struct km_module_call *call, char text[32])
{
	text[0] = 0;
	if (call->failed)
		snprintf(text, 32, "NULL");
	else if (call->addr)
		snprintf(text, 32, "0x%" PRIx64, call->addr);
	return text;
}

static const char *slab_text(const struct km_module_call *call, char text[64])
{
	text[0] = 0;
	if (call->slab)
		snprintf(text, 64, "0x%" PRIx64 " [%u of %u]", call->slab, call->slab_index,
			 call->slab_objects);
	return text;
}

/* Nothing for a call that takes no flags. */
static const char *gfp_text(uint32_t gfp, const struct km_profile *profile, char text[128])
{
	text[0] = '\0';
	if (gfp)
		km_gfp_text(gfp, profile, text, 128);
	return text;
}

static void print_calls(const struct arguments *arguments, const struct km_module_report *report,
			enum km_format format)
{
	struct km_table *table = km_table_new(NR_COLUMNS, columns);
	char text[128];

	for (size_t i = 0; i < report->nr_calls; i++) {
		const struct km_module_call *call = &report->calls[i];

		km_table_cell(table, phases[call->phase]);
		km_table_cell(table, call->where);
		km_table_cell(table, call->call);
		if (call->bytes)
			km_table_cellf(table, "%" PRIu64, call->bytes);
		else
			km_table_cell(table, call->frees ? NULL : "0");
		km_table_cell(table, gfp_text(call->gfp, &arguments->module.spec.profile, text));
		km_table_cell(table, result_text(call, text));
		km_table_cell(table, physical_text(report, call, text));
		km_table_cell(table, call->cache);
		km_table_cell(table, slab_text(call, text));
		if (call->bytes_alloc)
			km_table_cellf(table, "%" PRIu64, call->bytes_alloc);
		else
			km_table_cell(table, NULL);
		km_table_cell(table, call->note);
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

/* ---- log, findings ---- */

static void print_log(const struct km_module_report *report, FILE *out)
{
	for (size_t i = 0; i < report->nr_lines; i++) {
		const struct km_module_line *line = &report->lines[i];

		fprintf(out, "[%5" PRIu64 ".%06" PRIu64 "] %s\n", line->time_ns / 1000000000,
			line->time_ns / 1000 % 1000000, report->text + line->text);
	}
	if (report->lost_lines)
		fprintf(out, "%" PRIu64 " further lines were not kept\n", report->lost_lines);
}

static void print_findings(const struct km_module_report *report, FILE *out)
{
	for (size_t i = 0; i < report->nr_findings; i++) {
		const struct km_module_finding *finding = &report->findings[i];

		fprintf(out, "%s%s%s", finding->where, finding->where[0] ? ": " : "",
			finding->what);
		if (finding->count > 1)
			fprintf(out, " (%" PRIu64 " times)", finding->count);
		fprintf(out, "; %s\n", km_rule_text(finding->rule)->advice);
	}
	if (report->init_done && report->init_result)
		fprintf(out, "init returned %d: the module is not loaded\n", report->init_result);
	if (report->lost_calls)
		fprintf(out, "%" PRIu64 " further calls have no row\n", report->lost_calls);
	if (!report->nr_findings && !report->init_result)
		fputs(report->has_exit
			      ? "no rule was broken, and everything was freed\n"
			      : "no rule was broken; without an exit function the module stays\n",
		      out);
}

/* ---- JSON ---- */

static void json_call(struct km_json *json, const struct km_module_report *report,
		      const struct km_module_call *call, const struct km_profile *profile)
{
	char text[128];

	km_json_object(json, NULL);
	km_json_str(json, "phase", phases[call->phase]);
	km_json_str(json, "where", call->where);
	km_json_str(json, "call", call->call);
	km_json_u64(json, "bytes", call->bytes);
	km_json_str(json, "gfp", gfp_text(call->gfp, profile, text));
	km_json_str(json, "result", result_text(call, text));
	km_json_u64(json, "bytes_alloc", call->bytes_alloc);
	km_json_str(json, "cache", call->cache);
	km_json_str(json, "slab", slab_text(call, text));
	km_json_array(json, "physical");
	if (call->kind >= KM_OBJECT_SLAB && call->kind <= KM_OBJECT_PAGES && call->addr > 16) {
		snprintf(text, sizeof(text), "0x%" PRIx64 "+%" PRIu64,
			 (uint64_t)(call->addr - KM_DIRECT_MAP_BASE), call->bytes_alloc);
		km_json_str(json, NULL, text);
	}
	for (uint32_t i = 0; i < call->nr_runs; i++) {
		const struct km_module_run *run = &report->runs[call->first_run + i];

		snprintf(text, sizeof(text), "0x%" PRIx64 "+%" PRIu64, run->pfn << KM_PAGE_SHIFT,
			 (uint64_t)run->pages << KM_PAGE_SHIFT);
		km_json_str(json, NULL, text);
	}
	km_json_close(json);
	km_json_str(json, "note", call->note);
	km_json_close(json);
}

static void print_json(const struct arguments *arguments, const struct km_module_report *report)
{
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "module", arguments->module.sources[0]);
	km_json_str(&json, "kernel", arguments->module.spec.profile.name);
	km_json_str(&json, "license", report->license);
	km_json_i64(&json, "init", report->init_result);
	km_json_bool(&json, "exited", report->exit_done);
	km_json_array(&json, "log");
	for (size_t i = 0; i < report->nr_lines; i++) {
		km_json_object(&json, NULL);
		km_json_u64(&json, "time_ns", report->lines[i].time_ns);
		km_json_i64(&json, "level", report->lines[i].level);
		km_json_str(&json, "text", report->text + report->lines[i].text);
		km_json_close(&json);
	}
	km_json_close(&json);
	km_json_array(&json, "calls");
	for (size_t i = 0; i < report->nr_calls; i++)
		json_call(&json, report, &report->calls[i], &arguments->module.spec.profile);
	km_json_close(&json);
	km_json_array(&json, "findings");
	for (size_t i = 0; i < report->nr_findings; i++) {
		const struct km_module_finding *finding = &report->findings[i];

		km_json_object(&json, NULL);
		km_json_str(&json, "rule", km_rule_text(finding->rule)->name);
		km_json_str(&json, "where", finding->where);
		km_json_u64(&json, "count", finding->count);
		km_json_str(&json, "what", finding->what);
		km_json_str(&json, "advice", km_rule_text(finding->rule)->advice);
		km_json_close(&json);
	}
	km_json_close(&json);
	km_json_end(&json);
}

/* ---- the command ---- */

static void print_report(const struct arguments *arguments, const struct km_module_report *report)
{
	enum km_format format = arguments->common.format;
	FILE *other = format == KM_FORMAT_TABLE ? stdout : stderr;

	if (format == KM_FORMAT_JSON) {
		print_json(arguments, report);
		return;
	}
	print_log(report, other);
	if (format == KM_FORMAT_TABLE)
		putchar('\n');
	print_calls(arguments, report, format);
	if (format == KM_FORMAT_TABLE)
		putchar('\n');
	if (arguments->map)
		km_module_print_map(report, other);
	print_findings(report, other);
}

int km_cmd_module(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE.c… [NAME=VALUE…]",
		.doc = "Build a kernel module and run its init and exit on a simulated machine: "
		       "its log, where each allocation lies, what it does wrong and what it leaks."
		       "\vThe module is compiled unchanged, against headers of kmlab. Exit status "
		       "1: it broke a rule, leaked, crashed, or init failed.\n\n"
		       "EXAMPLES\n"
		       "  kmlab module hello.c --map\n"
		       "  kmlab module driver.c count=3 --kernel 6.12 --files --format json",
		.children = km_common_children,
	};
	char *params[256];
	struct arguments arguments = {.module = {.seed = 1,
						 .run_ns = 1000000000,
						 .interrupts = 1,
						 .cpu_seconds = 10,
						 .params = params}};
	struct km_machine_spec *spec = &arguments.module.spec;
	struct km_module_report *report;
	struct km_err err = {""};
	int status = KM_EXIT_OK;

	*spec = (struct km_machine_spec){.model = km_model_find("slub"),
					 .profile = *km_profile_find("6.1"),
					 .cpus = 1,
					 .memory_bytes = 1ull << 30,
					 .thp = true};
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return KM_EXIT_ERROR;
	if (km_module_run(&arguments.module, &report, &err)) {
		free(arguments.module.sources);
		return km_error("%s", err.text);
	}
	print_report(&arguments, report);
	if (report->nr_findings || report->init_result)
		status = KM_EXIT_NO;
	if (fflush(stdout) || ferror(stdout))
		status = km_error("cannot write the output: %s", strerror(errno));
	km_module_release(report);
	free(arguments.module.sources);
	return status;
}
