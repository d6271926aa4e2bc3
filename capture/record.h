/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire between the BPF programs (record.bpf.c) and user space (record.c, drain.c): records in
 * the per-CPU rings, and the per-CPU state both sides see through one mapped array.
 *
 * Caches and tasks are named once, not per event: a definition record precedes the first event of
 * a CPU that refers to them, and again whenever another one had taken its slot since.
 */
#ifndef KMLAB_RECORD_H
#define KMLAB_RECORD_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The order of enum km_event_kind; record.c checks that. */
enum km_record_kind {
	KM_REC_KMALLOC,
	KM_REC_KFREE,
	KM_REC_CACHE_ALLOC,
	KM_REC_CACHE_FREE,
	KM_REC_PAGE_ALLOC,
	KM_REC_PAGE_FREE,
	KM_REC_VMAP_ALLOC,
	KM_REC_VMAP_FREE,
	KM_REC_VMAP_PURGE,
	KM_NR_RECORD_KINDS,
	KM_REC_DEFINE_CACHE = 64,
	KM_REC_DEFINE_TASK,
};

/* record.context: enum km_context in the low bits, cumulative contended losses above, modulo 32 */
#define KM_REC_CONTEXT_BITS 3
#define KM_REC_CONTENDED_MASK 31u

struct km_record {
	__u8 kind;
	__u8 context;
	__s16 node;
	__u32 tid;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 ptr;     /* slab, vmap: address; pages: the struct page, 0 = failed */
	__u64 site;    /* slab: call site; vmap: bytes; pages: order | migratetype << 32 */
	__u64 value;   /* cache_*: the struct kmem_cache; kmalloc: bytes_req | bytes_alloc << 32 */
	__u32 gfp;     /* vmap_purge: areas purged */
	__u32 lost;    /* ring_full losses of this CPU so far, modulo 2^32 */
};

struct km_record_cache {
	__u8 kind;
	__u8 has_ctor;
	__u16 reserved;
	__u32 oo; /* order << 16 | objects, as in the kernel */
	__u64 cache;
	__u32 object_size, size, align, flags;
	__u32 min_partial, cpu_partial, sheaf_capacity, reserved2;
	char name[64];
};

struct km_record_task {
	__u8 kind;
	__u8 reserved[3];
	__u32 tid, tgid, reserved2;
	char comm[16];
};

/* ---- per-CPU state ---- */

/* Two copies of every program watch each tracepoint; record.bpf.c says why. */
enum km_copy { KM_COPY_FIRST, KM_COPY_SECOND, KM_NR_COPIES };

#define KM_NR_LEVELS 4 /* process, softirq, hardirq, NMI: at most one event of a kind in each */
#define KM_TOKEN_NONE (~0ull)

#define KM_CACHE_SLOTS 256
#define KM_TASK_SLOTS 512

/* Slots of the "already defined on this CPU" tables; user space mirrors them. */
#define KM_CACHE_SLOT(cache) (((__u32)((cache) >> 6) * 0x9e3779b1u) >> 24)
#define KM_TASK_SLOT(tid) ((tid) & (KM_TASK_SLOTS - 1))

/* Written by one copy of one kind's program only, which never nests on one CPU: no atomics. */
struct km_kind_counts {
	__u64 fired; /* events this copy took: recorded + ring_full + contended + null + self */
	__u64 null;  /* kfree() of nothing */
	__u64 self;  /* the recorder's own calls */
	__u64 ring_full, contended;
	__u64 cache;  /* scratch */
	__u64 caught; /* second copy: events the first missed, also while switched off */
};

struct km_task_slot {
	__u32 tid, defined;
	__u64 comm; /* first eight bytes: exec and prctl change them */
};

struct km_cpu_state {
	struct km_kind_counts counts[KM_NR_COPIES][KM_NR_RECORD_KINDS];
	__u64 token[KM_NR_RECORD_KINDS][KM_NR_LEVELS];
	__u32 lost_full, lost_contended;
	__u64 preempt_count; /* address of this CPU's, 0 not found */
	__u64 cache_slots[KM_CACHE_SLOTS];
	struct km_task_slot task_slots[KM_TASK_SLOTS];
} __attribute__((aligned(4096)));

/* What the calibration programs saw the recorder's own task do. */
struct km_probe {
	__u64 page;       /* last struct page of order 0 */
	__u64 large_page; /* last struct page of order >= 2 */
	__u64 large_ptr;  /* address kmalloc() returned for it */
};

#endif
