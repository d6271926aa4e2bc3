/* SPDX-License-Identifier: GPL-2.0-only */
/* Timed touches: each made where its placement says, as often as the access model says; windows. */
#include "replay/touch_window.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "engine/tests/tap.h"
#include "replay/call_cost.h"
#include "replay/host.h"
#include "replay/tests/small_trace.h"

#define OBJECTS 800u
#define LARGE 3u

/* 800 objects of 64 bytes and three of 2 MiB and a page; the small ones are freed. */
static struct km_trace *make_trace(void)
{
	struct small_trace trace;

	if (!small_trace_begin(&trace))
		return NULL;
	for (unsigned i = 0; i < OBJECTS; i++)
		small_trace_add(&trace, 0, kmalloc_event(page_addr(1024) + i * 64, 64, 64));
	for (unsigned i = 0; i < LARGE; i++)
		small_trace_add(
			&trace, 0,
			kmalloc_event(page_addr(8192 + i * 1024), (2u << 20) + 4096, 4u << 20));
	for (unsigned i = 0; i < OBJECTS; i++)
		small_trace_add(&trace, 0, kfree_event(page_addr(1024) + i * 64));
	return small_trace_end(&trace);
}

struct fixture {
	struct km_trace *trace;
	struct km_program *program;
	struct km_start start;
	struct km_tlb_choice tlb;
	struct km_access_spec access;
	struct km_model_choice models[3];
	struct km_placement placements[3];
	struct km_placing placing;
};

static bool prepare(struct fixture *fixture)
{
	static const char *const names[] = {"slub", "vmalloc", "vmalloc_huge"};
	struct km_err err = {""};

	fixture->trace = make_trace();
	if (!fixture->trace || km_start_read(fixture->trace, &fixture->start, &err) ||
	    km_compile(fixture->trace, NULL, NULL, &fixture->program, &err) ||
	    km_tlb_choose("zen4", &fixture->tlb, &err) ||
	    km_access_parse("A0", &fixture->access, &err)) {
		TAP_OK(false, "a trace is made and compiled: %s", err.text);
		return false;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (km_model_choice_parse(names[i], &fixture->models[i], &err))
			return false;
		fixture->placements[i] = (struct km_placement){
			&fixture->models[i], UINT32_MAX,
			i ? 1u << KM_TLB_MAP_2M : (1u << KM_TLB_MAP_2M) | (1u << KM_TLB_MAP_4K)};
	}
	fixture->placing = (struct km_placing){
		.program = fixture->program,
		.trace = fixture->trace,
		.start = &fixture->start,
		.tlb = &fixture->tlb,
		.predict = true,
		.access = &fixture->access,
		.rounds = 3,
		.seed = 1,
		.placements = fixture->placements,
		.nr_placements = 3,
		.site = UINT32_MAX,
	};
	return true;
}

static bool in_order(const struct km_bench_figure *figure)
{
	return figure->low <= figure->median && figure->median <= figure->high;
}

/*
 * slub: free pointer and line of each small object, and the page's structure when it is freed; the
 * large ones have a structure per page and two lines. vmalloc: a structure and a line at both ends.
 */
static void test_counts(struct fixture *fixture)
{
	const uint64_t large = LARGE * (513 + 2),
		       small[3] = {OBJECTS * 5, OBJECTS * 4, OBJECTS * 4};
	struct km_touches *touches;
	struct km_err err = {""};

	if (!TAP_OK(!km_touch_measure(&fixture->placing, &touches, &err), "touches are timed %s",
		    err.text))
		return;
	for (unsigned i = 0; i < 3; i++) {
		const struct km_touch_figures *figures = touches->figures[i][KM_TLB_MAP_2M];

		TAP_EQ(figures[0].touches, small[i] + large, "%s: touches",
		       fixture->models[i].text);
		TAP_EQ(figures[1].touches, small[i], "of small objects alone");
		TAP_EQ(figures[6].touches, large, "of large ones alone");
		TAP_EQ(figures[3].touches, 0, "sizes that do not occur are not measured");
		TAP_OK(in_order(&figures[0].ns) && in_order(&figures[0].flat_ns) &&
			       in_order(&figures[0].translation_ns) && figures[0].ns.median > 0,
		       "medians lie in their intervals");
	}
	TAP_EQ(touches->figures[0][KM_TLB_MAP_4K][0].touches, small[0] + large,
	       "kmalloc in 4 KiB pages, too");
	TAP_EQ(touches->figures[1][KM_TLB_MAP_4K][0].touches, 0,
	       "where nobody asked: not measured");
	TAP_OK(touches->figures[1][KM_TLB_MAP_2M][0].predicted_ns[KM_TLB_DEPENDENT] >
		       touches->figures[0][KM_TLB_MAP_2M][0].predicted_ns[KM_TLB_DEPENDENT],
	       "the model expects vmalloc to translate for longer");
	TAP_OK(isnan(touches->figures[1][KM_TLB_MAP_2M][0].predicted_ns[KM_TLB_OVERLAPPED]),
	       "of overlapped loads a core of the table knows nothing");
	TAP_OK(strstr(touches->gives[KM_TLB_MAP_4K], ", 0 in 2 MiB,"),
	       "which pages the host gave: %s", touches->gives[KM_TLB_MAP_4K]);
	TAP_OK(touches->windows == 1, "one window");
	TAP_OK(touches->coverage >= 1, "the whole trace");
	free(touches);
}

/* Costs of streams in the ratio of 1 to 3: so are the predictions. */
static void test_band(struct fixture *fixture)
{
	struct km_tlb_choice *tlb = &fixture->tlb;
	const struct km_touch_figures *figures;
	struct km_touches *touches;
	struct km_err err = {""};
	double low, high;

	tlb->overlap.cache = (struct km_tlb_array_spec){768, 12, 0, KM_TLB_LRU};
	for (unsigned i = 0; i < 2 * KM_TLB_LOADS; i++) {
		double times = i % KM_TLB_LOADS == KM_TLB_OVERLAPPED ? 1 : 3;

		tlb->overlap.costs[i / KM_TLB_LOADS][i % KM_TLB_LOADS] = (struct km_tlb_load_costs){
			true, {.median = times}, {.median = 8 * times}, {.median = 2 * times}};
	}
	if (TAP_OK(!km_touch_measure(&fixture->placing, &touches, &err), "touches are priced %s",
		   err.text)) {
		figures = &touches->figures[1][KM_TLB_MAP_2M][0];
		low = figures->predicted_ns[KM_TLB_OVERLAPPED];
		high = figures->predicted_ns[KM_TLB_DEPENDENT];
		TAP_OK(low > 0 && fabs(high / low - 3) < 1e-6,
		       "as overlapped loads and as dependent ones: %.3f and %.3f ns", low, high);
		free(touches);
	}
	memset(&tlb->overlap, 0, sizeof(tlb->overlap));
}

static void test_giant_pages(struct fixture *fixture)
{
	struct km_touches *touches;
	struct km_err err = {""};

	fixture->placing.nr_placements = 1;
	fixture->placements[0].maps = 1u << KM_TLB_MAP_1G;
	if (TAP_OK(!km_touch_measure(&fixture->placing, &touches, &err), "1 GiB pages %s",
		   err.text)) {
		bool measured = touches->figures[0][KM_TLB_MAP_1G][0].touches != 0;

		TAP_OK(measured ? strstr(touches->gives[KM_TLB_MAP_1G],
					 " 0 in 2 MiB, 0 in 4 KiB") != NULL
				: strstr(touches->why[KM_TLB_MAP_1G], "hugepagesz=1G") != NULL,
		       "are timed, or not measured with the remedy: %s",
		       touches->why[KM_TLB_MAP_1G]);
		free(touches);
	}
	fixture->placing.nr_placements = 3;
}

static void test_calls(struct fixture *fixture)
{
	struct km_call_costs *costs;
	struct km_err err = {""};

	if (!TAP_OK(!km_call_measure(&fixture->placing, &costs, &err), "calls are timed %s",
		    err.text))
		return;
	TAP_EQ(costs->figures[1][0].pairs, OBJECTS + LARGE, "all pairs of calls");
	TAP_EQ(costs->figures[1][1].pairs, OBJECTS, "of small objects");
	TAP_EQ(costs->figures[1][6].pairs, LARGE, "of large ones, which are not freed");
	TAP_EQ(costs->figures[1][2].pairs, 0, "sizes that do not occur are not measured");
	TAP_OK(costs->figures[0][0].ratio >= 1 && costs->figures[0][0].ratio <= 1,
	       "the first placement is what others are compared with");
	TAP_OK(in_order(&costs->figures[2][0].ns), "medians lie in their intervals");
	free(costs);
}

/* One object of 2 MiB comes and goes; every line of it is touched each time: 32 768 touches. */
static void test_long_trace(struct fixture *fixture)
{
	const unsigned times = 2 * KM_TOUCH_MOST / 32768;
	struct fixture other = {.tlb = fixture->tlb, .placing = fixture->placing};
	struct km_touches *touches;
	struct small_trace trace;
	struct km_err err = {""};

	if (!small_trace_begin(&trace))
		return;
	for (unsigned i = 0; i < times; i++) {
		small_trace_add(&trace, 0, kmalloc_event(page_addr(8192), 2u << 20, 2u << 20));
		small_trace_add(&trace, 0, kfree_event(page_addr(8192)));
	}
	other.trace = small_trace_end(&trace);
	if (!TAP_OK(other.trace && !km_start_read(other.trace, &other.start, &err) &&
			    !km_compile(other.trace, NULL, NULL, &other.program, &err) &&
			    !km_access_parse("A1", &other.access, &err),
		    "a long trace %s", err.text))
		return;
	other.placing.program = other.program;
	other.placing.trace = other.trace;
	other.placing.start = &other.start;
	other.placing.access = &other.access;
	other.placing.predict = false;
	other.placing.rounds = other.placing.nr_placements = 1;
	if (TAP_OK(!km_touch_measure(&other.placing, &touches, &err), "is touched %s", err.text)) {
		uint64_t count = touches->figures[0][KM_TLB_MAP_2M][0].touches;

		TAP_OK(count >= KM_TOUCH_MOST && count < KM_TOUCH_MOST + 2 * KM_TOUCH_WINDOW,
		       "until it is enough: %llu touches", (unsigned long long)count);
		TAP_OK(touches->coverage > 0.4 && touches->coverage < 0.6,
		       "of which share of the operations is told: %.2f", touches->coverage);
		TAP_OK(touches->windows > 10, "in windows: %u", touches->windows);
		free(touches);
	}
	km_program_free(other.program);
	km_trace_close(other.trace);
}

/* ---- one window by hand ---- */

static void map_page(struct km_machine *machine, uint64_t addr, uint64_t pfn)
{
	const km_pfn frame = {pfn};

	machine->env->mapped(machine->env->memory, addr, &frame, 1, false);
}

/* The same page with another frame: the window is to be timed before that is touched. */
static void test_list(struct km_machine *machine, struct km_frames *frames)
{
	struct km_touch_list list = {0};
	const uint64_t addr = KM_VMALLOC_START + 4096;
	bool kept = true;

	TAP_EQ(km_touch_list_begin(&list), 0, "a list");
	map_page(machine, addr, 1000);
	TAP_OK(km_touch_list_add(&list, frames, addr + 8, 0) &&
		       km_touch_list_add(&list, frames, addr + 80, 1),
	       "touches of one page");
	TAP_EQ(list.nr_pages, 1, "are of one page");
	map_page(machine, addr, 1001);
	TAP_OK(!km_touch_list_add(&list, frames, addr + 8, 0),
	       "mapped anew, it needs a new window");
	km_touch_list_clear(&list);
	TAP_OK(km_touch_list_add(&list, frames, addr + 8, 0), "and there it is taken");
	for (unsigned i = 1; i < KM_TOUCH_WINDOW; i++)
		kept &= km_touch_list_add(&list, frames, KM_DIRECT_MAP_BASE, 0);
	TAP_OK(kept && !km_touch_list_add(&list, frames, KM_DIRECT_MAP_BASE, 0),
	       "a list has an end");
	km_touch_list_free(&list);
}

/* A byte written by way of the direct map is the one that is touched in the area. */
static void test_same_bytes(const struct km_placing *placing, struct km_machine *machine,
			    struct km_frames *frames)
{
	const uint64_t addr = KM_VMALLOC_START + (5ull << 12);
	struct km_touch_view mapped = {.map = KM_TLB_MAP_2M},
			     flat = {.map = KM_TLB_MAP_2M, .flat = true};
	struct km_touch_host host = {0};
	struct km_touch_list list = {0};
	struct km_touches touches = {0};
	struct km_err err = {""};
	uint8_t *at[8], *flat_at[8];

	map_page(machine, addr, 3000);
	map_page(machine, addr + 4096, 2000);
	mapped.at = at;
	flat.at = flat_at;
	if (!TAP_OK(!km_touch_list_begin(&list) &&
			    !km_touch_host_open(&host, placing, machine->max_pfn, &touches, &err) &&
			    km_touch_list_add(&list, frames, addr + 7, 1) &&
			    km_touch_list_add(&list, frames, addr + 4096 + 9, 2) &&
			    km_touch_list_add(&list, frames, KM_VMEMMAP_BASE + 3000 * 64, 2) &&
			    !km_touch_view_prepare(&mapped, &list, &host, &err) &&
			    !km_touch_view_prepare(&flat, &list, &host, &err),
		    "two areas are shown %s", err.text))
		return;
	*flat_at[0] = 11;
	*flat_at[1] = 22;
	TAP_OK(at[0] != flat_at[0] && *at[0] == 11 && *at[1] == 22, "the same bytes by two ways");
	TAP_OK(at[2] == flat_at[2], "page structures have one");
	TAP_OK(at[mapped.begin[1]] == at[0] && at[mapped.begin[2]] == at[1] &&
		       at[mapped.begin[2] + 1] == at[2] && mapped.begin[3] == 6,
	       "subsets in order behind all");
	*flat_at[0] = *flat_at[1] = 0;
	TAP_EQ(km_touch_view_finish(&mapped, &host, &err), 0, "areas are shown no more");
	km_touch_list_free(&list);
	km_touch_host_close(&host);
}

int main(void)
{
	struct fixture fixture = {0};
	struct km_replayer *replayer;
	struct km_frames *frames;
	struct km_err err = {""};

	if (!prepare(&fixture))
		return tap_done();
	test_counts(&fixture);
	test_band(&fixture);
	test_giant_pages(&fixture);
	test_calls(&fixture);
	fixture.placements[0].maps = 1u << KM_TLB_MAP_2M;
	test_long_trace(&fixture);
	if (TAP_OK(!km_replayer_create(fixture.program, fixture.trace, &fixture.start,
				       &fixture.models[1], 1, &replayer, &err),
		   "a machine")) {
		frames = km_frames_follow(replayer->machine);
		test_list(replayer->machine, frames);
		test_same_bytes(&fixture.placing, replayer->machine, frames);
		km_frames_release(frames);
		km_replayer_destroy(replayer);
	}
	km_program_free(fixture.program);
	km_trace_close(fixture.trace);
	return tap_done();
}
