/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Call stacks of a trace being written: each distinct sequence of call sites is stored once. A
 * kernel allocates from few places, so a trace of any length has some thousands of them.
 */
#include "writer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void km_stack_index_free(struct km_stack_index *index)
{
	free(index->frames);
	free(index->entries);
	free(index->slots);
}

static uint32_t *stack_slot(const struct km_stack_index *index, const uint32_t *frames, uint32_t n,
			    uint32_t hash)
{
	uint32_t mask = 2 * index->capacity - 1, at = hash & mask, id;

	for (; (id = index->slots[at]); at = (at + 1) & mask) {
		const struct km_stack_entry *entry = &index->entries[id];

		if (entry->hash == hash && entry->n == n &&
		    !memcmp(index->frames + entry->first, frames, n * sizeof(*frames)))
			break;
	}
	return &index->slots[at];
}

static int grow_entries(struct km_stack_index *index, uint32_t used)
{
	uint32_t capacity = index->capacity ? 2 * index->capacity : 1024, mask = 2 * capacity - 1;
	struct km_stack_entry *entries = realloc(index->entries, capacity * sizeof(*entries));
	uint32_t *slots;

	if (!entries)
		return -ENOMEM;
	index->entries = entries;
	slots = calloc(2 * (size_t)capacity, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t id = 1; id < used; id++) { /* all differ */
		uint32_t at = entries[id].hash & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = id;
	}
	free(index->slots);
	index->slots = slots;
	index->capacity = capacity;
	return 0;
}

/* Room for the n frames behind those that are there. */
static int reserve_frames(struct km_stack_index *index, uint32_t n)
{
	size_t capacity = index->frame_capacity ? index->frame_capacity : 16384;
	uint32_t *grown;

	while (capacity < index->nr_frames + n)
		capacity *= 2;
	if (capacity == index->frame_capacity)
		return 0;
	grown = realloc(index->frames, capacity * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	index->frames = grown;
	index->frame_capacity = capacity;
	return 0;
}

static int write_stack(struct km_trace_writer *writer, uint32_t id, const uint32_t *frames,
		       uint32_t n)
{
	sqlite3_stmt *statement = km_write_bind(writer, KM_WRITE_STACK, "i", (int64_t)id);
	int code;

	sqlite3_bind_blob64(statement, 2, frames, n * sizeof(*frames), SQLITE_STATIC);
	code = km_write_step(writer, statement, NULL); /* the next append reports it */
	sqlite3_clear_bindings(statement);
	return code;
}

uint32_t km_trace_stack_id(struct km_trace_writer *writer, const uint64_t *addresses, unsigned n)
{
	struct km_stack_index *index = &writer->stacks;
	uint32_t *frames, *slot, hash, id = writer->next.stacks;

	if (!n || writer->failed || id == UINT32_MAX || reserve_frames(index, n) ||
	    (id >= index->capacity && grow_entries(index, id)))
		return 0;
	frames = index->frames + index->nr_frames;
	for (unsigned i = 0; i < n; i++) {
		frames[i] = km_trace_site_id(writer, addresses[i]);
		if (!frames[i] && addresses[i])
			return 0;
	}
	hash = (uint32_t)XXH64(frames, n * sizeof(*frames), 0);
	slot = stack_slot(index, frames, n, hash);
	if (*slot)
		return *slot;
	if (write_stack(writer, id, frames, n))
		return 0;
	index->entries[id] = (struct km_stack_entry){index->nr_frames, n, hash};
	index->nr_frames += n;
	writer->next.stacks++;
	return *slot = id;
}
