/* SPDX-License-Identifier: GPL-2.0-only */
/* What the page layer holds, and whether its records agree with one another. */
#include "buddy.h"

#include <errno.h>

void km_buddy_usage(void *self, struct km_page_usage *usage)
{
	const struct km_buddy *buddy = self;

	*usage = (struct km_page_usage){
		.free = buddy->free_pcp,
		.free_pcp = buddy->free_pcp,
		.pageblocks = buddy->blocks_counted,
		.pageblocks_unmovable = buddy->blocks_unmovable,
	};
	for (unsigned i = 0; i < KM_NR_ZONES; i++) {
		usage->managed += buddy->zone[i].managed;
		for (unsigned order = 0; order < KM_NR_ORDERS; order++) {
			usage->free_blocks[order] += buddy->zone[i].nr_blocks[order];
			usage->free += buddy->zone[i].nr_blocks[order] << order;
		}
	}
	/* A pageblock that is free as a whole always lies in a block of its size or more. */
	for (unsigned order = KM_PAGEBLOCK_ORDER; order < KM_NR_ORDERS; order++)
		usage->pageblocks_free += usage->free_blocks[order] << (order - KM_PAGEBLOCK_ORDER);
}

static bool holds_movable(const struct km_buddy *buddy, uint64_t number)
{
	const uint8_t *page = buddy->page + number * KM_PAGEBLOCK_PAGES;

	if (buddy->block[number].lru)
		return true;
	for (uint64_t i = 0; i < KM_PAGEBLOCK_PAGES; i++)
		if (page[i] == KM_PAGE_USED_MOVABLE)
			return true;
	return false;
}

uint64_t km_buddy_mixed(void *self)
{
	const struct km_buddy *buddy = self;
	uint64_t mixed = 0;

	for (uint64_t i = 0; i < buddy->nr_pageblocks; i++)
		mixed += buddy->block[i].counted && buddy->block[i].unmovable &&
			 holds_movable(buddy, i);
	return mixed;
}

/* The block lies in the zone, is aligned, and nothing else starts inside it. */
static bool block_is_sound(const struct km_buddy *buddy, const struct km_zone *zone, uint64_t pfn,
			   unsigned order)
{
	uint64_t size = 1ull << order;

	if (pfn < zone->start || pfn + size > zone->end || pfn & (size - 1))
		return false;
	for (uint64_t i = 1; i < size; i++)
		if (buddy->page[pfn + i])
			return false;
	return true;
}

/* Two free buddies must have merged, unless types of whole pageblocks forbid it. */
static bool should_have_merged(const struct km_buddy *buddy, const struct km_zone *zone,
			       uint64_t pfn, unsigned order)
{
	uint64_t other = pfn ^ (1ull << order);
	unsigned type, other_type;

	if (order == KM_MAX_ORDER || !km_page_is_buddy(buddy, zone, other, order))
		return false;
	type = km_pageblock_of(buddy, pfn)->type;
	other_type = km_pageblock_of(buddy, other)->type;
	/* Tags of per-CPU pages can differ from their pageblock's type: only plain types decide. */
	return order < KM_PAGEBLOCK_ORDER || type == other_type ||
	       (km_type_mergeable(type) && km_type_mergeable(other_type));
}

/* Blocks of one free list; -1 when a record is wrong. */
static int64_t check_free_list(const struct km_buddy *buddy, const struct km_zone *zone,
			       unsigned order, unsigned type)
{
	const struct km_page_list *list = &zone->list[order][type];
	uint8_t byte = (uint8_t)(KM_PAGE_BUDDY | type << KM_PAGE_TYPE_SHIFT | order);
	int64_t blocks = 0;

	if (km_page_list_empty(list) == (zone->nonempty[type] >> order & 1))
		return -1;
	for (uint32_t pfn = list->head, previous = KM_PFN_NIL; pfn != KM_PFN_NIL;
	     previous = pfn, pfn = km_page_list_next(buddy, list, pfn)) {
		if (previous != KM_PFN_NIL && buddy->link[pfn].prev != previous)
			return -1;
		if (buddy->page[pfn] != byte || !block_is_sound(buddy, zone, pfn, order) ||
		    should_have_merged(buddy, zone, pfn, order))
			return -1;
		if (buddy->profile.freelist_hygiene && km_pageblock_of(buddy, pfn)->type != type)
			return -1;
		if (++blocks > (int64_t)zone->nr_blocks[order])
			return -1;
	}
	return blocks;
}

/* Pages on a CPU's lists; -1 when a record is wrong. */
static int64_t check_pcp(const struct km_buddy *buddy, const struct km_zone *zone,
			 const struct km_pcp *pcp)
{
	int64_t pages = 0;

	for (unsigned i = 0; i < KM_PCP_LISTS; i++) {
		unsigned order = km_pcp_order_of(i);
		struct km_pcp_walk walk = {0};
		uint32_t pfn;

		while ((pfn = km_pcp_list_next(buddy, &pcp->list[i], &walk)) != KM_PFN_NIL) {
			if ((buddy->page[pfn] & (KM_PAGE_PCP | KM_PAGE_BUDDY | KM_PAGE_ORDER)) !=
				    (KM_PAGE_PCP | order) ||
			    !block_is_sound(buddy, zone, pfn, order))
				return -1;
			pages += 1 << order;
			if (pages > pcp->count)
				return -1;
		}
	}
	return pages == pcp->count ? pages : -1;
}

struct head_count {
	int64_t free, pcp; /* blocks */
};

/* Blocks that start in the zone; also every pageblock's number of unmovable pages. */
static bool scan_pages(const struct km_buddy *buddy, const struct km_zone *zone,
		       struct head_count *count)
{
	uint64_t pfn = zone->start;

	while (pfn < zone->end) {
		const struct km_pageblock *block = km_pageblock_of(buddy, pfn);
		uint64_t end = (pfn | (KM_PAGEBLOCK_PAGES - 1)) + 1, unmovable = 0;

		for (; pfn < end && pfn < zone->end; pfn++) {
			count->free += !!(buddy->page[pfn] & KM_PAGE_BUDDY);
			count->pcp += !!(buddy->page[pfn] & KM_PAGE_PCP);
			unmovable += buddy->page[pfn] == KM_PAGE_USED;
		}
		if (block->unmovable != unmovable)
			return false;
	}
	return true;
}

static int64_t pcp_blocks(const struct km_pcp *pcp)
{
	int64_t blocks = 0;

	for (unsigned i = 0; i < KM_PCP_LISTS; i++)
		blocks += pcp->list[i].count;
	return blocks;
}

/* Pages on the zone's per-CPU lists; -1 when something is wrong. */
static int64_t check_zone(const struct km_buddy *buddy, const struct km_zone *zone)
{
	int64_t free = 0, highatomic = 0, counter = zone->nr_free, pcp = 0;
	struct head_count listed = {0}, found = {0};

	for (unsigned order = 0; order < KM_NR_ORDERS; order++) {
		int64_t blocks = 0;

		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++) {
			int64_t here = check_free_list(buddy, zone, order, type);

			if (here < 0)
				return -1;
			blocks += here;
			highatomic += type == KM_HIGHATOMIC ? here << order : 0;
		}
		if (blocks != (int64_t)zone->nr_blocks[order])
			return -1;
		listed.free += blocks;
		free += blocks << order;
	}
	for (unsigned cpu = 0; cpu < buddy->cpus; cpu++) {
		int64_t here = check_pcp(buddy, zone, &zone->pcp[cpu]);

		if (here < 0)
			return -1;
		pcp += here;
		listed.pcp += pcp_blocks(&zone->pcp[cpu]);
		counter += zone->pcp[cpu].diff;
	}
	if (counter != free + zone->skew ||
	    (buddy->profile.freelist_hygiene && highatomic != zone->free_highatomic) ||
	    !scan_pages(buddy, zone, &found) || found.free != listed.free ||
	    found.pcp != listed.pcp)
		return -1;
	return pcp;
}

int km_buddy_validate(void *self)
{
	const struct km_buddy *buddy = self;
	uint64_t unmovable = 0, counted = 0;
	int64_t pcp = 0;

	for (unsigned i = 0; i < KM_NR_ZONES; i++) {
		int64_t here = buddy->zone[i].managed ? check_zone(buddy, &buddy->zone[i]) : 0;

		if (here < 0)
			return -EINVAL;
		pcp += here;
	}
	for (uint64_t i = 0; i < buddy->nr_pageblocks; i++) {
		counted += buddy->block[i].counted;
		unmovable += buddy->block[i].counted && buddy->block[i].unmovable;
	}
	if ((uint64_t)pcp != buddy->free_pcp || counted != buddy->blocks_counted ||
	    unmovable != buddy->blocks_unmovable)
		return -EINVAL;
	return 0;
}
