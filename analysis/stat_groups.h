/* SPDX-License-Identifier: GPL-2.0-only */
/* What allocations are grouped by: dense ids for events, and the groups' names. */
#ifndef KMLAB_STAT_GROUPS_H
#define KMLAB_STAT_GROUPS_H

#include "traces/trace.h"

/* X(constant, name, title of its column) */
#define KM_STAT_BY(X)                                                                              \
	X(KM_BY_SITE, "site", "site")                                                              \
	X(KM_BY_CACHE, "cache", "cache")                                                           \
	X(KM_BY_SIZE, "size", "size")                                                              \
	X(KM_BY_GFP, "gfp", "gfp")                                                                 \
	X(KM_BY_CPU, "cpu", "cpu")                                                                 \
	X(KM_BY_TASK, "task", "task")                                                              \
	X(KM_BY_MODULE, "module", "module")

enum km_stat_by {
#define X(constant, name, title) constant,
	KM_STAT_BY(X)
#undef X
		KM_NR_BY
};

extern const char *const km_stat_by_names[KM_NR_BY];

struct km_groups {
	const struct km_trace *trace;
	enum km_stat_by by;
	uint32_t count; /* ids so far; all that a dictionary gives are there from the start */
	uint32_t *module_of;
	/* Numbers that are no dictionary's: open addressing, 0 = empty, id + 1. */
	uint64_t *keys; /* by id */
	uint32_t first_key, *slots;
	unsigned bits;
};

/* 0 or -ENOMEM; the trace must live as long. */
int km_groups_init(struct km_groups *groups, const struct km_trace *trace, enum km_stat_by by);
void km_groups_free(struct km_groups *groups);
/* The id of a key that is in no dictionary; UINT32_MAX: no memory. */
uint32_t km_groups_of_key(struct km_groups *groups, uint64_t key);

/*
 * The group of allocations of a shape; UINT32_MAX: no memory. Those by task have none: it is the
 * actor's task.
 */
static inline uint32_t km_groups_of(struct km_groups *groups, const struct km_event *event)
{
	switch (groups->by) {
	case KM_BY_SITE:
		return event->site;
	case KM_BY_MODULE:
		return groups->module_of[event->site];
	case KM_BY_CPU:
		return event->cpu;
	case KM_BY_TASK:
		return 0;
	case KM_BY_CACHE:
		return event->cache ? event->cache : km_groups_of_key(groups, event->bytes_alloc);
	case KM_BY_SIZE:
		return km_groups_of_key(groups, event->bytes_alloc);
	default:
		return km_groups_of_key(groups, event->gfp);
	}
}

/* "symbol+0x1c [module]", "kmalloc-64", "GFP_KERNEL|__GFP_ZERO" ...: into text, returned. */
#define KM_GROUP_TEXT 256
const char *km_groups_name(const struct km_groups *groups, uint32_t id, char text[KM_GROUP_TEXT]);

#endif
