/* SPDX-License-Identifier: GPL-2.0-only */
/* Page events replayed from the start snapshot, and /proc/buddyinfo at the end. */
#include "replay/page_fidelity.h"

#include <errno.h>
#include <kmlab/page_state.h>
#include <stdlib.h>
#include <string.h>

#include "replay/addr_map.h"
#include "replay/host.h"

#define STAT_INTERVAL_NS 1000000000ull /* vm.stat_interval */

struct follower {
	struct km_machine *machine;
	const struct km_page_ops *page;
	struct km_page_fidelity *out;
	struct km_addr_map model_of; /* the kernel's frame -> the model's, of pages events hold */
	uint8_t *held;               /* by the model's frame: an event holds it */
	uint64_t cursor[KM_NR_ZONES][KM_NR_ORDERS];
	uint64_t refresh_ns; /* when the CPUs' vmstat work comes next */
};

static const struct km_zone_spec *zone_of(const struct km_machine *machine, uint64_t pfn)
{
	for (unsigned i = 0; i < machine->spec.nr_zones; i++) {
		const struct km_zone_spec *zone = &machine->spec.zones[i];

		if (pfn >= zone->start && pfn < zone->start + zone->spanned)
			return zone;
	}
	return NULL;
}

/* ---- events ---- */

static int give_page(struct follower *f, unsigned cpu, uint64_t model, unsigned order)
{
	int code = f->page->free(f->machine->page, cpu, (km_pfn){model}, order);

	if (!code)
		memset(f->held + model, 0, 1ull << order);
	return code;
}

/* The next block of the zone that was in use at the start. */
static void free_old(struct follower *f, const struct km_event *event)
{
	const struct km_zone_spec *zone = zone_of(f->machine, event->ptr);
	uint64_t size = 1ull << event->order, *at;

	f->out->old_frees++;
	at = zone ? &f->cursor[zone->index][event->order] : NULL;
	if (at && *at < zone->start)
		*at = km_round_up(zone->start, size);
	for (; at && *at + size <= zone->start + zone->spanned; *at += size)
		if (!memchr(f->held + *at, 1, size) && !give_page(f, event->cpu, *at, event->order))
			return;
	f->out->lost_frees++;
}

/* As one block where the model has one, else page by page. */
static void on_free(struct follower *f, const struct km_event *event)
{
	uint64_t size = 1ull << event->order, first = 0, model;
	bool whole = km_addr_map_get(&f->model_of, event->ptr, &first);

	f->out->frees++;
	if (!whole) {
		free_old(f, event);
		return;
	}
	for (uint64_t i = 0; i < size; i++)
		whole &=
			km_addr_map_get(&f->model_of, event->ptr + i, &model) && model == first + i;
	whole &= !(first & (size - 1));
	if (whole)
		give_page(f, event->cpu, first, event->order);
	for (uint64_t i = 0; i < size; i++) {
		if (!km_addr_map_get(&f->model_of, event->ptr + i, &model))
			continue;
		if (!whole)
			give_page(f, event->cpu, model, 0);
		km_addr_map_remove(&f->model_of, event->ptr + i);
	}
}

static int on_alloc(struct follower *f, const struct km_event *event)
{
	uint64_t size = 1ull << event->order, model;
	km_pfn pfn;

	if (event->ptr == UINT64_MAX)
		return 0;
	f->out->allocs++;
	for (uint64_t i = 0; i < size; i++) {
		if (!km_addr_map_get(&f->model_of, event->ptr + i, &model))
			continue;
		f->out->implied++;
		give_page(f, event->cpu, model, 0);
		km_addr_map_remove(&f->model_of, event->ptr + i);
	}
	pfn = km_alloc_pages(f->machine, event->cpu, event->gfp, event->order);
	if (!km_pfn_valid(pfn)) {
		f->out->failed++;
		return 0;
	}
	f->out->other_zone += zone_of(f->machine, event->ptr) != zone_of(f->machine, pfn.value);
	memset(f->held + pfn.value, 1, size);
	for (uint64_t i = 0; i < size; i++)
		if (km_addr_map_put(&f->model_of, event->ptr + i, pfn.value + i))
			return -ENOMEM;
	return 0;
}

/* What so many in a row leave, further ones leave: a CPU's high shrinks by an eighth each time. */
#define REFRESHES_MAX 1024u

static void refresh(struct follower *f, uint64_t now_ns)
{
	uint64_t due = now_ns < f->refresh_ns ? 0 : (now_ns - f->refresh_ns) / STAT_INTERVAL_NS + 1;

	for (unsigned i = 0; i < due && i < REFRESHES_MAX; i++)
		for (unsigned cpu = 0; cpu < f->machine->spec.cpus; cpu++)
			km_buddy_refresh(f->machine->page, cpu);
	f->refresh_ns += due * STAT_INTERVAL_NS;
}

static int follow(struct follower *f, struct km_trace *trace, struct km_err *err)
{
	struct km_trace_filter pages = {.kinds = 1u << KM_EV_PAGE_ALLOC | 1u << KM_EV_PAGE_FREE,
					.cpu = -1};
	struct km_trace_cursor *cursor;
	struct km_event events[256];
	size_t got;
	int code = km_trace_cursor_open(trace, &pages, &cursor, err);

	while (!code) {
		code = km_trace_next(cursor, events, 256, &got, err);
		if (code || !got)
			break;
		for (size_t i = 0; i < got && !code; i++) {
			if (events[i].order > KM_MAX_ORDER ||
			    events[i].cpu >= f->machine->spec.cpus)
				continue;
			refresh(f, events[i].time_ns);
			if (events[i].kind == KM_EV_PAGE_ALLOC)
				code = on_alloc(f, &events[i]);
			else
				on_free(f, &events[i]);
		}
	}
	km_trace_cursor_close(cursor);
	refresh(f, km_trace_duration_ns(trace));
	return code;
}

/* ---- both ends ---- */

static int read_model(struct km_machine *machine, struct km_buddyinfo *info)
{
	struct km_page_state state;

	if (km_buddy_save_state(machine->page, &state))
		return -ENOMEM;
	for (unsigned i = 0; i < state.nr_zones; i++) {
		unsigned zone = state.zones[i].spec.index;

		info->present[zone] = true;
		for (unsigned order = 0; order < KM_NR_ORDERS; order++)
			for (unsigned type = 0; type < KM_NR_MIGRATETYPES; type++)
				info->blocks[zone][order] += state.zones[i].free[order][type].count;
	}
	km_buddy_release_state(machine->page, &state);
	return 0;
}

static int make_machine(const struct km_start *start, struct km_env *env, struct follower *f)
{
	struct km_machine_spec spec = {
		.model = km_model_find("slub"),
		.profile = *start->profile,
		.cpus = start->cpus,
		.nr_zones = start->nr_zones,
		.thp = start->thp,
		.min_free_kbytes = start->min_free_kbytes,
	};
	int code;

	memcpy(spec.zones, start->zones, sizeof(spec.zones));
	code = km_machine_create(env, &spec, &f->machine);
	if (code)
		return code;
	f->page = f->machine->model->page;
	f->held = calloc(f->machine->max_pfn, 1);
	return f->held ? km_start_seed(start, f->machine) : -ENOMEM;
}

int km_page_fidelity_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			     struct km_page_fidelity *fidelity, struct km_err *err)
{
	const char *before = km_trace_snapshot_text(trace, "start", "/proc/buddyinfo");
	const char *after = km_trace_snapshot_text(trace, "end", "/proc/buddyinfo");
	struct follower f = {.out = fidelity, .refresh_ns = STAT_INTERVAL_NS};
	struct km_env env;
	int code;

	memset(fidelity, 0, sizeof(*fidelity));
	if (!start->have_free || !before || !after)
		return km_fail(err, -EINVAL,
			       "%s has no free blocks of its start, or no /proc/buddyinfo of its "
			       "end; record it as root",
			       km_trace_path(trace));
	km_buddyinfo_read(before, &fidelity->start);
	km_buddyinfo_read(after, &fidelity->kernel);
	km_host_env(&env, seed);
	code = make_machine(start, &env, &f);
	if (code)
		km_fail(err, code,
			"%s: a machine with its free blocks cannot be built (%s); its start "
			"snapshots do not fit together, record it again",
			km_trace_path(trace), strerror(-code));
	if (!code)
		code = follow(&f, trace, err);
	if (!code && !fidelity->allocs && !fidelity->frees)
		code = km_fail(err, -EINVAL, "%s holds no page events; record with -e page",
			       km_trace_path(trace));
	if (!code)
		code = read_model(f.machine, &fidelity->model);
	km_machine_destroy(f.machine);
	km_addr_map_free(&f.model_of);
	free(f.held);
	return code;
}
