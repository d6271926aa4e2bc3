/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Chunks decoded in a thread of their own while those before them are being counted (private to
 * lane.c and cursor.c): one slot per CPU's stream. The thread touches nothing but what a slot
 * holds; reading the file stays with the caller.
 */
#ifndef KMLAB_TRACES_READ_AHEAD_H
#define KMLAB_TRACES_READ_AHEAD_H

#include "reader.h"

/* A decoded chunk, or what is wanted of it. */
struct km_decoded {
	uint32_t n;
	uint32_t capacity; /* of events */
	struct km_event *events;
	struct km_columns columns; /* instead of events, where they are asked for */
};

struct km_ahead_slot {
	size_t chunk; /* index in trace->chunks */
	void *bytes;  /* its payload; NULL with size 0: the row has none */
	size_t size, bytes_capacity;
	struct km_decoded decoded; /* the caller's to exchange for another */
	int code;                  /* of decoding, or of reading */
	struct km_err err;
};

/* Decodes what the slot holds: 0 or -errno. Called in the thread. */
typedef int km_ahead_decode(void *context, struct km_ahead_slot *slot);

struct km_read_ahead;
/* NULL: there is no memory or no thread to be had. */
struct km_read_ahead *km_read_ahead_new(size_t slots, km_ahead_decode *decode, void *context);
/* Waits for what the thread is at. */
void km_read_ahead_delete(struct km_read_ahead *ahead);
/* The slot, when the thread is through with it. */
struct km_ahead_slot *km_read_ahead_wait(struct km_read_ahead *ahead, size_t slot);
/* Room in a slot that was waited for; -ENOMEM. */
int km_ahead_reserve(struct km_ahead_slot *slot, size_t bytes);
/* A slot that was waited for, filled: decode it. */
void km_read_ahead_start(struct km_read_ahead *ahead, size_t slot);

void km_decoded_free(struct km_decoded *decoded);

#endif
