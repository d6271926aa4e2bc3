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

struct km_tlb_block {
	const uint64_t *addrs; /* the references */
	const uint8_t *sizes;  /* NULL: all are `size` */
	size_t nr_refs;
	uint8_t size;
	/* Those that are still to be found, by their numbers, and their keys where they are looked
	 * for.
	 */
	size_t n;
	uint16_t at[BLOCK], missed[BLOCK];
	uint64_t key[BLOCK];
	/* Those of one array, where a level has several. */
	uint64_t some_key[BLOCK];
	uint16_t some[BLOCK], some_missed[BLOCK];
	bool is_missed[BLOCK];
	/* Walks: their addresses, and at which level of tables they begin. */
	uint64_t addr[BLOCK];
	uint8_t leaf[BLOCK], start[BLOCK];
	/* Lines that walks and data read: of which walk, if of one; which level lacked it. */
	size_t nr_lines;
	uint64_t line[MOST_LINES];
	uint16_t of[MOST_LINES], far[MOST_LINES];
	uint8_t absent[KM_TLB_LINE_LEVELS - 1][MOST_LINES];
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

/* A reference to the page of the one before it finds it: it is left out. */
static inline __attribute__((always_inline)) void
take_references(struct km_tlb *tlb, struct km_tlb_block *block, const uint8_t *sizes)
{
	const uint64_t *addrs = block->addrs;
	struct km_tlb_route route = tlb->route[0][block->size];
	uint64_t last = tlb->last_key;
	size_t kept = 0, n = block->nr_refs;

	for (size_t i = 0; i < n; i++) {
		uint64_t key;

		if (sizes)
			route = tlb->route[0][sizes[i]];
		key = km_tlb_route_key(&route, addrs[i]);
		block->key[kept] = key;
		block->at[kept] = (uint16_t)i;
		kept += key != last;
		last = key;
	}
	block->n = kept;
	tlb->last_key = last;
}

static void second_keys(struct km_tlb *tlb)
{
	struct km_tlb_block *block = tlb->block;

	for (size_t i = 0; i < block->n; i++)
		block->key[i] = km_tlb_route_key(&tlb->route[1][size_of(block, block->at[i])],
						 block->addrs[block->at[i]]);
}

/* The keys of one array of several are picked out. */
static void use_one_of(struct km_tlb *tlb, struct km_tlb_array *array,
		       const struct km_tlb_route *routes)
{
	struct km_tlb_block *block = tlb->block;
	bool here[KM_TLB_SIZES];
	size_t n = 0, misses;

	for (unsigned size = 0; size < KM_TLB_SIZES; size++)
		here[size] = routes[size].array == array;
	for (size_t i = 0; i < block->n; i++) {
		block->some_key[n] = block->key[i];
		block->some[n] = (uint16_t)i;
		n += here[size_of(block, block->at[i])];
	}
	misses = km_tlb_array_use_many(array, block->some_key, n, block->some_missed, tlb->env);
	for (size_t i = 0; i < n; i++)
		block->is_missed[block->some[i]] = false;
	for (size_t i = 0; i < misses; i++)
		block->is_missed[block->some[block->some_missed[i]]] = true;
}

/* A size without an array is missed. */
static size_t use_several(struct km_tlb *tlb, struct km_tlb_array *arrays,
			  const struct km_tlb_route *routes)
{
	struct km_tlb_block *block = tlb->block;
	size_t misses = 0;

	memset(block->is_missed, true, block->n);
	for (unsigned i = 0; i < KM_TLB_ARRAYS; i++)
		if (arrays[i].spec.entries)
			use_one_of(tlb, &arrays[i], routes);
	for (size_t i = 0; i < block->n; i++) {
		block->missed[misses] = (uint16_t)i;
		misses += block->is_missed[i];
	}
	return misses;
}

/* The array of all sizes that there are; NULL: there are several, or none. */
static struct km_tlb_array *only_array(const struct km_tlb_block *block,
				       const struct km_tlb_route *routes)
{
	if (!block->sizes)
		return routes[block->size].array;
	for (unsigned size = 1; size < KM_TLB_SIZES; size++)
		if (routes[size].array != routes[0].array)
			return NULL;
	return routes[0].array;
}

/* What a level has goes. */
static void use_level(struct km_tlb *tlb, struct km_tlb_array *arrays,
		      const struct km_tlb_route *routes)
{
	struct km_tlb_block *block = tlb->block;
	struct km_tlb_array *only = only_array(block, routes);
	size_t misses =
		only ? km_tlb_array_use_many(only, block->key, block->n, block->missed, tlb->env)
		     : use_several(tlb, arrays, routes);

	for (size_t i = 0; i < misses; i++)
		block->at[i] = block->at[block->missed[i]];
	block->n = misses;
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
	unsigned level = 0;

	for (size_t below = block->n; below && level + 1 < tlb->spec.levels; level++) {
		struct km_tlb_array *array = &tlb->structures[level];
		size_t n = 0, misses;

		for (size_t i = 0; i < block->n; i++) {
			block->some_key[n] =
				km_tlb_structure_key(level, KM_TLB_GUEST, block->addr[i]);
			block->some[n] = (uint16_t)i;
			n += block->start[i] == level;
		}
		misses = n;
		if (array->spec.entries)
			misses = km_tlb_array_use_many(array, block->some_key, n,
						       block->some_missed, tlb->env);
		for (size_t i = 0; i < misses; i++)
			block->start[block->some[array->spec.entries ? block->some_missed[i]
								     : i]]++;
		/* Found ones stay below; all others begin higher, or have not been looked for. */
		below -= n - misses;
		if (!below)
			return level;
	}
	return level;
}

static void add_data_lines(struct km_tlb *tlb, size_t from, size_t to)
{
	struct km_tlb_block *block = tlb->block;

	for (; from < to; from++) {
		block->line[block->nr_lines] = km_tlb_data_key(&tlb->spec, block->addrs[from]);
		block->of[block->nr_lines++] = NO_WALK;
	}
}

/* From its first level down; none begins above `top`. */
static void add_walk_lines(struct km_tlb_block *block, size_t walk, unsigned top)
{
	size_t n = block->nr_lines;

	for (unsigned level = top + 1; level-- > 0;) {
		block->line[n] = km_tlb_line_key(level, KM_TLB_GUEST, block->addr[walk]);
		block->of[n] = (uint16_t)walk;
		n += level <= block->start[walk] && level >= block->leaf[walk];
	}
	block->nr_lines = n;
}

/* In the order of references: its data's line, then its walk's. */
static void list_lines(struct km_tlb *tlb, unsigned top)
{
	struct km_tlb_block *block = tlb->block;
	size_t from = 0;

	block->nr_lines = 0;
	for (size_t i = 0; i < block->n; i++) {
		if (tlb->spec.data_lines) {
			add_data_lines(tlb, from, block->at[i] + 1u);
			from = block->at[i] + 1u;
		}
		add_walk_lines(block, i, top);
	}
	if (tlb->spec.data_lines)
		add_data_lines(tlb, from, block->nr_refs);
}

/* Every level of caches sees every line. */
static void use_lines(struct km_tlb *tlb, unsigned level)
{
	struct km_tlb_block *block = tlb->block;
	struct km_tlb_array *array = &tlb->lines[level];
	size_t misses;

	memset(block->absent[level], !array->spec.entries, block->nr_lines);
	if (!array->spec.entries)
		return;
	misses = km_tlb_array_use_many(array, block->line, block->nr_lines, block->far, tlb->env);
	for (size_t i = 0; i < misses; i++)
		block->absent[level][block->far[i]] = 1;
}

/* The nearest level that had a walk's line counts. */
static void count_lines(struct km_tlb *tlb, struct km_tlb_outcome *outcomes)
{
	const struct km_tlb_block *block = tlb->block;
	uint64_t all = 0, not_near = 0, neither = 0;

	for (size_t i = 0; i < block->nr_lines; i++) {
		uint8_t walks = block->of[i] != NO_WALK;

		all += walks;
		not_near += walks & block->absent[0][i];
		neither += walks & block->absent[0][i] & block->absent[1][i];
	}
	tlb->counts.lines[0] += all - not_near;
	tlb->counts.lines[1] += not_near - neither;
	tlb->counts.lines[2] += neither;
	for (size_t i = 0; outcomes && i < block->nr_lines; i++)
		if (block->of[i] != NO_WALK)
			outcomes[block->at[block->of[i]]]
				.lines[block->absent[0][i] +
				       (block->absent[0][i] & block->absent[1][i])]++;
}

/* ---- a block ---- */

static void use_block(struct km_tlb *tlb, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;

	for (size_t i = 0; outcomes && i < block->nr_refs; i++)
		outcomes[i] = (struct km_tlb_outcome){.level = 1};
	if (block->sizes)
		take_references(tlb, block, block->sizes);
	else
		take_references(tlb, block, NULL);
	tlb->counts.refs += block->nr_refs;
	use_level(tlb, tlb->l1, tlb->route[0]);
	tlb->counts.l1_misses += block->n;
	if (block->n) {
		say_level(block, outcomes, 2);
		second_keys(tlb);
		use_level(tlb, tlb->l2, tlb->route[1]);
		tlb->counts.l2_misses += block->n;
		say_level(block, outcomes, 3);
	}
	if (!block->n && !tlb->spec.data_lines)
		return;
	begin_walks(tlb);
	list_lines(tlb, find_starts(tlb));
	for (unsigned level = 0; level < KM_TLB_LINE_LEVELS - 1; level++)
		use_lines(tlb, level);
	count_lines(tlb, outcomes);
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
