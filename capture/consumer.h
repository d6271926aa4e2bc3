/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who empties the rings, and when. A ring is large so that a burst costs the workload no more than
 * its records do: a thread of the lowest priority turns them into a trace with the CPU time that
 * nobody else wants. Only when a ring fills up, or what lies in it gets old, does the caller do it
 * at its real-time priority.
 */
#ifndef KMLAB_CAPTURE_CONSUMER_H
#define KMLAB_CAPTURE_CONSUMER_H

#include <pthread.h>

#include "drain.h"

struct km_consumer {
	struct km_drain *drain;
	pthread_mutex_t lock; /* the drain and all it feeds; its holder inherits priority */
	pthread_t thread;
	bool threaded;
	bool ended; /* atomic: by the caller */
	bool pressed;
	uint64_t *events; /* counts what was moved; with the lock */
	uint64_t locked_ns;
	int ret; /* of the thread */
	struct km_err err;
};

/* spare: with a thread for spare time; without one, or where none can be made, the caller does all.
 */
void km_consumer_begin(struct km_consumer *consumer, struct km_drain *drain, uint64_t *events,
		       bool spare);
/*
 * The caller's turn, every few milliseconds: moves events if it has to. *held: the drain and its
 * target are the caller's until km_consumer_yield(); false: the thread is at work. *more: call
 * again at once.
 */
int km_consumer_turn(struct km_consumer *consumer, uint64_t now_ns, bool *held, bool *more,
		     struct km_err *err);
void km_consumer_yield(struct km_consumer *consumer);
/* The thread is gone; nothing is locked. What it failed at, if it did. */
int km_consumer_end(struct km_consumer *consumer, struct km_err *err);

#endif
