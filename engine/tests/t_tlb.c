/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TLB model against closed forms (within 1 %), against a stack of pages kept the plain way, and
 * against a second, slow simulator of sets; sizes, smashing, nesting, walks, flushes, failing
 * memory.
 */
#include <errno.h>
#include <kmlab/tlb.h>
#include <math.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"

#define PAGE(n) (KM_DIRECT_MAP_BASE + ((uint64_t)(n) << KM_PAGE_SHIFT))

static struct test_host host;
static struct km_env env;

/* One level, one array; no walks. */
static struct km_tlb_spec one_level(uint32_t entries, uint32_t ways, enum km_tlb_policy policy)
{
	return (struct km_tlb_spec){
		.l1 = {{entries, ways, KM_TLB_HOLDS_ALL, (uint8_t)policy}},
		.levels = 4,
		.host_size = KM_TLB_1G,
	};
}

static struct km_tlb *make(const struct km_tlb_spec *spec)
{
	struct km_tlb *tlb = NULL;

	test_host_env(&env, &host, 7);
	return km_tlb_create(&env, spec, &tlb) ? NULL : tlb;
}

static double l1_ratio(const struct km_tlb *tlb)
{
	struct km_tlb_counts counts;

	km_tlb_read(tlb, &counts);
	return (double)counts.l1_misses / (double)counts.refs;
}

/* ---- closed forms ---- */

static double uniform_ratio(const struct km_tlb_spec *spec, unsigned pages)
{
	struct km_tlb *tlb = make(spec);
	uint64_t random = 99;
	double ratio;

	for (unsigned i = 0; i < 3000000; i++) {
		if (i == 500000)
			km_tlb_reset_counts(tlb);
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		km_tlb_access(tlb, PAGE((random >> 33) % pages), KM_TLB_4K);
	}
	ratio = l1_ratio(tlb);
	km_tlb_destroy(tlb);
	return ratio;
}

static double cyclic_ratio(const struct km_tlb_spec *spec, unsigned pages)
{
	struct km_tlb *tlb = make(spec);
	double ratio;

	for (unsigned round = 0; round < 300; round++) {
		if (round == 50)
			km_tlb_reset_counts(tlb);
		for (unsigned i = 0; i < pages; i++)
			km_tlb_access(tlb, PAGE(i), KM_TLB_4K);
	}
	ratio = l1_ratio(tlb);
	km_tlb_destroy(tlb);
	return ratio;
}

static bool near(double got, double want)
{
	return fabs(got - want) <= 0.01 * want;
}

/* The m > 0 with m = 1 - exp(-m n / C). */
static double fixed_point(double n, double c)
{
	double m = 1;

	for (unsigned i = 0; i < 200; i++)
		m = 1 - exp(-m * n / c);
	return m;
}

static void test_closed_forms(void)
{
	for (unsigned policy = 0; policy < KM_TLB_POLICIES; policy++) {
		const struct km_tlb_spec small = one_level(72, 0, policy);
		const struct km_tlb_spec large = one_level(3072, 0, policy);
		double a = uniform_ratio(&small, 100), b = uniform_ratio(&large, 4096);

		TAP_OK(near(a, 1 - 72.0 / 100), "uniform over 100 pages, 72 entries, %s: %.4f",
		       km_tlb_policy_names[policy], a);
		TAP_OK(near(b, 1 - 3072.0 / 4096),
		       "uniform over 4096 pages, 3072 entries, %s: %.4f",
		       km_tlb_policy_names[policy], b);
	}
	for (unsigned pages = 71; pages <= 73; pages++) {
		const struct km_tlb_spec spec = one_level(72, 0, KM_TLB_LRU);

		TAP_OK(cyclic_ratio(&spec, pages) == (pages > 72),
		       "cyclic over %u pages, 72 entries, LRU: all or nothing", pages);
	}
	for (unsigned pages = 4096; pages <= 8192; pages *= 2) {
		const struct km_tlb_spec spec = one_level(3072, 0, KM_TLB_RANDOM);
		double got = cyclic_ratio(&spec, pages), want = fixed_point(pages, 3072);

		TAP_OK(near(got, want), "cyclic over %u pages, 3072 entries, random: %.4f, %.4f",
		       pages, got, want);
	}
}

/* ---- stacks kept the plain way: LRU of every capacity at once (Mattson) ---- */

#define STACK_PAGES 3000
#define STACK_REFS 60000

struct plain_stack {
	uint64_t pages[STACK_PAGES];
	unsigned depth;
	uint64_t at[STACK_PAGES], cold;
};

static void plain_touch(struct plain_stack *stack, uint64_t page)
{
	unsigned i = 0;

	while (i < stack->depth && stack->pages[i] != page)
		i++;
	if (i == stack->depth) {
		stack->cold++;
		stack->depth++;
	} else {
		stack->at[i]++;
	}
	memmove(stack->pages + 1, stack->pages, i * sizeof(stack->pages[0]));
	stack->pages[0] = page;
}

static uint64_t plain_misses(const struct plain_stack *stack, unsigned entries)
{
	uint64_t misses = stack->cold;

	for (unsigned i = entries; i < STACK_PAGES; i++)
		misses += stack->at[i];
	return misses;
}

/* Runs, jumps and returns: no closed form. */
static uint64_t next_page(uint64_t *random)
{
	static uint64_t at;

	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	if (*random >> 60 < 9)
		at = (at + 1) % STACK_PAGES;
	else
		at = (*random >> 33) % STACK_PAGES * ((*random >> 20) % STACK_PAGES) / STACK_PAGES;
	return at;
}

static void test_stack(void)
{
	static const unsigned capacities[] = {1, 2, 16, 72, 96, 500, 1536, 2048, 2999};
	static struct plain_stack stack;
	static uint64_t addrs[STACK_REFS];
	struct km_tlb_curve *curve = NULL;
	uint64_t random = 5;

	test_host_env(&env, &host, 7);
	TAP_EQ(km_tlb_curve_create(&env, &curve), 0, "a curve is made");
	for (unsigned i = 0; i < STACK_REFS; i++) {
		uint64_t page = next_page(&random);

		addrs[i] = PAGE(page);
		plain_touch(&stack, page);
		km_tlb_curve_add(curve, page);
	}
	TAP_EQ(km_tlb_curve_pages(curve), stack.depth, "distinct pages");
	for (unsigned i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		const struct km_tlb_spec spec = one_level(capacities[i], 0, KM_TLB_LRU);
		struct km_tlb *tlb = make(&spec);
		struct km_tlb_counts counts;

		km_tlb_access_many(tlb, addrs, STACK_REFS, KM_TLB_4K);
		km_tlb_read(tlb, &counts);
		TAP_EQ(km_tlb_curve_misses(curve, capacities[i]),
		       plain_misses(&stack, capacities[i]), "the curve at %u entries",
		       capacities[i]);
		TAP_EQ(counts.l1_misses, plain_misses(&stack, capacities[i]),
		       "an LRU TLB of %u entries", capacities[i]);
		km_tlb_destroy(tlb);
	}
	km_tlb_curve_destroy(curve);
	TAP_EQ(host.live_blocks, 0, "all memory is given back");
}

/* ---- sets: a second simulator, ages instead of rings ---- */

struct aged_way {
	uint64_t page, age;
};

static uint64_t aged_misses(const uint64_t *addrs, size_t n, unsigned entries, unsigned ways)
{
	struct aged_way *all = calloc(entries, sizeof(*all));
	uint64_t misses = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t page = addrs[i] >> KM_PAGE_SHIFT;
		struct aged_way *set = all + page % (entries / ways) * ways, *oldest = set;
		unsigned way = 0;

		for (; way < ways && !(set[way].age && set[way].page == page); way++)
			if (set[way].age < oldest->age)
				oldest = &set[way];
		if (way < ways)
			oldest = &set[way];
		misses += way == ways;
		*oldest = (struct aged_way){page, i + 1};
	}
	free(all);
	return misses;
}

static void test_sets(void)
{
	static const unsigned geometries[][2] = {{64, 4},   {96, 6}, {1536, 12}, {2048, 8},
						 {3072, 8}, {72, 3}, {60, 5},    {100, 1}};
	static uint64_t addrs[STACK_REFS];
	uint64_t random = 17;

	for (unsigned i = 0; i < STACK_REFS; i++)
		addrs[i] = PAGE(next_page(&random) * 7 % 9001);
	for (unsigned i = 0; i < sizeof(geometries) / sizeof(geometries[0]); i++) {
		unsigned entries = geometries[i][0], ways = geometries[i][1];
		const struct km_tlb_spec spec = one_level(entries, ways, KM_TLB_LRU);
		struct km_tlb *tlb = make(&spec);
		struct km_tlb_counts counts;

		km_tlb_access_many(tlb, addrs, STACK_REFS, KM_TLB_4K);
		km_tlb_read(tlb, &counts);
		TAP_EQ(counts.l1_misses, aged_misses(addrs, STACK_REFS, entries, ways),
		       "%u entries, %u ways, %u sets, LRU", entries, ways, entries / ways);
		km_tlb_destroy(tlb);
	}
}

/* A tree of two leaves is LRU; of four it protects the last used and cycles through the rest. */
static void test_plru(void)
{
	static const unsigned accesses[] = {0, 1, 2, 3, 0, 4};
	const struct km_tlb_spec two = one_level(64, 2, KM_TLB_PLRU);
	const struct km_tlb_spec four = one_level(4, 4, KM_TLB_PLRU);
	const struct km_tlb_spec six = one_level(6, 6, KM_TLB_PLRU);
	static uint64_t addrs[STACK_REFS];
	struct km_tlb *tlb = make(&two);
	struct km_tlb_counts counts;
	uint64_t random = 3;

	for (unsigned i = 0; i < STACK_REFS; i++)
		addrs[i] = PAGE(next_page(&random));
	km_tlb_access_many(tlb, addrs, STACK_REFS, KM_TLB_4K);
	km_tlb_read(tlb, &counts);
	TAP_EQ(counts.l1_misses, aged_misses(addrs, STACK_REFS, 64, 2),
	       "tree-PLRU of two ways is LRU");
	km_tlb_destroy(tlb);
	tlb = make(&four);
	for (unsigned i = 0; i < 6; i++)
		km_tlb_access(tlb, PAGE(accesses[i]), KM_TLB_4K);
	/* After 0 1 2 3 0 the bits point to the right half, there to 2 - LRU would evict 1. */
	TAP_EQ(km_tlb_access(tlb, PAGE(1), KM_TLB_4K), 1, "four ways: 1 stays");
	TAP_EQ(km_tlb_access(tlb, PAGE(2), KM_TLB_4K), 3, "and 2 was the victim");
	km_tlb_destroy(tlb);
	tlb = make(&six);
	for (unsigned i = 0; i < 1000; i++)
		km_tlb_access(tlb, PAGE(i % 6), KM_TLB_4K);
	km_tlb_read(tlb, &counts);
	TAP_EQ(counts.l1_misses, 6, "six ways hold six pages");
	km_tlb_destroy(tlb);
}

/* ---- sizes ---- */

static void test_sizes(void)
{
	struct km_tlb_spec spec = {
		.l1 = {{4, 0, KM_TLB_HOLDS(KM_TLB_4K) | KM_TLB_HOLDS(KM_TLB_16K), KM_TLB_LRU},
		       {2, 0, KM_TLB_HOLDS(KM_TLB_2M), KM_TLB_LRU},
		       {2, 0, KM_TLB_HOLDS(KM_TLB_1G), KM_TLB_LRU}},
		.l2 = {{16, 0, KM_TLB_HOLDS(KM_TLB_4K) | KM_TLB_HOLDS(KM_TLB_2M), KM_TLB_LRU}},
		.levels = 4,
		.host_size = KM_TLB_1G,
	};
	struct km_tlb *tlb = make(&spec);

	TAP_EQ(km_tlb_access(tlb, 0x40000000, KM_TLB_1G), 3, "a 1 GiB page is walked");
	TAP_EQ(km_tlb_access(tlb, 0x7fffffff, KM_TLB_1G), 1, "and its entry covers all of it");
	TAP_EQ(km_tlb_access(tlb, 0x4000, KM_TLB_16K), 3, "four neighbours are walked once");
	TAP_EQ(km_tlb_access(tlb, 0x7000, KM_TLB_16K), 1, "the last of them is a hit");
	TAP_EQ(km_tlb_access(tlb, 0x8000, KM_TLB_16K), 3, "the next page is not");
	TAP_EQ(km_tlb_access(tlb, 0x200000, KM_TLB_2M), 3, "a 2 MiB page is walked");
	km_tlb_access(tlb, 0x80000000, KM_TLB_1G);
	km_tlb_access(tlb, 0xc0000000, KM_TLB_1G);
	TAP_EQ(km_tlb_access(tlb, 0x40000000, KM_TLB_1G), 2,
	       "the L2 has no 1 GiB entries: it kept 2 MiB of the page");
	km_tlb_access(tlb, 0x80000000, KM_TLB_1G);
	km_tlb_access(tlb, 0xc0000000, KM_TLB_1G);
	TAP_EQ(km_tlb_access(tlb, 0x40200000, KM_TLB_1G), 3, "and not the next 2 MiB");
	km_tlb_destroy(tlb);

	spec.host_size = KM_TLB_4K;
	tlb = make(&spec);
	TAP_EQ(km_tlb_access(tlb, 0x40000000, KM_TLB_1G), 3, "on a host's 4 KiB: a walk");
	TAP_EQ(km_tlb_access(tlb, 0x40000fff, KM_TLB_1G), 1, "the entry covers 4 KiB");
	TAP_EQ(km_tlb_access(tlb, 0x40001000, KM_TLB_1G), 3, "and no more");
	km_tlb_destroy(tlb);
	spec.host_size = KM_TLB_2M;
	tlb = make(&spec);
	km_tlb_access(tlb, 0x40000000, KM_TLB_1G);
	TAP_EQ(km_tlb_access(tlb, 0x401fffff, KM_TLB_1G), 1, "on a host's 2 MiB: it covers 2 MiB");
	TAP_EQ(km_tlb_access(tlb, 0x1000, KM_TLB_4K), 3, "a smaller guest page stays small");
	TAP_EQ(km_tlb_access(tlb, 0x2000, KM_TLB_4K), 3, "also beside another");
	km_tlb_destroy(tlb);
}

/* ---- walks ---- */

static struct km_tlb_counts walk_counts(const struct km_tlb_spec *spec, enum km_tlb_size size,
					const uint64_t *addrs, unsigned n)
{
	struct km_tlb *tlb = make(spec);
	struct km_tlb_counts counts;

	km_tlb_access_many(tlb, addrs, n, size);
	km_tlb_read(tlb, &counts);
	km_tlb_destroy(tlb);
	return counts;
}

static uint64_t all_lines(const struct km_tlb_counts *counts)
{
	return counts->lines[0] + counts->lines[1] + counts->lines[2];
}

static void test_walks(void)
{
	const uint64_t one[] = {0x40000000}, two[] = {0x40000000, 0x40001000};
	struct km_tlb_spec spec = {.levels = 4,
				   .host_size = KM_TLB_1G,
				   .line_cycles = {10, 50, 300},
				   .walk_cycles = {5}};
	struct km_tlb_counts counts;

	for (unsigned size = 0; size < KM_TLB_SIZES; size++) {
		counts = walk_counts(&spec, size, one, 1);
		TAP_EQ(counts.lines[2],
		       size == KM_TLB_1G   ? 2
		       : size == KM_TLB_2M ? 3
					   : 4,
		       "a cold walk to a %s page reads so many lines", km_tlb_size_names[size]);
	}
	spec.levels = 5;
	counts = walk_counts(&spec, KM_TLB_4K, one, 1);
	TAP_EQ(all_lines(&counts), 5, "five levels: five");
	spec.nested = true;
	spec.host_size = KM_TLB_4K;
	spec.levels = 4;
	counts = walk_counts(&spec, KM_TLB_4K, one, 1);
	TAP_EQ(all_lines(&counts), 24, "nested and cold: (4+1)(4+1)-1 lines");
	TAP_EQ(counts.host_walks, 5, "of them five host translations");
	spec.host_size = KM_TLB_2M;
	counts = walk_counts(&spec, KM_TLB_2M, one, 1);
	TAP_EQ(all_lines(&counts), 15, "2 MiB on 2 MiB: (3+1)(3+1)-1");

	spec.nested = false;
	spec.structures[0] = (struct km_tlb_array_spec){8, 0, 0, KM_TLB_LRU};
	spec.lines[0] = (struct km_tlb_array_spec){64, 4, 0, KM_TLB_LRU};
	counts = walk_counts(&spec, KM_TLB_4K, two, 2);
	TAP_EQ(all_lines(&counts), 5, "with PDEs cached the second walk reads one line");
	TAP_EQ(counts.lines[0], 1, "which the first had brought near");
	TAP_EQ(km_tlb_walk_cycles(&spec, &counts), 4 * 300 + 10 + 2 * 5, "cycles by the costs");
}

/* ---- flushes ---- */

static void test_flush(enum km_tlb_policy policy)
{
	struct km_tlb_spec spec = {
		.l1 = {{8, 0, KM_TLB_HOLDS_ALL, (uint8_t)policy}},
		.l2 = {{32, 4, KM_TLB_HOLDS_ALL, (uint8_t)policy}},
		.structures = {{8, 0, 0, KM_TLB_LRU}},
		.levels = 4,
	};
	const char *name = km_tlb_policy_names[policy];
	struct km_tlb *tlb = make(&spec);
	unsigned hits = 0;

	for (unsigned i = 0; i < 8; i++)
		km_tlb_access(tlb, PAGE(i), KM_TLB_4K);
	km_tlb_invalidate(tlb, PAGE(2), 2 * KM_PAGE_SIZE);
	TAP_EQ(km_tlb_access(tlb, PAGE(1), KM_TLB_4K), 1, "%s: its neighbour stays", name);
	TAP_EQ(km_tlb_access(tlb, PAGE(2), KM_TLB_4K), 3, "%s: an invalidated page is walked",
	       name);
	TAP_EQ(km_tlb_access(tlb, PAGE(100), KM_TLB_4K), 3, "%s: a new page is", name);
	for (unsigned i = 0; i < 8; i++)
		hits += i != 3 && km_tlb_access(tlb, PAGE(i), KM_TLB_4K) == 1;
	TAP_EQ(hits, 7, "%s: it took the place that was empty", name);
	km_tlb_flush(tlb);
	TAP_EQ(km_tlb_access(tlb, PAGE(1), KM_TLB_4K), 3, "%s: a flush empties both levels", name);
	km_tlb_destroy(tlb);
	TAP_EQ(host.live_blocks, 0, "%s: all memory is given back", name);
}

/* ---- what cannot be, and failing memory ---- */

static void test_refused(void)
{
	struct km_tlb_spec spec = one_level(72, 5, KM_TLB_LRU);
	struct km_tlb *tlb;

	test_host_env(&env, &host, 7);
	TAP_EQ(km_tlb_create(&env, &spec, &tlb), -EINVAL, "ways must divide the entries");
	spec = one_level(72, 0, KM_TLB_LRU);
	spec.l1[1] = spec.l1[0];
	TAP_EQ(km_tlb_create(&env, &spec, &tlb), -EINVAL, "one size in two arrays is refused");
	spec = one_level(72, 0, KM_TLB_LRU);
	spec.levels = 3;
	TAP_EQ(km_tlb_create(&env, &spec, &tlb), -EINVAL, "three levels are refused");
	TAP_EQ(host.live_blocks, 0, "nothing is left of them");
}

static void test_no_memory(void)
{
	struct km_tlb_spec spec = one_level(72, 0, KM_TLB_LRU);
	struct test_host failing = {0};
	struct km_tlb_curve *curve;
	struct km_tlb *tlb;
	unsigned failed = 0, refused = 0;

	spec.l2[0] = (struct km_tlb_array_spec){2048, 8, KM_TLB_HOLDS_ALL, KM_TLB_PLRU};
	spec.lines[0] = (struct km_tlb_array_spec){128, 0, 0, KM_TLB_PLRU};
	for (failing.fail_at = 1;; failing.fail_at++, failed++) {
		failing.requests = 0;
		test_host_env(&env, &failing, 7);
		if (!km_tlb_create(&env, &spec, &tlb))
			break;
	}
	km_tlb_destroy(tlb);
	TAP_OK(failed > 10, "a TLB cannot be made %u times", failed);
	for (failing.fail_at = 1; failing.fail_at < 12; failing.fail_at++) {
		failing.requests = 0;
		test_host_env(&env, &failing, 7);
		if (km_tlb_curve_create(&env, &curve))
			continue;
		for (uint64_t page = 0; page < 40000; page++)
			refused += km_tlb_curve_add(curve, page) == -ENOMEM;
		TAP_EQ(km_tlb_curve_refs(curve), km_tlb_curve_pages(curve),
		       "a reference without memory is not counted");
		km_tlb_curve_destroy(curve);
	}
	TAP_OK(refused > 0, "%u of them", refused);
	TAP_EQ(failing.live_blocks, 0, "and nothing leaked");
}

int main(void)
{
	test_closed_forms();
	test_stack();
	test_sets();
	test_plru();
	test_sizes();
	test_walks();
	for (unsigned policy = 0; policy < KM_TLB_POLICIES; policy++)
		test_flush(policy);
	test_refused();
	test_no_memory();
	return tap_done();
}
