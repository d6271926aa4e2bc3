/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One CPU's stream of chunks (private to lane.c, cursor.c and briefs.c): the chunk that is decoded
 * and what is left of it, and the one that comes next.
 */
#ifndef KMLAB_TRACES_LANE_H
#define KMLAB_TRACES_LANE_H

#include "reader.h"

/* So many events are made at a time that they stay in the cache until they are read. */
#define KM_PIECE_EVENTS 1024

/* A piece of a chunk as events; where briefs are asked for, all that is wanted of it as columns. */
struct km_decoded {
	uint32_t n;
	struct km_event *events; /* KM_PIECE_EVENTS, or NULL so far */
	struct km_columns columns;
};

struct km_lane {
	struct km_decoded decoded;     /* what is being read; at first nothing */
	uint32_t at;                   /* events left of it: [at, decoded.n) */
	struct km_selected chunk_left; /* what comes after it of the same chunk, not in brief */
	size_t begin, end;             /* its chunks: indexes in trace->chunks */
	size_t chunk;                  /* the next */
	uint64_t key;                  /* of the event at `at`, or least that of the next chunk */
	uint16_t cpu;
};

struct km_briefs;

struct km_trace_cursor {
	struct km_trace *trace;
	struct km_trace_filter filter;
	struct km_decoder *decoder;
	sqlite3_stmt *payload;
	struct km_lane *lanes;
	struct km_lane **heap; /* the least (key, cpu) first */
	size_t nr_lanes, nr_heap;
	/* What comes next: events of one lane, not yet handed out. */
	const struct km_event *run;
	size_t run_left;
	struct km_briefs *briefs; /* then all of the above is theirs */
};

/* At its first chunk again, with nothing decoded. */
void km_lane_begin(struct km_lane *lane);
/*
 * Of a lane without events: step to what comes next, in the chunk or in another that may hold
 * events of the filter, and wait for it in the heap. False at the end.
 */
bool km_lane_seek(struct km_trace_cursor *cursor, struct km_lane *lane);
/* Decode it; there may be nothing wanted in it. 0 or -errno with a sentence. */
int km_lane_load(struct km_trace_cursor *cursor, struct km_lane *lane, struct km_err *err);
void km_lane_free(struct km_lane *lane);

/* NULL: no memory. The lanes are at their begin; the cursor must live as long. */
struct km_briefs *km_briefs_new(struct km_trace_cursor *cursor);
void km_briefs_delete(struct km_briefs *briefs);

/*
 * Some or all events of the lane at heap[place] are taken, or it was loaded: it goes on from there,
 * or is out. Where it is not the one at the top, that one is to follow.
 */
void km_cursor_moved(struct km_trace_cursor *cursor, size_t place);

static inline bool km_lane_before(const struct km_lane *a, const struct km_lane *b)
{
	return a->key != b->key ? a->key < b->key : a->cpu < b->cpu;
}

/* What lanes are merged by, of an event. */
static inline uint64_t km_lane_key(const struct km_trace_cursor *cursor, const struct km_lane *lane,
				   uint32_t at)
{
	if (cursor->filter.by_cpu)
		return 0;
	return cursor->filter.brief ? lane->decoded.columns.time_ns[at]
				    : lane->decoded.events[at].time_ns;
}

#endif
