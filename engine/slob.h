/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SLOB as a model (mm/slob.c, 5.15 - 6.3; removed in 6.4): what its files share. Objects of all
 * sizes lie side by side in order-0 pages; a page keeps its free blocks in a list by address.
 */
#ifndef ENGINE_SLOB_H
#define ENGINE_SLOB_H

#include <kmlab/machine.h>

#include "record.h"
#include "ring.h"
#include "slab_common.h"

#define KM_SLOB_UNIT 2u
#define KM_SLOB_PAGE_UNITS ((unsigned)KM_PAGE_SIZE / KM_SLOB_UNIT)
#define KM_SLOB_NONE 0xffffu /* no unit: the end of a free list, or no room */
/* kmalloc puts the size before the object, which the smallest alignment keeps apart. */
#define KM_SLOB_HEADER 8u

/* A page of small objects, or one object of whole pages (order_plus_one). */
struct slob_page {
	struct km_ring link; /* first, so that a link is its page; only while partly free */
	uint64_t addr;
	struct slob_cache *cache; /* whole pages: of the object */
	uint16_t units;           /* free */
	uint16_t freelist;        /* first free block, a unit */
	uint8_t order_plus_one;   /* 0: small objects */
	bool listed;
	/* The rest exists for small objects only. Bit u: an object in use starts at unit u. */
	uint64_t starts[KM_SLOB_PAGE_UNITS / 64];
	/*
	 * What the page's memory holds of it. A free block: its units, then the next block; of one
	 * unit, the next block with KM_SLOB_SINGLE set. An object: its cache's number, or 0 and the
	 * bytes asked of kmalloc.
	 */
	uint16_t words[KM_SLOB_PAGE_UNITS];
};

#define KM_SLOB_SINGLE 0x8000u
/* The end of the free list as words hold it: one past the last unit, below KM_SLOB_SINGLE. */
#define KM_SLOB_LAST KM_SLOB_PAGE_UNITS

#define KM_SLOB_CACHES_MAX 0xffffu

struct slob_cache {
	struct slob_cache *next;
	uint64_t live;
	uint32_t object_size, size, align, flags;
	uint16_t number; /* from 1 */
	const char *name;
	size_t bytes; /* of this record, the name behind it */
};

struct slob {
	struct km_env *env;
	struct km_machine *machine;
	struct slob_page **page_of_pfn;
	uint64_t max_pfn, slab_pages, live_bytes;
	struct km_ring small, medium, large; /* partly free pages */
	struct slob_cache *caches;           /* newest first */
	struct slob_cache **by_number;       /* [KM_SLOB_CACHES_MAX + 1] */
	struct km_record_pool records;
	struct km_ring *unused_pages, *unused_blocks; /* records, linked by next */
};

/* ---- slob_page.c ---- */

/* All units free, no object. */
void km_slob_page_init(struct slob_page *page);
/*
 * The first block that has room for `units` when its start plus `header` bytes is a multiple of
 * `align`; its first unit, or KM_SLOB_NONE.
 */
unsigned km_slob_page_take(struct slob_page *page, unsigned units, uint32_t align, uint32_t header);
/* Free units come back, joined with free neighbours. */
void km_slob_page_give(struct slob_page *page, unsigned start, unsigned units);
/* Do the free list and the objects in use, of so many units each, fill the page exactly? */
bool km_slob_page_ok(const struct slob_page *page, unsigned (*units_of)(const void *, unsigned),
		     const void *context);

/* slob_check.c: as in struct km_slab_ops */
int km_slob_validate(void *self);

static inline bool km_slob_starts(const struct slob_page *page, unsigned unit)
{
	return page->starts[unit / 64] >> unit % 64 & 1;
}

static inline void km_slob_mark(struct slob_page *page, unsigned unit)
{
	page->starts[unit / 64] ^= 1ull << unit % 64;
}

static inline unsigned km_slob_units(uint64_t bytes)
{
	return (unsigned)((bytes + KM_SLOB_UNIT - 1) / KM_SLOB_UNIT);
}

#endif
