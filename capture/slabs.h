/* SPDX-License-Identifier: GPL-2.0-only */
/* Which slabs lie on which list of a cache, as slabs.bpf.c reads it and slab_lists.c tells it. */
#ifndef KMLAB_CAPTURE_SLABS_H
#define KMLAB_CAPTURE_SLABS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define KM_SLABS_MOST (1u << 17) /* on the lists of one cache */
#define KM_SLABS_CACHES 1024
#define KM_SLABS_NAME 64

/* Where a slab is; with KM_SLABS_CPU and _CHAIN the CPU stands in the low half. */
enum km_slabs_place { KM_SLABS_CPU, KM_SLABS_CHAIN, KM_SLABS_NODE };

struct km_slabs_entry {
	__u64 pfn;
	__u32 free;  /* objects */
	__u32 place; /* enum km_slabs_place << 16 | CPU */
};

struct km_slabs_cache {
	__u64 cache;
	char directory[KM_SLABS_NAME]; /* in /sys/kernel/slab */
};

#endif
