/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page allocator's state: zones with their marks and counters, free lists and per-CPU lists in
 * order, and the migratetype of each pageblock. include/linux/mmzone.h, 6.1 - 7.2.
 */
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/pageblock-flags.h>
#include <linux/version.h>

#include "oracle.h"

/* Functions that are not exported; the guest finds them in /proc/kallsyms. One of the two exists.
 */
static unsigned long pageblock_flags, pageblock_type;
module_param(pageblock_flags, ulong, 0);
module_param(pageblock_type, ulong, 0);

static unsigned int type_of(unsigned long pfn)
{
	const struct page *page = pfn_to_page(pfn);

	if (pageblock_type) {
		unsigned int (*type)(const struct page *, unsigned long) = (void *)pageblock_type;

		return type(page, pfn);
	} else {
		unsigned long (*flags)(const struct page *, unsigned long, unsigned long) =
			(void *)pageblock_flags;

		return flags(page, pfn, 7);
	}
}

static void print_zone(struct oracle_text *text, struct zone *zone)
{
	oracle_print(text, "zone %s start %lx spanned %lx present %lx managed %lx wm %lu %lu %lu ",
		     zone->name, zone->zone_start_pfn, zone->spanned_pages, zone->present_pages,
		     zone_managed_pages(zone), zone->_watermark[WMARK_MIN],
		     zone->_watermark[WMARK_LOW], zone->_watermark[WMARK_HIGH]);
	oracle_print(text, "boost %lu highatomic %lu reserve %ld %ld %ld %ld\n",
		     zone->watermark_boost, zone->nr_reserved_highatomic, zone->lowmem_reserve[0],
		     zone->lowmem_reserve[1], zone->lowmem_reserve[2], zone->lowmem_reserve[3]);
}

/* The free counter, which decides near a watermark, and what each CPU has not yet added to it. */
static void print_counter(struct oracle_text *text, struct zone *zone)
{
	unsigned int cpu;

	oracle_print(text, "zx nrfree %ld diff", atomic_long_read(&zone->vm_stat[NR_FREE_PAGES]));
	for_each_online_cpu(cpu) oracle_print(
		text, " %d",
		per_cpu_ptr(zone->per_cpu_zonestats, cpu)->vm_stat_diff[NR_FREE_PAGES]);
	oracle_print(text, " thr %d flags %lx drift %lu\n",
		     per_cpu_ptr(zone->per_cpu_zonestats, 0)->stat_threshold, zone->flags,
		     zone->percpu_drift_mark);
}

/* What a function of (pageblock's first pfn, its end) returns, for the pageblocks of a zone. */
static void print_blocks(struct oracle_text *text, struct zone *zone, const char *word,
			 unsigned int (*value)(unsigned long, unsigned long), int runs)
{
	unsigned long end = zone_end_pfn(zone), next;
	unsigned int before = runs ? ~0u : 0;

	oracle_print(text, "%s", word);
	for (unsigned long pfn = zone->zone_start_pfn; pfn < end; pfn = next) {
		unsigned int now;

		next = ALIGN(pfn + 1, pageblock_nr_pages);
		if (!pfn_valid(pfn))
			continue;
		now = value(pfn, min(next, end));
		if (now != before)
			oracle_print(text, " %lx:%u", ALIGN_DOWN(pfn, pageblock_nr_pages), now);
		before = runs ? now : 0;
	}
	oracle_print(text, "\n");
}

static unsigned int block_type(unsigned long pfn, unsigned long end)
{
	return type_of(pfn);
}

static unsigned int block_lru(unsigned long pfn, unsigned long end)
{
	unsigned int count = 0;

	for (; pfn < end; pfn++)
		count += PageLRU(pfn_to_page(pfn)) != 0;
	return count;
}

static void print_list(struct oracle_text *text, struct list_head *list, const char *word,
		       unsigned int first, unsigned int second)
{
	struct page *page;

	if (list_empty(list))
		return;
	oracle_print(text, "%s %u %u", word, first, second);
	list_for_each_entry(page, list, lru) /* buddy_list and pcp_list lie in the same place */
		oracle_print(text, " %lx", page_to_pfn(page));
	oracle_print(text, "\n");
}

static void print_pcp(struct oracle_text *text, struct zone *zone, unsigned int cpu)
{
	struct per_cpu_pages *pcp = per_cpu_ptr(zone->per_cpu_pageset, cpu);

	oracle_print(text, "pcp %u count %d high %d batch %d ", cpu, pcp->count, pcp->high,
		     pcp->batch);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	oracle_print(text, "high_min %d high_max %d flags %x alloc_factor %d free_count %d\n",
		     pcp->high_min, pcp->high_max, pcp->flags, pcp->alloc_factor, pcp->free_count);
#else
	oracle_print(text, "free_factor %d\n", pcp->free_factor);
#endif
	for (unsigned int list = 0; list < NR_PCP_LISTS; list++)
		print_list(text, &pcp->lists[list], "pcplist", cpu, list);
}

void oracle_print_pages(struct oracle_text *text)
{
	for (unsigned int i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &NODE_DATA(0)->node_zones[i];
		unsigned int cpu;

		if (!populated_zone(zone))
			continue;
		print_zone(text, zone);
		print_counter(text, zone);
		print_blocks(text, zone, "lru", block_lru, 0);
		for (unsigned int order = 0; order < ARRAY_SIZE(zone->free_area); order++)
			for (unsigned int type = 0; type < MIGRATE_TYPES; type++)
				print_list(text, &zone->free_area[order].free_list[type], "free",
					   order, type);
		for_each_online_cpu(cpu) print_pcp(text, zone, cpu);
		print_blocks(text, zone, "blocks", block_type, 1);
	}
}
