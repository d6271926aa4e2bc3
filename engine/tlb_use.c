/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Use of the arrays of the TLB model: find a key, or make it take the place of another. Ordered
 * ones are in tlb_order.c; here those with chains. For a number of ways that is no power of two the
 * PLRU tree is that of the next one, and ways that do not exist are never gone to.
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

/* ---- LRU: a log of uses ---- */

/* Copied without what is no slot's last; before all others the slot `first`, if it is one. */
static struct km_tlb_log renew_log(const struct km_tlb_array *array, uint32_t set,
				   struct km_tlb_log log, uint32_t first)
{
	uint32_t *at = array->places + ((size_t)set << array->log_bits), end = 0;
	struct km_tlb_slot *slots = array->slots;

	for (uint32_t from = log.oldest; from < log.end; from++) {
		uint32_t slot = at[from];

		/* Few are: a branch is better than stores that the next loads wait for. */
		if (slots[slot].place != from)
			continue;
		at[end] = slot;
		slots[slot].place = end++;
	}
	for (uint32_t to = first != array->end ? slots[first].place : 0; to > 0; to--) {
		at[to] = at[to - 1];
		slots[at[to]].place = to;
		at[to - 1] = first;
		slots[first].place = to - 1;
	}
	return (struct km_tlb_log){.end = end};
}

always_inline void write_log(const struct km_tlb_array *array, uint32_t set, struct km_tlb_log *log,
			     uint32_t slot)
{
	array->slots[slot].place = log->end;
	array->places[((size_t)set << array->log_bits) + log->end] = slot;
	if (__builtin_expect(++log->end == 1u << array->log_bits, 0))
		*log = renew_log(array, set, *log, array->end);
}

always_inline uint32_t oldest_slot(const struct km_tlb_array *array, uint32_t set,
				   struct km_tlb_log *log)
{
	const uint32_t *at = array->places + ((size_t)set << array->log_bits);
	uint32_t place = log->oldest;

	while (array->slots[at[place]].place != place)
		place++;
	log->oldest = place;
	return at[place];
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

static uint32_t other_victim(const struct km_tlb_array *array, uint32_t set, struct km_env *env)
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

/* log: the only set's, kept by the caller; NULL: there are several, each with its own. */
always_inline bool use(const struct km_tlb_array *array, uint64_t key, struct km_tlb_log *log,
		       struct km_env *env, enum km_tlb_policy policy)
{
	uint32_t set = log ? 0 : km_tlb_set_of(array, key), slot = find_slot(array, key);
	bool held = slot != array->end;

	if (policy == KM_TLB_LRU && !log)
		log = &array->logs[set];
	if (!held) {
		slot = policy == KM_TLB_LRU ? oldest_slot(array, set, log)
					    : other_victim(array, set, env);
		unlink_slot(array, slot);
		link_slot(array, slot, key);
	}
	if (policy == KM_TLB_LRU)
		write_log(array, set, log, slot);
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
	return use(array, key, NULL, env, array->spec.policy);
}

always_inline size_t use_each(const struct km_tlb_array *array, const uint64_t *keys, size_t n,
			      uint16_t *missed, struct km_env *env, enum km_tlb_policy policy,
			      bool one_set)
{
	/* Its own, so that no store seems to change it. */
	const struct km_tlb_array copy = *array;
	struct km_tlb_log log = one_set ? *copy.logs : (struct km_tlb_log){0};
	size_t misses = 0;

	for (size_t i = 0; i < n; i++) {
		missed[misses] = (uint16_t)i;
		misses += !use(&copy, keys[i], one_set ? &log : NULL, env, policy);
	}
	if (one_set)
		*copy.logs = log;
	return misses;
}

size_t km_tlb_array_use_many(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			     uint16_t *missed, struct km_env *env)
{
	if (array->ordered)
		return km_tlb_order_use_many(array, keys, n, missed);
	if (array->spec.policy == KM_TLB_LRU && array->sets == 1)
		return use_each(array, keys, n, missed, env, KM_TLB_LRU, true);
	if (array->spec.policy == KM_TLB_LRU)
		return use_each(array, keys, n, missed, env, KM_TLB_LRU, false);
	if (array->spec.policy == KM_TLB_PLRU)
		return use_each(array, keys, n, missed, env, KM_TLB_PLRU, false);
	return use_each(array, keys, n, missed, env, KM_TLB_RANDOM, false);
}

void km_tlb_array_remove(struct km_tlb_array *array, uint64_t key)
{
	uint32_t set = km_tlb_set_of(array, key), slot;

	array->last = 0;
	if (array->ordered) {
		km_tlb_order_remove(array, key);
		return;
	}
	slot = find_slot(array, key);
	if (slot == array->end)
		return;
	unlink_slot(array, slot);
	km_tlb_slot_empty(array, slot);
	if (array->vacant)
		array->vacant[set]++;
	else
		array->logs[set] = renew_log(array, set, array->logs[set], slot);
}
