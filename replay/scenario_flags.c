/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfp and slab flags by name, as kernel code writes them: include/linux/gfp_types.h and
 * include/linux/slab.h.
 */
#include <string.h>

#include "replay/scenario.h"

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
	uint32_t found;

	if (!km_gfp_by_name(name, strlen(name), profile, &found))
		return false;
	*bits = found;
	return true;
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
