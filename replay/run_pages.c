/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page allocator's calls of a scenario (include/linux/gfp.h, mm/page_alloc.c). A block is freed
 * whole, as it was allocated; split_page() makes single pages of it, which alloc_pages_exact()
 * and the bulk calls return to begin with.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "replay/run_state.h"

static uint64_t block_bytes(unsigned order)
{
	return KM_PAGE_SIZE << order;
}

/* The kernel asserts what flags may not say; false, with a note, when they do. */
static bool flags_make_sense(struct km_run_row *row, uint32_t gfp)
{
	if (km_gfp_zones_contradict(gfp))
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "contradicting zones: one of __GFP_DMA, __GFP_DMA32 and "
			    "__GFP_HIGHMEM at most");
	else if (km_gfp_types_contradict(gfp))
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "contradicting mobility: __GFP_MOVABLE or __GFP_RECLAIMABLE, "
			    "not both");
	else
		return true;
	return false;
}

/* ---- allocation ---- */

int km_run_alloc_pages(struct executor *run, const struct km_scenario_call *call,
		       struct km_run_row *row)
{
	uint32_t gfp = (uint32_t)km_run_argument(run, call, 0);
	uint64_t order = km_run_argument(run, call, 1);
	struct live object = {
		.kind = LIVE_PAGES, .order = (unsigned)order, .compound = gfp & KM_GFP_COMP};
	km_pfn pfn = KM_PFN_NONE;

	if (call->call == KM_CALL_GET_ZEROED_PAGE)
		gfp |= KM_GFP_ZERO;
	km_run_check_flags(run, call, row, gfp);
	if (call->call == KM_CALL_GET_FREE_PAGES || call->call == KM_CALL_GET_FREE_PAGE ||
	    call->call == KM_CALL_GET_ZEROED_PAGE)
		gfp &= ~KM_GFP_HIGHMEM; /* an address must exist */
	if (order > KM_MAX_ORDER)
		km_run_note(row, KM_RULE_BAD_ARGUMENT, "order %" PRIu64 " is above the largest, %d",
			    order, KM_MAX_ORDER);
	else if (flags_make_sense(row, gfp))
		pfn = km_alloc_pages(run->machine, call->cpu, gfp, (unsigned)order);
	if (km_pfn_valid(pfn)) {
		object.addr = km_pfn_to_addr(pfn);
		object.bytes = block_bytes(object.order);
	}
	return km_run_finish_alloc(run, call, row, &object);
}

/* Further single pages behind the one that is live already. */
static int add_singles(struct executor *run, uint64_t addr, uint64_t pages, unsigned line)
{
	struct live page = {
		.kind = LIVE_PAGES, .single = true, .bytes = KM_PAGE_SIZE, .line = line};

	for (uint64_t i = 1; i < pages; i++) {
		page.addr = addr + i * KM_PAGE_SIZE;
		if (km_run_add_live(run, &page))
			return -ENOMEM;
	}
	return 0;
}

int km_run_alloc_pages_exact(struct executor *run, const struct km_scenario_call *call,
			     struct km_run_row *row)
{
	uint64_t bytes = km_run_argument(run, call, 0);
	/* The kernel takes these two away, with a warning. */
	uint32_t gfp = (uint32_t)km_run_argument(run, call, 1) & ~(KM_GFP_COMP | KM_GFP_HIGHMEM);
	struct live object = {.kind = LIVE_PAGES, .single = true};
	km_pfn pfn = KM_PFN_NONE;
	int code;

	km_run_check_flags(run, call, row, gfp);
	if (!bytes || bytes > block_bytes(KM_MAX_ORDER))
		km_run_note(row, KM_RULE_BAD_ARGUMENT, "%" PRIu64 " bytes are outside 1..%" PRIu64,
			    bytes, block_bytes(KM_MAX_ORDER));
	else if (flags_make_sense(row, gfp))
		pfn = km_alloc_pages_exact(run->machine, call->cpu, bytes, gfp);
	if (km_pfn_valid(pfn)) {
		object.addr = km_pfn_to_addr(pfn);
		object.bytes = km_round_up(bytes, KM_PAGE_SIZE);
	}
	code = km_run_finish_alloc(run, call, row, &object);
	if (code || !object.addr)
		return code;
	km_run_find_live(run, object.addr)->bytes = KM_PAGE_SIZE;
	return add_singles(run, object.addr, object.bytes >> KM_PAGE_SHIFT, call->line);
}

/* New pages into the empty elements of the call's array. */
static int fill_array(struct executor *run, const struct km_scenario_call *call,
		      struct km_run_row *row, const km_pfn *pfns, unsigned count)
{
	struct variable *array = &run->variables[call->args[2].variable];
	struct live page = {.kind = LIVE_PAGES, .bytes = KM_PAGE_SIZE, .line = call->line};

	row->pfns = calloc(count + 1, sizeof(*row->pfns));
	if (!row->pfns)
		return -ENOMEM;
	for (; row->nr_pfns < count; array++) {
		if (array->value)
			continue;
		page.addr = array->value = km_pfn_to_addr(pfns[row->nr_pfns]);
		array->cache = NULL;
		if (km_run_add_live(run, &page))
			return -ENOMEM;
		row->pfns[row->nr_pfns] = (uint32_t)pfns[row->nr_pfns].value;
		row->nr_pfns++;
	}
	return 0;
}

int km_run_alloc_pages_bulk(struct executor *run, const struct km_scenario_call *call,
			    struct km_run_row *row)
{
	struct variable *array = &run->variables[call->args[2].variable];
	uint32_t gfp = (uint32_t)km_run_argument(run, call, 0);
	unsigned total = (unsigned)km_run_argument(run, call, 1), empty = 0, got = 0;
	km_pfn *pfns = calloc(total, sizeof(*pfns));
	int code;

	if (!pfns)
		return -ENOMEM;
	for (unsigned i = 0; i < total; i++)
		empty += !array[i].value;
	km_run_check_flags(run, call, row, gfp);
	if (empty && flags_make_sense(row, gfp))
		got = km_alloc_pages_bulk(run->machine, call->cpu, gfp, empty, pfns);
	code = fill_array(run, call, row, pfns, got);
	free(pfns);
	if (code)
		return code;
	km_run_set_target(run, call, total - empty + got);
	row->kind = got ? KM_RESULT_PFNS : KM_RESULT_NULL;
	row->bytes_alloc = got ? got * KM_PAGE_SIZE : UINT64_MAX;
	return km_check_result(run, call, row, NULL);
}

/* ---- parts ---- */

/* Pages that begin at argument 0, or NULL with a note. */
static struct live *must_be_pages(struct executor *run, const struct km_scenario_call *call,
				  struct km_run_row *row)
{
	struct live *object = km_run_must_be_live(run, km_run_argument(run, call, 0),
						  km_run_argument_name(run, call, 0), row);

	if (object && object->kind != LIVE_PAGES) {
		km_run_note(row, KM_RULE_WRONG_FREE, "%s frees pages, this is %s of line %u",
			    km_call_name(call->call), km_run_kind_name(object->kind), object->line);
		return NULL;
	}
	return object;
}

int km_run_split_page(struct executor *run, const struct km_scenario_call *call,
		      struct km_run_row *row)
{
	uint64_t order = km_run_argument(run, call, 1);
	struct live *object;

	if (!km_run_argument(run, call, 0))
		return 0;
	object = must_be_pages(run, call, row);
	if (!object)
		return 0;
	if (object->compound) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "line %u allocated a compound page, which cannot be split",
			    object->line);
		return 0;
	}
	if (object->order != order) {
		km_run_note(row, KM_RULE_WRONG_ORDER,
			    "wrong order %" PRIu64 ": line %u allocated order %u", order,
			    object->line, object->order);
		return 0;
	}
	object->single = true;
	object->order = 0;
	object->bytes = KM_PAGE_SIZE;
	return add_singles(run, object->addr, 1ull << order, object->line);
}

/* ---- free ---- */

/* Single pages from addr on: all live? Otherwise a note. */
static bool all_single(struct executor *run, struct km_run_row *row, uint64_t addr, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		struct live *page = km_run_find_live(run, addr + i * KM_PAGE_SIZE);

		if (page && page->kind == LIVE_PAGES && !page->order)
			continue;
		km_run_note(row, KM_RULE_INVALID_FREE,
			    "page %" PRIu64 " of these %" PRIu64 " is not held as a single "
			    "page",
			    i, pages);
		return false;
	}
	return true;
}

static int remove_singles(struct executor *run, const struct km_scenario_call *call, uint64_t addr,
			  uint64_t pages)
{
	int code = 0;

	for (uint64_t i = 0; i < pages && !code; i++)
		code = km_run_remove_live(run, km_run_find_live(run, addr + i * KM_PAGE_SIZE),
					  call->line);
	return code;
}

int km_run_free_pages(struct executor *run, const struct km_scenario_call *call,
		      struct km_run_row *row)
{
	uint64_t order = km_run_argument(run, call, 1), addr = km_run_argument(run, call, 0);
	struct live *object;

	if (!addr)
		return 0;
	object = must_be_pages(run, call, row);
	if (!object)
		return 0;
	if (order != object->order && !(object->single && order <= KM_MAX_ORDER)) {
		km_run_note(row, KM_RULE_WRONG_ORDER,
			    "wrong order %" PRIu64 ": line %u allocated order %u", order,
			    object->line, object->order);
		return 0;
	}
	if (object->single && order) {
		if ((addr - KM_DIRECT_MAP_BASE) & (block_bytes((unsigned)order) - 1)) {
			km_run_note(row, KM_RULE_WRONG_ORDER,
				    "no block of order %" PRIu64 " begins here", order);
			return 0;
		}
		if (!all_single(run, row, addr, 1ull << order))
			return 0;
	}
	km_free_pages(run->machine, call->cpu, km_addr_to_pfn(addr), (unsigned)order);
	if (object->single)
		return remove_singles(run, call, addr, 1ull << order);
	return km_run_remove_live(run, object, call->line);
}

int km_run_free_pages_exact(struct executor *run, const struct km_scenario_call *call,
			    struct km_run_row *row)
{
	uint64_t addr = km_run_argument(run, call, 0), bytes = km_run_argument(run, call, 1);
	uint64_t pages = km_round_up(bytes, KM_PAGE_SIZE) >> KM_PAGE_SHIFT;

	if (!addr || !bytes || !must_be_pages(run, call, row))
		return 0;
	if (bytes > block_bytes(KM_MAX_ORDER)) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "%" PRIu64 " bytes are more than any block has", bytes);
		return 0;
	}
	if (!all_single(run, row, addr, pages))
		return 0;
	for (uint64_t i = 0; i < pages; i++)
		km_free_pages(run->machine, call->cpu, km_addr_to_pfn(addr + i * KM_PAGE_SIZE), 0);
	return remove_singles(run, call, addr, pages);
}
