/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events in brief, for readers that look at little of an event, or that can decide once per shape
 * what others would decide once per event: what is an event's own, and by number what many have in
 * common. What the numbers mean, a legend tells, one per CPU at a time.
 */
#ifndef KMLAB_TRACES_BRIEF_H
#define KMLAB_TRACES_BRIEF_H

#include <kmlab/event.h>
#include <stddef.h>

struct km_brief {
	uint64_t time_ns, ptr;
	uint16_t cpu, shape, actor;
};

/* Who ran. */
struct km_actor {
	uint32_t task;   /* dictionary id */
	uint8_t context; /* enum km_context */
};

struct km_legend {
	/* What events of a shape have in common: all but time_ns, ptr, seq, task and context. */
	const struct km_event *shapes;
	const struct km_actor *actors;
	uint32_t nr_shapes, nr_actors;
	uint16_t cpu;
};

/* Events in the order of time. */
struct km_stretch {
	const struct km_brief *events;
	size_t n;
	/*
	 * That of its CPU from the first of these events on, until there is another: there may be
	 * none of these events, nor any of that CPU. NULL: all are as before.
	 */
	const struct km_legend *legend;
};

#endif
