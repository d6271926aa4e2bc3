/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages, and how virtual, physical and page addresses are made of one another. */
#ifndef _LINUX_MM_H
#define _LINUX_MM_H

#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/mm_types.h>
#include <linux/string.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(addr) ALIGN(addr, PAGE_SIZE)
#define PAGE_ALIGNED(addr) IS_ALIGNED((unsigned long)(addr), PAGE_SIZE)
#define PFN_UP(x) (((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(x) ((x) >> PAGE_SHIFT)
#define PFN_PHYS(x) ((phys_addr_t)(x) << PAGE_SHIFT)
#define offset_in_page(p) ((unsigned long)(p) & ~PAGE_MASK)
#define totalram_pages() (kmlab_api->max_pfn)
#define PAGE_OFFSET ((unsigned long)kmlab_api->direct_map)
#define VMALLOC_START ((unsigned long)kmlab_api->vmalloc_area)
#define VMALLOC_END (VMALLOC_START + kmlab_api->vmalloc_bytes)
#define VMALLOC_TOTAL kmlab_api->vmalloc_bytes
#define high_memory ((void *)(kmlab_api->direct_map + kmlab_api->direct_bytes))

#define vmemmap ((struct page *)kmlab_api->memory_map)
#define page_to_pfn(page) ((unsigned long)((page)-vmemmap))
#define pfn_to_page(pfn) (vmemmap + (pfn))
#define pfn_valid(pfn) ((unsigned long)(pfn) < kmlab_api->max_pfn)
#define __pa(addr) ((phys_addr_t)((char *)(addr)-kmlab_api->direct_map))
#define __va(phys) ((void *)(kmlab_api->direct_map + (phys)))
#define virt_to_phys(addr) __pa(addr)
#define phys_to_virt(phys) __va(phys)
#define virt_to_pfn(addr) ((unsigned long)(__pa(addr) >> PAGE_SHIFT))
#define pfn_to_kaddr(pfn) __va(PFN_PHYS(pfn))
#define virt_to_page(addr) pfn_to_page(virt_to_pfn(addr))
#define virt_to_head_page(addr) virt_to_page(addr)
#define page_to_phys(page) PFN_PHYS(page_to_pfn(page))
#define phys_to_page(phys) pfn_to_page(PFN_DOWN(phys))
#define page_address(page) ((void *)(kmlab_api->direct_map + (page_to_pfn(page) << PAGE_SHIFT)))
#define page_to_virt(page) page_address(page)
#define virt_addr_valid(addr) ((unsigned long)__pa(addr) < kmlab_api->direct_bytes)
#define nth_page(page, n) ((page) + (n))
#define page_to_nid(page) 0
#define SetPageReserved(page) ((page)->flags |= 1UL << 10)
#define ClearPageReserved(page) ((page)->flags &= ~(1UL << 10))
#define PageReserved(page) ((page)->flags >> 10 & 1)
#define page_count(page) 1
#define get_page(page) ((void)(page))

static inline bool is_vmalloc_addr(const void *p)
{
	return (unsigned long)p - (unsigned long)kmlab_api->vmalloc_area < kmlab_api->vmalloc_bytes;
}
static inline int get_order(unsigned long bytes)
{
	bytes = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	return bytes <= 1 ? 0 : 64 - __builtin_clzl(bytes - 1);
}

#define vmalloc_to_pfn(p) kmlab_api->vmalloc_pfn(p)
#define vmalloc_to_page(p) pfn_to_page(vmalloc_to_pfn(p))

#define alloc_pages_exact(bytes, gfp)                                                              \
	kmlab_api->do_alloc_pages_exact(KMLAB_SITE("alloc_pages_exact"), bytes, gfp)
#define free_pages_exact(p, bytes)                                                                 \
	kmlab_api->do_free_pages_exact(KMLAB_SITE("free_pages_exact"), p, bytes)

#define clear_page(p) memset(p, 0, PAGE_SIZE)
#define copy_page(to, from) memcpy(to, from, PAGE_SIZE)

#include <linux/slab.h>

struct sysinfo {
	unsigned long totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	unsigned int mem_unit;
};
static inline void si_meminfo(struct sysinfo *info)
{
	*info = (struct sysinfo){.totalram = kmlab_api->max_pfn, .mem_unit = PAGE_SIZE};
}

#endif
