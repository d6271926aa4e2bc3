/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the events of all CPUs as one sequence: a merge of one stream of chunks per CPU, in a
 * binary heap by (time, cpu). A stream waits in the heap with the lowest time its next chunk can
 * have, and that chunk is decoded only when its turn comes, so memory is one chunk per CPU.
 */
#include "lane.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the heap ---- */

static void sift_down(struct km_trace_cursor *cursor, size_t at)
{
	struct km_lane *lane = cursor->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= cursor->nr_heap)
			break;
		if (child + 1 < cursor->nr_heap &&
		    km_lane_before(cursor->heap[child + 1], cursor->heap[child]))
			child++;
		if (!km_lane_before(cursor->heap[child], lane))
			break;
		cursor->heap[at] = cursor->heap[child];
		at = child;
	}
	cursor->heap[at] = lane;
}

void km_cursor_moved(struct km_trace_cursor *cursor, size_t place)
{
	struct km_lane *lane = cursor->heap[place];

	if (lane->at < lane->decoded.n)
		lane->key = km_lane_key(cursor, lane, lane->at);
	else if (!km_lane_seek(cursor, lane))
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

		km_lane_begin(lane);
		if (km_lane_seek(cursor, lane))
			cursor->heap[cursor->nr_heap++] = lane;
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
	km_cursor_restart(cursor, filter);
	if (cursor->filter.brief) {
		cursor->briefs = km_briefs_new(cursor);
		if (!cursor->briefs) {
			code = km_fail(err, -ENOMEM, "cannot read %s: not enough memory",
				       trace->path);
			goto fail;
		}
	}
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
	km_briefs_delete(cursor->briefs);
	for (size_t i = 0; i < cursor->nr_lanes; i++)
		km_lane_free(&cursor->lanes[i]);
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
		if (!rival || km_lane_before(cursor->heap[i], rival))
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
		km_cursor_moved(cursor, 0);
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
