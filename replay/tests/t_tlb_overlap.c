/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Costs of streams of loads: known costs must come back from points made of them; translations are
 * priced by size, level and line; and streams can be measured here, in figures that are sound.
 */
#include "replay/tlb_overlap.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "engine/tests/tap.h"
#include "replay/host.h"

#define HIT 2.5
#define WALK 12.0
#define FAR 6.0

static bool near(double got, double want)
{
	return fabs(got - want) < 1e-9;
}

static void price(struct km_tlb_overlap_point *point)
{
	for (unsigned order = 0; order < 2; order++)
		point->ns[order] = point->hits[order] * HIT + point->walks[order] * WALK +
				   point->far[order] * FAR;
}

/* Two numbers of pages within the L2 TLB, three beyond; lines are far where pages are shuffled. */
static void make_points(struct km_tlb_overlap_point points[KM_TLB_OVERLAP_POINTS], double far)
{
	for (unsigned i = 0; i < KM_TLB_OVERLAP_POINTS; i++) {
		double walks = i < KM_TLB_OVERLAP_HITS ? 0 : 0.7 + 0.1 * (i - 2);

		points[i] = (struct km_tlb_overlap_point){
			.hits = {1 - walks, 1 - walks},
			.walks = {walks, walks},
			.far = {walks * far, walks * 0.125},
		};
		price(&points[i]);
	}
}

static void test_solve(void)
{
	struct km_tlb_overlap_point points[KM_TLB_OVERLAP_POINTS];
	double costs[3];

	make_points(points, 0.6);
	TAP_OK(km_tlb_overlap_solve(points, costs), "a round is solved");
	TAP_OK(near(costs[0], HIT) && near(costs[1], WALK) && near(costs[2], FAR),
	       "the costs come back: %g %g %g", costs[0], costs[1], costs[2]);
	make_points(points, 0.125);
	TAP_OK(km_tlb_overlap_solve(points, costs) && near(costs[1], WALK + 0.125 * FAR) &&
		       near(costs[2], 0),
	       "where no order has more far lines, they are part of the walk: %g", costs[1]);
	make_points(points, 0.6);
	for (unsigned i = 0; i < KM_TLB_OVERLAP_HITS; i++)
		points[i].ns[0] = points[i].ns[1] = -0.1;
	TAP_OK(km_tlb_overlap_solve(points, costs) && near(costs[0], 0),
	       "what is hidden wholly costs nothing, not less");
	memset(points, 0, sizeof(points));
	TAP_OK(!km_tlb_overlap_solve(points, costs), "pages that do not miss tell nothing");
}

static struct km_tlb_load_costs costs_of(double hit, double walk, double line)
{
	return (struct km_tlb_load_costs){
		true, {hit, hit, hit}, {walk, walk, walk}, {line, line, line}};
}

static void test_price(void)
{
	struct km_tlb_overlap overlap = {.cache = {768, 12, 0, KM_TLB_LRU}};
	const struct km_tlb_counts counts = {.refs = 100,
					     .l1_misses = 50,
					     .l2_misses = 20,
					     .walks = {15, 0, 5},
					     .lines = {30, 0, 4}};

	TAP_OK(isnan(km_tlb_overlap_ns(&overlap, KM_TLB_OVERLAPPED, &counts)),
	       "what was not measured has no price");
	overlap.costs[0][KM_TLB_OVERLAPPED] = costs_of(0.5, 6, 2);
	TAP_OK(near(km_tlb_overlap_ns(&overlap, KM_TLB_OVERLAPPED, &counts),
		    30 * 0.5 + 20 * 6 + 4 * 2),
	       "without a price of their own large pages cost what small ones cost");
	overlap.costs[1][KM_TLB_OVERLAPPED] = costs_of(0.5, 4, 0);
	TAP_OK(near(km_tlb_overlap_ns(&overlap, KM_TLB_OVERLAPPED, &counts),
		    30 * 0.5 + 15 * 6 + 5 * 4 + 4 * 2),
	       "hits, walks by size, far lines");
	TAP_OK(near(km_tlb_overlap_walk_ns(&overlap, KM_TLB_OVERLAPPED, &counts), 15 * 6 + 5 * 4),
	       "walks alone, at the least");
	TAP_OK(isnan(km_tlb_overlap_ns(&overlap, KM_TLB_DEPENDENT, &counts)),
	       "of the other loads nothing is known");
}

static const struct km_tlb_spec spec = {
	.l1 = {{64, 4, KM_TLB_HOLDS_ALL, KM_TLB_LRU}},
	.l2 = {{512, 8, KM_TLB_HOLDS_ALL, KM_TLB_LRU}},
	.levels = 4,
	.host_size = KM_TLB_4K,
};

/* In a row, each page-table line is far once in eight pages. */
static void test_spec(void)
{
	const struct km_tlb_overlap overlap = {.cache = {512, 8, 0, KM_TLB_LRU}},
				    none = {.cache = {.entries = 0}};
	struct km_tlb_spec counted = km_tlb_overlap_spec(&overlap, &spec),
			   same = km_tlb_overlap_spec(&none, &spec);
	struct km_tlb_counts counts;
	struct km_tlb *tlb;
	struct km_env env;

	TAP_OK(!memcmp(&same, &spec, sizeof(spec)), "no cache measured: the TLB as it was");
	km_host_env(&env, 1);
	if (!TAP_OK(!km_tlb_create(&env, &counted, &tlb), "a TLB with the cache of its lines"))
		return;
	for (unsigned i = 0; i < 3 * 8192; i++) {
		if (i == 8192)
			km_tlb_reset_counts(tlb);
		km_tlb_access(tlb, i % 8192 * (uint64_t)KM_PAGE_SIZE + i % 64 * 64, KM_TLB_4K);
	}
	km_tlb_read(tlb, &counts);
	TAP_EQ(counts.l2_misses, 2 * 8192, "8192 pages in order are walked each time");
	TAP_OK(counts.lines[2] >= 2 * 1024 && counts.lines[2] <= 2 * 1024 + 300,
	       "with a far line for eight pages: %llu", (unsigned long long)counts.lines[2]);
	km_tlb_destroy(tlb);
}

static bool sound(const struct km_bench_figure *figure)
{
	return figure->low >= 0 && figure->low <= figure->median && figure->median <= figure->high;
}

static void test_measure(void)
{
	struct km_tlb_overlap overlap;
	struct km_err err = {""};

	if (!TAP_OK(!km_tlb_overlap_measure(&overlap, &spec, 3, &err), "streams are measured %s",
		    err.text))
		return;
	TAP_OK(overlap.cache.entries >= 128 && overlap.cache.entries % overlap.cache.ways == 0,
	       "beside a cache of %u lines", overlap.cache.entries);
	for (unsigned i = 0; i < 2 * KM_TLB_LOADS; i++) {
		const struct km_tlb_load_costs *costs =
			&overlap.costs[i / KM_TLB_LOADS][i % KM_TLB_LOADS];

		TAP_OK(costs->measured && sound(&costs->l2_hit) && sound(&costs->walk) &&
			       sound(&costs->line),
		       "%s loads: medians lie in their intervals",
		       km_tlb_loads_names[i % KM_TLB_LOADS]);
	}
}

int main(void)
{
	test_solve();
	test_price();
	test_spec();
	test_measure();
	return tap_done();
}
