/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walks of a block of references, all of them one step after the other: where each begins, then
 * which page-table lines they read, and where those lie. Neighbouring walks mostly begin at the
 * same entry and read the same line, which is then the newest of its array, and is not looked for
 * again.
 */
#include <string.h>

#include "tlb_block.h"

#define NO_WALK UINT16_MAX

static void begin_walks(struct km_tlb *tlb)
{
	struct km_tlb_block *block = tlb->block;
	uint64_t walks = 0; /* by size, 16 bits each: a block has fewer */

	for (size_t i = 0; i < block->n; i++) {
		uint8_t size = block->sizes ? block->sizes[block->at[i]] : block->size;

		walks += 1ull << size * 16;
		block->addr[i] = km_tlb_index_part(&tlb->spec, block->addrs[block->at[i]]);
		block->leaf[i] = block->start[i] = (uint8_t)km_tlb_leaf_level(size);
	}
	for (unsigned size = 0; size < KM_TLB_SIZES; size++)
		tlb->counts.walks[size] += walks >> size * 16 & UINT16_MAX;
}

/* ---- where they begin ---- */

/* Whether its entry of this level is there, all that have come to it ask. How many those are. */
static size_t list_starts(struct km_tlb_block *block, unsigned level, struct km_tlb_array *array)
{
	struct km_tlb_list *list = &block->lists[0];
	uint64_t last = array->last;
	size_t n = 0, asking = 0;

	for (size_t i = 0; i < block->n; i++) {
		uint64_t key = km_tlb_structure_key(level, KM_TLB_GUEST, block->addr[i]);
		bool asks = block->start[i] == level;

		list->key[n] = key;
		list->of[n] = (uint16_t)i;
		n += asks & (key != last);
		last = asks ? key : last;
		asking += asks;
	}
	list->n = n;
	array->last = last;
	return asking;
}

/* No entries of this level are kept. */
static size_t raise_starts(struct km_tlb_block *block, unsigned level)
{
	size_t raised = 0;

	for (size_t i = 0; i < block->n; i++) {
		bool here = block->start[i] == level;

		block->start[i] += here;
		raised += here;
	}
	return raised;
}

/*
 * Paging-structure caches, from the leaf's up: where a walk's entry is, there it begins. The
 * highest level at which one does.
 */
static unsigned find_starts(struct km_tlb *tlb)
{
	struct km_tlb_block *block = tlb->block;
	const struct km_tlb_list *list = &block->lists[0];
	unsigned level = 0;

	/* Those that are found stay below; others begin higher, or have not been looked for. */
	for (size_t below = block->n; below && level + 1 < tlb->spec.levels; level++) {
		struct km_tlb_array *array = &tlb->structures[level];

		if (!array->spec.entries) {
			raise_starts(block, level);
			continue;
		}
		below -= list_starts(block, level, array);
		km_tlb_use_list(tlb, array, &block->lists[0]);
		below += list->n;
		for (size_t i = 0; i < list->n; i++)
			block->start[list->of[i]]++;
		if (!below)
			return level;
	}
	return level;
}

/* ---- what they read ---- */

/* Where a line is found that was read just before: the nearest level that keeps any. */
static unsigned nearest_level(const struct km_tlb *tlb)
{
	unsigned level = 0;

	while (level < KM_TLB_LINE_LEVELS - 1 && !tlb->lines[level].spec.entries)
		level++;
	return level;
}

struct listing {
	size_t n;
	size_t listed, again; /* walks' lines: in the list, and not for being read just before */
	uint64_t last;
};

static void add_data_lines(struct km_tlb *tlb, struct listing *lines, size_t from, size_t to)
{
	struct km_tlb_block *block = tlb->block;

	for (; from < to; from++) {
		uint64_t key = km_tlb_data_key(&tlb->spec, block->addrs[from]);

		block->line[lines->n] = key;
		block->of[lines->n] = NO_WALK;
		lines->n += key != lines->last;
		lines->last = key;
	}
}

/* From its first level down; none begins above `top`. again: of the walk's outcome, or NULL. */
static inline void add_walk_lines(struct km_tlb_block *block, struct listing *lines, size_t walk,
				  unsigned top, uint8_t *again)
{
	for (unsigned level = top + 1; level-- > 0;) {
		uint64_t key = km_tlb_line_key(level, KM_TLB_GUEST, block->addr[walk]);
		bool reads = (level <= block->start[walk]) & (level >= block->leaf[walk]);
		bool lists = reads & (key != lines->last);

		block->line[lines->n] = key;
		block->of[lines->n] = (uint16_t)walk;
		lines->n += lists;
		lines->listed += lists;
		lines->again += reads & !lists;
		if (again)
			*again += reads & !lists;
		lines->last = reads ? key : lines->last;
	}
}

/* In the order of references: its data's line, then its walk's. How many are walks'. */
static size_t list_lines(struct km_tlb *tlb, unsigned top, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;
	unsigned nearest = nearest_level(tlb);
	struct listing lines = {0};
	size_t from = 0;

	if (nearest < KM_TLB_LINE_LEVELS - 1)
		lines.last = tlb->lines[nearest].last;
	for (size_t i = 0; i < block->n; i++) {
		uint16_t at = block->at[i];

		if (tlb->spec.data_lines) {
			add_data_lines(tlb, &lines, from, at + 1u);
			from = at + 1u;
		}
		add_walk_lines(block, &lines, i, top,
			       outcomes ? &outcomes[at].lines[nearest] : NULL);
	}
	if (tlb->spec.data_lines)
		add_data_lines(tlb, &lines, from, block->nr_refs);
	tlb->lines[0].last = tlb->lines[1].last = lines.last;
	tlb->counts.lines[nearest] += lines.again;
	block->nr_lines = lines.n;
	return lines.listed;
}

/* The lines that a level of caches lacks, by number, to `far`; how many. */
static size_t use_lines_of(struct km_tlb *tlb, unsigned level)
{
	struct km_tlb_block *block = tlb->block;
	struct km_tlb_array *array = &tlb->lines[level];

	if (array->spec.entries)
		return km_tlb_array_use_many(array, block->line, block->nr_lines, block->far,
					     tlb->env);
	for (size_t i = 0; i < block->nr_lines; i++)
		block->far[i] = (uint16_t)i;
	return block->nr_lines;
}

/* Every level sees every line; the nearest that had a walk's counts. left: how many are walks'. */
static void use_lines(struct km_tlb *tlb, size_t left, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;

	memset(block->absent, 0, block->nr_lines);
	for (unsigned level = 0; level < KM_TLB_LINE_LEVELS - 1; level++) {
		size_t misses = use_lines_of(tlb, level), walks = 0;

		for (size_t i = 0; i < misses; i++) {
			uint16_t line = block->far[i];
			bool so_far = block->absent[line] == level;

			block->absent[line] += so_far;
			walks += so_far & (block->of[line] != NO_WALK);
		}
		tlb->counts.lines[level] += left - walks;
		left = walks;
	}
	tlb->counts.lines[KM_TLB_LINE_LEVELS - 1] += left;
	for (size_t i = 0; outcomes && i < block->nr_lines; i++)
		if (block->of[i] != NO_WALK)
			outcomes[block->at[block->of[i]]].lines[block->absent[i]]++;
}

void km_tlb_walk_block(struct km_tlb *tlb, struct km_tlb_outcome *outcomes)
{
	if (!tlb->block->n && !tlb->spec.data_lines)
		return;
	begin_walks(tlb);
	use_lines(tlb, list_lines(tlb, find_starts(tlb), outcomes), outcomes);
}
