/* SPDX-License-Identifier: GPL-2.0-only */
/* The pass over the events, and the figures. */
#include "stat.h"

#include "results/term.h"
#include "stat_sample.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD 16     /* events until memory that is asked for is there */
#define FAR_AHEAD 48 /* the same for events, which another CPU may have decoded */

struct pass {
	struct km_stat *stat;
	struct km_living live;
	struct km_sample_sums sums;
};

static int no_memory(const struct km_trace *trace, struct km_err *err)
{
	return km_fail(err, -ENOMEM, "cannot count the allocations of %s: not enough memory",
		       km_trace_path(trace));
}

/* ---- one object ---- */

static inline void live_more(struct km_stat_row *row, uint64_t bytes)
{
	row->live_bytes += bytes;
	if (row->live_bytes > row->peak_bytes)
		row->peak_bytes = row->live_bytes;
}

static int count_sampled(struct pass *pass, const struct km_event *event, uint32_t group)
{
	struct km_stat *stat = pass->stat;

	if (km_sample_add(&pass->sums, &stat->rows[group], event->ptr, group, event->bytes_req,
			  event->bytes_alloc))
		return -ENOMEM;
	return km_sample_add(&pass->sums, &stat->total, event->ptr, UINT32_MAX, event->bytes_req,
			     event->bytes_alloc);
}

static inline int count_begin(struct pass *pass, const struct km_event *event, uint32_t group)
{
	struct km_stat_row *row = &pass->stat->rows[group];

	row->hits++;
	row->bytes_req += event->bytes_req;
	row->bytes_alloc += event->bytes_alloc;
	live_more(row, event->bytes_alloc);
	live_more(&pass->stat->total, event->bytes_alloc);
	pass->stat->cross_node += event->node > 0;
	return pass->stat->sample == 1 ? 0 : count_sampled(pass, event, group);
}

static inline struct km_stat_row *count_end(struct pass *pass,
					    const struct km_living_object *object, uint64_t now_ns)
{
	struct km_stat_row *row = &pass->stat->rows[object->group];

	row->live_bytes -= object->bytes_alloc;
	pass->stat->total.live_bytes -= object->bytes_alloc;
	row->byte_ns += (double)object->bytes_alloc * (double)(now_ns - object->time_ns);
	return row;
}

/* The inner of two call sites gives the object to the outer. */
static void count_regroup(struct pass *pass, const struct km_living_object *object, uint32_t group)
{
	struct km_stat_row *from = &pass->stat->rows[object->group];
	struct km_stat_row *to = &pass->stat->rows[group];

	from->hits--;
	from->bytes_req -= object->bytes_req;
	from->bytes_alloc -= object->bytes_alloc;
	from->live_bytes -= object->bytes_alloc;
	to->hits++;
	to->bytes_req += object->bytes_req;
	to->bytes_alloc += object->bytes_alloc;
	live_more(to, object->bytes_alloc);
}

/* ---- calls: 0 or -ENOMEM ---- */

/* Rows for all groups there are, and some more. */
static int reserve_rows(struct km_stat *stat)
{
	uint32_t n = stat->groups.count < 64 ? 64 : 2 * stat->groups.count;
	struct km_stat_row *rows = realloc(stat->rows, n * sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	memset(rows + stat->nr_rows, 0, (n - stat->nr_rows) * sizeof(*rows));
	stat->rows = rows;
	stat->nr_rows = n;
	return 0;
}

static inline int take_alloc(struct pass *pass, const struct km_event *event)
{
	bool twice;
	struct km_living_object *object = km_living_alloc(&pass->live, event, &twice);
	uint32_t group;

	if (!object)
		return 0;
	group = km_groups_of(&pass->stat->groups, event);
	if (__builtin_expect(group >= pass->stat->nr_rows, 0) &&
	    (group == UINT32_MAX || reserve_rows(pass->stat)))
		return -ENOMEM;
	if (__builtin_expect(twice, 0)) {
		count_regroup(pass, object, group);
		object->group = group;
		return 0;
	}
	if (object->live)
		count_end(pass, object, event->time_ns)->implied++;
	if (count_begin(pass, event, group))
		return -ENOMEM;
	return km_living_put(&pass->live, object, event, group);
}

static inline int take_free(struct pass *pass, const struct km_event *event)
{
	struct km_living_object *object = km_living_freed(&pass->live, event->ptr);
	struct km_stat_row *row;

	if (!object)
		return 0;
	row = count_end(pass, object, event->time_ns);
	if (!row->lifetimes) {
		row->lifetimes = calloc(1, sizeof(*row->lifetimes));
		if (!row->lifetimes)
			return -ENOMEM;
	}
	row->frees++;
	row->cross_frees += object->cpu != event->cpu;
	km_hist_add(row->lifetimes, event->time_ns - object->time_ns);
	km_living_remove(&pass->live, object);
	return 0;
}

static void take_pages(struct pass *pass, const struct km_event *event)
{
	struct km_living_object gone;
	uint64_t offset = 0;

	while (km_living_next_gone(&pass->live, event, &offset, &gone))
		count_end(pass, &gone, event->time_ns)->implied++;
}

static inline int take(struct pass *pass, const struct km_event *event)
{
	switch (event->kind) {
	case KM_EV_KMALLOC:
	case KM_EV_CACHE_ALLOC:
	case KM_EV_BULK_ALLOC:
		return take_alloc(pass, event);
	case KM_EV_KFREE:
	case KM_EV_CACHE_FREE:
	case KM_EV_BULK_FREE:
		km_living_note(&pass->live, event);
		return take_free(pass, event);
	default:
		km_living_note(&pass->live, event);
		take_pages(pass, event);
		return 0;
	}
}

static int take_all(struct pass *pass, struct km_trace *trace,
		    const struct km_stat_options *options, struct km_err *err)
{
	const struct km_trace_filter filter = {
		.from_ns = options->from_ns, .to_ns = options->to_ns, .cpu = -1, .ahead = true};
	struct km_progress progress;
	struct km_trace_cursor *cursor;
	const struct km_event *events;
	size_t got = 1, ahead;
	int code = km_trace_cursor_open(trace, &filter, &cursor, err);

	if (code)
		return code;
	km_progress_start(&progress, "counting", km_trace_events(trace));
	while (!code && got) {
		code = km_trace_next_run(cursor, &events, &got, err);
		ahead = got + km_trace_run_ahead(cursor);
		for (size_t i = 0; !code && i < got; i++) {
			if (i + FAR_AHEAD < ahead)
				__builtin_prefetch(&events[i + FAR_AHEAD]);
			if (i + AHEAD < ahead)
				km_living_prefetch(&pass->live, events[i + AHEAD].ptr);
			if (take(pass, &events[i]))
				code = no_memory(trace, err);
		}
		pass->stat->events += code ? 0 : got;
		if (!(pass->stat->events & 0xfff))
			km_progress_update(&progress, pass->stat->events);
	}
	km_progress_end(&progress);
	km_trace_cursor_close(cursor);
	return code;
}

/* ---- the end ---- */

/* What is live at the end lives until then; and may be all that is asked for. */
static void count_live(struct pass *pass, bool only)
{
	struct km_stat *stat = pass->stat;
	uint64_t middle = stat->from_ns + (stat->to_ns - stat->from_ns) / 2;

	for (uint32_t i = 0; only && i < stat->nr_rows; i++)
		stat->rows[i].hits = stat->rows[i].bytes_req = stat->rows[i].bytes_alloc = 0;
	for (size_t i = 0; i < (size_t)1 << pass->live.bits; i++) {
		const struct km_living_object *object = &pass->live.objects[i];
		struct km_stat_row *row = &stat->rows[object->group];

		if (!object->live)
			continue;
		row->live++;
		row->leaks += object->time_ns < middle;
		if (object->time_ns < stat->to_ns)
			row->byte_ns += (double)object->bytes_alloc *
					(double)(stat->to_ns - object->time_ns);
		if (!only)
			continue;
		row->hits++;
		row->bytes_req += object->bytes_req;
		row->bytes_alloc += object->bytes_alloc;
	}
}

static int add_up(struct km_stat *stat)
{
	struct km_stat_row *total = &stat->total;

	total->lifetimes = calloc(1, sizeof(*total->lifetimes));
	if (!total->lifetimes)
		return -ENOMEM;
	for (uint32_t i = 0; i < stat->nr_rows; i++) {
		const struct km_stat_row *row = &stat->rows[i];

		total->hits += row->hits;
		total->bytes_req += row->bytes_req;
		total->bytes_alloc += row->bytes_alloc;
		total->live += row->live;
		total->frees += row->frees;
		total->cross_frees += row->cross_frees;
		total->implied += row->implied;
		total->leaks += row->leaks;
		total->byte_ns += row->byte_ns;
		if (row->lifetimes)
			km_hist_merge(total->lifetimes, row->lifetimes);
	}
	return 0;
}

static bool has_one_node(struct km_trace *trace)
{
	const char *zones = km_trace_snapshot_text(trace, "start", "/proc/zoneinfo");

	for (const char *at = zones; at && (at = strstr(at, "Node ")); at++)
		if (strncmp(at, "Node 0,", 7) != 0)
			return false;
	return zones != NULL;
}

int km_stat_run(struct km_trace *trace, const struct km_stat_options *options, struct km_stat *stat,
		struct km_err *err)
{
	const char *sample = km_trace_meta(trace, "sample");
	struct pass pass = {.stat = stat};
	int code;

	*stat = (struct km_stat){.from_ns = options->from_ns,
				 .to_ns = km_trace_duration_ns(trace),
				 .sample = sample ? strtoull(sample, NULL, 10) : 1,
				 .one_node = has_one_node(trace)};
	if (options->to_ns && options->to_ns < stat->to_ns)
		stat->to_ns = options->to_ns;
	if (!stat->sample)
		stat->sample = 1;
	if (km_groups_init(&stat->groups, trace, options->by) || reserve_rows(stat) ||
	    km_living_init(&pass.live, km_trace_direct_map(trace), km_trace_cpus(trace)))
		code = no_memory(trace, err);
	else
		code = take_all(&pass, trace, options, err);
	if (!code) {
		count_live(&pass, options->live);
		stat->counts = pass.live.counts;
		if (add_up(stat))
			code = no_memory(trace, err);
	}
	km_living_free(&pass.live);
	km_sample_free(&pass.sums);
	if (code)
		km_stat_free(stat);
	return code;
}

void km_stat_free(struct km_stat *stat)
{
	for (uint32_t i = 0; i < stat->nr_rows; i++)
		free(stat->rows[i].lifetimes);
	free(stat->total.lifetimes);
	free(stat->rows);
	km_groups_free(&stat->groups);
	*stat = (struct km_stat){0};
}

/* ---- figures ---- */

double km_stat_waste(const struct km_stat_row *row)
{
	if (!row->bytes_alloc)
		return NAN;
	return 100 * ((double)row->bytes_alloc - (double)row->bytes_req) / (double)row->bytes_alloc;
}

double km_stat_mean(const struct km_stat *stat, const struct km_stat_row *row)
{
	return stat->to_ns > stat->from_ns ? row->byte_ns / (double)(stat->to_ns - stat->from_ns)
					   : NAN;
}

double km_stat_lifetime(const struct km_stat_row *row, double quantile)
{
	return row->lifetimes && row->lifetimes->total
		       ? (double)km_hist_quantile(row->lifetimes, quantile)
		       : NAN;
}

double km_stat_error(const struct km_stat *stat, const struct km_stat_row *row,
		     enum km_stat_sum sum)
{
	double n = (double)stat->sample;

	return sqrt(n * (n - 1) * row->squares[sum]);
}
