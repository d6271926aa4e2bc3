/* SPDX-License-Identifier: GPL-2.0-only */
/* The buddy model as an allocator: what must hold for every kernel generation. */
#include <errno.h>

#include "engine/tests/page_machine.h"

#define LOW_PAGES 0x10000u /* 256 MiB */
#define SLOTS 4000u
#define STEPS 60000u

struct slot {
	km_pfn pfn;
	unsigned order;
};

static struct slot slots[SLOTS];
static uint8_t owned[LOW_PAGES];

static const uint32_t gfps[] = {
	KM_GFP_KERNEL, KM_GFP_HIGHUSER_MOVABLE,        KM_GFP_KERNEL | KM_GFP_RECLAIMABLE,
	KM_GFP_NOWAIT, KM_GFP_NOWAIT | KM_GFP_MOVABLE, KM_GFP_KERNEL | KM_GFP_DMA,
};

static unsigned random_order(struct km_env *env)
{
	uint64_t lot = km_env_random(env) % 100;

	return lot < 60 ? 0 : lot < 90 ? 1 + (unsigned)(lot % 4) : (unsigned)(lot % 11);
}

/* Marks the block owned; false if any page already was, or it is misaligned. */
static bool own(const struct slot *slot, bool take_it)
{
	uint64_t size = 1ull << slot->order;

	if (slot->pfn.value & (size - 1) || slot->pfn.value + size > LOW_PAGES)
		return false;
	for (uint64_t i = 0; i < size; i++) {
		if (owned[slot->pfn.value + i] == take_it)
			return false;
		owned[slot->pfn.value + i] = take_it;
	}
	return true;
}

/* Runs STEPS random calls. Returns pages in use, or -1 at the first broken promise. */
static int64_t random_program(struct page_machine *m, unsigned cpus)
{
	int64_t used = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		struct slot *slot = &slots[km_env_random(&m->env) % SLOTS];
		unsigned cpu = (unsigned)(km_env_random(&m->env) % cpus);

		if (km_pfn_valid(slot->pfn)) {
			if (!own(slot, false))
				return -1;
			used -= 1 << slot->order;
			pages->free(m->machine.page, cpu, slot->pfn, slot->order);
			slot->pfn = KM_PFN_NONE;
		} else {
			uint32_t gfp = gfps[km_env_random(&m->env) % 6];

			slot->order = random_order(&m->env);
			slot->pfn = pages->alloc(m->machine.page, cpu, gfp, slot->order);
			if (!km_pfn_valid(slot->pfn))
				continue;
			if (!own(slot, true))
				return -1;
			used += 1 << slot->order;
		}
		if (i % 5000 == 0 && pages->validate(m->machine.page))
			return -1;
	}
	return used;
}

static void free_all(struct page_machine *m)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (km_pfn_valid(slots[i].pfn))
			give(m, slots[i].pfn, slots[i].order);
		slots[i].pfn = KM_PFN_NONE;
	}
	memset(owned, 0, sizeof(owned));
}

static void test_random_programs(const char *profile)
{
	struct km_page_usage before, after;
	struct page_machine m;
	int64_t used;

	for (unsigned i = 0; i < SLOTS; i++)
		slots[i].pfn = KM_PFN_NONE;
	page_machine_start(&m, profile, 2, LOW_PAGES, 0, true);
	before = usage_of(&m);
	TAP_EQ(before.free, before.managed, "%s: all memory is free at first", profile);
	used = random_program(&m, 2);
	TAP_OK(used > 0, "%s: no block is handed out twice, records stay sound", profile);
	after = usage_of(&m);
	TAP_EQ(after.free + (uint64_t)used, before.managed, "%s: no page is lost", profile);
	TAP_OK(m.env.count.page_fail > 0, "%s: the program ran out of memory", profile);
	free_all(&m);
	pages->drain(m.machine.page, -1);
	after = usage_of(&m);
	TAP_OK(!memcmp(&before, &after, sizeof(before)),
	       "%s: all freed and drained, all merged as at first", profile);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: records are sound in the end", profile);
	page_machine_stop(&m);
}

static void test_exhaustion(const char *profile)
{
	static km_pfn taken[LOW_PAGES];
	struct page_machine m;
	uint32_t count = 0;

	page_machine_start(&m, profile, 1, LOW_PAGES / 4, 0, true);
	while (count < LOW_PAGES && km_pfn_valid(taken[count] = take(&m, KM_GFP_KERNEL, 0)))
		count++;
	TAP_OK(count > LOW_PAGES / 8 && count < LOW_PAGES / 4, "%s: memory ends above the min mark",
	       profile);
	TAP_OK(!km_pfn_valid(take(&m, KM_GFP_KERNEL, 0)), "%s: and stays ended", profile);
	TAP_OK(km_pfn_valid(take(&m, KM_GFP_ATOMIC | KM_GFP_ATOMIC_BIT, 0)),
	       "%s: an atomic request reaches below it", profile);
	TAP_OK(!km_pfn_valid(take(&m, KM_GFP_KERNEL, KM_MAX_ORDER + 1)),
	       "%s: no block beyond the largest order", profile);
	while (count)
		give(&m, taken[--count], 0);
	TAP_OK(km_pfn_valid(take(&m, KM_GFP_KERNEL, 3)), "%s: frees let requests in again",
	       profile);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: records are sound", profile);
	page_machine_stop(&m);
}

static void test_emergency(void)
{
	struct page_machine m;
	uint64_t taken = 0;

	page_machine_start(&m, "6.1", 1, 8192, 0, false);
	while (km_pfn_valid(take(&m, KM_GFP_NOWAIT | KM_GFP_MEMALLOC, 0)))
		taken++;
	TAP_EQ(usage_of(&m).free, 0, "__GFP_MEMALLOC takes the last page");
	TAP_EQ(taken, usage_of(&m).managed, "and every page was one of the zones'");
	page_machine_stop(&m);
}

static void test_zones(void)
{
	struct page_machine m;

	page_machine_start(&m, "6.12", 1, 0x40000, 0x20000, true);
	TAP_OK(take(&m, KM_GFP_KERNEL | KM_GFP_DMA, 0).value < 4096, "GFP_DMA lies below 16 MiB");
	TAP_OK(take(&m, KM_GFP_KERNEL | KM_GFP_DMA32, 4).value < 1u << 20,
	       "GFP_DMA32 lies below 4 GiB");
	TAP_OK(take(&m, KM_GFP_KERNEL, 0).value >= 1u << 20, "others come from zone Normal");
	TAP_OK(take(&m, KM_GFP_HIGHUSER_MOVABLE, 9).value >= 1u << 20,
	       "movable ones too, without a zone Movable");
	for (unsigned i = 0; i < 0x20000 >> KM_MAX_ORDER; i++)
		take(&m, KM_GFP_KERNEL, KM_MAX_ORDER);
	TAP_OK(take(&m, KM_GFP_KERNEL, KM_MAX_ORDER).value < 1u << 20,
	       "a full zone Normal falls back to DMA32");
	page_machine_stop(&m);
}

static void test_split_order(void)
{
	struct page_machine m;
	km_pfn first, second;

	page_machine_start(&m, "6.1", 1, LOW_PAGES, 0, true);
	first = take(&m, KM_GFP_KERNEL, 4);
	second = take(&m, KM_GFP_KERNEL, 4);
	TAP_EQ(second.value, first.value + 16, "blocks of a split come in ascending order");
	TAP_EQ(first.value & ((1u << KM_MAX_ORDER) - 1), 0, "from the start of the large block");
	give(&m, second, 4);
	TAP_EQ(take(&m, KM_GFP_KERNEL, 4).value, second.value, "the last one freed is reused");
	page_machine_stop(&m);
}

/* A freed block whose merged buddy is free waits at the tail: others are taken before it. */
static void test_tail_insertion(void)
{
	struct page_machine m;
	km_pfn block[8];

	page_machine_start(&m, "6.1", 1, LOW_PAGES, 0, true);
	for (unsigned i = 0; i < 8; i++)
		block[i] = take(&m, KM_GFP_KERNEL, 4);
	give(&m, block[4], 4);
	give(&m, block[2], 4);
	give(&m, block[3], 4); /* 2 and 3 are one block of order 5 now */
	give(&m, block[0], 4); /* its merged block's buddy is that one */
	TAP_EQ(take(&m, KM_GFP_KERNEL, 4).value, block[4].value,
	       "the block likely to merge is taken last");
	TAP_EQ(take(&m, KM_GFP_KERNEL, 4).value, block[0].value, "but it is taken");
	page_machine_stop(&m);
}

static void test_fallback(const char *profile)
{
	struct page_machine m;
	km_pfn pfn;

	page_machine_start(&m, profile, 1, LOW_PAGES, 0, true);
	pfn = take(&m, KM_GFP_KERNEL, 4);
	TAP_EQ(m.env.count.fallback_claim, 1, "%s: the first unmovable page claims a pageblock",
	       profile);
	TAP_EQ(usage_of(&m).pageblocks_unmovable, 1, "%s: which now cannot be emptied", profile);
	take(&m, KM_GFP_KERNEL, 4);
	TAP_EQ(m.env.count.fallback_claim, 1, "%s: the next one fits beside it", profile);
	TAP_EQ(m.env.count.extfrag, m.env.count.fallback_claim + m.env.count.fallback_steal,
	       "%s: each fallback is one event", profile);
	give(&m, pfn, 4);
	TAP_EQ(usage_of(&m).pageblocks_unmovable, 1, "%s: one of two is still there", profile);
	TAP_EQ(pages->mixed(m.machine.page), 0, "%s: nothing movable is beside it", profile);
	page_machine_stop(&m);
}

/* Movable pages everywhere, all even ones freed: unmovable requests must mix, or steal. */
static void test_stealing(const char *profile)
{
	static km_pfn taken[LOW_PAGES];
	struct page_machine m;
	uint32_t count = 0;

	page_machine_start(&m, profile, 1, LOW_PAGES / 4, 0, false);
	while (km_pfn_valid(taken[count] = take(&m, KM_GFP_NOWAIT | KM_GFP_MOVABLE, 4)))
		count++;
	for (uint32_t i = 0; i < count; i += 2)
		give(&m, taken[i], 4);
	TAP_EQ(pages->mixed(m.machine.page), 0, "%s: no pageblock is mixed", profile);
	for (uint32_t i = 0; i < count / 3; i++)
		take(&m, KM_GFP_NOWAIT, 4);
	TAP_EQ(pages->mixed(m.machine.page), usage_of(&m).pageblocks_unmovable,
	       "%s: movable pages are beside all unmovable ones", profile);
	TAP_OK(m.env.count.fallback_claim + m.env.count.fallback_steal > 2,
	       "%s: unmovable requests take from movable pageblocks", profile);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: records are sound after it", profile);
	page_machine_stop(&m);
}

static void test_highatomic(const char *profile)
{
	uint32_t gfp = KM_GFP_ATOMIC | KM_GFP_ATOMIC_BIT;
	struct km_page_state state;
	struct page_machine m;

	/* 512 MiB: large enough that one percent is more than a pageblock. */
	page_machine_start(&m, profile, 1, 0x20000, 0, false);
	while (km_pfn_valid(take(&m, KM_GFP_NOWAIT, 4)))
		;
	TAP_OK(km_pfn_valid(take(&m, gfp, 4)), "%s: an atomic order 4 succeeds below min", profile);
	km_buddy_save_state(m.machine.page, &state);
	TAP_EQ(state.zones[1].highatomic, KM_PAGEBLOCK_PAGES, "%s: and reserves its pageblock",
	       profile);
	km_buddy_release_state(m.machine.page, &state);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: records are sound after it", profile);
	page_machine_stop(&m);
}

static void test_pieces(const char *profile)
{
	struct km_page_usage before, after;
	struct page_machine m;
	km_pfn block;

	page_machine_start(&m, profile, 1, LOW_PAGES, 0, true);
	before = usage_of(&m);
	block = take(&m, KM_GFP_KERNEL, 10);
	for (uint64_t i = 0; i < 1024; i += 2)
		give(&m, (km_pfn){block.value + i}, i % 8 == 4 ? 2 : 0);
	for (uint64_t i = 1; i < 1024; i += 2)
		give(&m, (km_pfn){block.value + i}, 0);
	pages->drain(m.machine.page, 0);
	after = usage_of(&m);
	TAP_OK(!memcmp(&before, &after, sizeof(before)),
	       "%s: pieces of a block, some freed twice, make it whole again", profile);
	give(&m, block, 10);
	give(&m, (km_pfn){3}, 1);
	give(&m, (km_pfn){1ull << 40}, 0);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: frees of free pages change nothing",
	       profile);
	page_machine_stop(&m);
}

static void test_bulk(const char *profile)
{
	static km_pfn pfns[1000];
	struct page_machine m;
	unsigned filled;

	page_machine_start(&m, profile, 1, LOW_PAGES, 0, true);
	filled = pages->alloc_bulk(m.machine.page, 0, KM_GFP_KERNEL, 1000, pfns);
	TAP_EQ(filled, 1000, "%s: bulk fills the array", profile);
	TAP_EQ(usage_of(&m).managed - usage_of(&m).free, 1000, "%s: and takes that many pages",
	       profile);
	filled = pages->alloc_bulk(m.machine.page, 0, KM_GFP_KERNEL | KM_GFP_ACCOUNT, 10, pfns);
	TAP_EQ(filled, 1, "%s: accounted pages come one at a time", profile);
	TAP_EQ(pages->alloc_bulk(m.machine.page, 0, KM_GFP_KERNEL, 0, pfns), 0,
	       "%s: none asked, none given", profile);
	page_machine_stop(&m);
}

static void test_overlapping_zones(void)
{
	struct page_machine m;

	page_machine_start(&m, "6.1", 1, LOW_PAGES, 0, true);
	pages->destroy(m.machine.page);
	m.machine.spec.zones[1].start = 4000;
	TAP_OK(pages->create(&m.machine, &m.machine.page) < 0,
	       "zones that share a pageblock are refused");
	m.machine.spec.zones[1].start = 4096;
	m.machine.spec.zones[1].spanned = LOW_PAGES;
	TAP_OK(pages->create(&m.machine, &m.machine.page) < 0,
	       "zones beyond the machine's frames are refused");
	TAP_EQ(m.host.live_blocks, 0, "and nothing is kept");
}

static void test_no_host_memory(void)
{
	struct page_machine m;
	bool clean = true;
	size_t requests;

	page_machine_start(&m, "6.1", 1, LOW_PAGES, 0, true);
	requests = m.host.requests;
	pages->destroy(m.machine.page);
	for (size_t i = 1; i <= requests; i++) {
		m.host.fail_at = i;
		m.host.requests = 0;
		clean = clean && pages->create(&m.machine, &m.machine.page) == -ENOMEM &&
			m.host.live_blocks == 0;
	}
	TAP_OK(requests > 1 && clean, "without host memory create() fails and keeps nothing");
}

int main(void)
{
	const char *const *name;

	for (name = km_profile_names(); *name; name++) {
		test_random_programs(*name);
		test_exhaustion(*name);
		test_fallback(*name);
		test_stealing(*name);
		test_highatomic(*name);
		test_pieces(*name);
		test_bulk(*name);
	}
	test_emergency();
	test_zones();
	test_split_order();
	test_tail_insertion();
	test_overlapping_zones();
	test_no_host_memory();
	return tap_done();
}
