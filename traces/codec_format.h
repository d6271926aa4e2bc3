/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layout of a chunk, codec 1 (private to encode.c and decode.c). All numbers little endian.
 *
 * A kernel repeats itself: the same call site asks for the same size with the same flags again and
 * again. So the fields that go together are stored once per chunk as a "shape" (kind, sizes, gfp,
 * site, stack, cache, node, order, migratetype), who ran as an "actor" (task, context), and an
 * event is four numbers: its shape, its actor, the time since the event before, and its pointer.
 *
 * A pointer is either one seen before in the chunk (an object is freed, its memory is handed out
 * again): how many events ago; or else the difference to the last pointer of the same shape, in
 * units of 8 bytes where it divides.
 *
 * Chunk = header, then the streams in order. A stream whose stored size equals its raw size is
 * stored as it is, otherwise it is one zstd frame.
 */
#ifndef KMLAB_TRACES_CODEC_FORMAT_H
#define KMLAB_TRACES_CODEC_FORMAT_H

#include "codec.h"
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "traces are little endian");

enum km_stream {
	KM_STREAM_SHAPES,     /* the shapes: column by column, each value a varint */
	KM_STREAM_ACTORS,     /* the actors, likewise */
	KM_STREAM_SHAPE,      /* per event: shape, 1 byte if there are up to 256, else 2 */
	KM_STREAM_ACTOR,      /* per event: actor, likewise */
	KM_STREAM_TIME_WIDTH, /* per event 2 bits, lowest first: width of the time step */
	KM_STREAM_TIME_LOW,   /* per event: lowest byte of the step, zigzag */
	KM_STREAM_TIME_HIGH,  /* its other bytes */
	KM_STREAM_PTR_CODE,   /* per event 4 bits, lowest first: how the pointer is told */
	KM_STREAM_PTR,        /* width[code] bytes */
	KM_NR_STREAMS
};

struct km_chunk_header {
	uint32_t events, first_seq, cpu, shapes, actors;
	struct {
		uint32_t raw, stored;
	} stream[KM_NR_STREAMS];
};

/* A time step of width w has 1 + km_time_high[w] bytes. */
static const uint8_t km_time_high[4] = {0, 1, 2, 7};

/* Codes of a pointer: events ago - 1; difference / 8, zigzag; difference, zigzag. */
enum {
	KM_PTR_SEEN,
	KM_PTR_EIGHTS = KM_PTR_SEEN + 2,
	KM_PTR_ONES = KM_PTR_EIGHTS + 5,
	KM_NR_PTR_CODES = KM_PTR_ONES + 5
};
static const uint8_t km_ptr_width[16] = {1, 2, 1, 2, 3, 4, 8, 1, 2, 3, 4, 8};

/* The shape's numbers in the order of their columns. X(field of struct km_event, its maximum) */
#define KM_SHAPE_FIELDS(X)                                                                         \
	X(kind, KM_NR_EVENT_KINDS - 1)                                                             \
	X(order, UINT8_MAX)                                                                        \
	X(migratetype, UINT8_MAX)                                                                  \
	X(cache, UINT16_MAX)                                                                       \
	X(gfp, UINT32_MAX)                                                                         \
	X(site, UINT32_MAX)                                                                        \
	X(stack, UINT32_MAX)                                                                       \
	X(bytes_req, UINT64_MAX)                                                                   \
	X(bytes_alloc, UINT64_MAX)
/* and, last, node + 1 as an uint16_t. */
#define KM_SHAPE_COLUMNS 10

#define KM_VARINT_BYTES 10 /* of a 64-bit number at most */
#define KM_STREAM_SLACK 16 /* bytes after a stream that may be read or written, never used */

static inline uint64_t km_zigzag(uint64_t difference)
{
	return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static inline uint64_t km_unzigzag(uint64_t value)
{
	return value >> 1 ^ -(value & 1);
}

static inline uint64_t km_load64(const uint8_t *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static inline void km_store64(uint8_t *to, uint64_t value)
{
	memcpy(to, &value, sizeof(value));
}

/* Most bytes stream `s` of n events may have before compression. */
static inline size_t km_stream_bound(enum km_stream s, size_t n)
{
	static const uint8_t per_event[KM_NR_STREAMS] = {
		KM_SHAPE_COLUMNS * KM_VARINT_BYTES, 2 * KM_VARINT_BYTES, 2, 2, 1, 1, 7, 1, 8};

	return n * per_event[s];
}

#endif
