/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of columns. */
#include "columns.h"
#include <errno.h>
#include <stdlib.h>

/* As it may be large and is written before it is read, the memory is not cleared. */
#define RENEW(array, n) (free(array), (array) = malloc((n) * sizeof(*(array))))

static int reserve_legend(struct km_legend_store *legend, uint32_t shapes, uint32_t actors)
{
	if (shapes > legend->max_shapes) {
		legend->max_shapes = 0;
		if (!RENEW(legend->shapes, shapes))
			return -ENOMEM;
		legend->max_shapes = shapes;
	}
	if (actors > legend->max_actors) {
		legend->max_actors = 0;
		if (!RENEW(legend->actors, actors))
			return -ENOMEM;
		legend->max_actors = actors;
	}
	return 0;
}

int km_columns_reserve(struct km_columns *columns, uint32_t events, uint32_t shapes,
		       uint32_t actors)
{
	if (events > columns->max_events) {
		columns->max_events = 0;
		RENEW(columns->time_ns, events);
		RENEW(columns->ptr, events);
		RENEW(columns->shape_of, events);
		RENEW(columns->actor_of, events);
		if (!columns->time_ns || !columns->ptr || !columns->shape_of || !columns->actor_of)
			return -ENOMEM;
		columns->max_events = events;
	}
	return reserve_legend(&columns->legend, shapes, actors);
}

void km_columns_cut(struct km_columns *columns, uint64_t from_ns, uint64_t to_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < columns->n; i++) {
		columns->time_ns[n] = columns->time_ns[i];
		columns->ptr[n] = columns->ptr[i];
		columns->shape_of[n] = columns->shape_of[i];
		columns->actor_of[n] = columns->actor_of[i];
		n += columns->time_ns[i] >= from_ns && columns->time_ns[i] < to_ns;
	}
	columns->n = n;
}

void km_legend_store_free(struct km_legend_store *legend)
{
	free(legend->shapes);
	free(legend->actors);
	*legend = (struct km_legend_store){0};
}

void km_columns_free(struct km_columns *columns)
{
	free(columns->time_ns);
	free(columns->ptr);
	free(columns->shape_of);
	free(columns->actor_of);
	km_legend_store_free(&columns->legend);
	*columns = (struct km_columns){0};
}
