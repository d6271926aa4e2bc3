/* SPDX-License-Identifier: GPL-2.0-only */
/* Chunks of one CPU, decoded when their turn comes. */
#include "lane.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool chunk_passes(const struct km_trace_filter *filter, const struct km_chunk *chunk)
{
	return chunk->t_max >= filter->from_ns && chunk->t_min < filter->to_ns &&
	       (chunk->kinds & filter->kinds) && (filter->cpu < 0 || filter->cpu == chunk->cpu);
}

static struct km_chunk_selection selection_of(const struct km_trace_filter *filter,
					      const struct km_chunk *chunk)
{
	bool in_time = chunk->t_min >= filter->from_ns && chunk->t_max < filter->to_ns;
	unsigned needed = filter->by_cpu && in_time ? 0 : KM_WITHOUT_TIME;

	return (struct km_chunk_selection){.from_ns = filter->from_ns,
					   .to_ns = filter->to_ns,
					   .kinds = filter->kinds,
					   .caches = filter->caches,
					   .without = filter->without & ~needed};
}

void km_lane_begin(struct km_lane *lane)
{
	lane->chunk = lane->begin;
	lane->at = lane->decoded.n = 0;
	lane->chunk_left.at = lane->chunk_left.end = 0;
}

bool km_lane_seek(struct km_trace_cursor *cursor, struct km_lane *lane)
{
	const struct km_chunk_row *chunks = cursor->trace->chunks;
	const struct km_selected *left = &lane->chunk_left;

	if (km_selected_step(&lane->chunk_left)) {
		lane->key = cursor->filter.by_cpu ? 0 : left->columns.time_ns[left->at];
		return true;
	}
	while (lane->chunk < lane->end &&
	       !chunk_passes(&cursor->filter, &chunks[lane->chunk].chunk))
		lane->chunk++;
	if (lane->chunk == lane->end)
		return false;
	lane->key = cursor->filter.by_cpu ? 0 : chunks[lane->chunk].chunk.t_min;
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

static int decode_columns(struct km_trace_cursor *cursor, const struct km_chunk *chunk,
			  const void *bytes, size_t size, struct km_columns *columns)
{
	const struct km_trace_filter *filter = &cursor->filter;
	int code = km_chunk_columns(cursor->decoder, bytes, size, &cursor->trace->limits, chunk,
				    columns);

	if (!code && (chunk->t_min < filter->from_ns || chunk->t_max >= filter->to_ns))
		km_columns_cut(columns, filter->from_ns, filter->to_ns);
	return code;
}

/* What is wanted of the chunk, to be taken, or all of it in brief. */
static int decode_bytes(struct km_trace_cursor *cursor, const struct km_chunk *chunk,
			const void *bytes, size_t size, struct km_lane *lane)
{
	struct km_chunk_selection selection = selection_of(&cursor->filter, chunk);
	struct km_decoded *decoded = &lane->decoded;
	int code;

	if (!size)
		return -EPROTO;
	if (!cursor->filter.brief)
		return km_selected_begin(&lane->chunk_left, cursor->decoder, bytes, size,
					 &cursor->trace->limits, chunk, &selection);
	code = decode_columns(cursor, chunk, bytes, size, &decoded->columns);
	decoded->n = decoded->columns.n;
	return code;
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

static int load_chunk(struct km_trace_cursor *cursor, struct km_lane *lane, struct km_err *err)
{
	const struct km_chunk_row *row = &cursor->trace->chunks[lane->chunk];
	const void *bytes;
	size_t size;
	int code = read_payload(cursor, row, &bytes, &size, err);

	if (!code) {
		code = decode_bytes(cursor, &row->chunk, bytes, size, lane);
		if (code)
			code = chunk_fail(cursor, row, code, err);
	}
	sqlite3_reset(cursor->payload);
	lane->chunk += !code;
	return code;
}

static int take_piece(struct km_trace_cursor *cursor, struct km_lane *lane, struct km_err *err)
{
	struct km_decoded *decoded = &lane->decoded;

	if (!decoded->events)
		decoded->events = malloc(KM_PIECE_EVENTS * sizeof(*decoded->events));
	if (!decoded->events)
		return km_fail(err, -ENOMEM, "cannot read %s: not enough memory",
			       cursor->trace->path);
	decoded->n = km_selected_take(&lane->chunk_left, decoded->events, KM_PIECE_EVENTS);
	return 0;
}

int km_lane_load(struct km_trace_cursor *cursor, struct km_lane *lane, struct km_err *err)
{
	int code = 0;

	if (lane->chunk_left.at == lane->chunk_left.end)
		code = load_chunk(cursor, lane, err);
	if (!code && !cursor->filter.brief)
		code = take_piece(cursor, lane, err);
	if (code) {
		lane->decoded.n = lane->at;
		return code;
	}
	lane->at = 0;
	if (lane->decoded.n)
		lane->key = km_lane_key(cursor, lane, 0);
	return 0;
}

void km_lane_free(struct km_lane *lane)
{
	free(lane->decoded.events);
	km_selected_free(&lane->chunk_left);
	km_columns_free(&lane->decoded.columns);
}
