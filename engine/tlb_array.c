/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arrays of the TLB model: victims and what tlb.h does not do inline. For a number of ways that is
 * no power of two the PLRU tree is that of the next one, and ways that do not exist are never gone
 * to.
 */
#include "tlb.h"

#include <errno.h>
#include <string.h>

#define WORD_WAYS 64u /* PLRU trees of that many ways fit a word */

static unsigned log2_up(uint32_t n)
{
	return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

static size_t slots(const struct km_tlb_array *array)
{
	return (size_t)array->sets << array->stride_bits;
}

/* ---- making ---- */

static void empty_rings(struct km_tlb_array *array)
{
	for (uint32_t set = 0; set < array->sets; set++) {
		uint32_t first = set << array->stride_bits, last = first + array->ways - 1;

		for (uint32_t slot = first; slot <= last; slot++) {
			array->newer[slot] = slot == first ? last : slot - 1;
			array->older[slot] = slot == last ? first : slot + 1;
		}
		array->newest[set] = first;
	}
}

/* Way i in nibble i. */
static uint64_t identity_order(uint32_t ways)
{
	return 0xfedcba9876543210ull & (~0ull >> 4 * (KM_TLB_SCANNED_WAYS - ways));
}

void km_tlb_array_clear(struct km_tlb_array *array)
{
	if (!array->spec.entries)
		return;
	memset(array->keys, 0, slots(array) * sizeof(*array->keys));
	memset(array->parts, 0, slots(array) * sizeof(*array->parts));
	if (array->index)
		memset(array->index, 0, sizeof(*array->index) << array->index_bits);
	if (array->trees)
		memset(array->trees, 0, (size_t)array->sets * array->tree_words * 8);
	for (uint32_t set = 0; set < array->sets; set++) {
		if (array->order)
			array->order[set] =
				array->mode == KM_TLB_SCAN_LRU ? identity_order(array->ways) : 0;
		if (array->vacant)
			array->vacant[set] = array->ways;
	}
	if (array->newest)
		empty_rings(array);
}

/* Which node bits a touch of each way changes: every node on its path points the other way. */
static void tree_tables(struct km_tlb_array *array)
{
	for (uint32_t way = 0; way < array->ways; way++) {
		uint32_t node = 1;

		for (unsigned i = log2_up(array->ways); i-- > 0;) {
			if (way >> i & 1)
				array->clear_on[way] |= 1ull << node;
			else
				array->set_on[way] |= 1ull << node;
			node = 2 * node + (way >> i & 1);
		}
	}
}

static void *table(struct km_env *env, bool wanted, size_t n, size_t size, bool *failed)
{
	void *memory = wanted ? km_env_alloc(env, n * size) : NULL;

	*failed |= wanted && !memory;
	return memory;
}

static int make_tables(struct km_tlb_array *array, struct km_env *env)
{
	bool lru = array->spec.policy == KM_TLB_LRU, plru = array->spec.policy == KM_TLB_PLRU;
	bool many = array->ways > KM_TLB_SCANNED_WAYS, word = array->ways <= WORD_WAYS;
	bool failed = false;
	size_t n = slots(array);

	array->keys = table(env, true, n, sizeof(*array->keys), &failed);
	array->parts = table(env, true, n, sizeof(*array->parts), &failed);
	array->order = table(env, (lru && !many) || (plru && word), array->sets,
			     sizeof(*array->order), &failed);
	array->vacant = table(env, !lru, array->sets, sizeof(*array->vacant), &failed);
	array->clear_on = table(env, plru && word, WORD_WAYS, sizeof(uint64_t), &failed);
	array->set_on = table(env, plru && word, WORD_WAYS, sizeof(uint64_t), &failed);
	array->newer = table(env, lru && many, n, sizeof(*array->newer), &failed);
	array->older = table(env, lru && many, n, sizeof(*array->older), &failed);
	array->newest = table(env, lru && many, array->sets, sizeof(*array->newest), &failed);
	array->trees = table(env, plru && !word, (size_t)array->sets * array->tree_words,
			     sizeof(uint64_t), &failed);
	array->index =
		table(env, many, (size_t)1 << array->index_bits, sizeof(*array->index), &failed);
	if (failed)
		return -ENOMEM;
	if (plru && word)
		tree_tables(array);
	km_tlb_array_clear(array);
	return 0;
}

int km_tlb_array_init(struct km_tlb_array *array, const struct km_tlb_array_spec *spec,
		      struct km_env *env)
{
	memset(array, 0, sizeof(*array));
	array->spec = *spec;
	if (!spec->entries)
		return 0;
	array->ways = spec->ways ? spec->ways : spec->entries;
	if (spec->entries % array->ways || spec->policy >= KM_TLB_POLICIES ||
	    spec->entries > 1u << 24)
		return -EINVAL;
	array->sets = spec->entries / array->ways;
	array->power_of_two = !(array->sets & (array->sets - 1));
	array->per_set = 1.0 / array->sets;
	array->stride_bits = (uint8_t)log2_up(array->ways < 8 ? 8 : array->ways);
	array->mode = array->ways > KM_TLB_SCANNED_WAYS ? KM_TLB_LARGE : spec->policy;
	array->tree_words = ((1u << log2_up(array->ways)) + 63) / 64;
	array->index_bits = (uint8_t)(log2_up(spec->entries) + 2);
	return make_tables(array, env);
}

void km_tlb_array_free(struct km_tlb_array *array, struct km_env *env)
{
	size_t n = slots(array);

	km_env_release(env, array->keys, n * sizeof(*array->keys));
	km_env_release(env, array->parts, n * sizeof(*array->parts));
	km_env_release(env, array->order, array->sets * sizeof(*array->order));
	km_env_release(env, array->vacant, array->sets * sizeof(*array->vacant));
	km_env_release(env, array->clear_on, WORD_WAYS * sizeof(uint64_t));
	km_env_release(env, array->set_on, WORD_WAYS * sizeof(uint64_t));
	km_env_release(env, array->newer, n * sizeof(*array->newer));
	km_env_release(env, array->older, n * sizeof(*array->older));
	km_env_release(env, array->newest, array->sets * sizeof(*array->newest));
	km_env_release(env, array->trees, (size_t)array->sets * array->tree_words * 8);
	km_env_release(env, array->index, sizeof(*array->index) << array->index_bits);
}

/* ---- the index: open addressing, gaps closed at once ---- */

static uint32_t home(const struct km_tlb_array *array, uint64_t key)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - array->index_bits));
}

static uint32_t next(const struct km_tlb_array *array, uint32_t at)
{
	return (at + 1) & ((1u << array->index_bits) - 1);
}

static void index_add(struct km_tlb_array *array, uint64_t key, uint32_t slot)
{
	uint32_t at = home(array, key);

	while (array->index[at])
		at = next(array, at);
	array->index[at] = slot + 1;
}

static void index_remove(struct km_tlb_array *array, uint64_t key, uint32_t slot)
{
	uint32_t mask = (1u << array->index_bits) - 1, gap = home(array, key);

	while (array->index[gap] != slot + 1)
		gap = next(array, gap);
	for (uint32_t at = next(array, gap); array->index[at]; at = next(array, at)) {
		uint32_t wants = home(array, array->keys[array->index[at] - 1]);

		/* It may fill the gap unless its home lies behind it. */
		if (((at - wants) & mask) < ((at - gap) & mask))
			continue;
		array->index[gap] = array->index[at];
		gap = at;
	}
	array->index[gap] = 0;
}

static uint32_t index_find(const struct km_tlb_array *array, uint64_t key)
{
	for (uint32_t at = home(array, key); array->index[at]; at = next(array, at))
		if (array->keys[array->index[at] - 1] == key)
			return array->index[at] - 1;
	return KM_TLB_NOT_THERE;
}

uint32_t km_tlb_array_find_each(const struct km_tlb_array *array, uint32_t set, uint64_t key)
{
	uint32_t first = set << array->stride_bits;

	for (uint32_t slot = first; slot < first + array->ways; slot++)
		if (array->keys[slot] == key)
			return slot;
	return KM_TLB_NOT_THERE;
}

/* ---- replacement of many ways ---- */

static void ring_touch(struct km_tlb_array *array, uint32_t set, uint32_t slot)
{
	uint32_t newest = array->newest[set], oldest = array->newer[newest];

	array->newest[set] = slot;
	if (slot == oldest || slot == newest)
		return; /* the ring as it is, turned by one or not at all */
	array->older[array->newer[slot]] = array->older[slot];
	array->newer[array->older[slot]] = array->newer[slot];
	array->newer[slot] = oldest;
	array->older[slot] = newest;
	array->older[oldest] = array->newer[newest] = slot;
}

static void tree_touch(struct km_tlb_array *array, uint32_t set, uint32_t way)
{
	uint64_t *tree = array->trees + (size_t)set * array->tree_words;
	uint32_t node = 1;

	for (unsigned i = log2_up(array->ways); i-- > 0;) {
		if (way >> i & 1)
			tree[node / 64] &= ~(1ull << node % 64);
		else
			tree[node / 64] |= 1ull << node % 64;
		node = 2 * node + (way >> i & 1);
	}
}

static uint32_t tree_victim(const struct km_tlb_array *array, uint32_t set)
{
	const uint64_t *tree =
		array->trees ? array->trees + (size_t)set * array->tree_words : &array->order[set];
	uint32_t way = 0, node = 1;

	for (unsigned i = log2_up(array->ways); i-- > 0;) {
		uint32_t right = tree[node / 64] >> node % 64 & 1;

		right &= (way | 1u << i) < array->ways;
		way |= right << i;
		node = 2 * node + right;
	}
	return way;
}

/* ---- use and removal ---- */

uint32_t km_tlb_array_victim(struct km_tlb_array *array, uint32_t set, struct km_env *env)
{
	uint32_t first = set << array->stride_bits, way = 0;

	if (array->newest)
		return array->newer[array->newest[set]] - first;
	if (array->vacant[set]) {
		array->vacant[set]--;
		while (array->keys[first + way])
			way++;
		return way;
	}
	if (array->spec.policy == KM_TLB_PLRU)
		return tree_victim(array, set);
	return (uint32_t)((km_env_random(env) >> 32) * array->ways >> 32);
}

bool km_tlb_array_use_large(struct km_tlb_array *array, uint32_t set, uint64_t key,
			    struct km_env *env)
{
	uint32_t first = set << array->stride_bits, slot = index_find(array, key);
	bool held = slot != KM_TLB_NOT_THERE;

	if (!held) {
		slot = first + km_tlb_array_victim(array, set, env);
		if (array->keys[slot])
			index_remove(array, array->keys[slot], slot);
		index_add(array, key, slot);
		array->keys[slot] = key;
	}
	if (array->newest)
		ring_touch(array, set, slot);
	else if (array->trees)
		tree_touch(array, set, slot - first);
	else if (array->order)
		array->order[set] = km_tlb_tree_touch(array, array->order[set], slot - first);
	return held;
}

/* From where it is to the oldest place. */
static uint64_t order_last(uint64_t order, uint32_t way, uint32_t ways)
{
	uint64_t others = km_tlb_order_touch(order, way) >> 4;

	return others | (uint64_t)way << 4 * (ways - 1);
}

void km_tlb_array_remove(struct km_tlb_array *array, uint64_t number, uint64_t key)
{
	uint32_t set = km_tlb_set(array, number), slot;

	slot = array->index ? index_find(array, key) : km_tlb_array_find(array, set, key);
	if (slot == KM_TLB_NOT_THERE)
		return;
	if (array->index)
		index_remove(array, key, slot);
	array->keys[slot] = array->parts[slot] = 0;
	if (array->vacant) {
		array->vacant[set]++;
	} else if (array->newest) {
		ring_touch(array, set, slot);
		array->newest[set] = array->older[slot];
	} else {
		array->order[set] = order_last(array->order[set],
					       slot - (set << array->stride_bits), array->ways);
	}
}
