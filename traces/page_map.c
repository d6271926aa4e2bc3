/* SPDX-License-Identifier: GPL-2.0-only */
/* Page frame number -> a number of the page, see page_map.h. */
#include "page_map.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BITS 10    /* of the number of chains */
#define FIRST_SWEEP 1024 /* strips */

static inline size_t leaf_chain(const struct km_page_map *map, uint64_t number)
{
	return (size_t)(number * 0x9e3779b97f4a7c15ull >> (64 - map->bits));
}

static inline unsigned place_of(uint64_t pfn)
{
	return (unsigned)(pfn >> KM_STRIP_SHIFT) & (KM_LEAF_STRIPS - 1);
}

uint32_t *km_page_map_entry(const struct km_page_map *map, uint64_t pfn)
{
	uint64_t number = pfn >> KM_LEAF_SHIFT;
	struct km_page_leaf *leaf;

	if (!map->chains)
		return NULL;
	for (leaf = map->chains[leaf_chain(map, number)]; leaf; leaf = leaf->next) {
		unsigned at;

		if (leaf->number != number)
			continue;
		at = leaf->at[place_of(pfn)];
		return at ? &leaf->strip[at - 1][pfn & (KM_STRIP_PAGES - 1)] : NULL;
	}
	return NULL;
}

/* ---- memory ---- */

static size_t leaf_bytes(unsigned room)
{
	return sizeof(struct km_page_leaf) + room * sizeof(uint32_t[KM_STRIP_PAGES]);
}

/* Twice as many chains as leaves, at least. */
static int grow_chains(struct km_page_map *map)
{
	size_t n = map->chains ? (size_t)1 << map->bits : 0;
	struct km_page_map grown = {.bits = n ? map->bits + 1 : FIRST_BITS};

	if (2 * map->leaves < n)
		return 0;
	grown.chains = calloc((size_t)1 << grown.bits, sizeof(*grown.chains));
	if (!grown.chains)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
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
	map->bytes += (((size_t)1 << grown.bits) - n) * sizeof(*grown.chains);
	return 0;
}

/* Room for so many strips in the leaf at *link, which moves; NULL there: in a new one. */
static struct km_page_leaf *resize_leaf(struct km_page_map *map, struct km_page_leaf **link,
					unsigned room)
{
	struct km_page_leaf *leaf = realloc(*link, leaf_bytes(room));

	if (!leaf)
		return NULL;
	if (*link)
		map->bytes -= leaf_bytes(leaf->room);
	else
		memset(leaf, 0, sizeof(*leaf));
	leaf->room = (uint8_t)room;
	map->bytes += leaf_bytes(room);
	*link = leaf;
	return leaf;
}

/* ---- what holds nothing ---- */

static bool holds_nothing(const uint32_t strip[KM_STRIP_PAGES])
{
	uint32_t any = 0;

	for (unsigned i = 0; i < KM_STRIP_PAGES; i++)
		any |= strip[i];
	return !any;
}

/* The last strip takes the place of one that goes. */
static void drop_strip(struct km_page_leaf *leaf, unsigned place)
{
	unsigned hole = leaf->at[place], last = leaf->strips--;

	for (unsigned i = 0; i < KM_LEAF_STRIPS; i++)
		if (leaf->at[i] == last)
			leaf->at[i] = (uint8_t)hole;
	if (hole != last)
		memcpy(leaf->strip[hole - 1], leaf->strip[last - 1], sizeof(leaf->strip[0]));
	leaf->at[place] = 0;
}

/* The leaf at *link without its strips of zeros; false: without any it is gone. */
static bool sweep_leaf(struct km_page_map *map, struct km_page_leaf **link)
{
	struct km_page_leaf *leaf = *link;
	unsigned before = leaf->strips, room = leaf->room;

	for (unsigned place = 0; place < KM_LEAF_STRIPS; place++)
		if (leaf->at[place] && holds_nothing(leaf->strip[leaf->at[place] - 1]))
			drop_strip(leaf, place);
	map->strips -= before - leaf->strips;
	if (!leaf->strips) {
		*link = leaf->next;
		map->leaves--;
		map->bytes -= leaf_bytes(leaf->room);
		free(leaf);
		return false;
	}
	while (leaf->strips <= room / 2)
		room /= 2;
	if (room < leaf->room)
		resize_leaf(map, link, room); /* if that fails it stays as large as it is */
	return true;
}

static void sweep(struct km_page_map *map)
{
	for (size_t i = 0; map->chains && i < (size_t)1 << map->bits; i++)
		for (struct km_page_leaf **link = &map->chains[i]; *link;)
			if (sweep_leaf(map, link))
				link = &(*link)->next;
	map->sweep_at = 2 * map->strips > FIRST_SWEEP ? 2 * map->strips : FIRST_SWEEP;
}

/* ---- room ---- */

static int add_strip(struct km_page_map *map, uint64_t pfn)
{
	uint64_t number = pfn >> KM_LEAF_SHIFT;
	struct km_page_leaf **link, *leaf;

	if (grow_chains(map))
		return -ENOMEM;
	link = &map->chains[leaf_chain(map, number)];
	while (*link && (*link)->number != number)
		link = &(*link)->next;
	leaf = *link;
	if (!leaf || leaf->strips == leaf->room)
		leaf = resize_leaf(map, link, leaf ? 2 * leaf->room : 1);
	if (!leaf)
		return -ENOMEM;
	map->leaves += !leaf->strips;
	map->strips++;
	leaf->number = number;
	memset(leaf->strip[leaf->strips], 0, sizeof(leaf->strip[0]));
	leaf->at[place_of(pfn)] = ++leaf->strips;
	return 0;
}

static int make_strips(struct km_page_map *map, uint64_t first, uint64_t last)
{
	if (map->strips >= map->sweep_at)
		sweep(map);
	for (uint64_t strip = first; strip <= last; strip++)
		if (!km_page_map_entry(map, strip << KM_STRIP_SHIFT) &&
		    add_strip(map, strip << KM_STRIP_SHIFT))
			return -ENOMEM;
	return 0;
}

uint32_t *km_page_map_make(struct km_page_map *map, uint64_t pfn, uint64_t end)
{
	uint64_t strip = pfn >> KM_STRIP_SHIFT, last = (end - 1) >> KM_STRIP_SHIFT;
	uint32_t *entry = km_page_map_entry(map, pfn);
	bool there = entry != NULL;

	while (there && strip < last)
		there = km_page_map_entry(map, ++strip << KM_STRIP_SHIFT) != NULL;
	if (there)
		return entry;
	if (make_strips(map, pfn >> KM_STRIP_SHIFT, last))
		return NULL;
	return km_page_map_entry(map, pfn);
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
