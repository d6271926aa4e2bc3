/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of one CPU column by column, much as a chunk holds them: for readers that look at little
 * of an event, or that can decide once per shape what others would decide once per event.
 */
#ifndef KMLAB_TRACES_COLUMNS_H
#define KMLAB_TRACES_COLUMNS_H

#include <kmlab/event.h>

/* Who ran. */
struct km_actor {
	uint32_t task;   /* dictionary id */
	uint8_t context; /* enum km_context */
};

struct km_columns {
	uint32_t n, nr_shapes, nr_actors;
	uint32_t chunk; /* of the trace: tells when the shapes are others */
	uint16_t cpu;
	/* By event: n of each. */
	uint64_t *time_ns, *ptr;
	uint16_t *shape_of, *actor_of;
	/* What events of a shape have in common: all but time_ns, ptr, seq, task and context. */
	struct km_event *shapes;
	struct km_actor *actors;
	/* What there is room for. */
	uint32_t max_events, max_shapes, max_actors;
};

/* Room for so many of each; -ENOMEM. What was in them is gone. */
int km_columns_reserve(struct km_columns *columns, uint32_t events, uint32_t shapes,
		       uint32_t actors);
/* Keep only the events of [from, to). */
void km_columns_cut(struct km_columns *columns, uint64_t from_ns, uint64_t to_ns);
void km_columns_free(struct km_columns *columns);

#endif
