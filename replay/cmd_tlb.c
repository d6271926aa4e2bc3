/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab tlb: what this machine's address translation costs, the model of it, and its use. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "replay/commands.h"
#include "replay/pmu.h"
#include "replay/tlb_calibration.h"
#include "replay/tlb_compare.h"
#include "replay/tlb_repeat.h"
#include "results/options.h"
#include "results/term.h"

static const char doc[] =
	"Measure what address translation costs on this machine and fit the TLB model to it, "
	"show what was fitted, or compare what kmalloc and vmalloc make of a trace.\v"
	"calibrate times chains of dependent loads in user space and, through kmlab-capture, in "
	"the kernel's direct map and vmalloc memory (root, Linux 6.2 or newer; without that only "
	"user space). It takes about a minute and wants the machine to itself; points whose rounds "
	"are apart are measured again, up to three times. show prints points, fit and held-out "
	"error. Exit 1: the model is not calibrated.\n"
	"\ncompare places a trace's objects by kmalloc in each direct map, by vmalloc, "
	"vmalloc_huge and kvmalloc, and prints for each: objects, waste by rounding, TLB misses "
	"and "
	"walk cycles of the model, distinct pages within 1000 operations, pages, page tables; "
	"then, "
	"timed in turn with 95 % intervals, an allocation and its free, and touches of real "
	"memory, "
	"beside the same bytes through 2 MiB pages: the difference is translation.\n"
	"\nEXAMPLES\n"
	"  sudo kmlab tlb calibrate\n"
	"  kmlab tlb compare a.kmt --by site          # what if this site used vmalloc, for ten\n"
	"  kmlab tlb compare a.kmt --site alloc_skb   # and for one\n"
	"  kmlab tlb compare a.kmt --access A2:4:0.9 --direct-map 2M,split:25%\n"
	"  kmlab tlb show -f csv > points.csv";

enum {
	OPT_ROUNDS = 256,
	OPT_BY,
	OPT_TOP,
	OPT_TLB,
	OPT_SITE,
	OPT_ACCESS,
	OPT_DIRECT_MAP,
	OPT_KVMALLOC,
	OPT_ALLOW_LOSS,
	OPT_SOURCE
};

static const struct argp_option argp_options[] = {
	{"output", 'o', "FILE", 0,
	 "The calibration's file (default $XDG_DATA_HOME or ~/.local/share, kmlab/tlb)", 0},
	{"rounds", OPT_ROUNDS, "N", 0,
	 "Measure every point so many times (default 101), and as often again where the rounds are "
	 "apart; compare: time calls and touches so many "
	 "times (default 11; 0: only the model counts, and the answer is the same each time)",
	 0},
	{"source", OPT_SOURCE, "WHAT", 0,
	 "calibrate: timed (default), or pmu: also count the chains' data-TLB misses, page walks "
	 "and "
	 "walk cycles, beside what the model says. Exit 1 where nothing can be counted",
	 0},
	{"by", OPT_BY, "WHAT", 0, "compare: a row per size (default) or site", 1},
	{"top", OPT_TOP, "N", 0, "compare --by site: the sites that ask for most (default 10)", 1},
	{"site", OPT_SITE, "NAME", 0,
	 "compare: what if the call sites with NAME in their names used vmalloc, one by one", 1},
	{"tlb", OPT_TLB, "NAME", 0, "compare: the TLB, as for 'kmlab replay' (default host)", 1},
	{"access", OPT_ACCESS, "MODEL", 0,
	 "compare: which memory is touched: A0 (default), A1, A2:LAMBDA or A2:LAMBDA:SKEW, as for "
	 "'kmlab replay'",
	 1},
	{"direct-map", OPT_DIRECT_MAP, "SIZES", 0,
	 "compare: pages of kmalloc's direct map, a list of 1G, 2M, 4K and split:PERCENT% (default "
	 "1G,2M,4K)",
	 1},
	{"kvmalloc", OPT_KVMALLOC, "BYTES", 0,
	 "compare: kvmalloc places objects from this size on in areas (default 16384)", 1},
	{"allow-loss", OPT_ALLOW_LOSS, NULL, 0, "compare: go on with a trace that lost events", 1},
	{0},
};

struct arguments {
	const char *action, *file;
	bool count; /* --source pmu */
	struct km_tlb_comparison compare;
	char *rounds_text;
	uint32_t rounds;
	struct km_common_options common;
};

static void parse_word(struct arguments *arguments, const char *word, struct argp_state *state)
{
	bool compares = arguments->action && !strcmp(arguments->action, "compare");

	if (compares && !arguments->compare.trace) {
		arguments->compare.trace = word;
		return;
	}
	if (arguments->action)
		argp_error(state, "'%s' is one word too many", word);
	if (strcmp(word, "calibrate") && strcmp(word, "show") && strcmp(word, "compare"))
		argp_error(state, "there is no action '%s'; it is calibrate, show or compare",
			   word);
	arguments->action = word;
}

static void parse_maps(struct km_tlb_comparison *compare, char *list, struct argp_state *state)
{
	struct km_err err;
	char *rest = NULL;

	compare->maps = compare->split_percent = 0;
	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		struct km_memory_layout layout = {0};
		unsigned map = KM_TLB_SPLIT;

		if (km_memory_parse(word, &layout, &err))
			argp_error(state, "%s", err.text);
		if (layout.split_percent)
			compare->split_percent = layout.split_percent;
		else
			map = km_tlb_map_of(layout.direct);
		compare->maps |= 1u << map;
	}
	if (!compare->maps)
		argp_error(state, "--direct-map names no page size");
}

static error_t parse_compare(int key, char *arg, struct argp_state *state)
{
	struct km_tlb_comparison *compare = &((struct arguments *)state->input)->compare;
	struct km_err err;

	switch (key) {
	case OPT_BY:
		if (strcmp(arg, "size") && strcmp(arg, "site"))
			argp_error(state, "--by is size or site, not '%s'", arg);
		compare->by_site = !strcmp(arg, "site");
		return 0;
	case OPT_TOP:
		compare->top = (unsigned)km_parse_number(state, "--top", arg, 1, 1000);
		return 0;
	case OPT_SITE:
		compare->site = arg;
		compare->by_site = true;
		return 0;
	case OPT_TLB:
		compare->tlb = arg;
		return 0;
	case OPT_ACCESS:
		if (km_access_parse(arg, &compare->access, &err))
			argp_error(state, "%s", err.text);
		return 0;
	case OPT_DIRECT_MAP:
		parse_maps(compare, arg, state);
		return 0;
	case OPT_ALLOW_LOSS:
		compare->allow_loss = true;
		return 0;
	case OPT_KVMALLOC:
		compare->kvmalloc_bytes = km_parse_number(state, "--kvmalloc", arg, 1, UINT32_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static uint32_t default_rounds(const struct arguments *arguments)
{
	return strcmp(arguments->action, "compare") ? 101 : 11;
}

/* Of which command --rounds is may be said after it. */
static void check_rounds(struct arguments *arguments, struct argp_state *state)
{
	bool compares = !strcmp(arguments->action, "compare");
	uint32_t least = compares ? 0 : 3, most = compares ? KM_COMPARE_MOST_ROUNDS : 10000;

	if (!arguments->rounds_text)
		arguments->rounds = default_rounds(arguments);
	else
		arguments->rounds = (uint32_t)km_parse_number(state, "--rounds",
							      arguments->rounds_text, least, most);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case 'o':
		arguments->file = arg;
		return 0;
	case OPT_SOURCE:
		if (strcmp(arg, "timed") && strcmp(arg, "pmu"))
			argp_error(state, "--source is timed or pmu, not '%s'", arg);
		arguments->count = !strcmp(arg, "pmu");
		return 0;
	case OPT_ROUNDS:
		arguments->rounds_text = arg;
		return 0;
	case ARGP_KEY_ARG:
		parse_word(arguments, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!arguments->action)
			argp_error(state, "no action given; it is calibrate, show or compare");
		else if (!strcmp(arguments->action, "compare") && !arguments->compare.trace)
			argp_error(state, "compare needs a trace; 'kmlab capture' makes one");
		check_rounds(arguments, state);
		return 0;
	default:
		return parse_compare(key, arg, state);
	}
}

/* ---- show ---- */

static const char *array_text(const struct km_tlb_array_spec *array, char text[48])
{
	if (!array->entries)
		snprintf(text, 48, "not known");
	else if (!array->ways)
		snprintf(text, 48, "%u entries, fully associative", array->entries);
	else
		snprintf(text, 48, "%u entries, %u ways", array->entries, array->ways);
	return text;
}

static void emit_array(struct km_json *json, const char *key, const struct km_tlb_array_spec *array,
		       bool chosen)
{
	if (!array->entries) {
		km_json_null(json, key);
		return;
	}
	km_json_object(json, key);
	km_json_u64(json, "entries", array->entries);
	km_json_u64(json, "ways", array->ways ? array->ways : array->entries);
	if (chosen)
		km_json_str(json, "replacement", km_tlb_policy_names[array->policy]);
	km_json_close(json);
}

static void emit_fits(struct km_json *json, const struct km_tlb_calibration *c)
{
	km_json_array(json, "fits");
	for (unsigned place = 0; place < KM_TLB_PLACES; place++) {
		const struct km_tlb_place_fit *fit = &c->fits[place];

		if (!fit->fitted)
			continue;
		km_json_object(json, NULL);
		km_json_str(json, "place", km_tlb_place_names[place]);
		km_json_f64(json, "l2_hit_ns", fit->l2_hit_ns);
		km_json_f64(json, "walk_ns", fit->walk_ns);
		km_json_f64(json, "far_line_ns", fit->far_ns);
		km_json_u64(json, "near_lines", fit->near_lines);
		km_json_f64(json, "walk_cycles", fit->walk_ns / c->cycle_ns);
		km_json_f64(json, "fit_error", fit->fit_error);
		km_json_f64(json, "held_out_error", fit->held_out_error);
		km_json_f64(json, "held_out_worst", fit->worst);
		km_json_u64(json, "fitted_points", fit->nr_fitted);
		km_json_u64(json, "held_out_points", fit->nr_held_out);
		km_json_close(json);
	}
	km_json_close(json);
}

static void emit_figure(struct km_json *json, const char *key, const struct km_bench_figure *figure)
{
	km_json_object(json, key);
	km_json_f64(json, "median", figure->median);
	km_json_f64(json, "low", figure->low);
	km_json_f64(json, "high", figure->high);
	km_json_close(json);
}

static void emit_overlap(struct km_json *json, const struct km_tlb_overlap *overlap)
{
	km_json_array(json, "loads");
	for (unsigned i = 0; i < 2 * KM_TLB_LOADS; i++) {
		const struct km_tlb_load_costs *costs =
			&overlap->costs[i / KM_TLB_LOADS][i % KM_TLB_LOADS];

		if (!costs->measured)
			continue;
		km_json_object(json, NULL);
		km_json_str(json, "pages", i / KM_TLB_LOADS ? "2M" : "4K");
		km_json_str(json, "loads", km_tlb_loads_names[i % KM_TLB_LOADS]);
		emit_figure(json, "l2_hit_ns", &costs->l2_hit);
		emit_figure(json, "walk_ns", &costs->walk);
		emit_figure(json, "far_line_ns", &costs->line);
		km_json_close(json);
	}
	km_json_close(json);
}

static void emit_candidates(struct km_json *json, const struct km_tlb_calibration *c)
{
	km_json_array(json, "candidates");
	for (unsigned i = 0; i < 2 * KM_TLB_CANDIDATES; i++) {
		const struct km_tlb_candidate *candidate =
			&c->candidates[i / KM_TLB_CANDIDATES][i % KM_TLB_CANDIDATES];

		km_json_object(json, NULL);
		km_json_str(json, "level", i < KM_TLB_CANDIDATES ? "l1" : "l2");
		emit_array(json, "array", &candidate->array, true);
		km_json_f64(json, "error", candidate->error);
		km_json_close(json);
	}
	km_json_close(json);
}

static void emit_points(struct km_json *json, const struct km_tlb_calibration *c)
{
	km_json_array(json, "points");
	for (unsigned i = 0; i < c->nr_points; i++) {
		const struct km_tlb_point *point = &c->points[i];

		km_json_object(json, NULL);
		km_json_str(json, "place", km_tlb_place_names[point->place]);
		km_json_u64(json, "pages", point->pages);
		km_json_u64(json, "rounds", point->rounds);
		km_json_f64(json, "ns", point->ns);
		km_json_f64(json, "low", point->low);
		km_json_f64(json, "high", point->high);
		km_json_f64(json, "fitted", point->fitted);
		km_json_bool(json, "held_out", point->held_out);
		km_json_close(json);
	}
	km_json_close(json);
}

static void emit_counted(struct km_json *json, const struct km_tlb_calibration *c)
{
	km_json_array(json, "counted");
	for (unsigned i = 0; i < c->nr_counted; i++) {
		const struct km_tlb_counted *counted = &c->counted[i];

		km_json_object(json, NULL);
		km_json_str(json, "place", km_tlb_place_names[counted->place]);
		km_json_u64(json, "pages", counted->pages);
		km_json_f64(json, "l1_misses_per_load", counted->l1_misses);
		km_json_f64(json, "walks_per_load", counted->walks);
		km_json_f64(json, "walk_cycles_per_load", counted->walk_cycles);
		km_json_f64(json, "model_l1_misses_per_load", counted->model_l1_misses);
		km_json_f64(json, "model_walks_per_load", counted->model_walks);
		km_json_bool(json, "multiplexed", counted->multiplexed);
		km_json_close(json);
	}
	km_json_close(json);
}

static void show_json(const struct km_tlb_calibration *c)
{
	unsigned again, apart;
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "cpu", c->cpu.brand);
	km_json_str(&json, "hypervisor", c->cpu.hypervisor[0] ? c->cpu.hypervisor : NULL);
	km_json_str(&json, "kernel", c->kernel);
	km_json_str(&json, "date", c->date);
	km_json_bool(&json, "calibrated", c->calibrated);
	km_json_str(&json, "verdict", c->verdict);
	km_json_f64(&json, "cycle_ns", c->cycle_ns);
	km_json_object(&json, "cpuid");
	emit_array(&json, "l1", &c->cpu.l1, false);
	emit_array(&json, "l2", &c->cpu.l2, false);
	km_json_str(&json, "source", c->cpu.source);
	km_json_close(&json);
	emit_array(&json, "l1", &c->l1, true);
	emit_array(&json, "l2", &c->l2, true);
	km_json_u64(&json, "huge_pages", c->huge_pages);
	km_json_u64(&json, "huge_pages_with_one_entry", c->huge_real);
	km_json_str(&json, "kernel_not_measured", c->kernel_why[0] ? c->kernel_why : NULL);
	km_json_str(&json, "pmu", c->pmu);
	km_tlb_count_again(c, &again, &apart);
	km_json_u64(&json, "points_measured_again", again);
	km_json_u64(&json, "points_still_apart", apart);
	emit_candidates(&json, c);
	emit_fits(&json, c);
	emit_overlap(&json, &c->overlap);
	emit_points(&json, c);
	emit_counted(&json, c);
	km_json_close(&json);
	km_json_end(&json);
}

static void show_points(const struct km_tlb_calibration *c, enum km_format format)
{
	static const char *const titles[] = {"place", "pages>",  "ns>",     "low>",
					     "high>", "fitted>", "held out"};
	struct km_table *table = km_table_new(7, titles);

	for (unsigned i = 0; table && i < c->nr_points; i++) {
		const struct km_tlb_point *point = &c->points[i];

		km_table_cell(table, km_tlb_place_names[point->place]);
		km_table_cellf(table, "%u", point->pages);
		km_table_cellf(table, "%.2f", point->ns);
		km_table_cellf(table, "%.2f", point->low);
		km_table_cellf(table, "%.2f", point->high);
		if (isnan(point->fitted))
			km_table_cell(table, "");
		else
			km_table_cellf(table, "%.2f", point->fitted);
		km_table_cell(table, isnan(point->fitted) ? "" : point->held_out ? "yes" : "no");
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

static void show_machine(const struct km_tlb_calibration *c)
{
	unsigned again, apart;
	char l1[48], l2[48];

	printf("%s, kernel %s, %s%s%s\n", c->cpu.brand[0] ? c->cpu.brand : "unnamed CPU", c->kernel,
	       c->date, c->cpu.hypervisor[0] ? ", guest of " : "", c->cpu.hypervisor);
	printf("%s\n\n", c->verdict);
	printf("L1 data TLB  %s, %s", array_text(&c->l1, l1), km_tlb_policy_names[c->l1.policy]);
	printf(" (CPUID: %s)\n", array_text(&c->cpu.l1, l2));
	printf("L2 TLB       %s, %s", array_text(&c->l2, l1), km_tlb_policy_names[c->l2.policy]);
	printf(" (CPUID: %s)\n", array_text(&c->cpu.l2, l2));
	printf("CPUID        %s\n", c->cpu.source);
	printf("huge pages   %u of %u have one TLB entry%s\n", c->huge_real, c->huge_pages,
	       c->huge_real * 2 > c->huge_pages ? "" : ": a host backs them with 4 KiB pages");
	printf("counters     %s\n", c->pmu);
	if (c->kernel_why[0])
		printf("kernel       not measured: %s\n", c->kernel_why);
	km_tlb_count_again(c, &again, &apart);
	printf("points       %u; %u measured again because their rounds were apart, %u still are\n",
	       c->nr_points, again, apart);
	printf("one cycle    %.3f ns\n\n", c->cycle_ns);
}

/* How much better the chosen geometry explains the points than the next ones do. */
static void show_candidates(const struct km_tlb_calibration *c)
{
	static const char *const titles[] = {"L1", "error %>", "L2", "error %>"};
	struct km_table *table = km_table_new(4, titles);
	char text[48];

	for (unsigned i = 0; table && i < 2 * KM_TLB_CANDIDATES; i++) {
		const struct km_tlb_candidate *candidate = &c->candidates[i % 2][i / 2];

		km_table_cellf(table, "%s, %s", array_text(&candidate->array, text),
			       km_tlb_policy_names[candidate->array.policy]);
		km_table_cellf(table, "%.1f", candidate->error * 100);
	}
	km_table_print(table, stdout, KM_FORMAT_TABLE);
	km_table_free(table);
	printf("\n");
}

static void show_fits(const struct km_tlb_calibration *c)
{
	static const char *const titles[] = {
		"place",        "L2 hit ns>",   "walk ns>",          "walk cycles>",
		"far line ns>", "fit error %>", "held-out error %>", "worst %>"};
	struct km_table *table = km_table_new(8, titles);

	for (unsigned place = 0; table && place < KM_TLB_PLACES; place++) {
		const struct km_tlb_place_fit *fit = &c->fits[place];

		if (!fit->fitted)
			continue;
		km_table_cell(table, km_tlb_place_what[place]);
		km_table_cellf(table, "%.2f", fit->l2_hit_ns);
		km_table_cellf(table, "%.1f", fit->walk_ns);
		km_table_cellf(table, "%.0f", fit->walk_ns / c->cycle_ns);
		km_table_cellf(table, "%.1f", fit->far_ns);
		km_table_cellf(table, "%.1f", fit->fit_error * 100);
		km_table_cellf(table, "%.1f", fit->held_out_error * 100);
		km_table_cellf(table, "%.1f", fit->worst * 100);
	}
	km_table_print(table, stdout, KM_FORMAT_TABLE);
	km_table_free(table);
	printf("\n");
}

static void figure_cell(struct km_table *table, const struct km_bench_figure *figure)
{
	km_table_cellf(table, "%.2f [%.2f, %.2f]", figure->median, figure->low, figure->high);
}

/* What the same translations cost streams of loads. */
static void show_overlap(const struct km_tlb_overlap *overlap)
{
	static const char *const titles[] = {"pages", "loads", "L2 hit ns>", "walk ns>",
					     "far line ns>"};
	struct km_table *table;

	if (!overlap->cache.entries)
		return;
	table = km_table_new(5, titles);
	for (unsigned i = 0; table && i < 2 * KM_TLB_LOADS; i++) {
		const struct km_tlb_load_costs *costs =
			&overlap->costs[i / KM_TLB_LOADS][i % KM_TLB_LOADS];

		if (!costs->measured)
			continue;
		km_table_cell(table, i / KM_TLB_LOADS ? "2M" : "4K");
		km_table_cellf(table, "%s: %s", km_tlb_loads_names[i % KM_TLB_LOADS],
			       km_tlb_loads_what[i % KM_TLB_LOADS]);
		figure_cell(table, &costs->l2_hit);
		figure_cell(table, &costs->walk);
		figure_cell(table, &costs->line);
	}
	km_table_print(table, stdout, KM_FORMAT_TABLE);
	km_table_free(table);
	printf("medians and 95 %% intervals, user space, pages in order and shuffled; far: not in "
	       "the L1 data cache (%u lines)\n\n",
	       overlap->cache.entries);
}

static void number_or_dash(struct km_table *table, double value)
{
	if (isnan(value))
		km_table_cell(table, "-");
	else
		km_table_cellf(table, "%.3f", value);
}

static void show_counted(const struct km_tlb_calibration *c)
{
	static const char *const titles[] = {
		"counted in",  "pages>", "L1 misses/load>",   "model>",
		"walks/load>", "model>", "walk cycles/load>", "multiplexed"};
	struct km_table *table;

	if (!c->nr_counted)
		return;
	table = km_table_new(8, titles);
	for (unsigned i = 0; table && i < c->nr_counted; i++) {
		const struct km_tlb_counted *counted = &c->counted[i];

		km_table_cell(table, km_tlb_place_what[counted->place]);
		km_table_cellf(table, "%u", counted->pages);
		number_or_dash(table, counted->l1_misses);
		number_or_dash(table, counted->model_l1_misses);
		number_or_dash(table, counted->walks);
		number_or_dash(table, counted->model_walks);
		number_or_dash(table, counted->walk_cycles);
		km_table_cell(table, counted->multiplexed ? "yes, scaled" : "no");
	}
	km_table_print(table, stdout, KM_FORMAT_TABLE);
	km_table_free(table);
	printf("\n");
}

static int show(const struct km_tlb_calibration *c, enum km_format format)
{
	if (format == KM_FORMAT_JSON) {
		show_json(c);
	} else {
		if (format == KM_FORMAT_TABLE) {
			show_machine(c);
			show_candidates(c);
			show_fits(c);
			show_overlap(&c->overlap);
			show_counted(c);
		}
		show_points(c, format);
		if (format == KM_FORMAT_TABLE)
			printf("\nns per dependent load: lower decile of the rounds and its 95 %% "
			       "interval; fitted on every other point\n");
	}
	return c->calibrated ? KM_EXIT_OK : KM_EXIT_NO;
}

/* ---- calibrate ---- */

static void describe_machine(struct km_tlb_calibration *c)
{
	time_t now = time(NULL);
	struct utsname names;

	km_tlb_cpu_read(&c->cpu);
	if (!uname(&names))
		snprintf(c->kernel, sizeof(c->kernel), "%s", names.release);
	strftime(c->date, sizeof(c->date), "%Y-%m-%d", gmtime(&now));
	c->cycle_ns = km_tlb_cycle_ns();
}

/* Counters that were asked for and cannot be had are no error: the calibration says so. */
static int count_chains(struct km_tlb_calibration *c, bool asked, struct km_err *err)
{
	struct km_pmu_reading reading;
	struct km_pmu *pmu;
	int code = 0;

	km_pmu_open(&pmu, &reading);
	if (!pmu)
		snprintf(c->pmu, sizeof(c->pmu), "unavailable: %s", reading.why);
	else if (!asked)
		snprintf(c->pmu, sizeof(c->pmu),
			 "available, not asked for: 'kmlab tlb calibrate --source pmu' and 'kmlab "
			 "replay --source pmu' count with them");
	else
		snprintf(c->pmu, sizeof(c->pmu), "available; what they counted is kept");
	if (!pmu && asked)
		km_warn("nothing was counted: %s", reading.why);
	if (pmu && asked)
		code = km_tlb_count_user(c, pmu, err);
	km_pmu_close(pmu);
	return code;
}

/* Streams of loads, for the geometry that was found. */
static int measure_overlap(struct km_tlb_calibration *c, uint32_t rounds, struct km_err *err)
{
	struct km_tlb_spec spec = {
		.l1 = {c->l1},
		.l2 = {c->l2},
		.levels = 4,
		.host_size = c->huge_real * 2 <= c->huge_pages ? KM_TLB_4K : KM_TLB_1G,
	};

	spec.l1[0].holds = spec.l2[0].holds = KM_TLB_HOLDS_ALL;
	return km_tlb_overlap_measure(&c->overlap, &spec, rounds, err);
}

static int calibrate(struct km_tlb_calibration *c, const struct arguments *arguments,
		     const char *path, struct km_err *err)
{
	int code;

	describe_machine(c);
	code = km_tlb_measure_user(c, arguments->rounds, err);
	if (!code)
		code = km_tlb_measure_kernel(c, arguments->rounds, err);
	if (!code && c->kernel_why[0])
		km_note("only user space was measured: %s", c->kernel_why);
	if (!code)
		code = count_chains(c, arguments->count, err);
	if (!code)
		code = km_tlb_fit(c, NULL, err);
	if (!code)
		code = measure_overlap(c, arguments->rounds, err);
	if (!code)
		code = km_tlb_write(c, path, err);
	if (!code)
		km_note("the calibration is stored in %s", path);
	return code;
}

static int compare(struct arguments *arguments)
{
	struct km_err err = {""};
	int code;

	arguments->compare.format = arguments->common.format;
	arguments->compare.rounds = arguments->rounds;
	km_catch_interrupts();
	code = km_tlb_compare(&arguments->compare, &err);
	if (code == -EINTR || km_interrupted())
		return KM_EXIT_INTERRUPTED;
	return code ? km_error("%s", err.text) : KM_EXIT_OK;
}

int km_cmd_tlb(int argc, char **argv)
{
	static const struct argp argp = {
		argp_options, parse_option,       "calibrate|show\ncompare T.kmt",
		doc,          km_common_children, NULL,
		NULL};
	static struct km_tlb_calibration calibration;
	struct arguments arguments = {
		.compare = {.tlb = "host", .top = 10, .maps = 7, .kvmalloc_bytes = 16384},
	};
	struct km_err err = {""};
	char *path;
	int code;

	km_access_parse("A0", &arguments.compare.access, NULL);
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return KM_EXIT_ERROR;
	if (!strcmp(arguments.action, "compare"))
		return compare(&arguments);
	path = arguments.file ? strdup(arguments.file) : km_tlb_default_path();
	if (!path)
		return km_error("no memory to read the arguments");
	km_catch_interrupts();
	if (!strcmp(arguments.action, "show"))
		code = km_tlb_read_file(&calibration, path, &err);
	else
		code = calibrate(&calibration, &arguments, path, &err);
	free(path);
	if (code == -EINTR || km_interrupted())
		return KM_EXIT_INTERRUPTED;
	if (code)
		return km_error("%s", err.text);
	code = show(&calibration, arguments.common.format);
	/* Asked for and not there: the answer is no. */
	return arguments.count && !calibration.nr_counted ? KM_EXIT_NO : code;
}
