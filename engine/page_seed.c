/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A start state from counts alone, as /proc/pagetypeinfo and /proc/zoneinfo have them: the numbers
 * of free blocks and of pages on per-CPU lists are exact, their places are drawn. Large blocks are
 * placed first, so that a place whose first page is in use is in use as a whole, and a block never
 * lands beside a free buddy of its own order; then no later free can merge what the kernel held
 * apart.
 */
#include "buddy.h"

#include <errno.h>

#define PROBES 8 /* random places tried before looking at all of them */
#define PCP_RUN_ORDER 3u
#define REGION_PAGES (1ull << KM_MAX_ORDER)

struct seeding {
	struct km_buddy *buddy;
	struct km_zone *zone;
	uint64_t first, end; /* frames taken to be memory */
	uint32_t *blocks;    /* pageblocks in memory, those of one type together */
	uint32_t nr_blocks, from[KM_NR_MIGRATETYPES + 1];
	uint32_t *regions; /* wholly in memory, 4 MiB each, shuffled */
	uint32_t nr_regions, next_region;
	uint64_t types_left[KM_NR_MIGRATETYPES]; /* pageblocks still to be given each type */
	uint64_t cursor;                         /* where the search of all places goes on */
};

static uint64_t below(struct seeding *s, uint64_t limit)
{
	return km_env_random(s->buddy->env) % limit;
}

static void shuffle(struct seeding *s, uint32_t *values, uint32_t count)
{
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = (uint32_t)below(s, i), value = values[i - 1];

		values[i - 1] = values[j];
		values[j] = value;
	}
}

/* A pageblock wholly in use gets a type, and its pages with it. */
static void give_type(struct seeding *s, uint64_t block, enum km_migratetype type)
{
	uint64_t pfn = block << KM_PAGEBLOCK_ORDER, end = pfn + KM_PAGEBLOCK_PAGES;

	if (pfn < s->zone->start)
		pfn = s->zone->start;
	if (end > s->zone->end)
		end = s->zone->end;
	s->buddy->block[block].type = (uint8_t)type;
	memset(s->buddy->page + pfn, type == KM_MOVABLE ? KM_PAGE_USED_MOVABLE : KM_PAGE_USED,
	       end - pfn);
	if (s->types_left[type])
		s->types_left[type]--;
}

static void place(struct seeding *s, uint64_t pfn, unsigned order, enum km_migratetype type)
{
	memset(s->buddy->page + pfn, 0, 1ull << order);
	km_buddy_add(s->buddy, s->zone, pfn, order, type, true);
	s->zone->nr_free += (int64_t)1 << order;
	if (type == KM_HIGHATOMIC)
		s->zone->free_highatomic += (int64_t)1 << order;
}

/* ---- whole pageblocks ---- */

static int place_regions(struct seeding *s, uint64_t count, enum km_migratetype type)
{
	if (count > s->nr_regions - s->next_region)
		return -ENOSPC;
	while (count--) {
		uint64_t block = s->regions[s->next_region++];

		give_type(s, block, type);
		give_type(s, block + 1, type);
		place(s, block << KM_PAGEBLOCK_ORDER, KM_MAX_ORDER, type);
	}
	return 0;
}

/* One half of a region; the pageblocks at the ends of memory when there are no regions left. */
static int place_halves(struct seeding *s, uint64_t count, enum km_migratetype type)
{
	while (count && s->next_region < s->nr_regions) {
		uint64_t block = s->regions[s->next_region++] + below(s, 2);

		give_type(s, block, type);
		place(s, block << KM_PAGEBLOCK_ORDER, KM_PAGEBLOCK_ORDER, type);
		count--;
	}
	for (uint32_t i = 0; count && i < s->nr_blocks; i++) {
		uint64_t pfn = (uint64_t)s->blocks[i] << KM_PAGEBLOCK_ORDER;

		if (pfn < s->first || pfn + KM_PAGEBLOCK_PAGES > s->end || !s->buddy->page[pfn] ||
		    s->buddy->page[pfn] > KM_PAGE_USED_MOVABLE ||
		    km_page_is_buddy(s->buddy, s->zone, pfn ^ KM_PAGEBLOCK_PAGES,
				     KM_PAGEBLOCK_ORDER))
			continue;
		give_type(s, s->blocks[i], type);
		place(s, pfn, KM_PAGEBLOCK_ORDER, type);
		count--;
	}
	return count ? -ENOSPC : 0;
}

/* ---- smaller blocks ---- */

static bool in_use(const struct seeding *s, uint64_t pfn)
{
	return s->buddy->page[pfn] == KM_PAGE_USED || s->buddy->page[pfn] == KM_PAGE_USED_MOVABLE;
}

/* All of the pageblock that belongs to the zone. */
static bool block_in_use(const struct seeding *s, uint64_t block)
{
	uint64_t pfn = block << KM_PAGEBLOCK_ORDER, end = pfn + KM_PAGEBLOCK_PAGES;

	for (; pfn < end; pfn++)
		if (pfn >= s->zone->start && pfn < s->zone->end && !in_use(s, pfn))
			return false;
	return true;
}

/* Pageblocks without a type yet take one by lot, in the proportions still owed. */
static void give_types(struct seeding *s)
{
	for (uint32_t i = 0; i < s->nr_blocks; i++) {
		uint64_t left = 0, lot;
		unsigned type;

		/* Pageblocks that hold a free block had theirs. */
		if (!block_in_use(s, s->blocks[i]))
			continue;
		for (type = 0; type < KM_NR_MIGRATETYPES; type++)
			left += s->types_left[type];
		if (!left)
			return;
		lot = below(s, left);
		for (type = 0; lot >= s->types_left[type]; type++)
			lot -= s->types_left[type];
		give_type(s, s->blocks[i], (enum km_migratetype)type);
	}
}

static void list_by_type(struct seeding *s)
{
	uint32_t at = 0;

	for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++) {
		s->from[type] = at;
		for (uint64_t block = s->first >> KM_PAGEBLOCK_ORDER;
		     block <= (s->end - 1) >> KM_PAGEBLOCK_ORDER; block++)
			if (s->buddy->block[block].type == type)
				s->blocks[at++] = (uint32_t)block;
	}
	s->from[KM_NR_MIGRATETYPES] = at;
}

static bool fits(const struct seeding *s, uint64_t pfn, unsigned order)
{
	return pfn >= s->first && pfn + (1ull << order) <= s->end && in_use(s, pfn) &&
	       !km_page_is_buddy(s->buddy, s->zone, pfn ^ (1ull << order), order);
}

/* A place in a pageblock of the type; UINT64_MAX when all are taken. */
static uint64_t find_place(struct seeding *s, unsigned order, enum km_migratetype type)
{
	unsigned shift = KM_PAGEBLOCK_ORDER - order;
	uint32_t from = s->from[type], blocks = s->from[type + 1] - from;
	uint64_t places = (uint64_t)blocks << shift, pfn;

	for (unsigned i = 0; i < PROBES && places; i++) {
		uint64_t lot = below(s, places);

		pfn = ((uint64_t)s->blocks[from + (lot >> shift)] << KM_PAGEBLOCK_ORDER) |
		      ((lot & ((1ull << shift) - 1)) << order);
		if (fits(s, pfn, order))
			return pfn;
	}
	for (; s->cursor < places; s->cursor++) {
		pfn = ((uint64_t)s->blocks[from + (s->cursor >> shift)] << KM_PAGEBLOCK_ORDER) |
		      ((s->cursor & ((1ull << shift) - 1)) << order);
		if (fits(s, pfn, order))
			return pfn;
	}
	return UINT64_MAX;
}

static uint64_t place_in_block(const struct seeding *s, uint64_t block, unsigned order)
{
	uint64_t pfn = block << KM_PAGEBLOCK_ORDER, end = pfn + KM_PAGEBLOCK_PAGES;

	for (; pfn < end; pfn += 1ull << order)
		if (fits(s, pfn, order))
			return pfn;
	return UINT64_MAX;
}

/* No room in the type's pageblocks: another one, wholly in use, becomes of this type. */
static uint64_t make_place(struct seeding *s, unsigned order, enum km_migratetype type)
{
	for (uint32_t i = 0; i < s->nr_blocks; i++) {
		uint64_t block = s->blocks[i], pfn = place_in_block(s, block, order);

		if (pfn == UINT64_MAX || s->buddy->block[block].type == type ||
		    !block_in_use(s, block))
			continue;
		give_type(s, block, type);
		list_by_type(s);
		s->cursor = 0;
		return pfn;
	}
	return UINT64_MAX;
}

/*
 * As a last resort any place of the zone, also where a hole was taken to be: the kernel did have
 * these blocks. Its pageblock must be of the type, or hold nothing else, or be allowed to differ.
 */
static uint64_t any_place(struct seeding *s, unsigned order, enum km_migratetype type)
{
	uint64_t size = 1ull << order;

	for (uint64_t pfn = km_round_up(s->zone->start, size); pfn + size <= s->zone->end;
	     pfn += size) {
		uint64_t block = pfn >> KM_PAGEBLOCK_ORDER;

		if (!in_use(s, pfn) || km_page_is_buddy(s->buddy, s->zone, pfn ^ size, order))
			continue;
		if (s->buddy->block[block].type == type || !s->buddy->profile.freelist_hygiene)
			return pfn;
		if (block_in_use(s, block)) {
			give_type(s, block, type);
			return pfn;
		}
	}
	return UINT64_MAX;
}

static int place_small(struct seeding *s, unsigned order, enum km_migratetype type, uint64_t count)
{
	s->cursor = 0;
	while (count--) {
		uint64_t pfn = find_place(s, order, type);

		if (pfn == UINT64_MAX)
			pfn = make_place(s, order, type);
		if (pfn == UINT64_MAX)
			pfn = any_place(s, order, type);
		if (pfn == UINT64_MAX)
			return -ENOSPC;
		place(s, pfn, order, type);
	}
	return 0;
}

/* ---- per-CPU lists ---- */

static bool run_in_use(const struct seeding *s, uint64_t pfn, unsigned order)
{
	uint64_t end = pfn + (1ull << order);

	if (pfn < s->first || end > s->end)
		return false;
	while (pfn < end && in_use(s, pfn))
		pfn++;
	return pfn == end;
}

/* Aligned pages in use, anywhere; UINT64_MAX when there are no so many in a row. */
static uint64_t find_run(struct seeding *s, unsigned order)
{
	uint64_t size = 1ull << order, pfn;

	for (unsigned i = 0; i < PROBES; i++) {
		pfn = (uint64_t)s->blocks[below(s, s->nr_blocks)] << KM_PAGEBLOCK_ORDER;
		pfn += below(s, KM_PAGEBLOCK_PAGES >> order) << order;
		if (run_in_use(s, pfn, order))
			return pfn;
	}
	if (s->cursor < s->first)
		s->cursor = km_round_up(s->first, size);
	for (; s->cursor + size <= s->end; s->cursor += size)
		if (run_in_use(s, s->cursor, order))
			return s->cursor;
	return UINT64_MAX;
}

/* Their pageblock's type decides on the list, as when a page is freed. */
static void place_run(struct seeding *s, struct km_pcp *pcp, uint64_t pfn, unsigned order)
{
	struct km_buddy *buddy = s->buddy;
	enum km_migratetype type = (enum km_migratetype)km_pageblock_of(buddy, pfn)->type;
	unsigned list = km_pcp_list_of(buddy, 0, type == KM_HIGHATOMIC ? KM_MOVABLE : type);

	for (uint64_t end = pfn + (1ull << order); pfn < end; pfn++) {
		buddy->page[pfn] = (uint8_t)(KM_PAGE_PCP | type << KM_PAGE_TYPE_SHIFT);
		km_pcp_list_append(buddy, &pcp->list[list], (uint32_t)pfn);
	}
	pcp->count += 1 << order;
	buddy->free_pcp += 1ull << order;
}

static int place_pcp(struct seeding *s, struct km_pcp *pcp, const struct km_pcp_seed *seed)
{
	unsigned order = PCP_RUN_ORDER;
	uint32_t left = seed->count;

	pcp->high = (int32_t)seed->high;
	s->cursor = 0;
	while (left) {
		uint64_t pfn = left >> order ? find_run(s, order) : UINT64_MAX;

		if (pfn != UINT64_MAX) {
			place_run(s, pcp, pfn, order);
			left -= 1u << order;
		} else if (order) {
			order--;
			s->cursor = 0;
		} else {
			return -ENOSPC;
		}
	}
	return 0;
}

/* ---- a zone ---- */

static int prepare(struct seeding *s)
{
	struct km_env *env = s->buddy->env;
	uint64_t first = s->first >> KM_PAGEBLOCK_ORDER;
	uint64_t end = (s->end + KM_PAGEBLOCK_PAGES - 1) >> KM_PAGEBLOCK_ORDER;

	s->nr_blocks = (uint32_t)(end - first);
	s->blocks = km_env_alloc(env, s->nr_blocks * sizeof(*s->blocks));
	s->regions = km_env_alloc(env, s->nr_blocks * sizeof(*s->regions));
	if (!s->blocks || !s->regions)
		return -ENOMEM;
	for (uint64_t i = first; i < end; i++)
		s->blocks[i - first] = (uint32_t)i;
	for (uint64_t pfn = km_round_up(s->first, REGION_PAGES); pfn + REGION_PAGES <= s->end;
	     pfn += REGION_PAGES)
		s->regions[s->nr_regions++] = (uint32_t)(pfn >> KM_PAGEBLOCK_ORDER);
	shuffle(s, s->regions, s->nr_regions);
	km_zone_use_all(s->buddy, s->zone);
	return 0;
}

static void finish(struct seeding *s)
{
	uint64_t pfn = s->zone->start;

	while (pfn < s->zone->end) {
		struct km_pageblock *block = km_pageblock_of(s->buddy, pfn);
		uint64_t end = (pfn | (KM_PAGEBLOCK_PAGES - 1)) + 1;

		for (; pfn < end && pfn < s->zone->end; pfn++)
			block->lru += s->buddy->page[pfn] == KM_PAGE_USED_MOVABLE;
		if (block->type == KM_HIGHATOMIC)
			s->zone->reserved_highatomic += (int64_t)KM_PAGEBLOCK_PAGES;
	}
	km_zone_count_pageblocks(s->buddy, s->zone);
}

/* More free pages than the zone manages: the counts come from a file and may be anything. */
static bool zone_can_hold(const struct km_zone *zone, const struct km_zone_seed *seed)
{
	uint64_t left = zone->managed;

	for (unsigned order = 0; order < KM_NR_ORDERS; order++) {
		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++) {
			uint64_t count = seed->free_blocks[order][type];

			if (count > left >> order)
				return false;
			left -= count << order;
		}
	}
	for (unsigned cpu = 0; cpu < seed->nr_pcp; cpu++) {
		if (seed->pcp[cpu].count > left || seed->pcp[cpu].high > INT32_MAX)
			return false;
		left -= seed->pcp[cpu].count;
	}
	return true;
}

static int seed_zone(struct km_buddy *buddy, const struct km_zone_seed *seed)
{
	struct seeding s = {.buddy = buddy, .zone = &buddy->zone[seed->index]};
	unsigned type;
	int code;

	if (!zone_can_hold(s.zone, seed))
		return -ENOSPC;
	km_zone_memory(s.zone, &s.first, &s.end);
	memcpy(s.types_left, seed->pageblocks, sizeof(s.types_left));
	code = prepare(&s);
	for (type = 0; !code && type < KM_NR_MIGRATETYPES; type++)
		code = place_regions(&s, seed->free_blocks[KM_MAX_ORDER][type],
				     (enum km_migratetype)type);
	for (type = 0; !code && type < KM_NR_MIGRATETYPES; type++)
		code = place_halves(&s, seed->free_blocks[KM_PAGEBLOCK_ORDER][type],
				    (enum km_migratetype)type);
	if (!code) {
		give_types(&s);
		list_by_type(&s);
	}
	for (int order = KM_PAGEBLOCK_ORDER - 1; !code && order >= 0; order--)
		for (type = 0; !code && type < KM_NR_MIGRATETYPES; type++)
			code = place_small(&s, (unsigned)order, (enum km_migratetype)type,
					   seed->free_blocks[order][type]);
	for (unsigned cpu = 0; !code && cpu < seed->nr_pcp; cpu++)
		code = place_pcp(&s, &s.zone->pcp[cpu], &seed->pcp[cpu]);
	if (!code)
		finish(&s);
	km_env_release(buddy->env, s.blocks, s.nr_blocks * sizeof(*s.blocks));
	km_env_release(buddy->env, s.regions, s.nr_blocks * sizeof(*s.regions));
	return code;
}

static const struct km_zone_seed *seed_of(const struct km_buddy_seed *seed, unsigned index)
{
	for (unsigned i = 0; i < seed->nr_zones; i++)
		if (seed->zones[i].index == index)
			return &seed->zones[i];
	return NULL;
}

int km_buddy_seed_free(void *self, const struct km_buddy_seed *seed)
{
	struct km_buddy *buddy = self;
	int code = 0;

	if (seed->nr_zones > KM_NR_ZONES)
		return -EINVAL;
	for (unsigned i = 0; i < seed->nr_zones; i++)
		if (seed->zones[i].index >= KM_NR_ZONES || seed->zones[i].nr_pcp > buddy->cpus ||
		    !buddy->zone[seed->zones[i].index].managed)
			return -EINVAL;
	memset(buddy->page, 0, buddy->max_pfn);
	km_buddy_lay_out(buddy, buddy->spec->nr_zones, buddy->spec->zones);
	for (unsigned i = 0; !code && i < KM_NR_ZONES; i++) {
		const struct km_zone_seed *zone = seed_of(seed, i);

		if (zone)
			code = seed_zone(buddy, zone);
		else if (buddy->zone[i].managed)
			km_zone_boot(buddy, &buddy->zone[i]);
	}
	if (code) {
		memset(buddy->page, 0, buddy->max_pfn);
		km_buddy_boot(buddy);
	}
	km_reclaim_start(buddy);
	return code;
}
