/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Zone marks: min_free_kbytes, watermarks, lowmem reserves, boost, and the test every request must
 * pass (mm/page_alloc.c: __setup_per_zone_wmarks, setup_per_zone_lowmem_reserve,
 * __zone_watermark_ok, boost_watermark; mm/khugepaged.c: set_recommended_min_free_kbytes;
 * mm/vmstat.c: calculate_normal_threshold).
 */
#include "buddy.h"

#define WATERMARK_SCALE 10 /* vm.watermark_scale_factor, of 10000 */
#define BOOST_FACTOR 15000 /* vm.watermark_boost_factor, of 10000 */
#define MIN_FREE_LOW_KB 128u
#define MIN_FREE_HIGH_KB 262144u
/* hugepage_init() leaves huge pages off below 512 MiB, so that they do not raise min_free_kbytes.
 */
#define THP_MIN_PAGES ((512ull << 20) >> KM_PAGE_SHIFT)

static const uint16_t reserve_ratio[KM_NR_ZONES] = {
	[KM_ZONE_DMA] = 256,
	[KM_ZONE_DMA32] = 256,
	[KM_ZONE_NORMAL] = 32,
};

static uint64_t square_root(uint64_t value)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
		if ((root | bit) * (root | bit) <= value)
			root |= bit;
	return root;
}

/* Pages of the zones kernel requests can use, above their high marks (nr_free_buffer_pages). */
static uint64_t buffer_pages(const struct km_buddy *buddy)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i <= KM_ZONE_NORMAL; i++) {
		const struct km_zone *zone = &buddy->zone[i];

		if ((int64_t)zone->managed > zone->mark[KM_MARK_HIGH])
			pages += zone->managed - (uint64_t)zone->mark[KM_MARK_HIGH];
	}
	return pages;
}

static void set_marks(struct km_buddy *buddy, uint64_t min_free_kbytes)
{
	uint64_t min_pages = min_free_kbytes / (KM_PAGE_SIZE / 1024), lowmem = 0;
	bool small_movable = buddy->profile.watermark_movable_small;

	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		if (i != KM_ZONE_MOVABLE || !small_movable)
			lowmem += buddy->zone[i].managed;
	for (unsigned i = 0; i < KM_NR_ZONES; i++) {
		struct km_zone *zone = &buddy->zone[i];
		uint64_t min, share, step;

		if (!zone->managed)
			continue;
		min = share = lowmem ? min_pages * zone->managed / lowmem : 0;
		if (i == KM_ZONE_MOVABLE && small_movable) {
			min = zone->managed / 1024;
			min = min < 32 ? 32 : min > 128 ? 128 : min;
		}
		step = zone->managed * WATERMARK_SCALE / 10000;
		if (step < share / 4)
			step = share / 4;
		zone->mark[KM_MARK_MIN] = (int64_t)min;
		zone->mark[KM_MARK_LOW] = (int64_t)(min + step);
		zone->mark[KM_MARK_HIGH] = (int64_t)(min + 2 * step);
		zone->boost = 0;
	}
}

/* Two pageblocks per zone, and one of each migratetype's pairs, so that huge pages can be had. */
static uint64_t thp_min_free_kbytes(const struct km_buddy *buddy)
{
	uint64_t zones = 0, pages, limit = buffer_pages(buddy) / 20;

	for (unsigned i = 0; i <= KM_ZONE_NORMAL; i++)
		zones += buddy->zone[i].managed != 0;
	pages = KM_PAGEBLOCK_PAGES * zones * (2 + KM_PCP_TYPES * KM_PCP_TYPES);
	return (pages < limit ? pages : limit) * (KM_PAGE_SIZE / 1024);
}

static void set_reserves(struct km_buddy *buddy)
{
	for (unsigned i = 0; i < KM_NR_ZONES; i++) {
		uint64_t above = 0;

		for (unsigned j = i + 1; j < KM_NR_ZONES; j++) {
			above += buddy->zone[j].managed;
			buddy->zone[i].reserve[j] = reserve_ratio[i] && buddy->zone[i].managed
							    ? (int64_t)(above / reserve_ratio[i])
							    : 0;
		}
	}
}

static int32_t counter_threshold(unsigned cpus, uint64_t managed)
{
	unsigned threshold = 2 * km_fls(cpus) * (1 + km_fls(managed >> 15));

	return (int32_t)(threshold < 125 ? threshold : 125);
}

void km_zone_setup_marks(struct km_buddy *buddy)
{
	uint64_t managed = 0, kbytes;

	for (unsigned i = 0; i < KM_NR_ZONES; i++) {
		struct km_zone *zone = &buddy->zone[i];

		zone->mark[KM_MARK_HIGH] = 0;
		zone->threshold = counter_threshold(buddy->cpus, zone->managed);
		managed += zone->managed;
	}
	kbytes = square_root(16 * buffer_pages(buddy) * (KM_PAGE_SIZE / 1024));
	kbytes = kbytes < MIN_FREE_LOW_KB    ? MIN_FREE_LOW_KB
		 : kbytes > MIN_FREE_HIGH_KB ? MIN_FREE_HIGH_KB
					     : kbytes;
	if (buddy->spec->min_free_kbytes)
		kbytes = buddy->spec->min_free_kbytes;
	set_marks(buddy, kbytes);
	if (buddy->spec->thp && !buddy->spec->min_free_kbytes && managed >= THP_MIN_PAGES) {
		uint64_t raised = thp_min_free_kbytes(buddy);

		if (raised > kbytes)
			set_marks(buddy, raised);
	}
	set_reserves(buddy);
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		for (unsigned cpu = 0; cpu < buddy->cpus && buddy->zone[i].pcp; cpu++)
			km_pcp_size(buddy, &buddy->zone[i], &buddy->zone[i].pcp[cpu]);
}

static bool has_block(const struct km_zone *zone, unsigned order, uint32_t rights)
{
	uint32_t orders = zone->nonempty[KM_UNMOVABLE] | zone->nonempty[KM_MOVABLE] |
			  zone->nonempty[KM_RECLAIMABLE];

	if (rights & KM_RIGHT_HIGHATOMIC)
		orders |= zone->nonempty[KM_HIGHATOMIC];
	return orders >> order;
}

/* How far the rights of a request let it go below a mark. */
static int64_t lower_mark(const struct km_buddy *buddy, int64_t mark, uint32_t rights)
{
	bool reserve = rights & KM_RIGHT_MIN_RESERVE;

	if (reserve)
		mark -= mark / 2;
	if ((rights & KM_RIGHT_NON_BLOCK) && (reserve || buddy->profile.reserve_harder))
		mark -= mark / 4;
	return mark;
}

bool km_zone_watermark_ok(const struct km_buddy *buddy, const struct km_zone *zone, unsigned order,
			  int64_t mark, unsigned highest, uint32_t rights)
{
	int64_t free = zone->nr_free - (((int64_t)1 << order) - 1);

	if (!(rights & buddy->reserve_rights))
		free -= buddy->profile.highatomic_free_only ? zone->free_highatomic
							    : zone->reserved_highatomic;
	if (free <= lower_mark(buddy, mark, rights) + zone->reserve[highest])
		return false;
	return !order || has_block(zone, order, rights);
}

void km_zone_boost(struct km_zone *zone, uint32_t rights)
{
	int64_t limit = zone->mark[KM_MARK_HIGH] * BOOST_FACTOR / 10000;
	int64_t step = (int64_t)KM_PAGEBLOCK_PAGES;

	if (zone->managed < 4 * KM_PAGEBLOCK_PAGES || !limit)
		return;
	if (limit < step)
		limit = step;
	zone->boost = zone->boost + step < limit ? zone->boost + step : limit;
	if (rights & KM_RIGHT_KSWAPD)
		zone->flags |= KM_ZONE_BOOSTED;
}
