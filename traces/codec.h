/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One chunk of events of one CPU <-> bytes. Lossless for every field of struct km_event but
 * `reserved`; cpu and seq are the chunk's (seq counts up from first_seq). The layout is described
 * in traces/codec_format.h.
 */
#ifndef KMLAB_TRACES_CODEC_H
#define KMLAB_TRACES_CODEC_H

#include "columns.h"
#include "trace.h"

#define KM_CHUNK_EVENTS 65536u
#define KM_CHUNK_CODEC 1

/* What is known of a chunk beside its bytes: a row of table chunk. */
struct km_chunk {
	uint32_t events; /* 1 .. KM_CHUNK_EVENTS */
	uint32_t first_seq;
	uint16_t cpu;
	bool sorted;           /* no time steps back */
	uint32_t kinds;        /* bit per kind */
	uint64_t t_min, t_max; /* inclusive */
	uint64_t xxh64;        /* of the bytes */
};

/* Sizes of the dictionaries; an event that refers beyond them is refused. */
struct km_chunk_limits {
	uint32_t sites, tasks, caches, stacks;
};

/* Which events of a chunk are wanted, and what need not be known of them. */
struct km_chunk_selection {
	uint64_t from_ns, to_ns; /* [from, to) */
	uint32_t kinds;          /* bit per kind */
	const uint8_t *caches;   /* by id: nonzero = wanted; NULL: all */
	unsigned without;        /* KM_WITHOUT_*; with KM_WITHOUT_TIME all times are wanted */
};

/* Work memory for any number of chunks, one at a time. NULL when there is none. */
struct km_encoder *km_encoder_new(void);
void km_encoder_delete(struct km_encoder *encoder);

/* A chunk that is being built of events of one CPU, which need not be kept. NULL as above. */
struct km_builder *km_builder_new(void);
void km_builder_delete(struct km_builder *builder);
/* 0; -EINVAL: an unknown kind or context, or more than KM_CHUNK_EVENTS; it is of no use then. */
int km_builder_add(struct km_builder *builder, const struct km_event *events, uint32_t n);
uint32_t km_builder_events(const struct km_builder *builder);
/* Adds how many there are of each kind. */
void km_builder_count(const struct km_builder *builder, uint64_t counts[KM_NR_EVENT_KINDS]);
/*
 * Takes cpu and first_seq from *chunk and fills in the rest. *bytes lives until the encoder's next
 * call. 0, and the builder is empty; -EINVAL: no events, or some beyond the limits; -EIO: zstd
 * failed; -ENOMEM.
 */
int km_builder_encode(struct km_builder *builder, struct km_encoder *encoder,
		      const struct km_chunk_limits *limits, struct km_chunk *chunk,
		      const void **bytes, size_t *size);
/* All of it at once, of events[chunk->events]. */
int km_chunk_encode(struct km_encoder *encoder, const struct km_event *events,
		    const struct km_chunk_limits *limits, struct km_chunk *chunk,
		    const void **bytes, size_t *size);

struct km_decoder *km_decoder_new(void);
void km_decoder_delete(struct km_decoder *decoder);

/*
 * Fill events[chunk->events]. The bytes are not trusted: 0; -EBADMSG: not the bytes that were
 * written (xxh64); -EPROTO: anything else that does not hold together, or not what *chunk says;
 * -ENOMEM. On failure the contents of events are undefined.
 */
int km_chunk_decode(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    struct km_event *events);
/* The same into columns, which make the room they need. */
int km_chunk_columns(struct km_decoder *decoder, const void *bytes, size_t size,
		     const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		     struct km_columns *columns);
/*
 * Only the selected events, their number in *n; what they are `without` is not decoded and 0. As
 * strict as km_chunk_decode() with what it looks at: of a sorted chunk not with what comes after
 * the last event that is wanted. events[chunk->events].
 */
int km_chunk_select(struct km_decoder *decoder, const void *bytes, size_t size,
		    const struct km_chunk_limits *limits, const struct km_chunk *chunk,
		    const struct km_chunk_selection *selection, struct km_event *events,
		    uint32_t *n);
/*
 * The same when the row that belongs to the bytes is in doubt: what it should say is stored in
 * *found, its checksum included even on failure. events[KM_CHUNK_EVENTS].
 */
int km_chunk_examine(struct km_decoder *decoder, const void *bytes, size_t size,
		     const struct km_chunk_limits *limits, struct km_chunk *found,
		     struct km_event *events);

/* Selected events of a chunk, of which those are made that there is room for. */
struct km_selected {
	struct km_columns columns; /* as far as they are needed */
	uint32_t at, end;          /* left of them: those in [at, end) that are wanted */
	uint32_t first_seq;
	uint64_t from_ns, to_ns;
	bool by_time;  /* those in [at, end) may be out of [from_ns, to_ns) */
	bool by_shape; /* or of a shape that is not wanted */
	unsigned without;
	uint8_t *wanted; /* by shape */
	uint32_t max_shapes;
};

/* As km_chunk_select(), to be taken; what was left of another chunk is dropped. */
int km_selected_begin(struct km_selected *selected, struct km_decoder *decoder, const void *bytes,
		      size_t size, const struct km_chunk_limits *limits,
		      const struct km_chunk *chunk, const struct km_chunk_selection *selection);
/* Step to the next that is wanted, which is event `at` of the columns; false: there is none. */
bool km_selected_step(struct km_selected *selected);
/* Up to `room` of them; the number. */
uint32_t km_selected_take(struct km_selected *selected, struct km_event *events, uint32_t room);
void km_selected_free(struct km_selected *selected);

#endif
