/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A decoder (private to decode_columns.c, which makes columns of a chunk's streams, and decode.c,
 * which makes events of them).
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
	/* By shape; work memory. */
	uint64_t *near; /* the last pointer of the shape */
	uint8_t *wanted;
	uint32_t max_shapes;
	struct km_columns own; /* where events are asked for */
};

void km_decoder_tables(struct km_decoder_tables *tables);
/*
 * The header, and where the streams are: of at most `room` events. As all that follow: 0, -EPROTO
 * or -ENOMEM. *found: what the header says of the chunk.
 */
int km_decoder_begin(struct km_decoder *decoder, const void *bytes, size_t size, uint32_t room,
		     struct km_chunk *found, struct km_columns *columns);
/* Columns, each checked; kinds and times go to *found. Pointers need shapes and their ids. */
int km_decoder_shapes(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		      struct km_chunk *found, struct km_columns *columns);
int km_decoder_shape_ids(struct km_decoder *decoder, struct km_columns *columns);
int km_decoder_actors(struct km_decoder *decoder, const struct km_chunk_limits *limits,
		      struct km_columns *columns);
int km_decoder_times(struct km_decoder *decoder, struct km_chunk *found,
		     struct km_columns *columns);
int km_decoder_ptrs(struct km_decoder *decoder, struct km_columns *columns);

#endif
