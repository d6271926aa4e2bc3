/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events in the order the kernel did them. A trace is ordered by when events were recorded, but an
 * allocation is recorded after it happened and a free before it happens; between CPUs that turns
 * pairs around. A free is therefore placed later, by the trace's own delay, yet never behind the
 * next event of its CPU.
 */
#ifndef REPLAY_EVENT_ORDER_H
#define REPLAY_EVENT_ORDER_H

#include "traces/trace.h"

struct km_event_order;

/* delay_ns 0: exactly the recorded order. */
int km_event_order_open(struct km_trace *trace, uint64_t delay_ns, struct km_event_order **order,
			struct km_err *err);
/* The next event, or NULL at the end with *code 0; NULL with *code -errno on failure. */
const struct km_event *km_event_order_next(struct km_event_order *order, int *code,
					   struct km_err *err);
void km_event_order_close(struct km_event_order *order);

/*
 * The trace's delay: the shortest time from the free of an object to the next allocation of the
 * same address. Between the two records lie both waits and hardly anything else. At most 1 us.
 */
int km_event_order_delay(struct km_trace *trace, uint64_t *delay_ns, struct km_err *err);

#endif
