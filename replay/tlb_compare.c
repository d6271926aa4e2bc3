/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What placement costs: every size class by kmalloc in each direct map, by vmalloc, by
 * vmalloc_huge() and by kvmalloc; or, for the call sites that ask for most, what changes if that
 * site alone used vmalloc.
 */
#include "replay/tlb_compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/call_cost.h"
#include "replay/loss.h"
#include "replay/tlb_calibration.h"
#include "results/term.h"

#define MODELS 4 /* slub, vmalloc, vmalloc_huge, kvmalloc:BYTES */

struct comparing {
	const struct km_tlb_comparison *asked;
	struct km_trace *trace;
	struct km_start start;
	struct km_program *program;
	struct km_tlb_choice tlb;
	struct km_model_choice models[MODELS];
	struct km_compare_document document;
	size_t room;
	struct km_call_costs *calls; /* of the placements that are compared now; NULL: not timed */
	struct km_touches *touches;
	struct km_err *err;
};

static int measure(struct comparing *comparing, unsigned model, uint32_t site,
		   struct km_tlb_measures **measures)
{
	const struct km_tlb_pass pass = {
		.program = comparing->program,
		.trace = comparing->trace,
		.start = &comparing->start,
		.model = &comparing->models[model],
		.tlb = &comparing->tlb,
		.access = &comparing->asked->access,
		.split_percent = comparing->asked->split_percent,
		.seed = 1,
		.by_site = comparing->asked->by_site,
		.site_map = KM_TLB_MAP_2M,
		.share_access = comparing->asked->access.which,
		.site_to_vmalloc = site,
	};

	return km_tlb_measure(&pass, measures, comparing->err);
}

/* What the host gave and did not give is the same for all of one command. */
static void keep_touches(struct comparing *comparing, struct km_touches *touches)
{
	free(comparing->touches);
	comparing->touches = touches;
	comparing->document.coverage = touches->coverage;
	memcpy(comparing->document.why, touches->why, sizeof(touches->why));
	memcpy(comparing->document.gives, touches->gives, sizeof(touches->gives));
}

static int measure_times(struct comparing *comparing, const struct km_placement *placements,
			 unsigned nr_placements, uint32_t site)
{
	const struct km_tlb_comparison *asked = comparing->asked;
	const struct km_placing placing = {
		.program = comparing->program,
		.trace = comparing->trace,
		.start = &comparing->start,
		.tlb = &comparing->tlb,
		.predict = !strcmp(asked->tlb, "host"),
		.access = &asked->access,
		.split_percent = asked->split_percent,
		.rounds = asked->rounds,
		.seed = 1,
		.placements = placements,
		.nr_placements = nr_placements,
		.site = site,
	};
	struct km_touches *touches;
	int code;

	if (!asked->rounds)
		return 0;
	free(comparing->calls);
	comparing->calls = NULL;
	code = km_call_measure(&placing, &comparing->calls, comparing->err);
	if (!code)
		code = km_touch_measure(&placing, &touches, comparing->err);
	if (!code)
		keep_touches(comparing, touches);
	return code;
}

/* ---- rows ---- */

static struct km_compare_row *new_row(struct comparing *comparing)
{
	struct km_compare_document *document = &comparing->document;
	struct km_compare_row *row;

	if (document->nr_rows == comparing->room) {
		size_t room = comparing->room ? 2 * comparing->room : 64;
		struct km_compare_row *rows =
			realloc(document->rows, room * sizeof(*document->rows));

		if (!rows) {
			km_fail(comparing->err, -ENOMEM, "no memory for a table");
			return NULL;
		}
		document->rows = rows;
		comparing->room = room;
	}
	row = &document->rows[document->nr_rows++];
	for (unsigned i = 0; i < KM_COMPARE_NR_COLUMNS; i++)
		row->values[i] = (struct km_bench_figure){NAN, NAN, NAN};
	return row;
}

static void fill_share(const struct comparing *comparing, const struct km_tlb_share *share,
		       struct km_compare_row *row)
{
	const struct km_tlb_counts *counts = &share->counts;
	struct km_bench_figure *values = row->values;

	values[KM_COMPARE_OBJECTS].median = (double)share->objects;
	values[KM_COMPARE_ASKED].median = (double)share->asked;
	if (share->placed)
		values[KM_COMPARE_WASTE].median =
			100 * (1 - (double)share->asked / (double)share->placed);
	values[KM_COMPARE_L1].median = km_tlb_per_kref(counts->l1_misses, counts);
	values[KM_COMPARE_L2].median = km_tlb_per_kref(counts->l2_misses, counts);
	if (!share->objects)
		return;
	values[KM_COMPARE_WALK].median =
		(double)km_tlb_walk_cycles(&comparing->tlb.spec, counts) / (double)share->objects;
	values[KM_COMPARE_WALK_LEAST].median =
		km_tlb_overlapped_walk_cycles(&comparing->tlb, counts) / (double)share->objects;
}

static void fill_whole(const struct km_tlb_measures *whole, unsigned map,
		       struct km_compare_row *row)
{
	row->values[KM_COMPARE_WORKING_SET].median = whole->working_set[map][1];
	row->values[KM_COMPARE_PAGES].median = whole->pages_peak;
	row->values[KM_COMPARE_TABLES].median = whole->page_table_peak;
}

static void fill_times(const struct comparing *comparing, unsigned placement, unsigned map,
		       unsigned subset, struct km_compare_row *row)
{
	struct km_bench_figure *values = row->values;

	if (comparing->calls && comparing->calls->figures[placement][subset].pairs) {
		const struct km_call_figures *call = &comparing->calls->figures[placement][subset];

		values[KM_COMPARE_CALL] = call->ns;
		values[KM_COMPARE_CALL_RATIO].median = call->ratio;
	}
	if (comparing->touches && comparing->touches->figures[placement][map][subset].touches) {
		const struct km_touch_figures *touch =
			&comparing->touches->figures[placement][map][subset];

		values[KM_COMPARE_TOUCH] = touch->ns;
		values[KM_COMPARE_TOUCH_FLAT] = touch->flat_ns;
		values[KM_COMPARE_TRANSLATION] = touch->translation_ns;
		values[KM_COMPARE_OVERLAPPED].median = touch->predicted_ns[KM_TLB_OVERLAPPED];
		values[KM_COMPARE_PREDICTED].median = touch->predicted_ns[KM_TLB_DEPENDENT];
	}
}

/* ---- by size class ---- */

static void add_counts(struct km_tlb_share *into, const struct km_tlb_share *from)
{
	into->objects += from->objects;
	into->asked += from->asked;
	into->placed += from->placed;
}

/* All classes together; touches between operations belong to none. */
static struct km_tlb_share whole_share(const struct comparing *comparing,
				       const struct km_tlb_measures *measures, unsigned map)
{
	struct km_tlb_share all = {.counts = measures->lanes[comparing->asked->access.which][map]};

	for (unsigned i = 0; i < KM_SIZE_CLASSES; i++)
		add_counts(&all, &measures->classes[i][map]);
	return all;
}

static int class_row(struct comparing *comparing, unsigned class,
		     const struct km_tlb_measures *measures, unsigned model, unsigned map)
{
	bool all = class == KM_SIZE_CLASSES;
	struct km_tlb_share share =
		all ? whole_share(comparing, measures, map) : measures->classes[class][map];
	struct km_compare_row *row;

	if (!all && !share.objects)
		return 0;
	row = new_row(comparing);
	if (!row)
		return -ENOMEM;
	snprintf(row->what, sizeof(row->what), "%s", all ? "all" : km_size_class_names[class]);
	if (model)
		snprintf(row->placement, sizeof(row->placement), "%s",
			 comparing->models[model].text);
	else if (map == KM_TLB_SPLIT)
		snprintf(row->placement, sizeof(row->placement),
			 "kmalloc, 2M direct map, %u %% split", comparing->asked->split_percent);
	else
		snprintf(row->placement, sizeof(row->placement), "kmalloc, %s direct map",
			 km_tlb_map_name(map));
	fill_share(comparing, &share, row);
	if (all)
		fill_whole(measures, map, row);
	fill_times(comparing, model, map, all ? 0 : class + 1, row);
	return 0;
}

static int class_rows(struct comparing *comparing, unsigned class,
		      struct km_tlb_measures *const *measures)
{
	int code = 0;

	for (unsigned map = 0; map < KM_TLB_MAPS && !code; map++)
		if (comparing->asked->maps >> map & 1)
			code = class_row(comparing, class, measures[0], 0, map);
	for (unsigned model = 1; model < MODELS && !code; model++)
		code = class_row(comparing, class, measures[model], model, KM_TLB_MAP_2M);
	return code;
}

static int by_class(struct comparing *comparing)
{
	struct km_tlb_measures *measures[MODELS] = {0};
	struct km_placement placements[MODELS];
	int code = 0;

	for (unsigned i = 0; i < MODELS && !code; i++) {
		placements[i] = (struct km_placement){
			.model = &comparing->models[i],
			.site_to_vmalloc = UINT32_MAX,
			.maps = i ? 1u << KM_TLB_MAP_2M : comparing->asked->maps,
		};
		code = measure(comparing, i, UINT32_MAX, &measures[i]);
	}
	if (!code)
		code = measure_times(comparing, placements, MODELS, UINT32_MAX);
	for (unsigned class = 0; class <= KM_SIZE_CLASSES && !code; class ++)
		code = class_rows(comparing, class, measures);
	for (unsigned i = 0; i < MODELS; i++)
		km_tlb_measures_free(measures[i]);
	return code;
}

/* ---- by call site ---- */

static int site_rows(struct comparing *comparing, uint32_t site,
		     const struct km_tlb_measures *before, const struct km_tlb_measures *after)
{
	const struct km_trace_site *sites = km_trace_site_table(comparing->trace, &(uint32_t){0});
	char text[KM_SITE_TEXT];

	for (unsigned i = 0; i < 2; i++) {
		const struct km_tlb_measures *measures = i ? after : before;
		struct km_compare_row *row = new_row(comparing);

		if (!row)
			return -ENOMEM;
		snprintf(row->what, sizeof(row->what), "%s",
			 km_trace_site_text(&sites[site], text));
		snprintf(row->placement, sizeof(row->placement), i ? "vmalloc" : "kmalloc");
		fill_share(comparing, &measures->sites[site], row);
		fill_whole(measures, KM_TLB_MAP_2M, row);
		fill_times(comparing, i, KM_TLB_MAP_2M, 1, row);
	}
	return 0;
}

static int compare_site(struct comparing *comparing, uint32_t site,
			const struct km_tlb_measures *before)
{
	const struct km_placement placements[2] = {
		{&comparing->models[0], UINT32_MAX, 1u << KM_TLB_MAP_2M},
		{&comparing->models[0], site, 1u << KM_TLB_MAP_2M},
	};
	struct km_tlb_measures *after;
	int code = measure(comparing, 0, site, &after);

	if (code)
		return code;
	code = measure_times(comparing, placements, 2, site);
	if (!code)
		code = site_rows(comparing, site, before, after);
	km_tlb_measures_free(after);
	return code;
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

/* Sites that are not asked for count as chosen. 0, or -ENOENT when none is left. */
static int keep_named(const struct comparing *comparing, const struct km_tlb_measures *measures,
		      bool *chosen)
{
	const struct km_trace_site *sites = km_trace_site_table(comparing->trace, &(uint32_t){0});
	const char *name = comparing->asked->site;
	char text[KM_SITE_TEXT];
	bool any = !name;

	for (uint32_t i = 0; name && i < measures->nr_sites; i++) {
		chosen[i] = !strstr(km_trace_site_text(&sites[i], text), name);
		any |= !chosen[i] && measures->sites[i].objects;
	}
	return any ? 0
		   : km_fail(comparing->err, -ENOENT,
			     "%s: no object was allocated by a call site with '%s' in its name; "
			     "'kmlab stat --by site' lists them",
			     comparing->asked->trace, name);
}

static int by_site(struct comparing *comparing)
{
	struct km_tlb_measures *before = NULL;
	bool *chosen = NULL;
	int code = measure(comparing, 0, UINT32_MAX, &before);

	if (!code)
		chosen = calloc(before->nr_sites + 1, sizeof(*chosen));
	if (!code && !chosen)
		code = km_fail(comparing->err, -ENOMEM, "no memory for the call sites");
	if (!code)
		code = keep_named(comparing, before, chosen);
	for (unsigned i = 0; i < comparing->asked->top && !code; i++) {
		uint32_t site = next_site(before, chosen);

		if (site == UINT32_MAX)
			break;
		chosen[site] = true;
		code = compare_site(comparing, site, before);
	}
	free(chosen);
	km_tlb_measures_free(before);
	return code;
}

/* ---- the command ---- */

/* 2 MiB pages that the guest maps may be 4 KiB pages for the TLB. */
static void describe_splinters(struct km_compare_document *document)
{
	static struct km_tlb_calibration calibration;
	char *path = km_tlb_default_path();

	if (path && !km_tlb_read_file(&calibration, path, NULL) && calibration.huge_pages)
		snprintf(document->splinters, sizeof(document->splinters),
			 "2 MiB pages: %u of %u had one TLB entry when this machine was "
			 "calibrated%s",
			 calibration.huge_real, calibration.huge_pages,
			 2 * calibration.huge_real > calibration.huge_pages
				 ? ""
				 : ": a hypervisor backs the others with smaller pages");
	free(path);
}

static int choose_models(struct comparing *comparing, struct km_err *err)
{
	char kvmalloc[64];
	const char *const names[MODELS] = {"slub", "vmalloc", "vmalloc_huge", kvmalloc};
	int code = 0;

	snprintf(kvmalloc, sizeof(kvmalloc), "kvmalloc:%llu",
		 (unsigned long long)comparing->asked->kvmalloc_bytes);
	for (unsigned i = 0; i < MODELS && !code; i++)
		code = km_model_choice_parse(names[i], &comparing->models[i], err);
	return code;
}

static int prepare(struct comparing *comparing, struct km_err *err)
{
	int code = km_tlb_choose(comparing->asked->tlb, &comparing->tlb, err);

	if (!code)
		code = choose_models(comparing, err);
	if (!code)
		code = km_trace_open(comparing->asked->trace, &comparing->trace, err);
	if (!code)
		code = km_refuse_loss(comparing->trace, comparing->asked->trace,
				      comparing->asked->allow_loss, err);
	if (!code)
		code = km_start_read(comparing->trace, &comparing->start, err);
	if (!code)
		code = km_compile(comparing->trace, NULL, NULL, &comparing->program, err);
	if (!code)
		comparing->document.trace_coverage =
			km_coverage(comparing->trace, comparing->program);
	return code;
}

int km_tlb_compare(const struct km_tlb_comparison *asked, struct km_err *err)
{
	struct comparing comparing = {
		.asked = asked,
		.document = {.asked = asked, .tlb = &comparing.tlb},
		.err = err,
	};
	int code = prepare(&comparing, err);

	if (!code && asked->rounds)
		describe_splinters(&comparing.document);
	if (!code)
		code = asked->by_site ? by_site(&comparing) : by_class(&comparing);
	if (!code)
		km_compare_print(&comparing.document);
	free(comparing.document.rows);
	free(comparing.calls);
	free(comparing.touches);
	km_program_free(comparing.program);
	km_trace_close(comparing.trace);
	return code;
}
