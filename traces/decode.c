/* SPDX-License-Identifier: GPL-2.0-only */
/* A chunk -> columns or events, all or selected ones. */
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
	free(decoder->wanted);
	km_columns_free(&decoder->own);
	ZSTD_freeDCtx(decoder->zstd);
	free(decoder);
}

/* ---- does it hold together ---- */

static bool same_place(const struct km_chunk *found, const struct km_chunk *chunk)
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
	    (code = km_decoder_shape_ids(decoder, columns)) ||
	    (code = km_decoder_actors(decoder, limits, columns)) ||
	    (code = km_decoder_times(decoder, found, columns)))
		return code;
	return km_decoder_ptrs(decoder, columns);
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
	return same_place(&found, chunk) && same_times(&found, chunk) ? 0 : -EPROTO;
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

/* ---- selected events ---- */

/* Which shapes are selected; false if none is. */
static bool mark_wanted(struct km_decoder *decoder, const struct km_chunk_selection *selection)
{
	bool any = false;

	for (uint32_t i = 0; i < decoder->own.legend.nr_shapes; i++) {
		const struct km_event *shape = &decoder->own.legend.shapes[i];

		decoder->wanted[i] = selection->kinds >> shape->kind & 1 &&
				     (!selection->caches || selection->caches[shape->cache]);
		any |= decoder->wanted[i];
	}
	return any;
}

/* Events of wanted shapes. An event that is not wanted is written, and then over it the next. */
static uint32_t assemble_timeless(const struct km_decoder *decoder, const struct km_chunk *found,
				  struct km_event *events)
{
	const struct km_columns *columns = &decoder->own;
	uint32_t n = 0;

	for (uint32_t i = 0; i < columns->n; i++) {
		unsigned shape = columns->shape_of[i];

		events[n] = columns->legend.shapes[shape];
		events[n].seq = found->first_seq + i;
		n += decoder->wanted[shape];
	}
	return n;
}

static uint32_t assemble_timed(const struct km_decoder *decoder,
			       const struct km_chunk_selection *selection,
			       const struct km_chunk *found, struct km_event *events)
{
	const struct km_columns *columns = &decoder->own;
	uint32_t n = 0;

	for (uint32_t i = 0; i < columns->n; i++) {
		unsigned shape = columns->shape_of[i];
		uint64_t time = columns->time_ns[i];

		if (time < selection->from_ns || time >= selection->to_ns)
			continue;
		events[n] = columns->legend.shapes[shape];
		events[n].time_ns = time;
		events[n].seq = found->first_seq + i;
		n += decoder->wanted[shape];
	}
	return n;
}

/* Pointers and actors of the n selected events, which know their places by seq. */
static void complete(const struct km_columns *columns, const struct km_chunk *found,
		     unsigned without, struct km_event *events, uint32_t n)
{
	for (uint32_t i = 0; i < n && !(without & KM_WITHOUT_PTR); i++)
		events[i].ptr = columns->ptr[events[i].seq - found->first_seq];
	for (uint32_t i = 0; i < n && !(without & KM_WITHOUT_ACTOR); i++) {
		uint32_t at = events[i].seq - found->first_seq;

		events[i].task = columns->legend.actors[columns->actor_of[at]].task;
		events[i].context = columns->legend.actors[columns->actor_of[at]].context;
	}
}

int km_chunk_select(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    const struct km_chunk_selection *selection, struct km_event *events,
		    uint32_t *n)
{
	bool timeless = selection->without & KM_WITHOUT_TIME;
	struct km_columns *columns = &decoder->own;
	struct km_chunk found;
	int code;

	if (XXH64(bytes, size, 0) != chunk->xxh64)
		return -EBADMSG;
	if ((code = km_decoder_begin(decoder, bytes, size, chunk->events, &found, columns)) ||
	    (code = km_decoder_shapes(decoder, limits, &found, columns)))
		return code;
	if (!same_place(&found, chunk))
		return -EPROTO;
	*n = 0;
	if (!mark_wanted(decoder, selection))
		return 0;
	if ((code = km_decoder_shape_ids(decoder, columns)) ||
	    (!timeless && (code = km_decoder_times(decoder, &found, columns))) ||
	    (!(selection->without & KM_WITHOUT_ACTOR) &&
	     (code = km_decoder_actors(decoder, limits, columns))) ||
	    (!(selection->without & KM_WITHOUT_PTR) && (code = km_decoder_ptrs(decoder, columns))))
		return code;
	*n = timeless ? assemble_timeless(decoder, &found, events)
		      : assemble_timed(decoder, selection, &found, events);
	complete(columns, &found, selection->without, events, *n);
	return timeless || same_times(&found, chunk) ? 0 : -EPROTO;
}
