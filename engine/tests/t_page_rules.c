/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Single rules of the page allocator on hand-made states, each at the value where it decides:
 * marks and rights, the reserve for urgent requests, fallback by majority, drains.
 */
#include "engine/tests/page_machine.h"

#define START 0x1000u /* first frame of zone DMA32 */
#define BLOCKS 16u    /* its pageblocks */
#define MIN 1000u
#define MAX_RUNS 8

/* A state under construction: zone DMA32 and, if asked for, Normal; all pages in use at first. */
static struct {
	struct km_page_state state;
	struct km_pcp_state pcp[2];
	struct km_pageblock_run types[2][MAX_RUNS], lru[2][MAX_RUNS];
	uint32_t pfns[2][KM_NR_ORDERS][KM_NR_MIGRATETYPES][16];
	uint32_t pcp_pfns[KM_PCP_LISTS][128];
} b;

static void begin(unsigned zones)
{
	memset(&b, 0, sizeof(b));
	b.state.nr_zones = zones;
	for (unsigned i = 0; i < zones; i++) {
		struct km_zone_state *zone = &b.state.zones[i];
		uint64_t size = BLOCKS * KM_PAGEBLOCK_PAGES;

		zone->spec = (struct km_zone_spec){(uint8_t)(KM_ZONE_DMA32 + i),
						   i ? 1u << 20 : START, size, size, size};
		zone->mark[0] = MIN;
		zone->mark[1] = MIN + 250;
		zone->mark[2] = MIN + 500;
		zone->threshold = 2;
		zone->nr_pcp = 1;
		zone->pcp = &b.pcp[i];
		b.pcp[i].batch = 1;
		b.pcp[i].high = b.pcp[i].high_min = 200;
		b.pcp[i].high_max = 400;
		zone->types = b.types[i];
		zone->lru = b.lru[i];
		for (unsigned order = 0; order < KM_NR_ORDERS; order++)
			for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
				zone->free[order][type].pfns = b.pfns[i][order][type];
	}
	for (unsigned i = 0; i < KM_PCP_LISTS; i++)
		b.pcp[0].lists[i].pfns = b.pcp_pfns[i];
}

/* Plenty to take and a counter that says otherwise: only the mark decides. */
static void set_counter(unsigned zone, int64_t free)
{
	b.state.zones[zone].has_counter = true;
	b.state.zones[zone].nr_free = free;
}

static void set_type(unsigned zone, uint64_t pfn, unsigned type)
{
	b.types[zone][b.state.zones[zone].nr_types++] = (struct km_pageblock_run){pfn, type};
}

static void set_movable(unsigned zone, uint64_t pfn, unsigned count)
{
	b.lru[zone][b.state.zones[zone].nr_lru++] = (struct km_pageblock_run){pfn, count};
}

static void add_free(unsigned zone, unsigned order, unsigned type, uint32_t pfn)
{
	struct km_pfn_list *list = &b.state.zones[zone].free[order][type];

	list->pfns[list->count++] = pfn;
}

static void add_pcp(unsigned index, uint32_t pfn, int32_t size)
{
	struct km_pfn_list *list = &b.pcp[0].lists[index];

	list->pfns[list->count++] = pfn;
	b.pcp[0].count += size;
}

static void start(struct page_machine *m, const char *profile)
{
	page_machine_start(m, profile, 1, START + BLOCKS * KM_PAGEBLOCK_PAGES,
			   b.state.nr_zones > 1 ? BLOCKS * KM_PAGEBLOCK_PAGES : 0, true);
	if (km_buddy_load_state(m->machine.page, &b.state))
		TAP_OK(false, "%s: the state loads", profile);
}

static unsigned type_at(struct page_machine *m, unsigned zone, uint64_t pfn)
{
	struct km_page_state state;
	unsigned type = KM_NR_MIGRATETYPES;

	km_buddy_save_state(m->machine.page, &state);
	for (unsigned i = 0; i < state.zones[zone].nr_types; i++)
		if (state.zones[zone].types[i].pfn <= pfn)
			type = state.zones[zone].types[i].value;
	km_buddy_release_state(m->machine.page, &state);
	return type;
}

/* ---- marks and rights ---- */

/* Whether one request gets a page when the counter says `free`. */
static bool served(const char *profile, int64_t free, uint32_t gfp, unsigned order, int64_t boost)
{
	struct page_machine m;
	bool valid;

	begin(1);
	set_counter(0, free);
	b.state.zones[0].boost = (uint64_t)boost;
	set_type(0, START, KM_UNMOVABLE);
	add_free(0, 9, KM_UNMOVABLE, START);
	start(&m, profile);
	valid = km_pfn_valid(take(&m, gfp, order));
	page_machine_stop(&m);
	return valid;
}

/* The request succeeds with one page more than `mark` and not with as many. */
static void check_mark(const char *profile, int64_t mark, uint32_t gfp, unsigned order,
		       int64_t boost, const char *what)
{
	int64_t need = mark + (1 << order);

	TAP_OK(served(profile, need, gfp, order, boost), "%s: %s succeeds at %lld", profile, what,
	       (long long)need);
	TAP_OK(!served(profile, need - 1, gfp, order, boost), "%s: %s fails at %lld", profile, what,
	       (long long)need - 1);
}

static void test_rights(const char *profile)
{
	uint32_t atomic = KM_GFP_ATOMIC | KM_GFP_ATOMIC_BIT;

	check_mark(profile, MIN, KM_GFP_KERNEL, 0, 0, "GFP_KERNEL");
	check_mark(profile, MIN, KM_GFP_NOWAIT, 0, 0, "GFP_NOWAIT");
	check_mark(profile, MIN, KM_GFP_NOWAIT, 4, 0, "GFP_NOWAIT order 4");
	check_mark(profile, MIN / 2, KM_GFP_KERNEL | KM_GFP_HIGH, 0, 0, "GFP_KERNEL|__GFP_HIGH");
	check_mark(profile, MIN * 3 / 8, atomic, 0, 0, "GFP_ATOMIC");
	check_mark(profile, MIN * 3 / 8, atomic, 4, 0, "GFP_ATOMIC order 4");
	check_mark(profile, MIN + 512, KM_GFP_NOWAIT, 0, 512, "GFP_NOWAIT under a boost");
	check_mark(profile, MIN * 3 / 8, atomic, 0, 512, "GFP_ATOMIC under a boost");
	check_mark(profile, (MIN + 512) * 3 / 8, atomic, 4, 512, "order 4 under a boost");
}

static void test_old_rights(void)
{
	check_mark("5.15", MIN * 3 / 4, KM_GFP_NOWAIT | KM_GFP_ATOMIC_BIT, 0, 0,
		   "__GFP_ATOMIC alone");
	check_mark("6.1", MIN, KM_GFP_NOWAIT | KM_GFP_ATOMIC_BIT, 0, 0, "__GFP_ATOMIC alone");
	check_mark("6.1", (MIN + 512) * 3 / 8, KM_GFP_ATOMIC, 0, 512,
		   "a boost is not ignored without __GFP_ATOMIC, which");
}

static void test_lowmem_reserve(void)
{
	struct page_machine m;

	for (unsigned more = 0; more < 2; more++) {
		begin(1);
		set_counter(0, MIN + 300 + more);
		b.state.zones[0].reserve[KM_ZONE_NORMAL] = 300;
		set_type(0, START, KM_UNMOVABLE);
		add_free(0, 9, KM_UNMOVABLE, START);
		start(&m, "6.1");
		TAP_EQ(km_pfn_valid(take(&m, KM_GFP_KERNEL, 0)), more,
		       "a zone keeps its reserve from requests of a higher one (%u)", more);
		if (!more)
			TAP_OK(km_pfn_valid(take(&m, KM_GFP_KERNEL | KM_GFP_DMA32, 0)),
			       "not from its own");
		page_machine_stop(&m);
	}
}

/* ---- the HIGHATOMIC reserve ---- */

static bool served_beside_reserve(const char *profile, int64_t free)
{
	struct page_machine m;
	bool valid;

	begin(1);
	set_counter(0, free);
	b.state.zones[0].highatomic = 512;
	set_type(0, START, KM_UNMOVABLE);
	set_type(0, START + 512, KM_HIGHATOMIC);
	set_type(0, START + 1024, KM_MOVABLE);
	add_free(0, 9, KM_MOVABLE, START + 1024);
	add_free(0, 6, KM_HIGHATOMIC, START + 512);
	start(&m, profile);
	valid = km_pfn_valid(take(&m, KM_GFP_KERNEL, 0));
	page_machine_stop(&m);
	return valid;
}

static void test_reserve_is_kept_back(void)
{
	TAP_OK(served_beside_reserve("6.1", MIN + 513) && !served_beside_reserve("6.1", MIN + 512),
	       "6.1: all reserved pages are kept back");
	TAP_OK(served_beside_reserve("6.12", MIN + 65) && !served_beside_reserve("6.12", MIN + 64),
	       "6.12: the free ones of them are");
}

static void test_last_resort(const char *profile, bool want)
{
	struct page_machine m;

	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_HIGHATOMIC);
	add_free(0, 6, KM_HIGHATOMIC, START);
	start(&m, profile);
	TAP_OK(!km_pfn_valid(take(&m, KM_GFP_KERNEL, 0)),
	       "%s: a blocking request never gets reserved pages", profile);
	TAP_EQ(km_pfn_valid(take(&m, KM_GFP_NOWAIT, 0)), want,
	       "%s: a non-blocking one as its last resort", profile);
	page_machine_stop(&m);
}

/* An urgent order-1 request with single blocks on the per-CPU list, none, and one in the buddy. */
static void test_reserve_from_pcp(const char *profile, bool listed, bool want)
{
	uint32_t gfp = KM_GFP_ATOMIC | KM_GFP_ATOMIC_BIT;
	struct page_machine m;
	km_pfn pfn;

	begin(1);
	set_counter(0, MIN / 2 + 2);
	set_type(0, START, KM_UNMOVABLE);
	if (listed)
		add_pcp(3, START + 2, 2);
	add_free(0, 6, KM_UNMOVABLE, START + 64);
	start(&m, profile);
	pfn = take(&m, gfp, 1);
	TAP_OK(km_pfn_valid(pfn) && pfn.value < START + 512, "%s: an urgent request is served",
	       profile);
	TAP_EQ(type_at(&m, 0, START), want ? KM_HIGHATOMIC : KM_UNMOVABLE,
	       "%s: from %s, and %s its pageblock", profile, listed ? "its list" : "the buddy",
	       want ? "reserves" : "leaves");
	page_machine_stop(&m);
}

/* ---- fallback ---- */

static void test_majority(const char *profile, unsigned movable, bool claimed)
{
	struct page_machine m;
	km_pfn pfn;

	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_MOVABLE);
	set_movable(0, START, movable);
	add_free(0, 2, KM_MOVABLE, START + 8);
	add_free(0, 5, KM_MOVABLE, START + 32);
	start(&m, profile);
	pfn = take(&m, KM_GFP_NOWAIT, 4);
	TAP_EQ(pfn.value, START + 32, "%s: the larger block serves", profile);
	TAP_EQ(type_at(&m, 0, START), claimed ? KM_UNMOVABLE : KM_MOVABLE,
	       "%s: with %u movable pages its pageblock is %s", profile, movable,
	       claimed ? "claimed" : "left");
	TAP_EQ(m.env.count.fallback_claim, claimed, "%s: and so it is counted", profile);
	page_machine_stop(&m);
}

/* A movable request meets an unmovable pageblock with 64 free pages. */
static void test_majority_movable(const char *profile, unsigned movable, bool claimed)
{
	struct page_machine m;

	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_UNMOVABLE);
	set_movable(0, START, movable);
	add_free(0, 6, KM_UNMOVABLE, START + 64);
	start(&m, profile);
	take(&m, KM_GFP_NOWAIT | KM_GFP_MOVABLE, 4);
	TAP_EQ(type_at(&m, 0, START), claimed ? KM_MOVABLE : KM_UNMOVABLE,
	       "%s: 64 free and %u movable pages: %s", profile, movable,
	       claimed ? "claimed" : "left");
	page_machine_stop(&m);
}

/* Small movable requests take the smallest foreign block, not the largest. */
static void test_upward_search(const char *profile)
{
	struct page_machine m;

	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_UNMOVABLE);
	add_free(0, 2, KM_UNMOVABLE, START + 8);
	add_free(0, 3, KM_UNMOVABLE, START + 32);
	start(&m, profile);
	TAP_EQ(take(&m, KM_GFP_NOWAIT | KM_GFP_MOVABLE, 0).value, START + 8,
	       "%s: a movable page comes from the smallest block", profile);
	page_machine_stop(&m);
	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_MOVABLE);
	set_movable(0, START, 500);
	set_movable(0, START + 512, 500);
	add_free(0, 2, KM_MOVABLE, START + 8);
	add_free(0, 3, KM_MOVABLE, START + 512 + 32);
	start(&m, profile);
	TAP_EQ(take(&m, KM_GFP_NOWAIT, 0).value,
	       m.machine.spec.profile.fallback == KM_FALLBACK_STEAL ? START + 512 + 32 : START + 8,
	       "%s: an unmovable one from the %s", profile,
	       m.machine.spec.profile.fallback == KM_FALLBACK_STEAL ? "largest" : "smallest too");
	page_machine_stop(&m);
}

/* On a machine with zone Normal a first pass takes whole pageblocks only, from any zone. */
static void test_no_fragment(const char *profile)
{
	struct page_machine m;

	begin(2);
	set_counter(0, 100000);
	set_counter(1, 100000);
	set_type(0, START, KM_MOVABLE);
	set_type(1, 1u << 20, KM_MOVABLE);
	add_free(0, 9, KM_MOVABLE, START);
	add_free(1, 8, KM_MOVABLE, 1u << 20);
	start(&m, profile);
	TAP_EQ(take(&m, KM_GFP_NOWAIT, 4).value, START,
	       "%s: a whole pageblock of a lower zone before a part of one", profile);
	TAP_EQ(type_at(&m, 1, 1u << 20), KM_MOVABLE, "%s: which stays as it is", profile);
	page_machine_stop(&m);
}

static void test_boost(const char *profile)
{
	struct km_page_state state;
	struct page_machine m;

	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_MOVABLE);
	add_free(0, 5, KM_MOVABLE, START + 32);
	start(&m, profile);
	take(&m, KM_GFP_NOWAIT, 4);
	km_buddy_save_state(m.machine.page, &state);
	TAP_EQ(state.zones[0].boost, 512, "%s: taking part of a pageblock boosts the marks",
	       profile);
	km_buddy_release_state(m.machine.page, &state);
	page_machine_stop(&m);
}

/* ---- drains ---- */

/* Two lists of one page each; a free to the second reaches the limit, one page must go. */
static void test_drain_start(void)
{
	struct km_page_state state;
	struct page_machine m;

	begin(1);
	set_type(0, START, KM_UNMOVABLE);
	set_type(0, START + 512, KM_RECLAIMABLE);
	set_type(0, START + 1024, KM_MOVABLE);
	b.pcp[0].high = 3;
	b.pcp[0].batch = 2;
	add_pcp(KM_UNMOVABLE, START + 2, 1);
	add_pcp(KM_RECLAIMABLE, START + 512 + 2, 1);
	start(&m, "6.1");
	give(&m, (km_pfn){START + 512 + 4}, 0);
	km_buddy_save_state(m.machine.page, &state);
	TAP_EQ(state.zones[0].pcp[0].count, 2, "a free at the limit sends one page back");
	TAP_OK(state.zones[0].free[0][KM_RECLAIMABLE].count == 1 &&
		       state.zones[0].free[0][KM_RECLAIMABLE].pfns[0] == START + 512 + 2,
	       "the oldest of the list just used");
	km_buddy_release_state(m.machine.page, &state);
	page_machine_stop(&m);
}

/* A pageblock changes type while its page waits on a per-CPU list: where does a drain put it? */
static void test_drain_type(const char *profile, unsigned want)
{
	struct km_page_state state;
	struct page_machine m;

	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_MOVABLE);
	add_pcp(KM_MOVABLE, START, 1);
	add_free(0, 5, KM_MOVABLE, START + 32);
	start(&m, profile);
	take(&m, KM_GFP_NOWAIT, 5);
	TAP_EQ(type_at(&m, 0, START), KM_UNMOVABLE, "%s: the pageblock is claimed", profile);
	pages->drain(m.machine.page, 0);
	km_buddy_save_state(m.machine.page, &state);
	TAP_EQ(state.zones[0].free[0][want].count, 1, "%s: the page goes to type %u", profile,
	       want);
	km_buddy_release_state(m.machine.page, &state);
	page_machine_stop(&m);
}

/* Whole high-order lists go back after repeated frees: in one drain, or in chunks of the batch. */
static void test_drain_chunks(const char *profile, int32_t left)
{
	struct km_page_state state;
	struct page_machine m;

	begin(1);
	set_counter(0, 100000);
	set_type(0, START, KM_UNMOVABLE);
	b.pcp[0].batch = 3;
	b.pcp[0].high = b.pcp[0].high_min = b.pcp[0].high_max = 20;
	b.pcp[0].free_count = 8;
	for (uint32_t i = 0; i < 4; i++)
		add_pcp(6, START + 4 + 8 * i, 4);
	start(&m, profile);
	give(&m, (km_pfn){START + 256}, 0);
	give(&m, (km_pfn){START + 258}, 0);
	give(&m, (km_pfn){START + 260}, 0);
	give(&m, (km_pfn){START + 262}, 0);
	km_buddy_save_state(m.machine.page, &state);
	TAP_EQ(state.zones[0].pcp[0].count, left, "%s: pages left after a drain of 12", profile);
	km_buddy_release_state(m.machine.page, &state);
	page_machine_stop(&m);
}

/* ---- exact sizes, and kswapd at work ---- */

/* What alloc_pages_exact() does not need: to the CPU's lists, or past them to the buddy's tail. */
static void test_exact(const char *profile, bool to_tail)
{
	struct page_machine m;
	uint64_t before;
	km_pfn pfn;

	begin(1);
	set_type(0, START, KM_UNMOVABLE);
	add_free(0, 4, KM_UNMOVABLE, START);
	add_free(0, 0, KM_UNMOVABLE, START + 64);
	set_counter(0, 100000);
	start(&m, profile);
	before = usage_of(&m).free_pcp;
	pfn = pages->alloc_exact(m.machine.page, 0, KM_GFP_KERNEL, 4, 11);
	TAP_EQ(pfn.value, START, "%s: exact pages are the first of a block", profile);
	TAP_EQ(usage_of(&m).free_pcp - before, to_tail ? 0 : 5, "%s: where the rest goes", profile);
	if (to_tail) {
		struct km_page_state state;

		km_buddy_save_state(m.machine.page, &state);
		/* 11 alone, 12-15 merge; the page that was free before stays at the head. */
		TAP_EQ(state.zones[0].free[0][KM_UNMOVABLE].pfns[0], START + 64, "%s: head",
		       profile);
		TAP_EQ(state.zones[0].free[0][KM_UNMOVABLE].pfns[1], START + 11, "%s: tail",
		       profile);
		TAP_EQ(state.zones[0].free[2][KM_UNMOVABLE].pfns[0], START + 12, "%s: four",
		       profile);
		km_buddy_release_state(m.machine.page, &state);
	}
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: records are sound", profile);
	page_machine_stop(&m);
}

/* While kswapd reclaims, a CPU keeps four batches at most. */
static void test_reclaim_active(const char *profile, unsigned flags, uint64_t want)
{
	struct page_machine m;
	uint64_t most = 0;
	km_pfn pfn;

	begin(1);
	set_type(0, START, KM_UNMOVABLE);
	add_free(0, 8, KM_UNMOVABLE, START);
	set_counter(0, 100000);
	b.state.zones[0].flags = flags;
	b.pcp[0].batch = 8;
	start(&m, profile);
	pfn = take(&m, KM_GFP_KERNEL, 7);
	for (unsigned i = 0; i < 128; i++) {
		give(&m, (km_pfn){pfn.value + i}, 0);
		if (usage_of(&m).free_pcp > most)
			most = usage_of(&m).free_pcp;
	}
	TAP_EQ(most, want, "%s: flags %u, a CPU keeps %llu", profile, flags,
	       (unsigned long long)want);
	page_machine_stop(&m);
}

int main(void)
{
	const char *const *name;

	for (name = km_profile_names(); *name; name++) {
		test_rights(*name);
		test_majority(*name, 256, true);
		test_majority(*name, 257, false);
		test_majority_movable(*name, 192, true);
		test_majority_movable(*name, 191, false);
		test_upward_search(*name);
		test_no_fragment(*name);
		test_boost(*name);
		test_last_resort(*name, strcmp(*name, "5.15") != 0);
	}
	test_old_rights();
	test_lowmem_reserve();
	test_reserve_is_kept_back();
	test_reserve_from_pcp("6.1", true, true);
	test_reserve_from_pcp("6.1", false, true);
	test_reserve_from_pcp("7.2", true, false);
	test_drain_start();
	test_drain_type("6.1", KM_MOVABLE);
	test_drain_type("6.12", KM_UNMOVABLE);
	test_drain_chunks("6.12", 8);
	test_drain_chunks("7.2", 4);
	test_exact("5.15", false);
	test_exact("6.1", true);
	test_exact("7.2", true);
	test_reclaim_active("6.1", 0, 128);
	test_reclaim_active("6.1", 2, 31);
	test_reclaim_active("6.12", 4, 128);
	test_reclaim_active("6.12", 2 | 4, 31);
	return tap_done();
}
