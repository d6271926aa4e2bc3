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
#define virt_to_head_page(addr) compound_head(virt_to_page(addr))
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

/* ---- mappings of processes (mm/memory.c) ---- */

#define VM_READ 0x1UL
#define VM_WRITE 0x2UL
#define VM_EXEC 0x4UL
#define VM_SHARED 0x8UL
#define VM_MAYWRITE 0x20UL
#define VM_PFNMAP 0x400UL
#define VM_LOCKED 0x2000UL
#define VM_IO 0x4000UL
#define VM_DONTCOPY 0x20000UL
#define VM_DONTEXPAND 0x40000UL
#define VM_DONTDUMP 0x4000000UL
#define VM_MIXEDMAP 0x10000000UL
#define VM_RESERVED (VM_DONTEXPAND | VM_DONTDUMP)
#define VM_FAULT_OOM 0x1u
#define VM_FAULT_SIGBUS 0x2u
#define VM_FAULT_NOPAGE 0x100u
#define VM_FAULT_LOCKED 0x200u
#define VM_FAULT_ERROR 0x873u
#define PAGE_SHARED ((pgprot_t){0})
#define PAGE_KERNEL ((pgprot_t){0})
#define pgprot_noncached(prot) (prot)
#define pgprot_writecombine(prot) (prot)
#define __pgprot(value) ((pgprot_t){value})
#define pgprot_val(prot) ((prot).pgprot)

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned int flags;
	pgoff_t pgoff;
	unsigned long address;
	struct page *page;
};
struct vm_operations_struct {
	void (*open)(struct vm_area_struct *);
	void (*close)(struct vm_area_struct *);
	vm_fault_t (*fault)(struct vm_fault *);
	vm_fault_t (*page_mkwrite)(struct vm_fault *);
	int (*access)(struct vm_area_struct *, unsigned long, void *, int, int);
};
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#define vma_pages(vma) (((vma)->vm_end - (vma)->vm_start) >> PAGE_SHIFT)
static inline bool kmlab_vma_has(const struct kmlab_site *site, const struct vm_area_struct *vma,
				 unsigned long addr, unsigned long bytes)
{
	if (!offset_in_page(addr) && addr >= vma->vm_start && addr + bytes <= vma->vm_end)
		return true;
	kmlab_api->complain(site, KMLAB_FAULT_ARGUMENT,
			    "%s of %lu bytes at 0x%lx: the mapping is 0x%lx to 0x%lx", site->call,
			    bytes, addr, vma->vm_start, vma->vm_end);
	return false;
}
static inline int kmlab_remap(const struct kmlab_site *site, struct vm_area_struct *vma,
			      unsigned long addr, unsigned long pfn, unsigned long bytes)
{
	bytes = PAGE_ALIGN(bytes);
	if (!kmlab_vma_has(site, vma, addr, bytes))
		return -EINVAL;
	vma->vm_flags |= VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
	kmlab_api->show_frames(site, (addr - vma->vm_start) >> PAGE_SHIFT, pfn,
			       bytes >> PAGE_SHIFT);
	return 0;
}
#define remap_pfn_range(vma, addr, pfn, bytes, prot)                                               \
	((void)(prot), kmlab_remap(KMLAB_SITE("remap_pfn_range"), vma, addr, pfn, bytes))
#define io_remap_pfn_range remap_pfn_range
#define vm_iomap_memory(vma, start, bytes)                                                         \
	kmlab_remap(KMLAB_SITE("vm_iomap_memory"), vma, (vma)->vm_start, (start) >> PAGE_SHIFT,    \
		    min_t(unsigned long, bytes, (vma)->vm_end - (vma)->vm_start))
static inline int kmlab_insert_pfn(const struct kmlab_site *site, struct vm_area_struct *vma,
				   unsigned long addr, unsigned long pfn)
{
	if (!kmlab_vma_has(site, vma, addr, PAGE_SIZE))
		return -EFAULT;
	kmlab_api->show_frames(site, (addr - vma->vm_start) >> PAGE_SHIFT, pfn, 1);
	return 0;
}
/* The mapping holds a reference, which a page without any cannot give. */
#define vm_insert_page(vma, addr, page)                                                            \
	(page_count(page)                                                                          \
		 ? kmlab_insert_pfn(KMLAB_SITE("vm_insert_page"), vma, addr, page_to_pfn(page))    \
		 : -EINVAL)
#define vmf_insert_pfn(vma, addr, pfn)                                                             \
	(kmlab_insert_pfn(KMLAB_SITE("vmf_insert_pfn"), vma, addr, pfn) ? VM_FAULT_SIGBUS          \
									: VM_FAULT_NOPAGE)
/* mm/vmalloc.c: only what vmalloc_user() made is meant to be seen. */
static inline int kmlab_remap_vmalloc(const struct kmlab_site *site, struct vm_area_struct *vma,
				      const void *p, unsigned long page)
{
	const char *at = (const char *)p + (page << PAGE_SHIFT);

	for (unsigned long addr = vma->vm_start; addr < vma->vm_end; addr += PAGE_SIZE) {
		if (!is_vmalloc_addr(at))
			return -EINVAL;
		kmlab_api->show_frames(site, (addr - vma->vm_start) >> PAGE_SHIFT,
				       kmlab_api->vmalloc_pfn(at), 1);
		at += PAGE_SIZE;
	}
	return 0;
}
#define remap_vmalloc_range(vma, p, page)                                                          \
	kmlab_remap_vmalloc(KMLAB_SITE("remap_vmalloc_range"), vma, p, page)
/* The process that loads the module has an address space without mappings. */
__attribute__((weak)) struct mm_struct kmlab_mm;
#define get_task_mm(task) ((void)(task), &kmlab_mm)
#define mmput(mm) ((void)(mm))
#define mmap_read_lock(mm) ((void)(mm))
#define mmap_read_unlock(mm) ((void)(mm))

struct sysinfo {
	unsigned long totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	unsigned int mem_unit;
};
static inline void si_meminfo(struct sysinfo *info)
{
	*info = (struct sysinfo){.totalram = kmlab_api->max_pfn, .mem_unit = PAGE_SIZE};
}

#endif
