/* SPDX-License-Identifier: GPL-2.0-only */
/* Two traces as one: where each lies in time, that they fit together, and one ledger of both. */
#define _XOPEN_SOURCE 700 /* strptime() */
#include "transform_copy.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct side {
	struct km_trace *trace;
	struct km_copy copy;
	struct km_trace_cursor *cursor;
	const struct km_event *events; /* the run at hand */
	size_t at, n;
	uint64_t begin_ns, end_ns; /* in the result */
};

struct merge {
	struct side side[2]; /* in order of their begin */
	struct km_copy_target target;
	struct km_transform_report *report;
	bool parts; /* of one recording */
	bool (*stop)(void);
	uint64_t lost[KM_NR_LOSS_CAUSES];
};

/* ---- where they lie ---- */

static bool same_fact(const struct merge *merge, const char *key)
{
	const char *a = km_trace_meta(merge->side[0].trace, key);
	const char *b = km_trace_meta(merge->side[1].trace, key);

	return (!a && !b) || (a && b && !strcmp(a, b));
}

static int check_machine(const struct merge *merge, struct km_err *err)
{
	static const char *const facts[] = {"kernel",          "kernel_version", "machine",
					    "direct_map_base", "vmalloc_start",  "sample"};

	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		if (!same_fact(merge, facts[i]))
			return km_fail(
				err, -EINVAL,
				"%s and %s differ in their %s: addresses mean different things "
				"in them, so they cannot be one trace",
				km_trace_path(merge->side[0].trace),
				km_trace_path(merge->side[1].trace), facts[i]);
	return 0;
}

/* Seconds since 1970 of "2026-11-21T03:17:06Z"; false: it does not say. */
static bool read_started(const struct km_trace *trace, uint64_t *ns)
{
	const char *text = km_trace_meta(trace, "started");
	struct tm utc = {0};

	if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc))
		return false;
	*ns = (uint64_t)timegm(&utc) * 1000000000;
	return true;
}

/* Begin of each side on a scale both have. */
static int find_begins(struct merge *merge, struct km_err *err)
{
	static const char *const scales[] = {"origin_ns", "clock_ns"};
	struct side *a = &merge->side[0], *b = &merge->side[1];
	const char *scale = merge->parts ? scales[0] : scales[1];

	a->begin_ns = km_copy_number(a->trace, scale);
	b->begin_ns = km_copy_number(b->trace, scale);
	if (merge->parts || (km_trace_meta(a->trace, scale) && km_trace_meta(b->trace, scale)))
		return 0;
	if (!read_started(a->trace, &a->begin_ns) || !read_started(b->trace, &b->begin_ns))
		return km_fail(
			err, -EINVAL,
			"%s and %s do not say when they were recorded, so they cannot be put "
			"together",
			km_trace_path(a->trace), km_trace_path(b->trace));
	return 0;
}

static int place(struct merge *merge, struct km_err *err)
{
	const char *origin = km_copy_origin(merge->side[0].trace);
	const char *other = km_copy_origin(merge->side[1].trace);
	struct side *a = &merge->side[0], *b = &merge->side[1];
	int code;

	merge->parts = origin && other && !strcmp(origin, other);
	code = find_begins(merge, err);
	if (code)
		return code;
	if (b->begin_ns < a->begin_ns) {
		struct side swap = *a;

		*a = *b;
		*b = swap;
	}
	b->begin_ns -= a->begin_ns;
	a->begin_ns = 0;
	a->end_ns = km_trace_duration_ns(a->trace);
	b->end_ns = b->begin_ns + km_trace_duration_ns(b->trace);
	b->copy.shift_ns = (int64_t)b->begin_ns;
	if (!merge->parts && b->begin_ns < a->end_ns)
		return km_fail(
			err, -EINVAL,
			"%s and %s were recorded at the same time by two recorders, whose clocks "
			"cannot be told apart to the event; they cannot be one trace",
			km_trace_path(a->trace), km_trace_path(b->trace));
	merge->report->duration_ns = a->end_ns > b->end_ns ? a->end_ns : b->end_ns;
	return 0;
}

/* ---- events ---- */

/* The side's next event, or NULL at its end; *code. */
static const struct km_event *next_event(struct side *side, int *code, struct km_err *err)
{
	if (side->at == side->n) {
		side->at = side->n = 0;
		*code = km_trace_next_run(side->cursor, &side->events, &side->n, err);
		if (*code || !side->n)
			return NULL;
	}
	return &side->events[side->at];
}

static bool same_event(const struct merge *merge, const struct km_event *a,
		       const struct km_event *b)
{
	return a->time_ns == b->time_ns + merge->side[1].begin_ns && a->cpu == b->cpu &&
	       a->kind == b->kind && a->ptr == b->ptr;
}

static int copy_events(struct merge *merge, struct km_err *err)
{
	int code = 0;

	for (unsigned i = 0; i < 2 && !code; i++)
		code = km_trace_cursor_open(merge->side[i].trace, NULL, &merge->side[i].cursor,
					    err);
	while (!code) {
		const struct km_event *a = next_event(&merge->side[0], &code, err);
		const struct km_event *b = code ? NULL : next_event(&merge->side[1], &code, err);
		struct side *first = &merge->side[0];

		if (code || (!a && !b))
			break;
		if (a && b && same_event(merge, a, b))
			return km_fail(err, -EINVAL,
				       "%s and %s hold the same event (CPU %u, %.9f s); parts that "
				       "overlap cannot be put together",
				       km_trace_path(merge->side[0].trace),
				       km_trace_path(merge->side[1].trace), a->cpu,
				       (double)a->time_ns / 1e9);
		if (!a || (b && b->time_ns + merge->side[1].begin_ns < a->time_ns))
			first = &merge->side[1];
		if (merge->report->events++ % 4096 == 0 &&
		    (code = km_copy_stopped(first->trace, merge->stop, err)))
			break;
		code = km_copy_event(&first->copy, first->events[first->at++], err);
	}
	return code;
}

/* ---- the ledger ---- */

/* A gap that both have: the same, or its two halves at the edge where the recording was cut. */
static bool join_gap(struct km_trace_gap *gaps, size_t n, const struct km_trace_gap *gap)
{
	for (size_t i = 0; i < n; i++) {
		bool same = gaps[i].cpu == gap->cpu && gaps[i].cause == gap->cause &&
			    gaps[i].events == gap->events;
		bool touch =
			gaps[i].before_ns >= gap->after_ns && gap->before_ns >= gaps[i].after_ns;

		if (!same || !touch)
			continue;
		if (gap->after_ns < gaps[i].after_ns)
			gaps[i].after_ns = gap->after_ns;
		if (gap->before_ns > gaps[i].before_ns)
			gaps[i].before_ns = gap->before_ns;
		return true;
	}
	return false;
}

static int merge_gaps(struct merge *merge, struct km_err *err)
{
	struct km_trace_gap *gaps;
	size_t count[2], n = 0;
	int code = 0;

	km_trace_gaps(merge->side[0].trace, &count[0]);
	km_trace_gaps(merge->side[1].trace, &count[1]);
	gaps = calloc(count[0] + count[1] + 1, sizeof(*gaps));
	if (!gaps)
		return -ENOMEM;
	for (unsigned i = 0; i < 2; i++) {
		const struct km_trace_gap *from = km_trace_gaps(merge->side[i].trace, &count[i]);

		for (size_t j = 0; j < count[i]; j++) {
			struct km_trace_gap gap = from[j];

			gap.after_ns += merge->side[i].begin_ns;
			gap.before_ns += merge->side[i].begin_ns;
			if (!merge->parts || !i || !join_gap(gaps, count[0], &gap))
				gaps[n++] = gap;
		}
	}
	for (size_t i = 0; !code && i < n; i++) {
		merge->lost[gaps[i].cause] += gaps[i].events;
		code = km_trace_add_gap(merge->target.writer, &gaps[i], err);
	}
	free(gaps);
	return code;
}

static uint64_t sum(const uint64_t *numbers, unsigned n)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += numbers[i];
	return total;
}

/*
 * Parts have the ledger of the recording, less what each left out: what neither has is excluded.
 * What they call sampled is of one sampling.
 */
static int join_parts(const struct merge *merge, const struct km_trace_counts *a,
		      const struct km_trace_counts *b, struct km_trace_counts *both,
		      struct km_err *err)
{
	uint64_t fired = sum(a->fired, KM_NR_EVENT_KINDS), known;

	*both = *a;
	memcpy(both->lost, merge->lost, sizeof(both->lost));
	both->filtered_sampled = a->filtered_sampled > b->filtered_sampled ? a->filtered_sampled
									   : b->filtered_sampled;
	known = merge->report->events + sum(both->lost, KM_NR_LOSS_CAUSES) + both->filtered_null +
		both->filtered_self + both->filtered_sampled + both->filtered_aged;
	if (memcmp(a->fired, b->fired, sizeof(a->fired)) || known > fired)
		return km_fail(
			err, -EINVAL,
			"%s and %s are of one recording, but hold more than it did; parts that "
			"overlap cannot be put together",
			km_trace_path(merge->side[0].trace), km_trace_path(merge->side[1].trace));
	both->filtered_excluded = fired - known;
	return 0;
}

static void add_counts(const struct merge *merge, const struct km_trace_counts *a,
		       const struct km_trace_counts *b, struct km_trace_counts *both)
{
	*both = *a;
	memcpy(both->lost, merge->lost, sizeof(both->lost));
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		both->fired[kind] += b->fired[kind];
#define X(reason, meaning) both->filtered_##reason += b->filtered_##reason;
	KM_FILTER_REASONS(X)
#undef X
}

static int write_ledger(struct merge *merge, struct km_err *err)
{
	struct km_trace_counts a, b, both;
	int code;

	if ((code = km_trace_counts(merge->side[0].trace, &a)) ||
	    (code = km_trace_counts(merge->side[1].trace, &b)) || (code = merge_gaps(merge, err)))
		return code;
	if (merge->parts)
		code = join_parts(merge, &a, &b, &both, err);
	else
		add_counts(merge, &a, &b, &both);
	merge->report->kept = merge->report->events;
	return code ? code : km_trace_set_counts(merge->target.writer, &both, err);
}

/* ---- the rest ---- */

struct wanted {
	const struct merge *merge;
	unsigned side;
};

/* The state at the start is the first's, that at the end the one's that ends last. */
static bool wants_snapshot(const void *context, const struct km_copy_snapshot *snapshot)
{
	const struct wanted *wanted = context;
	const struct side *a = &wanted->merge->side[0], *b = &wanted->merge->side[1];

	if (!strcmp(snapshot->phase, "start"))
		return !wanted->side;
	if (!strcmp(snapshot->phase, "end"))
		return wanted->side == (b->end_ns >= a->end_ns) &&
		       !(wanted->side && km_copy_tells_times(snapshot->source));
	/* Parts of one time have the same samples. */
	return !wanted->side || !wanted->merge->parts ||
	       snapshot->time_ns + b->begin_ns > a->end_ns;
}

static int write_facts(struct merge *merge, struct km_err *err)
{
	const char *origin = merge->parts ? km_copy_origin(merge->side[0].trace) : NULL;
	const char *uuid[2] = {km_trace_meta(merge->side[0].trace, "uuid"),
			       km_trace_meta(merge->side[1].trace, "uuid")};
	char made[256];
	int code = km_copy_facts(&merge->side[1].copy, err);

	if (!code) /* the first's count where both say something */
		code = km_copy_facts(&merge->side[0].copy, err);
	snprintf(made, sizeof(made), "merged %s and %s", uuid[0] ? uuid[0] : "?",
		 uuid[1] ? uuid[1] : "?");
	if (!code)
		code = km_trace_set_meta(merge->target.writer, "edited", made, err);
	if (!code)
		code = km_copy_name(&merge->side[0].copy, uuid[0], made, err);
	if (!code && origin)
		code = km_trace_set_meta(merge->target.writer, "origin", origin, err);
	return code;
}

static int copy_all(struct merge *merge, struct km_err *err)
{
	int code = 0;

	for (unsigned i = 0; !code && i < 2; i++) {
		struct wanted wanted = {merge, i};
		struct km_copy *copy = &merge->side[i].copy;

		code = km_copy_begin(copy, merge->side[i].trace, &merge->target, i == 1, err);
		if (!code)
			code = km_copy_snapshots(copy, wants_snapshot, &wanted, err);
		if (!code)
			code = km_copy_cgroups(copy, err);
	}
	if (!code)
		code = write_facts(merge, err);
	if (!code)
		code = copy_events(merge, err);
	return code ? code : write_ledger(merge, err);
}

int km_trace_merge(struct km_trace *first, struct km_trace *second, bool (*stop)(void),
		   struct km_trace_writer *writer, struct km_transform_report *report,
		   struct km_err *err)
{
	struct merge merge = {.side = {{.trace = first}, {.trace = second}},
			      .target = {.writer = writer},
			      .report = report,
			      .stop = stop};
	int code;

	*report = (struct km_transform_report){0};
	if (!km_trace_complete(first) || !km_trace_complete(second))
		return km_copy_unfinished(km_trace_complete(first) ? second : first, err);
	code = check_machine(&merge, err);
	if (!code)
		code = place(&merge, err);
	if (!code)
		code = copy_all(&merge, err);
	for (unsigned i = 0; i < 2; i++) {
		km_trace_cursor_close(merge.side[i].cursor);
		km_copy_end(&merge.side[i].copy);
	}
	km_copy_target_free(&merge.target);
	if (code == -ENOMEM)
		km_fail(err, code, "cannot put traces together: not enough memory");
	return code;
}
