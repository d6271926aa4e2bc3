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

bool km_lane_step(struct km_trace_cursor *cursor, struct km_lane *lane)
{
	const struct km_chunk_row *chunks = cursor->trace->chunks;

	while (lane->chunk < lane->end &&
	       !chunk_passes(&cursor->filter, &chunks[lane->chunk].chunk))
		lane->chunk++;
	return lane->chunk < lane->end;
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

static int reserve_events(struct km_decoded *decoded, uint32_t events)
{
	if (events <= decoded->capacity)
		return 0;
	free(decoded->events);
	decoded->capacity = 0;
	decoded->events = malloc(events * sizeof(*decoded->events));
	if (!decoded->events)
		return -ENOMEM;
	decoded->capacity = events;
	return 0;
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

/* What is wanted of the chunk. */
static int decode_bytes(struct km_trace_cursor *cursor, const struct km_chunk *chunk,
			const void *bytes, size_t size, struct km_decoded *to)
{
	const struct km_chunk_limits *limits = &cursor->trace->limits;
	struct km_chunk_selection selection;
	int code;

	if (!size)
		return -EPROTO;
	if (cursor->filter.brief) {
		code = decode_columns(cursor, chunk, bytes, size, &to->columns);
		to->n = to->columns.n;
		return code;
	}
	if (reserve_events(to, chunk->events))
		return -ENOMEM;
	to->n = chunk->events;
	return selects(&cursor->filter, chunk, &selection)
		       ? km_chunk_select(cursor->decoder, bytes, size, limits, chunk, &selection,
					 to->events, &to->n)
		       : km_chunk_decode(cursor->decoder, bytes, size, limits, chunk, to->events);
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

int km_lane_load(struct km_trace_cursor *cursor, struct km_lane *lane, struct km_err *err)
{
	const struct km_chunk_row *row = &cursor->trace->chunks[lane->chunk];
	const void *bytes;
	size_t size;
	int code = read_payload(cursor, row, &bytes, &size, err);

	if (!code) {
		code = decode_bytes(cursor, &row->chunk, bytes, size, &lane->decoded);
		if (code)
			code = chunk_fail(cursor, row, code, err);
	}
	sqlite3_reset(cursor->payload);
	if (code) {
		lane->decoded.n = lane->at;
		return code;
	}
	lane->chunk++;
	lane->at = 0;
	if (lane->decoded.n)
		lane->key = km_lane_key(cursor, lane, 0);
	return 0;
}

void km_lane_free(struct km_lane *lane)
{
	free(lane->decoded.events);
	km_columns_free(&lane->decoded.columns);
}
