/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inside of a SLOB page: free blocks in a list by address, each holding its length and the
 * next (mm/slob.c: slob_page_alloc, slob_free; 6.1). Positions are units of two bytes.
 */
#include <string.h>

#include "slob.h"

static unsigned block_units(const struct slob_page *page, unsigned block)
{
	return page->words[block] & KM_SLOB_SINGLE ? 1 : page->words[block];
}

static unsigned block_next(const struct slob_page *page, unsigned block)
{
	return page->words[block] & KM_SLOB_SINGLE ? page->words[block] & ~KM_SLOB_SINGLE
						   : page->words[block + 1];
}

static void block_set(struct slob_page *page, unsigned block, unsigned units, unsigned next)
{
	if (units == 1) {
		page->words[block] = (uint16_t)(KM_SLOB_SINGLE | next);
		return;
	}
	page->words[block] = (uint16_t)units;
	page->words[block + 1] = (uint16_t)next;
}

/* What comes after `prev`, or first when that is KM_SLOB_NONE, is `block`. */
static void link_after(struct slob_page *page, unsigned prev, unsigned block)
{
	if (prev == KM_SLOB_NONE)
		page->freelist = (uint16_t)block;
	else
		block_set(page, prev, block_units(page, prev), block);
}

void km_slob_page_init(struct slob_page *page)
{
	page->units = KM_SLOB_PAGE_UNITS;
	page->freelist = 0;
	page->listed = false;
	page->order_plus_one = 0;
	memset(page->starts, 0, sizeof(page->starts));
	block_set(page, 0, KM_SLOB_PAGE_UNITS, KM_SLOB_LAST);
}

/* Units to skip in a block so that what comes `header` bytes behind its start is aligned. */
static unsigned skip_of(const struct slob_page *page, unsigned block, uint32_t align,
			uint32_t header)
{
	uint64_t start = page->addr + (uint64_t)block * KM_SLOB_UNIT + header;

	return (unsigned)((km_round_up(start, align) - start) / KM_SLOB_UNIT);
}

unsigned km_slob_page_take(struct slob_page *page, unsigned units, uint32_t align, uint32_t header)
{
	unsigned prev = KM_SLOB_NONE, block = page->freelist;

	while (block != KM_SLOB_LAST) {
		unsigned room = block_units(page, block), next = block_next(page, block);
		unsigned skip = skip_of(page, block, align, header);

		if (room < units + skip) {
			prev = block;
			block = next;
			continue;
		}
		if (skip) { /* what is skipped stays a free block */
			block_set(page, block, skip, next);
			prev = block;
			block += skip;
			room -= skip;
		}
		if (room > units) {
			block_set(page, block + units, room - units, next);
			next = block + units;
		}
		link_after(page, prev, next);
		page->units = (uint16_t)(page->units - units);
		km_slob_mark(page, block);
		return block;
	}
	return KM_SLOB_NONE;
}

void km_slob_page_give(struct slob_page *page, unsigned start, unsigned units)
{
	unsigned prev = KM_SLOB_NONE, next = page->units ? page->freelist : KM_SLOB_LAST;

	km_slob_mark(page, start);
	page->units = (uint16_t)(page->units + units);
	while (next < start) {
		prev = next;
		next = block_next(page, next);
	}
	if (next != KM_SLOB_LAST && start + units == next) {
		units += block_units(page, next);
		next = block_next(page, next);
	}
	if (prev != KM_SLOB_NONE && prev + block_units(page, prev) == start) {
		block_set(page, prev, start + units - prev, next);
		return;
	}
	block_set(page, start, units, next);
	link_after(page, prev, start);
}

bool km_slob_page_ok(const struct slob_page *page, unsigned (*units_of)(const void *, unsigned),
		     const void *context)
{
	unsigned at = 0, free = 0, block = page->units ? page->freelist : KM_SLOB_LAST;

	while (at < KM_SLOB_PAGE_UNITS) {
		unsigned units;

		if (at == block) {
			units = block_units(page, block);
			block = block_next(page, block);
			free += units;
		} else if (km_slob_starts(page, at)) {
			units = units_of(context, at);
		} else {
			return false;
		}
		if (!units || units > KM_SLOB_PAGE_UNITS - at)
			return false;
		at += units;
	}
	return free == page->units && block == KM_SLOB_LAST;
}
