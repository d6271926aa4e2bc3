/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Selected events of a chunk. Columns are decoded as far as the events need them; the events,
 * which take three times the memory, are made a piece at a time, while they are in the cache.
 */
#include "decoder.h"
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

/* ---- what is wanted ---- */

/* Which shapes are selected; false if none is. There is room. */
static bool mark_wanted(struct km_selected *selected, const struct km_chunk_selection *selection)
{
	const struct km_legend_store *legend = &selected->columns.legend;
	bool any = false, all = true;

	for (uint32_t i = 0; i < legend->nr_shapes; i++) {
		const struct km_event *shape = &legend->shapes[i];

		selected->wanted[i] = selection->kinds >> shape->kind & 1 &&
				      (!selection->caches || selection->caches[shape->cache]);
		any |= selected->wanted[i];
		all &= selected->wanted[i];
	}
	selected->by_shape = !all;
	return any;
}

static int reserve_wanted(struct km_selected *selected)
{
	uint32_t n = selected->columns.legend.nr_shapes;

	if (n <= selected->max_shapes)
		return 0;
	selected->max_shapes = 0;
	free(selected->wanted);
	selected->wanted = malloc(n);
	if (!selected->wanted)
		return -ENOMEM;
	selected->max_shapes = n;
	return 0;
}

/* Columns of events [*at, *end), which may be fewer then. */
static int read_columns(struct km_selected *selected, struct km_decoder *decoder,
			const struct km_chunk_limits *limits, const struct km_chunk *chunk,
			uint32_t *at, uint32_t *end)
{
	struct km_columns *columns = &selected->columns;
	bool ptrs = !(selected->without & KM_WITHOUT_PTR);
	int code;

	if (!(selected->without & KM_WITHOUT_TIME)) {
		code = km_decoder_window(decoder, chunk, selected->from_ns, selected->to_ns,
					 columns, at, end);
		if (code || *at == *end)
			return code;
	}
	code = km_decoder_shape_ids(decoder, columns, ptrs ? 0 : *at, *end);
	if (!code && !(selected->without & KM_WITHOUT_ACTOR))
		code = km_decoder_actors(decoder, limits, columns, *at, *end);
	return code || !ptrs ? code : km_decoder_ptrs(decoder, columns, *end);
}

int km_selected_begin(struct km_selected *selected, struct km_decoder *decoder, const void *bytes,
		      size_t size, const struct km_chunk_limits *limits,
		      const struct km_chunk *chunk, const struct km_chunk_selection *selection)
{
	struct km_columns *columns = &selected->columns;
	uint32_t at = 0, end = chunk->events;
	struct km_chunk found;
	int code;

	selected->at = selected->end = 0;
	if (XXH64(bytes, size, 0) != chunk->xxh64)
		return -EBADMSG;
	if ((code = km_decoder_begin(decoder, bytes, size, chunk->events, &found, columns)) ||
	    (code = km_decoder_shapes(decoder, limits, &found, columns)) ||
	    (code = reserve_wanted(selected)))
		return code;
	if (!km_chunk_same_place(&found, chunk))
		return -EPROTO;
	if (!mark_wanted(selected, selection))
		return 0;
	selected->first_seq = chunk->first_seq;
	selected->without = selection->without;
	selected->from_ns = selection->from_ns;
	selected->to_ns = selection->to_ns;
	selected->by_time = !(selection->without & KM_WITHOUT_TIME) && !chunk->sorted;
	code = read_columns(selected, decoder, limits, chunk, &at, &end);
	if (code)
		return code;
	selected->at = at;
	selected->end = end;
	return 0;
}

/* ---- the events ---- */

static inline bool is_wanted(const struct km_selected *selected, uint32_t at)
{
	const struct km_columns *columns = &selected->columns;

	return selected->wanted[columns->shape_of[at]] &&
	       (!selected->by_time || (columns->time_ns[at] >= selected->from_ns &&
				       columns->time_ns[at] < selected->to_ns));
}

bool km_selected_step(struct km_selected *selected)
{
	if (selected->by_shape || selected->by_time)
		while (selected->at < selected->end && !is_wanted(selected, selected->at))
			selected->at++;
	return selected->at < selected->end;
}

/* What the n events have of their shapes. An event that is not wanted is written over. */
static uint32_t take_shapes(struct km_selected *selected, struct km_event *events, uint32_t room)
{
	const struct km_columns *columns = &selected->columns;
	const bool all = !selected->by_shape && !selected->by_time;
	uint32_t at = selected->at, end = selected->end, n = 0;

	for (; at < end && n < room; at++) {
		events[n] = columns->legend.shapes[columns->shape_of[at]];
		events[n].seq = selected->first_seq + at;
		n += all || is_wanted(selected, at);
	}
	selected->at = at;
	return n;
}

/* The rest of the n events, which know their places by seq. */
uint32_t km_selected_take(struct km_selected *selected, struct km_event *events, uint32_t room)
{
	const struct km_columns *columns = &selected->columns;
	uint32_t n = take_shapes(selected, events, room), first = selected->first_seq;

	for (uint32_t i = 0; i < n && !(selected->without & KM_WITHOUT_TIME); i++)
		events[i].time_ns = columns->time_ns[events[i].seq - first];
	for (uint32_t i = 0; i < n && !(selected->without & KM_WITHOUT_PTR); i++)
		events[i].ptr = columns->ptr[events[i].seq - first];
	for (uint32_t i = 0; i < n && !(selected->without & KM_WITHOUT_ACTOR); i++) {
		uint32_t at = events[i].seq - first;

		events[i].task = columns->legend.actors[columns->actor_of[at]].task;
		events[i].context = columns->legend.actors[columns->actor_of[at]].context;
	}
	return n;
}

void km_selected_free(struct km_selected *selected)
{
	km_columns_free(&selected->columns);
	free(selected->wanted);
	*selected = (struct km_selected){0};
}

int km_chunk_select(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    const struct km_chunk_selection *selection, struct km_event *events,
		    uint32_t *n)
{
	int code = km_selected_begin(&decoder->selected, decoder, bytes, size, limits, chunk,
				     selection);

	if (!code)
		*n = km_selected_take(&decoder->selected, events, chunk->events);
	return code;
}
