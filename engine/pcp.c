/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-CPU page lists, three generations of them (mm/page_alloc.c: rmqueue_pcplist, nr_pcp_alloc,
 * free_unref_page_commit, nr_pcp_high, nr_pcp_free, free_pcppages_bulk, zone_batchsize): 5.15,
 * 6.1-6.6, and from 6.7 on with a limit that follows the load.
 */
#include "buddy.h"

static int32_t at_least(int32_t value, int32_t low)
{
	return value < low ? low : value;
}

static int32_t at_most(int32_t value, int32_t high)
{
	return value > high ? high : value;
}

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
	return at_most(at_least(value, low), high);
}

/* ---- sizes ---- */

static int32_t batch_size(uint64_t managed)
{
	uint64_t batch = managed >> 10;

	if (batch > (1 << 20) / KM_PAGE_SIZE)
		batch = (1 << 20) / KM_PAGE_SIZE;
	batch /= 4;
	if (batch < 1)
		batch = 1;
	batch = (1ull << (km_fls(batch + batch / 2) - 1)) - 1;
	return batch < 1 ? 1 : (int32_t)batch;
}

void km_pcp_size(const struct km_buddy *buddy, const struct km_zone *zone, struct km_pcp *pcp)
{
	uint64_t low = (uint64_t)(zone->mark[KM_MARK_LOW] + zone->boost);

	pcp->batch = batch_size(zone->managed);
	pcp->high_min = at_least((int32_t)(low / buddy->cpus), 4 * pcp->batch);
	pcp->high_max = at_least((int32_t)(zone->managed / 8 / buddy->cpus), 4 * pcp->batch);
	if (buddy->profile.pcp_generation < 2)
		pcp->high = pcp->high_min;
}

/* ---- drain ---- */

/*
 * What draining the next blocks of a list will touch: records of one that is a round of the strands
 * away, and the neighbours that a free buddy of one half a round away will leave. Hints, no more.
 */
static inline void prefetch_drain(const struct km_buddy *buddy, struct km_pcp_list *list)
{
	uint32_t far = km_pcp_strand(list, list->count - KM_STRANDS)->tail;
	uint32_t near = km_pcp_strand(list, list->count - KM_STRANDS / 2)->tail, other = near ^ 1;

	km_prefetch_page(buddy, far);
	if (near == KM_PFN_NIL || (buddy->page[other] & ~KM_PAGE_TYPE_BITS) != KM_PAGE_BUDDY)
		return;
	__builtin_prefetch(&buddy->link[buddy->link[other].prev], 1);
	__builtin_prefetch(&buddy->link[buddy->link[other].next], 1);
}

static void drain_block(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned index)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	struct km_pcp_list *list = &pcp->list[index];
	unsigned order = km_pcp_order_of(index);
	uint32_t pfn = km_pcp_list_pop_tail(buddy, list);
	enum km_migratetype type = km_page_type(buddy->page[pfn]);

	prefetch_drain(buddy, list);
	if (buddy->profile.freelist_hygiene)
		type = (enum km_migratetype)km_pageblock_of(buddy, pfn)->type;
	pcp->count -= 1 << order;
	buddy->free_pcp -= 1u << order;
	km_buddy_free_block(buddy, zone, cpu, pfn, order, type);
}

/* 6.1+: a list is emptied before the next one, cyclically from `index` on. */
static void drain_pages(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, int32_t pages,
			unsigned index)
{
	struct km_pcp *pcp = &zone->pcp[cpu];

	pages = at_most(pages, pcp->count);
	while (pages > 0) {
		if (!pcp->list[index].count) {
			index = index + 1 < buddy->nr_pcp_lists ? index + 1 : 0;
			continue;
		}
		drain_block(buddy, zone, cpu, index);
		pages -= 1 << km_pcp_order_of(index);
	}
}

/*
 * 5.15 takes from the lists in turn, one block from the first nonempty, more from each next one;
 * which blocks go is settled before the first of them is freed, which changes nothing here.
 */
static void drain_round_robin(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu,
			      int32_t pages)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	int32_t turn = 0;
	unsigned index = 0;

	pages = at_most(pages, pcp->count);
	while (pages > 0) {
		do {
			turn++;
			index = index + 1 < buddy->nr_pcp_lists ? index + 1 : 0;
		} while (!pcp->list[index].count);
		if (turn == (int32_t)buddy->nr_pcp_lists)
			turn = pages;
		do {
			drain_block(buddy, zone, cpu, index);
			pages -= 1 << km_pcp_order_of(index);
		} while (pages > 0 && --turn && pcp->list[index].count);
	}
}

static void drain(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, int32_t pages,
		  unsigned index)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	int32_t batch = pcp->batch;

	buddy->env->count.pcp_drain++;
	if (buddy->profile.pcp_generation == 0) {
		drain_round_robin(buddy, zone, cpu, pages);
		return;
	}
	if (!buddy->profile.pcp_drain_chunks) {
		drain_pages(buddy, zone, cpu, pages, index);
		return;
	}
	for (; pages > 0 && pcp->count > 0; pages -= batch)
		drain_pages(buddy, zone, cpu, at_most(pages, batch), index);
}

void km_pcp_drain(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu)
{
	int32_t count = zone->pcp[cpu].count;

	if (count > 0)
		drain(buddy, zone, cpu, count, 0);
}

/* As decay_pcp_high(): an eighth less, unless that would send back very much at once. */
static void decay(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	int32_t most = pcp->count - (pcp->batch << KM_PCP_SCALE_MAX), high = pcp->high;

	if (high > pcp->high_min)
		pcp->high = at_least(at_least(high - (high >> 3), most), pcp->high_min);
	if (pcp->count > pcp->high)
		drain(buddy, zone, cpu, pcp->count - pcp->high, 0);
}

void km_buddy_refresh(void *self, unsigned cpu)
{
	struct km_buddy *buddy = self;

	for (unsigned i = 0; i < KM_NR_ZONES; i++) {
		struct km_zone *zone = &buddy->zone[i];

		if (!zone->managed)
			continue;
		zone->nr_free += zone->pcp[cpu].diff;
		zone->pcp[cpu].diff = 0;
		if (buddy->profile.pcp_generation >= 2)
			decay(buddy, zone, cpu);
	}
}

/* ---- allocation ---- */

/* Blocks to refill with: 6.7+ doubles the batch while pages are only taken. */
static int32_t refill_size_adaptive(const struct km_zone *zone, struct km_pcp *pcp, unsigned order)
{
	int32_t high = clamp(pcp->high, pcp->high_min, pcp->high_max), blocks = pcp->batch, room;

	pcp->high = high;
	if (high < pcp->batch)
		return 1;
	if (!order)
		blocks <<= pcp->alloc_factor;
	if (pcp->high_min != pcp->high_max && !(zone->flags & KM_ZONE_BELOW_HIGH))
		high = pcp->high = at_most(high + blocks, pcp->high_max);
	if (!order) {
		room = at_least(high - pcp->count - pcp->batch, pcp->batch);
		if (blocks <= room && pcp->alloc_factor < (int32_t)KM_PCP_SCALE_MAX)
			pcp->alloc_factor++;
		blocks = at_most(blocks, room);
	}
	return blocks > 1 ? at_least(blocks >> order, 2) : blocks;
}

static int32_t refill_size(const struct km_buddy *buddy, const struct km_zone *zone,
			   struct km_pcp *pcp, unsigned order)
{
	if (buddy->profile.pcp_generation >= 2)
		return refill_size_adaptive(zone, pcp, order);
	return pcp->batch > 1 ? at_least(pcp->batch >> order, 2) : pcp->batch;
}

/* Blocks that follow one another in memory, to the tail of a list. */
static void append_run(struct km_buddy *buddy, struct km_pcp_list *list, uint32_t pfn,
		       unsigned order, uint32_t count, enum km_migratetype type)
{
	uint8_t byte = (uint8_t)(KM_PAGE_PCP | type << KM_PAGE_TYPE_SHIFT | order);
	uint32_t end = pfn + (count << order);

	for (; pfn != end; pfn += 1u << order) {
		buddy->page[pfn] = byte;
		km_pcp_list_append(buddy, list, pfn);
	}
}

/*
 * Block after block as km_buddy_take() gives them. While the type's own lists last, those are runs;
 * once a block was stolen, the profiles that steal one by one go on so.
 */
static void refill(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		   enum km_migratetype type, uint32_t rights)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	struct km_pcp_list *list = &pcp->list[km_pcp_list_of(buddy, order, type)];
	int32_t wanted = refill_size(buddy, zone, pcp, order), blocks = 0;
	enum km_take_mode mode = KM_TAKE_NORMAL;

	while (blocks < wanted) {
		uint32_t count = (uint32_t)(wanted - blocks), pfn = KM_PFN_NIL;

		if (mode == KM_TAKE_NORMAL)
			pfn = km_buddy_take_run(buddy, zone, cpu, order, type, &count);
		if (pfn == KM_PFN_NIL) {
			pfn = km_buddy_take(buddy, zone, cpu, order, type, rights, &mode);
			count = 1;
		}
		if (pfn == KM_PFN_NIL)
			break;
		append_run(buddy, list, pfn, order, count, type);
		blocks += (int32_t)count;
	}
	pcp->count += blocks << order;
	buddy->free_pcp += (uint64_t)blocks << order;
	/* Later kernels count block by block, as each leaves its list. */
	if (!buddy->profile.freelist_hygiene)
		km_zone_count(zone, cpu, -((int64_t)blocks << order));
	buddy->env->count.pcp_refill++;
}

uint32_t km_pcp_take(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		     enum km_migratetype type, uint32_t rights)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	struct km_pcp_list *list = &pcp->list[km_pcp_list_of(buddy, order, type)];
	uint32_t pfn;

	if (!list->count) {
		if ((rights & KM_RIGHT_HIGHATOMIC) && buddy->profile.highatomic_from_buddy)
			return KM_PFN_NIL;
		refill(buddy, zone, cpu, order, type, rights);
		if (!list->count)
			return KM_PFN_NIL;
	} else {
		buddy->env->count.pcp_hit++;
	}
	pfn = km_pcp_list_pop(buddy, list);
	pcp->count -= 1 << order;
	buddy->free_pcp -= 1u << order;
	return pfn;
}

uint32_t km_pcp_alloc(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, unsigned order,
		      enum km_migratetype type, uint32_t rights)
{
	struct km_pcp *pcp = &zone->pcp[cpu];

	if (buddy->profile.pcp_generation >= 2)
		pcp->free_count >>= 1;
	else
		pcp->free_factor >>= 1;
	return km_pcp_take(buddy, zone, cpu, order, type, rights);
}

/* ---- free ---- */

/* Up to 6.6: how many pages a free sends back; 0 while the list set is below its limit. */
static int32_t excess(const struct km_buddy *buddy, const struct km_zone *zone, struct km_pcp *pcp,
		      unsigned order)
{
	bool capped = buddy->profile.pcp_generation >= 1;
	bool all = capped && pcp->free_factor && order && order <= KM_PCP_COSTLY_ORDER;
	int32_t limit = all ? 0 : pcp->high, pages;

	if (zone->flags & KM_ZONE_RECLAIM_ACTIVE)
		limit = at_most(limit, 4 * pcp->batch);
	if (pcp->count < limit)
		return 0;
	if (all)
		return pcp->count;
	if (limit < pcp->batch)
		return 1;
	pages = pcp->batch << pcp->free_factor;
	if (pages < limit - pcp->batch && (!capped || pcp->free_factor < (int32_t)KM_PCP_SCALE_MAX))
		pcp->free_factor++;
	return clamp(pages, pcp->batch, limit - pcp->batch);
}

/* 6.7+: runs of frees of orders 1-3 send everything back, so that blocks can merge. */
static bool free_high_order(const struct km_buddy *buddy, struct km_pcp *pcp, unsigned order)
{
	int32_t enough = pcp->batch;
	bool all;

	if (!order || order > KM_PCP_COSTLY_ORDER) {
		pcp->flags &= ~KM_PCP_PREV_HIGH_ORDER;
		return false;
	}
	if (buddy->profile.pcp_high_order_slack)
		enough += pcp->high_min / 2;
	all = pcp->free_count >= enough && (pcp->flags & KM_PCP_PREV_HIGH_ORDER) &&
	      (!(pcp->flags & KM_PCP_BIG_CACHE) || pcp->count >= pcp->batch);
	pcp->flags |= KM_PCP_PREV_HIGH_ORDER;
	return all;
}

static int32_t adaptive_limit(const struct km_zone *zone, struct km_pcp *pcp, bool all)
{
	int32_t high = clamp(pcp->high, pcp->high_min, pcp->high_max), freed;

	pcp->high = high;
	if (!high)
		return 0;
	if (all) {
		pcp->high = at_least(high - (pcp->batch << KM_PCP_SCALE_MAX), pcp->high_min);
		return 0;
	}
	if (zone->flags & KM_ZONE_RECLAIM_ACTIVE) {
		freed = at_least(pcp->free_count, pcp->batch);
		pcp->high = at_least(high - freed, pcp->high_min);
		return at_most(4 * pcp->batch, pcp->high);
	}
	if (pcp->high_min == pcp->high_max)
		return high;
	if (zone->flags & KM_ZONE_BELOW_HIGH) {
		freed = at_least(pcp->free_count, pcp->batch);
		pcp->high = at_least(high - freed, pcp->high_min);
		return at_least(pcp->count, pcp->high_min);
	}
	freed = pcp->free_count + pcp->batch;
	if (pcp->count >= high && pcp->high < freed)
		pcp->high = clamp(freed, pcp->high_min, pcp->high_max);
	return high;
}

static int32_t excess_adaptive(const struct km_buddy *buddy, const struct km_zone *zone,
			       struct km_pcp *pcp, unsigned order)
{
	int32_t scaled = pcp->batch << KM_PCP_SCALE_MAX, limit;
	bool all = free_high_order(buddy, pcp, order);

	if (pcp->free_count < scaled)
		pcp->free_count += 1 << order;
	limit = adaptive_limit(zone, pcp, all);
	if (pcp->count < limit)
		return 0;
	if (all)
		return at_most(pcp->count, scaled);
	if (limit < pcp->batch)
		return 1;
	return clamp(pcp->free_count, pcp->batch, limit - pcp->batch);
}

/* A drain may lift the zone over its high mark again (6.7+). */
static void test_below_high(const struct km_buddy *buddy, struct km_zone *zone)
{
	if ((zone->flags & KM_ZONE_BELOW_HIGH) &&
	    km_zone_watermark_ok(buddy, zone, 0, zone->mark[KM_MARK_HIGH] + zone->boost,
				 KM_ZONE_MOVABLE, 0))
		zone->flags &= (uint8_t)~KM_ZONE_BELOW_HIGH;
}

void km_pcp_free(struct km_buddy *buddy, struct km_zone *zone, unsigned cpu, uint64_t pfn,
		 unsigned order)
{
	struct km_pcp *pcp = &zone->pcp[cpu];
	enum km_migratetype type = (enum km_migratetype)km_pageblock_of(buddy, pfn)->type;
	unsigned index = km_pcp_list_of(buddy, order, type == KM_HIGHATOMIC ? KM_MOVABLE : type);
	bool adaptive = buddy->profile.pcp_generation >= 2;
	int32_t pages;

	buddy->page[pfn] = (uint8_t)(KM_PAGE_PCP | type << KM_PAGE_TYPE_SHIFT | order);
	km_pcp_list_push(buddy, &pcp->list[index], (uint32_t)pfn);
	pcp->count += 1 << order;
	buddy->free_pcp += 1u << order;
	buddy->env->count.pcp_free++;
	if (adaptive)
		pcp->alloc_factor >>= 1;
	pages = adaptive ? excess_adaptive(buddy, zone, pcp, order)
			 : excess(buddy, zone, pcp, order);
	if (pages <= 0)
		return;
	drain(buddy, zone, cpu, pages, index);
	if (adaptive)
		test_below_high(buddy, zone);
}
