/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the events of all CPUs as one sequence: a merge of one stream of chunks per CPU, in a
 * binary heap by (time, cpu). A stream waits in the heap with the lowest time its next chunk can
 * have, and that chunk is decoded only when its turn comes, so memory is one chunk per CPU; two
 * where a thread decodes ahead.
 */
#include "read_ahead.h"
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lane_cursor {
	struct km_event *events; /* the decoded chunk, NULL before the first */
	uint32_t at, n;          /* events left: [at, n) */
	uint32_t capacity;
	size_t begin, end; /* its chunks: indexes in trace->chunks */
	size_t chunk;      /* the next */
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
	const struct km_event *run; /* events of one lane that come next */
	size_t run_left, run_ahead;
	struct km_read_ahead *ahead; /* a slot per lane; then the decoder is its thread's */
};

static bool chunk_passes(const struct km_trace_filter *filter, const struct km_chunk *chunk)
{
	return chunk->t_max >= filter->from_ns && chunk->t_min < filter->to_ns &&
	       (chunk->kinds & filter->kinds) && (filter->cpu < 0 || filter->cpu == chunk->cpu);
}

/* What of the chunk is wanted; false: all of it. */
static bool selects(const struct km_trace_filter *filter, const struct km_chunk *chunk,
		    struct km_chunk_selection *selection)
{
	bool in_time = chunk->t_min >= filter->from_ns && chunk->t_max < filter->to_ns;

	*selection = (struct km_chunk_selection){.from_ns = filter->from_ns,
						 .to_ns = filter->to_ns,
						 .kinds = filter->kinds,
						 .caches = filter->caches,
						 .without = filter->without};
	if (!filter->by_cpu || !in_time)
		selection->without &= ~KM_WITHOUT_TIME;
	return !in_time || chunk->kinds & ~filter->kinds || selection->caches || selection->without;
}

static inline uint64_t key_of(const struct km_trace_cursor *cursor, uint64_t time_ns)
{
	return cursor->filter.by_cpu ? 0 : time_ns;
}

/* Step to the lane's next chunk that may hold events of the filter; false at the end. */
static bool lane_step(struct km_trace_cursor *cursor, struct lane_cursor *lane)
{
	const struct km_chunk_row *chunks = cursor->trace->chunks;

	while (lane->chunk < lane->end &&
	       !chunk_passes(&cursor->filter, &chunks[lane->chunk].chunk))
		lane->chunk++;
	return lane->chunk < lane->end;
}

/* The same for a lane without events, which then waits in the heap for that chunk. */
static bool lane_seek(struct km_trace_cursor *cursor, struct lane_cursor *lane)
{
	if (!lane_step(cursor, lane))
		return false;
	lane->key = key_of(cursor, cursor->trace->chunks[lane->chunk].chunk.t_min);
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

static int lane_reserve(struct lane_cursor *lane, uint32_t events)
{
	if (events <= lane->capacity)
		return 0;
	free(lane->events);
	lane->capacity = 0;
	lane->events = malloc(events * sizeof(*lane->events));
	if (!lane->events)
		return -ENOMEM;
	lane->capacity = events;
	return 0;
}

/* events: room for all of the chunk's. */
static int decode_bytes(struct km_trace_cursor *cursor, const struct km_chunk *chunk,
			const void *bytes, size_t size, struct km_event *events, uint32_t *n)
{
	const struct km_chunk_limits *limits = &cursor->trace->limits;
	struct km_chunk_selection selection;

	if (!size)
		return -EPROTO;
	*n = chunk->events;
	return selects(&cursor->filter, chunk, &selection)
		       ? km_chunk_select(cursor->decoder, bytes, size, limits, chunk, &selection,
					 events, n)
		       : km_chunk_decode(cursor->decoder, bytes, size, limits, chunk, events);
}

/* *bytes lives until the statement is reset, which is the caller's; size 0: there is none. */
static int read_payload(struct km_trace_cursor *cursor, const struct km_chunk_row *row,
			const void **bytes, size_t *size, struct km_err *err)
{
	int step;

	*size = 0;
	sqlite3_bind_int64(cursor->payload, 1, row->id);
	step = sqlite3_step(cursor->payload);
	if (step == SQLITE_ROW) {
		*bytes = sqlite3_column_blob(cursor->payload, 0);
		*size = *bytes ? (size_t)sqlite3_column_bytes(cursor->payload, 0) : 0;
	}
	if (step == SQLITE_ROW || step == SQLITE_DONE || km_sql_errno(cursor->trace->db) == -EPROTO)
		return 0;
	return km_sql_fail(cursor->trace->db, cursor->trace->path, "read", err);
}

/* Decode the lane's next chunk now. */
static int load_now(struct km_trace_cursor *cursor, struct lane_cursor *lane, struct km_err *err)
{
	const struct km_chunk_row *row = &cursor->trace->chunks[lane->chunk];
	const void *bytes;
	size_t size;
	int code;

	if (lane_reserve(lane, row->chunk.events))
		return chunk_fail(cursor, row, -ENOMEM, err);
	code = read_payload(cursor, row, &bytes, &size, err);
	if (!code) {
		code = decode_bytes(cursor, &row->chunk, bytes, size, lane->events, &lane->n);
		if (code)
			code = chunk_fail(cursor, row, code, err);
	}
	sqlite3_reset(cursor->payload);
	return code;
}

/* In the thread that reads ahead. */
static int decode_slot(void *context, struct km_ahead_slot *slot)
{
	struct km_trace_cursor *cursor = context;
	const struct km_chunk_row *row = &cursor->trace->chunks[slot->chunk];
	int code =
		decode_bytes(cursor, &row->chunk, slot->bytes, slot->size, slot->events, &slot->n);

	return code ? chunk_fail(cursor, row, code, &slot->err) : 0;
}

/* Read the lane's next chunk, if there is one, and have it decoded in the thread. */
static void fetch(struct km_trace_cursor *cursor, struct lane_cursor *lane)
{
	size_t number = (size_t)(lane - cursor->lanes);
	struct km_ahead_slot *slot = km_read_ahead_wait(cursor->ahead, number);
	const struct km_chunk_row *row;
	const void *bytes = NULL;

	if (!lane_step(cursor, lane))
		return;
	row = &cursor->trace->chunks[lane->chunk];
	slot->chunk = lane->chunk;
	slot->code = read_payload(cursor, row, &bytes, &slot->size, &slot->err);
	if (!slot->code && km_ahead_reserve(slot, slot->size, row->chunk.events))
		slot->code = chunk_fail(cursor, row, -ENOMEM, &slot->err);
	if (!slot->code) {
		if (slot->size)
			memcpy(slot->bytes, bytes, slot->size);
		km_read_ahead_start(cursor->ahead, number);
	}
	sqlite3_reset(cursor->payload);
}

/* The lane's next chunk from the thread. What failed is tried anew the next time. */
static int load_ahead(struct km_trace_cursor *cursor, struct lane_cursor *lane, struct km_err *err)
{
	struct km_ahead_slot *slot =
		km_read_ahead_wait(cursor->ahead, (size_t)(lane - cursor->lanes));
	struct km_event *events = lane->events;
	uint32_t capacity = lane->capacity;
	int code = slot->code;

	if (code) {
		if (err)
			*err = slot->err;
		fetch(cursor, lane);
		return code;
	}
	lane->events = slot->events;
	lane->capacity = slot->capacity;
	lane->n = slot->n;
	slot->events = events;
	slot->capacity = capacity;
	return 0;
}

/* Decode the lane's next chunk; there may be nothing wanted in it. */
static int lane_load(struct km_trace_cursor *cursor, struct lane_cursor *lane, struct km_err *err)
{
	int code = cursor->ahead ? load_ahead(cursor, lane, err) : load_now(cursor, lane, err);

	if (code) {
		lane->n = lane->at;
		return code;
	}
	lane->chunk++;
	lane->at = 0;
	if (lane->n)
		lane->key = key_of(cursor, lane->events[0].time_ns);
	if (cursor->ahead)
		fetch(cursor, lane);
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

/* Some or all events of the lane at the top are taken: it goes on from there, or is out. */
static void top_changed(struct km_trace_cursor *cursor)
{
	struct lane_cursor *lane = cursor->heap[0];

	if (lane->at < lane->n)
		lane->key = key_of(cursor, lane->events[lane->at].time_ns);
	else if (!lane_seek(cursor, lane))
		cursor->heap[0] = cursor->heap[--cursor->nr_heap];
	if (cursor->nr_heap)
		sift_down(cursor, 0);
}

/* ---- open, next, close ---- */

/* All lanes at their first chunk that may hold events of the filter. */
static void lanes_begin(struct km_trace_cursor *cursor)
{
	cursor->nr_heap = 0;
	cursor->run_left = 0;
	for (size_t i = 0; i < cursor->nr_lanes; i++) {
		struct lane_cursor *lane = &cursor->lanes[i];

		lane->chunk = lane->begin;
		lane->at = lane->n = 0;
		if (!lane_seek(cursor, lane))
			continue;
		cursor->heap[cursor->nr_heap++] = lane;
		if (cursor->ahead)
			fetch(cursor, lane);
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
	if (filter && filter->ahead) /* or, without a thread, not */
		cursor->ahead = km_read_ahead_new(cursor->nr_lanes, decode_slot, cursor);
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
		free(cursor->lanes[i].events);
	free(cursor->lanes);
	free(cursor->heap);
	sqlite3_finalize(cursor->payload);
	km_decoder_delete(cursor->decoder);
	free(cursor);
}

/* How many events of the lane at the top come before those of any other. At least one. */
static size_t run_length(const struct km_trace_cursor *cursor)
{
	const struct lane_cursor *lane = cursor->heap[0], *rival = NULL;
	uint32_t at = lane->at;
	uint64_t limit; /* last time this lane may go to */

	for (size_t i = 1; i <= 2 && i < cursor->nr_heap; i++)
		if (!rival || before(cursor->heap[i], rival))
			rival = cursor->heap[i];
	if (!rival || cursor->filter.by_cpu)
		return lane->n - at;
	limit = lane->cpu < rival->cpu ? rival->key : rival->key - 1;
	while (at < lane->n && lane->events[at].time_ns <= limit)
		at++;
	return at - lane->at;
}

/* Find the next run; its length is 0 at the end. */
static int find_run(struct km_trace_cursor *cursor, struct km_err *err)
{
	cursor->run_left = 0;
	while (!cursor->run_left && cursor->nr_heap) {
		struct lane_cursor *lane = cursor->heap[0];

		if (lane->at == lane->n) {
			int code = lane_load(cursor, lane, err);

			if (code)
				return code;
		} else {
			cursor->run = lane->events + lane->at;
			cursor->run_left = run_length(cursor);
			lane->at += (uint32_t)cursor->run_left;
			cursor->run_ahead = lane->n - lane->at;
		}
		top_changed(cursor);
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

size_t km_trace_run_ahead(const struct km_trace_cursor *cursor)
{
	return cursor->run_ahead;
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
		cursor->run_left -= take;
		done += take;
	}
	*got = done;
	return 0;
}
