/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects that were allocated long ago and are still live at the end, by call site. Blocks of pages
 * are not looked at: their events name no call site, and most are caches that live long on purpose.
 */
#ifndef KMLAB_CHECK_LEAKS_H
#define KMLAB_CHECK_LEAKS_H

#include "traces/repair.h"
#include "traces/trace.h"

struct km_leak {
	uint32_t site, task;     /* the task of the oldest */
	uint16_t cache;          /* likewise */
	uint64_t objects, bytes; /* live at the end and old; bytes as allocated */
	uint64_t oldest_ns;      /* when the oldest was allocated */
	/* All of the site: an object whose free was not traced may be gone, too. */
	uint64_t allocated, freed, implied;
};

/*
 * Objects of a cache (or, where that is not known, of a call site) whose frees are structurally
 * invisible: most that ended did so without a traced free, and more than seem to have leaked. What
 * seems live of them may as well be gone, and is no leak.
 */
struct km_unseen {
	uint16_t cache;          /* 0: not known */
	uint32_t site;           /* then */
	uint64_t objects, bytes; /* seem live at the end and old */
	uint64_t freed, implied;
};

struct km_leaks;

/* 0 or -ENOMEM. */
int km_leaks_new(struct km_trace *trace, struct km_leaks **leaks);
void km_leaks_delete(struct km_leaks *leaks);
/* Every step of the repair pass with its event; those of km_repair_next_gone() with NULL. */
void km_leaks_feed(struct km_leaks *leaks, const struct km_event *event,
		   const struct km_repair_step *step);
/*
 * At the end: sites with objects allocated before `before_ns` and still live, most bytes first.
 * Objects handed to RCU are on their way and do not count.
 */
const struct km_leak *km_leaks_end(struct km_leaks *leaks, const struct km_repair *repair,
				   uint64_t before_ns, size_t *count);
/* After that: what it left out, most objects first. */
const struct km_unseen *km_leaks_unseen(const struct km_leaks *leaks, size_t *count);

#endif
