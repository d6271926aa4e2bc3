/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page frame number -> slot of the object whose block holds the page (private to repair.c).
 * Leaves of 512 pages (2 MiB), found by a hash. A leaf stays once its memory was seen: 4 bytes per
 * page of the recorded machine at most.
 */
#ifndef KMLAB_TRACES_PAGE_MAP_H
#define KMLAB_TRACES_PAGE_MAP_H

#include "addr_table.h"

#define KM_LEAF_SHIFT 9
#define KM_LEAF_PAGES ((uint64_t)1 << KM_LEAF_SHIFT)

struct km_page_leaf {
	uint64_t number;              /* pfn >> KM_LEAF_SHIFT */
	struct km_page_leaf *next;    /* of the hash chain */
	uint32_t slot[KM_LEAF_PAGES]; /* + 1; 0 = none */
};

struct km_page_map {
	struct km_page_leaf **chains; /* 1 << bits */
	uint32_t bits;
	uint32_t leaves;
};

void km_page_map_free(struct km_page_map *map);
/* Where the page's slot + 1 is kept, or NULL if its leaf was never reserved. */
uint32_t *km_page_map_entry(const struct km_page_map *map, uint64_t pfn);
/* Make leaves for [pfn, end); -ENOMEM. */
int km_page_map_reserve(struct km_page_map *map, uint64_t pfn, uint64_t end);

/* Slot of the page or KM_NO_SLOT. */
static inline uint32_t km_page_map_get(const struct km_page_map *map, uint64_t pfn)
{
	const uint32_t *entry = map->leaves ? km_page_map_entry(map, pfn) : NULL;

	return entry ? *entry - 1 : KM_NO_SLOT;
}

#endif
