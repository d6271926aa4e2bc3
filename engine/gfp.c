/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfp flags by name, as kernel code writes them and as tracepoints print them:
 * include/linux/gfp_types.h, include/trace/events/mmflags.h, 5.15 - 7.2.
 */
#include <kmlab/gfp.h>
#include <kmlab/profile.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t bits;
} names[] = {
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
	/* Of other bits in each kernel and configuration; they steer no model. */
	{"__GFP_ZEROTAGS", 0},
	{"__GFP_SKIP_ZERO", 0},
	{"__GFP_SKIP_KASAN", 0},
	{"__GFP_SKIP_KASAN_ZERO", 0},
	{"__GFP_SKIP_KASAN_POISON", 0},
	{"__GFP_SKIP_KASAN_UNPOISON", 0},
	{"__GFP_NOLOCKDEP", 0},
	{"__GFP_NO_OBJ_EXT", 0},
};

static bool is(const char *name, size_t length, const char *known)
{
	return strlen(known) == length && memcmp(known, name, length) == 0;
}

bool km_gfp_by_name(const char *name, size_t length, const struct km_profile *profile,
		    uint32_t *bits)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!is(name, length, names[i].name))
			continue;
		*bits = names[i].bits;
		if (profile->gfp_atomic_bit && is(name, length, "GFP_ATOMIC"))
			*bits |= KM_GFP_ATOMIC_BIT;
		/* mmflags.h prints what include/linux/gfp_types.h says; both changed in 6.9. */
		if (profile->vmap_nodes && is(name, length, "GFP_NOWAIT"))
			*bits |= KM_GFP_NOWARN;
		return true;
	}
	return false;
}
