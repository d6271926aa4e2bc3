/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules that hold for SLUB and SLAB alike (mm/slab_common.c, mm/slab.h; 5.15 - 7.2). */
#include "slab_common.h"

/* Caches that differ in one of these are never one. */
#define MERGE_SAME (KM_SLAB_RECLAIM_ACCOUNT | KM_SLAB_CACHE_DMA | KM_SLAB_ACCOUNT)
/* Kmalloc classes are copied to and from user space, which hardened kernels keep apart. */
#define MERGE_NEVER                                                                                \
	(KM_SLAB_CTOR | KM_SLAB_TYPESAFE_BY_RCU | KM_SLAB_NO_MERGE | KM_SLAB_KMALLOC |             \
	 KM_SLAB_DEBUG)

uint32_t km_slab_align(const struct km_cache_spec *spec)
{
	uint32_t align = spec->align;

	if (spec->flags & KM_SLAB_HWCACHE_ALIGN) {
		uint32_t line = KM_CACHE_LINE;

		while (spec->object_size <= line / 2)
			line /= 2;
		align = align > line ? align : line;
	}
	align = align > KM_WORD ? align : KM_WORD;
	return (uint32_t)km_round_up(align, KM_WORD);
}

uint32_t km_slab_caller_gfp(const struct km_profile *profile, uint32_t gfp)
{
	uint32_t mask = KM_GFP_RECLAIM | KM_GFP_HIGH | KM_GFP_IO | KM_GFP_FS | KM_GFP_NOWARN |
			KM_GFP_RETRY_MAYFAIL | KM_GFP_NOFAIL | KM_GFP_NORETRY | KM_GFP_MEMALLOC |
			KM_GFP_NOMEMALLOC | KM_GFP_HARDWALL | KM_GFP_THISNODE;

	return gfp & (profile->gfp_atomic_bit ? mask | KM_GFP_ATOMIC_BIT : mask);
}

uint32_t km_slab_cache_gfp(uint32_t flags)
{
	uint32_t gfp = 0;

	if (flags & KM_SLAB_CACHE_DMA)
		gfp |= KM_GFP_DMA;
	if (flags & KM_SLAB_RECLAIM_ACCOUNT)
		gfp |= KM_GFP_RECLAIMABLE;
	return gfp;
}

/* A recorded geometry belongs to a cache that the recorded kernel did keep by itself. */
bool km_slab_may_merge(const struct km_profile *profile, const struct km_cache_spec *spec)
{
	return profile->merge && !(spec->flags & MERGE_NEVER) && !spec->sheaf_capacity &&
	       !spec->size_known;
}

bool km_slab_fits(const struct km_cache_spec *spec, uint32_t align, uint32_t size, uint32_t flags)
{
	uint64_t wanted = km_round_up(km_round_up(spec->object_size, KM_WORD), align);

	return !((flags ^ spec->flags) & MERGE_SAME) && wanted <= size && size - wanted < KM_WORD &&
	       size % align == 0;
}

/* Fisher-Yates. */
void km_slab_permute(struct km_env *env, uint16_t *permutation, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		permutation[i] = (uint16_t)i;
	for (unsigned i = count; i-- > 1;) {
		unsigned j = (unsigned)(km_env_random(env) % (i + 1));
		uint16_t swap = permutation[i];

		permutation[i] = permutation[j];
		permutation[j] = swap;
	}
}

unsigned km_slab_random_below(struct km_env *env, unsigned limit)
{
	return (unsigned)(((km_env_random(env) >> 32) * limit) >> 32);
}
