/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * LRU of few ways: a set's keys lie in the order of their use. The one that is used comes first,
 * those that were before it move one place, and what falls off the end was the oldest. With AVX-512
 * that is done without a branch on what is there, which hits and misses in turn would mislead: the
 * place where the key was, or the last one, says which lanes take their neighbour's key.
 */
#include "tlb.h"

/* ---- any machine ---- */

static inline bool use(uint64_t *keys, uint64_t key, uint32_t ways)
{
	uint64_t moved = key;

	for (uint32_t i = 0; i < ways; i++) {
		uint64_t kept = keys[i];

		keys[i] = moved;
		if (kept == key)
			return true;
		moved = kept;
	}
	return false;
}

static size_t use_many(const struct km_tlb_array *array, const uint64_t *keys, size_t n,
		       uint16_t *missed)
{
	const struct km_tlb_array copy = *array;
	size_t misses = 0;

	for (size_t i = 0; i < n; i++) {
		size_t set = km_tlb_set_of(&copy, keys[i]);

		missed[misses] = (uint16_t)i;
		misses += !use(copy.order + (set << copy.stride_bits), keys[i], copy.ways);
	}
	return misses;
}

bool km_tlb_order_use(const struct km_tlb_array *array, uint64_t key)
{
	uint16_t missed;

	return !use_many(array, &key, 1, &missed);
}

/* ---- AVX-512: eight keys at a time ---- */

#ifdef __x86_64__
typedef uint64_t eight __attribute__((vector_size(64), may_alias));
#define wide __attribute__((target("avx512f,avx512dq,bmi,bmi2")))
#define wide_inline static inline wide __attribute__((__always_inline__))

/* The keys that are equal, a bit each. */
wide_inline uint8_t equal_8(const eight *keys, eight key)
{
	uint8_t lanes;

	__asm__("vpcmpeqq %2, %1, %0" : "=k"(lanes) : "v"(key), "m"(*keys));
	return lanes;
}

/* In these lanes each key is its neighbour's; the first takes the last one of `before`. */
wide_inline eight move_8(eight keys, eight before, uint8_t lanes)
{
	__asm__("valignq $7, %1, %0, %0 %{%2%}" : "+v"(keys) : "v"(before), "Yk"(lanes));
	return keys;
}

wide_inline bool use_wide(uint64_t *keys, uint64_t key, uint32_t ways, unsigned stride)
{
	eight *part = (eight *)keys, wanted = key - (eight){}, before = wanted;
	uint32_t found = 0, taken;

	for (unsigned i = 0; i < stride / 8; i++)
		found |= (uint32_t)equal_8(&part[i], wanted) << i * 8;
	taken = found | 1u << (ways - 1);
	taken ^= taken - 1; /* up to the lowest */
	for (unsigned i = 0; i < stride / 8; i++) {
		eight old = part[i];

		part[i] = move_8(old, before, (uint8_t)(taken >> i * 8));
		before = old;
	}
	return found;
}

wide_inline size_t use_each_wide(const struct km_tlb_array *array, const uint64_t *keys, size_t n,
				 uint16_t *missed, unsigned stride, bool ask, size_t *newest)
{
	const struct km_tlb_array copy = *array;
	size_t misses = 0, same = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t *set = copy.order + (size_t)km_tlb_set_of(&copy, keys[i]) * stride;

		same += *set == keys[i];
		if (ask && *set == keys[i])
			continue;
		missed[misses] = (uint16_t)i;
		misses += !use_wide(set, keys[i], copy.ways, stride);
	}
	*newest = same;
	return misses;
}

/*
 * Where the key is its set's newest nothing changes. To ask for that first is a branch, which
 * misleads unless it goes one way: if most did so in the last call.
 */
static wide size_t use_many_wide(struct km_tlb_array *array, const uint64_t *keys, size_t n,
				 uint16_t *missed)
{
	size_t misses, newest;

	if (array->stride_bits == 3 && array->repeats)
		misses = use_each_wide(array, keys, n, missed, 8, true, &newest);
	else if (array->stride_bits == 3)
		misses = use_each_wide(array, keys, n, missed, 8, false, &newest);
	else if (array->stride_bits == 4 && array->repeats)
		misses = use_each_wide(array, keys, n, missed, 16, true, &newest);
	else if (array->stride_bits == 4)
		misses = use_each_wide(array, keys, n, missed, 16, false, &newest);
	else
		misses = use_each_wide(array, keys, n, missed, 32, true, &newest);
	array->repeats = newest > n / 4 * 3;
	return misses;
}
#endif

size_t km_tlb_order_use_many(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			     uint16_t *missed)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512dq"))
		return use_many_wide(array, keys, n, missed);
#endif
	return use_many(array, keys, n, missed);
}

void km_tlb_order_remove(const struct km_tlb_array *array, uint64_t key)
{
	uint64_t *keys = array->order + ((size_t)km_tlb_set_of(array, key) << array->stride_bits);
	uint32_t at = 0;

	while (at < array->ways && keys[at] != key)
		at++;
	if (at == array->ways)
		return;
	for (; at + 1 < array->ways; at++)
		keys[at] = keys[at + 1];
	keys[at] = 0;
}
