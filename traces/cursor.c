/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the events of all CPUs as one sequence: a merge of one stream of chunks per CPU, in a
 * binary heap by (time, cpu). A stream waits in the heap with the lowest time its next chunk can
 * have, and that chunk is decoded only when its turn comes, so memory is one chunk per CPU.
 */
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lane_cursor {
	struct km_event *events; /* the decoded chunk, NULL before the first */
	uint32_t at, n;          /* events left: [at, n) */
	uint32_t capacity;
	size_t chunk, end; /* chunks left: indexes in trace->chunks */
	uint64_t key;      /* time of events[at], or t_min of the next chunk */
	uint16_t cpu;
};

struct km_trace_cursor {
	struct km_trace *trace;
	struct km_trace_filter filter;
	struct km_decoder *decoder;
	sqlite3_stmt *payload;
	struct lane_cursor *lanes;
	struct lane_cursor **heap;
	size_t nr_lanes, nr_heap;
};

static bool chunk_passes(const struct km_trace_filter *filter, const struct km_chunk *chunk)
{
	return chunk->t_max >= filter->from_ns && chunk->t_min < filter->to_ns &&
	       (chunk->kinds & filter->kinds) && (filter->cpu < 0 || filter->cpu == chunk->cpu);
}

/* Step to the lane's next chunk that may hold events of the filter; false at the end. */
static bool lane_seek(struct km_trace_cursor *cursor, struct lane_cursor *lane)
{
	const struct km_chunk_row *chunks = cursor->trace->chunks;

	while (lane->chunk < lane->end &&
	       !chunk_passes(&cursor->filter, &chunks[lane->chunk].chunk))
		lane->chunk++;
	if (lane->chunk == lane->end)
		return false;
	lane->key = chunks[lane->chunk].chunk.t_min;
	return true;
}

static int chunk_fail(const struct km_trace_cursor *cursor, const struct km_chunk_row *row,
		      int code, struct km_err *err)
{
	char what[96];

	if (code == -ENOMEM)
		return km_fail(err, code, "cannot read %s: not enough memory", cursor->trace->path);
	snprintf(what, sizeof(what), "chunk %lld %s", (long long)row->id,
		 code == -EBADMSG ? "fails its checksum" : "cannot be decoded");
	return km_damaged(cursor->trace, err, what);
}

/* Decode the lane's next chunk. */
static int lane_load(struct km_trace_cursor *cursor, struct lane_cursor *lane, struct km_err *err)
{
	const struct km_chunk_row *row = &cursor->trace->chunks[lane->chunk];
	const void *bytes;
	int code, step;

	if (row->chunk.events > lane->capacity) {
		free(lane->events);
		lane->capacity = 0;
		lane->events = malloc(row->chunk.events * sizeof(*lane->events));
		if (!lane->events)
			return chunk_fail(cursor, row, -ENOMEM, err);
		lane->capacity = row->chunk.events;
	}
	sqlite3_bind_int64(cursor->payload, 1, row->id);
	step = sqlite3_step(cursor->payload);
	if (step != SQLITE_ROW && step != SQLITE_DONE &&
	    km_sql_errno(cursor->trace->db) != -EPROTO) {
		code = km_sql_fail(cursor->trace->db, cursor->trace->path, "read", err);
		sqlite3_reset(cursor->payload);
		return code;
	}
	bytes = step == SQLITE_ROW ? sqlite3_column_blob(cursor->payload, 0) : NULL;
	code = bytes ? km_chunk_decode(cursor->decoder, bytes,
				       (size_t)sqlite3_column_bytes(cursor->payload, 0),
				       &cursor->trace->limits, &row->chunk, lane->events)
		     : -EPROTO;
	sqlite3_reset(cursor->payload);
	if (code)
		return chunk_fail(cursor, row, code, err);
	lane->chunk++;
	lane->at = 0;
	lane->n = row->chunk.events;
	lane->key = lane->events[0].time_ns;
	return 0;
}

/* ---- the heap: the least (key, cpu) first ---- */

static inline bool before(const struct lane_cursor *a, const struct lane_cursor *b)
{
	return a->key != b->key ? a->key < b->key : a->cpu < b->cpu;
}

static void sift_down(struct km_trace_cursor *cursor, size_t at)
{
	struct lane_cursor *lane = cursor->heap[at];

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

/* The lane at the top has changed: the next chunk, or out. */
static void top_used_up(struct km_trace_cursor *cursor)
{
	if (!lane_seek(cursor, cursor->heap[0]))
		cursor->heap[0] = cursor->heap[--cursor->nr_heap];
	if (cursor->nr_heap)
		sift_down(cursor, 0);
}

/* ---- open, next, close ---- */

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
			cursor->lanes[cursor->nr_lanes++].chunk = i;
		}
		cursor->lanes[cursor->nr_lanes - 1].end = i + 1;
	}
	for (size_t i = 0; i < cursor->nr_lanes; i++)
		if (lane_seek(cursor, &cursor->lanes[i]))
			cursor->heap[cursor->nr_heap++] = &cursor->lanes[i];
	for (size_t i = cursor->nr_heap / 2; i-- > 0;)
		sift_down(cursor, i);
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
	cursor->filter = filter ? *filter : (struct km_trace_filter){.cpu = -1};
	if (!cursor->filter.to_ns)
		cursor->filter.to_ns = UINT64_MAX;
	if (!cursor->filter.kinds)
		cursor->filter.kinds = UINT32_MAX;
	cursor->decoder = km_decoder_new();
	if (!cursor->decoder || cursor_lanes(cursor)) {
		km_fail(err, code, "cannot read %s: not enough memory", trace->path);
		goto fail;
	}
	code = km_prepare(trace, "SELECT payload FROM chunk WHERE id=?", &cursor->payload, err);
	if (code)
		goto fail;
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
	for (size_t i = 0; i < cursor->nr_lanes; i++)
		free(cursor->lanes[i].events);
	free(cursor->lanes);
	free(cursor->heap);
	sqlite3_finalize(cursor->payload);
	km_decoder_delete(cursor->decoder);
	free(cursor);
}

/*
 * Copy events of the lane at the top until another lane comes first, the lane is used up or there
 * is no room. Returns how many.
 */
static size_t take_run(struct km_trace_cursor *cursor, struct km_event *events, size_t room)
{
	struct lane_cursor *lane = cursor->heap[0], *rival = NULL;
	const struct km_trace_filter *filter = &cursor->filter;
	uint64_t limit = UINT64_MAX; /* last time this lane may go to */
	uint32_t at = lane->at;
	size_t got = 0;

	for (size_t i = 1; i <= 2 && i < cursor->nr_heap; i++)
		if (!rival || before(cursor->heap[i], rival))
			rival = cursor->heap[i];
	if (rival)
		limit = lane->cpu < rival->cpu ? rival->key : rival->key - 1;
	while (at < lane->n && got < room && lane->events[at].time_ns <= limit) {
		const struct km_event *event = &lane->events[at++];

		if ((filter->kinds >> event->kind & 1) && event->time_ns >= filter->from_ns &&
		    event->time_ns < filter->to_ns)
			events[got++] = *event;
	}
	lane->at = at;
	if (at < lane->n)
		lane->key = lane->events[at].time_ns;
	return got;
}

int km_trace_next(struct km_trace_cursor *cursor, struct km_event *events, size_t n, size_t *got,
		  struct km_err *err)
{
	size_t done = 0;
	int code;

	while (done < n && cursor->nr_heap) {
		struct lane_cursor *lane = cursor->heap[0];

		if (lane->at == lane->n) {
			code = lane_load(cursor, lane, err);
			if (code)
				return code;
			sift_down(cursor, 0);
			continue;
		}
		done += take_run(cursor, events + done, n - done);
		if (lane->at == lane->n)
			top_used_up(cursor);
		else
			sift_down(cursor, 0);
	}
	*got = done;
	return 0;
}
