/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host memory for the SLUB model's slab records and sheaves: cut from 1 MiB chunks in 64-byte
 * lines. A record is reused by its cache and never given back singly.
 */
#include "slub.h"

#define LINE_BYTES ((size_t)64)
#define CHUNK_BYTES ((size_t)1 << 20)

struct km_slub_chunk {
	struct km_slub_chunk *next;
};

void *km_slub_record_new(struct km_slub *slub, size_t bytes)
{
	char *record;

	if (bytes > CHUNK_BYTES / 2)
		return NULL;
	bytes = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
	if (!slub->chunks || slub->chunk_used + bytes > CHUNK_BYTES) {
		struct km_slub_chunk *chunk = km_env_alloc(slub->env, CHUNK_BYTES);

		if (!chunk)
			return NULL;
		chunk->next = slub->chunks;
		slub->chunks = chunk;
		slub->chunk_used = LINE_BYTES;
	}
	record = (char *)slub->chunks + slub->chunk_used;
	slub->chunk_used += bytes;
	return record;
}

void km_slub_records_destroy(struct km_slub *slub)
{
	struct km_slub_chunk *chunk = slub->chunks;

	while (chunk) {
		struct km_slub_chunk *next = chunk->next;

		km_env_release(slub->env, chunk, CHUNK_BYTES);
		chunk = next;
	}
}
