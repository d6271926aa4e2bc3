/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One CPU's stream of chunks (private to lane.c and cursor.c): the chunk that is decoded and what
 * is left of it, and the one that comes next.
 */
#ifndef KMLAB_TRACES_LANE_H
#define KMLAB_TRACES_LANE_H

#include "read_ahead.h"

struct km_lane {
	struct km_decoded decoded; /* the chunk that is being read; at first nothing */
	uint32_t at;               /* events left of it: [at, decoded.n) */
	size_t begin, end;         /* its chunks: indexes in trace->chunks */
	size_t chunk;              /* the next */
	uint64_t key;              /* of the event at `at`, or least that of the next chunk */
	uint16_t cpu;
};

struct km_trace_cursor {
	struct km_trace *trace;
	struct km_trace_filter filter;
	struct km_decoder *decoder;
	sqlite3_stmt *payload;
	struct km_lane *lanes;
	struct km_lane **heap;
	size_t nr_lanes, nr_heap;
	/* What comes next: events of one lane, not yet handed out. */
	const struct km_event *run;
	size_t run_left;
	struct km_read_ahead *ahead; /* a slot per lane; then the decoder is its thread's */
};

/* Step to the lane's next chunk that may hold events of the filter; false at the end. */
bool km_lane_step(struct km_trace_cursor *cursor, struct km_lane *lane);
/* Decode it; there may be nothing wanted in it. 0 or -errno with a sentence. */
int km_lane_load(struct km_trace_cursor *cursor, struct km_lane *lane, struct km_err *err);
/* Read the lane's next chunk, if there is one, and have it decoded in the thread. */
void km_lane_fetch(struct km_trace_cursor *cursor, struct km_lane *lane);
/* In the thread that reads ahead; the context is the cursor. */
int km_lane_decode_slot(void *context, struct km_ahead_slot *slot);

static inline uint64_t km_lane_time(const struct km_trace_cursor *cursor,
				    const struct km_lane *lane, uint32_t at)
{
	return cursor->filter.columns ? lane->decoded.columns.time_ns[at]
				      : lane->decoded.events[at].time_ns;
}

/* What lanes are merged by, of an event. */
static inline uint64_t km_lane_key(const struct km_trace_cursor *cursor, const struct km_lane *lane,
				   uint32_t at)
{
	return cursor->filter.by_cpu ? 0 : km_lane_time(cursor, lane, at);
}

#endif
