/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Zones and memory at boot (mm/mm_init.c, mm/memblock.c: __free_pages_memory): every pageblock
 * MOVABLE, all managed memory released in ascending order, in blocks as large as alignment allows,
 * each to the tail of its list.
 */
#include "buddy.h"

#include <errno.h>

/* Migratetypes that need pageblocks of their own: those here, and ISOLATE. */
#define GROUPING_TYPES (KM_NR_MIGRATETYPES + 1)

void km_zone_memory(const struct km_zone *zone, uint64_t *first, uint64_t *end)
{
	*first = zone->start + (zone->present - zone->managed);
	if (zone->index == KM_ZONE_DMA)
		*first += zone->spanned - zone->present;
	*end = *first + zone->managed;
}

static void empty_pcp(struct km_pcp *pcp)
{
	*pcp = (struct km_pcp){.flags = KM_PCP_BIG_CACHE};
	for (unsigned i = 0; i < KM_PCP_LISTS; i++)
		km_pcp_list_init(&pcp->list[i]);
}

static int lay_out_zone(struct km_buddy *buddy, const struct km_zone_spec *spec)
{
	struct km_zone *zone = &buddy->zone[spec->index];
	uint64_t first, end;

	zone->start = spec->start;
	zone->end = spec->start + spec->spanned;
	zone->spanned = spec->spanned;
	zone->present = spec->present;
	zone->managed = spec->managed;
	km_zone_memory(zone, &first, &end);
	for (uint64_t i = zone->start >> KM_PAGEBLOCK_ORDER;
	     i <= (zone->end - 1) >> KM_PAGEBLOCK_ORDER; i++) {
		struct km_pageblock *block = &buddy->block[i];

		if (block->zone != KM_NR_ZONES)
			return -EINVAL;
		block->zone = spec->index;
		block->type = buddy->grouping ? KM_MOVABLE : KM_UNMOVABLE;
		block->counted =
			i << KM_PAGEBLOCK_ORDER >= first && (i + 1) << KM_PAGEBLOCK_ORDER <= end;
		buddy->blocks_counted += block->counted;
	}
	return 0;
}

static void clear_zone(struct km_buddy *buddy, unsigned index)
{
	struct km_zone *zone = &buddy->zone[index];
	struct km_pcp *pcp = zone->pcp;

	*zone = (struct km_zone){.index = (uint8_t)index, .pcp = pcp};
	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
			km_page_list_init(&zone->list[order][type]);
	for (unsigned cpu = 0; cpu < buddy->cpus; cpu++)
		empty_pcp(&pcp[cpu]);
}

static bool spec_fits(const struct km_buddy *buddy, const struct km_zone_spec *spec)
{
	return spec->index < KM_NR_ZONES && spec->spanned && spec->managed <= spec->present &&
	       spec->present <= spec->spanned && spec->start < buddy->max_pfn &&
	       spec->spanned <= buddy->max_pfn - spec->start;
}

int km_buddy_lay_out(struct km_buddy *buddy, unsigned nr_zones, const struct km_zone_spec *zones)
{
	uint64_t managed = 0;

	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		clear_zone(buddy, i);
	for (uint64_t i = 0; i < buddy->nr_pageblocks; i++)
		buddy->block[i] = (struct km_pageblock){.zone = KM_NR_ZONES};
	buddy->free_pcp = buddy->blocks_counted = buddy->blocks_unmovable = 0;
	for (unsigned i = 0; i < nr_zones; i++) {
		if (!spec_fits(buddy, &zones[i]))
			return -EINVAL;
		managed += zones[i].managed;
	}
	buddy->grouping = managed >= KM_PAGEBLOCK_PAGES * GROUPING_TYPES;
	for (unsigned i = 0; i < nr_zones; i++)
		if (lay_out_zone(buddy, &zones[i]))
			return -EINVAL;
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		buddy->preferred[i] =
			buddy->zone[i].managed || !i ? (uint8_t)i : buddy->preferred[i - 1];
	km_zone_setup_marks(buddy);
	return 0;
}

void km_zone_boot(struct km_buddy *buddy, struct km_zone *zone)
{
	uint64_t pfn, end;

	km_zone_memory(zone, &pfn, &end);
	zone->nr_free = (int64_t)(end - pfn);
	while (pfn < end) {
		unsigned order = pfn ? (unsigned)__builtin_ctzll(pfn) : KM_MAX_ORDER;
		enum km_migratetype type = (enum km_migratetype)km_pageblock_of(buddy, pfn)->type;

		if (order > KM_MAX_ORDER)
			order = KM_MAX_ORDER;
		while (pfn + (1ull << order) > end)
			order--;
		km_buddy_add(buddy, zone, pfn, order, type, true);
		pfn += 1ull << order;
	}
}

void km_buddy_boot(struct km_buddy *buddy)
{
	/* The machine's own zones were accepted at creation. */
	km_buddy_lay_out(buddy, buddy->spec->nr_zones, buddy->spec->zones);
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		if (buddy->zone[i].managed)
			km_zone_boot(buddy, &buddy->zone[i]);
	km_reclaim_start(buddy);
}

void km_zone_use_all(struct km_buddy *buddy, struct km_zone *zone)
{
	uint64_t pfn = zone->start;

	while (pfn < zone->end) {
		uint64_t end = (pfn | (KM_PAGEBLOCK_PAGES - 1)) + 1;
		bool movable = km_pageblock_of(buddy, pfn)->type == KM_MOVABLE;

		if (end > zone->end)
			end = zone->end;
		memset(buddy->page + pfn, movable ? KM_PAGE_USED_MOVABLE : KM_PAGE_USED, end - pfn);
		pfn = end;
	}
}

void km_zone_count_pageblocks(struct km_buddy *buddy, struct km_zone *zone)
{
	uint64_t pfn = zone->start;

	while (pfn < zone->end) {
		uint64_t end = (pfn | (KM_PAGEBLOCK_PAGES - 1)) + 1, size = end - pfn, used = 0;
		struct km_pageblock *block = km_pageblock_of(buddy, pfn);

		block->unmovable = 0;
		for (; pfn < end && pfn < zone->end; pfn++) {
			block->unmovable += buddy->page[pfn] == KM_PAGE_USED;
			used += buddy->page[pfn] == KM_PAGE_USED ||
				buddy->page[pfn] == KM_PAGE_USED_MOVABLE;
		}
		/* Where pages are free there is memory, wherever holes were taken to be. */
		if (!block->counted && size == KM_PAGEBLOCK_PAGES && end <= zone->end &&
		    used < size) {
			block->counted = 1;
			buddy->blocks_counted++;
		}
		buddy->blocks_unmovable += block->counted && block->unmovable;
		pfn = end;
	}
}

static void set_switches(struct km_buddy *buddy, const struct km_machine *machine)
{
	buddy->profile = machine->spec.profile;
	buddy->thp = machine->spec.thp;
	buddy->zone_walk_high = buddy->profile.pcp_generation >= 2;
	buddy->nr_pcp_lists = KM_PCP_THP_LIST;
	if (buddy->thp)
		buddy->nr_pcp_lists += buddy->profile.pcp_thp_two ? 2 : KM_PCP_TYPES;
	buddy->reserve_rights = KM_RIGHT_NON_BLOCK;
	if (!buddy->profile.reserve_harder)
		buddy->reserve_rights |= KM_RIGHT_MIN_RESERVE | KM_RIGHT_HIGHATOMIC;
}

int km_buddy_create(struct km_machine *machine, void **self)
{
	struct km_env *env = machine->env;
	struct km_buddy *buddy = km_env_alloc(env, sizeof(*buddy));
	struct km_pcp *pcp;
	int code = -ENOMEM;

	if (!buddy)
		return -ENOMEM;
	buddy->env = env;
	buddy->spec = &machine->spec;
	buddy->max_pfn = machine->max_pfn;
	buddy->cpus = machine->spec.cpus;
	buddy->nr_pageblocks = (machine->max_pfn + KM_PAGEBLOCK_PAGES - 1) >> KM_PAGEBLOCK_ORDER;
	set_switches(buddy, machine);
	pcp = km_env_alloc(env, KM_NR_ZONES * buddy->cpus * sizeof(*pcp));
	for (unsigned i = 0; pcp && i < KM_NR_ZONES; i++)
		buddy->zone[i].pcp = pcp + i * buddy->cpus;
	buddy->link = km_env_alloc(env, buddy->max_pfn * sizeof(*buddy->link));
	/* One more: hints look at a page's neighbour before they know whether it is there. */
	buddy->page = km_env_alloc(env, buddy->max_pfn + 1);
	buddy->block = km_env_alloc(env, buddy->nr_pageblocks * sizeof(*buddy->block));
	if (!pcp || !buddy->link || !buddy->page || !buddy->block)
		goto out;
	if (buddy->profile.reclaim && buddy->profile.reclaim <= KM_RECLAIM_ALL) {
		buddy->old = km_env_alloc(env, (buddy->max_pfn + 63) / 64 * sizeof(*buddy->old));
		if (!buddy->old)
			goto out;
	}
	code = km_buddy_lay_out(buddy, machine->spec.nr_zones, machine->spec.zones);
	if (code)
		goto out;
	km_buddy_boot(buddy);
	*self = buddy;
	return 0;
out:
	km_buddy_destroy(buddy);
	return code;
}

void km_buddy_destroy(void *self)
{
	struct km_buddy *buddy = self;
	struct km_env *env = buddy->env;

	km_env_release(env, buddy->old, (buddy->max_pfn + 63) / 64 * sizeof(*buddy->old));
	km_env_release(env, buddy->block, buddy->nr_pageblocks * sizeof(*buddy->block));
	km_env_release(env, buddy->page, buddy->max_pfn + 1);
	km_env_release(env, buddy->link, buddy->max_pfn * sizeof(*buddy->link));
	km_env_release(env, buddy->zone[0].pcp,
		       KM_NR_ZONES * buddy->cpus * sizeof(*buddy->zone[0].pcp));
	km_env_release(env, buddy, sizeof(*buddy));
}
