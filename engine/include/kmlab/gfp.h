/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfp flags as the engine uses them: the bit numbers of include/linux/gfp_types.h, which bits 0-8
 * and 10-23 have kept from 5.15 to 7.2. Traces of kernels with other high bits are translated on
 * import; models see only these.
 */
#ifndef KMLAB_GFP_H
#define KMLAB_GFP_H

#include <kmlab/types.h>

#define KM_GFP_DMA 0x1u
#define KM_GFP_HIGHMEM 0x2u
#define KM_GFP_DMA32 0x4u
#define KM_GFP_MOVABLE 0x8u
#define KM_GFP_RECLAIMABLE 0x10u
#define KM_GFP_HIGH 0x20u
#define KM_GFP_IO 0x40u
#define KM_GFP_FS 0x80u
#define KM_GFP_ZERO 0x100u
#define KM_GFP_ATOMIC_BIT 0x200u /* 5.15 and 6.1 only: __GFP_ATOMIC */
#define KM_GFP_DIRECT_RECLAIM 0x400u
#define KM_GFP_KSWAPD_RECLAIM 0x800u
#define KM_GFP_WRITE 0x1000u
#define KM_GFP_NOWARN 0x2000u
#define KM_GFP_RETRY_MAYFAIL 0x4000u
#define KM_GFP_NOFAIL 0x8000u
#define KM_GFP_NORETRY 0x10000u
#define KM_GFP_MEMALLOC 0x20000u
#define KM_GFP_COMP 0x40000u
#define KM_GFP_NOMEMALLOC 0x80000u
#define KM_GFP_HARDWALL 0x100000u
#define KM_GFP_THISNODE 0x200000u
#define KM_GFP_ACCOUNT 0x400000u

#define KM_GFP_RECLAIM (KM_GFP_DIRECT_RECLAIM | KM_GFP_KSWAPD_RECLAIM)
#define KM_GFP_KERNEL (KM_GFP_RECLAIM | KM_GFP_IO | KM_GFP_FS)
#define KM_GFP_NOWAIT KM_GFP_KSWAPD_RECLAIM
#define KM_GFP_ATOMIC (KM_GFP_HIGH | KM_GFP_KSWAPD_RECLAIM)
#define KM_GFP_NOIO KM_GFP_RECLAIM
#define KM_GFP_NOFS (KM_GFP_RECLAIM | KM_GFP_IO)
#define KM_GFP_USER (KM_GFP_KERNEL | KM_GFP_HARDWALL)
#define KM_GFP_HIGHUSER (KM_GFP_USER | KM_GFP_HIGHMEM)
#define KM_GFP_HIGHUSER_MOVABLE (KM_GFP_HIGHUSER | KM_GFP_MOVABLE)

enum km_migratetype { KM_UNMOVABLE, KM_MOVABLE, KM_RECLAIMABLE, KM_HIGHATOMIC, KM_NR_MIGRATETYPES };

/* Zone indexes of x86_64; HIGHMEM exists on 32-bit only and keeps its own index here. */
enum km_zone_index { KM_ZONE_DMA, KM_ZONE_DMA32, KM_ZONE_NORMAL, KM_ZONE_MOVABLE, KM_NR_ZONES };

/* Migratetype a request asks for. MOVABLE and RECLAIMABLE together are illegal: UNMOVABLE here. */
static inline enum km_migratetype km_gfp_migratetype(uint32_t gfp)
{
	unsigned type = (gfp & (KM_GFP_MOVABLE | KM_GFP_RECLAIMABLE)) >> 3;

	return type <= KM_RECLAIMABLE ? (enum km_migratetype)type : KM_UNMOVABLE;
}

/* Highest zone a request may use (x86_64: HIGHMEM means NORMAL). */
static inline enum km_zone_index km_gfp_zone(uint32_t gfp)
{
	/* Two bits for each way to combine the four flags; those that contradict give DMA. */
	const uint32_t zones = KM_ZONE_NORMAL << 2 * 0 | KM_ZONE_NORMAL << 2 * KM_GFP_HIGHMEM |
			       KM_ZONE_NORMAL << 2 * KM_GFP_MOVABLE |
			       KM_ZONE_MOVABLE << 2 * (KM_GFP_HIGHMEM | KM_GFP_MOVABLE) |
			       KM_ZONE_DMA32 << 2 * KM_GFP_DMA32 |
			       KM_ZONE_DMA32 << 2 * (KM_GFP_DMA32 | KM_GFP_MOVABLE);
	unsigned flags = gfp & (KM_GFP_DMA | KM_GFP_HIGHMEM | KM_GFP_DMA32 | KM_GFP_MOVABLE);

	return (enum km_zone_index)(zones >> 2 * flags & 3);
}

/* Flags of which a kernel with debugging would complain: two zones, or both mobilities. */
static inline bool km_gfp_zones_contradict(uint32_t gfp)
{
	uint32_t zones = gfp & (KM_GFP_DMA | KM_GFP_HIGHMEM | KM_GFP_DMA32);

	return zones & (zones - 1);
}

static inline bool km_gfp_types_contradict(uint32_t gfp)
{
	return !(~gfp & (KM_GFP_MOVABLE | KM_GFP_RECLAIMABLE));
}

struct km_profile;

/*
 * The bits of one flag as kernels of that profile name it ("GFP_KERNEL", "__GFP_ZERO"; length
 * without an end mark). False: there is no such flag.
 */
bool km_gfp_by_name(const char *name, size_t length, const struct km_profile *profile,
		    uint32_t *bits);

/*
 * "GFP_KERNEL|__GFP_ZERO": flags as kernel code of that profile writes them, those that cover most
 * first; bits without a name follow in hexadecimal, and none are "0x0". It ends before the first
 * name that does not fit.
 */
void km_gfp_text(uint32_t gfp, const struct km_profile *profile, char *text, size_t size);

/* A name that kernels no longer have, as flags they do. */
struct km_gfp_past {
	const char *name;
	uint32_t bits;   /* what it adds */
	uint32_t clear;  /* what it takes away from the flags it stands with */
	const char *now; /* what to write instead */
};

/*
 * What that name stood for ("__GFP_WAIT"); NULL: a name never known, or known to this profile.
 * Three underscores, as in the numbers behind the flags, are read as two here and above.
 */
const struct km_gfp_past *km_gfp_past(const char *name, size_t length,
				      const struct km_profile *profile);

/* Every name there is or was, by index from 0; NULL after the last. */
const char *km_gfp_name(unsigned index);

#endif
