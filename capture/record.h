/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire between the BPF programs (record.bpf.c) and user space (record.c, drain.c): the rings
 * and the per-CPU state both sides see through mapped arrays.
 *
 * A ring is an array of slots of one CPU, without a lock: whoever records takes the next number
 * (an interrupt may take one in between), fills slot number % slots, and stores the number's stamp
 * last. The consumer takes slots in order, each when its stamp is there, and then moves the tail.
 *
 * Caches and tasks are named once, not per event: a definition precedes the first event of a CPU
 * that refers to them, and again whenever another one had taken its slot since.
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
	KM_REC_PAGE_ZONE_LOCKED,
	KM_REC_PAGE_PCPU_DRAIN,
	KM_REC_PAGE_EXTFRAG,
	KM_REC_PERCPU_ALLOC,
	KM_REC_PERCPU_FREE,
	KM_REC_RCU_FREE,
	KM_REC_BULK_FREE,
	KM_REC_BULK_ALLOC,
	KM_NR_RECORD_KINDS,
	KM_REC_DEFINE_CACHE = 64, /* KM_CACHE_PARTS slots of struct km_record_cache_part */
	KM_REC_DEFINE_TASK,
};

struct km_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 ptr;     /* slab, vmap, per-CPU: address; pages: the struct page, 0 = failed */
	__u64 site;    /* call site; vmap: bytes; pages: order | migratetype << 32 */
	/* cache_*, bulk_*: the struct kmem_cache; kmalloc, percpu: bytes_req | bytes_alloc << 32 */
	__u64 value;
	__u32 gfp; /* vmap_purge: areas purged */
	__u32 tid;
	__u32 lost;  /* of this CPU so far, modulo 2^32 */
	__u32 stack; /* of the stacks map, plus one; 0 = none */
	__s16 node;  /* extfrag: the fallback type */
	__u8 kind;
	__u8 context; /* enum km_context */
	__u32 stamp;  /* number of the slot's record, plus one; stored last */
};

struct km_record_task {
	__u64 cgroup;
	__u32 tid, tgid;
	char comm[16];
	__u64 reserved[2];
	__s16 reserved2;
	__u8 kind;
	__u8 reserved3;
	__u32 stamp;
};

struct km_cache_facts {
	__u64 cache;
	__u32 object_size, size, align, flags;
	__u32 min_partial, cpu_partial, sheaf_capacity;
	__u32 oo;             /* order << 16 | objects, as in the kernel */
	__u32 freeptr_offset; /* of the free pointer in an object; custom ones included */
	__u32 has_ctor;
	char name[64];
	__u64 reserved;
};

#define KM_PART_BYTES 40
#define KM_CACHE_PARTS 3

struct km_record_cache_part {
	__u8 data[KM_PART_BYTES]; /* of struct km_cache_facts, part by part */
	__u64 cache;
	__s16 part;
	__u8 kind;
	__u8 reserved2;
	__u32 stamp;
};

#define KM_SLOT_BYTES 56
#define KM_STACK_FRAMES 64
#define KM_STACKS 65536 /* different ones */

/* ---- per-CPU state ---- */

/* Two copies of a program may watch each tracepoint; record.bpf.c says why. */
enum km_copy { KM_COPY_FIRST, KM_COPY_SECOND, KM_NR_COPIES };

#define KM_NR_LEVELS 4 /* process, softirq, hardirq, NMI: at most one event of a kind in each */
#define KM_TOKEN_NONE (~0ull)

/* Tokens of tasks that can be preempted within a tracepoint, by the low bits of the task's id. */
#define KM_TOKEN_SLOTS 32768

struct km_task_tokens {
	__u64 token[KM_NR_RECORD_KINDS];
};

#define KM_CACHE_SLOTS 256
#define KM_TASK_SLOTS 512

/* Slots of the "already defined on this CPU" tables; user space mirrors them. */
#define KM_CACHE_SLOT(cache) (((__u32)((cache) >> 6) * 0x9e3779b1u) >> 24)
#define KM_TASK_SLOT(tid) ((tid) & (KM_TASK_SLOTS - 1))

/* Written by one copy of one kind's program only, which never nests on one CPU: no atomics. */
struct km_kind_counts {
	__u64 fired;             /* events this copy took: recorded + ring_full + all that follow */
	__u64 null;              /* kfree() of nothing */
	__u64 self;              /* the recorder's own calls */
	__u64 excluded, sampled; /* by a filter, by sampling */
	__u64 ring_full;
	__u64 caught; /* second copy: events the first missed, also while switched off */
};

struct km_task_slot {
	__u32 tid, defined;
	__u64 comm;    /* first eight bytes: exec and prctl change them */
	__u64 css_set; /* changes when the task moves to another cgroup */
};

struct km_cpu_state {
	__u64 tail; /* the consumer's, on a line of its own */
	__u64 apart[7];
	__u64 head; /* next number */
	__u32 lost;
	__u32 no_stack;     /* stacks that did not fit into the map */
	__u32 not_followed; /* chosen objects that did not fit into the map of followed ones */
	__u32 unused;
	__u64 percpu_area;   /* 0 not found */
	__u64 percpu_offset; /* from a per-CPU pointer to this CPU's copy; 0 not found */
	__u64 cache_slots[KM_CACHE_SLOTS];
	struct km_task_slot task_slots[KM_TASK_SLOTS];
	__u8 cache_chosen[KM_CACHE_SLOTS]; /* by the filter */
	struct km_kind_counts counts[KM_NR_COPIES][KM_NR_RECORD_KINDS];
	__u64 token[KM_NR_RECORD_KINDS][KM_NR_LEVELS];
} __attribute__((aligned(4096)));

/* ---- filters: an object is chosen when it is allocated, and followed until it is freed ---- */

#define KM_FILTER_MAX 8

struct km_filter {
	__u32 tgids, tids, comms, caches, kmalloc_sizes, sites; /* how many of each; 0: any */
	__u32 cgroup; /* 1: only tasks under the cgroup in the map `cgroup` */
	__u32 has_sizes;
	__u64 size_from, size_to; /* bytes asked for, inclusive */
	__u32 tgid[KM_FILTER_MAX], tid[KM_FILTER_MAX];
	__u32 kmalloc_size[KM_FILTER_MAX];
	__u64 site_from[KM_FILTER_MAX], site_to[KM_FILTER_MAX]; /* [from, to) */
	char comm[KM_FILTER_MAX][16];
	char cache[KM_FILTER_MAX][32];
};

/* ---- watchpoints (watch.bpf.h): one of a CPU's four on the misses of each slab tracepoint ---- */

#define KM_WATCHED_KINDS 4 /* KM_REC_KMALLOC … KM_REC_CACHE_FREE */

struct km_watch {
	__u32 program[KM_WATCHED_KINDS]; /* ids of the first copies */
	__u64 misses[KM_WATCHED_KINDS];  /* per-CPU pointers to what they missed; 0 not found */
	void *map, *copy;                /* find_percpu_offset()'s own */
};

/* What the calibration programs saw the recorder's own task do. */
struct km_probe {
	__u64 page;         /* first struct page of order 0 since this was 0 */
	__u64 large_page;   /* last struct page of order >= 2 */
	__u64 large_ptr;    /* address kmalloc() returned for it */
	__u64 index, entry; /* of the page table's top level: asked for, found */
};

#endif
