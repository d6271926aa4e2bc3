/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragmentation of a zone (or of several together) from its free blocks by order, as
 * /proc/buddyinfo counts them. mm/vmstat.c: unusable_free_index(), __fragmentation_index(),
 * extfrag_for_order().
 */
#ifndef KMLAB_FRAGMENTATION_H
#define KMLAB_FRAGMENTATION_H

#include <kmlab/types.h>

/* Pages on the free lists. */
static inline uint64_t km_free_pages_of(const uint64_t blocks[KM_NR_ORDERS])
{
	uint64_t pages = 0;

	for (unsigned order = 0; order < KM_NR_ORDERS; order++)
		pages += blocks[order] << order;
	return pages;
}

/* How many requests of that order could be served at once: availability. */
static inline uint64_t km_order_available(const uint64_t blocks[KM_NR_ORDERS], unsigned order)
{
	uint64_t suitable = 0;

	for (unsigned i = order; i < KM_NR_ORDERS; i++)
		suitable += blocks[i] << (i - order);
	return suitable;
}

/* How many blocks of that order the free pages would make, were they all together. */
static inline uint64_t km_order_optimal(const uint64_t blocks[KM_NR_ORDERS], unsigned order)
{
	return km_free_pages_of(blocks) >> order;
}

/* Thousandths of the free pages that lie in blocks too small for the order; 1000 without any. */
static inline unsigned km_unusable_index(const uint64_t blocks[KM_NR_ORDERS], unsigned order)
{
	uint64_t free = km_free_pages_of(blocks);

	if (!free)
		return 1000;
	return (unsigned)((free - (km_order_available(blocks, order) << order)) * 1000 / free);
}

/*
 * Why a request of that order fails, in thousandths: towards 0 for want of memory, towards 1000
 * because of fragmentation; -1000 when it does not fail, 0 when nothing is free.
 */
static inline int km_fragmentation_index(const uint64_t blocks[KM_NR_ORDERS], unsigned order)
{
	uint64_t free = km_free_pages_of(blocks), count = 0;

	for (unsigned i = 0; i < KM_NR_ORDERS; i++)
		count += blocks[i];
	if (!count)
		return 0;
	if (km_order_available(blocks, order))
		return -1000;
	return 1000 - (int)((1000 + free * 1000 / (1ull << order)) / count);
}

#endif
