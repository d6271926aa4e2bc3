/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One traced kernel call, as traces hand it out and replay consumes it: exactly one cache line.
 * Which fields a kind uses is stated beside the kind; the others are 0.
 * Source of the fields: include/trace/events/{kmem,vmalloc,percpu}.h, and of the bulk and RCU calls
 * mm/slub.c and mm/slab_common.c; 5.15 - 6.18.
 */
#ifndef KMLAB_EVENT_H
#define KMLAB_EVENT_H

#include <kmlab/types.h>

/* Stored in files: append only. X(constant, name in SQL and JSON, group, is an allocation) */
#define KM_EVENT_KINDS(X)                                                                          \
	X(KM_EV_KMALLOC, "kmalloc", KM_GROUP_SLAB, true)                                           \
	X(KM_EV_KFREE, "kfree", KM_GROUP_SLAB, false)                                              \
	X(KM_EV_CACHE_ALLOC, "cache_alloc", KM_GROUP_SLAB, true)                                   \
	X(KM_EV_CACHE_FREE, "cache_free", KM_GROUP_SLAB, false)                                    \
	X(KM_EV_PAGE_ALLOC, "page_alloc", KM_GROUP_PAGE, true)                                     \
	X(KM_EV_PAGE_FREE, "page_free", KM_GROUP_PAGE, false)                                      \
	X(KM_EV_VMAP_ALLOC, "vmap_alloc", KM_GROUP_VMAP, true)                                     \
	X(KM_EV_VMAP_FREE, "vmap_free", KM_GROUP_VMAP, false)                                      \
	X(KM_EV_VMAP_PURGE, "vmap_purge", KM_GROUP_VMAP, false)                                    \
	X(KM_EV_PAGE_ZONE_LOCKED, "page_zone_locked", KM_GROUP_PAGE, false)                        \
	X(KM_EV_PAGE_PCPU_DRAIN, "page_pcpu_drain", KM_GROUP_PAGE, false)                          \
	X(KM_EV_PAGE_EXTFRAG, "page_extfrag", KM_GROUP_PAGE, false)                                \
	X(KM_EV_PERCPU_ALLOC, "percpu_alloc", KM_GROUP_PERCPU, true)                               \
	X(KM_EV_PERCPU_FREE, "percpu_free", KM_GROUP_PERCPU, false)                                \
	X(KM_EV_RCU_FREE, "rcu_free", KM_GROUP_RCU, false)                                         \
	X(KM_EV_BULK_FREE, "bulk_free", KM_GROUP_RCU, false)                                       \
	X(KM_EV_BULK_ALLOC, "bulk_alloc", KM_GROUP_RCU, true)

/* What is recorded together. X(constant, name) */
#define KM_EVENT_GROUPS(X)                                                                         \
	X(KM_GROUP_SLAB, "slab")                                                                   \
	X(KM_GROUP_PAGE, "page")                                                                   \
	X(KM_GROUP_VMAP, "vmap")                                                                   \
	X(KM_GROUP_PERCPU, "percpu")                                                               \
	X(KM_GROUP_RCU, "rcu")

enum km_event_group {
#define X(constant, name) constant,
	KM_EVENT_GROUPS(X)
#undef X
		KM_NR_GROUPS
};

enum km_event_kind {
#define X(constant, name, group, alloc) constant,
	KM_EVENT_KINDS(X)
#undef X
		KM_NR_EVENT_KINDS
};

/* Where the call ran. */
enum km_context { KM_CTX_PROCESS, KM_CTX_SOFTIRQ, KM_CTX_HARDIRQ, KM_CTX_NMI, KM_CTX_UNKNOWN };

#define KM_NO_CACHE 0 /* dictionary id 0: "no cache", "unknown site", "unknown task" */

/*
 *              ptr            bytes_req       bytes_alloc     other
 * kmalloc      address        asked           cache stride or 4096<<order   gfp node site
 * kfree        address        -               -               site (ptr <= 16: freeing nothing)
 * cache_alloc  address        object_size     size (stride)   gfp node site cache
 * cache_free   address        -               -               site cache
 * page_alloc   pfn            4096<<order     4096<<order     gfp order migratetype
 * page_free    pfn            4096<<order     4096<<order     order
 * vmap_alloc   address        -               size with guard gfp unused; 0 ptr = failed
 * vmap_free    address        -               -
 * vmap_purge   start address  -               end - start     npurged in bytes_req
 * zone_locked, pcpu_drain, extfrag: pfn, order, migratetype; extfrag: fallback type in node
 * percpu_alloc per-CPU pointer asked          as the allocator rounds  gfp site
 * percpu_free  per-CPU pointer -              -
 * rcu_free     address        -               -               site (handed to kvfree_call_rcu():
 *                                                              not free yet)
 * bulk_free    address        -               -               site cache (0: not known)
 * bulk_alloc   address        object_size     size (stride)   gfp site cache
 * One bulk event is one object of kmem_cache_free_bulk(), kfree_bulk(), kmem_cache_alloc_bulk().
 * A failed allocation has ptr 0 (pages: UINT64_MAX).
 */
struct km_event {
	uint64_t time_ns; /* since the start of the trace */
	uint64_t ptr;
	uint64_t bytes_req;
	uint64_t bytes_alloc;
	uint32_t gfp;   /* the recording kernel's own bits */
	uint32_t site;  /* dictionary id: table site */
	uint32_t task;  /* dictionary id: table task */
	uint32_t stack; /* dictionary id: table stack; 0 = none */
	uint32_t seq;   /* per CPU, gapless over recorded events; makes a total order with time and
			   cpu */
	uint16_t cache; /* dictionary id: table cache */
	uint16_t cpu;
	int16_t node;    /* requested node, -1 = none */
	uint8_t kind;    /* enum km_event_kind */
	uint8_t context; /* enum km_context */
	uint8_t order;
	uint8_t migratetype;
	uint8_t reserved[2];
};

_Static_assert(sizeof(struct km_event) == 64, "an event is one cache line");

static inline const char *km_event_name(unsigned kind)
{
	static const char *const names[] = {
#define X(constant, name, group, alloc) name,
		KM_EVENT_KINDS(X)
#undef X
	};
	return kind < KM_NR_EVENT_KINDS ? names[kind] : "unknown";
}

static inline bool km_event_is_alloc(unsigned kind)
{
	static const bool alloc[] = {
#define X(constant, name, group, is_alloc) is_alloc,
		KM_EVENT_KINDS(X)
#undef X
	};
	return kind < KM_NR_EVENT_KINDS && alloc[kind];
}

/* It ends an object; rcu_free only announces that. */
static inline bool km_event_is_free(unsigned kind)
{
	return kind == KM_EV_KFREE || kind == KM_EV_CACHE_FREE || kind == KM_EV_PAGE_FREE ||
	       kind == KM_EV_VMAP_FREE || kind == KM_EV_PERCPU_FREE || kind == KM_EV_BULK_FREE;
}

static inline enum km_event_group km_event_group_of(unsigned kind)
{
	static const uint8_t groups[] = {
#define X(constant, name, group, alloc) group,
		KM_EVENT_KINDS(X)
#undef X
	};
	return kind < KM_NR_EVENT_KINDS ? (enum km_event_group)groups[kind] : KM_NR_GROUPS;
}

static inline const char *km_event_group_name(unsigned group)
{
	static const char *const names[] = {
#define X(constant, name) name,
		KM_EVENT_GROUPS(X)
#undef X
	};
	return group < KM_NR_GROUPS ? names[group] : "unknown";
}

/*
 * Sampling by address: is this event of the one in n addresses that are kept? Both ends of a
 * lifetime are, or neither; what is kept for a larger n is among what is kept for a smaller. Pages
 * by their pfn, all else by 8 bytes. n 0 and 1: all are kept.
 */
static inline bool km_sample_keep(unsigned kind, uint64_t ptr, uint32_t n)
{
	uint64_t number = km_event_group_of(kind) == KM_GROUP_PAGE ? ptr : ptr >> 3;

	return (number * 0x9e3779b97f4a7c15ull >> 32) * n >> 32 == 0;
}

#endif
