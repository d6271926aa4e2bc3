/* SPDX-License-Identifier: GPL-2.0-only */
/* Page frame number -> slot, see page_map.h. */
#include "page_map.h"
#include <errno.h>
#include <stdlib.h>

static inline size_t leaf_chain(const struct km_page_map *map, uint64_t number)
{
	return (size_t)(number * 0x9e3779b97f4a7c15ull >> (64 - map->bits));
}

uint32_t *km_page_map_entry(const struct km_page_map *map, uint64_t pfn)
{
	uint64_t number = pfn >> KM_LEAF_SHIFT;
	struct km_page_leaf *leaf;

	if (!map->chains)
		return NULL;
	for (leaf = map->chains[leaf_chain(map, number)]; leaf; leaf = leaf->next)
		if (leaf->number == number)
			return &leaf->slot[pfn & (KM_LEAF_PAGES - 1)];
	return NULL;
}

/* As many chains as leaves, at least. */
static int grow_chains(struct km_page_map *map)
{
	struct km_page_map grown = {.bits = map->chains ? map->bits + 1 : 10};

	if (map->chains && map->leaves < 1u << map->bits)
		return 0;
	if (grown.bits > 31)
		return -ENOMEM;
	grown.chains = calloc((size_t)1 << grown.bits, sizeof(*grown.chains));
	if (!grown.chains)
		return -ENOMEM;
	for (size_t i = 0; map->chains && i < (size_t)1 << map->bits; i++) {
		struct km_page_leaf *leaf = map->chains[i], *next;

		for (; leaf; leaf = next) {
			size_t chain = leaf_chain(&grown, leaf->number);

			next = leaf->next;
			leaf->next = grown.chains[chain];
			grown.chains[chain] = leaf;
		}
	}
	free(map->chains);
	map->chains = grown.chains;
	map->bits = grown.bits;
	return 0;
}

int km_page_map_reserve(struct km_page_map *map, uint64_t pfn, uint64_t end)
{
	for (uint64_t number = pfn >> KM_LEAF_SHIFT; number <= (end - 1) >> KM_LEAF_SHIFT;
	     number++) {
		struct km_page_leaf *leaf;
		size_t chain;

		if (km_page_map_entry(map, number << KM_LEAF_SHIFT))
			continue;
		if (grow_chains(map))
			return -ENOMEM;
		leaf = calloc(1, sizeof(*leaf));
		if (!leaf)
			return -ENOMEM;
		chain = leaf_chain(map, number);
		leaf->number = number;
		leaf->next = map->chains[chain];
		map->chains[chain] = leaf;
		map->leaves++;
	}
	return 0;
}

void km_page_map_free(struct km_page_map *map)
{
	for (size_t i = 0; map->chains && i < (size_t)1 << map->bits; i++) {
		struct km_page_leaf *leaf = map->chains[i], *next;

		for (; leaf; leaf = next) {
			next = leaf->next;
			free(leaf);
		}
	}
	free(map->chains);
	*map = (struct km_page_map){0};
}
