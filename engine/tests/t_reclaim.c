/* SPDX-License-Identifier: GPL-2.0-only */
/* What a request finds that may wait for memory, under each policy; and the policies as words. */
#include "engine/tests/page_machine.h"

#define START 0x1000u
#define BLOCKS 16u
#define SIZE (BLOCKS * KM_PAGEBLOCK_PAGES)

/*
 * Zone DMA32 of 16 pageblocks, wholly in use: the first 8 MOVABLE with 300 LRU pages each, the rest
 * UNMOVABLE but for `highatomic`, the last one, which is reserved and free.
 */
static bool start(struct page_machine *m, const char *profile, unsigned policy, bool highatomic)
{
	static struct km_pageblock_run types[3], lru[8];
	static struct km_pcp_state pcp;
	static struct km_page_state state;
	static uint32_t reserved = START + SIZE - KM_PAGEBLOCK_PAGES;
	struct km_zone_state *zone = &state.zones[0];

	memset(&state, 0, sizeof(state));
	state.nr_zones = 1;
	zone->spec = (struct km_zone_spec){KM_ZONE_DMA32, START, SIZE, SIZE, SIZE};
	zone->mark[0] = 10;
	zone->mark[1] = 15;
	zone->mark[2] = 20;
	types[0] = (struct km_pageblock_run){START, KM_MOVABLE};
	types[1] = (struct km_pageblock_run){START + 8 * KM_PAGEBLOCK_PAGES, KM_UNMOVABLE};
	types[2] = (struct km_pageblock_run){reserved, KM_HIGHATOMIC};
	for (unsigned i = 0; i < 8; i++)
		lru[i] = (struct km_pageblock_run){START + i * KM_PAGEBLOCK_PAGES, 300};
	zone->types = types;
	zone->nr_types = highatomic ? 3 : 2;
	zone->lru = lru;
	zone->nr_lru = 8;
	pcp.batch = 8;
	pcp.high = pcp.high_min = pcp.high_max = 100;
	zone->pcp = &pcp;
	zone->nr_pcp = 1;
	if (highatomic) {
		zone->highatomic = KM_PAGEBLOCK_PAGES;
		zone->free[9][KM_HIGHATOMIC] = (struct km_pfn_list){1, &reserved};
	}
	page_machine_start(m, profile, 1, START + SIZE, 0, false);
	pages->destroy(m->machine.page);
	m->machine.spec.profile.reclaim = (uint8_t)policy;
	return !pages->create(&m->machine, &m->machine.page) &&
	       !km_buddy_load_state(m->machine.page, &state);
}

/* How many order-0 pages a request gets until it gets none. */
static uint64_t served(const char *profile, unsigned policy, bool highatomic, uint32_t gfp,
		       unsigned order, struct km_counters *count)
{
	struct page_machine m;
	uint64_t n = 0;

	if (!TAP_OK(start(&m, profile, policy, highatomic), "%s: policy %u starts", profile,
		    policy))
		return 0;
	while (n < 10000 && km_pfn_valid(take(&m, gfp, order)))
		n++;
	TAP_EQ(pages->validate(m.machine.page), 0, "%s: policy %u: records are sound", profile,
	       policy);
	*count = m.env.count;
	page_machine_stop(&m);
	return n;
}

static void test_none(const char *profile)
{
	struct km_counters count;

	TAP_EQ(served(profile, KM_RECLAIM_NONE, false, KM_GFP_KERNEL, 0, &count), 0,
	       "%s: none finds nothing", profile);
	TAP_EQ(count.page_reclaim + count.page_oom, 0, "%s: and counts nothing", profile);
}

static void test_share(const char *profile)
{
	struct km_counters count;
	uint64_t half, all;

	half = served(profile, 50, false, KM_GFP_HIGHUSER_MOVABLE, 0, &count);
	TAP_EQ(count.page_reclaim, 1200, "%s: 50%% of 2400 movable pages are reclaimed", profile);
	/* The min mark is left, and what one more batch of a CPU needs. */
	TAP_OK(half >= 1200 - 10 - 8 && half <= 1200, "%s: all but the marks are handed out (%llu)",
	       profile, (unsigned long long)half);
	TAP_EQ(count.page_oom, 1, "%s: then a task would be killed", profile);
	all = served(profile, 100, false, KM_GFP_HIGHUSER_MOVABLE, 0, &count);
	TAP_EQ(count.page_reclaim, 2400, "%s: 100%% are all", profile);
	TAP_OK(all > half, "%s: of which more is handed out", profile);
	TAP_EQ(served(profile, 100, false, KM_GFP_ATOMIC, 0, &count), 0,
	       "%s: who may not wait reclaims nothing", profile);
	/* 32 in a row make blocks. */
	TAP_OK(served(profile, 100, false, KM_GFP_KERNEL, 3, &count) > 200, "%s: order 3", profile);
	served(profile, 100, false, KM_GFP_KERNEL, 4, &count);
	TAP_EQ(count.page_oom, 0, "%s: nobody is killed for a costly order", profile);
}

static void test_oom(const char *profile)
{
	struct km_counters count;

	TAP_EQ(served(profile, KM_RECLAIM_OOM, false, KM_GFP_KERNEL, 0, &count), 0,
	       "%s: oom finds nothing", profile);
	TAP_EQ(count.page_oom, 1, "%s: a task would be killed", profile);
	served(profile, KM_RECLAIM_OOM, false, KM_GFP_KERNEL | KM_GFP_NORETRY, 0, &count);
	TAP_EQ(count.page_oom, 0, "%s: not for __GFP_NORETRY", profile);
	served(profile, KM_RECLAIM_OOM, false, KM_GFP_KERNEL | KM_GFP_RETRY_MAYFAIL, 0, &count);
	TAP_EQ(count.page_oom, 0, "%s: nor for __GFP_RETRY_MAYFAIL", profile);
	TAP_OK(served(profile, KM_RECLAIM_OOM, true, KM_GFP_KERNEL, 0, &count) > 480,
	       "%s: the reserve for urgent requests is given back before", profile);
	TAP_EQ(served(profile, KM_RECLAIM_NONE, true, KM_GFP_KERNEL, 0, &count), 0,
	       "%s: under none it is kept", profile);
}

static void test_words(void)
{
	static const struct {
		const char *text;
		uint64_t value;
		const char *said;
	} words[] = {{"none", KM_RECLAIM_NONE, "none"},
		     {"oom", KM_RECLAIM_OOM, "oom"},
		     {"1%", 1, "1%"},
		     {"reclaim:100%", 100, "100%"},
		     {"0%", 0, "none"}};
	static const char *const wrong[] = {
		"", "%", "101%", "50", "half", "5%5", "99999999999999999999%"};
	uint64_t value;
	char text[24];

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		TAP_EQ(km_profile_word("reclaim", words[i].text, &value), 0, "%s is a policy",
		       words[i].text);
		TAP_EQ(value, words[i].value, "%s", words[i].text);
		TAP_OK(!strcmp(km_profile_text("reclaim", value, text, false), words[i].said),
		       "it is said as %s", words[i].said);
	}
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		TAP_OK(km_profile_word("reclaim", wrong[i], &value), "\"%s\" is none", wrong[i]);
	TAP_OK(km_profile_word("merge", "none", &value), "other switches take no words");
	TAP_OK(!strcmp(km_profile_text("reclaim", 7, text, true), "\"7%\""), "quoted for JSON");
	TAP_OK(!strcmp(km_profile_text("merge", UINT64_MAX, text, true), "18446744073709551615"),
	       "numbers are not");
}

int main(void)
{
	static const char *const profiles[] = {"5.15", "6.1", "6.12", "7.2"};

	for (unsigned i = 0; i < 4; i++) {
		test_none(profiles[i]);
		test_share(profiles[i]);
		test_oom(profiles[i]);
	}
	test_words();
	return tap_done();
}
