/* SPDX-License-Identifier: GPL-2.0-only */
/* From the rings to a sink: a trace, or the memory of the flight recorder (drain.c). */
#ifndef KMLAB_CAPTURE_DRAIN_H
#define KMLAB_CAPTURE_DRAIN_H

#include "capture.h"

struct km_dictionary;
struct km_drain;

/* Where events go. Both return 0 or -errno with a sentence. */
struct km_sink {
	/* n events of one CPU, in the order they were recorded; times count from the target's
	 * start. */
	int (*append)(void *context, unsigned cpu, const struct km_event *events, size_t n,
		      struct km_err *err);
	int (*gap)(void *context, const struct km_trace_gap *gap, struct km_err *err);
	void *context;
};

int km_drain_open(struct km_recorder *recorder, struct km_dictionary *dictionary,
		  struct km_drain **drain, struct km_err *err);
/* From now on into `sink`, which must outlive this; times count from start_ns (CLOCK_MONOTONIC). */
void km_drain_target(struct km_drain *drain, const struct km_sink *sink, uint64_t start_ns);
/* Move some of what the rings hold. *moved: events; *more: there may be others. */
int km_drain_some(struct km_drain *drain, size_t *moved, bool *more, struct km_err *err);
/* The same, a batch of each ring at most. */
int km_drain_batch(struct km_drain *drain, size_t *moved, bool *more, struct km_err *err);
/*
 * Does a ring hold so much that it should be emptied now: three quarters of a large ring, all of a
 * small one, or an event older than old_ns? `already`: it did so when last asked; then rather
 * earlier. Changes nothing, so that others may drain meanwhile.
 */
bool km_drain_pressed(const struct km_drain *drain, uint64_t now_ns, uint64_t old_ns, bool already);
/*
 * The CPU that recorded least since this was asked last, for a consumer that is on CPU `here` to
 * go to; `here` itself when that did not record twice as much.
 */
unsigned km_drain_quietest(struct km_drain *drain, unsigned here);
/* All events before until_ns (CLOCK_MONOTONIC). */
int km_drain_until(struct km_drain *drain, uint64_t until_ns, size_t *moved, struct km_err *err);
/* Losses after the last record of each CPU before end_ns (CLOCK_MONOTONIC). */
int km_drain_finish(struct km_drain *drain, uint64_t end_ns, struct km_err *err);
/* The losses so far, as km_recorder_forget() does. */
void km_drain_forget(struct km_drain *drain);
/* Losses to recursion, which the kernel counts per program: only when can be told. */
int km_drain_recursion(struct km_drain *drain, uint64_t after_ns, uint64_t before_ns,
		       uint64_t events, struct km_err *err);
/* What went into the present target, by kind; what its gaps hold, by cause. */
const uint64_t *km_drain_recorded(const struct km_drain *drain);
const uint64_t *km_drain_lost(const struct km_drain *drain);
void km_drain_close(struct km_drain *drain);

#endif
