/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of mm/vmalloc.c and ioremap; of what is not exported the guest tells the address. */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "oracle.h"

static unsigned long get_area, vmalloc_align, vmalloc_huge_at, vrealloc_at;
module_param(get_area, ulong, 0);
module_param(vmalloc_align, ulong, 0);
module_param(vmalloc_huge_at, ulong, 0);
module_param(vrealloc_at, ulong, 0);

#define MAX_PAGES (1u << 10)
static struct page **pages;

int oracle_mappings_init(void)
{
	pages = kvmalloc_array(MAX_PAGES, sizeof(*pages), GFP_KERNEL);
	return pages ? 0 : -ENOMEM;
}

/*
 * What an earlier program left in blocks of vm_map_ram and in pools goes back when address space is
 * asked for that there is not.
 */
void oracle_mappings_settle(void)
{
	struct vm_struct *(*function)(unsigned long, unsigned long) = (void *)get_area;

	if (function)
		function(1ul << 46, VM_ALLOC);
	/* What waits for a purge is in no list of free ranges. */
	vm_unmap_aliases();
}

void oracle_mappings_exit(void)
{
	kvfree(pages);
}

static void *allocate_aligned(unsigned long bytes, unsigned long align, gfp_t gfp)
{
	void *(*function)(unsigned long, unsigned long, gfp_t, int, const void *) =
		(void *)vmalloc_align;

	return function ? function(bytes, align, gfp, NUMA_NO_NODE, NULL) : NULL;
}

static void *allocate_huge(unsigned long bytes, gfp_t gfp)
{
	void *(*function)(unsigned long, gfp_t, int) = (void *)vmalloc_huge_at;

	/* Where there is no node to be told, the third argument is not looked at. */
	return function ? function(bytes, gfp, NUMA_NO_NODE) : NULL;
}

static void *reallocate(void *old, unsigned long bytes, gfp_t gfp)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
	void *(*function)(const void *, size_t, unsigned long, gfp_t, int) = (void *)vrealloc_at;

	return function ? function(old, bytes, 1, gfp, NUMA_NO_NODE) : NULL;
#else
	void *(*function)(const void *, size_t, gfp_t) = (void *)vrealloc_at;

	return function ? function(old, bytes, gfp) : NULL;
#endif
}

/* `count` pages from the one at `first` on. */
static void *map(enum oracle_kind kind, unsigned long first, unsigned int count)
{
	if (!first || count > MAX_PAGES)
		return NULL;
	for (unsigned int i = 0; i < count; i++)
		pages[i] = virt_to_page((void *)(first + i * PAGE_SIZE));
	return kind == CALL_VMAP ? vmap(pages, count, VM_MAP, PAGE_KERNEL)
				 : vm_map_ram(pages, count, NUMA_NO_NODE);
}

unsigned long long oracle_mappings_call(const struct oracle_program *program,
					const struct oracle_call *call)
{
	enum oracle_kind kind = call->kind;
	unsigned long long args[3];
	void *pointer;

	for (unsigned int i = 0; i < 3; i++)
		args[i] = oracle_value(program, call, i);
	pointer = (void *)(unsigned long)args[0];
	switch (kind) {
	case CALL_VMALLOC_HUGE:
		return (unsigned long)allocate_huge(args[0], args[1]);
	case CALL_VMALLOC_USER:
		return (unsigned long)vmalloc_user(args[0]);
	case CALL_VMALLOC_32:
		return (unsigned long)vmalloc_32(args[0]);
	case CALL_VMALLOC_NODE:
		return (unsigned long)vmalloc_node(args[0], args[1]);
	case CALL_VMALLOC_ALIGN:
		return (unsigned long)allocate_aligned(args[0], args[1], args[2]);
	case CALL_VREALLOC:
		return (unsigned long)reallocate(pointer, args[1], args[2]);
	case CALL_VMAP:
	case CALL_VM_MAP_RAM:
		return (unsigned long)map(kind, args[0], args[1]);
	case CALL_VUNMAP:
		vunmap(pointer);
		return 0;
	case CALL_VM_UNMAP_RAM:
		vm_unmap_ram(pointer, args[1]);
		return 0;
	case CALL_VM_UNMAP_ALIASES:
		vm_unmap_aliases();
		return 0;
	case CALL_IOREMAP:
		return (unsigned long)ioremap(args[0], args[1]);
	default:
		iounmap((void __iomem *)pointer);
		return 0;
	}
}
