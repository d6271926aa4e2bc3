/* SPDX-License-Identifier: GPL-2.0-only */
/* A chunk -> columns or events: all that is in it. */
#include "decoder.h"
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>
#include <zstd.h>

struct km_decoder *km_decoder_new(void)
{
	struct km_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return NULL;
	decoder->zstd = ZSTD_createDCtx();
	if (!decoder->zstd) {
		free(decoder);
		return NULL;
	}
	km_decoder_tables(&decoder->tables);
	return decoder;
}

void km_decoder_delete(struct km_decoder *decoder)
{
	if (!decoder)
		return;
	for (int s = 0; s < KM_NR_STREAMS; s++)
		free(decoder->own_raw[s]);
	free(decoder->near);
	km_columns_free(&decoder->own);
	km_selected_free(&decoder->selected);
	ZSTD_freeDCtx(decoder->zstd);
	free(decoder);
}

/* ---- does it hold together ---- */

bool km_chunk_same_place(const struct km_chunk *found, const struct km_chunk *chunk)
{
	return found->events == chunk->events && found->first_seq == chunk->first_seq &&
	       found->cpu == chunk->cpu && found->kinds == chunk->kinds;
}

static bool same_times(const struct km_chunk *found, const struct km_chunk *chunk)
{
	return found->t_min == chunk->t_min && found->t_max == chunk->t_max &&
	       found->sorted == chunk->sorted;
}

/* All but the checksum; of at most `room` events. */
static int decode(struct km_decoder *decoder, const void *bytes, size_t size,
		  const struct km_chunk_limits *limits, uint32_t room, struct km_chunk *found,
		  struct km_columns *columns)
{
	int code = km_decoder_begin(decoder, bytes, size, room, found, columns);

	if (code || (code = km_decoder_shapes(decoder, limits, found, columns)) ||
	    (code = km_decoder_shape_ids(decoder, columns, 0, columns->n)) ||
	    (code = km_decoder_actors(decoder, limits, columns, 0, columns->n)) ||
	    (code = km_decoder_times(decoder, found, columns)))
		return code;
	return km_decoder_ptrs(decoder, columns, columns->n);
}

int km_chunk_columns(struct km_decoder *decoder, const void *bytes, size_t size,
		     const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		     struct km_columns *columns)
{
	struct km_chunk found;
	int code;

	if (XXH64(bytes, size, 0) != chunk->xxh64)
		return -EBADMSG;
	code = decode(decoder, bytes, size, limits, chunk->events, &found, columns);
	if (code)
		return code;
	return km_chunk_same_place(&found, chunk) && same_times(&found, chunk) ? 0 : -EPROTO;
}

/* ---- events of columns ---- */

static void assemble(const struct km_columns *columns, uint32_t first_seq, struct km_event *events)
{
	for (uint32_t i = 0; i < columns->n; i++) {
		const struct km_actor *actor = &columns->legend.actors[columns->actor_of[i]];
		struct km_event *event = &events[i];

		*event = columns->legend.shapes[columns->shape_of[i]];
		event->time_ns = columns->time_ns[i];
		event->ptr = columns->ptr[i];
		event->task = actor->task;
		event->context = actor->context;
		event->seq = first_seq + i;
	}
}

int km_chunk_decode(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    struct km_event *events)
{
	int code = km_chunk_columns(decoder, bytes, size, limits, chunk, &decoder->own);

	if (!code)
		assemble(&decoder->own, chunk->first_seq, events);
	return code;
}

int km_chunk_examine(struct km_decoder *decoder, const void *bytes, size_t size,
		     const struct km_chunk_limits *limits, struct km_chunk *found,
		     struct km_event *events)
{
	int code;

	found->xxh64 = XXH64(bytes, size, 0);
	code = decode(decoder, bytes, size, limits, KM_CHUNK_EVENTS, found, &decoder->own);
	if (!code)
		assemble(&decoder->own, found->first_seq, events);
	return code;
}
