/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes and purges of a recorded kernel's vmalloc, beside the model's rules (vmap_fidelity.h). */
#include "replay/vmap_fidelity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/addr_map.h"

#define LAZY_PAGES_PER_BIT 8192u

struct walk {
	struct km_vmap_fidelity *out;
	const struct km_trace_site *sites;
	uint32_t nr_sites;
	struct km_addr_map size_of;  /* address of a live area -> bytes, guard included */
	struct km_addr_map awaiting; /* task -> pages of its area whose array is to come */
	/* What waits in the model since the last purge. */
	uint64_t lazy, count, low, high;
	uint64_t frees_since_due;
	uint32_t last_free_task;
	bool counting, due;
};

/* ---- sizes ---- */

/* Where mm/vmalloc.c takes the array: the helper is inlined in some builds. */
static bool is_array_site(const struct walk *walk, uint32_t site)
{
	const char *symbol = site < walk->nr_sites ? walk->sites[site].symbol : "";

	return strncmp(symbol, "__vmalloc_area_node", 19) == 0 ||
	       strncmp(symbol, "__vmalloc_node_range", 20) == 0;
}

static void score_size(struct walk *walk, bool matched)
{
	walk->out->sizes.checked++;
	walk->out->sizes.matched += matched;
}

static int take_area(struct walk *walk, const struct km_event *event)
{
	uint64_t pages = (event->bytes_alloc >> KM_PAGE_SHIFT) - 1, outer, array;

	if (!event->ptr)
		return 0;
	walk->out->areas++;
	if (km_addr_map_get(&walk->awaiting, event->task, &outer)) {
		array = km_round_up(outer * 8, KM_PAGE_SIZE) + KM_PAGE_SIZE;
		/* More than a page of pointers is an area of its own; else there was none. */
		if (outer * 8 > KM_PAGE_SIZE && event->bytes_alloc == array)
			score_size(walk, true);
	}
	if (km_addr_map_put(&walk->awaiting, event->task, pages) ||
	    km_addr_map_put(&walk->size_of, event->ptr, event->bytes_alloc))
		return -ENOMEM;
	return 0;
}

static void take_array(struct walk *walk, const struct km_event *event)
{
	uint64_t pages;

	if (!is_array_site(walk, event->site) ||
	    !km_addr_map_get(&walk->awaiting, event->task, &pages))
		return;
	score_size(walk, event->bytes_req == pages * 8);
	km_addr_map_remove(&walk->awaiting, event->task);
}

/* "0xffffc90000000000-0xffffc90000005000   20480 caller …", a line each, of what lived before. */
static int read_vmallocinfo(struct walk *walk, const char *text)
{
	for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
		uint64_t start, end;

		if (sscanf(text, "0x%" SCNx64 "-0x%" SCNx64 " ", &start, &end) != 2 || !start)
			continue;
		if (km_addr_map_put(&walk->size_of, start, end - start))
			return -ENOMEM;
	}
	return 0;
}

/* ---- purges ---- */

static void park(struct walk *walk, const struct km_event *event)
{
	uint64_t bytes;

	walk->last_free_task = event->task;
	if (!km_addr_map_get(&walk->size_of, event->ptr, &bytes)) {
		walk->out->unknown_frees += walk->counting;
		walk->count++;
		return;
	}
	km_addr_map_remove(&walk->size_of, event->ptr);
	walk->lazy += bytes >> KM_PAGE_SHIFT;
	walk->count++;
	walk->low = event->ptr < walk->low ? event->ptr : walk->low;
	walk->high = event->ptr + bytes > walk->high ? event->ptr + bytes : walk->high;
	walk->frees_since_due += walk->due;
	if (walk->lazy > walk->out->lazy_max && !walk->due) {
		walk->due = true;
		walk->out->purges_model += walk->counting;
	}
}

static void purge(struct walk *walk, const struct km_event *event)
{
	struct km_vmap_fidelity *out = walk->out;

	if (walk->counting) {
		out->purges_kernel++;
		out->purges_matched += walk->due;
		out->late_frees += walk->due ? walk->frees_since_due : 0;
		out->early_own += !walk->due && event->task == walk->last_free_task;
		out->early_other += !walk->due && event->task != walk->last_free_task;
		out->purged_areas.checked++;
		out->purged_areas.matched += event->bytes_req == walk->count;
		if (walk->count) {
			out->purged_range.checked++;
			out->purged_range.matched += event->ptr <= walk->low &&
						     event->ptr + event->bytes_alloc >= walk->high;
		}
	}
	walk->counting = true;
	walk->due = false;
	walk->frees_since_due = walk->lazy = walk->count = walk->high = 0;
	walk->low = UINT64_MAX;
}

/* ---- the trace ---- */

static int take_event(struct walk *walk, const struct km_event *event)
{
	switch (event->kind) {
	case KM_EV_VMAP_ALLOC:
		return take_area(walk, event);
	case KM_EV_VMAP_FREE:
		park(walk, event);
		return 0;
	case KM_EV_VMAP_PURGE:
		purge(walk, event);
		return 0;
	default:
		take_array(walk, event);
		return 0;
	}
}

int km_vmap_fidelity_measure(struct km_trace *trace, const struct km_start *start,
			     struct km_vmap_fidelity *out, struct km_err *err)
{
	struct km_trace_filter filter = {.kinds = 1u << KM_EV_VMAP_ALLOC | 1u << KM_EV_VMAP_FREE |
						  1u << KM_EV_VMAP_PURGE | 1u << KM_EV_KMALLOC,
					 .cpu = -1};
	struct walk walk = {.out = out, .low = UINT64_MAX};
	struct km_trace_cursor *cursor = NULL;
	struct km_event events[256];
	size_t got = 1;
	int code;

	*out = (struct km_vmap_fidelity){.lazy_max = (uint64_t)km_fls(start->cpus) *
						     LAZY_PAGES_PER_BIT};
	walk.sites = km_trace_site_table(trace, &walk.nr_sites);
	code = read_vmallocinfo(&walk, km_trace_snapshot_text(trace, "start", "vmallocinfo"));
	if (!code)
		code = km_trace_cursor_open(trace, &filter, &cursor, err);
	while (!code && got) {
		code = km_trace_next(cursor, events, 256, &got, err);
		for (size_t i = 0; !code && i < got; i++)
			code = take_event(&walk, &events[i]);
	}
	out->lazy_open = walk.lazy;
	out->without_array = out->areas - out->sizes.checked;
	km_trace_cursor_close(cursor);
	km_addr_map_free(&walk.size_of);
	km_addr_map_free(&walk.awaiting);
	return code == -ENOMEM ? km_fail(err, code, "%s: out of memory", km_trace_path(trace))
			       : code;
}
