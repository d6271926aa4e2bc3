/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A part of a trace: which events are in it, and what that makes of the ledger. Objects are chosen
 * when they are allocated; what happens to them afterwards follows by their address.
 */
#include "addr_table.h"
#include "transform_copy.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct edit {
	const struct km_edit *ask;
	struct km_trace *trace;
	struct km_copy copy;
	struct km_copy_target target;
	struct km_anonymise anonymise;
	struct km_transform_report *report;
	uint64_t to_ns; /* the end, known */
	/* By id: nonzero = asked for. NULL: not a question. */
	uint8_t *caches, *sites, *stacks;
	struct km_addr_table live[KM_NR_GROUPS]; /* chosen objects */
	bool chosen, whole; /* objects are chosen at all; nothing but times is */
};

/* ---- what is asked for ---- */

static int find_caches(struct edit *edit, struct km_err *err)
{
	uint32_t count;
	const struct km_trace_cache *caches = km_trace_caches(edit->trace, &count);

	edit->caches = calloc(count + 1, 1);
	if (!edit->caches)
		return -ENOMEM;
	for (unsigned i = 0; i < edit->ask->nr_caches; i++) {
		const char *name = edit->ask->caches[i];
		bool found = false;

		for (uint32_t id = 1; id < count; id++) {
			if (strcmp(caches[id].name, name))
				continue;
			edit->caches[id] = found = true;
		}
		if (!found)
			return km_fail(
				err, -ENOENT,
				"%s has no cache '%s'; 'kmlab stat %s --by cache' lists them",
				km_trace_path(edit->trace), name, km_trace_path(edit->trace));
	}
	return 0;
}

/* A stack is asked for if one of its frames is. */
static int find_stacks(struct edit *edit)
{
	uint32_t count = 1;
	unsigned n;

	while (km_trace_stack(edit->trace, count, &n))
		count++;
	edit->stacks = calloc(count, 1);
	if (!edit->stacks)
		return -ENOMEM;
	for (uint32_t id = 1; id < count; id++) {
		const uint32_t *frames = km_trace_stack(edit->trace, id, &n);

		for (unsigned i = 0; i < n; i++)
			edit->stacks[id] |= edit->sites[frames[i]];
	}
	return 0;
}

static int find_sites(struct edit *edit, struct km_err *err)
{
	const struct km_edit *ask = edit->ask;
	uint32_t count;
	const struct km_trace_site *sites = km_trace_site_table(edit->trace, &count);

	edit->sites = calloc(count + 1, 1);
	if (!edit->sites)
		return -ENOMEM;
	for (unsigned i = 0; i < ask->nr_sites; i++) {
		bool found = false;

		for (uint32_t id = 1; id < count; id++)
			if (!strcmp(sites[id].symbol, ask->sites[i]))
				edit->sites[id] = found = true;
		if (!found)
			return km_fail(
				err, -ENOENT,
				"%s has no call site in '%s'; 'kmlab stat %s --by site' lists "
				"them",
				km_trace_path(edit->trace), ask->sites[i],
				km_trace_path(edit->trace));
	}
	return find_stacks(edit);
}

/* ---- which events ---- */

static bool is_asked_for(const struct edit *edit, const struct km_event *event)
{
	return (edit->caches && edit->caches[event->cache]) ||
	       (edit->sites && (edit->sites[event->site] || edit->stacks[event->stack]));
}

/* 1: of a chosen object, 0: not, -ENOMEM. */
static int follow(struct edit *edit, const struct km_event *event)
{
	enum km_event_group group = km_event_group_of(event->kind);
	struct km_addr_table *live = &edit->live[group == KM_GROUP_RCU ? KM_GROUP_SLAB : group];
	bool known = km_addr_table_find(live, event->ptr) != KM_NO_SLOT, ends;
	bool asked = is_asked_for(edit, event);

	if (km_event_is_alloc(event->kind)) {
		if (asked && !known) {
			if (km_addr_table_reserve(live))
				return -ENOMEM;
			km_addr_table_put(live, event->ptr, 0);
		} else if (!asked && known) {
			km_addr_table_remove(live, event->ptr);
		}
		return asked;
	}
	ends = event->kind != KM_EV_RCU_FREE && event->kind != KM_EV_VMAP_PURGE &&
	       event->kind != KM_EV_PAGE_ZONE_LOCKED && event->kind != KM_EV_PAGE_PCPU_DRAIN &&
	       event->kind != KM_EV_PAGE_EXTFRAG;
	if (known && ends)
		km_addr_table_remove(live, event->ptr);
	/* An object older than the trace is known by its cache alone. */
	return known || (edit->caches && edit->caches[event->cache]);
}

static int take_event(struct edit *edit, const struct km_event *event, struct km_err *err)
{
	const struct km_edit *ask = edit->ask;
	int keep = edit->chosen ? follow(edit, event) : 1;

	if (keep < 0)
		return keep;
	edit->report->events++;
	if (!keep || event->time_ns < ask->from_ns || event->time_ns >= edit->to_ns ||
	    (ask->cpus && (event->cpu >= KM_MAX_CPUS || !ask->cpus[event->cpu]))) {
		edit->report->excluded++;
		return 0;
	}
	if (!km_sample_keep(event->kind, event->ptr, ask->sample)) {
		edit->report->sampled++;
		return 0;
	}
	edit->report->kept++;
	return km_copy_event(&edit->copy, *event, err);
}

static int copy_events(struct edit *edit, struct km_err *err)
{
	/* Objects are chosen where they begin, be that before what is kept. */
	struct km_trace_filter filter = {.cpu = -1};
	struct km_trace_cursor *cursor;
	const struct km_event *events;
	size_t got;
	int code = km_trace_cursor_open(edit->trace, &filter, &cursor, err);

	if (code)
		return code;
	while (!code && !(code = km_trace_next_run(cursor, &events, &got, err)) && got) {
		code = km_copy_stopped(edit->trace, edit->ask->stop, err);
		for (size_t i = 0; !code && i < got; i++)
			code = take_event(edit, &events[i], err);
	}
	km_trace_cursor_close(cursor);
	return code;
}

/* ---- the ledger ---- */

static uint64_t clamp(uint64_t time_ns, uint64_t from_ns, uint64_t to_ns)
{
	return (time_ns < from_ns ? from_ns : time_ns > to_ns ? to_ns : time_ns) - from_ns;
}

/* Losses outside of what is kept are excluded like the events there. */
static int copy_gaps(struct edit *edit, uint64_t lost[KM_NR_LOSS_CAUSES], struct km_err *err)
{
	const struct km_edit *ask = edit->ask;
	size_t count;
	const struct km_trace_gap *gaps = km_trace_gaps(edit->trace, &count);
	int code = 0;

	for (size_t i = 0; !code && i < count; i++) {
		struct km_trace_gap gap = gaps[i];
		bool kept = gap.before_ns >= ask->from_ns && gap.after_ns < edit->to_ns;

		if (ask->cpus && gap.cpu < KM_MAX_CPUS)
			kept &= ask->cpus[gap.cpu] != 0;
		if (!kept) {
			edit->report->lost_excluded += gap.events;
			continue;
		}
		gap.after_ns = clamp(gap.after_ns, ask->from_ns, edit->to_ns);
		gap.before_ns = clamp(gap.before_ns, ask->from_ns, edit->to_ns);
		lost[gap.cause] += gap.events;
		code = km_trace_add_gap(edit->target.writer, &gap, err);
	}
	return code;
}

static int write_ledger(struct edit *edit, struct km_err *err)
{
	const struct km_transform_report *report = edit->report;
	struct km_trace_counts counts;
	int code = km_trace_counts(edit->trace, &counts);

	memset(counts.lost, 0, sizeof(counts.lost));
	if (!code)
		code = copy_gaps(edit, counts.lost, err);
	if (code)
		return code;
	counts.filtered_excluded += report->excluded + report->lost_excluded;
	counts.filtered_sampled += report->sampled;
	return km_trace_set_counts(edit->target.writer, &counts, err);
}

/* ---- the rest ---- */

/* The state at the start is that of a part only if the part begins there and is all there is. */
static bool wants_snapshot(const void *context, const struct km_copy_snapshot *snapshot)
{
	const struct edit *edit = context;
	bool state = km_copy_is_state(snapshot->source);
	bool inside = snapshot->time_ns >= edit->ask->from_ns && snapshot->time_ns <= edit->to_ns;

	if (!strcmp(snapshot->phase, "start"))
		return !state || (edit->whole && !edit->ask->from_ns);
	if (!strcmp(snapshot->phase, "end"))
		return edit->whole && edit->to_ns >= km_trace_duration_ns(edit->trace) &&
		       !(edit->ask->from_ns && km_copy_tells_times(snapshot->source));
	return inside;
}

static int write_facts(struct edit *edit, struct km_err *err)
{
	const char *origin = km_copy_origin(edit->trace), *before;
	uint64_t sample = km_copy_number(edit->trace, "sample");
	char made[1024];
	int code = km_copy_facts(&edit->copy, err);

	before = km_trace_meta(edit->trace, "edited");
	if (edit->ask->key) /* what it was made of may name tasks and paths */
		before = NULL;
	snprintf(made, sizeof(made), "%s%s%s", before ? before : "", before ? "; " : "",
		 edit->ask->text);
	if (!code)
		code = km_trace_set_meta(edit->target.writer, "edited", made, err);
	if (!code)
		code = km_copy_name(&edit->copy, km_trace_meta(edit->trace, "uuid"), made, err);
	if (!code && edit->ask->sample > 1 && edit->ask->sample > sample)
		code = km_copy_set_number(edit->target.writer, "sample", edit->ask->sample, err);
	if (!code && !edit->ask->key && origin)
		code = km_trace_set_meta(edit->target.writer, "origin", origin, err);
	if (!code && !edit->ask->key)
		code = km_copy_set_number(
			edit->target.writer, "origin_ns",
			km_copy_number(edit->trace, "origin_ns") + edit->ask->from_ns, err);
	return code;
}

static int prepare(struct edit *edit, struct km_err *err)
{
	const struct km_edit *ask = edit->ask;
	uint64_t duration = km_trace_duration_ns(edit->trace);
	int code = 0;

	if (!km_trace_complete(edit->trace))
		return km_copy_unfinished(edit->trace, err);
	edit->to_ns = ask->to_ns ? ask->to_ns : UINT64_MAX;
	edit->chosen = ask->nr_caches || ask->nr_sites;
	edit->whole = !edit->chosen && !ask->cpus && ask->sample <= 1;
	if (ask->from_ns >= edit->to_ns || ask->from_ns > duration)
		return km_fail(err, -EINVAL, "nothing of %s lies there: it is %.3f s long",
			       km_trace_path(edit->trace), (double)duration / 1e9);
	edit->report->duration_ns =
		(edit->to_ns < duration ? edit->to_ns : duration) - ask->from_ns;
	if (ask->nr_caches)
		code = find_caches(edit, err);
	if (!code && ask->nr_sites)
		code = find_sites(edit, err);
	if (!code && ask->key) {
		code = km_anonymise_begin(&edit->anonymise, edit->trace, ask->key, err);
		edit->copy.anonymise = &edit->anonymise;
	}
	edit->copy.shift_ns = -(int64_t)ask->from_ns;
	return code;
}

int km_trace_edit(struct km_trace *trace, const struct km_edit *ask, struct km_trace_writer *writer,
		  struct km_transform_report *report, struct km_err *err)
{
	struct edit *edit = calloc(1, sizeof(*edit));
	int code = -ENOMEM;

	*report = (struct km_transform_report){0};
	if (edit) {
		edit->ask = ask;
		edit->trace = trace;
		edit->report = report;
		edit->target.writer = writer;
		code = prepare(edit, err);
	}
	if (!code)
		code = km_copy_begin(&edit->copy, trace, &edit->target, false, err);
	if (!code)
		code = write_facts(edit, err);
	if (!code)
		code = km_copy_snapshots(&edit->copy, wants_snapshot, edit, err);
	if (!code)
		code = km_copy_cgroups(&edit->copy, err);
	if (!code)
		code = copy_events(edit, err);
	if (!code)
		code = write_ledger(edit, err);
	if (code == -ENOMEM)
		km_fail(err, code, "cannot edit %s: not enough memory", km_trace_path(trace));
	if (!edit)
		return code;
	for (unsigned group = 0; group < KM_NR_GROUPS; group++)
		km_addr_table_free(&edit->live[group]);
	km_copy_end(&edit->copy);
	km_copy_target_free(&edit->target);
	free(edit->caches);
	free(edit->sites);
	free(edit->stacks);
	free(edit);
	return code;
}
