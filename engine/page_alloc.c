/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page allocator's entry: flags to zone, type and rights, the fast pass at the low mark, the
 * slow path at the min mark up to where reclaim would begin, and the free (mm/page_alloc.c:
 * __alloc_pages, get_page_from_freelist, rmqueue, __alloc_pages_slowpath, alloc_pages_bulk,
 * __free_pages). A request that would have to reclaim fails, or finds what reclaim.c lets it.
 */
#include <errno.h>
#include <kmlab/page_state.h>

#include "buddy.h"
#include "models.h"

/* ---- who holds a page ---- */

static inline void count_unmovable(struct km_buddy *buddy, uint64_t pfn, unsigned order, int sign)
{
	struct km_pageblock *block = km_pageblock_of(buddy, pfn);
	uint64_t left = 1ull << order;

	do {
		uint64_t here = left < KM_PAGEBLOCK_PAGES ? left : KM_PAGEBLOCK_PAGES;
		bool was = block->unmovable;

		block->unmovable = (uint16_t)(block->unmovable + sign * (int)here);
		if (was != (block->unmovable != 0))
			buddy->blocks_unmovable += (uint64_t)(sign * block->counted);
		left -= here;
		block++;
	} while (left);
}

static inline void use_pages(struct km_buddy *buddy, uint64_t pfn, unsigned order, bool movable)
{
	uint8_t byte = movable ? KM_PAGE_USED_MOVABLE : KM_PAGE_USED;

	if (order)
		km_buddy_mark(buddy, pfn, 1ull << order, byte);
	else
		buddy->page[pfn] = byte;
	if (!movable)
		count_unmovable(buddy, pfn, order, 1);
}

/* ---- allocation within a zone ---- */

static uint32_t take_from_buddy(struct km_buddy *buddy, struct km_zone *zone,
				const struct km_page_request *request)
{
	enum km_take_mode mode = KM_TAKE_NORMAL;
	uint32_t pfn = KM_PFN_NIL;

	if (request->rights & KM_RIGHT_HIGHATOMIC)
		pfn = km_buddy_take_type(buddy, zone, request->cpu, request->order, KM_HIGHATOMIC);
	if (pfn == KM_PFN_NIL)
		pfn = km_buddy_take(buddy, zone, request->cpu, request->order, request->type,
				    request->rights, &mode);
	if (pfn == KM_PFN_NIL && (request->rights & KM_RIGHT_NON_BLOCK) &&
	    buddy->profile.highatomic_last_resort)
		pfn = km_buddy_take_type(buddy, zone, request->cpu, request->order, KM_HIGHATOMIC);
	if (pfn != KM_PFN_NIL && !buddy->profile.freelist_hygiene)
		km_zone_count(zone, request->cpu, -((int64_t)1 << request->order));
	return pfn;
}

static uint32_t take_from_zone(struct km_buddy *buddy, struct km_zone *zone,
			       const struct km_page_request *request)
{
	bool reserve = request->rights & KM_RIGHT_HIGHATOMIC;
	uint32_t pfn = KM_PFN_NIL;

	if (km_pcp_allows(buddy, request->order)) {
		pfn = km_pcp_alloc(buddy, zone, request->cpu, request->order, request->type,
				   request->rights);
		/* 5.15 has no second way for these orders. */
		if (pfn == KM_PFN_NIL && buddy->profile.pcp_generation == 0)
			return pfn;
		if (pfn != KM_PFN_NIL && buddy->profile.highatomic_from_buddy)
			reserve = false;
	}
	if (pfn == KM_PFN_NIL)
		pfn = take_from_buddy(buddy, zone, request);
	if (pfn == KM_PFN_NIL)
		return pfn;
	if (request->rights & KM_RIGHT_KSWAPD)
		zone->flags &= (uint8_t)~KM_ZONE_BOOSTED;
	use_pages(buddy, pfn, request->order, request->type == KM_MOVABLE);
	if (reserve)
		km_buddy_reserve_highatomic(buddy, zone, request->cpu, pfn, request->order);
	return pfn;
}

/* An urgent order-0 request may ignore the boost of the min mark. */
static bool may_ignore_boost(const struct km_buddy *buddy, const struct km_zone *zone,
			     const struct km_page_request *request)
{
	if (request->order || !zone->boost || request->mark != KM_MARK_MIN)
		return false;
	return buddy->profile.gfp_atomic_bit ? request->gfp & KM_GFP_ATOMIC_BIT
					     : request->rights & KM_RIGHT_MIN_RESERVE;
}

static bool zone_passes(const struct km_buddy *buddy, const struct km_zone *zone,
			const struct km_page_request *request, enum km_mark mark)
{
	if (km_zone_watermark_ok(buddy, zone, request->order, zone->mark[mark] + zone->boost,
				 request->highest, request->rights))
		return true;
	return may_ignore_boost(buddy, zone, request) &&
	       km_zone_watermark_ok(buddy, zone, 0, zone->mark[KM_MARK_MIN], request->highest,
				    request->rights);
}

static bool zone_usable(const struct km_buddy *buddy, struct km_zone *zone,
			const struct km_page_request *request)
{
	if (buddy->zone_walk_high && !(zone->flags & KM_ZONE_BELOW_HIGH)) {
		if (zone_passes(buddy, zone, request, KM_MARK_HIGH))
			return true;
		zone->flags |= KM_ZONE_BELOW_HIGH;
	}
	return zone_passes(buddy, zone, request, request->mark) ||
	       (request->rights & KM_RIGHT_NO_WATERMARKS);
}

uint32_t km_page_walk(struct km_buddy *buddy, const struct km_page_request *request)
{
	for (int i = buddy->preferred[request->highest]; i >= 0; i--) {
		struct km_zone *zone = &buddy->zone[i];
		uint32_t pfn;

		if (!zone->managed || !zone_usable(buddy, zone, request))
			continue;
		pfn = take_from_zone(buddy, zone, request);
		if (pfn != KM_PFN_NIL)
			return pfn;
	}
	return KM_PFN_NIL;
}

/* ---- the two passes ---- */

/* Field by field: copying a struct just written waits for the store buffer. */
static inline void init_request(struct km_page_request *request, const struct km_buddy *buddy,
				unsigned cpu, uint32_t gfp, unsigned order)
{
	request->gfp = gfp;
	request->cpu = cpu;
	request->order = order;
	request->type = buddy->grouping ? km_gfp_migratetype(gfp) : KM_UNMOVABLE;
	request->highest = km_gfp_zone(gfp);
	request->mark = KM_MARK_LOW;
	request->rights = 0;
}

/* Rights of the slow path (gfp_to_alloc_flags). */
static uint32_t slow_rights(const struct km_buddy *buddy, const struct km_page_request *request)
{
	uint32_t gfp = request->gfp, rights = 0;

	if (gfp & KM_GFP_HIGH)
		rights |= KM_RIGHT_MIN_RESERVE;
	if (gfp & KM_GFP_KSWAPD_RECLAIM)
		rights |= KM_RIGHT_KSWAPD;
	if (gfp & KM_GFP_NOMEMALLOC)
		return rights;
	if (buddy->profile.reserve_harder) {
		if (gfp & KM_GFP_ATOMIC_BIT)
			rights |= KM_RIGHT_NON_BLOCK | (request->order ? KM_RIGHT_HIGHATOMIC : 0);
	} else if (!(gfp & KM_GFP_DIRECT_RECLAIM)) {
		rights |= KM_RIGHT_NON_BLOCK;
		if (request->order && ((gfp & KM_GFP_HIGH) || buddy->profile.highatomic_nonblock))
			rights |= KM_RIGHT_HIGHATOMIC;
	}
	return rights;
}

/*
 * The kernel walks the zones once at the min mark, and once more before it would reclaim, with all
 * rights if the request may use the emergency reserve; since 7.x only then. What reclaim finds is
 * the machine's policy.
 */
static uint32_t slow_path(struct km_buddy *buddy, struct km_page_request *request)
{
	bool emergency = (request->gfp & KM_GFP_MEMALLOC) && !(request->gfp & KM_GFP_NOMEMALLOC);
	uint32_t pfn;

	buddy->env->count.page_slowpath++;
	request->mark = KM_MARK_MIN;
	request->rights = slow_rights(buddy, request);
	pfn = km_page_walk(buddy, request);
	if (pfn == KM_PFN_NIL && (emergency || !buddy->profile.slowpath_single)) {
		if (emergency)
			request->rights =
				KM_RIGHT_NO_WATERMARKS | (request->rights & KM_RIGHT_KSWAPD);
		pfn = km_page_walk(buddy, request);
	}
	if (pfn == KM_PFN_NIL && buddy->profile.reclaim && (request->gfp & KM_GFP_DIRECT_RECLAIM))
		pfn = km_reclaim(buddy, request);
	return pfn;
}

static km_pfn buddy_alloc(void *self, unsigned cpu, uint32_t gfp, unsigned order)
{
	struct km_buddy *buddy = self;
	struct km_page_request request;
	uint32_t pfn;

	if (order > KM_MAX_ORDER) {
		buddy->env->count.page_fail++;
		return KM_PFN_NONE;
	}
	init_request(&request, buddy, cpu, gfp, order);
	if (gfp & KM_GFP_KSWAPD_RECLAIM)
		request.rights |= KM_RIGHT_KSWAPD;
	if (buddy->preferred[request.highest] == KM_ZONE_NORMAL)
		request.rights |= KM_RIGHT_NOFRAGMENT;
	pfn = km_page_walk(buddy, &request);
	if (pfn == KM_PFN_NIL && (request.rights & KM_RIGHT_NOFRAGMENT)) {
		request.rights &= ~KM_RIGHT_NOFRAGMENT;
		pfn = km_page_walk(buddy, &request);
	}
	if (pfn == KM_PFN_NIL)
		pfn = slow_path(buddy, &request);
	if (pfn == KM_PFN_NIL) {
		buddy->env->count.page_fail++;
		return KM_PFN_NONE;
	}
	return (km_pfn){pfn};
}

/* ---- bulk ---- */

static struct km_zone *bulk_zone(struct km_buddy *buddy, const struct km_page_request *request,
				 unsigned wanted)
{
	for (int i = (int)request->highest; i >= 0; i--) {
		struct km_zone *zone = &buddy->zone[i];

		if (zone->managed &&
		    km_zone_watermark_ok(buddy, zone, 0,
					 zone->mark[KM_MARK_LOW] + zone->boost + wanted,
					 request->highest, 0))
			return zone;
	}
	return NULL;
}

/* Accounted pages and single ones take the ordinary way, one page a call. */
static unsigned buddy_alloc_bulk(void *self, unsigned cpu, uint32_t gfp, unsigned wanted,
				 km_pfn *pfns)
{
	struct km_buddy *buddy = self;
	struct km_zone *zone = NULL;
	struct km_page_request request;
	unsigned filled = 0;

	if (!wanted)
		return 0;
	init_request(&request, buddy, cpu, gfp, 0);
	if (wanted > 1 && !(gfp & KM_GFP_ACCOUNT))
		zone = bulk_zone(buddy, &request, wanted);
	while (zone && filled < wanted) {
		uint32_t pfn = km_pcp_take(buddy, zone, cpu, 0, request.type, 0);

		if (pfn == KM_PFN_NIL)
			break;
		use_pages(buddy, pfn, 0, request.type == KM_MOVABLE);
		pfns[filled++] = (km_pfn){pfn};
	}
	if (!filled) {
		pfns[0] = buddy_alloc(self, cpu, gfp, 0);
		filled = km_pfn_valid(pfns[0]);
	}
	return filled;
}

/* ---- free ---- */

static int buddy_free(void *self, unsigned cpu, km_pfn pfn, unsigned order)
{
	struct km_buddy *buddy = self;
	struct km_zone *zone;
	uint8_t byte;

	if (order > KM_MAX_ORDER || pfn.value >= buddy->max_pfn ||
	    pfn.value & ((1ull << order) - 1))
		return -EFAULT;
	__builtin_prefetch(&buddy->link[pfn.value], 1);
	byte = buddy->page[pfn.value];
	/* Not in use as a whole, or freed already: the lists stay whole. */
	if (byte != KM_PAGE_USED && byte != KM_PAGE_USED_MOVABLE)
		return -EFAULT;
	if (order &&
	    (pfn.value + (1ull << order) > buddy->max_pfn ||
	     memcmp(buddy->page + pfn.value, buddy->page + pfn.value + 1, (1u << order) - 1)))
		return -EFAULT;
	if (order)
		km_buddy_mark(buddy, pfn.value, 1ull << order, 0);
	if (byte == KM_PAGE_USED)
		count_unmovable(buddy, pfn.value, order, -1);
	else if (buddy->old)
		km_reclaim_forget(buddy, pfn.value, order);
	zone = &buddy->zone[km_pageblock_of(buddy, pfn.value)->zone];
	if (km_pcp_allows(buddy, order))
		km_pcp_free(buddy, zone, cpu, pfn.value, order);
	else
		km_buddy_free_direct(buddy, zone, cpu, pfn.value, order);
	return 0;
}

static km_pfn buddy_alloc_exact(void *self, unsigned cpu, uint32_t gfp, unsigned order,
				uint64_t pages)
{
	struct km_buddy *buddy = self;
	km_pfn pfn = buddy_alloc(self, cpu, gfp, order);
	struct km_zone *zone;

	if (!km_pfn_valid(pfn))
		return pfn;
	zone = &buddy->zone[km_pageblock_of(buddy, pfn.value)->zone];
	for (uint64_t i = pfn.value + pages; i < pfn.value + (1ull << order); i++) {
		if (!buddy->profile.exact_to_tail) {
			buddy_free(self, cpu, (km_pfn){i}, 0);
			continue;
		}
		if (buddy->page[i] == KM_PAGE_USED)
			count_unmovable(buddy, i, 0, -1);
		km_buddy_free_to_tail(buddy, zone, cpu, i);
	}
	return pfn;
}

static void buddy_drain(void *self, int cpu)
{
	struct km_buddy *buddy = self;
	unsigned first = cpu < 0 ? 0 : (unsigned)cpu;
	unsigned end = cpu < 0 ? buddy->cpus : first + 1;

	for (; first < end; first++)
		for (unsigned i = 0; i < KM_NR_ZONES; i++)
			if (buddy->zone[i].managed)
				km_pcp_drain(buddy, &buddy->zone[i], first);
}

const struct km_page_ops km_buddy_page_ops = {
	.name = "buddy",
	.create = km_buddy_create,
	.destroy = km_buddy_destroy,
	.alloc = buddy_alloc,
	.free = buddy_free,
	.alloc_bulk = buddy_alloc_bulk,
	.alloc_exact = buddy_alloc_exact,
	.drain = buddy_drain,
	.seed = km_buddy_seed_free,
	.usage = km_buddy_usage,
	.mixed = km_buddy_mixed,
	.validate = km_buddy_validate,
};
