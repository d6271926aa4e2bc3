/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events in brief: a thread reads, decodes and merges the chunks of all CPUs into stretches while
 * those before are being counted. Columns stay where they are decoded; what is handed over goes
 * round in a ring. That holds what is counted while a chunk of each of two CPUs is decoded, during
 * which nothing comes: with a quarter of it each thread waited for the other at every chunk, a
 * third of the time.
 */
#include "huge.h"
#include "lane.h"
#include "read_ahead.h"
#include <stdlib.h>

#define RING_BYTES (2 * KM_HUGE_BYTES)
#define STRETCH_EVENTS 2048
#define STRETCHES (RING_BYTES / STRETCH_EVENTS / sizeof(struct km_brief))

struct km_briefs {
	struct km_trace_cursor *cursor;
	struct km_read_ahead *ahead;
	struct km_brief *events; /* of all stretches */
	struct stretch {
		struct km_brief *events;
		size_t n;
		const struct km_lane *begun; /* a chunk of it: its legend is here; NULL: none */
		struct km_legend_store legend;
		int code; /* there are no more events, as reading failed */
		struct km_err err;
	} stretches[STRETCHES];
	/* By lane, as far as was handed out. */
	struct km_legend_store *stores;
	struct km_legend *legends;
};

/* ---- merging ---- */

/* Two lanes that come before all others, and how far. */
struct pair {
	struct km_lane *lane[2];
	uint32_t at[2];
	uint64_t limit; /* time that others may begin at */
};

/* What comes after the lane at the top and its rival, at heap[place]: their children. */
static uint64_t third_key(const struct km_trace_cursor *cursor, size_t place)
{
	uint64_t key = UINT64_MAX;

	for (size_t i = 1; i <= 6 && i < cursor->nr_heap; i++)
		if (i != place && cursor->heap[i]->key < key)
			key = cursor->heap[i]->key;
	return key;
}

static inline void put_brief(struct km_brief *to, uint64_t time_ns,
			     const struct km_columns *columns, uint32_t at)
{
	to->time_ns = time_ns;
	to->ptr = columns->ptr[at];
	to->cpu = columns->cpu;
	to->shape = columns->shape_of[at];
	to->actor = columns->actor_of[at];
}

static inline size_t least_of(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/*
 * Events of both in order until one lane has no more, others may come or there is no room; at
 * least one, of the first. Which of the two is next cannot be predicted: there is no branch on it.
 * So many steps at a time that neither lane can end within.
 */
static size_t merge_pair(struct pair *pair, struct km_brief *to, size_t room)
{
	const struct km_columns *const lanes[2] = {&pair->lane[0]->decoded.columns,
						   &pair->lane[1]->decoded.columns};
	const uint64_t *times_one = lanes[0]->time_ns, *times_two = lanes[1]->time_ns;
	const uint64_t limit = pair->limit;
	const bool two_first = pair->lane[1]->cpu < pair->lane[0]->cpu; /* at the same time */
	uint32_t at_one = pair->at[0], at_two = pair->at[1];
	size_t n = 0, steps;

	while ((steps = least_of(room - n, lanes[0]->n - at_one, lanes[1]->n - at_two))) {
		for (struct km_brief *next = to + n, *end = next + steps; next < end; next++) {
			uint64_t one = times_one[at_one], two = times_two[at_two];
			uint64_t time = one < two ? one : two;
			bool take_two = two < one + two_first;

			if (time >= limit && next > to)
				goto out;
			put_brief(next, time, lanes[take_two], take_two ? at_two : at_one);
			at_two += take_two;
			at_one += !take_two;
		}
		n += steps;
	}
out:
	n = at_one - pair->at[0] + at_two - pair->at[1];
	pair->at[0] = at_one;
	pair->at[1] = at_two;
	return n;
}

/* The same of the lane at the top alone, when its rival is not decoded yet or there is none. */
static size_t take_alone(struct pair *pair, struct km_brief *to, size_t room)
{
	const struct km_columns *columns = &pair->lane[0]->decoded.columns;
	uint32_t at = pair->at[0];
	size_t n = 0;

	do {
		put_brief(&to[n++], columns->time_ns[at], columns, at);
		at++;
	} while (n < room && at < columns->n && columns->time_ns[at] < pair->limit);
	pair->at[0] = at;
	return n;
}

/* At least one event of the lane at the top, which has some. */
static size_t take_some(struct km_trace_cursor *cursor, struct km_brief *to, size_t room)
{
	struct km_lane *top = cursor->heap[0], *rival = NULL;
	size_t n, place = 1;
	struct pair pair = {.lane = {top}, .at = {top->at}, .limit = UINT64_MAX};

	if (cursor->nr_heap > 2 && km_lane_before(cursor->heap[2], cursor->heap[1]))
		place = 2;
	if (cursor->nr_heap > 1)
		rival = cursor->heap[place];
	if (rival && rival->at < rival->decoded.n) {
		pair.lane[1] = rival;
		pair.at[1] = rival->at;
		pair.limit = third_key(cursor, place);
		n = merge_pair(&pair, to, room);
		rival->at = pair.at[1];
		km_cursor_moved(cursor, place);
	} else {
		pair.limit = rival ? rival->key : UINT64_MAX;
		n = take_alone(&pair, to, room);
	}
	top->at = pair.at[0];
	km_cursor_moved(cursor, 0);
	return n;
}

/* ---- in the thread ---- */

static void swap_legends(struct km_legend_store *one, struct km_legend_store *other)
{
	struct km_legend_store kept = *one;

	*one = *other;
	*other = kept;
}

/* The next chunk of the lane at the top. */
static void begin_chunk(struct km_briefs *briefs, struct stretch *stretch)
{
	struct km_lane *lane = briefs->cursor->heap[0];

	stretch->code = km_lane_load(briefs->cursor, lane, &stretch->err);
	if (stretch->code)
		return;
	stretch->begun = lane;
	swap_legends(&stretch->legend, &lane->decoded.columns.legend);
	km_cursor_moved(briefs->cursor, 0);
}

/* A stretch ends where the next chunk begins. */
static bool fill_stretch(void *context, size_t slot)
{
	struct km_briefs *briefs = context;
	struct km_trace_cursor *cursor = briefs->cursor;
	struct stretch *stretch = &briefs->stretches[slot];

	stretch->n = 0;
	stretch->begun = NULL;
	while (!stretch->code && stretch->n < STRETCH_EVENTS && cursor->nr_heap) {
		const struct km_lane *top = cursor->heap[0];

		if (top->at < top->decoded.n)
			stretch->n += take_some(cursor, stretch->events + stretch->n,
						STRETCH_EVENTS - stretch->n);
		else if (!stretch->n && !stretch->begun)
			begin_chunk(briefs, stretch);
		else
			break;
	}
	return stretch->n || stretch->begun;
}

/* ---- the interface ---- */

struct km_briefs *km_briefs_new(struct km_trace_cursor *cursor)
{
	struct km_briefs *briefs = calloc(1, sizeof(*briefs));
	size_t lanes = cursor->nr_lanes;

	if (!briefs)
		return NULL;
	briefs->cursor = cursor;
	briefs->events = km_huge_map(RING_BYTES);
	briefs->stores = calloc(lanes + 1, sizeof(*briefs->stores));
	briefs->legends = calloc(lanes + 1, sizeof(*briefs->legends));
	for (size_t i = 0; i < STRETCHES; i++)
		briefs->stretches[i].events = briefs->events + i * STRETCH_EVENTS;
	if (briefs->events && briefs->stores && briefs->legends)
		briefs->ahead = km_read_ahead_new(STRETCHES, fill_stretch, briefs);
	if (briefs->ahead)
		return briefs;
	km_briefs_delete(briefs);
	return NULL;
}

void km_briefs_delete(struct km_briefs *briefs)
{
	if (!briefs)
		return;
	km_read_ahead_delete(briefs->ahead);
	for (size_t i = 0; i < STRETCHES; i++)
		km_legend_store_free(&briefs->stretches[i].legend);
	for (size_t i = 0; briefs->stores && i < briefs->cursor->nr_lanes; i++)
		km_legend_store_free(&briefs->stores[i]);
	free(briefs->stores);
	free(briefs->legends);
	km_huge_unmap(briefs->events, RING_BYTES);
	free(briefs);
}

int km_trace_next_stretch(struct km_trace_cursor *cursor, struct km_stretch *out,
			  struct km_err *err)
{
	struct km_briefs *briefs = cursor->briefs;
	struct stretch *stretch = &briefs->stretches[km_read_ahead_next(briefs->ahead)];

	if (stretch->code) {
		if (err)
			*err = stretch->err;
		return stretch->code;
	}
	*out = (struct km_stretch){.events = stretch->events, .n = stretch->n};
	if (stretch->begun) {
		size_t lane = (size_t)(stretch->begun - cursor->lanes);
		struct km_legend_store *store = &briefs->stores[lane];

		swap_legends(store, &stretch->legend);
		briefs->legends[lane] = (struct km_legend){.shapes = store->shapes,
							   .actors = store->actors,
							   .nr_shapes = store->nr_shapes,
							   .nr_actors = store->nr_actors,
							   .cpu = stretch->begun->cpu};
		out->legend = &briefs->legends[lane];
	}
	return 0;
}
