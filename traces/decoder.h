/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A decoder (private to decode_columns.c and decode_times.c, which make columns of a chunk's
 * streams, and decode.c and select.c, which make events of them).
 */
#ifndef KMLAB_TRACES_DECODER_H
#define KMLAB_TRACES_DECODER_H

#include "codec_format.h"

/* Bytes that what lies in one byte stands for: two pointers' codes; four time steps' widths. */
#define KM_BAD_PAIR 0x80u
struct km_decoder_tables {
	uint8_t pair[256]; /* KM_BAD_PAIR: there is no such code */
	uint8_t high[256];
};

struct km_decoder {
	struct km_decoder_tables tables;
	struct ZSTD_DCtx_s *zstd;
	struct km_chunk_header header;
	const uint8_t *stored[KM_NR_STREAMS], *end; /* in the chunk; where that ends */
	const uint8_t *raw[KM_NR_STREAMS];          /* as decompressed */
	uint8_t *own_raw[KM_NR_STREAMS];            /* where they are not in the chunk */
	size_t capacity[KM_NR_STREAMS];
	uint64_t *near; /* by shape: its last pointer; work memory */
	uint32_t max_shapes;
	/* Where events are asked for: all, selected ones. */
	struct km_columns own;
	struct km_selected selected;
};

/* All that the row says of the chunk but for times. */
bool km_chunk_same_place(const struct km_chunk *found, const struct km_chunk *chunk);
void km_decoder_tables(struct km_decoder_tables *tables);
/*
 * The header, and where the streams are: of at most `room` events. As all that follow: 0, -EPROTO
 * or -ENOMEM. *found: what the header says of the chunk.
 */
int km_decoder_begin(struct km_decoder *decoder, const void *bytes, size_t size, uint32_t room,
		     struct km_chunk *found, struct km_columns *columns);
/* A stream in decoder->raw[], with KM_STREAM_SLACK bytes behind it. */
int km_decoder_stream(struct km_decoder *decoder, enum km_stream s);
/*
 * Columns, each checked; kinds and times go to *found. Of ids only [from, end) are made and
 * checked, of pointers [0, end): these need the shapes and the ids of theirs from the first on.
 */
int km_decoder_shapes(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		      struct km_chunk *found, struct km_columns *columns);
int km_decoder_shape_ids(struct km_decoder *decoder, struct km_columns *columns, uint32_t from,
			 uint32_t end);
int km_decoder_actors(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		      struct km_columns *columns, uint32_t from, uint32_t end);
int km_decoder_times(struct km_decoder *decoder, struct km_chunk *found,
		     struct km_columns *columns);
int km_decoder_ptrs(struct km_decoder *decoder, struct km_columns *columns, uint32_t end);
/*
 * Times as the chunk's row says they are, or -EPROTO. Of a sorted chunk only those in
 * [from_ns, to_ns) need be there after it: they are columns->time_ns[*first] up to [*end]. Of
 * another these are all, in the window or not.
 */
int km_decoder_window(struct km_decoder *decoder, const struct km_chunk *chunk, uint64_t from_ns,
		      uint64_t to_ns, struct km_columns *columns, uint32_t *first, uint32_t *end);

#endif
