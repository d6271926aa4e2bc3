/* SPDX-License-Identifier: GPL-2.0-only */
/* The timed touch replay: placements side by side, window after window. */
#include "replay/touch.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/host.h"
#include "replay/tlb_calibration.h"
#include "replay/touch_window.h"
#include "results/term.h"

#define INTERRUPT_EVERY_OPS (1u << 14)
#define MOST_VIEWS (KM_PLACEMENTS * KM_TLB_MAPS * 2)

struct lane {
	struct touching *all;
	struct km_access access;
	struct km_touch_list list;
	uint64_t flushes;
};

struct touching {
	const struct km_placing *placing;
	struct km_touches *touches;
	struct km_touch_host host;
	struct km_timer timer;
	struct km_env env; /* of the TLBs */
	double cycle_ns;
	struct lane lanes[KM_PLACEMENTS];
	struct km_touch_view views[MOST_VIEWS];
	unsigned nr_views;
	int code;
	struct km_err *err;
};

/* ---- a window ---- */

static bool is_empty(const struct touching *all)
{
	for (unsigned i = 0; i < all->placing->nr_placements; i++)
		if (all->lanes[i].list.count)
			return false;
	return true;
}

static int time_rounds(struct touching *all)
{
	for (unsigned round = 0; round < all->placing->rounds; round++)
		for (unsigned i = 0; i < all->nr_views; i++) {
			/* There and back: each view has each neighbour before it. */
			unsigned turn = round % 2 ? all->nr_views - 1 - i : i;

			km_touch_view_time(&all->views[turn], all->placing->rounds, round,
					   &all->timer);
			if (km_interrupted())
				return -EINTR;
		}
	return 0;
}

static int run_window(struct touching *all)
{
	int code = 0;

	if (is_empty(all))
		return 0;
	for (unsigned i = 0; i < all->nr_views && !code; i++) {
		struct km_touch_view *view = &all->views[i];
		const struct km_touch_list *list = &all->lanes[view->lane].list;

		code = km_touch_view_prepare(view, list, &all->host, all->err);
		if (!code)
			code = km_touch_view_begin(view, all->placing->rounds);
		if (!code)
			km_touch_view_predict(view, list, &all->host);
	}
	if (!code)
		code = time_rounds(all);
	for (unsigned i = 0; i < all->nr_views && !code; i++)
		km_touch_view_end(&all->views[i]);
	for (unsigned i = 0; i < all->nr_views; i++)
		if (!all->views[i].flat && all->lanes[all->views[i].lane].list.nr_pages && !code)
			code = km_touch_view_finish(&all->views[i], &all->host, all->err);
	for (unsigned i = 0; i < all->placing->nr_placements; i++)
		km_touch_list_clear(&all->lanes[i].list);
	all->touches->windows++;
	return code;
}

static void on_touch(void *to, unsigned cpu, unsigned mask, uint64_t addr, size_t op)
{
	struct lane *lane = to;
	struct touching *all = lane->all;
	const struct km_placing *placing = all->placing;
	unsigned subset = op == SIZE_MAX ? 0 : km_placing_subset(placing, op);

	(void)cpu;
	if (!(mask >> placing->access->which & 1) || all->code)
		return;
	if (km_is_vmalloc_addr(addr) && !km_frames_of(lane->access.frames, addr, NULL))
		return; /* beyond what is followed */
	if (km_touch_list_add(&lane->list, lane->access.frames, addr, subset))
		return;
	all->code = run_window(all);
	if (!all->code && !km_touch_list_add(&lane->list, lane->access.frames, addr, subset))
		all->code = km_fail(all->err, -ENOMEM, "no memory for a window of touches");
}

/* Before a flush no address is mapped anew; and what the host can map at a time has an end. */
static bool ends_window(struct touching *all)
{
	uint64_t pages = 0;
	bool flushed = false;

	for (unsigned i = 0; i < all->nr_views; i++)
		if (!all->views[i].flat)
			pages += all->lanes[all->views[i].lane].list.nr_pages;
	for (unsigned i = 0; i < all->placing->nr_placements; i++) {
		struct lane *lane = &all->lanes[i];
		uint64_t now = lane->access.replayer->env.count.tlb_flush;

		flushed |= now != lane->flushes;
		lane->flushes = now;
	}
	return flushed || pages >= all->host.mappings;
}

static bool is_enough(const struct touching *all)
{
	for (unsigned i = 0; i < all->nr_views; i++)
		if (all->views[i].touches[0] >= KM_TOUCH_MOST)
			return true;
	return false;
}

static int run_operations(struct touching *all)
{
	size_t n = all->placing->program->nr_ops, i;

	for (i = 0; i < n && !all->code && !is_enough(all); i++) {
		for (unsigned k = 0; k < all->placing->nr_placements; k++)
			km_access_step(&all->lanes[k].access, i);
		if (!all->code && ends_window(all))
			all->code = run_window(all);
		if (i % INTERRUPT_EVERY_OPS == 0 && km_interrupted())
			all->code = -EINTR;
	}
	all->touches->coverage = n ? (double)i / (double)n : 1;
	return all->code ? all->code : run_window(all);
}

/* ---- beginning and end ---- */

static int begin_lane(struct touching *all, unsigned i, struct km_err *err)
{
	const struct km_placing *placing = all->placing;
	struct lane *lane = &all->lanes[i];
	struct km_page_usage usage;
	int code = km_replayer_create(placing->program, placing->trace, placing->start,
				      placing->placements[i].model, placing->seed,
				      &lane->access.replayer, err);

	if (code)
		return code;
	lane->all = all;
	lane->access.spec = placing->access;
	lane->access.site_to_vmalloc = placing->placements[i].site_to_vmalloc;
	lane->access.touch = on_touch;
	lane->access.to = lane;
	if (km_access_begin(&lane->access, placing->seed) || km_touch_list_begin(&lane->list))
		return km_fail(err, -ENOMEM, "no memory to follow touches");
	lane->access.replayer->machine->model->page->usage(lane->access.replayer->machine->page,
							   &usage);
	return usage.managed ? 0
			     : km_fail(err, -EINVAL, "model %s places nothing that can be touched",
				       placing->placements[i].model->text);
}

static int add_view(struct touching *all, unsigned lane, unsigned map, bool flat)
{
	struct km_touch_view *view = &all->views[all->nr_views];
	const struct km_tlb_choice *choice = all->placing->tlb;
	struct km_tlb_spec spec;
	int code = 0;

	*view = (struct km_touch_view){.lane = lane, .map = map, .flat = flat};
	all->nr_views++;
	view->at = malloc(2ul * KM_TOUCH_WINDOW * sizeof(*view->at));
	if (all->placing->predict) {
		spec = km_tlb_overlap_spec(&choice->overlap, &choice->spec);
		code = km_tlb_create(&all->env, &spec, &view->tlb);
	}
	return view->at ? code : -ENOMEM;
}

/* Each lane on each memory it is to be on; and its bytes by way of a direct map of 2 MiB pages. */
static int add_views(struct touching *all, struct km_err *err)
{
	int code = 0;

	for (unsigned lane = 0; lane < all->placing->nr_placements; lane++) {
		for (unsigned map = 0; map < KM_TLB_MAPS && !code; map++)
			if (all->placing->placements[lane].maps >> map & 1 && all->host.memory[map])
				code = add_view(all, lane, map, false);
		if (!code)
			code = add_view(all, lane, KM_TLB_MAP_2M, true);
	}
	return code ? km_fail(err, code, "no memory to time touches") : 0;
}

static void release(struct touching *all)
{
	for (unsigned i = 0; i < all->nr_views; i++) {
		free(all->views[i].at);
		km_tlb_destroy(all->views[i].tlb);
		for (unsigned k = 0; k < KM_PLACING_SUBSETS; k++)
			free(all->views[i].ns[k]);
	}
	km_touch_host_close(&all->host);
	for (unsigned i = 0; i < all->placing->nr_placements; i++) {
		km_touch_list_free(&all->lanes[i].list);
		km_access_end(&all->lanes[i].access);
		km_replayer_destroy(all->lanes[i].access.replayer);
	}
}

/* ---- figures ---- */

static const struct km_touch_view *find_view(const struct touching *all, unsigned lane,
					     unsigned map, bool flat)
{
	for (unsigned i = 0; i < all->nr_views; i++)
		if (all->views[i].lane == lane && all->views[i].map == map &&
		    all->views[i].flat == flat)
			return &all->views[i];
	return NULL;
}

/*
 * Touches wait for one another, so they should take what dependent loads do. Without a calibration
 * of streams only the cost of a chain through shuffled pages is known, the most a walk can take.
 */
static double predicted_ns(const struct touching *all, const struct km_touch_view *view,
			   unsigned subset, enum km_tlb_loads loads)
{
	const struct km_tlb_counts *counts = &view->counts[subset];
	const struct km_tlb_choice *choice = all->placing->tlb;
	double ns;

	if (!view->tlb || !counts->refs)
		return NAN;
	ns = km_tlb_overlap_ns(&choice->overlap, loads, counts);
	if (isnan(ns) && loads == KM_TLB_DEPENDENT)
		ns = (double)km_tlb_cycles(&choice->spec, counts) * all->cycle_ns;
	return ns / (double)counts->refs;
}

static struct km_bench_figure per_touch(const double *ns, const struct km_touch_view *view,
					unsigned subset, unsigned rounds)
{
	struct km_bench_figure figure = km_bench_sliced(ns, view->slices[subset], rounds);
	double touches = (double)view->touches[subset];

	return (struct km_bench_figure){figure.median / touches, figure.low / touches,
					figure.high / touches};
}

static int fill_figures(const struct touching *all, const struct km_touch_view *view,
			unsigned subset, struct km_touch_figures *figures)
{
	const struct km_touch_view *flat = find_view(all, view->lane, KM_TLB_MAP_2M, true);
	unsigned rounds = all->placing->rounds;
	size_t n = view->slices[subset] * rounds;
	double *apart;

	if (view->touches[subset] < KM_TOUCH_LEAST)
		return 0;
	apart = malloc(n * sizeof(*apart));
	if (!apart)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		apart[i] = view->ns[subset][i] - flat->ns[subset][i];
	figures->touches = view->touches[subset];
	figures->ns = per_touch(view->ns[subset], view, subset, rounds);
	figures->flat_ns = per_touch(flat->ns[subset], view, subset, rounds);
	figures->translation_ns = per_touch(apart, view, subset, rounds);
	for (unsigned loads = 0; loads < KM_TLB_LOADS; loads++)
		figures->predicted_ns[loads] = predicted_ns(all, view, subset, loads) -
					       predicted_ns(all, flat, subset, loads);
	free(apart);
	return 0;
}

static int describe_host(struct touching *all, unsigned map, struct km_err *err)
{
	const struct km_memory *memory = all->host.memory[map];
	struct km_memory_pages pages;
	int code = km_memory_pages(memory, &pages, err);

	if (!code)
		snprintf(all->touches->gives[map], sizeof(all->touches->gives[map]),
			 "%" PRIu64 " MiB of the direct map in 1 GiB, %" PRIu64
			 " in 2 MiB, %" PRIu64 " in 4 KiB pages",
			 pages.direct[KM_LEAF_1G] >> 20, pages.direct[KM_LEAF_2M] >> 20,
			 pages.direct[KM_LEAF_4K] >> 20);
	return code;
}

static int collect(struct touching *all, struct km_err *err)
{
	int code = 0;

	for (unsigned i = 0; i < all->nr_views; i++) {
		const struct km_touch_view *view = &all->views[i];

		for (unsigned subset = 0; !view->flat && !code && subset < KM_PLACING_SUBSETS;
		     subset++)
			code = fill_figures(all, view, subset,
					    &all->touches->figures[view->lane][view->map][subset]);
	}
	if (code)
		return km_fail(err, code, "no memory for the times of touches");
	for (unsigned map = 0; map < KM_TLB_MAPS && !code; map++)
		if (all->host.memory[map])
			code = describe_host(all, map, err);
	return code;
}

int km_touch_measure(const struct km_placing *placing, struct km_touches **out, struct km_err *err)
{
	struct touching *all = calloc(1, sizeof(*all));
	struct km_touches *touches = calloc(1, sizeof(*touches));
	int code = all && touches ? 0 : km_fail(err, -ENOMEM, "no memory to time touches");

	if (code) {
		free(all);
		free(touches);
		return code;
	}
	all->placing = placing;
	all->touches = touches;
	all->err = err;
	km_host_env(&all->env, placing->seed);
	km_timer_calibrate(&all->timer);
	all->cycle_ns = placing->predict ? km_tlb_cycle_ns() : NAN;
	for (unsigned i = 0; i < placing->nr_placements && !code; i++)
		code = begin_lane(all, i, err);
	if (!code)
		code = km_touch_host_open(&all->host, placing,
					  all->lanes[0].access.replayer->machine->max_pfn, touches,
					  err);
	if (!code)
		code = add_views(all, err);
	if (!code)
		code = run_operations(all);
	if (!code)
		code = collect(all, err);
	release(all);
	free(all);
	if (code)
		free(touches);
	else
		*out = touches;
	return code;
}
