/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address -> slot of the live object there: open addressing, linear probing. No tombstones:
 * deletion shifts the entries behind it back, so the table does not age.
 */
#include "addr_table.h"
#include <errno.h>
#include <stdlib.h>

static inline uint32_t home_of(const struct km_addr_table *table, uint64_t key)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - table->bits));
}

uint32_t km_addr_table_find(const struct km_addr_table *table, uint64_t key)
{
	uint32_t mask, at;

	if (!table->used)
		return KM_NO_SLOT;
	mask = (1u << table->bits) - 1;
	for (at = home_of(table, key); table->entries[at].slot; at = (at + 1) & mask)
		if (table->entries[at].key == key)
			return table->entries[at].slot - 1;
	return KM_NO_SLOT;
}

void km_addr_table_put(struct km_addr_table *table, uint64_t key, uint32_t slot)
{
	uint32_t mask = (1u << table->bits) - 1, at = home_of(table, key);

	while (table->entries[at].slot)
		at = (at + 1) & mask;
	table->entries[at].key = key;
	table->entries[at].slot = slot + 1;
	table->used++;
}

int km_addr_table_reserve(struct km_addr_table *table)
{
	struct km_addr_table grown = {.bits = table->entries ? table->bits + 1 : 12};

	if (table->entries && table->used < 1u << table->bits >> 1)
		return 0;
	if (grown.bits > 31)
		return -ENOMEM;
	grown.entries = calloc((size_t)1 << grown.bits, sizeof(*grown.entries));
	if (!grown.entries)
		return -ENOMEM;
	for (uint32_t i = 0; table->entries && i < 1u << table->bits; i++)
		if (table->entries[i].slot)
			km_addr_table_put(&grown, table->entries[i].key,
					  table->entries[i].slot - 1);
	free(table->entries);
	*table = grown;
	return 0;
}

void km_addr_table_remove(struct km_addr_table *table, uint64_t key)
{
	uint32_t mask = (1u << table->bits) - 1, hole = home_of(table, key), at;

	while (table->entries[hole].key != key || !table->entries[hole].slot)
		hole = (hole + 1) & mask;
	for (at = (hole + 1) & mask; table->entries[at].slot; at = (at + 1) & mask) {
		uint32_t home = home_of(table, table->entries[at].key);

		if (((at - home) & mask) < ((at - hole) & mask))
			continue; /* its home lies behind the hole */
		table->entries[hole] = table->entries[at];
		hole = at;
	}
	table->entries[hole].slot = 0;
	table->used--;
}

void km_addr_table_free(struct km_addr_table *table)
{
	free(table->entries);
	*table = (struct km_addr_table){0};
}
