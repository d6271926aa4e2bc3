/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Linux's slab allocators share: alignment, merging, page flags, shuffled freelists
 * (mm/slab_common.c, mm/slab.h); and how the models of them name an object.
 */
#ifndef ENGINE_SLAB_COMMON_H
#define ENGINE_SLAB_COMMON_H

#include <kmlab/machine.h>

#define KM_WORD 8u
#define KM_CACHE_LINE 64u

/* What kmem_cache_create() makes of the asked alignment (calculate_alignment): bytes. */
uint32_t km_slab_align(const struct km_cache_spec *spec);

/* Of a caller's flags, what reaches the page layer when a slab is grown. */
uint32_t km_slab_caller_gfp(const struct km_profile *profile, uint32_t gfp);
/* What a cache's KM_SLAB_* flags add. */
uint32_t km_slab_cache_gfp(uint32_t flags);

/* May the cache of this spec be one with another; may it be one with an existing, mergeable one? */
bool km_slab_may_merge(const struct km_profile *profile, const struct km_cache_spec *spec);
bool km_slab_fits(const struct km_cache_spec *spec, uint32_t align, uint32_t size, uint32_t flags);

/* 0 ... count - 1 in random order (CONFIG_SLAB_FREELIST_RANDOM, cache_random_seq_create). */
void km_slab_permute(struct km_env *env, uint16_t *permutation, unsigned count);
unsigned km_slab_random_below(struct km_env *env, unsigned limit);

/*
 * An object as arrays and sheaves hold it: its slab's record and its index in one word. Records
 * are 64-byte aligned, so their address leaves the low 16 bits free when shifted by 10; what it
 * loses at the top is beyond any user address (2^54).
 */
typedef uint64_t km_objref;
#define KM_OBJREF_SHIFT 10

static inline km_objref km_objref_make(const void *record, uint64_t index)
{
	return (uint64_t)(uintptr_t)record << KM_OBJREF_SHIFT | index;
}

static inline void *km_objref_record(km_objref object)
{
	return (void *)(uintptr_t)(object >> 16 << (16 - KM_OBJREF_SHIFT));
}

static inline unsigned km_objref_index(km_objref object)
{
	return (unsigned)(object & 0xffff);
}

/* Offsets are below 2^22 (order 10) and sizes at most 2^22, so 44 bits give the exact quotient. */
#define KM_RECIPROCAL_SHIFT 44

static inline uint64_t km_reciprocal(uint32_t size)
{
	return ((uint64_t)1 << KM_RECIPROCAL_SHIFT) / size + 1;
}

static inline uint64_t km_reciprocal_divide(uint64_t offset, uint64_t reciprocal)
{
	return (offset * reciprocal) >> KM_RECIPROCAL_SHIFT;
}

#endif
