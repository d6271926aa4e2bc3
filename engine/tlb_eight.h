/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside the TLB model: lists of keys made eight at a time, with AVX-512. A key that follows itself
 * is left out: its array had it last.
 */
#ifndef ENGINE_TLB_EIGHT_H
#define ENGINE_TLB_EIGHT_H

#ifdef __x86_64__
#include <immintrin.h>

#include "tlb_block.h"

#define KM_TLB_WITH_8 __attribute__((target("avx512f,avx512dq,bmi2,popcnt")))
#define KM_TLB_ALWAYS_8 static inline __attribute__((__always_inline__)) KM_TLB_WITH_8

static inline bool km_tlb_has_8(void)
{
	return km_tlb_widest >= 8 && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("bmi2");
}

/* A list's end. There is room for eight more than it may get. */
struct km_tlb_tail {
	uint64_t *key;
	uint16_t *of;
	size_t n;
	uint64_t last;
};

/* These of the keys, and of which reference or walk each is. */
KM_TLB_ALWAYS_8 void km_tlb_append_8(struct km_tlb_tail *to, __m512i keys, __m512i of,
				     __mmask8 these)
{
	__m512i mine = _mm512_maskz_compress_epi64(these, keys);
	__m512i last = _mm512_set1_epi64((long long)to->last);
	unsigned count = (unsigned)__builtin_popcount(these);
	__mmask8 fresh = _mm512_mask_cmpneq_epi64_mask((__mmask8)((1u << count) - 1), mine,
						       _mm512_alignr_epi64(mine, last, 7));

	_mm512_storeu_si512(&to->key[to->n], _mm512_maskz_compress_epi64(fresh, mine));
	of = _mm512_maskz_compress_epi64(fresh, _mm512_maskz_compress_epi64(these, of));
	_mm_storeu_si128((__m128i *)&to->of[to->n], _mm512_cvtepi64_epi16(of));
	to->n += (unsigned)__builtin_popcount(fresh);
	last = _mm512_mask_permutexvar_epi64(last, these ? 1 : 0, _mm512_set1_epi64(count - 1),
					     mine);
	to->last = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(last));
}

/* Eight bytes, a lane each. */
KM_TLB_ALWAYS_8 __m512i km_tlb_bytes_8(const uint8_t *bytes)
{
	return _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)bytes));
}

/* n and the seven behind it. */
KM_TLB_ALWAYS_8 __m512i km_tlb_from_8(size_t n)
{
	return _mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
				_mm512_set1_epi64((long long)n));
}

/* As km_tlb_level_key() of what is left of the addresses without their low bits. */
KM_TLB_ALWAYS_8 __m512i km_tlb_level_keys_8(const uint64_t *addrs, unsigned low_bits,
					    unsigned level, enum km_tlb_space space)
{
	uint64_t base = km_tlb_level_key(level, space, 0);
	__m512i numbers =
		_mm512_srl_epi64(_mm512_loadu_si512(addrs), _mm_cvtsi32_si128((int)low_bits));

	return _mm512_add_epi64(_mm512_slli_epi64(numbers, 4), _mm512_set1_epi64((long long)base));
}

#endif
#endif
