/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The chunk that is being built (private to builder.c and encode.c): its columns, for most of their
 * length untouched memory. The streams are as in codec_format.h, but for what takes less than a
 * byte there, or perhaps one instead of two.
 */
#ifndef KMLAB_TRACES_BUILDER_H
#define KMLAB_TRACES_BUILDER_H

#include "codec_format.h"

#define KM_SEEN_BITS 14 /* pointers that are seen again were mostly seen of late */

/* What events of a shape have in common, in words that are compared at once; a cache line. */
struct km_shape {
	uint64_t word[5];
	uint64_t near; /* the last pointer of the shape */
	uint32_t events;
	uint16_t next; /* the shape that came after it the last time */
	uint8_t group; /* enum km_event_group */
};

/* Hash table of places + 1 in a dictionary; of the first 1 << bits slots. */
struct km_slots {
	unsigned bits;
	uint32_t slot[2 * KM_CHUNK_EVENTS];
};

struct km_builder {
	uint32_t n, nr_shapes, nr_actors;
	uint32_t shape, actor; /* of the last event */
	bool sorted;
	uint64_t t_min, t_max, time; /* time: of the last event */
	uint64_t group_ptr[KM_NR_GROUPS];
	uint8_t *time_end, *ptr_end; /* of time_high and ptr_bytes */
	struct km_slots shape_slots, actor_slots;
	struct km_shape shapes[KM_CHUNK_EVENTS];
	uint64_t actors[KM_CHUNK_EVENTS]; /* task << 8 | context */
	/* By event. */
	uint16_t shape_of[KM_CHUNK_EVENTS], actor_of[KM_CHUNK_EVENTS];
	uint64_t ptr[KM_CHUNK_EVENTS];
	uint8_t time_width[KM_CHUNK_EVENTS + 4], ptr_code[KM_CHUNK_EVENTS + 2];
	uint8_t time_low[KM_CHUNK_EVENTS];
	uint8_t time_high[7 * KM_CHUNK_EVENTS + KM_STREAM_SLACK];
	uint8_t ptr_bytes[8 * KM_CHUNK_EVENTS + KM_STREAM_SLACK];
	/*
	 * By hash of a pointer, more of the hash << 16 | an event that may have had it. What it
	 * says is not relied on.
	 */
	uint32_t seen[1 << KM_SEEN_BITS];
};

/* The next chunk begins. */
void km_builder_reset(struct km_builder *builder);
/* The fields of a shape; the others are 0. */
struct km_event km_shape_event(const struct km_shape *shape);

#endif
