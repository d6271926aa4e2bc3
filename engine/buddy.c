/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Free blocks: taking the smallest sufficient one and splitting it, merging a freed one with its
 * buddies, and where on its list each lands (mm/page_alloc.c: __rmqueue_smallest, expand,
 * __free_one_page). Order of lists decides every later address, so it is kept exactly.
 */
#include "buddy.h"

/* Out of line: where sizes are known to be small GCC stores them in a way that is slow to begin. */
void km_buddy_mark(struct km_buddy *buddy, uint64_t pfn, uint64_t pages, uint8_t byte)
{
	memset(buddy->page + pfn, byte, pages);
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

/* As km_zone_account() of -(1 << order), `count` times. */
static void count_run(struct km_zone *zone, unsigned cpu, unsigned order, int64_t count,
		      enum km_migratetype type)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	int64_t diff = pcp->diff, until;

	if (type == KM_HIGHATOMIC)
		zone->free_highatomic -= count << order;
	for (;; count -= until) {
		until = ((diff + zone->threshold) >> order) + 1; /* takes to the next fold */
		if (until > count)
			break;
		zone->nr_free += diff - (until << order);
		diff = 0;
	}
	pcp->diff = (int32_t)(diff - (count << order));
}

uint32_t km_buddy_take_run(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			   unsigned order, enum km_migratetype type, uint32_t *count)
{
	uint32_t orders = zone->nonempty[type] >> order, taken, whole;
	uint64_t pfn, rest, end;
	unsigned found;

	if (!orders)
		return KM_PFN_NIL;
	found = order + (unsigned)__builtin_ctz(orders);
	pfn = zone->list[found][type].head;
	km_buddy_remove_known(buddy, zone, pfn, found, type);
	whole = 1u << (found - order);
	taken = *count < whole ? *count : whole;
	end = pfn + (1ull << found);
	/* The rest, in blocks as large as their place allows; all smaller lists were empty. */
	for (rest = pfn + ((uint64_t)taken << order); rest < end;) {
		unsigned size = (unsigned)__builtin_ctzll(rest);

		km_buddy_add(buddy, zone, rest, size, type, false);
		rest += 1ull << size;
		buddy->env->count.buddy_split++;
	}
	buddy->env->count.buddy_split += taken - 1;
	if (buddy->profile.freelist_hygiene)
		count_run(zone, cpu, order, taken, type);
	buddy->env->count.buddy_take += taken;
	*count = taken;
	return (uint32_t)pfn;
}

uint32_t km_buddy_take_type(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			    unsigned order, enum km_migratetype type)
{
	uint32_t one = 1;

	return km_buddy_take_run(buddy, zone, cpu, order, type, &one);
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
		free_block(buddy, zone, cpu, pfn, order,
			   (enum km_migratetype)km_pageblock_of(buddy, pfn)->type, false);
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
