/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MM_TYPES_H
#define _LINUX_MM_TYPES_H

#include <linux/types.h>

/* 64 bytes, as on x86-64; most of it is the kernel's. */
struct page {
	unsigned long flags;
	struct list_head lru;
	void *mapping;
	unsigned long index, private;
	atomic_t _mapcount, _refcount;
	unsigned long kmlab_reserved;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_pgoff, vm_flags;
	unsigned long vm_page_prot;
	void *vm_private_data;
	const void *vm_ops;
};
struct mm_struct {
	unsigned long total_vm;
};

#endif
