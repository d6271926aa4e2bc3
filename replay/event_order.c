/* SPDX-License-Identifier: GPL-2.0-only */
/* A window over the merged events in which frees wait for their moment. */
#include "replay/event_order.h"

#include <errno.h>
#include <kmlab/machine.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 1024
#define BATCH 256
/* How long an event waits for one that was recorded later but happened earlier. */
#define PATIENCE_NS 20000
/* Longer than any record takes: a trace without quick reuse of addresses tells nothing. */
#define DELAY_MAX_NS 1000
/* Recently freed addresses that are remembered for the delay. */
#define FREED_SLOTS (1u << 12)

struct waiting {
	uint64_t at_ns;
	bool answered; /* page_alloc: the object that needed the pages was seen */
	struct km_event event;
};

struct km_event_order {
	struct km_trace_cursor *cursor;
	uint64_t delay_ns, direct_map;
	struct km_event batch[BATCH];
	size_t got, used;
	bool ended;
	struct waiting window[WINDOW]; /* by at_ns, equal ones as recorded */
	unsigned waiting;
	uint64_t now_ns;      /* record time of the last event read */
	struct km_event next; /* what the caller looks at */
};

static bool is_free(const struct km_event *event)
{
	return event->kind == KM_EV_KFREE || event->kind == KM_EV_CACHE_FREE ||
	       event->kind == KM_EV_BULK_FREE || event->kind == KM_EV_PAGE_FREE;
}

int km_event_order_open(struct km_trace *trace, uint64_t delay_ns, struct km_event_order **out,
			struct km_err *err)
{
	struct km_trace_filter everything = {.cpu = -1};
	struct km_event_order *order = calloc(1, sizeof(*order));
	int code;

	if (!order)
		return km_fail(err, -ENOMEM, "no memory to read the events");
	order->delay_ns = delay_ns;
	order->direct_map = km_trace_direct_map(trace);
	code = km_trace_cursor_open(trace, &everything, &order->cursor, err);
	if (code)
		free(order);
	else
		*out = order;
	return code;
}

static void insert(struct km_event_order *order, uint64_t at_ns, const struct km_event *event)
{
	unsigned i = order->waiting++;

	for (; i > 0 && order->window[i - 1].at_ns > at_ns; i--)
		order->window[i] = order->window[i - 1];
	order->window[i] = (struct waiting){at_ns, false, *event};
}

/* The free that waits last on a CPU was done when the next event of that CPU was recorded. */
static void hurry(struct km_event_order *order, const struct km_event *event)
{
	unsigned i = order->waiting;
	struct km_event early;

	while (i > 0 && order->window[i - 1].event.cpu != event->cpu)
		i--;
	if (!i || order->window[i - 1].at_ns <= event->time_ns)
		return;
	early = order->window[i - 1].event;
	order->waiting--;
	memmove(&order->window[i - 1], &order->window[i],
		(order->waiting - (i - 1)) * sizeof(order->window[0]));
	insert(order, event->time_ns, &early);
}

/*
 * When an event happened. An allocation that had to wait for the pages of a new slab had chosen
 * that before page_alloc was recorded.
 */
static uint64_t moment(struct km_event_order *order, const struct km_event *event)
{
	uint64_t pfn = (event->ptr - order->direct_map) >> KM_PAGE_SHIFT;

	if (is_free(event))
		return event->time_ns + order->delay_ns;
	if (event->kind != KM_EV_KMALLOC && event->kind != KM_EV_CACHE_ALLOC &&
	    event->kind != KM_EV_BULK_ALLOC)
		return event->time_ns;
	for (unsigned i = order->waiting; i-- > 0;) {
		struct waiting *page = &order->window[i];

		if (page->event.kind != KM_EV_PAGE_ALLOC || page->event.cpu != event->cpu ||
		    pfn - page->event.ptr >= 1ull << page->event.order)
			continue;
		if (page->answered)
			break;
		page->answered = true;
		return page->at_ns;
	}
	return event->time_ns;
}

/* One event from the trace into the window; 0, also at the end, or -errno. */
static int take_in(struct km_event_order *order, struct km_err *err)
{
	const struct km_event *event;
	int code;

	if (order->used == order->got) {
		code = km_trace_next(order->cursor, order->batch, BATCH, &order->got, err);
		order->used = 0;
		if (code || !order->got) {
			order->ended = !code;
			return code;
		}
	}
	event = &order->batch[order->used++];
	order->now_ns = event->time_ns;
	hurry(order, event);
	insert(order, order->delay_ns ? moment(order, event) : event->time_ns, event);
	return 0;
}

const struct km_event *km_event_order_next(struct km_event_order *order, int *code,
					   struct km_err *err)
{
	*code = 0;
	while (!order->ended && order->waiting < WINDOW &&
	       (!order->waiting || order->window[0].at_ns + PATIENCE_NS >= order->now_ns)) {
		*code = take_in(order, err);
		if (*code)
			return NULL;
	}
	if (!order->waiting)
		return NULL;
	order->next = order->window[0].event;
	order->waiting--;
	memmove(&order->window[0], &order->window[1], order->waiting * sizeof(order->window[0]));
	return &order->next;
}

void km_event_order_close(struct km_event_order *order)
{
	if (order)
		km_trace_cursor_close(order->cursor);
	free(order);
}

struct freed {
	uint64_t ptr, time_ns;
};

static void note_delay(struct freed *table, const struct km_event *event, uint64_t *delay_ns)
{
	struct freed *slot = &table[(event->ptr * 0x9e3779b97f4a7c15ull) >> 52];

	if (event->kind == KM_EV_KFREE || event->kind == KM_EV_CACHE_FREE) {
		*slot = (struct freed){event->ptr, event->time_ns};
	} else if (slot->ptr == event->ptr) {
		if (event->time_ns - slot->time_ns < *delay_ns)
			*delay_ns = event->time_ns - slot->time_ns;
		slot->ptr = 0;
	}
}

int km_event_order_delay(struct km_trace *trace, uint64_t *delay_ns, struct km_err *err)
{
	struct km_event_order *order;
	struct freed *table = calloc(FREED_SLOTS, sizeof(*table));
	const struct km_event *event;
	uint64_t least = DELAY_MAX_NS;
	int code;

	if (!table)
		return km_fail(err, -ENOMEM, "no memory to read the events");
	code = km_event_order_open(trace, 0, &order, err);
	if (code)
		goto out;
	while ((event = km_event_order_next(order, &code, err)))
		if (km_event_group_of(event->kind) == KM_GROUP_SLAB && event->ptr)
			note_delay(table, event, &least);
	km_event_order_close(order);
	if (!code)
		*delay_ns = least;
out:
	free(table);
	return code;
}
