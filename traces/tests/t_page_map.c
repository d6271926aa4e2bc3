/* SPDX-License-Identifier: GPL-2.0-only */
/* The map of pages: it holds what a plain table holds, and no more memory than its pages need. */
#include "engine/tests/tap.h"
#include "traces/page_map.h"
#include "traces/tests/events.h"

/* What the map takes while it is all but empty. */
#define LEAST ((1u << 10) * sizeof(void *))

/* Reserve the page and keep the number there. */
static bool put(struct km_page_map *map, uint64_t pfn, uint32_t number)
{
	uint32_t *entry = km_page_map_make(map, pfn, pfn + 1);

	if (entry)
		*entry = number;
	return entry != NULL;
}

static uint32_t number_of(const struct km_page_map *map, uint64_t pfn)
{
	const uint32_t *entry = km_page_map_entry(map, pfn);

	return entry ? *entry : 0;
}

static uint64_t far_page(uint64_t i)
{
	return (i * 0x9e3779b97f4a7c15ull >> 12) + 1;
}

static void test_bytes(void)
{
	enum { N = 200000 };
	static const uint64_t apart[] = {1, 2, 16, 17, 64, 256, 512, 4096};
	struct km_page_map map = {0};
	bool made = true;

	for (uint64_t i = 0; i < N; i++)
		made &= put(&map, far_page(i), 1);
	TAP_OK(made && map.bytes <= LEAST + N * KM_PAGE_MAP_MOST,
	       "%d pages far from all others take %zu bytes each, %zu at most", N, map.bytes / N,
	       KM_PAGE_MAP_MOST);
	km_page_map_free(&map);
	for (size_t k = 0; k < sizeof(apart) / sizeof(*apart); k++) {
		for (uint64_t i = 0; i < N; i++)
			made &= put(&map, 0x100000 + i * apart[k], 1);
		TAP_OK(made && map.bytes <= LEAST + N * KM_PAGE_MAP_MOST,
		       "pages that lie %llu apart take %zu bytes each",
		       (unsigned long long)apart[k], map.bytes / N);
		if (apart[k] == 1)
			TAP_OK(map.bytes / N < 5, "those of a full leaf less than 5");
		km_page_map_free(&map);
	}
	TAP_EQ(map.bytes, 0, "and none when it is freed");
}

/* Pages come and go, few at a time, until there were a hundred times as many. */
static void test_churn(void)
{
	enum { LIVE = 2000, N = 200000 };
	struct km_page_map map = {0};
	unsigned lost = 0;
	size_t most = 0;

	for (uint64_t i = 0; i < N; i++) {
		lost += !put(&map, far_page(i), (uint32_t)i + 1);
		if (i < LIVE)
			continue;
		lost += number_of(&map, far_page(i - LIVE)) != i - LIVE + 1;
		*km_page_map_entry(&map, far_page(i - LIVE)) = 0;
		most = map.bytes > most ? map.bytes : most;
	}
	TAP_EQ(lost, 0, "%d pages come and go, and each is there until it goes", N);
	TAP_OK(most <= LEAST + 2 * (LIVE + 1) * KM_PAGE_MAP_MOST,
	       "%zu bytes at most, twice what %d at a time take", most, LIVE);
	km_page_map_free(&map);
}

/* Ranges of pages are set and cleared at random: the same as in a table of all pages. */
static void test_against_table(void)
{
	enum { PAGES = 1 << 16, STEPS = 20000 };
	static uint32_t table[PAGES];
	const uint64_t base = UINT64_MAX - PAGES - 5; /* not where leaves begin */
	struct km_page_map map = {0};
	unsigned wrong = 0;

	for (uint32_t step = 1; step <= STEPS; step++) {
		uint64_t n = 1ull << test_random() % 12, at = test_random() % (PAGES - n);
		bool clear = test_random() % 3 == 0;
		uint32_t *entry = clear ? km_page_map_entry(&map, base + at)
					: km_page_map_make(&map, base + at, base + at + n);

		for (uint64_t i = at; i < at + n; i++) {
			wrong += entry ? *entry != table[i] : !clear || table[i];
			table[i] = clear ? 0 : step;
			if (entry)
				*entry = table[i];
			entry = km_page_map_next(&map, entry, base + i + 1);
		}
		for (unsigned look = 0; look < 10; look++) {
			at = test_random() % PAGES;
			wrong += number_of(&map, base + at) != table[at] ||
				 km_page_map_get(&map, base + at) != table[at] - 1;
		}
		if (step % 5000)
			continue;
		for (uint64_t i = 0; i < PAGES; i++) /* nearly all go: leaves shrink */
			if (test_random() % 50 && table[i])
				table[i] = *km_page_map_entry(&map, base + i) = 0;
	}
	TAP_EQ(wrong, 0, "%d ranges set and cleared: as in a table", STEPS);
	km_page_map_free(&map);
}

int main(void)
{
	struct km_page_map map = {0};

	TAP_OK(!km_page_map_entry(&map, 5) && km_page_map_get(&map, 5) == KM_NO_SLOT,
	       "nothing is in an empty map");
	test_bytes();
	test_churn();
	test_against_table();
	return tap_done();
}
