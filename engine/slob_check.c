/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Invariants of the SLOB model: free blocks and objects fill every page without a gap, a partly
 * free page is on a list. Walks everything.
 */
#include <errno.h>

#include "slob.h"

struct check {
	const struct slob *slob;
	const struct slob_page *page;
};

static unsigned units_of(const void *context, unsigned unit)
{
	const struct check *check = context;
	const uint16_t *words = check->page->words;

	const struct slob_cache *cache = check->slob->by_number[words[unit]];

	if (!words[unit])
		return km_slob_units(words[unit + 1] + KM_SLOB_HEADER);
	return cache ? km_slob_units(cache->size) : 0;
}

static bool page_ok(const struct slob *slob, const struct slob_page *page)
{
	struct check check = {slob, page};

	return page->order_plus_one ||
	       (page->listed == (page->units != 0) && page->units < KM_SLOB_PAGE_UNITS &&
		km_slob_page_ok(page, units_of, &check));
}

static uint64_t list_length(const struct km_ring *head)
{
	uint64_t length = 0;

	for (const struct km_ring *link = head->next; link != head; link = link->next)
		length += link->next->prev == link && ((const struct slob_page *)link)->listed;
	return length;
}

int km_slob_validate(void *self)
{
	const struct slob *slob = self;
	uint64_t pages = 0, listed = 0;

	for (uint64_t pfn = 0; pfn < slob->max_pfn; pfn++) {
		const struct slob_page *page = slob->page_of_pfn[pfn];

		pages += page != NULL;
		if (!page || km_addr_to_pfn(page->addr).value != pfn)
			continue;
		if (!page_ok(slob, page))
			return -EINVAL;
		listed += !page->order_plus_one && page->listed;
	}
	listed -=
		list_length(&slob->small) + list_length(&slob->medium) + list_length(&slob->large);
	return pages == slob->slab_pages && !listed ? 0 : -EINVAL;
}
