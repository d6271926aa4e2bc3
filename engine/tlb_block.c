/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many references: a block of them goes through one array after the other, so that each array's
 * loop is short and what it is kept in near. That is the same as one by one: no array of the L1
 * knows of the L2, none of the L2 of what walks use, and each sees its own keys in their order.
 * Lists shrink from stage to stage without a branch that hits and misses could mislead.
 *
 * Not so where the host's and the guest's walks share arrays (nested), and where two arrays draw
 * random numbers from one generator: there references are made one by one.
 */
#include <errno.h>
#include <string.h>

#include "tlb.h"

#define BLOCK 256u
#define MOST_LEVELS 5u
#define MOST_LINES (BLOCK * (MOST_LEVELS + 1)) /* each level's, and the data's */
#define always_inline static inline __attribute__((always_inline))

/* What one array is asked for: keys, and of which references. */
struct list {
	size_t n;
	uint64_t key[BLOCK];
	uint16_t of[BLOCK];
};

struct km_tlb_block {
	const uint64_t *addrs; /* the references */
	const uint8_t *sizes;  /* NULL: all are `size` */
	size_t nr_refs;
	uint8_t size;
	/* Those that are still to be found. */
	size_t n;
	uint16_t at[BLOCK];
	/* Of the arrays of a level; those of sizes that it keeps in none. */
	struct list lists[KM_TLB_ARRAYS + 1];
	uint16_t missed[BLOCK];
	bool is_missed[BLOCK];
	/* Walks: their addresses, and at which level of tables they begin. */
	uint64_t addr[BLOCK];
	uint8_t leaf[BLOCK], start[BLOCK];
	/*
	 * Lines that walks and data read: of which walk, if of one; how many levels, from the
	 * nearest on, lack it.
	 */
	size_t nr_lines;
	uint64_t line[MOST_LINES];
	uint16_t of[MOST_LINES], far[MOST_LINES];
	uint8_t absent[MOST_LINES];
};

#define NO_WALK UINT16_MAX

static inline uint8_t size_of(const struct km_tlb_block *block, size_t at)
{
	return block->sizes ? block->sizes[at] : block->size;
}

/* ---- creation ---- */

bool km_tlb_goes_in_blocks(const struct km_tlb *tlb)
{
	const struct km_tlb_array *groups[] = {tlb->l1, tlb->l2, tlb->structures, tlb->lines};
	const unsigned counts[] = {KM_TLB_ARRAYS, KM_TLB_ARRAYS, KM_TLB_STRUCTURES,
				   KM_TLB_LINE_LEVELS - 1};
	unsigned random = 0;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < counts[i]; k++)
			random += groups[i][k].spec.entries &&
				  groups[i][k].spec.policy == KM_TLB_RANDOM;
	for (unsigned size = 0; size < KM_TLB_SIZES; size++)
		if (!tlb->route[0][size].array)
			return false; /* the same page twice is then looked up twice */
	return !tlb->spec.nested && random <= 1;
}

int km_tlb_block_create(struct km_tlb *tlb)
{
	tlb->block = km_env_alloc(tlb->env, sizeof(*tlb->block));
	return tlb->block ? 0 : -ENOMEM;
}

void km_tlb_block_destroy(struct km_tlb *tlb)
{
	km_env_release(tlb->env, tlb->block, sizeof(*tlb->block));
}

/* ---- the two levels ---- */

/* The array of all sizes that there are, by number; KM_TLB_ARRAYS + 1: there are several. */
static unsigned only_number(const struct km_tlb_block *block, const struct km_tlb_route *routes)
{
	for (unsigned size = 1; block->sizes && size < KM_TLB_SIZES; size++)
		if (routes[size].number != routes[0].number)
			return KM_TLB_ARRAYS + 1;
	return routes[block->size].number;
}

/* A reference to the page of the one before it finds it: it is left out. */
always_inline void list_references(struct km_tlb *tlb, const uint8_t *sizes, bool several)
{
	const struct km_tlb_route *routes = tlb->route[0];
	struct km_tlb_block *block = tlb->block;
	const uint64_t *addrs = block->addrs;
	unsigned size = block->size;
	struct list *list = &block->lists[routes[size].number];
	uint64_t last = tlb->last_key;
	size_t n = 0;

	for (unsigned i = 0; i <= KM_TLB_ARRAYS; i++)
		block->lists[i].n = 0;
	for (size_t i = 0; i < block->nr_refs; i++) {
		uint64_t key;

		size = sizes ? sizes[i] : size;
		if (several) {
			list = &block->lists[routes[size].number];
			n = list->n;
		}
		key = km_tlb_route_key(&routes[size], addrs[i]);
		list->key[n] = key;
		list->of[n] = (uint16_t)i;
		n += key != last;
		if (several)
			list->n = n;
		last = key;
	}
	list->n = n;
	tlb->last_key = last;
}

always_inline void list_misses(struct km_tlb *tlb, const uint8_t *sizes, bool several)
{
	const struct km_tlb_route *routes = tlb->route[1];
	struct km_tlb_block *block = tlb->block;
	const uint64_t *addrs = block->addrs;
	unsigned size = block->size;
	struct list *list = &block->lists[routes[size].number];
	size_t n = 0;

	for (unsigned i = 0; i <= KM_TLB_ARRAYS; i++)
		block->lists[i].n = 0;
	for (size_t i = 0; i < block->n; i++) {
		uint16_t of = block->at[i];

		size = sizes ? sizes[of] : size;
		if (several) {
			list = &block->lists[routes[size].number];
			n = list->n;
		}
		list->key[n] = km_tlb_route_key(&routes[size], addrs[of]);
		list->of[n++] = of;
		if (several)
			list->n = n;
	}
	list->n = n;
}

/* What the array has not remains. A size without an array is missed. */
static void use_list(struct km_tlb *tlb, struct km_tlb_array *array, struct list *list)
{
	struct km_tlb_block *block = tlb->block;
	size_t misses;

	if (!array)
		return;
	misses = km_tlb_array_use_many(array, list->key, list->n, block->missed, tlb->env);
	for (size_t i = 0; i < misses; i++)
		list->of[i] = list->of[block->missed[i]];
	list->n = misses;
}

/* In order again. */
static void merge(struct km_tlb_block *block)
{
	size_t n = 0;

	memset(block->is_missed, false, block->nr_refs);
	for (unsigned i = 0; i <= KM_TLB_ARRAYS; i++)
		for (size_t k = 0; k < block->lists[i].n; k++)
			block->is_missed[block->lists[i].of[k]] = true;
	for (size_t i = 0; i < block->nr_refs; i++) {
		block->at[n] = (uint16_t)i;
		n += block->is_missed[i];
	}
	block->n = n;
}

/* What a level has goes. */
static void use_level(struct km_tlb *tlb, struct km_tlb_array *arrays)
{
	struct km_tlb_block *block = tlb->block;
	const struct list *only = &block->lists[0];
	unsigned some = 0;

	for (unsigned i = 0; i <= KM_TLB_ARRAYS; i++) {
		if (!block->lists[i].n)
			continue;
		use_list(tlb, i < KM_TLB_ARRAYS ? &arrays[i] : NULL, &block->lists[i]);
		if (!block->lists[i].n)
			continue;
		some++;
		only = &block->lists[i];
	}
	if (some > 1) {
		merge(block);
		return;
	}
	memcpy(block->at, only->of, only->n * sizeof(*only->of));
	block->n = only->n;
}

static void say_level(const struct km_tlb_block *block, struct km_tlb_outcome *outcomes,
		      uint8_t level)
{
	for (size_t i = 0; outcomes && i < block->n; i++)
		outcomes[block->at[i]].level = level;
}

/* ---- walks ---- */

static void begin_walks(struct km_tlb *tlb)
{
	struct km_tlb_block *block = tlb->block;

	if (!block->sizes)
		tlb->counts.walks[block->size] += block->n;
	for (size_t i = 0; i < block->n; i++) {
		uint8_t size = size_of(block, block->at[i]);

		if (block->sizes)
			tlb->counts.walks[size]++;
		block->addr[i] = km_tlb_index_part(&tlb->spec, block->addrs[block->at[i]]);
		block->leaf[i] = block->start[i] = (uint8_t)km_tlb_leaf_level(size);
	}
}

/*
 * Paging-structure caches, from the leaf's up: where a walk's entry is, there it begins. The
 * highest level at which one does.
 */
static unsigned find_starts(struct km_tlb *tlb)
{
	struct km_tlb_block *block = tlb->block;
	struct list *list = &block->lists[0];
	unsigned level = 0;

	for (size_t below = block->n; below && level + 1 < tlb->spec.levels; level++) {
		struct km_tlb_array *array = &tlb->structures[level];
		size_t n = 0, misses;

		for (size_t i = 0; i < block->n; i++) {
			list->key[n] = km_tlb_structure_key(level, KM_TLB_GUEST, block->addr[i]);
			list->of[n] = (uint16_t)i;
			n += block->start[i] == level;
		}
		list->n = misses = n;
		if (array->spec.entries)
			use_list(tlb, array, list);
		misses = list->n;
		for (size_t i = 0; i < misses; i++)
			block->start[list->of[i]]++;
		/* Found ones stay below; all others begin higher, or have not been looked for. */
		below -= n - misses;
		if (!below)
			return level;
	}
	return level;
}

static size_t add_data_lines(struct km_tlb *tlb, size_t n, size_t from, size_t to)
{
	struct km_tlb_block *block = tlb->block;

	for (; from < to; from++) {
		block->line[n] = km_tlb_data_key(&tlb->spec, block->addrs[from]);
		block->of[n++] = NO_WALK;
	}
	return n;
}

/* From its first level down; none begins above `top`. */
always_inline size_t add_walk_lines(struct km_tlb_block *block, size_t n, size_t walk, unsigned top)
{
	for (unsigned level = top + 1; level-- > 0;) {
		block->line[n] = km_tlb_line_key(level, KM_TLB_GUEST, block->addr[walk]);
		block->of[n] = (uint16_t)walk;
		n += level <= block->start[walk] && level >= block->leaf[walk];
	}
	return n;
}

/* In the order of references: its data's line, then its walk's. */
static void list_lines(struct km_tlb *tlb, unsigned top)
{
	struct km_tlb_block *block = tlb->block;
	size_t n = 0, from = 0;

	for (size_t i = 0; i < block->n; i++) {
		if (tlb->spec.data_lines) {
			n = add_data_lines(tlb, n, from, block->at[i] + 1u);
			from = block->at[i] + 1u;
		}
		n = add_walk_lines(block, n, i, top);
	}
	if (tlb->spec.data_lines)
		n = add_data_lines(tlb, n, from, block->nr_refs);
	block->nr_lines = n;
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

/* Every level sees every line; the nearest that had a walk's counts. */
static void use_lines(struct km_tlb *tlb, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;
	size_t left = block->nr_lines - (tlb->spec.data_lines ? block->nr_refs : 0);

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

/* ---- a block ---- */

static void use_block(struct km_tlb *tlb, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;

	for (size_t i = 0; outcomes && i < block->nr_refs; i++)
		outcomes[i] = (struct km_tlb_outcome){.level = 1};
	if (only_number(block, tlb->route[0]) > KM_TLB_ARRAYS)
		list_references(tlb, block->sizes, true);
	else if (block->sizes)
		list_references(tlb, block->sizes, false);
	else
		list_references(tlb, NULL, false);
	tlb->counts.refs += block->nr_refs;
	use_level(tlb, tlb->l1);
	tlb->counts.l1_misses += block->n;
	if (block->n) {
		say_level(block, outcomes, 2);
		if (only_number(block, tlb->route[1]) > KM_TLB_ARRAYS)
			list_misses(tlb, block->sizes, true);
		else if (block->sizes)
			list_misses(tlb, block->sizes, false);
		else
			list_misses(tlb, NULL, false);
		use_level(tlb, tlb->l2);
		tlb->counts.l2_misses += block->n;
		say_level(block, outcomes, 3);
	}
	if (!block->n && !tlb->spec.data_lines)
		return;
	begin_walks(tlb);
	list_lines(tlb, find_starts(tlb));
	use_lines(tlb, outcomes);
}

/* Mostly a block's pages are of one size, and then it is asked of each array once. */
static void set_sizes(struct km_tlb_block *block, const uint8_t *sizes)
{
	block->sizes = sizes;
	if (sizes && !memcmp(sizes, sizes + 1, block->nr_refs - 1)) {
		block->size = sizes[0];
		block->sizes = NULL;
	}
}

void km_tlb_use_blocks(struct km_tlb *tlb, const uint64_t *addrs, const uint8_t *sizes,
		       uint8_t size, size_t n, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;

	block->size = size;
	for (size_t from = 0; from < n; from += BLOCK) {
		block->addrs = addrs + from;
		block->nr_refs = n - from < BLOCK ? n - from : BLOCK;
		set_sizes(block, sizes ? sizes + from : NULL);
		use_block(tlb, outcomes ? outcomes + from : NULL);
	}
}
