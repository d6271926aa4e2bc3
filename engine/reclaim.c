/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a request would wait for memory: what it finds is a policy, since nobody here has page
 * tables and files to look at. "oom" finds nothing and goes the rest of the way (mm/page_alloc.c:
 * should_reclaim_retry, __alloc_pages_may_oom). "N%" finds that share of the movable pages in use
 * at the start, lowest frame first, 32 at a time, and goes on as __alloc_pages_direct_reclaim does.
 * Compaction moves nothing under either: larger blocks come from neighbours that are reclaimed.
 */
#include "buddy.h"

#define CLUSTER 32u /* SWAP_CLUSTER_MAX */

/* ---- pages of the start ---- */

static bool is_old(const struct km_buddy *buddy, uint64_t pfn)
{
	return buddy->old[pfn / 64] >> pfn % 64 & 1;
}

void km_reclaim_forget(struct km_buddy *buddy, uint64_t pfn, unsigned order)
{
	for (uint64_t end = pfn + (1ull << order); pfn < end; pfn++) {
		struct km_pageblock *block = km_pageblock_of(buddy, pfn);

		if (!is_old(buddy, pfn))
			continue;
		buddy->old[pfn / 64] &= ~(1ull << pfn % 64);
		block->lru -= block->lru > 0;
	}
}

void km_reclaim_start(struct km_buddy *buddy)
{
	uint64_t movable = 0;

	if (!buddy->old)
		return;
	memset(buddy->old, 0, (buddy->max_pfn + 63) / 64 * sizeof(*buddy->old));
	for (uint64_t pfn = 0; pfn < buddy->max_pfn; pfn++)
		if (buddy->page[pfn] == KM_PAGE_USED_MOVABLE)
			buddy->old[pfn / 64] |= 1ull << pfn % 64;
	for (uint64_t i = 0; i < buddy->nr_pageblocks; i++)
		movable += buddy->block[i].lru;
	buddy->reclaimable = movable * buddy->profile.reclaim / 100;
	buddy->reclaim_at = 0;
}

/* ---- reclaim ---- */

static void reclaim_page(struct km_buddy *buddy, const struct km_page_request *request,
			 struct km_zone *zone, uint64_t pfn)
{
	km_reclaim_forget(buddy, pfn, 0);
	buddy->reclaimable--;
	buddy->env->count.page_reclaim++;
	km_pcp_free(buddy, zone, request->cpu, pfn, 0);
}

/* Up to `wanted` pages of zones the request can use; how many there were. */
static uint64_t reclaim_pages(struct km_buddy *buddy, const struct km_page_request *request,
			      uint64_t wanted)
{
	uint64_t found = 0, looked = 0;

	for (; looked < buddy->max_pfn && found < wanted && buddy->reclaimable; looked++) {
		uint64_t pfn = buddy->reclaim_at;
		struct km_pageblock *block = km_pageblock_of(buddy, pfn);

		buddy->reclaim_at = pfn + 1 < buddy->max_pfn ? pfn + 1 : 0;
		if (!is_old(buddy, pfn) || !block->lru || block->zone > request->highest)
			continue;
		reclaim_page(buddy, request, &buddy->zone[block->zone], pfn);
		found++;
	}
	return found;
}

static void drain_all(struct km_buddy *buddy)
{
	for (unsigned cpu = 0; cpu < buddy->cpus; cpu++)
		for (unsigned i = 0; i < KM_NR_ZONES; i++)
			if (buddy->zone[i].managed)
				km_pcp_drain(buddy, &buddy->zone[i], cpu);
}

/* Once: reclaim, and if that freed anything try; with all CPUs' lists drained try again. */
static uint32_t direct_reclaim(struct km_buddy *buddy, const struct km_page_request *request,
			       bool *progress)
{
	uint64_t wanted = 2ull << request->order;
	uint32_t pfn;

	*progress = reclaim_pages(buddy, request, wanted < CLUSTER ? CLUSTER : wanted);
	if (!*progress)
		return KM_PFN_NIL;
	pfn = km_page_walk(buddy, request);
	if (pfn != KM_PFN_NIL)
		return pfn;
	km_buddy_unreserve_highatomic(buddy, request->cpu, request->highest, request->type, false);
	drain_all(buddy);
	return km_page_walk(buddy, request);
}

/* ---- nothing left ---- */

/* The last look at the high mark, then the killer, who has nobody to kill here. */
static uint32_t out_of_memory(struct km_buddy *buddy, struct km_page_request *request)
{
	struct km_page_request last = *request;
	uint32_t pfn;

	last.mark = KM_MARK_HIGH;
	last.rights = 0;
	pfn = km_page_walk(buddy, &last);
	if (pfn != KM_PFN_NIL || request->order > KM_PCP_COSTLY_ORDER ||
	    (request->gfp & (KM_GFP_RETRY_MAYFAIL | KM_GFP_THISNODE)))
		return pfn;
	buddy->env->count.page_oom++;
	if (!(request->gfp & KM_GFP_NOFAIL))
		return KM_PFN_NIL;
	last.mark = KM_MARK_MIN;
	last.rights = KM_RIGHT_NO_WATERMARKS;
	return km_page_walk(buddy, &last);
}

uint32_t km_reclaim(struct km_buddy *buddy, struct km_page_request *request)
{
	bool costly = request->order > KM_PCP_COSTLY_ORDER, progress = false;
	uint32_t pfn = KM_PFN_NIL;

	do {
		if (buddy->old)
			pfn = direct_reclaim(buddy, request, &progress);
		if (pfn != KM_PFN_NIL || (request->gfp & KM_GFP_NORETRY))
			return pfn;
		if (costly && !(request->gfp & KM_GFP_RETRY_MAYFAIL))
			return pfn;
	} while (progress);
	if (km_buddy_unreserve_highatomic(buddy, request->cpu, request->highest, request->type,
					  true)) {
		pfn = km_page_walk(buddy, request);
		if (pfn != KM_PFN_NIL)
			return pfn;
	}
	return out_of_memory(buddy, request);
}
