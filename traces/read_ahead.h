/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring of slots that a thread fills, in order, while those before are being worked on (private to
 * briefs.c). The thread keeps off the CPU where it was made, and who takes slots waits awake for a
 * while.
 */
#ifndef KMLAB_TRACES_READ_AHEAD_H
#define KMLAB_TRACES_READ_AHEAD_H

#include <kmlab/types.h>
#include <stddef.h>

/* Fill a slot: false if it is the last. One call at a time, in the thread where there is one. */
typedef bool km_ahead_fill(void *context, size_t slot);

/* So long: as the first chunks of some CPUs take; behind a slow disk it is not worth a CPU. */
#define KM_AHEAD_AWAKE_NS 10000000u

struct km_read_ahead;
/* NULL: no memory. Where no thread is to be had, slots are filled when they are asked for. */
struct km_read_ahead *km_read_ahead_new(size_t slots, km_ahead_fill *fill, void *context);
/* Waits for what the thread is at. */
void km_read_ahead_delete(struct km_read_ahead *ahead);
/* The next slot, filled, until the next call; after the last that one again. */
size_t km_read_ahead_next(struct km_read_ahead *ahead);

#endif
