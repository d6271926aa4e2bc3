/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab fidelity: how closely the models reproduce what the traced kernel did. */
#include <math.h>
#include <stdlib.h>

#include "replay/commands.h"
#include "replay/fidelity.h"
#include "replay/page_fidelity.h"
#include "replay/vmap_fidelity.h"
#include "results/options.h"
#include "results/term.h"

static const char doc[] =
	"Compare the trace's own kernel model with what that kernel did: the size class of every "
	"kmalloc, the geometry of every cache, the slab every object was put in; of vmalloc, the "
	"size of every area and when what was freed was purged.\v"
	"slab_choice: allocations in the slab that the model, on its own from the start, takes "
	"them from. Recorded with 'capture --shrink' the start is exact, and 'all calls seen' is "
	"the part from caches whose lists at the end agree with the traced calls; 'unseen' counts "
	"the others' proven gaps, 'placed' those that were made where the kernel's choices show "
	"that they had been. switches: right ones, the model put right after each wrong one. "
	"reordered: calls of two CPUs within 3 us, taken in the kernel's order. What is kmalloc's "
	"by its events, but lies in slabs that lists or call sites show to be msg_msg's or "
	"memdup_user's, has rows of its own; where neither tells, it counts under kmalloc-N.\n"
	"\n"
	"EXAMPLES\n"
	"  sudo kmlab capture --shrink -o a.kmt -- make\n"
	"  kmlab fidelity a.kmt\n"
	"  kmlab fidelity a.kmt --format json\n"
	"  kmlab fidelity --buddyinfo pages.kmt        # recorded with capture -e page";

enum { OPT_SEED = 256, OPT_BUDDYINFO };

struct options {
	const char *trace;
	uint64_t seed;
	bool buddyinfo;
	struct km_common_options common;
};

static const struct argp_option argp_options[] = {
	{"seed", OPT_SEED, "N", 0, "Seed of placement and freelist order (default 1)", 0},
	{"buddyinfo", OPT_BUDDYINFO, NULL, 0,
	 "Replay the page events instead: /proc/buddyinfo at the end, the model's and the kernel's",
	 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->common;
		return 0;
	case OPT_SEED:
		options->seed = km_parse_number(state, "--seed", arg, 0, UINT64_MAX);
		return 0;
	case OPT_BUDDYINFO:
		options->buddyinfo = true;
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		km_take_trace(state, arg, &options->trace);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- documents ---- */

static void emit_score(struct km_json *json, const char *key, const struct km_score *score)
{
	km_json_object(json, key);
	km_json_u64(json, "checked", score->checked);
	km_json_u64(json, "matched", score->matched);
	km_json_close(json);
}

static void emit_pair(struct km_json *json, const char *key, int64_t model, int64_t kernel)
{
	km_json_object(json, key);
	km_json_f64(json, "model", model < 0 ? NAN : (double)model);
	km_json_f64(json, "kernel", kernel < 0 ? NAN : (double)kernel);
	km_json_close(json);
}

static void emit_vmap(struct km_json *json, const struct km_vmap_fidelity *vmap)
{
	km_json_object(json, "vmap");
	km_json_u64(json, "areas", vmap->areas);
	km_json_u64(json, "areas_without_array", vmap->without_array);
	emit_score(json, "sizes", &vmap->sizes);
	km_json_object(json, "purges");
	km_json_u64(json, "kernel", vmap->purges_kernel);
	km_json_u64(json, "model", vmap->purges_model);
	km_json_u64(json, "matched", vmap->purges_matched);
	km_json_u64(json, "early_after_own_free", vmap->early_own);
	km_json_u64(json, "early_other", vmap->early_other);
	km_json_u64(json, "late_frees", vmap->late_frees);
	km_json_u64(json, "lazy_max_pages", vmap->lazy_max);
	km_json_u64(json, "lazy_end_pages", vmap->lazy_open);
	km_json_u64(json, "unknown_frees", vmap->unknown_frees);
	emit_score(json, "areas", &vmap->purged_areas);
	emit_score(json, "range", &vmap->purged_range);
	km_json_close(json);
	km_json_close(json);
}

static void print_json(const struct km_fidelity *fidelity, const struct km_vmap_fidelity *vmap,
		       const struct km_start *start)
{
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "profile", start->profile->name);
	emit_score(&json, "bytes_alloc", &fidelity->bytes_alloc);
	emit_score(&json, "geometry", &fidelity->geometry);
	emit_score(&json, "slab_choice", &fidelity->slab_choice);
	emit_score(&json, "switches", &fidelity->switches);
	emit_score(&json, "slab_choice_seen", &fidelity->slab_choice_seen);
	emit_score(&json, "slab_choice_sheaves", &fidelity->slab_choice_sheaves);
	km_json_array(&json, "caches");
	for (size_t i = 0; i < fidelity->nr_caches; i++) {
		const struct km_cache_fidelity *row = &fidelity->caches[i];

		km_json_object(&json, NULL);
		km_json_str(&json, "name", row->name);
		emit_score(&json, "slab_choice", &row->slab_choice);
		emit_score(&json, "switches", &row->switches);
		km_json_u64(&json, "unseen", row->unseen);
		km_json_u64(&json, "placed", row->placed);
		km_json_bool(&json, "all_seen", row->all_seen);
		km_json_u64(&json, "reordered", row->reordered);
		km_json_bool(&json, "sheaves", row->sheaves);
		emit_pair(&json, "slabs", row->slabs_model, row->slabs_kernel);
		emit_pair(&json, "partial", row->partial_model, row->partial_kernel);
		emit_pair(&json, "cpu_slabs", row->cpu_slabs_model, row->cpu_slabs_kernel);
		km_json_close(&json);
	}
	km_json_close(&json);
	emit_pair(&json, "pages", fidelity->pages_model, fidelity->pages_kernel);
	emit_vmap(&json, vmap);
	km_json_end(&json);
}

static void cell_pair(struct km_table *table, int64_t model, int64_t kernel)
{
	if (model < 0 || kernel < 0)
		km_table_cell(table, "-");
	else
		km_table_cellf(table, "%lld / %lld", (long long)model, (long long)kernel);
}

static void cell_count(struct km_table *table, uint64_t count, bool known)
{
	if (known)
		km_table_cellf(table, "%llu", (unsigned long long)count);
	else
		km_table_cell(table, "-");
}

/* A line of the table; row NULL: a total. */
static void print_row(struct km_table *table, const char *name, const struct km_score *score,
		      const struct km_score *switches, const struct km_cache_fidelity *row)
{
	char text[16];

	km_table_cell(table, name);
	cell_count(table, score->checked, true);
	cell_count(table, score->matched, true);
	km_table_cell(table, km_score_text(score, text));
	cell_count(table, switches ? switches->checked : 0, switches && switches->checked);
	km_table_cell(table, switches ? km_score_text(switches, text) : "-");
	cell_count(table, row ? row->unseen : 0, row);
	cell_count(table, row ? row->placed : 0, row);
	cell_count(table, row ? row->reordered : 0, row);
	cell_pair(table, row ? row->slabs_model : -1, row ? row->slabs_kernel : -1);
	cell_pair(table, row ? row->partial_model : -1, row ? row->partial_kernel : -1);
	cell_pair(table, row ? row->cpu_slabs_model : -1, row ? row->cpu_slabs_kernel : -1);
	km_table_cell(table, row && row->sheaves ? "sheaves: not in the totals" : "");
}

/* Counts of vmalloc in the same columns; the note says what they are. */
static void print_vmap(struct km_table *table, const struct km_vmap_fidelity *vmap)
{
	const struct {
		const char *name;
		struct km_score score;
	} rows[] = {
		{"vmalloc: area sizes", vmap->sizes},
		{"vmalloc: purges", {vmap->purges_kernel, vmap->purges_matched}},
		{"vmalloc: areas of a purge", vmap->purged_areas},
		{"vmalloc: range of a purge", vmap->purged_range},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && vmap->areas; i++) {
		const struct km_score *score = &rows[i].score;
		char text[16];

		km_table_cell(table, rows[i].name);
		cell_count(table, score->checked, true);
		cell_count(table, score->matched, true);
		km_table_cell(table, km_score_text(score, text));
		for (unsigned column = 4; column < 12; column++)
			km_table_cell(table, "-");
		if (i == 0)
			km_table_cellf(table, "%llu more without a page array",
				       (unsigned long long)vmap->without_array);
		else if (i == 1)
			km_table_cellf(table,
				       "due in the model %llu; early %llu after the task's own "
				       "free, %llu others",
				       (unsigned long long)vmap->purges_model,
				       (unsigned long long)vmap->early_own,
				       (unsigned long long)vmap->early_other);
		else
			km_table_cell(table, "");
	}
}

static void print_rows(const struct km_fidelity *fidelity, const struct km_vmap_fidelity *vmap,
		       enum km_format format)
{
	static const char *const titles[] = {
		"what",     "checked>",   "matched>", "score>",     "switches>",
		"right>",   "unseen>",    "placed>",  "reordered>", "slabs model/kernel>",
		"partial>", "cpu_slabs>", "note"};
	struct km_table *table = km_table_new(sizeof(titles) / sizeof(titles[0]), titles);

	if (!table)
		return;
	print_row(table, "bytes_alloc", &fidelity->bytes_alloc, NULL, NULL);
	print_row(table, "geometry", &fidelity->geometry, NULL, NULL);
	print_row(table, "slab_choice", &fidelity->slab_choice, &fidelity->switches, NULL);
	print_row(table, "slab_choice, all calls seen", &fidelity->slab_choice_seen, NULL, NULL);
	print_row(table, "slab_choice, sheaf caches", &fidelity->slab_choice_sheaves, NULL, NULL);
	for (size_t i = 0; i < fidelity->nr_caches; i++) {
		const struct km_cache_fidelity *row = &fidelity->caches[i];

		print_row(table, row->name, &row->slab_choice, &row->switches, row);
	}
	print_vmap(table, vmap);
	km_table_print(table, stdout, format);
	km_table_free(table);
}

/* ---- /proc/buddyinfo ---- */

static const char *const zone_names[KM_NR_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};

static void pages_json(const struct km_page_fidelity *pages)
{
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_array(&json, "buddyinfo");
	for (unsigned zone = 0; zone < KM_NR_ZONES; zone++)
		for (unsigned order = 0; pages->kernel.present[zone] && order < KM_NR_ORDERS;
		     order++) {
			km_json_object(&json, NULL);
			km_json_str(&json, "zone", zone_names[zone]);
			km_json_u64(&json, "order", order);
			km_json_u64(&json, "start", pages->start.blocks[zone][order]);
			km_json_u64(&json, "model", pages->model.blocks[zone][order]);
			km_json_u64(&json, "kernel", pages->kernel.blocks[zone][order]);
			km_json_close(&json);
		}
	km_json_close(&json);
	km_json_u64(&json, "allocs", pages->allocs);
	km_json_u64(&json, "frees", pages->frees);
	km_json_u64(&json, "old_frees", pages->old_frees);
	km_json_u64(&json, "lost_frees", pages->lost_frees);
	km_json_u64(&json, "failed", pages->failed);
	km_json_u64(&json, "implied", pages->implied);
	km_json_u64(&json, "other_zone", pages->other_zone);
	km_json_end(&json);
}

static void pages_rows(const struct km_page_fidelity *pages, enum km_format format)
{
	static const char *const titles[] = {"zone", "order>", "start>", "model>", "kernel>"};
	struct km_table *table = km_table_new(5, titles);

	if (!table)
		return;
	for (unsigned zone = 0; zone < KM_NR_ZONES; zone++)
		for (unsigned order = 0; pages->kernel.present[zone] && order < KM_NR_ORDERS;
		     order++) {
			km_table_cell(table, zone_names[zone]);
			km_table_cellf(table, "%u", order);
			cell_count(table, pages->start.blocks[zone][order], true);
			cell_count(table, pages->model.blocks[zone][order], true);
			cell_count(table, pages->kernel.blocks[zone][order], true);
		}
	km_table_print(table, stdout, format);
	km_table_free(table);
	km_note("%llu allocations (%llu from another zone, %llu without a page in the model), %llu "
		"frees, "
		"of which %llu of pages no event allocated (%llu of them the model did not have); "
		"%llu "
		"frees implied",
		(unsigned long long)pages->allocs, (unsigned long long)pages->other_zone,
		(unsigned long long)pages->failed, (unsigned long long)pages->frees,
		(unsigned long long)pages->old_frees, (unsigned long long)pages->lost_frees,
		(unsigned long long)pages->implied);
}

int km_cmd_fidelity(int argc, char **argv)
{
	static const struct argp argp = {argp_options,       parse_option, "T.kmt", doc,
					 km_common_children, NULL,         NULL};
	struct options options = {.seed = 1};
	struct km_fidelity fidelity = {.nr_caches = 0};
	struct km_vmap_fidelity vmap;
	struct km_page_fidelity pages;
	struct km_trace *trace = NULL;
	struct km_start start;
	struct km_err err = {""};
	int code;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return KM_EXIT_ERROR;
	km_catch_interrupts();
	code = km_trace_open(options.trace, &trace, &err);
	if (!code)
		code = km_start_read(trace, &start, &err);
	if (!code)
		code = options.buddyinfo
			       ? km_page_fidelity_measure(trace, &start, options.seed, &pages, &err)
			       : km_vmap_fidelity_measure(trace, &start, &vmap, &err);
	if (!code && !options.buddyinfo)
		code = km_fidelity_measure(trace, &start, options.seed, &fidelity, &err);
	if (code) {
		km_trace_close(trace);
		if (km_interrupted()) {
			km_note("interrupted; nothing was changed");
			return KM_EXIT_INTERRUPTED;
		}
		return km_error("%s", err.text);
	}
	if (options.buddyinfo && options.common.format == KM_FORMAT_JSON)
		pages_json(&pages);
	else if (options.buddyinfo)
		pages_rows(&pages, options.common.format);
	else if (options.common.format == KM_FORMAT_JSON)
		print_json(&fidelity, &vmap, &start);
	else
		print_rows(&fidelity, &vmap, options.common.format);
	km_fidelity_release(&fidelity);
	km_trace_close(trace);
	return KM_EXIT_OK;
}
