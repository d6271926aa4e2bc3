/* SPDX-License-Identifier: GPL-2.0-only */
/* Map from 64-bit keys (addresses, hashes) to 64-bit values: open addressing, no tombstones. */
#ifndef REPLAY_ADDR_MAP_H
#define REPLAY_ADDR_MAP_H

#include <kmlab/types.h>

/* All zero is an empty map. */
struct km_addr_map {
	struct km_addr_slot *slots;
	size_t room, used; /* room is 0 or a power of two */
};

bool km_addr_map_get(const struct km_addr_map *map, uint64_t key, uint64_t *value);
/* Insert or replace. 0 or -ENOMEM. */
int km_addr_map_put(struct km_addr_map *map, uint64_t key, uint64_t value);
/* True when the key was there. */
bool km_addr_map_remove(struct km_addr_map *map, uint64_t key);
void km_addr_map_free(struct km_addr_map *map);

#endif
