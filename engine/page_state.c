/* SPDX-License-Identifier: GPL-2.0-only */
/* The page layer's whole state from and to plain records. */
#include "buddy.h"

#include <errno.h>

/* ---- load ---- */

/* The block is in use and inside the zone: it becomes free, bytes cleared. */
static bool take_over(struct km_buddy *buddy, const struct km_zone *zone, uint64_t pfn,
		      unsigned order)
{
	uint64_t size = 1ull << order;

	if (pfn < zone->start || pfn + size > zone->end || pfn & (size - 1))
		return false;
	for (uint64_t i = 0; i < size; i++)
		if (!buddy->page[pfn + i] || buddy->page[pfn + i] > KM_PAGE_USED_MOVABLE)
			return false;
	memset(buddy->page + pfn, 0, size);
	return true;
}

static int load_types(struct km_buddy *buddy, const struct km_zone *zone,
		      const struct km_zone_state *state)
{
	for (unsigned i = 0; i < state->nr_types; i++) {
		uint64_t pfn = state->types[i].pfn;
		uint64_t end = i + 1 < state->nr_types ? state->types[i + 1].pfn : zone->end;

		if (state->types[i].value >= KM_NR_MIGRATETYPES || end > zone->end || pfn >= end ||
		    (pfn | (KM_PAGEBLOCK_PAGES - 1)) < zone->start)
			return -EINVAL;
		for (; pfn < end; pfn += KM_PAGEBLOCK_PAGES)
			km_pageblock_of(buddy, pfn)->type = (uint8_t)state->types[i].value;
	}
	for (unsigned i = 0; i < state->nr_lru; i++) {
		uint64_t pfn = state->lru[i].pfn;

		if (pfn >= zone->end || (pfn | (KM_PAGEBLOCK_PAGES - 1)) < zone->start ||
		    state->lru[i].value > KM_PAGEBLOCK_PAGES)
			return -EINVAL;
		km_pageblock_of(buddy, pfn)->lru = (uint16_t)state->lru[i].value;
	}
	return 0;
}

static int load_free_lists(struct km_buddy *buddy, struct km_zone *zone,
			   const struct km_zone_state *state)
{
	int64_t free = 0;

	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++) {
			const struct km_pfn_list *list = &state->free[order][type];

			for (uint32_t i = 0; i < list->count; i++) {
				if (!take_over(buddy, zone, list->pfns[i], order))
					return -EINVAL;
				km_buddy_add(buddy, zone, list->pfns[i], order,
					     (enum km_migratetype)type, true);
			}
			free += (int64_t)list->count << order;
			if (type == KM_HIGHATOMIC)
				zone->free_highatomic += (int64_t)list->count << order;
		}
	zone->nr_free = free;
	return 0;
}

/* The type a page of a recorded per-CPU list goes back to. */
static unsigned tag_of(const struct km_buddy *buddy, uint32_t pfn, unsigned index)
{
	unsigned type = index % KM_PCP_TYPES, block = km_pageblock_of(buddy, pfn)->type;

	if (index >= KM_PCP_THP_LIST && buddy->profile.pcp_thp_two)
		type = index > KM_PCP_THP_LIST ? KM_MOVABLE : block;
	return type == KM_MOVABLE && block == KM_HIGHATOMIC ? KM_HIGHATOMIC : type;
}

static int load_pcp(struct km_buddy *buddy, struct km_zone *zone, const struct km_pcp_state *state)
{
	struct km_pcp *pcp;
	int32_t count = 0;

	if (state->cpu >= buddy->cpus)
		return -EINVAL;
	pcp = &zone->pcp[state->cpu];
	for (unsigned index = 0; index < KM_PCP_LISTS; index++) {
		unsigned order = km_pcp_order_of(index);

		if (state->lists[index].count && index >= buddy->nr_pcp_lists)
			return -EINVAL;
		for (uint32_t i = 0; i < state->lists[index].count; i++) {
			uint32_t pfn = state->lists[index].pfns[i];

			if (!take_over(buddy, zone, pfn, order))
				return -EINVAL;
			buddy->page[pfn] =
				(uint8_t)(KM_PAGE_PCP |
					  tag_of(buddy, pfn, index) << KM_PAGE_TYPE_SHIFT | order);
			km_pcp_list_append(buddy, &pcp->list[index], pfn);
			count += 1 << order;
		}
	}
	if (count != state->count || state->batch < 1 || state->high < 0 ||
	    state->free_factor < 0 || state->free_factor > 30)
		return -EINVAL;
	pcp->count = count;
	pcp->high = state->high;
	pcp->batch = state->batch;
	pcp->free_factor = state->free_factor;
	pcp->high_min = state->high_min;
	pcp->high_max = state->high_max;
	pcp->alloc_factor = state->alloc_factor;
	pcp->free_count = state->free_count;
	pcp->flags = state->flags;
	pcp->diff = state->diff;
	buddy->free_pcp += (uint64_t)count;
	return 0;
}

static void load_marks(struct km_zone *zone, const struct km_zone_state *state)
{
	if (!state->mark[KM_MARK_HIGH])
		return;
	for (unsigned i = 0; i < 3; i++)
		zone->mark[i] = (int64_t)state->mark[i];
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		zone->reserve[i] = (int64_t)state->reserve[i];
}

static int load_zone(struct km_buddy *buddy, const struct km_zone_state *state)
{
	struct km_zone *zone = &buddy->zone[state->spec.index];
	int64_t free, diffs = 0;

	load_marks(zone, state);
	zone->boost = (int64_t)state->boost;
	zone->reserved_highatomic = (int64_t)state->highatomic;
	if (load_types(buddy, zone, state))
		return -EINVAL;
	km_zone_use_all(buddy, zone);
	if (load_free_lists(buddy, zone, state))
		return -EINVAL;
	for (unsigned i = 0; i < state->nr_pcp; i++) {
		if (load_pcp(buddy, zone, &state->pcp[i]))
			return -EINVAL;
		diffs += state->pcp[i].diff;
	}
	free = zone->nr_free;
	if (state->has_counter) {
		zone->nr_free = state->nr_free;
		zone->threshold = state->threshold;
		zone->flags = (uint8_t)state->flags;
		zone->drift_mark = state->drift_mark;
	}
	zone->skew = zone->nr_free + diffs - free;
	km_zone_count_pageblocks(buddy, zone);
	return 0;
}

int km_buddy_load_state(void *self, const struct km_page_state *state)
{
	struct km_buddy *buddy = self;
	struct km_zone_spec specs[KM_NR_ZONES];
	int code;

	if (state->nr_zones > KM_NR_ZONES)
		return -EINVAL;
	for (unsigned i = 0; i < state->nr_zones; i++)
		specs[i] = state->zones[i].spec;
	memset(buddy->page, 0, buddy->max_pfn);
	code = km_buddy_lay_out(buddy, state->nr_zones, specs);
	for (unsigned i = 0; !code && i < state->nr_zones; i++)
		code = load_zone(buddy, &state->zones[i]);
	if (code) {
		memset(buddy->page, 0, buddy->max_pfn);
		km_buddy_boot(buddy);
	}
	km_reclaim_start(buddy);
	return code;
}

/* ---- save ---- */

static int save_list(const struct km_buddy *buddy, const struct km_page_list *from,
		     struct km_pfn_list *to)
{
	uint32_t count = 0;

	for (uint32_t pfn = from->head; pfn != KM_PFN_NIL;
	     pfn = km_page_list_next(buddy, from, pfn))
		count++;
	if (!count)
		return 0;
	to->pfns = km_env_alloc(buddy->env, count * sizeof(*to->pfns));
	if (!to->pfns)
		return -ENOMEM;
	for (uint32_t pfn = from->head; pfn != KM_PFN_NIL;
	     pfn = km_page_list_next(buddy, from, pfn))
		to->pfns[to->count++] = pfn;
	return 0;
}

static int save_pcp_list(const struct km_buddy *buddy, const struct km_pcp_list *from,
			 struct km_pfn_list *to)
{
	struct km_pcp_walk walk = {0};

	if (!from->count)
		return 0;
	to->pfns = km_env_alloc(buddy->env, from->count * sizeof(*to->pfns));
	if (!to->pfns)
		return -ENOMEM;
	while (to->count < from->count)
		to->pfns[to->count++] = km_pcp_list_next(buddy, from, &walk);
	return 0;
}

static int save_pcp(const struct km_buddy *buddy, const struct km_pcp *pcp,
		    struct km_pcp_state *state)
{
	state->count = pcp->count;
	state->high = pcp->high;
	state->batch = pcp->batch;
	state->free_factor = pcp->free_factor;
	state->high_min = pcp->high_min;
	state->high_max = pcp->high_max;
	state->alloc_factor = pcp->alloc_factor;
	state->free_count = pcp->free_count;
	state->flags = pcp->flags;
	state->diff = pcp->diff;
	for (unsigned i = 0; i < KM_PCP_LISTS; i++)
		if (save_pcp_list(buddy, &pcp->list[i], &state->lists[i]))
			return -ENOMEM;
	return 0;
}

/*
 * One past the last pageblock that is told. A zone's holes are taken to lie at its end, as on PCs;
 * the kernel has no types there. Where a page was free there is memory after all.
 */
static uint64_t last_pageblock(const struct km_buddy *buddy, const struct km_zone *zone)
{
	uint64_t all = (zone->end + KM_PAGEBLOCK_PAGES - 1) >> KM_PAGEBLOCK_ORDER;
	uint64_t end = zone->start + zone->present + KM_PAGEBLOCK_PAGES - 1;

	end &= ~(KM_PAGEBLOCK_PAGES - 1);
	if (zone->index == KM_ZONE_DMA || end >= zone->end)
		return all;
	for (uint64_t pfn = end; pfn < zone->end; pfn++)
		if (buddy->page[pfn] & (KM_PAGE_BUDDY | KM_PAGE_PCP))
			return all;
	return end >> KM_PAGEBLOCK_ORDER;
}

/* Runs of types and entries of movable pages: counted first, then written. */
static int save_pageblocks(const struct km_buddy *buddy, const struct km_zone *zone,
			   struct km_zone_state *state)
{
	uint64_t first = zone->start >> KM_PAGEBLOCK_ORDER;
	uint64_t end = last_pageblock(buddy, zone);

	for (unsigned pass = 0; pass < 2; pass++) {
		unsigned types = 0, lru = 0;

		for (uint64_t i = first; i < end; i++) {
			struct km_pageblock_run type = {i << KM_PAGEBLOCK_ORDER,
							buddy->block[i].type};
			struct km_pageblock_run movable = {type.pfn, buddy->block[i].lru};

			if (i == first || type.value != buddy->block[i - 1].type) {
				if (pass)
					state->types[types] = type;
				types++;
			}
			if (movable.value) {
				if (pass)
					state->lru[lru] = movable;
				lru++;
			}
		}
		if (pass)
			break;
		state->types = km_env_alloc(buddy->env, types * sizeof(*state->types));
		if (!state->types)
			return -ENOMEM;
		state->nr_types = types;
		if (lru)
			state->lru = km_env_alloc(buddy->env, lru * sizeof(*state->lru));
		if (lru && !state->lru)
			return -ENOMEM;
		state->nr_lru = lru;
	}
	return 0;
}

static int save_zone(const struct km_buddy *buddy, const struct km_zone *zone,
		     struct km_zone_state *state)
{
	state->spec = (struct km_zone_spec){
		.index = zone->index,
		.start = zone->start,
		.spanned = zone->spanned,
		.present = zone->present,
		.managed = zone->managed,
	};
	for (unsigned i = 0; i < 3; i++)
		state->mark[i] = (uint64_t)zone->mark[i];
	for (unsigned i = 0; i < KM_NR_ZONES; i++)
		state->reserve[i] = (uint64_t)zone->reserve[i];
	state->boost = (uint64_t)zone->boost;
	state->highatomic = (uint64_t)zone->reserved_highatomic;
	state->has_counter = true;
	state->nr_free = zone->nr_free;
	state->threshold = zone->threshold;
	state->flags = zone->flags;
	state->drift_mark = zone->drift_mark;
	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
			if (save_list(buddy, &zone->list[order][type], &state->free[order][type]))
				return -ENOMEM;
	state->pcp = km_env_alloc(buddy->env, buddy->cpus * sizeof(*state->pcp));
	if (!state->pcp)
		return -ENOMEM;
	state->nr_pcp = buddy->cpus;
	for (unsigned cpu = 0; cpu < buddy->cpus; cpu++) {
		state->pcp[cpu].cpu = cpu;
		if (save_pcp(buddy, &zone->pcp[cpu], &state->pcp[cpu]))
			return -ENOMEM;
	}
	return save_pageblocks(buddy, zone, state);
}

int km_buddy_save_state(void *self, struct km_page_state *state)
{
	struct km_buddy *buddy = self;

	memset(state, 0, sizeof(*state));
	for (unsigned i = 0; i < KM_NR_ZONES; i++) {
		if (!buddy->zone[i].managed)
			continue;
		if (save_zone(buddy, &buddy->zone[i], &state->zones[state->nr_zones++])) {
			km_buddy_release_state(self, state);
			return -ENOMEM;
		}
	}
	return 0;
}

static void release_list(struct km_env *env, struct km_pfn_list *list)
{
	km_env_release(env, list->pfns, list->count * sizeof(*list->pfns));
}

void km_buddy_release_state(void *self, struct km_page_state *state)
{
	struct km_buddy *buddy = self;
	struct km_env *env = buddy->env;

	for (unsigned i = 0; i < state->nr_zones; i++) {
		struct km_zone_state *zone = &state->zones[i];

		for (unsigned order = 0; order < KM_NR_ORDERS; order++)
			for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
				release_list(env, &zone->free[order][type]);
		for (unsigned cpu = 0; cpu < zone->nr_pcp; cpu++)
			for (unsigned list = 0; list < KM_PCP_LISTS; list++)
				release_list(env, &zone->pcp[cpu].lists[list]);
		km_env_release(env, zone->pcp, zone->nr_pcp * sizeof(*zone->pcp));
		km_env_release(env, zone->types, zone->nr_types * sizeof(*zone->types));
		km_env_release(env, zone->lru, zone->nr_lru * sizeof(*zone->lru));
	}
	memset(state, 0, sizeof(*state));
}
