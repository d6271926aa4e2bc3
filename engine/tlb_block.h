/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside the TLB model: a block of references on its way through the arrays. */
#ifndef ENGINE_TLB_BLOCK_H
#define ENGINE_TLB_BLOCK_H

#include "tlb.h"

#define KM_TLB_BLOCK 256u
#define KM_TLB_MOST_LEVELS 5u
/* Each level's, and the data's. */
#define KM_TLB_MOST_LINES (KM_TLB_BLOCK * (KM_TLB_MOST_LEVELS + 1))

/* What one array is asked for: keys, and of which references or walks. */
struct km_tlb_list {
	size_t n;
	uint64_t last;                  /* while it is made: as the array's */
	uint64_t key[KM_TLB_BLOCK + 8]; /* eight are written at a time */
	uint16_t of[KM_TLB_BLOCK + 8];
};

struct km_tlb_block {
	const uint64_t *addrs; /* the references */
	const uint8_t *sizes;  /* NULL: all are `size` */
	size_t nr_refs;
	uint8_t size;
	/* Those that are still to be found. */
	size_t n;
	uint16_t at[KM_TLB_BLOCK];
	/* Of the arrays of a level; those of sizes that it keeps in none. */
	struct km_tlb_list lists[KM_TLB_ARRAYS + 1];
	uint16_t missed[KM_TLB_BLOCK];
	bool is_missed[KM_TLB_BLOCK];
	/* Walks: their addresses, and at which level of tables they begin. */
	uint64_t addr[KM_TLB_BLOCK];
	uint8_t leaf[KM_TLB_BLOCK], start[KM_TLB_BLOCK];
	/*
	 * Lines that walks and data read, but for those read just before: of which walk, if of one;
	 * how many levels, from the nearest on, lack it.
	 */
	size_t nr_lines;
	uint64_t line[KM_TLB_MOST_LINES + 8];
	uint16_t of[KM_TLB_MOST_LINES + 8], far[KM_TLB_MOST_LINES];
	uint8_t absent[KM_TLB_MOST_LINES];
};

/* tlb_list.c: lists of what a level's arrays are asked, the L1 for all, the L2 for what remains. */
void km_tlb_list_references(struct km_tlb *tlb);
void km_tlb_list_misses(struct km_tlb *tlb);
/* What the array has not remains. */
void km_tlb_use_list(struct km_tlb *tlb, struct km_tlb_array *array, struct km_tlb_list *list);
/* tlb_block_walk.c: what is still to be found is walked to; every reference takes its line. */
void km_tlb_walk_block(struct km_tlb *tlb, struct km_tlb_outcome *outcomes);

#endif
