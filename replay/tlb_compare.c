/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What placement costs, table by table: every size class by kmalloc in each direct map, by vmalloc
 * and by kvmalloc; or, for the call sites that ask for most, what changes if that site alone used
 * vmalloc. The TLB model's counts under access A0.
 */
#include "replay/tlb_compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/tlb_access.h"
#include "results/term.h"

struct comparing {
	const struct km_tlb_comparison *asked;
	struct km_trace *trace;
	struct km_start start;
	struct km_program *program;
	struct km_tlb_choice tlb;
	struct km_table *table;
};

static int measure(struct comparing *comparing, const char *model, uint32_t site,
		   struct km_tlb_measures **measures, struct km_err *err)
{
	struct km_model_choice choice;
	const struct km_tlb_pass pass = {
		.program = comparing->program,
		.trace = comparing->trace,
		.start = &comparing->start,
		.model = &choice,
		.tlb = &comparing->tlb,
		.seed = 1,
		.by_site = comparing->asked->by_site,
		.site_to_vmalloc = site,
	};
	int code = km_model_choice_parse(model, &choice, err);

	return code ? code : km_tlb_measure(&pass, measures, err);
}

static void cell_number(struct km_table *table, const char *format, double value)
{
	if (isnan(value))
		km_table_cell(table, "-");
	else
		km_table_cellf(table, format, value);
}

static double waste(const struct km_tlb_share *share)
{
	return share->placed ? 100 * (1 - (double)share->asked / (double)share->placed) : NAN;
}

static double cycles_per_object(const struct comparing *comparing, const struct km_tlb_share *share)
{
	return share->objects ? (double)km_tlb_walk_cycles(&comparing->tlb.spec, &share->counts) /
					(double)share->objects
			      : NAN;
}

/* ---- by size class ---- */

static const char *const class_titles[] = {"size",
					   "placement",
					   "objects>",
					   "waste %>",
					   "L1 miss/kref>",
					   "L2 miss/kref>",
					   "walk cycles/object>",
					   "pages/1000 ops>",
					   "peak pages>",
					   "page tables KiB>"};
#define NR_CLASS_TITLES (sizeof(class_titles) / sizeof(class_titles[0]))

static void class_row(struct comparing *comparing, const char *name, const char *placement,
		      const struct km_tlb_share *share, const struct km_tlb_measures *whole,
		      unsigned map)
{
	struct km_table *table = comparing->table;

	km_table_cell(table, name);
	km_table_cell(table, placement);
	km_table_cellf(table, "%llu", (unsigned long long)share->objects);
	cell_number(table, "%.1f", waste(share));
	cell_number(table, "%.2f", km_tlb_per_kref(share->counts.l1_misses, &share->counts));
	cell_number(table, "%.2f", km_tlb_per_kref(share->counts.l2_misses, &share->counts));
	cell_number(table, "%.1f", cycles_per_object(comparing, share));
	cell_number(table, "%.1f", whole ? whole->working_set[map][1] : NAN);
	cell_number(table, "%.0f", whole ? whole->pages_peak : NAN);
	cell_number(table, "%.0f", whole ? whole->page_table_peak / 1024 : NAN);
}

static void add_share(struct km_tlb_share *into, const struct km_tlb_share *from)
{
	into->objects += from->objects;
	into->asked += from->asked;
	into->placed += from->placed;
	into->counts.refs += from->counts.refs;
	into->counts.l1_misses += from->counts.l1_misses;
	into->counts.l2_misses += from->counts.l2_misses;
	for (unsigned i = 0; i < KM_TLB_SIZES; i++)
		into->counts.walks[i] += from->counts.walks[i];
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS; i++)
		into->counts.lines[i] += from->counts.lines[i];
}

static const struct {
	const char *model, *placement;
	unsigned map; /* index of km_tlb_maps */
} placements[] = {
	{"slub", "kmalloc, 1G direct map", 0},   {"slub", "kmalloc, 2M direct map", 1},
	{"slub", "kmalloc, 4K direct map", 2},   {"vmalloc", "vmalloc", 0},
	{"kvmalloc:16384", "kvmalloc:16384", 0},
};
#define NR_PLACEMENTS (sizeof(placements) / sizeof(placements[0]))

static int by_class(struct comparing *comparing, struct km_err *err)
{
	struct km_tlb_measures *measures[NR_PLACEMENTS] = {0};
	int code = 0;

	for (unsigned i = 0; i < NR_PLACEMENTS && !code; i++)
		if (!placements[i].map)
			code = measure(comparing, placements[i].model, UINT32_MAX, &measures[i],
				       err);
	for (unsigned class = 0; class <= KM_SIZE_CLASSES && !code; class ++)
		for (unsigned i = 0; i < NR_PLACEMENTS; i++) {
			unsigned map = placements[i].map;
			const struct km_tlb_measures *from = measures[i - map];
			struct km_tlb_share all = {{0}, 0, 0, 0};

			if (class < KM_SIZE_CLASSES && from->classes[class][map].objects)
				class_row(comparing, km_size_class_names[class],
					  placements[i].placement, &from->classes[class][map], NULL,
					  map);
			for (unsigned k = 0; k < KM_SIZE_CLASSES; k++)
				add_share(&all, &from->classes[k][map]);
			if (class == KM_SIZE_CLASSES)
				class_row(comparing, "all", placements[i].placement, &all, from,
					  map);
		}
	for (unsigned i = 0; i < NR_PLACEMENTS; i++)
		km_tlb_measures_free(measures[i]);
	return code;
}

/* ---- by call site ---- */

static const char *const site_titles[] = {"call site",
					  "objects>",
					  "bytes asked>",
					  "waste kmalloc %>",
					  "waste vmalloc %>",
					  "peak pages +>",
					  "page tables KiB>",
					  "L2 miss/kref kmalloc>",
					  "L2 miss/kref vmalloc>",
					  "walk cycles/object kmalloc>",
					  "walk cycles/object vmalloc>"};
#define NR_SITE_TITLES (sizeof(site_titles) / sizeof(site_titles[0]))

static void site_row(struct comparing *comparing, uint32_t site,
		     const struct km_tlb_measures *before, const struct km_tlb_measures *after)
{
	const struct km_tlb_share *kmalloc = &before->sites[site], *vmalloc = &after->sites[site];
	const struct km_trace_site *sites = km_trace_site_table(comparing->trace, &(uint32_t){0});
	struct km_table *table = comparing->table;
	char text[KM_SITE_TEXT];

	km_table_cell(table, km_trace_site_text(&sites[site], text));
	km_table_cellf(table, "%llu", (unsigned long long)kmalloc->objects);
	km_table_cellf(table, "%llu", (unsigned long long)kmalloc->asked);
	cell_number(table, "%.1f", waste(kmalloc));
	cell_number(table, "%.1f", waste(vmalloc));
	cell_number(table, "%+.0f", after->pages_peak - before->pages_peak);
	cell_number(table, "%.0f", after->page_table_peak / 1024);
	cell_number(table, "%.2f", km_tlb_per_kref(kmalloc->counts.l2_misses, &kmalloc->counts));
	cell_number(table, "%.2f", km_tlb_per_kref(vmalloc->counts.l2_misses, &vmalloc->counts));
	cell_number(table, "%.1f", cycles_per_object(comparing, kmalloc));
	cell_number(table, "%.1f", cycles_per_object(comparing, vmalloc));
}

/* The site that asked for most and was not chosen yet; UINT32_MAX: none is left. */
static uint32_t next_site(const struct km_tlb_measures *measures, const bool *chosen)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < measures->nr_sites; i++)
		if (!chosen[i] && measures->sites[i].objects &&
		    (best == UINT32_MAX || measures->sites[i].asked > measures->sites[best].asked))
			best = i;
	return best;
}

static int by_site(struct comparing *comparing, struct km_err *err)
{
	struct km_tlb_measures *before = NULL, *after;
	bool *chosen = NULL;
	int code = measure(comparing, "slub", UINT32_MAX, &before, err);

	if (!code)
		chosen = calloc(before->nr_sites + 1, sizeof(*chosen));
	if (!code && !chosen)
		code = km_fail(err, -ENOMEM, "no memory for the call sites");
	for (unsigned i = 0; i < comparing->asked->top && !code; i++) {
		uint32_t site = next_site(before, chosen);

		if (site == UINT32_MAX)
			break;
		chosen[site] = true;
		code = measure(comparing, "slub", site, &after, err);
		if (code)
			break;
		site_row(comparing, site, before, after);
		km_tlb_measures_free(after);
	}
	free(chosen);
	km_tlb_measures_free(before);
	return code;
}

/* ---- the command ---- */

static int prepare(struct comparing *comparing, struct km_err *err)
{
	bool sites = comparing->asked->by_site;
	int code = km_tlb_choose(comparing->asked->tlb, &comparing->tlb, err);

	if (!code)
		code = km_trace_open(comparing->asked->trace, &comparing->trace, err);
	if (!code)
		code = km_start_read(comparing->trace, &comparing->start, err);
	if (!code)
		code = km_compile(comparing->trace, NULL, NULL, &comparing->program, err);
	if (code)
		return code;
	comparing->table = sites ? km_table_new(NR_SITE_TITLES, site_titles)
				 : km_table_new(NR_CLASS_TITLES, class_titles);
	return comparing->table ? 0 : km_fail(err, -ENOMEM, "no memory for a table");
}

int km_tlb_compare(const struct km_tlb_comparison *asked, struct km_err *err)
{
	struct comparing comparing = {.asked = asked};
	int code = prepare(&comparing, err);

	if (!code)
		code = asked->by_site ? by_site(&comparing, err) : by_class(&comparing, err);
	if (!code)
		km_table_print(comparing.table, stdout, asked->format);
	if (!code && asked->format == KM_FORMAT_TABLE)
		printf("\nTLB model, access A0 (allocator's records, first and last line of each "
		       "object): %s%s%s\n",
		       comparing.tlb.text,
		       comparing.tlb.calibrated ? "" : "; not calibrated: ", comparing.tlb.why);
	km_table_free(comparing.table);
	km_program_free(comparing.program);
	km_trace_close(comparing.trace);
	return code;
}
