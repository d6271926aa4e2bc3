/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walks of a block of references, all of them one step after the other: where each begins, then
 * which page-table lines they read, and where those lie. Neighbouring walks mostly begin at the
 * same entry and read the same line, which is then the newest of its array, and is not looked for
 * again.
 */
#include <string.h>

#include "tlb_block.h"
#include "tlb_eight.h"

#define NO_WALK UINT16_MAX
#define LINE_SHIFT(level) (km_tlb_level_shift(level) + KM_TLB_LINE_ENTRIES_SHIFT)

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

#ifdef __x86_64__
static KM_TLB_WITH_8 size_t list_starts_8(struct km_tlb_block *block, unsigned level,
					  struct km_tlb_array *array)
{
	struct km_tlb_list *list = &block->lists[0];
	struct km_tlb_tail tail = {list->key, list->of, 0, array->last};
	size_t asking = 0;

	for (size_t i = 0; i < block->n; i += 8) {
		__mmask8 there = (__mmask8)(block->n - i < 8 ? (1u << (block->n - i)) - 1 : 0xff);
		__mmask8 asks = _mm512_mask_cmpeq_epi64_mask(
			there, km_tlb_bytes_8(&block->start[i]), _mm512_set1_epi64(level));

		km_tlb_append_8(&tail,
				km_tlb_level_keys_8(&block->addr[i], km_tlb_level_shift(level + 1),
						    level, KM_TLB_GUEST),
				km_tlb_from_8(i), asks);
		asking += (unsigned)__builtin_popcount(asks);
	}
	list->n = tail.n;
	array->last = tail.last;
	return asking;
}
#endif

/* Whether its entry of this level is there, all that have come to it ask. How many those are. */
static size_t list_starts(struct km_tlb_block *block, unsigned level, struct km_tlb_array *array)
{
	struct km_tlb_list *list = &block->lists[0];
	uint64_t last = array->last;
	size_t n = 0, asking = 0;

#ifdef __x86_64__
	if (km_tlb_has_8())
		return list_starts_8(block, level, array);
#endif
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

#ifdef __x86_64__
/* The eight walks' lines of the two lowest levels, the upper one of each first. */
KM_TLB_ALWAYS_8 size_t add_both_levels(struct km_tlb_tail *tail, __m512i upper, __m512i lower,
				       size_t walk, uint32_t read)
{
	const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
	const __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
	__m512i of = km_tlb_from_8(walk);

	km_tlb_append_8(tail, _mm512_permutex2var_epi64(upper, first, lower),
			_mm512_permutex2var_epi64(of, first, of), (__mmask8)read);
	km_tlb_append_8(tail, _mm512_permutex2var_epi64(upper, second, lower),
			_mm512_permutex2var_epi64(of, second, of), (__mmask8)(read >> 8));
	return (unsigned)__builtin_popcount(read);
}

/* As list_lines() of walks alone, none of which begins above the second level. */
static KM_TLB_WITH_8 void list_lines_8(struct km_tlb *tlb, unsigned top, struct listing *lines)
{
	struct km_tlb_block *block = tlb->block;
	struct km_tlb_tail tail = {block->line, block->of, 0, lines->last};
	size_t read = 0;

	for (size_t i = 0; i < block->n; i += 8) {
		__mmask8 there = (__mmask8)(block->n - i < 8 ? (1u << (block->n - i)) - 1 : 0xff);
		__m512i leaf = km_tlb_bytes_8(&block->leaf[i]), one = _mm512_set1_epi64(1);
		__m512i start = km_tlb_bytes_8(&block->start[i]);
		__mmask8 low = _mm512_mask_cmplt_epi64_mask(there, leaf, one);
		__mmask8 high = _mm512_mask_cmple_epi64_mask(there, leaf, one) &
				_mm512_cmpge_epi64_mask(start, one);
		__m512i keys = km_tlb_level_keys_8(&block->addr[i], LINE_SHIFT(0), 0, KM_TLB_GUEST);

		if (top) {
			read += add_both_levels(&tail,
						km_tlb_level_keys_8(&block->addr[i], LINE_SHIFT(1),
								    1, KM_TLB_GUEST),
						keys, i,
						_pdep_u32(high, 0x5555) | _pdep_u32(low, 0xaaaa));
			continue;
		}
		km_tlb_append_8(&tail, keys, km_tlb_from_8(i), low);
		read += (unsigned)__builtin_popcount(low);
	}
	*lines = (struct listing){tail.n, tail.n, read - tail.n, tail.last};
}
#endif

/* All walks' lines at once. Does the host, and do they, allow that? */
static bool list_at_once(struct km_tlb *tlb, unsigned top, struct listing *lines)
{
#ifdef __x86_64__
	if (top < 2 && km_tlb_has_8()) {
		list_lines_8(tlb, top, lines);
		return true;
	}
#endif
	(void)tlb;
	(void)top;
	(void)lines;
	return false;
}

static void list_each(struct km_tlb *tlb, unsigned top, struct km_tlb_outcome *outcomes,
		      unsigned nearest, struct listing *lines)
{
	struct km_tlb_block *block = tlb->block;
	size_t from = 0;

	for (size_t i = 0; i < block->n; i++) {
		uint16_t at = block->at[i];

		if (tlb->spec.data_lines) {
			add_data_lines(tlb, lines, from, at + 1u);
			from = at + 1u;
		}
		add_walk_lines(block, lines, i, top,
			       outcomes ? &outcomes[at].lines[nearest] : NULL);
	}
	if (tlb->spec.data_lines)
		add_data_lines(tlb, lines, from, block->nr_refs);
}

/* In the order of references: its data's line, then its walk's. How many are walks'. */
static size_t list_lines(struct km_tlb *tlb, unsigned top, struct km_tlb_outcome *outcomes)
{
	unsigned nearest = nearest_level(tlb);
	struct listing lines = {0};

	if (nearest < KM_TLB_LINE_LEVELS - 1)
		lines.last = tlb->lines[nearest].last;
	if (outcomes || tlb->spec.data_lines || !list_at_once(tlb, top, &lines))
		list_each(tlb, top, outcomes, nearest, &lines);
	tlb->lines[0].last = tlb->lines[1].last = lines.last;
	tlb->counts.lines[nearest] += lines.again;
	tlb->block->nr_lines = lines.n;
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
