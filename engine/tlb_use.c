/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Use of the arrays of the TLB model: find a key, or make it take the place of another. LRU is in
 * tlb_order.c and tlb_log.c; here are those with chains. For a number of ways that is no power of
 * two the PLRU tree is that of the next one, and ways that do not exist are never gone to.
 *
 * Chains are short: mostly a key is the first of its own, or its chain is empty.
 */
#include "tlb.h"

#define always_inline static inline __attribute__((always_inline))

/* ---- chains of slots ---- */

/* Neighbours apart, and what is a power of two away. */
always_inline uint32_t *head_of(const struct km_tlb_array *array, uint64_t key)
{
	uint64_t number = key >> 4;

	return &array->heads[(number ^ number >> array->head_bits) &
			     ((1u << array->head_bits) - 1)];
}

/* The end: nowhere. */
always_inline uint32_t find_slot(const struct km_tlb_array *array, uint64_t key)
{
	uint32_t slot = *head_of(array, key);

	while (array->slots[slot].key != key && slot != array->end)
		slot = array->slots[slot].next;
	return slot;
}

always_inline void unlink_slot(const struct km_tlb_array *array, uint32_t slot)
{
	uint32_t *at = head_of(array, array->slots[slot].key);

	while (__builtin_expect(*at != slot, 0))
		at = &array->slots[*at].next;
	*at = array->slots[slot].next;
}

always_inline void link_slot(const struct km_tlb_array *array, uint32_t slot, uint64_t key)
{
	uint32_t *head = head_of(array, key);

	array->slots[slot].key = key;
	array->slots[slot].next = *head;
	*head = slot;
}

void km_tlb_slot_empty(const struct km_tlb_array *array, uint32_t slot)
{
	link_slot(array, slot, km_tlb_no_key(slot));
}

/* ---- tree-PLRU, and chance ---- */

static void write_trees(const struct km_tlb_array *array, uint32_t set, uint32_t way)
{
	uint64_t *tree = array->trees + (size_t)set * array->tree_words;
	uint32_t node = 1;

	for (uint32_t bit = 1u << array->stride_bits >> 1; bit; bit >>= 1) {
		if (way & bit)
			tree[node / 64] &= ~(1ull << node % 64);
		else
			tree[node / 64] |= 1ull << node % 64;
		node = 2 * node + !!(way & bit);
	}
}

always_inline void use_in_tree(const struct km_tlb_array *array, uint32_t set, uint32_t way)
{
	if (array->clear_on)
		array->trees[set] =
			(array->trees[set] & ~array->clear_on[way]) | array->set_on[way];
	else
		write_trees(array, set, way);
}

static uint32_t tree_victim(const struct km_tlb_array *array, uint32_t set)
{
	const uint64_t *tree = array->trees + (size_t)set * array->tree_words;
	uint32_t way = 0, node = 1, bit = 1u << array->stride_bits;

	while (bit >>= 1) {
		uint32_t right = tree[node / 64] >> node % 64 & ((way | bit) < array->ways);

		way |= right ? bit : 0;
		node = 2 * node + right;
	}
	return way;
}

static uint32_t victim(const struct km_tlb_array *array, uint32_t set, struct km_env *env)
{
	uint32_t first = set << array->stride_bits, slot = first;

	if (array->vacant[set]) {
		array->vacant[set]--;
		while (km_tlb_is_key(array->slots[slot].key))
			slot++;
		return slot;
	}
	if (array->spec.policy == KM_TLB_PLRU)
		return first | tree_victim(array, set);
	return first + (uint32_t)((km_env_random(env) >> 32) * array->ways >> 32);
}

/* ---- use: what is constant in a call is so in the code that it becomes ---- */

always_inline bool use(const struct km_tlb_array *array, uint64_t key, struct km_env *env,
		       enum km_tlb_policy policy)
{
	uint32_t set = km_tlb_set_of(array, key), slot = find_slot(array, key);
	bool held = slot != array->end;

	if (!held) {
		slot = victim(array, set, env);
		unlink_slot(array, slot);
		link_slot(array, slot, key);
	}
	if (policy == KM_TLB_PLRU)
		use_in_tree(array, set, slot - (set << array->stride_bits));
	return held;
}

bool km_tlb_array_use(struct km_tlb_array *array, uint64_t key, struct km_env *env)
{
	if (key == array->last)
		return true;
	array->last = key;
	if (array->ordered)
		return km_tlb_order_use(array, key);
	if (array->logged)
		return km_tlb_log_use(array, key);
	return use(array, key, env, array->spec.policy);
}

always_inline size_t use_each(const struct km_tlb_array *array, const uint64_t *keys, size_t n,
			      uint16_t *missed, struct km_env *env, enum km_tlb_policy policy)
{
	/* Its own, so that no store seems to change it. */
	const struct km_tlb_array copy = *array;
	size_t misses = 0;

	for (size_t i = 0; i < n; i++) {
		missed[misses] = (uint16_t)i;
		misses += !use(&copy, keys[i], env, policy);
	}
	return misses;
}

size_t km_tlb_array_use_many(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			     uint16_t *missed, struct km_env *env)
{
	if (array->ordered)
		return km_tlb_order_use_many(array, keys, n, missed);
	if (array->logged)
		return km_tlb_log_use_many(array, keys, n, missed);
	if (array->spec.policy == KM_TLB_PLRU)
		return use_each(array, keys, n, missed, env, KM_TLB_PLRU);
	return use_each(array, keys, n, missed, env, KM_TLB_RANDOM);
}

void km_tlb_array_remove(struct km_tlb_array *array, uint64_t key)
{
	uint32_t slot;

	array->last = 0;
	if (array->ordered) {
		km_tlb_order_remove(array, key);
		return;
	}
	if (array->logged) {
		km_tlb_log_remove(array, key);
		return;
	}
	slot = find_slot(array, key);
	if (slot == array->end)
		return;
	unlink_slot(array, slot);
	km_tlb_slot_empty(array, slot);
	array->vacant[km_tlb_set_of(array, key)]++;
}
