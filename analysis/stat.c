/* SPDX-License-Identifier: GPL-2.0-only */
/* The pass over the events, and the figures. */
#include "stat.h"

#include "results/term.h"
#include "stat_sample.h"
#include "traces/repair.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Calls until memory that is asked for is there: a place, and what another CPU wrote of a call. */
#define AHEAD 16
#define CALLS_AHEAD 96

struct pass {
	struct km_stat *stat;
	struct km_living live;
	struct km_sample_sums sums;
	bool by_task;
	bool sample_all; /* objects of a sampled trace, as they begin */
	/* By CPU: who its legend's actors are, and what its shapes mean here. */
	struct lane {
		const struct km_actor *actors;
		struct shape {
			struct km_living_shape living;
			enum km_sample_kind sample;
			bool cross_node;
		} * shapes;
		uint32_t room;
	} * lanes;
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

static int add_sample(struct pass *pass, uint64_t ptr, uint32_t group, enum km_sample_kind kind,
		      int hits, const struct km_living_traits *traits)
{
	return km_sample_add(&pass->sums, ptr, group, kind, hits, traits->bytes_req,
			     traits->bytes_alloc);
}

static inline int count_begin(struct pass *pass, uint64_t ptr, const struct shape *shape,
			      uint32_t group)
{
	const struct km_living_traits *traits = &shape->living.traits;
	struct km_stat_row *row = &pass->stat->rows[group];

	row->hits++;
	row->bytes_req += traits->bytes_req;
	row->bytes_alloc += traits->bytes_alloc;
	live_more(row, traits->bytes_alloc);
	live_more(&pass->stat->total, traits->bytes_alloc);
	pass->stat->cross_node += shape->cross_node;
	return pass->sample_all ? add_sample(pass, ptr, group, shape->sample, 1, traits) : 0;
}

static inline struct km_stat_row *count_end(struct pass *pass, struct km_living_birth birth,
					    uint64_t now_ns)
{
	const uint64_t bytes = birth.traits->bytes_alloc;
	struct km_stat_row *row = &pass->stat->rows[birth.group];

	row->live_bytes -= bytes;
	pass->stat->total.live_bytes -= bytes;
	row->byte_ns += (double)bytes * (double)(now_ns - birth.time_ns);
	return row;
}

/* The inner of two call sites gives the object to the outer, who asked for as much. */
static int count_change(struct pass *pass, struct km_living_place *place, const struct shape *shape,
			uint32_t group)
{
	const struct km_living_traits *traits = &shape->living.traits;
	const uint32_t inner = km_living_birth(&pass->live, place).group;
	struct km_stat_row *from = &pass->stat->rows[inner], *to = &pass->stat->rows[group];

	from->hits--;
	from->bytes_req -= traits->bytes_req;
	from->bytes_alloc -= traits->bytes_alloc;
	from->live_bytes -= traits->bytes_alloc;
	to->hits++;
	to->bytes_req += traits->bytes_req;
	to->bytes_alloc += traits->bytes_alloc;
	live_more(to, traits->bytes_alloc);
	if (km_living_change(&pass->live, place, &shape->living, group))
		return -ENOMEM;
	if (pass->sample_all &&
	    (add_sample(pass, place->ptr, inner, KM_SAMPLE_KMALLOC, -1, traits) ||
	     add_sample(pass, place->ptr, group, KM_SAMPLE_KMALLOC, 1, traits)))
		return -ENOMEM;
	return 0;
}

/* Rows for n groups, at least. */
static int reserve_rows(struct km_stat *stat, uint32_t n)
{
	struct km_stat_row *rows;

	if (n <= stat->nr_rows)
		return 0;
	n = n < 64 ? 64 : 2 * n;
	rows = realloc(stat->rows, n * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	memset(rows + stat->nr_rows, 0, (n - stat->nr_rows) * sizeof(*rows));
	stat->rows = rows;
	stat->nr_rows = n;
	return 0;
}

/* ---- calls: 0 or -ENOMEM ---- */

static inline int take_alloc(struct pass *pass, const struct km_living_call *call,
			     const struct shape *shape, uint32_t group)
{
	bool twice;
	struct km_living_place *place = km_living_alloc(&pass->live, call, &shape->living, &twice);

	if (!place)
		return 0;
	if (__builtin_expect(twice, 0))
		return count_change(pass, place, shape, group);
	if (place->life)
		count_end(pass, km_living_birth(&pass->live, place), call->time_ns)->implied++;
	if (count_begin(pass, call->ptr, shape, group))
		return -ENOMEM;
	return km_living_put(&pass->live, place, call, &shape->living, group);
}

static struct km_hist *new_lifetimes(struct km_stat_row *row)
{
	row->lifetimes = calloc(1, sizeof(*row->lifetimes));
	return row->lifetimes;
}

static inline int take_free(struct pass *pass, const struct km_living_call *call, uint16_t cpu)
{
	struct km_living_place *place = km_living_freed(&pass->live, call->ptr);
	struct km_living_birth birth;
	struct km_stat_row *row;

	if (!place)
		return 0;
	birth = km_living_birth(&pass->live, place);
	row = count_end(pass, birth, call->time_ns);
	if (__builtin_expect(!row->lifetimes, 0) && !new_lifetimes(row))
		return -ENOMEM;
	row->cross_frees += birth.cpu != cpu;
	km_hist_add(row->lifetimes, call->time_ns - birth.time_ns);
	km_living_remove(&pass->live, place);
	return 0;
}

static void take_pages(struct pass *pass, const struct km_living_call *call,
		       const struct km_living_shape *shape)
{
	struct km_living_place *gone;
	uint64_t offset = 0;

	while ((gone = km_living_next_gone(&pass->live, call, shape, &offset))) {
		count_end(pass, km_living_birth(&pass->live, gone), call->time_ns)->implied++;
		km_living_remove(&pass->live, gone);
	}
}

static inline int take(struct pass *pass, const struct km_living_call *call,
		       const struct shape *shape)
{
	const struct km_living_shape *living = &shape->living;

	if (living->verb == KM_LIVING_BEGIN)
		return take_alloc(pass, call, shape,
				  pass->by_task ? call->actor->task : living->traits.group);
	km_living_note(&pass->live, call, living);
	if (living->verb == KM_LIVING_END)
		return take_free(pass, call, living->cpu);
	if (living->verb == KM_LIVING_PAGES)
		take_pages(pass, call, living);
	return 0;
}

/* What calls of a shape mean here. */
static int begin_shape(struct pass *pass, const struct km_event *event, struct shape *shape)
{
	uint32_t group = 0;

	if (!pass->by_task && km_event_is_alloc(event->kind) &&
	    km_event_space(event->kind) == KM_SPACE_SLAB)
		group = km_groups_of(&pass->stat->groups, event);
	if (group == UINT32_MAX || !km_living_shape(&pass->live, event, group, &shape->living))
		return -ENOMEM;
	shape->sample = km_sample_kind_of(event->kind);
	shape->cross_node = event->node > 0;
	return 0;
}

/* What the numbers of a legend mean here, and rows for them. */
static int begin_legend(struct pass *pass, const struct km_legend *legend)
{
	struct lane *lane = &pass->lanes[legend->cpu];

	if (lane->room < legend->nr_shapes) {
		free(lane->shapes);
		lane->room = 0;
		lane->shapes = malloc(legend->nr_shapes * sizeof(*lane->shapes));
		if (!lane->shapes)
			return -ENOMEM;
		lane->room = legend->nr_shapes;
	}
	lane->actors = legend->actors;
	for (uint32_t i = 0; i < legend->nr_shapes; i++)
		if (begin_shape(pass, &legend->shapes[i], &lane->shapes[i]))
			return -ENOMEM;
	return reserve_rows(pass->stat, pass->stat->groups.count);
}

static inline __attribute__((always_inline)) int take_events(struct pass *pass,
							     const struct km_stretch *stretch)
{
	const struct km_brief *event = stretch->events, *end = event + stretch->n;

	for (; event < end; event++) {
		const struct lane *lane = &pass->lanes[event->cpu];
		const struct km_living_call call = {.ptr = event->ptr,
						    .time_ns = event->time_ns,
						    .actor = &lane->actors[event->actor]};

		__builtin_prefetch(event +
				   CALLS_AHEAD); /* maybe behind the last, which does no harm */
		if (event + AHEAD < end)
			km_living_prefetch(&pass->live, event[AHEAD].ptr);
		if (take(pass, &call, &lane->shapes[event->shape]))
			return -ENOMEM;
	}
	return 0;
}

#ifdef __x86_64__
/* A shift by a variable, of which an event takes eight, is then one instruction, not three. */
static __attribute__((flatten, target("bmi,bmi2"))) int
take_events_bmi(struct pass *pass, const struct km_stretch *stretch)
{
	return take_events(pass, stretch);
}
#endif

static __attribute__((flatten)) int take_any_events(struct pass *pass,
						    const struct km_stretch *stretch)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("bmi2"))
		return take_events_bmi(pass, stretch);
#endif
	return take_events(pass, stretch);
}

static int take_stretch(struct pass *pass, const struct km_stretch *stretch)
{
	if (stretch->legend && begin_legend(pass, stretch->legend))
		return -ENOMEM;
	if (take_any_events(pass, stretch))
		return -ENOMEM;
	pass->stat->events += stretch->n;
	return 0;
}

static int take_all(struct pass *pass, struct km_trace *trace,
		    const struct km_stat_options *options, struct km_err *err)
{
	const struct km_trace_filter filter = {
		.from_ns = options->from_ns, .to_ns = options->to_ns, .cpu = -1, .brief = true};
	struct km_stretch stretch;
	struct km_trace_cursor *cursor;
	struct km_progress progress;
	int code = km_trace_cursor_open(trace, &filter, &cursor, err);

	if (code)
		return code;
	km_progress_start(&progress, "counting", km_trace_events(trace));
	km_living_table_touch(&pass->live.table); /* while the first chunks are decoded */
	do {
		code = km_trace_next_stretch(cursor, &stretch, err);
		if (!code && take_stretch(pass, &stretch))
			code = no_memory(trace, err);
		km_progress_update(&progress, pass->stat->events);
	} while (!code && (stretch.n || stretch.legend));
	km_progress_end(&progress);
	km_trace_cursor_close(cursor);
	return code;
}

/* ---- the end ---- */

/* An object lives until the end; and may be all that is asked for. */
static int count_left(struct pass *pass, const struct km_living_place *place, bool only)
{
	struct km_stat *stat = pass->stat;
	const struct km_living_birth birth = km_living_birth(&pass->live, place);
	const uint64_t bytes = birth.traits->bytes_alloc;
	struct km_stat_row *row = &stat->rows[birth.group];

	row->live++;
	row->old_live += birth.time_ns < stat->from_ns + (stat->to_ns - stat->from_ns) / 2;
	if (birth.time_ns < stat->to_ns)
		row->byte_ns += (double)bytes * (double)(stat->to_ns - birth.time_ns);
	if (!only)
		return 0;
	row->hits++;
	row->bytes_req += birth.traits->bytes_req;
	row->bytes_alloc += bytes;
	/* Of which kind it was is not known any more, and no matter: the factor is N. */
	return stat->sample > 1 ? add_sample(pass, place->ptr, birth.group, KM_SAMPLE_KMALLOC, 1,
					     birth.traits)
				: 0;
}

static int count_live(struct pass *pass, bool only)
{
	const struct km_living_table *table = &pass->live.table;
	struct km_stat *stat = pass->stat;

	for (uint32_t i = 0; only && i < stat->nr_rows; i++)
		stat->rows[i].hits = stat->rows[i].bytes_req = stat->rows[i].bytes_alloc = 0;
	for (size_t i = 0; i < table->nr_places; i++)
		if (table->places[i].life && count_left(pass, &table->places[i], only))
			return -ENOMEM;
	return 0;
}

static int add_up(struct km_stat *stat)
{
	struct km_stat_row *total = &stat->total;

	total->lifetimes = calloc(1, sizeof(*total->lifetimes));
	if (!total->lifetimes)
		return -ENOMEM;
	for (uint32_t i = 0; i < stat->nr_rows; i++) {
		struct km_stat_row *row = &stat->rows[i];

		row->frees = row->lifetimes ? row->lifetimes->total : 0;
		row->unseen = row->implied > row->frees && row->implied > row->old_live;
		total->hits += row->hits;
		total->bytes_req += row->bytes_req;
		total->bytes_alloc += row->bytes_alloc;
		total->live += row->live;
		total->frees += row->frees;
		total->cross_frees += row->cross_frees;
		total->implied += row->implied;
		if (!row->unseen)
			total->old_live += row->old_live;
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

/* That were left in the end, as far as is known before they are counted. */
static uint64_t open_objects(struct km_trace *trace)
{
	struct km_repair_counts counts;

	return km_trace_repair(trace, &counts) ? 0 : counts.open;
}

int km_stat_run(struct km_trace *trace, const struct km_stat_options *options, struct km_stat *stat,
		struct km_err *err)
{
	const char *sample = km_trace_meta(trace, "sample");
	struct pass pass = {.stat = stat, .by_task = options->by == KM_BY_TASK};
	unsigned cpus = km_trace_cpus(trace);
	struct km_living_hints hints = {.kinds = km_trace_kinds(trace),
					.calls = km_trace_events(trace),
					.open = open_objects(trace),
					.duration_ns = km_trace_duration_ns(trace),
					.direct_map = km_trace_direct_map(trace),
					.cpus = cpus};
	bool whole;
	int code;

	*stat = (struct km_stat){.from_ns = options->from_ns,
				 .to_ns = km_trace_duration_ns(trace),
				 .sample = sample ? strtoull(sample, NULL, 10) : 1,
				 .one_node = has_one_node(trace)};
	if (options->to_ns && options->to_ns < stat->to_ns)
		stat->to_ns = options->to_ns;
	if (!stat->sample)
		stat->sample = 1;
	pass.sample_all = stat->sample > 1 && !options->live;
	whole = pass.sample_all && !options->from_ns && !options->to_ns;
	pass.lanes = calloc(cpus, sizeof(*pass.lanes));
	if (pass.by_task)
		km_trace_tasks(trace, &hints.own_groups);
	if (!pass.lanes || km_groups_init(&stat->groups, trace, options->by) ||
	    reserve_rows(stat, stat->groups.count) || km_living_init(&pass.live, &hints))
		code = no_memory(trace, err);
	else
		code = take_all(&pass, trace, options, err);
	if (!code) {
		stat->counts = pass.live.counts;
		if (count_live(&pass, options->live) || add_up(stat) ||
		    (stat->sample > 1 && km_sample_estimate(&pass.sums, trace, whole, stat)))
			code = no_memory(trace, err);
	}
	km_living_free(&pass.live);
	km_sample_free(&pass.sums);
	for (unsigned i = 0; pass.lanes && i < cpus; i++)
		free(pass.lanes[i].shapes);
	free(pass.lanes);
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

double km_stat_leaks(const struct km_stat_row *row)
{
	return row->unseen ? NAN : (double)row->old_live;
}

double km_stat_lifetime(const struct km_stat_row *row, double quantile)
{
	return row->lifetimes && row->lifetimes->total
		       ? (double)km_hist_quantile(row->lifetimes, quantile)
		       : NAN;
}

double km_stat_sum(const struct km_stat *stat, const struct km_stat_row *row, enum km_stat_sum sum)
{
	const uint64_t sums[KM_NR_SUMS] = {row->hits, row->bytes_req, row->bytes_alloc};

	return stat->sample > 1 ? row->estimate[sum] : (double)sums[sum];
}

double km_stat_error(const struct km_stat *stat, const struct km_stat_row *row,
		     enum km_stat_sum sum)
{
	return stat->sample > 1 ? sqrt(row->variance[sum]) : 0;
}

double km_stat_scale(const struct km_stat *stat, const struct km_stat_row *row)
{
	return row->hits ? km_stat_sum(stat, row, KM_SUM_HITS) / (double)row->hits
			 : (double)stat->sample;
}
