/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host memory for a slab layer's own records: slabs, sheaves, arrays. A record lies on whole
 * 64-byte lines and is never given back singly; who has no use for one keeps it for the next.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include <kmlab/env.h>

struct km_record_pool {
	struct km_env *env;
	struct km_record_chunk *chunks; /* newest first */
	size_t used;                    /* bytes of the newest chunk */
};

/* Contents zero. NULL without memory, or for more than 512 KiB. */
void *km_record_new(struct km_record_pool *pool, size_t bytes);
void km_records_destroy(struct km_record_pool *pool);

#endif
