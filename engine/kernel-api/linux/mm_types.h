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

typedef unsigned long vm_flags_t;
typedef struct {
	unsigned long pgprot;
} pgprot_t;
struct vm_operations_struct;
struct file;
struct mm_struct {
	struct vm_area_struct *mmap;
	unsigned long total_vm;
	struct rw_semaphore *kmlab_lock;
};
struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct vm_area_struct *vm_next;
	struct mm_struct *vm_mm;
	pgprot_t vm_page_prot;
	unsigned long vm_flags;
	const struct vm_operations_struct *vm_ops;
	unsigned long vm_pgoff;
	struct file *vm_file;
	void *vm_private_data;
};

#endif
