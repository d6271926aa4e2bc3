/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Use of the arrays of the TLB model: find a key, or make it take the place of another. For a
 * number of ways that is no power of two the PLRU tree is that of the next one, and ways that do
 * not exist are never gone to.
 *
 * What is used again is found where its number was seen last, at once. What is not there is mostly
 * not known either: up to 16 ways all are then compared without a branch on what is in them.
 */
#include "tlb.h"

#define always_inline static inline __attribute__((always_inline))
#define NOWHERE UINT32_MAX

always_inline uint32_t set_of(const struct km_tlb_array *array, uint64_t key)
{
	uint64_t number = key >> 4;
	uint32_t rest;

	if (array->power_of_two)
		return (uint32_t)number & (array->sets - 1);
	/* The quotient or one less. */
	rest = (uint32_t)number -
	       (uint32_t)((unsigned __int128)number * array->per_set >> 64) * array->sets;
	return rest >= array->sets ? rest - array->sets : rest;
}

/* Neighbours apart, and what is a power of two away. */
always_inline uint32_t *head_of(const struct km_tlb_array *array, uint64_t key)
{
	uint64_t number = key >> 4;

	return &array->heads[(number ^ number >> array->head_bits) & array->head_mask];
}

/* ---- keys of up to 16 ways ---- */

/*
 * Eight parts at once. A load that is wider than a store before it waits until that is done: so
 * they are also stored eight at once.
 */
typedef uint16_t eight __attribute__((vector_size(16), may_alias));

/* Never 0. */
always_inline eight part_of(uint64_t key)
{
	uint16_t part = (uint16_t)(key * 0x9e3779b97f4a7c15ull >> 32) | 1;

	return part - (eight){};
}

/* The ways whose parts are equal, a bit each. */
always_inline unsigned equal_ways(const eight *parts, eight part, bool sixteen)
{
	eight low = (eight)(parts[0] == part);
	eight high = sixteen ? (eight)(parts[1] == part) : (eight){};
#ifdef __SSE2__
	typedef short eight_signed __attribute__((vector_size(16)));

	return (unsigned)__builtin_ia32_pmovmskb128(
		__builtin_ia32_packsswb128((eight_signed)low, (eight_signed)high));
#else
	unsigned equal = 0;

	for (unsigned i = 0; i < 8; i++)
		equal |= (low[i] & 1u << i) | (high[i] & 1u << i) << 8;
	return equal;
#endif
}

#define ALL 0xffff
static const uint16_t lane_of[KM_TLB_SCANNED_WAYS][16] __attribute__((aligned(32))) = {
	{[0] = ALL},  {[1] = ALL},  {[2] = ALL},  {[3] = ALL},  {[4] = ALL},  {[5] = ALL},
	{[6] = ALL},  {[7] = ALL},  {[8] = ALL},  {[9] = ALL},  {[10] = ALL}, {[11] = ALL},
	{[12] = ALL}, {[13] = ALL}, {[14] = ALL}, {[15] = ALL},
};

always_inline void set_part(eight *parts, uint32_t way, eight part, bool sixteen)
{
	const eight *here = (const eight *)lane_of[way];

	parts[0] ^= (parts[0] ^ part) & here[0];
	if (sixteen)
		parts[1] ^= (parts[1] ^ part) & here[1];
}

/* Equal parts of different keys are rare: then each is looked at. */
static uint32_t find_each(const uint64_t *keys, uint64_t key, uint32_t ways)
{
	for (uint32_t way = 0; way < ways; way++)
		if (keys[way] == key)
			return way;
	return NOWHERE;
}

always_inline uint32_t find_way(const struct km_tlb_array *array, uint32_t first, uint64_t key,
				bool sixteen)
{
	unsigned equal = equal_ways((const eight *)(array->parts + first), part_of(key), sixteen);
	const uint64_t *keys = array->keys + first;

	if (__builtin_expect(!equal, 1))
		return NOWHERE;
	return keys[__builtin_ctz(equal)] == key ? (uint32_t)__builtin_ctz(equal)
						 : find_each(keys, key, array->ways);
}

/* ---- keys of more ways: chains of slots ---- */

/* no_slot: nowhere. */
always_inline uint32_t find_slot(const struct km_tlb_array *array, uint32_t slot, uint64_t key)
{
	while (array->keys[slot] != key && slot != array->no_slot)
		slot = array->next[slot];
	return slot;
}

always_inline void unlink_slot(const struct km_tlb_array *array, uint32_t slot)
{
	uint32_t *at = head_of(array, array->keys[slot]);

	while (*at != slot)
		at = &array->next[*at];
	*at = array->next[slot];
}

/* ---- LRU up to 16 ways ---- */

always_inline uint32_t oldest_way(const uint64_t *times, bool sixteen)
{
#ifdef __SSE2__
	typedef double two __attribute__((vector_size(16), may_alias));
	typedef long long two_words __attribute__((vector_size(16)));
	const two *at = (const two *)times;
	two a = __builtin_ia32_minpd(at[0], at[1]), b = __builtin_ia32_minpd(at[2], at[3]);

	if (sixteen) {
		a = __builtin_ia32_minpd(a, __builtin_ia32_minpd(at[4], at[5]));
		b = __builtin_ia32_minpd(b, __builtin_ia32_minpd(at[6], at[7]));
	}
	a = __builtin_ia32_minpd(a, b);
	a = __builtin_ia32_minpd(a, (two){a[1], a[1]});
	return ((two_words)a)[0] & (KM_TLB_SCANNED_WAYS - 1);
#else
	uint64_t least = times[0];

	for (unsigned i = 1; i < (sixteen ? 16 : 8); i++)
		least = times[i] < least ? times[i] : least;
	return least & (KM_TLB_SCANNED_WAYS - 1);
#endif
}

/* ---- LRU over 16 ways ---- */

/* Copied without gaps; before all others the way `first`, if it is one. */
static void renew_log(const struct km_tlb_array *array, uint32_t set, uint32_t first)
{
	const struct km_tlb_log *log = &array->log;
	uint32_t *ways = log->ways + ((size_t)set << log->bits), end = 0;
	uint32_t *place = log->place + ((size_t)set << array->stride_bits);

	for (uint32_t at = log->oldest[set]; at < log->end[set]; at++) {
		uint32_t way = ways[at];
		bool last = place[way] == at;

		/* What is no way's last place is written over by the next. */
		ways[end] = way;
		place[way] = last ? end : place[way];
		end += last;
	}
	log->end[set] = end;
	log->oldest[set] = 0;
	if (first >= array->ways)
		return;
	for (uint32_t at = place[first]; at > 0; at--) {
		ways[at] = ways[at - 1];
		place[ways[at]] = at;
	}
	ways[0] = first;
	place[first] = 0;
}

always_inline void write_log(const struct km_tlb_array *array, uint32_t set, uint32_t slot)
{
	const struct km_tlb_log *log = &array->log;
	uint32_t end = log->end[set];

	log->place[slot] = end;
	log->ways[((size_t)set << log->bits) + end] = slot - (set << array->stride_bits);
	log->end[set] = ++end;
	if (__builtin_expect(end == 1u << log->bits, 0))
		renew_log(array, set, array->ways);
}

always_inline uint32_t oldest_in_log(const struct km_tlb_array *array, uint32_t set)
{
	const struct km_tlb_log *log = &array->log;
	const uint32_t *ways = log->ways + ((size_t)set << log->bits);
	const uint32_t *place = log->place + ((size_t)set << array->stride_bits);
	uint32_t at = log->oldest[set];

	while (place[ways[at]] != at)
		at++;
	log->oldest[set] = at;
	return ways[at];
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

always_inline void write_tree(const struct km_tlb_array *array, uint32_t set, uint32_t way)
{
	if (array->trees)
		write_trees(array, set, way);
	else
		array->order[set] =
			(array->order[set] & ~array->clear_on[way]) | array->set_on[way];
}

static uint32_t tree_victim(const struct km_tlb_array *array, uint32_t set)
{
	const uint64_t *tree =
		array->trees ? array->trees + (size_t)set * array->tree_words : &array->order[set];
	uint32_t way = 0, node = 1, bit = 1;

	while (bit < array->ways)
		bit <<= 1;
	while (bit >>= 1) {
		uint32_t right = tree[node / 64] >> node % 64 & ((way | bit) < array->ways);

		way |= right ? bit : 0;
		node = 2 * node + right;
	}
	return way;
}

static uint32_t other_victim(const struct km_tlb_array *array, uint32_t set, struct km_env *env)
{
	const uint64_t *keys = array->keys + ((size_t)set << array->stride_bits);

	if (array->vacant[set]) {
		array->vacant[set]--;
		return find_each(keys, 0, array->ways);
	}
	if (array->spec.policy == KM_TLB_PLRU)
		return tree_victim(array, set);
	return (uint32_t)((km_env_random(env) >> 32) * array->ways >> 32);
}

/* ---- use: what is constant in a call is so in the code that it becomes ---- */

always_inline void touch(const struct km_tlb_array *array, uint32_t slot, uint64_t *clock,
			 enum km_tlb_policy policy, enum km_tlb_ways ways)
{
	unsigned stride_bits = ways == KM_TLB_8_WAYS    ? 3
			       : ways == KM_TLB_16_WAYS ? 4
							: array->stride_bits;
	uint32_t way = slot & ((1u << stride_bits) - 1);

	if (policy == KM_TLB_PLRU) {
		write_tree(array, slot >> stride_bits, way);
	} else if (policy == KM_TLB_LRU && ways == KM_TLB_MORE_WAYS) {
		write_log(array, slot >> stride_bits, slot);
	} else if (policy == KM_TLB_LRU) {
		*clock += KM_TLB_SCANNED_WAYS;
		array->times[slot] = *clock | way;
	}
}

/* The hint was of another key. True: but it is there. */
always_inline bool use_scanned(const struct km_tlb_array *array, uint64_t key, uint32_t *hint,
			       struct km_env *env, enum km_tlb_policy policy, bool sixteen)
{
	uint32_t first = set_of(array, key) << (sixteen ? 4 : 3);
	uint32_t way = find_way(array, first, key, sixteen);
	bool held = way != NOWHERE;

	if (!held) {
		way = policy == KM_TLB_LRU ? oldest_way(array->times + first, sixteen)
					   : other_victim(array, first >> (sixteen ? 4 : 3), env);
		array->keys[first + way] = key;
		set_part((eight *)(array->parts + first), way, part_of(key), sixteen);
	}
	*hint = first + way;
	return held;
}

/* The same of the head of a chain, which is then the key's. */
always_inline bool use_chained(const struct km_tlb_array *array, uint64_t key, uint32_t *head,
			       struct km_env *env, enum km_tlb_policy policy, uint32_t *slot)
{
	uint32_t set;

	*slot = find_slot(array, *head, key);
	if (*slot != array->no_slot)
		return true;
	set = set_of(array, key);
	*slot = set << array->stride_bits |
		(policy == KM_TLB_LRU ? oldest_in_log(array, set) : other_victim(array, set, env));
	if (array->keys[*slot])
		unlink_slot(array, *slot);
	array->keys[*slot] = key;
	array->next[*slot] = *head;
	*head = *slot;
	return false;
}

always_inline bool use(const struct km_tlb_array *array, uint64_t key, uint64_t *clock,
		       struct km_env *env, enum km_tlb_policy policy, enum km_tlb_ways ways)
{
	uint32_t *head = head_of(array, key), slot = *head;
	bool held = array->keys[slot] == key;

	if (!held && ways == KM_TLB_MORE_WAYS) {
		held = use_chained(array, key, head, env, policy, &slot);
	} else if (!held) {
		held = use_scanned(array, key, head, env, policy, ways == KM_TLB_16_WAYS);
		slot = *head;
	}
	touch(array, slot, clock, policy, ways);
	return held;
}

/* USE(policy, ways) of the array, where both are constants. */
#define FOR_WAYS(array, policy)                                                                    \
	if ((array)->kind == KM_TLB_8_WAYS)                                                        \
		USE(policy, KM_TLB_8_WAYS);                                                        \
	if ((array)->kind == KM_TLB_16_WAYS)                                                       \
		USE(policy, KM_TLB_16_WAYS);                                                       \
	USE(policy, KM_TLB_MORE_WAYS)
#define FOR_KIND(array)                                                                            \
	if ((array)->spec.policy == KM_TLB_LRU) {                                                  \
		FOR_WAYS(array, KM_TLB_LRU);                                                       \
	}                                                                                          \
	if ((array)->spec.policy == KM_TLB_PLRU) {                                                 \
		FOR_WAYS(array, KM_TLB_PLRU);                                                      \
	}                                                                                          \
	FOR_WAYS(array, KM_TLB_RANDOM)

bool km_tlb_array_use(struct km_tlb_array *array, uint64_t key, struct km_env *env)
{
#define USE(policy, ways) return use(array, key, &array->clock, env, policy, ways)
	FOR_KIND(array);
#undef USE
}

always_inline size_t use_each(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			      uint16_t *missed, struct km_env *env, enum km_tlb_policy policy,
			      enum km_tlb_ways ways)
{
	/* Its own, so that no store seems to change it. */
	const struct km_tlb_array copy = *array;
	uint64_t clock = array->clock;
	size_t misses = 0;

	for (size_t i = 0; i < n; i++) {
		missed[misses] = (uint16_t)i;
		misses += !use(&copy, keys[i], &clock, env, policy, ways);
	}
	array->clock = clock;
	return misses;
}

size_t km_tlb_array_use_many(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			     uint16_t *missed, struct km_env *env)
{
#define USE(policy, ways) return use_each(array, keys, n, missed, env, policy, ways)
	FOR_KIND(array);
#undef USE
}

void km_tlb_array_remove(struct km_tlb_array *array, uint64_t key)
{
	uint32_t set = set_of(array, key), first = set << array->stride_bits;
	uint32_t way = find_each(array->keys + first, key, array->ways);

	if (way == NOWHERE)
		return;
	if (array->parts)
		array->parts[first + way] = 0;
	else
		unlink_slot(array, first + way);
	array->keys[first + way] = 0;
	if (array->vacant)
		array->vacant[set]++;
	else if (array->times)
		array->times[first + way] = KM_TLB_FIRST_TIME | way;
	else
		renew_log(array, set, way);
}
