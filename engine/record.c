/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of slabs and arrays, cut from 1 MiB chunks of host memory in 64-byte lines. */
#include "record.h"

#define LINE_BYTES ((size_t)64)
#define CHUNK_BYTES ((size_t)1 << 20)

struct km_record_chunk {
	struct km_record_chunk *next;
};

void *km_record_new(struct km_record_pool *pool, size_t bytes)
{
	char *record;

	if (bytes > CHUNK_BYTES / 2)
		return NULL;
	bytes = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
	if (!pool->chunks || pool->used + bytes > CHUNK_BYTES) {
		struct km_record_chunk *chunk = km_env_alloc(pool->env, CHUNK_BYTES);

		if (!chunk)
			return NULL;
		chunk->next = pool->chunks;
		pool->chunks = chunk;
		pool->used = LINE_BYTES;
	}
	record = (char *)pool->chunks + pool->used;
	pool->used += bytes;
	return record;
}

void km_records_destroy(struct km_record_pool *pool)
{
	struct km_record_chunk *chunk = pool->chunks;

	while (chunk) {
		struct km_record_chunk *next = chunk->next;

		km_env_release(pool->env, chunk, CHUNK_BYTES);
		chunk = next;
	}
	pool->chunks = NULL;
}
