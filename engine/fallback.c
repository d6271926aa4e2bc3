/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When a migratetype's lists are empty: blocks of other types (mm/page_alloc.c). Up to 6.10
 * __rmqueue_fallback, which moves what it finds to the wanted type and retries; later (and in
 * 6.12 stable) __rmqueue_claim for whole or mostly fitting pageblocks, then __rmqueue_steal, which
 * leaves pageblock and remainder as they were. And the HIGHATOMIC reserve.
 */
#include "buddy.h"

#define FALLBACKS 2
#define MAJORITY (KM_PAGEBLOCK_PAGES / 2)

static const uint8_t fallbacks[KM_HIGHATOMIC][FALLBACKS] = {
	[KM_UNMOVABLE] = {KM_RECLAIMABLE, KM_MOVABLE},
	[KM_MOVABLE] = {KM_RECLAIMABLE, KM_UNMOVABLE},
	[KM_RECLAIMABLE] = {KM_UNMOVABLE, KM_MOVABLE},
};

/* First fallback type with a block of exactly this order; -1 when there is none. */
static int find_fallback(const struct km_zone *zone, unsigned order, enum km_migratetype type)
{
	for (unsigned i = 0; i < FALLBACKS; i++)
		if (zone->nonempty[fallbacks[type][i]] >> order & 1)
			return fallbacks[type][i];
	return -1;
}

/* Whether taking a block of this order may take over its pageblock too. */
static bool can_claim(const struct km_buddy *buddy, unsigned order, enum km_migratetype type)
{
	return order >= KM_PAGEBLOCK_ORDER / 2 || type != KM_MOVABLE || !buddy->grouping;
}

static unsigned lowest_order(const struct km_buddy *buddy, unsigned order, uint32_t rights)
{
	if (!(rights & KM_RIGHT_NOFRAGMENT))
		return order;
	if (order >= KM_PAGEBLOCK_ORDER && !buddy->profile.nofragment_any_order)
		return order;
	return KM_PAGEBLOCK_ORDER;
}

/* Part of a pageblock that a zone can move: false where the block sticks out of the zone. */
static bool pageblock_range(const struct km_buddy *buddy, const struct km_zone *zone, uint64_t pfn,
			    uint64_t *first, uint64_t *end)
{
	*first = pfn & ~(KM_PAGEBLOCK_PAGES - 1);
	*end = *first + KM_PAGEBLOCK_PAGES;
	if (*end > zone->end)
		return false;
	if (*first >= zone->start)
		return true;
	if (buddy->profile.freelist_hygiene)
		return false;
	*first = pfn;
	return true;
}

static uint64_t count_free(const struct km_buddy *buddy, uint64_t first, uint64_t end)
{
	uint64_t pages = 0;

	while (first < end) {
		uint8_t page = buddy->page[first];
		uint64_t size = page & KM_PAGE_BUDDY ? 1ull << km_page_order(page) : 1;

		pages += page & KM_PAGE_BUDDY ? size : 0;
		first += size;
	}
	return pages;
}

/*
 * All free blocks in the range, ascending, to the tails of the lists of `type`.
 */
static void move_free(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t first,
		      uint64_t end, enum km_migratetype type)
{
	while (first < end) {
		uint8_t page = buddy->page[first];

		if (page & KM_PAGE_BUDDY) {
			km_buddy_retype(buddy, zone, cpu, first, type);
			first += 1ull << km_page_order(page);
		} else {
			first++;
		}
	}
}

/* Pages of the pageblock that suit `type` although they are in use. */
static uint64_t alike_pages(const struct km_pageblock *block, enum km_migratetype old,
			    enum km_migratetype type, uint64_t free)
{
	if (type == KM_MOVABLE)
		return block->lru;
	if (old == KM_MOVABLE && free + block->lru < KM_PAGEBLOCK_PAGES)
		return KM_PAGEBLOCK_PAGES - free - block->lru;
	return 0;
}

/* ---- up to 6.10: steal ---- */

static void steal_block(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint32_t pfn,
			enum km_migratetype type, uint32_t rights)
{
	struct km_pageblock *block = km_pageblock_of(buddy, pfn);
	unsigned order = km_page_order(buddy->page[pfn]);
	enum km_migratetype old = (enum km_migratetype)block->type;
	uint64_t first, end, free = 0;

	buddy->env->count.extfrag++;
	if (old != KM_HIGHATOMIC && order >= KM_PAGEBLOCK_ORDER) {
		km_buddy_set_blocks_type(buddy, pfn, order, type);
		buddy->env->count.fallback_claim++;
		km_buddy_retype(buddy, zone, cpu, pfn, type);
		return;
	}
	buddy->env->count.fallback_steal++;
	if (old != KM_HIGHATOMIC) {
		km_zone_boost(zone, rights);
		if (can_claim(buddy, order, type) &&
		    pageblock_range(buddy, zone, pfn, &first, &end))
			free = count_free(buddy, first, end);
	}
	if (!free) {
		km_buddy_retype(buddy, zone, cpu, pfn, type);
		return;
	}
	move_free(buddy, zone, cpu, first, end, type);
	if (free + alike_pages(block, old, type, free) >= MAJORITY || !buddy->grouping) {
		km_buddy_set_blocks_type(buddy, pfn, 0, type);
		buddy->env->count.fallback_steal--;
		buddy->env->count.fallback_claim++;
	}
}

/* Make the lists of `type` nonempty for this order; false when no other type can help. */
static bool steal(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		  enum km_migratetype type, uint32_t rights)
{
	int lowest = (int)lowest_order(buddy, order, rights), other = -1, at;

	for (at = KM_MAX_ORDER; at >= lowest; at--) {
		other = find_fallback(zone, (unsigned)at, type);
		if (other >= 0)
			break;
	}
	if (other < 0)
		return false;
	if (!can_claim(buddy, (unsigned)at, type) && at > (int)order)
		for (at = (int)order; at <= KM_MAX_ORDER; at++) {
			other = find_fallback(zone, (unsigned)at, type);
			if (other >= 0)
				break;
		}
	steal_block(buddy, zone, cpu, zone->list[at][other].head, type, rights);
	return true;
}

static uint32_t take_with_steal(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
				unsigned order, enum km_migratetype type, uint32_t rights)
{
	uint32_t pfn;

	do
		pfn = km_buddy_take_type(buddy, zone, cpu, order, type);
	while (pfn == KM_PFN_NIL && steal(buddy, zone, cpu, order, type, rights));
	return pfn;
}

/* ---- later: claim, then steal ---- */

static uint32_t claim_large(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			    uint32_t pfn, unsigned order, enum km_migratetype type)
{
	unsigned found = km_page_order(buddy->page[pfn]);
	enum km_migratetype old = km_page_type(buddy->page[pfn]);

	km_buddy_remove(buddy, zone, pfn);
	km_zone_account(zone, cpu, -((int64_t)1 << found), old);
	km_buddy_set_blocks_type(buddy, pfn, found, type);
	km_buddy_split(buddy, zone, pfn, order, found, type);
	km_zone_account(zone, cpu, ((int64_t)1 << found) - ((int64_t)1 << order), type);
	buddy->env->count.buddy_take++;
	return pfn;
}

static uint32_t claim_block(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			    uint32_t pfn, unsigned order, enum km_migratetype type, uint32_t rights)
{
	enum km_migratetype old = km_page_type(buddy->page[pfn]);
	uint64_t first, end, free;

	if (km_page_order(buddy->page[pfn]) >= KM_PAGEBLOCK_ORDER)
		return claim_large(buddy, zone, cpu, pfn, order, type);
	km_zone_boost(zone, rights);
	if (!pageblock_range(buddy, zone, pfn, &first, &end))
		return KM_PFN_NIL;
	free = count_free(buddy, first, end);
	if (free + alike_pages(km_pageblock_of(buddy, pfn), old, type, free) < MAJORITY &&
	    buddy->grouping)
		return KM_PFN_NIL;
	move_free(buddy, zone, cpu, first, end, type);
	km_buddy_set_blocks_type(buddy, pfn, 0, type);
	return km_buddy_take_type(buddy, zone, cpu, order, type);
}

static uint32_t claim(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		      enum km_migratetype type, uint32_t rights)
{
	int lowest = (int)lowest_order(buddy, order, rights);

	for (int at = KM_MAX_ORDER; at >= lowest; at--) {
		uint32_t pfn;
		int other;

		if (!can_claim(buddy, (unsigned)at, type))
			break;
		other = find_fallback(zone, (unsigned)at, type);
		if (other < 0)
			continue;
		pfn = claim_block(buddy, zone, cpu, zone->list[at][other].head, order, type,
				  rights);
		if (pfn != KM_PFN_NIL) {
			buddy->env->count.extfrag++;
			buddy->env->count.fallback_claim++;
			return pfn;
		}
	}
	return KM_PFN_NIL;
}

static uint32_t steal_smallest(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			       unsigned order, enum km_migratetype type)
{
	for (unsigned at = order; at <= KM_MAX_ORDER; at++) {
		int other = find_fallback(zone, at, type);

		if (other < 0)
			continue;
		buddy->env->count.extfrag++;
		buddy->env->count.fallback_steal++;
		return km_buddy_take_type(buddy, zone, cpu, order, (enum km_migratetype)other);
	}
	return KM_PFN_NIL;
}

uint32_t km_buddy_take(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		       enum km_migratetype type, uint32_t rights, enum km_take_mode *mode)
{
	uint32_t pfn;

	if (buddy->profile.fallback == KM_FALLBACK_STEAL)
		return take_with_steal(buddy, zone, cpu, order, type, rights);
	if (*mode == KM_TAKE_NORMAL) {
		pfn = km_buddy_take_type(buddy, zone, cpu, order, type);
		if (pfn == KM_PFN_NIL)
			pfn = claim(buddy, zone, cpu, order, type, rights);
		if (pfn != KM_PFN_NIL)
			return pfn;
	}
	if (rights & KM_RIGHT_NOFRAGMENT)
		return KM_PFN_NIL;
	pfn = steal_smallest(buddy, zone, cpu, order, type);
	if (pfn != KM_PFN_NIL)
		*mode = KM_TAKE_STEAL;
	return pfn;
}

/* ---- the reserve for urgent higher orders ---- */

static bool highatomic_full(const struct km_buddy *buddy, const struct km_zone *zone)
{
	uint64_t limit = zone->managed / 100;

	if (!buddy->profile.highatomic_rounded)
		limit += KM_PAGEBLOCK_PAGES;
	else if (limit < KM_PAGEBLOCK_PAGES)
		return true;
	else
		limit = km_round_up(limit, KM_PAGEBLOCK_PAGES);
	return (uint64_t)zone->reserved_highatomic >= limit;
}

void km_buddy_reserve_highatomic(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
				 uint64_t pfn, unsigned order)
{
	struct km_pageblock *block = km_pageblock_of(buddy, pfn);
	uint64_t first, end;
	bool whole;

	if (highatomic_full(buddy, zone) || !km_type_mergeable(block->type))
		return;
	if (order >= KM_PAGEBLOCK_ORDER && buddy->profile.highatomic_rounded) {
		km_buddy_set_blocks_type(buddy, pfn, order, KM_HIGHATOMIC);
		zone->reserved_highatomic += 1 << order;
		return;
	}
	whole = pageblock_range(buddy, zone, pfn, &first, &end);
	if (!whole && buddy->profile.freelist_hygiene)
		return;
	zone->reserved_highatomic += (int64_t)KM_PAGEBLOCK_PAGES;
	block->type = KM_HIGHATOMIC;
	if (whole)
		move_free(buddy, zone, cpu, first, end, KM_HIGHATOMIC);
}

static bool unreserve(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
		      enum km_migratetype type)
{
	unsigned order;
	uint64_t first, end;
	uint32_t pfn;

	if (!zone->nonempty[KM_HIGHATOMIC])
		return false;
	order = (unsigned)__builtin_ctz(zone->nonempty[KM_HIGHATOMIC]);
	pfn = zone->list[order][KM_HIGHATOMIC].head;
	zone->reserved_highatomic -= (int64_t)KM_PAGEBLOCK_PAGES;
	if (zone->reserved_highatomic < 0)
		zone->reserved_highatomic = 0;
	km_buddy_set_blocks_type(buddy, pfn, order, type);
	if (order >= KM_PAGEBLOCK_ORDER)
		km_buddy_retype(buddy, zone, cpu, pfn, type);
	else if (pageblock_range(buddy, zone, pfn, &first, &end))
		move_free(buddy, zone, cpu, first, end, type);
	return true;
}

bool km_buddy_unreserve_highatomic(struct km_buddy *buddy, unsigned cpu, unsigned highest,
				   enum km_migratetype type, bool force)
{
	for (int i = buddy->preferred[highest]; i >= 0; i--) {
		struct km_zone *zone = &buddy->zone[i];

		if (!zone->managed ||
		    (!force && zone->reserved_highatomic <= (int64_t)KM_PAGEBLOCK_PAGES))
			continue;
		if (unreserve(buddy, zone, cpu, type))
			return true;
	}
	return false;
}
