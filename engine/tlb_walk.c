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

void km_tlb_data_line(struct km_tlb *tlb, uint64_t addr)
{
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS - 1; i++)
		if (tlb->lines[i].spec.entries)
			km_tlb_array_use(&tlb->lines[i], km_tlb_data_key(&tlb->spec, addr),
					 tlb->env);
}

static void read_line(struct km_tlb *tlb, enum km_tlb_space space, unsigned level, uint64_t addr)
{
	uint64_t key = km_tlb_line_key(level, space, addr);
	unsigned found = KM_TLB_LINE_LEVELS - 1;

	for (unsigned i = KM_TLB_LINE_LEVELS - 1; i-- > 0;)
		if (tlb->lines[i].spec.entries && km_tlb_array_use(&tlb->lines[i], key, tlb->env))
			found = i;
	tlb->counts.lines[found]++;
}

/* The level whose table the lowest cached entry names; the root's when none is. */
static unsigned start_level(struct km_tlb *tlb, enum km_tlb_space space, uint64_t addr,
			    unsigned leaf)
{
	unsigned level = leaf, top = tlb->spec.levels - 1;

	while (level < top &&
	       !(tlb->structures[level].spec.entries &&
		 km_tlb_array_use(&tlb->structures[level], km_tlb_structure_key(level, space, addr),
				  tlb->env)))
		level++;
	return level;
}

/* Guest-physical address `addr` to a host one. */
static void translate_host(struct km_tlb *tlb, uint64_t addr)
{
	unsigned size = tlb->spec.host_size, leaf = km_tlb_leaf_level(size);

	if (tlb->host_tlb.spec.entries &&
	    km_tlb_array_use(&tlb->host_tlb,
			     km_tlb_level_key(0, KM_TLB_HOST, addr >> km_tlb_shift[size]),
			     tlb->env))
		return;
	tlb->counts.host_walks++;
	for (unsigned level = start_level(tlb, KM_TLB_HOST, addr, leaf) + 1; level-- > leaf;)
		read_line(tlb, KM_TLB_HOST, level, addr);
}

/* Where the guest's table of that level for addr lies. */
static uint64_t table_address(const struct km_tlb *tlb, unsigned level, uint64_t addr)
{
	uint64_t table = addr >> km_tlb_level_shift(level + 1);

	return km_tlb_index_part(&tlb->spec, (uint64_t)(level + 1) << 44 | table << KM_PAGE_SHIFT);
}

void km_tlb_walk(struct km_tlb *tlb, uint64_t addr, enum km_tlb_size size)
{
	unsigned leaf = km_tlb_leaf_level(size);

	addr = km_tlb_index_part(&tlb->spec, addr);
	for (unsigned level = start_level(tlb, KM_TLB_GUEST, addr, leaf) + 1; level-- > leaf;) {
		if (tlb->spec.nested)
			translate_host(tlb, table_address(tlb, level, addr));
		read_line(tlb, KM_TLB_GUEST, level, addr);
	}
	if (tlb->spec.nested)
		translate_host(tlb, addr);
}
