/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfp and slab flags by name, as kernel code writes them: include/linux/gfp_types.h and
 * include/linux/slab.h.
 */
#include <string.h>

#include "replay/scenario.h"

struct flag_name {
	const char *name;
	uint32_t bits;
};

static const struct flag_name gfp_names[] = {
	{"GFP_KERNEL", KM_GFP_KERNEL},
	{"GFP_KERNEL_ACCOUNT", KM_GFP_KERNEL | KM_GFP_ACCOUNT},
	{"GFP_NOWAIT", KM_GFP_NOWAIT},
	{"GFP_ATOMIC", KM_GFP_ATOMIC},
	{"GFP_NOIO", KM_GFP_NOIO},
	{"GFP_NOFS", KM_GFP_NOFS},
	{"GFP_USER", KM_GFP_USER},
	{"GFP_DMA", KM_GFP_DMA},
	{"GFP_DMA32", KM_GFP_DMA32},
	{"GFP_HIGHUSER", KM_GFP_HIGHUSER},
	{"GFP_HIGHUSER_MOVABLE", KM_GFP_HIGHUSER_MOVABLE},
	{"GFP_TRANSHUGE_LIGHT",
	 (KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP | KM_GFP_NOMEMALLOC | KM_GFP_NOWARN) &
		 ~KM_GFP_RECLAIM},
	{"GFP_TRANSHUGE",
	 ((KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP | KM_GFP_NOMEMALLOC | KM_GFP_NOWARN) &
	  ~KM_GFP_RECLAIM) |
		 KM_GFP_DIRECT_RECLAIM},
	{"__GFP_DMA", KM_GFP_DMA},
	{"__GFP_HIGHMEM", KM_GFP_HIGHMEM},
	{"__GFP_DMA32", KM_GFP_DMA32},
	{"__GFP_MOVABLE", KM_GFP_MOVABLE},
	{"__GFP_RECLAIMABLE", KM_GFP_RECLAIMABLE},
	{"__GFP_HIGH", KM_GFP_HIGH},
	{"__GFP_IO", KM_GFP_IO},
	{"__GFP_FS", KM_GFP_FS},
	{"__GFP_ZERO", KM_GFP_ZERO},
	{"__GFP_ATOMIC", KM_GFP_ATOMIC_BIT},
	{"__GFP_DIRECT_RECLAIM", KM_GFP_DIRECT_RECLAIM},
	{"__GFP_KSWAPD_RECLAIM", KM_GFP_KSWAPD_RECLAIM},
	{"__GFP_RECLAIM", KM_GFP_RECLAIM},
	{"__GFP_WRITE", KM_GFP_WRITE},
	{"__GFP_NOWARN", KM_GFP_NOWARN},
	{"__GFP_RETRY_MAYFAIL", KM_GFP_RETRY_MAYFAIL},
	{"__GFP_NOFAIL", KM_GFP_NOFAIL},
	{"__GFP_NORETRY", KM_GFP_NORETRY},
	{"__GFP_MEMALLOC", KM_GFP_MEMALLOC},
	{"__GFP_COMP", KM_GFP_COMP},
	{"__GFP_NOMEMALLOC", KM_GFP_NOMEMALLOC},
	{"__GFP_HARDWALL", KM_GFP_HARDWALL},
	{"__GFP_THISNODE", KM_GFP_THISNODE},
	{"__GFP_ACCOUNT", KM_GFP_ACCOUNT},
};

/* name, our bit, the kernel's bit (the same from 5.15 to 6.6; later kernels moved the high ones) */
static const struct {
	const char *name;
	uint32_t bits, kernel;
} slab_names[] = {
	{"SLAB_HWCACHE_ALIGN", KM_SLAB_HWCACHE_ALIGN, 0x2000},
	{"SLAB_CACHE_DMA", KM_SLAB_CACHE_DMA, 0x4000},
	{"SLAB_RECLAIM_ACCOUNT", KM_SLAB_RECLAIM_ACCOUNT, 0x20000},
	{"SLAB_TEMPORARY", KM_SLAB_RECLAIM_ACCOUNT, 0},
	{"SLAB_PANIC", KM_SLAB_PANIC, 0x40000},
	{"SLAB_TYPESAFE_BY_RCU", KM_SLAB_TYPESAFE_BY_RCU, 0x80000},
	{"SLAB_MEM_SPREAD", 0, 0x100000},
	{"SLAB_NO_MERGE", KM_SLAB_NO_MERGE, 0x1000000},
	{"SLAB_ACCOUNT", KM_SLAB_ACCOUNT, 0x4000000},
};

bool km_scenario_gfp(const char *name, const struct km_profile *profile, uint64_t *bits)
{
	for (size_t i = 0; i < sizeof(gfp_names) / sizeof(gfp_names[0]); i++) {
		if (strcmp(gfp_names[i].name, name) != 0)
			continue;
		*bits = gfp_names[i].bits;
		if (strcmp(name, "GFP_ATOMIC") == 0 && profile->gfp_atomic_bit)
			*bits |= KM_GFP_ATOMIC_BIT;
		return true;
	}
	return false;
}

bool km_scenario_slab_flag(const char *name, uint64_t *bits)
{
	for (size_t i = 0; i < sizeof(slab_names) / sizeof(slab_names[0]); i++) {
		if (strcmp(slab_names[i].name, name) == 0) {
			*bits = slab_names[i].bits;
			return true;
		}
	}
	return false;
}

uint64_t km_scenario_slab_flags_from_kernel(uint64_t kernel_bits)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < sizeof(slab_names) / sizeof(slab_names[0]); i++)
		if (kernel_bits & slab_names[i].kernel)
			bits |= slab_names[i].bits;
	return bits;
}
