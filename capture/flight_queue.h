/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the flight recorder keeps: lists that grow at one end and are dropped at the other, while
 * another thread walks along what a list held at some moment. An item holds the one after it, so
 * that to hold a list is to hold its first item (flight_queue.c).
 */
#ifndef KMLAB_CAPTURE_FLIGHT_QUEUE_H
#define KMLAB_CAPTURE_FLIGHT_QUEUE_H

#include "capture.h"
#include "traces/codec.h"

enum km_kept_kind { KM_KEPT_EVENTS, KM_KEPT_GAP, KM_KEPT_SAMPLE, KM_KEPT_MACHINE, KM_NR_KEPT };

struct km_kept {
	struct km_kept *next; /* held; of the last one of a list: its owner's alone */
	unsigned refs;        /* atomic */
	enum km_kept_kind kind;
	uint64_t time_ns; /* the latest it tells of */
	size_t bytes;
	struct km_chunk chunk;       /* KM_KEPT_EVENTS: of the payload */
	struct km_trace_gap gap;     /* KM_KEPT_GAP */
	struct km_snapshot snapshot; /* KM_KEPT_SAMPLE, KM_KEPT_MACHINE */
	uint8_t payload[];
};

struct km_kept_list {
	struct km_kept *first, *last;
	size_t bytes;
};

/* NULL: no memory. */
struct km_kept *km_kept_new(enum km_kept_kind kind, uint64_t time_ns, size_t payload);
/* Of a snapshot, which it takes over. On failure that is freed. */
struct km_kept *km_kept_snapshot(enum km_kept_kind kind, uint64_t time_ns,
				 struct km_snapshot *snapshot);
/* The list takes it over. */
void km_kept_append(struct km_kept_list *list, struct km_kept *kept);
void km_kept_drop(struct km_kept_list *list);
void km_kept_drop_all(struct km_kept_list *list);

/* What a list held when it was asked. */
struct km_kept_range {
	struct km_kept *first, *last; /* NULL: nothing more */
};

struct km_kept_range km_kept_hold(const struct km_kept_list *list);
/* Let the first one go. */
void km_kept_advance(struct km_kept_range *range);
void km_kept_release(struct km_kept_range *range);

#endif
