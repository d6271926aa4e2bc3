/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live objects' bytes, and how many TLB entries would reach them all: distinct 4 KiB pages and
 * distinct 2 MiB regions of the direct map that hold a live object; vmalloc memory always by 4 KiB.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "replay/measure.h"

struct km_live {
	uint64_t max_pfn, now_ns;
	uint32_t *refs_4k; /* live objects touching each page of the direct map */
	uint32_t *refs_2m; /* live objects touching each 2 MiB region of it */
	uint64_t pages_4k, regions_2m, vmalloc_pages;
	uint64_t asked, placed;
	double asked_time, placed_time;
};

static uint32_t *lazy_table(uint64_t entries)
{
	void *table = mmap(NULL, entries * sizeof(uint32_t), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return table == MAP_FAILED ? NULL : table;
}

static uint64_t regions(uint64_t max_pfn)
{
	return max_pfn / KM_PAGEBLOCK_PAGES + 1;
}

struct km_live *km_live_new(uint64_t max_pfn)
{
	struct km_live *live = calloc(1, sizeof(*live));

	if (!live)
		return NULL;
	live->max_pfn = max_pfn;
	live->refs_4k = lazy_table(max_pfn);
	live->refs_2m = lazy_table(regions(max_pfn));
	if (!live->refs_4k || !live->refs_2m) {
		km_live_free(live);
		return NULL;
	}
	return live;
}

void km_live_free(struct km_live *live)
{
	if (!live)
		return;
	if (live->refs_4k)
		munmap(live->refs_4k, live->max_pfn * sizeof(uint32_t));
	if (live->refs_2m)
		munmap(live->refs_2m, regions(live->max_pfn) * sizeof(uint32_t));
	free(live);
}

/* First and last direct-map page of an object; false: not in the direct map of this machine. */
static bool direct_range(const struct km_live *live, uint64_t addr, uint64_t placed,
			 uint64_t *first, uint64_t *last)
{
	if (addr < KM_DIRECT_MAP_BASE || !placed)
		return false;
	*first = km_addr_to_pfn(addr).value;
	*last = km_addr_to_pfn(addr + placed - 1).value;
	return *last < live->max_pfn;
}

void km_live_add(struct km_live *live, uint64_t addr, uint64_t asked, uint64_t placed)
{
	uint64_t first, last;

	live->asked += asked;
	live->placed += placed;
	if (km_is_vmalloc_addr(addr)) {
		live->vmalloc_pages += (placed + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;
		return;
	}
	if (!direct_range(live, addr, placed, &first, &last))
		return;
	for (uint64_t pfn = first; pfn <= last; pfn++)
		live->pages_4k += live->refs_4k[pfn]++ == 0;
	for (uint64_t r = first >> KM_PAGEBLOCK_ORDER; r <= last >> KM_PAGEBLOCK_ORDER; r++)
		live->regions_2m += live->refs_2m[r]++ == 0;
}

void km_live_remove(struct km_live *live, uint64_t addr, uint64_t asked, uint64_t placed)
{
	uint64_t first, last;

	live->asked -= asked;
	live->placed -= placed;
	if (km_is_vmalloc_addr(addr)) {
		live->vmalloc_pages -= (placed + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;
		return;
	}
	if (!direct_range(live, addr, placed, &first, &last))
		return;
	for (uint64_t pfn = first; pfn <= last; pfn++)
		live->pages_4k -= --live->refs_4k[pfn] == 0;
	for (uint64_t r = first >> KM_PAGEBLOCK_ORDER; r <= last >> KM_PAGEBLOCK_ORDER; r++)
		live->regions_2m -= --live->refs_2m[r] == 0;
}

void km_live_advance(struct km_live *live, uint64_t time_ns)
{
	double passed;

	if (time_ns <= live->now_ns)
		return;
	passed = (double)(time_ns - live->now_ns);
	live->asked_time += passed * (double)live->asked;
	live->placed_time += passed * (double)live->placed;
	live->now_ns = time_ns;
}

void km_live_read(const struct km_live *live, struct km_live_now *now)
{
	*now = (struct km_live_now){
		.asked = (double)live->asked,
		.placed = (double)live->placed,
		.tlb_4k = (double)(live->pages_4k + live->vmalloc_pages),
		.tlb_2m = (double)(live->regions_2m + live->vmalloc_pages),
		.asked_time = live->asked_time,
		.placed_time = live->placed_time,
	};
}
