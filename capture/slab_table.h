/* SPDX-License-Identifier: GPL-2.0-only */
/* /sys/kernel/slab, read once, one entry per cache (slab_table.c). */
#ifndef KMLAB_CAPTURE_SLAB_TABLE_H
#define KMLAB_CAPTURE_SLAB_TABLE_H

#include "capture.h"

struct km_slab_lists;
struct km_slab_table;

/* Only others may read it (Linux 6.1 - 6.18: only root). */
bool km_slab_table_hidden(void);
/* An empty table where there is no such directory, or it is hidden. -ENOMEM. */
int km_slab_table_read(struct km_slab_table **table);
/* One line per cache, "attribute=value" separated by spaces. free() it; NULL: no memory. */
char *km_slab_table_text(const struct km_slab_table *table);
/* Fill the geometry of the cache called cache->name; false: sysfs does not know it. */
bool km_slab_table_fill(const struct km_slab_table *table, struct km_trace_cache *cache);
void km_slab_table_free(struct km_slab_table *table);

/* What every cache had right after it was shrunk; each free()d by the caller, NULL: no memory. */
struct km_shrunk {
	/* "shrunk directory=D shrunk_ns=T slabs=N partial=N cpu_slabs=N", T since the start */
	char *counts;
	char *lists; /* what lay where, a moment before that was counted (slab_lists.h) */
};

/*
 * Ask every cache to give its empty slabs back, which also leaves nothing on its CPUs. Returns the
 * number of caches asked. shrunk may be NULL, and lists, when these cannot be read. start_ns:
 * CLOCK_MONOTONIC.
 */
unsigned km_slab_shrink_all(uint64_t start_ns, struct km_slab_lists *lists,
			    struct km_shrunk *shrunk);

#endif
