/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_TYPES_H
#define _LINUX_TYPES_H

#include <linux/compiler.h>
#include <linux/stddef.h>

typedef signed char s8, __s8, int8_t;
typedef unsigned char u8, __u8, uint8_t, u_char, unchar;
typedef short s16, __s16, int16_t;
typedef unsigned short u16, __u16, uint16_t, u_short, ushort;
typedef int s32, __s32, int32_t;
typedef unsigned int u32, __u32, uint32_t, u_int, uint;
typedef long long s64, __s64;
typedef unsigned long long u64, __u64;
typedef long int64_t;
typedef unsigned long uint64_t;
typedef unsigned long u_long, ulong, uintptr_t;
typedef long intptr_t;
typedef u16 __le16, __be16;
typedef u32 __le32, __be32;
typedef u64 __le64, __be64;

typedef _Bool bool;
#define true 1
#define false 0

typedef unsigned long size_t, __kernel_size_t, __kernel_ulong_t;
typedef long ssize_t, ptrdiff_t;
typedef long long loff_t;
typedef long off_t, time_t, time64_t;
typedef unsigned int gfp_t, slab_flags_t, fmode_t, uid_t, gid_t, vm_fault_t;
typedef unsigned short umode_t;
typedef unsigned int dev_t, mode_t, blkcnt_t;
typedef int pid_t;
typedef u64 phys_addr_t, resource_size_t, dma_addr_t, sector_t;
typedef unsigned long pgoff_t, irq_hw_number_t;

typedef struct {
	int counter;
} atomic_t;
typedef struct {
	s64 counter;
} atomic64_t, atomic_long_t;

struct list_head {
	struct list_head *next, *prev;
};
struct hlist_node {
	struct hlist_node *next, **pprev;
};
struct hlist_head {
	struct hlist_node *first;
};
struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *head);
};
#define rcu_head callback_head

#define DECLARE_BITMAP(name, bits) unsigned long name[((bits) + 63) / 64]

#endif
