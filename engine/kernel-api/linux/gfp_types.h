/* SPDX-License-Identifier: GPL-2.0-only */
/* gfp flags: the bit numbers of 5.15 to 7.2, and what each stands for. */
#ifndef _LINUX_GFP_TYPES_H
#define _LINUX_GFP_TYPES_H

#include <linux/types.h>
#include <linux/version.h>

#define __GFP_DMA ((gfp_t)0x1u)              /* from the first 16 MiB */
#define __GFP_HIGHMEM ((gfp_t)0x2u)          /* may lie where no direct map is */
#define __GFP_DMA32 ((gfp_t)0x4u)            /* from the first 4 GiB */
#define __GFP_MOVABLE ((gfp_t)0x8u)          /* the page can be moved */
#define __GFP_RECLAIMABLE ((gfp_t)0x10u)     /* a shrinker can free it */
#define __GFP_HIGH ((gfp_t)0x20u)            /* may use the reserve */
#define __GFP_IO ((gfp_t)0x40u)              /* reclaim may start I/O */
#define __GFP_FS ((gfp_t)0x80u)              /* reclaim may call into file systems */
#define __GFP_ZERO ((gfp_t)0x100u)           /* the memory is cleared */
#define __GFP_DIRECT_RECLAIM ((gfp_t)0x400u) /* may reclaim, so may sleep */
#define __GFP_KSWAPD_RECLAIM ((gfp_t)0x800u) /* wakes kswapd when memory is low */
#define __GFP_RECLAIM (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define __GFP_WRITE ((gfp_t)0x1000u)
#define __GFP_NOWARN ((gfp_t)0x2000u)
#define __GFP_RETRY_MAYFAIL ((gfp_t)0x4000u)
#define __GFP_NOFAIL ((gfp_t)0x8000u)
#define __GFP_NORETRY ((gfp_t)0x10000u)
#define __GFP_MEMALLOC ((gfp_t)0x20000u)
#define __GFP_COMP ((gfp_t)0x40000u)
#define __GFP_NOMEMALLOC ((gfp_t)0x80000u)
#define __GFP_HARDWALL ((gfp_t)0x100000u)
#define __GFP_THISNODE ((gfp_t)0x200000u)
#define __GFP_ACCOUNT ((gfp_t)0x400000u)

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define __GFP_ATOMIC ((gfp_t)0x200u) /* may not sleep, and takes more of the reserve */
#define GFP_ATOMIC (__GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM)
#else
#define GFP_ATOMIC (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#endif
#define GFP_KERNEL (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_KERNEL_ACCOUNT (GFP_KERNEL | __GFP_ACCOUNT)
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define GFP_NOWAIT __GFP_KSWAPD_RECLAIM
#else
#define GFP_NOWAIT (__GFP_KSWAPD_RECLAIM | __GFP_NOWARN)
#endif
#define GFP_NOIO (__GFP_RECLAIM)
#define GFP_NOFS (__GFP_RECLAIM | __GFP_IO)
#define GFP_USER (GFP_KERNEL | __GFP_HARDWALL)
#define GFP_DMA __GFP_DMA
#define GFP_ZONEMASK (__GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE)
#define GFP_DMA32 __GFP_DMA32
#define GFP_HIGHUSER (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)
#define GFP_TRANSHUGE_LIGHT                                                                        \
	((GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC | __GFP_NOWARN) & ~__GFP_RECLAIM)
#define GFP_TRANSHUGE (GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM)

static inline bool gfpflags_allow_blocking(const gfp_t flags)
{
	return flags & __GFP_DIRECT_RECLAIM;
}

#endif
