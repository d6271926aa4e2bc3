/* SPDX-License-Identifier: GPL-2.0-only */
/* Open addressing over xxh64; names lie in one growing block. */
#include "intern.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static struct km_intern_entry *find(const struct km_intern *intern, const void *name, size_t length)
{
	uint32_t mask = (1u << intern->bits) - 1, at = (uint32_t)XXH64(name, length, 0) & mask;
	struct km_intern_entry *entry;

	for (; (entry = &intern->entries[at])->taken; at = (at + 1) & mask)
		if (entry->n == length && !memcmp(intern->bytes + entry->at, name, length))
			break;
	return entry;
}

static bool grow(struct km_intern *intern)
{
	struct km_intern bigger = *intern;

	bigger.bits = intern->entries ? intern->bits + 1 : 8;
	bigger.entries = calloc((size_t)1 << bigger.bits, sizeof(*bigger.entries));
	if (!bigger.entries)
		return false;
	for (size_t i = 0; intern->entries && i < (size_t)1 << intern->bits; i++) {
		const struct km_intern_entry *entry = &intern->entries[i];

		if (entry->taken)
			*find(&bigger, intern->bytes + entry->at, entry->n) = *entry;
	}
	free(intern->entries);
	*intern = bigger;
	return true;
}

uint64_t *km_intern(struct km_intern *intern, const void *name, size_t length)
{
	struct km_intern_entry *entry;
	char *bytes;

	if ((!intern->entries || 4 * (size_t)intern->count >= (size_t)3 << intern->bits) &&
	    !grow(intern))
		return NULL;
	entry = find(intern, name, length);
	if (entry->taken)
		return &entry->value;
	if (intern->used + length > intern->room) {
		bytes = realloc(intern->bytes, 2 * (intern->used + length) + 1024);
		if (!bytes)
			return NULL;
		intern->bytes = bytes;
		intern->room = 2 * (intern->used + length) + 1024;
	}
	if (length)
		memcpy(intern->bytes + intern->used, name, length);
	*entry = (struct km_intern_entry){.at = intern->used, .n = (uint32_t)length, .taken = 1};
	intern->used += length;
	intern->count++;
	return &entry->value;
}

void km_intern_free(struct km_intern *intern)
{
	free(intern->bytes);
	free(intern->entries);
	*intern = (struct km_intern){0};
}
