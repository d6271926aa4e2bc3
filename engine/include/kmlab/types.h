/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words every layer shares: page geometry of the simulated machine (x86_64, 4 KiB pages), typed
 * page frame numbers, addresses of the two mappings.
 */
#ifndef KMLAB_TYPES_H
#define KMLAB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KM_PAGE_SHIFT 12
#define KM_PAGE_SIZE ((uint64_t)1 << KM_PAGE_SHIFT)
#define KM_MAX_ORDER 10 /* largest block 4 MiB; inclusive, as in 6.4+ */
#define KM_NR_ORDERS (KM_MAX_ORDER + 1)
#define KM_PAGEBLOCK_ORDER 9 /* 2 MiB */
#define KM_PAGEBLOCK_PAGES ((uint64_t)1 << KM_PAGEBLOCK_ORDER)
#define KM_MAX_CPUS 1024

/* x86_64, 4-level paging, without KASLR (Documentation/arch/x86/x86_64/mm.rst). */
#define KM_DIRECT_MAP_BASE 0xffff888000000000ull
#define KM_VMALLOC_START 0xffffc90000000000ull
#define KM_VMALLOC_END 0xffffe90000000000ull
/* With five levels (switch la57). The direct map stays where four levels have it. */
#define KM_VMALLOC_START_LA57 0xffa0000000000000ull
#define KM_VMALLOC_END_LA57 0xffd2000000000000ull

/* A page frame number. A struct so that it can never be mixed up with an address or a count. */
typedef struct km_pfn {
	uint64_t value;
} km_pfn;

#define KM_PFN_NONE ((km_pfn){UINT64_MAX})

static inline bool km_pfn_valid(km_pfn pfn)
{
	return pfn.value != UINT64_MAX;
}

static inline uint64_t km_pfn_to_addr(km_pfn pfn)
{
	return KM_DIRECT_MAP_BASE + (pfn.value << KM_PAGE_SHIFT);
}

/* addr must lie in the direct map. */
static inline km_pfn km_addr_to_pfn(uint64_t addr)
{
	return (km_pfn){(addr - KM_DIRECT_MAP_BASE) >> KM_PAGE_SHIFT};
}

static inline bool km_is_vmalloc_addr(uint64_t addr)
{
	return (addr >= KM_VMALLOC_START && addr < KM_VMALLOC_END) ||
	       (addr >= KM_VMALLOC_START_LA57 && addr < KM_VMALLOC_END_LA57);
}

/* Smallest order whose block holds `bytes` (>= 1). */
static inline unsigned km_get_order(uint64_t bytes)
{
	uint64_t pages = (bytes + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;

	return pages <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(pages - 1);
}

/* Bit length: 0 for 0, else the 1-based position of the top set bit (the kernel's fls). */
static inline unsigned km_fls(uint64_t value)
{
	return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

static inline uint64_t km_round_up(uint64_t value, uint64_t multiple)
{
	return (value + multiple - 1) / multiple * multiple;
}

#endif
