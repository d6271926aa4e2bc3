/* SPDX-License-Identifier: GPL-2.0-only */
/* Events of one CPU column by column, much as a chunk holds them. */
#ifndef KMLAB_TRACES_COLUMNS_H
#define KMLAB_TRACES_COLUMNS_H

#include "brief.h"

/* A legend that can be written, and what there is room for. */
struct km_legend_store {
	struct km_event *shapes;
	struct km_actor *actors;
	uint32_t nr_shapes, nr_actors, max_shapes, max_actors;
};

struct km_columns {
	uint32_t n;
	uint16_t cpu;
	/* By event: n of each. */
	uint64_t *time_ns, *ptr;
	uint16_t *shape_of, *actor_of;
	struct km_legend_store legend;
	uint32_t max_events;
};

/* Room for so many of each; -ENOMEM. What was in them is gone. */
int km_columns_reserve(struct km_columns *columns, uint32_t events, uint32_t shapes,
		       uint32_t actors);
/* Keep only the events of [from, to). */
void km_columns_cut(struct km_columns *columns, uint64_t from_ns, uint64_t to_ns);
void km_columns_free(struct km_columns *columns);
void km_legend_store_free(struct km_legend_store *legend);

#endif
