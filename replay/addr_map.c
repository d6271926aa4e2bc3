/* SPDX-License-Identifier: GPL-2.0-only */
/* Open addressing with linear probing; a removal moves the following run up instead of marking. */
#include "replay/addr_map.h"

#include <errno.h>
#include <stdlib.h>

struct km_addr_slot {
	uint64_t key, value;
	bool used;
};

static size_t home(const struct km_addr_map *map, uint64_t key)
{
	return (size_t)((key ^ (key >> 29)) * 0x9e3779b97f4a7c15ull >> 20) & (map->room - 1);
}

/* The slot of key, or the empty one where it would go. room > used. */
static struct km_addr_slot *probe(const struct km_addr_map *map, uint64_t key)
{
	size_t i = home(map, key);

	while (map->slots[i].used && map->slots[i].key != key)
		i = (i + 1) & (map->room - 1);
	return &map->slots[i];
}

bool km_addr_map_get(const struct km_addr_map *map, uint64_t key, uint64_t *value)
{
	const struct km_addr_slot *slot;

	if (!map->used)
		return false;
	slot = probe(map, key);
	if (slot->used)
		*value = slot->value;
	return slot->used;
}

static int grow(struct km_addr_map *map)
{
	struct km_addr_map bigger = {.room = map->room ? map->room * 2 : 64, .used = map->used};

	bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->room; i++)
		if (map->slots[i].used)
			*probe(&bigger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

int km_addr_map_put(struct km_addr_map *map, uint64_t key, uint64_t value)
{
	struct km_addr_slot *slot;

	if (map->used * 2 >= map->room && grow(map))
		return -ENOMEM;
	slot = probe(map, key);
	map->used += !slot->used;
	*slot = (struct km_addr_slot){key, value, true};
	return 0;
}

bool km_addr_map_remove(struct km_addr_map *map, uint64_t key)
{
	struct km_addr_slot *slot;
	size_t hole, i, mask = map->room - 1;

	if (!map->used)
		return false;
	slot = probe(map, key);
	if (!slot->used)
		return false;
	hole = i = (size_t)(slot - map->slots);
	for (i = (i + 1) & mask; map->slots[i].used; i = (i + 1) & mask) {
		/* An entry may fill the hole unless its home lies between the hole and it. */
		if (((i - home(map, map->slots[i].key)) & mask) < ((i - hole) & mask))
			continue;
		map->slots[hole] = map->slots[i];
		hole = i;
	}
	map->slots[hole].used = false;
	map->used--;
	return true;
}

void km_addr_map_free(struct km_addr_map *map)
{
	free(map->slots);
	*map = (struct km_addr_map){0};
}
