/* SPDX-License-Identifier: GPL-2.0-only */
/* /sys/kernel/slab, read once, one entry per cache (slab_table.c). */
#ifndef KMLAB_CAPTURE_SLAB_TABLE_H
#define KMLAB_CAPTURE_SLAB_TABLE_H

#include "capture.h"

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

/*
 * Ask every cache to give its empty slabs back, which also leaves nothing on its CPUs. Returns the
 * number of caches asked. *text (unless `text` is NULL): a line for each with what it had then,
 * "shrunk directory=D shrunk_ns=T slabs=N partial=N cpu_slabs=N", T since start_ns
 * (CLOCK_MONOTONIC). free() it; NULL: no memory.
 */
unsigned km_slab_shrink_all(uint64_t start_ns, char **text);

#endif
