/* SPDX-License-Identifier: GPL-2.0-only */
/* A doubly linked list whose ends meet in its head. A record whose first member is its link is the
 * link. */
#ifndef ENGINE_RING_H
#define ENGINE_RING_H

#include <stdbool.h>

struct km_ring {
	struct km_ring *next, *prev;
};

static inline void km_ring_init(struct km_ring *head)
{
	head->next = head->prev = head;
}

static inline bool km_ring_empty(const struct km_ring *head)
{
	return head->next == head;
}

/* Behind `after`: a head, to be the first; a head's prev, to be the last. */
static inline void km_ring_insert(struct km_ring *after, struct km_ring *link)
{
	link->prev = after;
	link->next = after->next;
	after->next->prev = link;
	after->next = link;
}

static inline void km_ring_remove(struct km_ring *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
}

#endif
