/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Free blocks: taking the smallest sufficient one and splitting it, merging a freed one with its
 * buddies, and where on its list each lands (mm/page_alloc.c: __rmqueue_smallest, expand,
 * __free_one_page). Order of lists decides every later address, so it is kept exactly.
 */
#include "buddy.h"

void km_buddy_add(struct km_buddy *buddy, struct km_zone *zone, uint64_t pfn, unsigned order,
		  enum km_migratetype type, bool tail)
{
	struct km_page_list *list = &zone->list[order][type];

	buddy->page[pfn] = (uint8_t)(KM_PAGE_BUDDY | type << KM_PAGE_TYPE_SHIFT | order);
	if (tail)
		km_page_list_append(buddy, list, (uint32_t)pfn);
	else
		km_page_list_push(buddy, list, (uint32_t)pfn);
	zone->nonempty[type] |= 1u << order;
	zone->nr_blocks[order]++;
}

void km_buddy_remove(struct km_buddy *buddy, struct km_zone *zone, uint64_t pfn)
{
	unsigned order = km_page_order(buddy->page[pfn]);
	enum km_migratetype type = km_page_type(buddy->page[pfn]);
	struct km_page_list *list = &zone->list[order][type];

	km_page_list_remove(buddy, list, (uint32_t)pfn);
	if (km_page_list_empty(list))
		zone->nonempty[type] &= ~(1u << order);
	zone->nr_blocks[order]--;
	buddy->page[pfn] = 0;
}

void km_buddy_retype(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
		     enum km_migratetype type)
{
	unsigned order = km_page_order(buddy->page[pfn]);
	enum km_migratetype old = km_page_type(buddy->page[pfn]);

	km_buddy_remove(buddy, zone, pfn);
	km_buddy_add(buddy, zone, pfn, order, type, true);
	if (buddy->profile.freelist_hygiene) {
		km_zone_account(zone, cpu, -((int64_t)1 << order), old);
		km_zone_account(zone, cpu, (int64_t)1 << order, type);
	}
}

void km_buddy_split(struct km_buddy *buddy, struct km_zone *zone, uint64_t pfn, unsigned low,
		    unsigned high, enum km_migratetype type)
{
	buddy->env->count.buddy_split += high - low;
	while (high > low) {
		high--;
		km_buddy_add(buddy, zone, pfn + (1ull << high), high, type, false);
	}
}

uint32_t km_buddy_take_type(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			    unsigned order, enum km_migratetype type)
{
	uint32_t orders = zone->nonempty[type] >> order;
	unsigned found;
	uint32_t pfn;

	if (!orders)
		return KM_PFN_NIL;
	found = order + (unsigned)__builtin_ctz(orders);
	pfn = zone->list[found][type].head;
	km_buddy_remove(buddy, zone, pfn);
	km_buddy_split(buddy, zone, pfn, order, found, type);
	if (buddy->profile.freelist_hygiene)
		km_zone_account(zone, cpu, -((int64_t)1 << order), type);
	buddy->env->count.buddy_take++;
	return pfn;
}

/* From a pageblock up, only ordinary types mix; returns false where merging must stop. */
static bool merge_types(struct km_buddy *buddy, uint64_t other, enum km_migratetype type)
{
	struct km_pageblock *block = km_pageblock_of(buddy, other);

	if (block->type == type)
		return true;
	if (!km_type_mergeable(type) || !km_type_mergeable(block->type))
		return false;
	if (buddy->profile.freelist_hygiene)
		block->type = type;
	return true;
}

/*
 * A block whose merged buddy would itself have a free buddy goes to the tail: it is likely to merge
 * soon, and the head is reused first.
 */
static bool merge_likely(const struct km_buddy *buddy, const struct km_zone *zone, uint64_t pfn,
			 unsigned order)
{
	uint64_t merged = pfn & ~(1ull << order);

	return order + 2 <= KM_MAX_ORDER &&
	       km_page_is_buddy(buddy, zone, merged ^ (2ull << order), order + 1);
}

static inline void free_block(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			      uint64_t pfn, unsigned order, enum km_migratetype type, bool tail)
{
	int64_t pages = (int64_t)1 << order;

	buddy->page[pfn] = 0;
	if (buddy->profile.freelist_hygiene)
		km_zone_account(zone, cpu, pages, type);
	else
		km_zone_count(zone, cpu, pages);
	buddy->env->count.buddy_free++;
	while (order < KM_MAX_ORDER) {
		uint64_t other = pfn ^ (1ull << order);

		if (!km_page_is_buddy(buddy, zone, other, order))
			break;
		if (order >= KM_PAGEBLOCK_ORDER && !merge_types(buddy, other, type))
			break;
		km_buddy_remove(buddy, zone, other);
		pfn &= other;
		order++;
		buddy->env->count.buddy_merge++;
	}
	km_buddy_add(buddy, zone, pfn, order, type, tail || merge_likely(buddy, zone, pfn, order));
}

void km_buddy_free_block(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
			 unsigned order, enum km_migratetype type)
{
	free_block(buddy, zone, cpu, pfn, order, type, false);
}

void km_buddy_free_to_tail(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn)
{
	free_block(buddy, zone, cpu, pfn, 0, (enum km_migratetype)km_pageblock_of(buddy, pfn)->type,
		   true);
}

void km_buddy_free_direct(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
			  unsigned order)
{
	uint64_t end = pfn + (1ull << order);

	if (buddy->profile.freelist_hygiene && order > KM_PAGEBLOCK_ORDER)
		order = KM_PAGEBLOCK_ORDER;
	for (; pfn < end; pfn += 1ull << order)
		km_buddy_free_block(buddy, zone, cpu, pfn, order,
				    (enum km_migratetype)km_pageblock_of(buddy, pfn)->type);
}

void km_buddy_set_blocks_type(struct km_buddy *buddy, uint64_t pfn, unsigned order,
			      enum km_migratetype type)
{
	uint64_t first = pfn >> KM_PAGEBLOCK_ORDER;
	uint64_t end = (pfn + (1ull << order) - 1) >> KM_PAGEBLOCK_ORDER;

	if (!buddy->grouping && type < KM_HIGHATOMIC)
		type = KM_UNMOVABLE;
	for (; first <= end; first++)
		buddy->block[first].type = type;
}
