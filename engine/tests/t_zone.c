/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks, reserves and per-CPU list sizes against a live 6.18 machine: 24 GiB, 2 CPUs, while memory
 * was released late, so that zone Normal was seen at two sizes.
 */
#include "engine/tests/page_machine.h"

struct zone_row {
	uint64_t managed, mark[3], reserve[3];
	int32_t batch, high_min, high_max;
};

/* The third zone grows; the first two keep their size. Counts of /proc/zoneinfo. */
static const struct zone_row first[] = {
	{3840, {57, 71, 85}, {0, 3019, 4427}, 1, 35, 240},
	{772915, {11483, 14353, 17223}, {0, 0, 1408}, 63, 7176, 48307},
	{360448, {5355, 6693, 8031}, {0, 0, 0}, 63, 3346, 22528},
};
static const struct zone_row second[] = {
	{3840, {14, 17, 20}, {0, 3019, 17867}, 1, 8, 240},
	{772915, {2852, 3624, 4396}, {0, 0, 14848}, 63, 1812, 48307},
	{3801088, {14029, 17830, 21631}, {0, 0, 0}, 63, 8915, 237568},
};

static void check_rows(const char *profile, const struct zone_row *rows, const char *name)
{
	struct km_page_state state;
	struct page_machine m;
	int code;

	page_machine_start(&m, profile, 2, 4096 + 1044480, 5505024, true);
	pages->destroy(m.machine.page);
	m.machine.spec.zones[1].present = 782336;
	for (unsigned i = 0; i < 3; i++)
		m.machine.spec.zones[i].managed = rows[i].managed;
	code = pages->create(&m.machine, &m.machine.page);
	if (!TAP_OK(code == 0, "%s %s: the machine starts", profile, name))
		return;
	km_buddy_save_state(m.machine.page, &state);
	for (unsigned i = 0; i < 3; i++) {
		const struct km_zone_state *zone = &state.zones[i];

		for (unsigned k = 0; k < 3; k++) {
			TAP_EQ(zone->mark[k], rows[i].mark[k], "%s %s: zone %u mark %u", profile,
			       name, i, k);
			TAP_EQ(zone->reserve[k], rows[i].reserve[k], "%s %s: zone %u reserve %u",
			       profile, name, i, k);
		}
		TAP_EQ(zone->pcp[1].batch, rows[i].batch, "%s %s: zone %u batch", profile, name, i);
		TAP_EQ(zone->pcp[1].high_min, rows[i].high_min, "%s %s: zone %u high_min", profile,
		       name, i);
		TAP_EQ(zone->pcp[1].high_max, rows[i].high_max, "%s %s: zone %u high_max", profile,
		       name, i);
	}
	km_buddy_release_state(m.machine.page, &state);
	TAP_EQ(pages->validate(m.machine.page), 0, "%s %s: records are sound", profile, name);
	page_machine_stop(&m);
}

static void test_user_min_free(void)
{
	struct km_page_state state;
	struct page_machine m;

	page_machine_start(&m, "6.1", 1, 0x40000, 0, true);
	pages->destroy(m.machine.page);
	m.machine.spec.min_free_kbytes = 8192;
	pages->create(&m.machine, &m.machine.page);
	km_buddy_save_state(m.machine.page, &state);
	TAP_EQ(state.zones[0].mark[0] + state.zones[1].mark[0], 2047,
	       "a set min_free_kbytes is shared out, each share rounded down");
	km_buddy_release_state(m.machine.page, &state);
	page_machine_stop(&m);
}

/* Refills of order 0 while nothing is freed: constant up to 6.6, doubling later. */
static void test_refills(const char *profile, const unsigned *want)
{
	struct page_machine m;
	unsigned refill = 0;

	page_machine_start(&m, profile, 2, 0x40000, 0x100000, true);
	while (refill < 6) {
		uint64_t before = usage_of(&m).free_pcp;

		take(&m, KM_GFP_KERNEL, 0);
		if (before == 0) {
			TAP_EQ(usage_of(&m).free_pcp + 1, want[refill], "%s: refill %u", profile,
			       refill);
			refill++;
		}
	}
	page_machine_stop(&m);
}

static void test_higher_refills(void)
{
	static const unsigned want[] = {63, 62, 60, 56};
	struct page_machine m;

	for (unsigned order = 1; order <= 3; order++) {
		page_machine_start(&m, "6.1", 1, 0x40000, 0, true);
		take(&m, KM_GFP_KERNEL, order);
		TAP_EQ(usage_of(&m).free_pcp + (1u << order), want[order],
		       "order %u is refilled with %u pages", order, want[order]);
		page_machine_stop(&m);
	}
	page_machine_start(&m, "6.1", 1, 0x40000, 0, true);
	take(&m, KM_GFP_KERNEL, 4);
	TAP_EQ(usage_of(&m).free_pcp, 0, "order 4 goes to the buddy");
	take(&m, KM_GFP_HIGHUSER_MOVABLE, 9);
	TAP_EQ(usage_of(&m).free_pcp, 512, "order 9 is refilled by two");
	page_machine_stop(&m);
	page_machine_start(&m, "6.1", 1, 0x40000, 0, false);
	take(&m, KM_GFP_HIGHUSER_MOVABLE, 9);
	TAP_EQ(usage_of(&m).free_pcp, 0, "without huge pages order 9 goes to the buddy");
	page_machine_stop(&m);
}

/* Frees beyond the limit send pages back: a fixed limit up to 6.6, a range later. */
static void test_limit(const char *profile, bool fixed)
{
	static km_pfn taken[40000];
	struct km_page_state state;
	struct page_machine m;
	uint64_t most = 0, low, high;

	page_machine_start(&m, profile, 1, 0x40000, 0, true);
	km_buddy_save_state(m.machine.page, &state);
	low = (uint64_t)state.zones[1].pcp[0].high_min;
	high = (uint64_t)(fixed ? state.zones[1].pcp[0].high : state.zones[1].pcp[0].high_max);
	km_buddy_release_state(m.machine.page, &state);
	for (unsigned i = 0; i < 40000; i++)
		taken[i] = take(&m, KM_GFP_KERNEL, 0);
	pages->drain(m.machine.page, -1);
	TAP_EQ(usage_of(&m).free_pcp, 0, "%s: a drain empties the lists", profile);
	for (unsigned i = 0; i < 40000; i++) {
		give(&m, taken[i], 0);
		if (usage_of(&m).free_pcp > most)
			most = usage_of(&m).free_pcp;
	}
	if (fixed)
		TAP_EQ(most, high - 1, "%s: a CPU keeps less than its limit", profile);
	else
		TAP_OK(most >= low - 1 && most < high, "%s: a CPU keeps between low and high",
		       profile);
	TAP_OK(m.env.count.pcp_drain > 1, "%s: the rest was sent back", profile);
	page_machine_stop(&m);
}

int main(void)
{
	static const unsigned constant[] = {63, 63, 63, 63, 63, 63};
	static const unsigned doubling[] = {63, 126, 252, 504, 1008, 2016};

	check_rows("6.18", first, "first sight");
	check_rows("6.18", second, "second sight");
	check_rows("6.12", second, "second sight");
	test_user_min_free();
	test_refills("5.15", constant);
	test_refills("6.1", constant);
	test_refills("6.6", constant);
	test_refills("6.12", doubling);
	test_refills("6.18", doubling);
	test_refills("7.2", doubling);
	test_higher_refills();
	test_limit("5.15", true);
	test_limit("6.1", true);
	test_limit("6.6", true);
	test_limit("6.12", false);
	test_limit("7.2", false);
	return tap_done();
}
