/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TLB model's arrays against plain ones of each policy that search every way, and many
 * references at once against one by one, for random geometries and streams.
 */
#include <kmlab/tlb.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"
#include "engine/tlb.h"

#ifdef __SANITIZE_THREAD__
#define REFS 2000 /* one thread: nothing to find, and slow */
#else
#define REFS 20000
#endif
#define GEOMETRIES 250

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 33) % n);
}

static struct km_tlb_array_spec any_array(unsigned most_sets)
{
	static const uint32_t ways[] = {1,  2,  3,  4,  5,  6,  7,  8,   9,  12,
					15, 16, 17, 20, 32, 48, 72, 100, 128};
	uint32_t chosen = ways[below(sizeof(ways) / sizeof(ways[0]))];

	return (struct km_tlb_array_spec){chosen * (1 + below(most_sets)), chosen, KM_TLB_HOLDS_ALL,
					  (uint8_t)below(KM_TLB_POLICIES)};
}

/*
 * Runs, returns, jumps; struct pages; addresses that no table of four levels reaches. Sizes are
 * mixed, but for stretches of one.
 */
static void fill(uint64_t *addrs, uint8_t *sizes)
{
	uint32_t pages = 1 + below(4000), at = 0;

	for (unsigned i = 0; i < REFS; i++) {
		at = below(8) < 5 ? (at + !below(4)) % pages : below(pages) * below(8) / 8;
		addrs[i] = KM_DIRECT_MAP_BASE + ((uint64_t)at << KM_PAGE_SHIFT) + below(64) * 64;
		if (!below(16))
			addrs[i] = 0xffffea0000000000ull + (uint64_t)at * 64;
		if (!below(64))
			addrs[i] = (uint64_t)below(1u << 30) << 30;
		if (i / 512 % 4 && i % 512)
			sizes[i] = sizes[i - 1];
		else
			sizes[i] =
				(uint8_t)(below(4) ? at / 8 % KM_TLB_SIZES : below(KM_TLB_SIZES));
	}
}

/* ---- one array, the plain way ---- */

struct plain_way {
	uint64_t page, used; /* used 0: empty */
};

struct plain {
	struct km_tlb_array_spec spec;
	struct plain_way *ways;
	bool *right; /* by set and node of a tree over the next power of two: it points right */
	uint32_t span;
	struct km_env env; /* for the same random numbers */
};

static void plain_open(struct plain *plain, const struct km_tlb_array_spec *spec)
{
	plain->spec = *spec;
	plain->span = 1;
	while (plain->span < spec->ways)
		plain->span *= 2;
	plain->ways = calloc(spec->entries, sizeof(*plain->ways));
	plain->right = calloc((size_t)spec->entries / spec->ways * plain->span, sizeof(bool));
	plain->env = (struct km_env){.random_state = 7};
}

/* Down the tree; a half that has no ways is not entered. */
static uint32_t plain_tree_victim(const struct plain *plain, const bool *right)
{
	uint32_t node = 1, from = 0;

	for (uint32_t half = plain->span / 2; half; half /= 2) {
		bool turn = right[node] && from + half < plain->spec.ways;

		from += turn ? half : 0;
		node = 2 * node + turn;
	}
	return from;
}

static uint32_t plain_victim(struct plain *plain, const struct plain_way *set, const bool *right)
{
	uint32_t oldest = 0;

	for (uint32_t way = 0; way < plain->spec.ways; way++) {
		if (!set[way].used)
			return way;
		oldest = set[way].used < set[oldest].used ? way : oldest;
	}
	if (plain->spec.policy == KM_TLB_LRU)
		return oldest;
	if (plain->spec.policy == KM_TLB_PLRU)
		return plain_tree_victim(plain, right);
	return (uint32_t)((km_env_random(&plain->env) >> 32) * plain->spec.ways >> 32);
}

static bool plain_use(struct plain *plain, uint64_t page, uint64_t now)
{
	uint32_t set = (uint32_t)(page % (plain->spec.entries / plain->spec.ways)), way = 0;
	struct plain_way *ways = plain->ways + (size_t)set * plain->spec.ways;
	bool *right = plain->right + (size_t)set * plain->span, held;

	while (way < plain->spec.ways && !(ways[way].used && ways[way].page == page))
		way++;
	held = way < plain->spec.ways;
	if (!held)
		way = plain_victim(plain, ways, right);
	ways[way] = (struct plain_way){page, now};
	for (uint32_t node = 1, half = plain->span / 2, from = 0; half; half /= 2) {
		bool turn = way >= from + half;

		right[node] = !turn;
		from += turn ? half : 0;
		node = 2 * node + turn;
	}
	return held;
}

static void plain_remove(struct plain *plain, uint64_t page)
{
	uint32_t sets = plain->spec.entries / plain->spec.ways;
	struct plain_way *ways = plain->ways + page % sets * plain->spec.ways;

	for (uint32_t way = 0; way < plain->spec.ways; way++)
		if (ways[way].page == page)
			ways[way].used = 0;
}

#define STRETCH 997 /* references between two pages that are invalidated */

/* References in stretches, after each of which its middle one's page goes; the plain misses. */
static uint64_t use_both(struct km_tlb *tlb, struct plain *plain, const uint64_t *addrs)
{
	uint64_t misses = 0;

	for (unsigned from = 0; from < REFS; from += STRETCH) {
		unsigned n = REFS - from < STRETCH ? REFS - from : STRETCH;
		uint64_t gone = addrs[from + n / 2] & ~(KM_PAGE_SIZE - 1ull);

		km_tlb_access_many(tlb, addrs + from, n, KM_TLB_4K);
		km_tlb_invalidate(tlb, gone, KM_PAGE_SIZE);
		for (unsigned i = from; i < from + n; i++)
			misses += !plain_use(plain, addrs[i] >> KM_PAGE_SHIFT, i + 1);
		plain_remove(plain, gone >> KM_PAGE_SHIFT);
	}
	return misses;
}

static void test_arrays(void)
{
	static uint64_t addrs[REFS];
	static uint8_t sizes[REFS];
	struct test_host host = {0};
	unsigned different = 0;

	for (unsigned i = 0; i < GEOMETRIES; i++) {
		struct km_tlb_spec spec = {
			.l1 = {any_array(24)}, .levels = 4, .host_size = KM_TLB_1G};
		struct km_tlb_counts counts;
		struct plain plain;
		uint64_t misses;
		struct km_env env;
		struct km_tlb *tlb;

		test_host_env(&env, &host, 7);
		if (km_tlb_create(&env, &spec, &tlb))
			exit(1);
		plain_open(&plain, &spec.l1[0]);
		fill(addrs, sizes);
		misses = use_both(tlb, &plain, addrs);
		km_tlb_read(tlb, &counts);
		if (counts.l1_misses != misses)
			TAP_EQ(counts.l1_misses, misses, "%u entries, %u ways, %s: misses",
			       spec.l1[0].entries, spec.l1[0].ways,
			       km_tlb_policy_names[spec.l1[0].policy]);
		different += counts.l1_misses != misses;
		km_tlb_destroy(tlb);
		free(plain.ways);
		free(plain.right);
	}
	TAP_EQ(different, 0, "%u arrays miss what plain ones of their policy miss", GEOMETRIES);
	TAP_EQ(host.live_blocks, 0, "and give all memory back");
}

/* ---- many at once ---- */

/* Sizes of the L1 in one array, or apart; the L2 may lack the largest, or be missing. */
static struct km_tlb_spec any_spec(void)
{
	struct km_tlb_spec spec = {.levels = (uint8_t)(4 + below(2)),
				   .host_size = (uint8_t)(below(2) ? KM_TLB_1G : below(4)),
				   .data_lines = !below(4),
				   .nested = !below(5)};
	unsigned split = below(3) ? KM_TLB_HOLDS_ALL : 1 + below(14);

	spec.l1[0] = any_array(8);
	spec.l1[0].holds = (uint8_t)split;
	if (split != KM_TLB_HOLDS_ALL) {
		spec.l1[1] = any_array(4);
		spec.l1[1].holds = (uint8_t)(KM_TLB_HOLDS_ALL & ~split);
	}
	if (below(8)) {
		spec.l2[0] = any_array(64);
		spec.l2[0].holds = below(2) ? KM_TLB_HOLDS_ALL
					    : KM_TLB_HOLDS(KM_TLB_4K) | KM_TLB_HOLDS(KM_TLB_2M);
	}
	for (unsigned i = 0; i < KM_TLB_STRUCTURES; i++)
		if (below(3))
			spec.structures[i] = any_array(3);
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS - 1; i++)
		if (below(4))
			spec.lines[i] = any_array(64);
	if (below(2))
		spec.host_tlb = any_array(4);
	return spec;
}

/* One by one; what each is said to have done must be what the counts say. */
static bool same_outcomes(struct km_tlb *tlb, const uint64_t *addrs, const uint8_t *sizes,
			  const struct km_tlb_outcome *outcomes)
{
	struct km_tlb_counts before, after;
	bool same = true;

	km_tlb_read(tlb, &before);
	for (unsigned i = 0; i < REFS; i++) {
		same &= km_tlb_access(tlb, addrs[i], sizes[i]) == outcomes[i].level;
		km_tlb_read(tlb, &after);
		for (unsigned k = 0; k < KM_TLB_LINE_LEVELS; k++)
			same &= after.lines[k] - before.lines[k] == outcomes[i].lines[k];
		before = after;
	}
	return same;
}

/* Stretches of one by one and of many take turns in one TLB; the other makes all one by one. */
static void use_in_turns(struct km_tlb *turns, struct km_tlb *single, const uint64_t *addrs,
			 const uint8_t *sizes)
{
	for (unsigned from = 0, n; from < REFS; from += n) {
		bool at_once = below(2), goes = !below(8);

		n = 1 + below(600);
		n = n > REFS - from ? REFS - from : n;
		if (at_once)
			km_tlb_access_each(turns, addrs + from, sizes + from, n, NULL);
		for (unsigned i = from; i < from + n; i++) {
			if (!at_once)
				km_tlb_access(turns, addrs[i], sizes[i]);
			km_tlb_access(single, addrs[i], sizes[i]);
		}
		if (!goes)
			continue;
		km_tlb_invalidate(turns, addrs[from + n - 1], KM_PAGE_SIZE);
		km_tlb_invalidate(single, addrs[from + n - 1], KM_PAGE_SIZE);
	}
}

static void test_many(void)
{
	static struct km_tlb_outcome outcomes[REFS];
	static uint64_t addrs[REFS];
	static uint8_t sizes[REFS];
	struct test_host host = {0};
	unsigned different = 0;

	for (unsigned i = 0; i < GEOMETRIES; i++) {
		const struct km_tlb_spec spec = any_spec();
		struct km_tlb_counts counts[2];
		struct km_tlb *many, *single;
		struct km_env envs[2];
		bool same;

		test_host_env(&envs[0], &host, 7);
		test_host_env(&envs[1], &host, 7);
		if (km_tlb_create(&envs[0], &spec, &many) ||
		    km_tlb_create(&envs[1], &spec, &single))
			exit(1);
		fill(addrs, sizes);
		km_tlb_access_each(many, addrs, sizes, REFS, outcomes);
		same = same_outcomes(single, addrs, sizes, outcomes);
		km_tlb_invalidate(many, addrs[5], 1 << 20);
		km_tlb_invalidate(single, addrs[5], 1 << 20);
		km_tlb_access_many(many, addrs, REFS, i % KM_TLB_SIZES);
		for (unsigned k = 0; k < REFS; k++)
			km_tlb_access(single, addrs[k], i % KM_TLB_SIZES);
		use_in_turns(many, single, addrs, sizes);
		km_tlb_read(many, &counts[0]);
		km_tlb_read(single, &counts[1]);
		same &= !memcmp(&counts[0], &counts[1], sizeof(counts[0]));
		if (!same)
			TAP_OK(false, "geometry %u: many at once are as one by one", i);
		different += !same;
		km_tlb_destroy(many);
		km_tlb_destroy(single);
	}
	TAP_EQ(different, 0, "%u TLBs count many references as they count them one by one",
	       GEOMETRIES);
	TAP_EQ(host.live_blocks, 0, "and give all memory back");
}

int main(void)
{
	/* Each width that this host can; one by one is one key at a time throughout. */
	for (km_tlb_widest = 1; km_tlb_widest <= 8; km_tlb_widest *= 2)
		if (km_tlb_widest != 2) {
			test_arrays();
			test_many();
		}
	return tap_done();
}
