/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the events of all CPUs as one sequence: a merge of one stream of chunks per CPU, in a
 * binary heap by (time, cpu). A stream waits in the heap with the lowest time its next chunk can
 * have, and that chunk is decoded only when its turn comes, so memory is one chunk per CPU; two
 * of columns, which a thread decodes ahead.
 */
#include "lane.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of a lane without events, which then waits in the heap for its next chunk; false at the end. */
static bool lane_seek(struct km_trace_cursor *cursor, struct km_lane *lane)
{
	if (!km_lane_step(cursor, lane))
		return false;
	lane->key = cursor->filter.by_cpu ? 0 : cursor->trace->chunks[lane->chunk].chunk.t_min;
	return true;
}

/* ---- the heap: the least (key, cpu) first ---- */

static inline bool before(const struct km_lane *a, const struct km_lane *b)
{
	return a->key != b->key ? a->key < b->key : a->cpu < b->cpu;
}

static void sift_down(struct km_trace_cursor *cursor, size_t at)
{
	struct km_lane *lane = cursor->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= cursor->nr_heap)
			break;
		if (child + 1 < cursor->nr_heap &&
		    before(cursor->heap[child + 1], cursor->heap[child]))
			child++;
		if (!before(cursor->heap[child], lane))
			break;
		cursor->heap[at] = cursor->heap[child];
		at = child;
	}
	cursor->heap[at] = lane;
}

/*
 * Some or all events of a lane are taken: it goes on from there, or is out. Where it is not the one
 * at the top, that one is to follow.
 */
static void lane_changed(struct km_trace_cursor *cursor, size_t place)
{
	struct km_lane *lane = cursor->heap[place];

	if (lane->at < lane->decoded.n)
		lane->key = km_lane_key(cursor, lane, lane->at);
	else if (!lane_seek(cursor, lane))
		cursor->heap[place] = cursor->heap[--cursor->nr_heap];
	if (place < cursor->nr_heap)
		sift_down(cursor, place);
}

/* ---- open, next, close ---- */

/* All lanes at their first chunk that may hold events of the filter. */
static void lanes_begin(struct km_trace_cursor *cursor)
{
	cursor->nr_heap = 0;
	cursor->run_left = 0;
	for (size_t i = 0; i < cursor->nr_lanes; i++) {
		struct km_lane *lane = &cursor->lanes[i];

		lane->chunk = lane->begin;
		lane->at = lane->decoded.n = 0;
		if (!lane_seek(cursor, lane))
			continue;
		cursor->heap[cursor->nr_heap++] = lane;
		if (cursor->ahead)
			km_lane_fetch(cursor, lane);
	}
	for (size_t i = cursor->nr_heap / 2; i-- > 0;)
		sift_down(cursor, i);
}

void km_cursor_restart(struct km_trace_cursor *cursor, const struct km_trace_filter *filter)
{
	cursor->filter = filter ? *filter : (struct km_trace_filter){.cpu = -1};
	if (!cursor->filter.to_ns)
		cursor->filter.to_ns = UINT64_MAX;
	if (!cursor->filter.kinds)
		cursor->filter.kinds = UINT32_MAX;
	lanes_begin(cursor);
}

static int cursor_lanes(struct km_trace_cursor *cursor)
{
	const struct km_trace *trace = cursor->trace;
	size_t n = 0;

	for (size_t i = 0; i < trace->nr_chunks; i++)
		n += !i || trace->chunks[i].chunk.cpu != trace->chunks[i - 1].chunk.cpu;
	cursor->lanes = calloc(n + 1, sizeof(*cursor->lanes));
	cursor->heap = calloc(n + 1, sizeof(*cursor->heap));
	if (!cursor->lanes || !cursor->heap)
		return -ENOMEM;
	for (size_t i = 0; i < trace->nr_chunks; i++) {
		if (!i || trace->chunks[i].chunk.cpu != trace->chunks[i - 1].chunk.cpu) {
			cursor->lanes[cursor->nr_lanes].cpu = trace->chunks[i].chunk.cpu;
			cursor->lanes[cursor->nr_lanes++].begin = i;
		}
		cursor->lanes[cursor->nr_lanes - 1].end = i + 1;
	}
	return 0;
}

int km_trace_cursor_open(struct km_trace *trace, const struct km_trace_filter *filter,
			 struct km_trace_cursor **out, struct km_err *err)
{
	struct km_trace_cursor *cursor = calloc(1, sizeof(*cursor));
	int code = -ENOMEM;

	if (!cursor)
		return km_fail(err, code, "cannot read %s: not enough memory", trace->path);
	cursor->trace = trace;
	cursor->decoder = km_decoder_new();
	if (!cursor->decoder || cursor_lanes(cursor)) {
		km_fail(err, code, "cannot read %s: not enough memory", trace->path);
		goto fail;
	}
	code = km_prepare(trace, "SELECT payload FROM chunk WHERE id=?", &cursor->payload, err);
	if (code)
		goto fail;
	if (filter && filter->columns) /* or, without a thread, not */
		cursor->ahead = km_read_ahead_new(cursor->nr_lanes, km_lane_decode_slot, cursor);
	km_cursor_restart(cursor, filter);
	*out = cursor;
	return 0;
fail:
	km_trace_cursor_close(cursor);
	return code;
}

void km_trace_cursor_close(struct km_trace_cursor *cursor)
{
	if (!cursor)
		return;
	km_read_ahead_delete(cursor->ahead);
	for (size_t i = 0; i < cursor->nr_lanes; i++)
		km_decoded_free(&cursor->lanes[i].decoded);
	free(cursor->lanes);
	free(cursor->heap);
	sqlite3_finalize(cursor->payload);
	km_decoder_delete(cursor->decoder);
	free(cursor);
}

/* How many events of the lane at the top come before those of any other. At least one. */
static uint32_t run_length(const struct km_trace_cursor *cursor)
{
	const struct km_lane *lane = cursor->heap[0], *rival = NULL;
	uint32_t at = lane->at, n = lane->decoded.n;
	uint64_t limit; /* last time this lane may go to */

	for (size_t i = 1; i <= 2 && i < cursor->nr_heap; i++)
		if (!rival || before(cursor->heap[i], rival))
			rival = cursor->heap[i];
	if (!rival || cursor->filter.by_cpu)
		return n - at;
	limit = lane->cpu < rival->cpu ? rival->key : rival->key - 1;
	while (at < n && lane->decoded.events[at].time_ns <= limit)
		at++;
	return at - lane->at;
}

/* Find the next run; its length is 0 at the end. */
static int find_run(struct km_trace_cursor *cursor, struct km_err *err)
{
	cursor->run_left = 0;
	while (!cursor->run_left && cursor->nr_heap) {
		struct km_lane *lane = cursor->heap[0];

		if (lane->at == lane->decoded.n) {
			int code = km_lane_load(cursor, lane, err);

			if (code)
				return code;
		} else {
			cursor->run = lane->decoded.events + lane->at;
			cursor->run_left = run_length(cursor);
			lane->at += cursor->run_left;
		}
		lane_changed(cursor, 0);
	}
	return 0;
}

int km_trace_next_run(struct km_trace_cursor *cursor, const struct km_event **events, size_t *got,
		      struct km_err *err)
{
	int code = cursor->run_left ? 0 : find_run(cursor, err);

	if (code)
		return code;
	*events = cursor->run;
	*got = cursor->run_left;
	cursor->run_left = 0;
	return 0;
}

int km_trace_next(struct km_trace_cursor *cursor, struct km_event *events, size_t n, size_t *got,
		  struct km_err *err)
{
	size_t done = 0;

	while (done < n) {
		size_t take = n - done;
		int code = cursor->run_left ? 0 : find_run(cursor, err);

		if (code)
			return code;
		if (!cursor->run_left)
			break;
		if (take > cursor->run_left)
			take = cursor->run_left;
		memcpy(events + done, cursor->run, take * sizeof(*events));
		cursor->run += take;
		cursor->run_left -= (uint32_t)take;
		done += take;
	}
	*got = done;
	return 0;
}

/* ---- references into columns ---- */

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

/*
 * Events of both in order until one lane has no more, others may come or there is no room; at
 * least one, of the first. Which of the two is next cannot be predicted: there is no branch on it.
 */
static size_t merge_pair(struct pair *pair, struct km_event_ref *refs, size_t room)
{
	const struct km_columns *one = &pair->lane[0]->decoded.columns;
	const struct km_columns *two = &pair->lane[1]->decoded.columns;
	const uint64_t *times_one = one->time_ns, *times_two = two->time_ns;
	bool two_first = pair->lane[1]->cpu < pair->lane[0]->cpu; /* at the same time */
	uint32_t at_one = pair->at[0], at_two = pair->at[1], n_one = one->n, n_two = two->n;
	size_t n = 0;

	do {
		uint64_t key_one = times_one[at_one], key_two = times_two[at_two];
		bool take_two = (key_two < key_one) | ((key_two == key_one) & two_first);

		if (n && (take_two ? key_two : key_one) >= pair->limit)
			break;
		refs[n].columns = take_two ? two : one;
		refs[n++].at = take_two ? at_two : at_one;
		at_two += take_two;
		at_one += !take_two;
	} while (n < room && at_one < n_one && at_two < n_two);
	pair->at[0] = at_one;
	pair->at[1] = at_two;
	return n;
}

/* The same of the lane at the top alone, when its rival is not decoded yet or there is none. */
static size_t take_alone(struct pair *pair, struct km_event_ref *refs, size_t room)
{
	const struct km_columns *columns = &pair->lane[0]->decoded.columns;
	size_t n = 0;

	do
		refs[n++] = (struct km_event_ref){columns, pair->at[0]++};
	while (n < room && pair->at[0] < columns->n && columns->time_ns[pair->at[0]] < pair->limit);
	return n;
}

/* At least one event of the lane at the top, which has some. */
static size_t take_some(struct km_trace_cursor *cursor, struct km_event_ref *refs, size_t room)
{
	struct km_lane *top = cursor->heap[0], *rival = NULL;
	size_t place = cursor->nr_heap > 2 && before(cursor->heap[2], cursor->heap[1]) ? 2 : 1, n;
	struct pair pair = {.lane = {top}, .at = {top->at}, .limit = UINT64_MAX};

	if (cursor->nr_heap > 1)
		rival = cursor->heap[place];
	if (rival && rival->at < rival->decoded.n) {
		pair.lane[1] = rival;
		pair.at[1] = rival->at;
		pair.limit = third_key(cursor, place);
		n = merge_pair(&pair, refs, room);
		rival->at = pair.at[1];
		lane_changed(cursor, place);
	} else {
		pair.limit = rival ? rival->key : UINT64_MAX;
		n = take_alone(&pair, refs, room);
	}
	top->at = pair.at[0];
	lane_changed(cursor, 0);
	return n;
}

int km_trace_next_refs(struct km_trace_cursor *cursor, struct km_event_ref *refs, size_t n,
		       size_t *got, struct km_err *err)
{
	size_t done = 0;
	int code;

	while (done < n && cursor->nr_heap) {
		struct km_lane *lane = cursor->heap[0];

		if (lane->at < lane->decoded.n) {
			done += take_some(cursor, refs + done, n - done);
			continue;
		}
		if (done) /* what they refer to must stay */
			break;
		code = km_lane_load(cursor, lane, err);
		if (code)
			return code;
		lane_changed(cursor, 0);
	}
	*got = done;
	return 0;
}
