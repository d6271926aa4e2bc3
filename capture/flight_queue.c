/* SPDX-License-Identifier: GPL-2.0-only */
#include "flight_queue.h"

#include <stdlib.h>
#include <string.h>

struct km_kept *km_kept_new(enum km_kept_kind kind, uint64_t time_ns, size_t payload)
{
	struct km_kept *kept = malloc(sizeof(*kept) + payload);

	if (!kept)
		return NULL;
	memset(kept, 0, sizeof(*kept));
	kept->refs = 1;
	kept->kind = kind;
	kept->time_ns = time_ns;
	kept->bytes = sizeof(*kept) + payload;
	return kept;
}

struct km_kept *km_kept_snapshot(enum km_kept_kind kind, uint64_t time_ns,
				 struct km_snapshot *snapshot)
{
	struct km_kept *kept = km_kept_new(kind, time_ns, 0);

	if (!kept) {
		km_snapshot_free(snapshot);
		return NULL;
	}
	kept->snapshot = *snapshot;
	kept->bytes += km_snapshot_bytes(snapshot);
	snapshot->count = 0;
	return kept;
}

static void hold(struct km_kept *kept)
{
	__atomic_fetch_add(&kept->refs, 1, __ATOMIC_RELAXED);
}

/* Not by recursion: a list may be long. */
static void let_go(struct km_kept *kept)
{
	struct km_kept *next;

	for (; kept && __atomic_fetch_sub(&kept->refs, 1, __ATOMIC_ACQ_REL) == 1; kept = next) {
		next = kept->next;
		km_snapshot_free(&kept->snapshot);
		free(kept);
	}
}

void km_kept_append(struct km_kept_list *list, struct km_kept *kept)
{
	if (list->last)
		list->last->next = kept;
	else
		list->first = kept;
	list->last = kept;
	list->bytes += kept->bytes;
}

/* Go to the next, holding it, before the one that holds it is let go. */
static struct km_kept *step(struct km_kept *kept, const struct km_kept *last)
{
	struct km_kept *next = kept == last ? NULL : kept->next;

	if (next)
		hold(next);
	let_go(kept);
	return next;
}

void km_kept_drop(struct km_kept_list *list)
{
	list->bytes -= list->first->bytes;
	list->first = step(list->first, list->last);
	if (!list->first)
		list->last = NULL;
}

void km_kept_drop_all(struct km_kept_list *list)
{
	while (list->first)
		km_kept_drop(list);
}

struct km_kept_range km_kept_hold(const struct km_kept_list *list)
{
	if (list->first)
		hold(list->first);
	return (struct km_kept_range){list->first, list->last};
}

void km_kept_advance(struct km_kept_range *range)
{
	range->first = step(range->first, range->last);
}

void km_kept_release(struct km_kept_range *range)
{
	while (range->first)
		km_kept_advance(range);
}
