/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page frame number -> a number of the page, 0 for most (private to repair.c: the slot of the
 * object whose block holds the page, + 1; how many slab objects begin in the page).
 *
 * Leaves of 512 pages (2 MiB), found by a hash, hold those strips of 16 pages that were asked for.
 * A kernel's pages lie close together: their leaves are full, and take 4 bytes per page. One that
 * lies far away from all others takes KM_PAGE_MAP_MOST bytes. Strips of zeros are let go when there
 * are twice as many strips as there were that held something, so memory is bounded by the most
 * pages that have held something at a time, not by all that ever have.
 */
#ifndef KMLAB_TRACES_PAGE_MAP_H
#define KMLAB_TRACES_PAGE_MAP_H

#include "addr_table.h"
#include <stddef.h>

#define KM_LEAF_SHIFT 9
#define KM_STRIP_SHIFT 4
#define KM_STRIP_PAGES (1u << KM_STRIP_SHIFT)
#define KM_LEAF_STRIPS (1u << (KM_LEAF_SHIFT - KM_STRIP_SHIFT))

struct km_page_leaf {
	uint64_t number;            /* pfn >> KM_LEAF_SHIFT */
	struct km_page_leaf *next;  /* of the hash chain */
	uint8_t strips, room;       /* that are there; that there is memory for */
	uint8_t at[KM_LEAF_STRIPS]; /* by place in the leaf: which strip it is, + 1; 0 = none */
	uint32_t strip[][KM_STRIP_PAGES];
};

struct km_page_map {
	struct km_page_leaf **chains; /* 1 << bits */
	uint32_t bits;
	size_t leaves, strips, sweep_at; /* sweep_at: so many strips that zeros are looked for */
	size_t bytes;                    /* of all of it, as asked of malloc() */
};

/* Bytes that a page far away from all others takes at most, with its share of the chains. */
#define KM_PAGE_MAP_MOST (sizeof(struct km_page_leaf) + 4 * KM_STRIP_PAGES + 4 * sizeof(void *))

void km_page_map_free(struct km_page_map *map);
/* Where the page's number is kept, or NULL: it is 0, and is to be reserved before it is not. */
uint32_t *km_page_map_entry(const struct km_page_map *map, uint64_t pfn);
/* The same for the page after that of `entry`. */
static inline uint32_t *km_page_map_next(const struct km_page_map *map, uint32_t *entry,
					 uint64_t pfn)
{
	if (pfn & (KM_STRIP_PAGES - 1))
		return entry ? entry + 1 : NULL;
	return km_page_map_entry(map, pfn);
}
/*
 * Make room for [pfn, end), at least one page; where the first one's number is kept, or NULL
 * without memory. Entries move. What is 0 may not be there any more after the next call.
 */
uint32_t *km_page_map_make(struct km_page_map *map, uint64_t pfn, uint64_t end);

/* The page's number - 1: a slot, or KM_NO_SLOT. */
static inline uint32_t km_page_map_get(const struct km_page_map *map, uint64_t pfn)
{
	const uint32_t *entry = map->leaves ? km_page_map_entry(map, pfn) : NULL;

	return entry ? *entry - 1 : KM_NO_SLOT;
}

#endif
