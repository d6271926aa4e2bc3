/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast the TLB model is and whether it keeps to the closed forms: make bench-tlb. References
 * per second of one core, median of slices and the range that 9 of 10 lie in, for streams from the
 * kindest to the worst.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/host.h"
#include "replay/tlb_choice.h"
#include "results/term.h"

#define REFS (1u << 18)
#define SLICES 40

static uint64_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((random_state >> 33) % below);
}

/* Objects of 256 bytes anywhere in 16 MiB, each line in turn, every fourth again: A1 and reuse. */
static void fill_objects(uint64_t *addrs, uint32_t pages)
{
	uint64_t object = 0;

	for (uint32_t i = 0; i < REFS; i++) {
		if (i % 4 == 0 && next_random(4))
			object = KM_DIRECT_MAP_BASE + (uint64_t)next_random(pages * 16) * 256;
		addrs[i] = object + i % 4 * 64;
	}
}

static void fill_uniform(uint64_t *addrs, uint32_t pages)
{
	for (uint32_t i = 0; i < REFS; i++)
		addrs[i] = KM_DIRECT_MAP_BASE + ((uint64_t)next_random(pages) << KM_PAGE_SHIFT);
}

static const struct {
	const char *what;
	void (*fill)(uint64_t *addrs, uint32_t pages);
	uint32_t pages;
} streams[] = {
	{"every line of random objects, 16 MiB", fill_objects, 4096},
	{"every line of random objects, 2 MiB", fill_objects, 512},
	{"uniform over 64 pages (L1 hits)", fill_uniform, 64},
	{"uniform over 1024 pages (L2 hits)", fill_uniform, 1024},
	{"uniform over 65536 pages (walks)", fill_uniform, 65536},
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure_stream(const char *core, unsigned which)
{
	static uint64_t addrs[REFS];
	double rates[SLICES];
	struct km_tlb_counts counts;
	struct km_tlb_choice choice;
	struct km_env env;
	struct km_tlb *tlb;

	km_host_env(&env, 1);
	if (km_tlb_choose(core, &choice, NULL) || km_tlb_create(&env, &choice.spec, &tlb))
		exit(KM_EXIT_ERROR);
	streams[which].fill(addrs, streams[which].pages);
	km_tlb_access_many(tlb, addrs, REFS, KM_TLB_4K);
	km_tlb_reset_counts(tlb);
	for (unsigned i = 0; i < SLICES; i++) {
		uint64_t begin = km_clock_ns();

		km_tlb_access_many(tlb, addrs, REFS, KM_TLB_4K);
		rates[i] = (double)REFS * 1e3 / (double)(km_clock_ns() - begin);
	}
	km_tlb_read(tlb, &counts);
	km_tlb_destroy(tlb);
	qsort(rates, SLICES, sizeof(rates[0]), compare_doubles);
	printf("%-12s %-38s %6.0f  [%.0f, %.0f]  %8.1f %8.1f\n", core, streams[which].what,
	       rates[SLICES / 2], rates[SLICES / 20], rates[SLICES - 1 - SLICES / 20],
	       (double)counts.l1_misses * 1e3 / (double)counts.refs,
	       (double)counts.l2_misses * 1e3 / (double)counts.refs);
}

/* ---- closed forms ---- */

static double miss_ratio(enum km_tlb_policy policy, uint32_t entries, uint32_t pages, bool cyclic)
{
	const struct km_tlb_spec spec = {
		.l1 = {{entries, 0, KM_TLB_HOLDS_ALL, (uint8_t)policy}},
		.levels = 4,
		.host_size = KM_TLB_1G,
	};
	struct km_tlb_counts counts;
	struct km_env env;
	struct km_tlb *tlb;

	km_host_env(&env, 7);
	if (km_tlb_create(&env, &spec, &tlb))
		exit(KM_EXIT_ERROR);
	for (uint32_t i = 0; i < 400 * pages; i++) {
		if (i == 100 * pages)
			km_tlb_reset_counts(tlb);
		km_tlb_access(tlb,
			      (uint64_t)(cyclic ? i % pages : next_random(pages)) << KM_PAGE_SHIFT,
			      KM_TLB_4K);
	}
	km_tlb_read(tlb, &counts);
	km_tlb_destroy(tlb);
	return (double)counts.l1_misses / (double)counts.refs;
}

static bool compare_form(const char *what, double got, double want)
{
	double off = want > 0 ? fabs(got / want - 1) : got;

	printf("%-58s %.4f  %.4f  %.2f %%\n", what, got, want, off * 100);
	return off <= 0.01;
}

/* m = 1 - exp(-m n / C) */
static double random_cycle(double n, double c)
{
	double m = 1;

	for (unsigned i = 0; i < 300; i++)
		m = 1 - exp(-m * n / c);
	return m;
}

static bool closed_forms(void)
{
	bool all = true;

	printf("\n%-58s %-7s %-7s off\n", "closed form", "model", "form");
	for (unsigned policy = 0; policy < KM_TLB_POLICIES; policy++) {
		char what[80];

		snprintf(what, sizeof(what), "uniform over 4096 pages, 3072 entries, %s: 1 - C/n",
			 km_tlb_policy_names[policy]);
		all &= compare_form(what, miss_ratio(policy, 3072, 4096, false), 0.25);
	}
	all &= compare_form("cyclic over 72 pages, 72 entries, lru: 0",
			    miss_ratio(KM_TLB_LRU, 72, 72, true), 0);
	all &= compare_form("cyclic over 73 pages, 72 entries, lru: 1",
			    miss_ratio(KM_TLB_LRU, 72, 73, true), 1);
	all &= compare_form("cyclic over 4096 pages, 3072 entries, random: 1-exp(-mn/C)",
			    miss_ratio(KM_TLB_RANDOM, 3072, 4096, true), random_cycle(4096, 3072));
	all &= compare_form("cyclic over 8192 pages, 3072 entries, random: 1-exp(-mn/C)",
			    miss_ratio(KM_TLB_RANDOM, 3072, 8192, true), random_cycle(8192, 3072));
	return all;
}

int main(void)
{
	static const char *const cores_tried[] = {"golden-cove", "zen4"};

	printf("%-12s %-38s %6s  %-12s %8s %8s\n", "TLB", "references", "M/s", "[5 %, 95 %]",
	       "L1/kref", "L2/kref");
	for (unsigned core = 0; core < 2; core++)
		for (unsigned i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
			measure_stream(cores_tried[core], i);
	return closed_forms() ? KM_EXIT_OK : KM_EXIT_NO;
}
