/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading, saving and seeding the page layer's state. */
#include <errno.h>

#include "engine/tests/page_machine.h"

#define LOW_PAGES 0x10000u /* 256 MiB */

static bool lists_equal(const struct km_pfn_list *a, const struct km_pfn_list *b)
{
	return a->count == b->count &&
	       (!a->count || !memcmp(a->pfns, b->pfns, a->count * sizeof(*a->pfns)));
}

static bool pcps_equal(const struct km_pcp_state *a, const struct km_pcp_state *b)
{
	for (unsigned i = 0; i < KM_PCP_LISTS; i++)
		if (!lists_equal(&a->lists[i], &b->lists[i]))
			return false;
	return a->count == b->count && a->high == b->high && a->batch == b->batch &&
	       a->free_factor == b->free_factor && a->alloc_factor == b->alloc_factor &&
	       a->free_count == b->free_count && a->flags == b->flags && a->diff == b->diff;
}

static bool zones_equal(const struct km_zone_state *a, const struct km_zone_state *b)
{
	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
			if (!lists_equal(&a->free[order][type], &b->free[order][type]))
				return false;
	for (unsigned cpu = 0; cpu < a->nr_pcp; cpu++)
		if (!pcps_equal(&a->pcp[cpu], &b->pcp[cpu]))
			return false;
	for (unsigned i = 0; i < a->nr_types && i < b->nr_types; i++)
		if (a->types[i].pfn != b->types[i].pfn || a->types[i].value != b->types[i].value)
			return false;
	return a->nr_pcp == b->nr_pcp && a->nr_types == b->nr_types && a->nr_lru == b->nr_lru &&
	       a->nr_free == b->nr_free && a->boost == b->boost && a->flags == b->flags &&
	       a->highatomic == b->highatomic && !memcmp(a->mark, b->mark, sizeof(a->mark)) &&
	       !memcmp(a->reserve, b->reserve, sizeof(a->reserve));
}

static bool states_equal(const struct km_page_state *a, const struct km_page_state *b)
{
	for (unsigned i = 0; i < a->nr_zones && i < b->nr_zones; i++)
		if (!zones_equal(&a->zones[i], &b->zones[i]))
			return false;
	return a->nr_zones == b->nr_zones;
}

/* Allocations and frees that leave something on every kind of list. */
static void stir(struct page_machine *m, unsigned steps)
{
	static km_pfn held[512];
	static unsigned order[512];

	for (unsigned i = 0; i < 512; i++)
		held[i] = KM_PFN_NONE;
	for (unsigned i = 0; i < steps; i++) {
		unsigned slot = (unsigned)(km_env_random(&m->env) % 512);
		unsigned lot = (unsigned)(km_env_random(&m->env) % 16);

		if (km_pfn_valid(held[slot])) {
			give(m, held[slot], order[slot]);
			held[slot] = KM_PFN_NONE;
			continue;
		}
		order[slot] = lot < 10 ? 0 : lot - 8;
		held[slot] = take(m,
				  lot & 1   ? KM_GFP_KERNEL
				  : lot & 2 ? KM_GFP_HIGHUSER_MOVABLE
					    : KM_GFP_ATOMIC,
				  order[slot]);
	}
}

/* What one machine went through, another that loads its state continues in the same way. */
static void test_continuation(const char *profile)
{
	struct km_page_state before, after, copy;
	struct page_machine one, other;
	bool same = true;

	page_machine_start(&one, profile, 2, LOW_PAGES, 0, true);
	page_machine_start(&other, profile, 2, LOW_PAGES, 0, true);
	stir(&one, 20000);
	km_buddy_save_state(one.machine.page, &before);
	stir(&other, 500);
	TAP_EQ(km_buddy_load_state(other.machine.page, &before), 0, "%s: a saved state loads",
	       profile);
	TAP_EQ(pages->validate(other.machine.page), 0, "%s: its records are sound", profile);
	km_buddy_save_state(other.machine.page, &copy);
	TAP_OK(states_equal(&before, &copy), "%s: and is saved as it was", profile);
	for (unsigned i = 0; i < 5000; i++) {
		uint32_t gfp = i & 1 ? KM_GFP_NOWAIT : KM_GFP_NOWAIT | KM_GFP_MOVABLE;
		unsigned order = i % 7 == 0 ? i % 11 : i % 3;
		km_pfn a = take(&one, gfp, order), b = take(&other, gfp, order);

		same = same && a.value == b.value;
		if (i % 3 == 0 && km_pfn_valid(a)) {
			give(&one, a, order);
			give(&other, b, order);
		}
	}
	TAP_OK(same, "%s: both machines give the same 5000 answers", profile);
	km_buddy_save_state(one.machine.page, &after);
	km_buddy_release_state(other.machine.page, &copy);
	km_buddy_save_state(other.machine.page, &copy);
	TAP_OK(states_equal(&after, &copy), "%s: and end in the same state", profile);
	TAP_OK(!states_equal(&before, &after), "%s: another one than before", profile);
	km_buddy_release_state(other.machine.page, &copy);
	km_buddy_release_state(one.machine.page, &after);
	km_buddy_release_state(one.machine.page, &before);
	page_machine_stop(&one);
	page_machine_stop(&other);
}

static void test_bad_states(void)
{
	struct km_page_usage fresh;
	struct km_page_state state;
	struct page_machine m;
	uint32_t *pfns;

	page_machine_start(&m, "6.1", 1, LOW_PAGES, 0, true);
	fresh = usage_of(&m);
	km_buddy_save_state(m.machine.page, &state);
	pfns = state.zones[1].free[KM_MAX_ORDER][KM_MOVABLE].pfns;
	pfns[1] = pfns[0];
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), -EINVAL, "a block listed twice");
	pfns[1] = pfns[0] + 512;
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), -EINVAL, "a misaligned block");
	pfns[1] = LOW_PAGES;
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), -EINVAL, "a block outside its zone");
	pfns[1] = pfns[0] + 1024;
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), 0, "mended, it loads");
	state.zones[1].pcp[0].count = 1;
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), -EINVAL,
	       "a count its lists do not have");
	state.zones[1].pcp[0].count = 0;
	state.zones[1].pcp[0].cpu = 1;
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), -EINVAL, "a CPU there is not");
	state.zones[1].pcp[0].cpu = 0;
	state.zones[1].types[0].value = KM_NR_MIGRATETYPES;
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), -EINVAL, "an unknown migratetype");
	state.zones[1].types[0].value = KM_MOVABLE;
	state.zones[1].spec.spanned += 1024;
	TAP_EQ(km_buddy_load_state(m.machine.page, &state), -EINVAL, "a zone too large");
	TAP_EQ(usage_of(&m).free, fresh.free, "after a refusal the machine is as at first");
	TAP_EQ(pages->validate(m.machine.page), 0, "and sound");
	km_buddy_release_state(m.machine.page, &state);
	page_machine_stop(&m);
}

/* A busy machine's pagetypeinfo: 1216 pageblocks in zone Normal. */
static const struct km_zone_seed normal_seed = {
	.index = KM_ZONE_NORMAL,
	.free_blocks = {{276, 2087, 576, 0},
			{544, 2449, 290, 0},
			{432, 1252, 37, 0},
			{303, 573, 96, 0},
			{224, 252, 46, 0},
			{122, 164, 30, 0},
			{50, 315, 15, 2},
			{23, 300, 8, 0},
			{5, 150, 7, 0},
			{0, 87, 0, 0},
			{0, 273, 0, 0}},
	.pageblocks = {68, 1093, 54, 1},
};
/* Its zone DMA: everything free, the last free block beside the firmware's pages. */
static const struct km_zone_seed dma_seed = {
	.index = KM_ZONE_DMA,
	.free_blocks = {[8] = {1}, [9] = {0, 1}, [10] = {0, 3}},
	.pageblocks = {1, 7},
};

static bool counts_match(const struct km_zone_state *zone, const struct km_zone_seed *seed)
{
	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
			if (zone->free[order][type].count != seed->free_blocks[order][type])
				return false;
	return true;
}

static uint64_t pageblocks_of_type(const struct km_zone_state *zone, unsigned type)
{
	uint64_t pages_of_type = 0;

	for (unsigned i = 0; i < zone->nr_types; i++)
		if (zone->types[i].value == type)
			pages_of_type +=
				(i + 1 < zone->nr_types ? zone->types[i + 1].pfn
							: zone->spec.start + zone->spec.spanned) -
				zone->types[i].pfn;
	return pages_of_type >> KM_PAGEBLOCK_ORDER;
}

static void test_seed(const char *profile)
{
	struct km_buddy_seed seed = {2, {normal_seed, dma_seed}};
	struct km_page_state state, again;
	struct page_machine m, other;

	page_machine_start(&m, profile, 2, LOW_PAGES, 622592, true);
	page_machine_start(&other, profile, 2, LOW_PAGES, 622592, true);
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), 0, "%s: a busy machine is seeded",
	       profile);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: sound, and nothing left to merge", profile);
	km_buddy_save_state(m.machine.page, &state);
	TAP_OK(counts_match(&state.zones[2], &normal_seed), "%s: Normal has these free blocks",
	       profile);
	TAP_OK(counts_match(&state.zones[0], &dma_seed), "%s: DMA has these free blocks", profile);
	TAP_EQ(pageblocks_of_type(&state.zones[2], KM_UNMOVABLE), 68,
	       "%s: unmovable pageblocks as told", profile);
	TAP_EQ(pageblocks_of_type(&state.zones[2], KM_HIGHATOMIC), 1,
	       "%s: highatomic pageblocks as told", profile);
	TAP_OK(usage_of(&m).pageblocks_unmovable >= 68 + 54,
	       "%s: used pages of their pageblocks are unmovable", profile);
	km_buddy_seed_free(other.machine.page, &seed);
	km_buddy_save_state(other.machine.page, &again);
	TAP_OK(states_equal(&state, &again), "%s: the same seed, the same places", profile);
	km_buddy_release_state(other.machine.page, &again);
	km_buddy_release_state(m.machine.page, &state);
	stir(&m, 20000);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: still sound after a while", profile);
	page_machine_stop(&other);
	page_machine_stop(&m);
}

static void test_seeded_lists(const char *profile)
{
	static const struct km_pcp_seed pcp[] = {{12000, 20000}, {37, 900}, {1, 1}};
	struct km_buddy_seed seed = {1, {normal_seed}};
	struct km_page_state state;
	struct page_machine m;
	uint64_t free;
	int32_t high;

	seed.zones[0].pcp = pcp;
	seed.zones[0].nr_pcp = 3;
	page_machine_start(&m, profile, 2, LOW_PAGES, 622592, true);
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), -EINVAL, "%s: lists of a third CPU",
	       profile);
	seed.zones[0].nr_pcp = 2;
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), 0, "%s: lists are seeded", profile);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: sound", profile);
	km_buddy_save_state(m.machine.page, &state);
	TAP_OK(counts_match(&state.zones[2], &normal_seed), "%s: beside the same free blocks",
	       profile);
	TAP_EQ(state.zones[2].pcp[0].count, 12000, "%s: the pages of one CPU", profile);
	TAP_EQ(state.zones[2].pcp[1].count, 37, "%s: and of the other", profile);
	TAP_EQ(state.zones[2].pcp[0].high, 20000, "%s: and their limit", profile);
	high = state.zones[2].pcp[0].high_min;
	km_buddy_release_state(m.machine.page, &state);
	free = usage_of(&m).free;
	for (unsigned i = 0; i < 100; i++)
		km_buddy_refresh(m.machine.page, 0);
	km_buddy_save_state(m.machine.page, &state);
	if (km_profile_find(profile)->pcp_generation < 2)
		high = 20000;
	TAP_EQ(state.zones[2].pcp[0].high, high,
	       "%s: with time the limit falls as far as it may, from 6.7 on", profile);
	TAP_EQ(state.zones[2].pcp[0].count, high < 12000 ? high : 12000,
	       "%s: what is beyond it leaves the list", profile);
	TAP_EQ(usage_of(&m).free, free, "%s: for the buddy", profile);
	km_buddy_release_state(m.machine.page, &state);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: still sound", profile);
	page_machine_stop(&m);
}

static void test_impossible_seeds(void)
{
	struct km_buddy_seed seed = {.nr_zones = 1};
	struct page_machine m;

	page_machine_start(&m, "6.12", 1, LOW_PAGES, 0, true);
	seed.zones[0].index = KM_ZONE_NORMAL;
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), -EINVAL, "a zone without memory");
	seed.zones[0].index = KM_ZONE_DMA32;
	seed.zones[0].free_blocks[10][KM_MOVABLE] = 61;
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), -ENOSPC, "more blocks than memory");
	seed.zones[0].free_blocks[0][KM_MOVABLE] = UINT64_MAX;
	seed.zones[0].free_blocks[10][KM_MOVABLE] = UINT64_MAX / 2;
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), -ENOSPC, "counts beyond any memory");
	seed.zones[0].free_blocks[0][KM_MOVABLE] = 0;
	seed.zones[0].free_blocks[10][KM_MOVABLE] = 0;
	seed.zones[0].free_blocks[0][KM_MOVABLE] = LOW_PAGES / 2;
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), -ENOSPC,
	       "more single pages than can lie apart");
	TAP_EQ(usage_of(&m).free, usage_of(&m).managed, "after a refusal all memory is free");
	seed.zones[0].free_blocks[0][KM_MOVABLE] = (LOW_PAGES - 4096) / 2;
	TAP_EQ(km_buddy_seed_free(m.machine.page, &seed), 0, "every second page free fits");
	TAP_EQ(usage_of(&m).free_blocks[0], (LOW_PAGES - 4096) / 2, "and is so");
	TAP_EQ(pages->validate(m.machine.page), 0, "without merging");
	page_machine_stop(&m);
}

static void test_no_host_memory(void)
{
	struct km_page_state state;
	struct page_machine m;
	size_t requests, blocks;
	bool clean = true;

	page_machine_start(&m, "6.1", 1, LOW_PAGES, 0, true);
	stir(&m, 2000);
	blocks = m.host.live_blocks;
	m.host.requests = 0;
	km_buddy_save_state(m.machine.page, &state);
	km_buddy_release_state(m.machine.page, &state);
	requests = m.host.requests;
	for (size_t i = 1; i <= requests; i++) {
		m.host.fail_at = i;
		m.host.requests = 0;
		clean = clean && km_buddy_save_state(m.machine.page, &state) == -ENOMEM &&
			m.host.live_blocks == blocks;
	}
	m.host.fail_at = 0;
	TAP_OK(requests > 5 && clean, "without host memory a save fails and keeps nothing");
	page_machine_stop(&m);
}

int main(void)
{
	const char *const *name;

	for (name = km_profile_names(); *name; name++) {
		test_continuation(*name);
		test_seed(*name);
		test_seeded_lists(*name);
	}
	test_bad_states();
	test_impossible_seeds();
	test_no_host_memory();
	return tap_done();
}
