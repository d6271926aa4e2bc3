/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * LRU of few ways: a set's keys lie in the order of their use. The one that is used comes first,
 * those that were before it move one place, and what falls off the end was the oldest. With AVX2 or
 * AVX-512 that is done without a branch on what is there, which hits and misses in turn would
 * mislead: the place where the key was, or the last one, says which lanes take their neighbour's
 * key.
 */
#include "tlb.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

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

/* ---- x86: several keys at a time, without a branch on what is there ---- */

unsigned km_tlb_widest = 8;

#ifdef __x86_64__
#define always static inline __attribute__((__always_inline__))
#define with_4 __attribute__((target("avx2")))
#define with_8 __attribute__((target("avx512f,avx512dq")))

/* Use a set: which lane had the key, a bit; 0: none. recent: mostly one of the first eight does. */
typedef uint32_t (*use_set)(uint64_t *keys, uint64_t key, uint32_t ways, unsigned stride,
			    bool recent);

always size_t use_each(struct km_tlb_array *array, const uint64_t *keys, size_t n, uint16_t *missed,
		       unsigned stride, enum km_tlb_habit habit, use_set use_keys)
{
	const struct km_tlb_array copy = *array;
	size_t misses = 0, newest = 0, recent = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t *set = copy.order + (size_t)km_tlb_set_of(&copy, keys[i]) * stride;
		uint32_t found;

		if (habit == KM_TLB_NEWEST && *set == keys[i]) {
			newest++;
			recent++;
			continue;
		}
		found = use_keys(set, keys[i], copy.ways, stride, habit == KM_TLB_RECENT);
		missed[misses] = (uint16_t)i;
		misses += !found;
		newest += found & 1;
		recent += !!(found & 0xff);
	}
	array->habit = KM_TLB_ANY;
	if (newest > n / 4 * 3)
		array->habit = KM_TLB_NEWEST;
	else if (recent > n / 16 * 15)
		array->habit = KM_TLB_RECENT;
	return misses;
}

/*
 * Where the key is its set's newest nothing changes, and where it is one of the newest few the
 * others stay. To ask for that first is a branch, which misleads unless it goes one way: if most
 * did so in the last call.
 */
always size_t use_strides(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			  uint16_t *missed, use_set use_keys)
{
	if (array->stride_bits == 3 && array->habit == KM_TLB_NEWEST)
		return use_each(array, keys, n, missed, 8, KM_TLB_NEWEST, use_keys);
	if (array->stride_bits == 3)
		return use_each(array, keys, n, missed, 8, KM_TLB_ANY, use_keys);
	if (array->habit == KM_TLB_NEWEST)
		return use_each(array, keys, n, missed, 16, KM_TLB_NEWEST, use_keys);
	if (array->habit == KM_TLB_RECENT)
		return use_each(array, keys, n, missed, 16, KM_TLB_RECENT, use_keys);
	return use_each(array, keys, n, missed, 16, KM_TLB_ANY, use_keys);
}

/* ---- four, with AVX2 ---- */

/* As use_8() below; which lanes move is found by comparing their numbers. */
always with_4 uint32_t use_4(uint64_t *keys, uint64_t key, uint32_t ways, unsigned stride,
			     bool recent)
{
	__m256i *part = (__m256i *)keys, wanted = _mm256_set1_epi64x((long long)key);
	__m256i before = wanted, lanes = _mm256_setr_epi64x(0, 1, 2, 3), end;
	uint32_t found = 0;

	for (unsigned i = 0; i < stride / 4; i++) {
		__m256i equal = _mm256_cmpeq_epi64(_mm256_loadu_si256(&part[i]), wanted);

		found |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(equal)) << i * 4;
	}
	if (recent && found & 0xff)
		stride = 8;
	end = _mm256_set1_epi64x(__builtin_ctz(found | 1u << (ways - 1)) + 1);
	for (unsigned i = 0; i < stride / 4; i++) {
		__m256i old = _mm256_loadu_si256(&part[i]);
		__m256i turned = _mm256_permute4x64_epi64(old, 0x93);
		__m256i moved = _mm256_blend_epi32(turned, before, 3);
		__m256i moves = _mm256_cmpgt_epi64(end, lanes);

		_mm256_storeu_si256(&part[i], _mm256_blendv_epi8(old, moved, moves));
		before = turned;
		lanes = _mm256_add_epi64(lanes, _mm256_set1_epi64x(4));
	}
	return found;
}

static with_4 size_t use_many_4(struct km_tlb_array *array, const uint64_t *keys, size_t n,
				uint16_t *missed)
{
	return use_strides(array, keys, n, missed, use_4);
}

/* ---- eight, with AVX-512 ---- */
typedef uint64_t eight __attribute__((vector_size(64), may_alias));

/* The keys that are equal, a bit each. */
always with_8 uint8_t equal_8(const eight *keys, eight key)
{
	uint8_t lanes;

	__asm__("vpcmpeqq %2, %1, %0" : "=k"(lanes) : "v"(key), "m"(*keys));
	return lanes;
}

/* In these lanes each key is its neighbour's; the first takes the last one of `before`. */
always with_8 eight move_8(eight keys, eight before, uint8_t lanes)
{
	__asm__("valignq $7, %1, %0, %0 %{%2%}" : "+v"(keys) : "v"(before), "Yk"(lanes));
	return keys;
}

/* Up to the lowest of these lanes; none: all. The next use of a set waits for it: it stays in
 * masks. */
always with_8 uint8_t lanes_up_to(uint8_t lanes, uint8_t all)
{
	uint8_t below;

	__asm__("kaddb %1, %2, %0" : "=k"(below) : "k"(lanes), "k"(all));
	__asm__("kxorb %1, %0, %0" : "+k"(below) : "k"(lanes));
	return below;
}

/* A set in one vector. Lanes beyond its ways are moved, too, but never compared. */
always with_8 uint32_t use_one_8(uint64_t *keys, uint64_t key, uint32_t ways)
{
	eight *part = (eight *)keys, wanted = key - (eight){};
	uint8_t found, compared = (uint8_t)((1u << ways) - 1);

	__asm__("vpcmpeqq %2, %1, %0 %{%3%}"
		: "=k"(found)
		: "v"(wanted), "m"(*part), "Yk"(compared));
	part[0] = move_8(part[0], wanted, lanes_up_to(found, 0xff));
	return found;
}

always with_8 uint32_t use_8(uint64_t *keys, uint64_t key, uint32_t ways, unsigned stride,
			     bool recent)
{
	eight *part = (eight *)keys, wanted = key - (eight){}, before = wanted;
	uint32_t found = 0, taken;

	if (stride == 8)
		return use_one_8(keys, key, ways);
	if (recent) {
		found = equal_8(part, wanted);
		if (found) {
			*part = move_8(*part, wanted, lanes_up_to((uint8_t)found, 0xff));
			return found;
		}
	}
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

static with_8 size_t use_many_8(struct km_tlb_array *array, const uint64_t *keys, size_t n,
				uint16_t *missed)
{
	return use_strides(array, keys, n, missed, use_8);
}
#endif

size_t km_tlb_order_use_many(struct km_tlb_array *array, const uint64_t *keys, size_t n,
			     uint16_t *missed)
{
#ifdef __x86_64__
	if (km_tlb_widest >= 8 && __builtin_cpu_supports("avx512dq"))
		return use_many_8(array, keys, n, missed);
	if (km_tlb_widest >= 4 && __builtin_cpu_supports("avx2"))
		return use_many_4(array, keys, n, missed);
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
