/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page walks: from the lowest paging-structure entry that is cached, one page-table line per level
 * down to the leaf, each from the cache level where it lies. Nested, the guest's tables are data of
 * the host: every guest step, and the page itself, need a host translation of their own.
 *
 * A table page's guest-physical place is made from what it maps: tables of neighbouring ranges are
 * neighbours, those of each level lie apart.
 */
#include "tlb.h"

enum space { GUEST, HOST };

#define LEVEL_BITS 9u
#define LINE_ENTRIES_SHIFT 3u
#define DATA_SORT 12u /* above those of five levels in two spaces */

/* Level 0 is the table of 4 KiB entries. */
static unsigned level_shift(unsigned level)
{
	return KM_PAGE_SHIFT + level * LEVEL_BITS;
}

static unsigned leaf_level(enum km_tlb_size size)
{
	return size == KM_TLB_1G ? 2 : size == KM_TLB_2M ? 1 : 0;
}

/* Keep only what a table can index: numbers stay below 2^52. */
static uint64_t index_part(const struct km_tlb *tlb, uint64_t addr)
{
	return addr & ((1ull << level_shift(tlb->spec.levels)) - 1);
}

/* Numbers of both spaces and all levels in one array: apart by key, and spread over the sets. */
static bool use(struct km_tlb *tlb, struct km_tlb_array *array, unsigned level, enum space space,
		uint64_t number)
{
	unsigned sort = level * 2 + space;

	return km_tlb_array_use(array, number + sort * 0x9e3779b1ull, km_tlb_key(sort, number),
				tlb->env);
}

void km_tlb_data_line(struct km_tlb *tlb, uint64_t addr)
{
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS - 1; i++)
		if (tlb->lines[i].spec.entries)
			use(tlb, &tlb->lines[i], DATA_SORT / 2, GUEST, index_part(tlb, addr) >> 6);
}

static void read_line(struct km_tlb *tlb, enum space space, unsigned level, uint64_t addr)
{
	uint64_t number = addr >> (level_shift(level) + LINE_ENTRIES_SHIFT);
	unsigned found = KM_TLB_LINE_LEVELS - 1;

	for (unsigned i = KM_TLB_LINE_LEVELS - 1; i-- > 0;)
		if (tlb->lines[i].spec.entries && use(tlb, &tlb->lines[i], level, space, number))
			found = i;
	tlb->counts.lines[found]++;
}

/* The level whose table the lowest cached entry names; the root's when none is. */
static unsigned start_level(struct km_tlb *tlb, enum space space, uint64_t addr, unsigned leaf)
{
	unsigned level = leaf, top = tlb->spec.levels - 1;

	while (level < top &&
	       !(tlb->structures[level].spec.entries &&
		 use(tlb, &tlb->structures[level], level, space, addr >> level_shift(level + 1))))
		level++;
	return level;
}

/* Guest-physical address `addr` to a host one. */
static void translate_host(struct km_tlb *tlb, uint64_t addr)
{
	unsigned size = tlb->spec.host_size, leaf = leaf_level(size);

	if (tlb->host_tlb.spec.entries &&
	    use(tlb, &tlb->host_tlb, 0, HOST, addr >> km_tlb_shift[size]))
		return;
	tlb->counts.host_walks++;
	for (unsigned level = start_level(tlb, HOST, addr, leaf) + 1; level-- > leaf;)
		read_line(tlb, HOST, level, addr);
}

/* Where the guest's table of that level for addr lies. */
static uint64_t table_address(const struct km_tlb *tlb, unsigned level, uint64_t addr)
{
	uint64_t table = addr >> (level_shift(level) + LEVEL_BITS);

	return index_part(tlb, (uint64_t)(level + 1) << 44 | table << KM_PAGE_SHIFT);
}

void km_tlb_walk(struct km_tlb *tlb, uint64_t addr, enum km_tlb_size size)
{
	unsigned leaf = leaf_level(size);

	addr = index_part(tlb, addr);
	for (unsigned level = start_level(tlb, GUEST, addr, leaf) + 1; level-- > leaf;) {
		if (tlb->spec.nested)
			translate_host(tlb, table_address(tlb, level, addr));
		read_line(tlb, GUEST, level, addr);
	}
	if (tlb->spec.nested)
		translate_host(tlb, addr);
}
