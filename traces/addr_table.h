/* SPDX-License-Identifier: GPL-2.0-only */
/* Address -> slot of the live object there (private to repair.c). Zeroed = empty. */
#ifndef KMLAB_TRACES_ADDR_TABLE_H
#define KMLAB_TRACES_ADDR_TABLE_H

#include <kmlab/types.h>

#define KM_NO_SLOT UINT32_MAX

struct km_addr_table {
	struct km_addr_entry {
		uint64_t key;
		uint32_t slot; /* + 1; 0 = free */
	} * entries;
	uint32_t used, bits;
};

/* Slot of the key, or KM_NO_SLOT. */
uint32_t km_addr_table_find(const struct km_addr_table *table, uint64_t key);
/* Room for one more key; -ENOMEM. */
int km_addr_table_reserve(struct km_addr_table *table);
/* Reserved, and the key is absent. */
void km_addr_table_put(struct km_addr_table *table, uint64_t key, uint32_t slot);
/* The key is present. */
void km_addr_table_remove(struct km_addr_table *table, uint64_t key);
void km_addr_table_free(struct km_addr_table *table);

#endif
