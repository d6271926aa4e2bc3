/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The three layers of a machine, each an ops table. A model file implements one of them and is
 * named in engine/registry.c; a layer reaches the ones below it only through struct km_machine.
 *
 * Common rules: `self` is the model's own state, from create() to destroy(). `cpu` < machine->cpus
 * is the CPU the call runs on; calls run to completion one after another. gfp bits are those of
 * gfp.h. Failure is a value (KM_PFN_NONE, 0, negative errno), never an exit. validate() walks
 * everything and returns 0, or -EINVAL when an invariant is broken.
 */
#ifndef KMLAB_MODEL_H
#define KMLAB_MODEL_H

#include <kmlab/calls.h>
#include <kmlab/env.h>
#include <kmlab/gfp.h>
#include <kmlab/profile.h>

struct km_machine;
struct km_buddy_seed; /* kmlab/page_state.h */

/* ---- pages: mm/page_alloc.c ---- */

/* What the page layer holds now; all in pages unless said otherwise. */
struct km_page_usage {
	uint64_t managed;
	uint64_t free;                      /* free lists and per-CPU lists */
	uint64_t free_pcp;                  /* of these, on per-CPU lists */
	uint64_t free_blocks[KM_NR_ORDERS]; /* /proc/buddyinfo: blocks, all zones */
	uint64_t pageblocks;                /* 2 MiB blocks that are wholly managed */
	uint64_t pageblocks_unmovable;      /* of these, with at least one unmovable page in use */
	uint64_t pageblocks_free;           /* of these, wholly free (in buddy lists) */
};

struct km_page_ops {
	const char *name;
	int (*create)(struct km_machine *machine, void **self);
	void (*destroy)(void *self);
	/* 1 << order pages, naturally aligned; KM_PFN_NONE when Linux would return NULL. */
	km_pfn (*alloc)(void *self, unsigned cpu, uint32_t gfp, unsigned order);
	/* Any naturally aligned sub-block of an allocated block may be freed. 0, or -EFAULT. */
	int (*free)(void *self, unsigned cpu, km_pfn pfn, unsigned order);
	/* alloc_pages_bulk(): order-0 pages into pfns[]; how many were filled. */
	unsigned (*alloc_bulk)(void *self, unsigned cpu, uint32_t gfp, unsigned wanted,
			       km_pfn *pfns);
	/*
	 * alloc_pages_exact(): the first `pages` of a block of that order, which are then freed one
	 * by one. NULL: as alloc(), and the rest freed page by page.
	 */
	km_pfn (*alloc_exact)(void *self, unsigned cpu, uint32_t gfp, unsigned order,
			      uint64_t pages);
	/* Drain this CPU's lists (cpu < 0: all) to the buddy. May be NULL. */
	void (*drain)(void *self, int cpu);
	/* Start with these free blocks instead of all free; NULL: the model keeps no free lists. */
	int (*seed)(void *self, const struct km_buddy_seed *seed);
	/* managed 0: the model places nothing. */
	void (*usage)(void *self, struct km_page_usage *usage);
	/*
	 * Of the usage's pageblocks, those with both movable and other pages in use: looks at every
	 * one. May be NULL.
	 */
	uint64_t (*mixed)(void *self);
	int (*validate)(void *self);
};

/* ---- slab: mm/slub.c, mm/slab_common.c ---- */

#define KM_SLAB_HWCACHE_ALIGN 0x1u
#define KM_SLAB_RECLAIM_ACCOUNT 0x2u
#define KM_SLAB_ACCOUNT 0x4u
#define KM_SLAB_CACHE_DMA 0x8u
#define KM_SLAB_TYPESAFE_BY_RCU 0x10u
#define KM_SLAB_CTOR 0x20u /* has a constructor */
#define KM_SLAB_NO_MERGE 0x40u
#define KM_SLAB_KMALLOC 0x80u /* one of the kmalloc classes */
#define KM_SLAB_NO_SHEAVES 0x100u
#define KM_SLAB_PANIC 0x200u /* accepted, no effect */
/* slab_debug=: they change the layout; the calls are those of a cache that is not debugged */
#define KM_SLAB_RED_ZONE 0x400u
#define KM_SLAB_POISON 0x800u
#define KM_SLAB_STORE_USER 0x1000u
#define KM_SLAB_DEBUG (KM_SLAB_RED_ZONE | KM_SLAB_POISON | KM_SLAB_STORE_USER)

/* What kmem_cache_create() is told. */
struct km_cache_spec {
	const char *name;
	uint32_t object_size;    /* bytes */
	uint32_t align;          /* 0 = none asked */
	uint32_t flags;          /* KM_SLAB_* */
	uint32_t freeptr_offset; /* custom free-pointer offset + 1; 0 = none (6.12+) */
	uint32_t sheaf_capacity; /* 6.18+; 0 = not asked */
	/*
	 * Geometry read from a live kernel overrides the calculation where nonzero: a trace knows
	 * what the kernel used, even where its inputs are not visible.
	 */
	uint32_t size_known;
	uint8_t order_known_plus_one;
};

/* The counts sysfs shows for one cache (kernel-facts: B.12), plus geometry. */
struct km_cache_info {
	const char *name;
	uint32_t object_size, size, align, inuse, offset; /* bytes */
	uint32_t objects_per_slab, order, min_partial, cpu_partial, cpu_partial_slabs;
	uint32_t sheaf_capacity, flags;                  /* flags: KM_SLAB_* */
	uint64_t slabs, total_objects, partial, objects; /* objects: slabinfo's active_objs */
	uint64_t cpu_slabs;                              /* sysfs cpu_slabs */
	uint64_t live; /* objects handed out and not freed: what no kernel file shows */
};

/* The free pointer of a free object, as Linux keeps it in the object's memory. */
struct km_free_pointer {
	uint64_t at;   /* its address */
	uint64_t next; /* the free object that it names; 0: none */
	uint64_t word; /* what lies there: next, or what hardened_freelist makes of it */
};

struct km_slab_ops {
	const char *name;
	int (*create)(struct km_machine *machine, void **self);
	void (*destroy)(void *self);
	/* A cache handle, or NULL without memory. Merging may return an existing handle. */
	void *(*cache_create)(void *self, const struct km_cache_spec *spec);
	/* Address of an object, 0 on failure. node -1 = no preference. */
	uint64_t (*alloc)(void *self, void *cache, unsigned cpu, uint32_t gfp, int node);
	/* 0, or -EFAULT: addr is not an object of this layer. The cache is found from the address.
	 */
	int (*free)(void *self, unsigned cpu, uint64_t addr);
	/*
	 * As km_calls_loop() does, which KM_SLAB_RUN() wraps around alloc and free. NULL: whoever
	 * has operations calls these one by one.
	 */
	const struct km_op *(*run)(void *self, struct km_calls *calls, const struct km_op *op,
				   const struct km_op *end);
	/* kmem_cache_alloc_bulk / kmem_cache_free_bulk; how many were allocated. May be NULL. */
	unsigned (*alloc_bulk)(void *self, void *cache, unsigned cpu, uint32_t gfp, unsigned n,
			       uint64_t *addrs);
	void (*free_bulk)(void *self, unsigned cpu, unsigned n, uint64_t *addrs);
	void (*shrink)(void *self, void *cache, unsigned cpu); /* may be NULL */
	/*
	 * What shrink does first, for one CPU: what it holds goes to the node. Called before a
	 * shrink it says whose turn came when, which in Linux is timing. May be NULL.
	 */
	void (*flush_cpu)(void *self, void *cache, unsigned cpu);
	/* The cache is gone, or one alias less. -EBUSY: objects are in use. May be NULL. */
	int (*cache_destroy)(void *self, void *cache, unsigned cpu);
	/* The cache that owns addr, or NULL. */
	void *(*cache_of)(void *self, uint64_t addr);
	/* info->size is what one object takes. -ENOENT: the model keeps no slabs. */
	int (*cache_info)(void *self, void *cache, struct km_cache_info *info);
	/* -EFAULT: no object of a freelist begins at addr. May be NULL. */
	int (*free_pointer)(void *self, uint64_t addr, struct km_free_pointer *pointer);
	/*
	 * Would Linux stop a single free, on this CPU, of the object at addr, which is free? With
	 * hardened_freelist it does where a free pointer would name its own object
	 * (set_freepointer: BUG). May be NULL: never.
	 */
	bool (*stops_double_free)(void *self, unsigned cpu, uint64_t addr);
	/* Pages held by slabs (all caches); bytes of all object strides handed out. */
	void (*usage)(void *self, uint64_t *slab_pages, uint64_t *live_bytes);
	int (*validate)(void *self);
	/*
	 * A layer with a kmalloc of its own has these: the most bytes that it serves (above, pages
	 * do), the cache of a request of 1 to so many or a call instead of caches (one of them may
	 * be NULL), bytes set aside for it, and usable bytes of any live object. All NULL: kmalloc
	 * takes the size classes' caches, up to KM_KMALLOC_MAX_CACHE.
	 */
	uint64_t (*kmalloc_max)(const struct km_machine *machine);
	void *(*kmalloc_cache)(void *self, uint64_t bytes, uint32_t gfp);
	uint64_t (*kmalloc)(void *self, unsigned cpu, uint64_t bytes, uint32_t gfp, int node);
	uint64_t (*kmalloc_bytes)(void *self, uint64_t bytes);
	uint64_t (*ksize)(void *self, uint64_t addr);
};

/* ---- vmalloc: mm/vmalloc.c ---- */

#define KM_VM_ALLOW_HUGE 0x1u /* VM_ALLOW_HUGE_VMAP: kvmalloc's fallback, vmalloc_huge() */
#define KM_VM_NO_GUARD 0x2u
#define KM_VM_NO_PAGES 0x4u /* address space only */
#define KM_VM_ON_NODE 0x8u  /* a NUMA node was asked for: 5.15 takes pages in bulk then */

struct km_vm_usage {
	uint64_t areas;
	uint64_t mapped_pages;     /* data pages, in 4 KiB pages */
	uint64_t leaf_4k, leaf_2m; /* page-table leaves: TLB entries needed to reach all of it */
	uint64_t page_table_pages;
	uint64_t lazy_pages;     /* parked, waiting for a purge; guard pages included */
	uint64_t metadata_bytes; /* vm_struct, page arrays */
};

struct km_vm_ops {
	const char *name;
	int (*create)(struct km_machine *machine, void **self);
	void (*destroy)(void *self);
	/* Start of a mapped area of at least `bytes`, 0 on failure. align 0 or a power of two. */
	uint64_t (*alloc)(void *self, unsigned cpu, uint64_t bytes, uint64_t align, uint32_t gfp,
			  uint32_t flags);
	int (*free)(void *self, unsigned cpu, uint64_t addr); /* 0, or -EFAULT */
	/* Mapped bytes without the guard, 0 for an unknown address. */
	uint64_t (*size)(void *self, uint64_t addr);
	/*
	 * What only Linux's own layer does; NULL in others. The frames pfns[0 .. count) stay the
	 * caller's. An address, or 0 on failure; 0, or -EFAULT for what is not mapped so.
	 */
	uint64_t (*map)(void *self, unsigned cpu, const km_pfn *pfns, uint64_t count);
	uint64_t (*map_io)(void *self, unsigned cpu, uint64_t phys, uint64_t bytes);
	uint64_t (*map_ram)(void *self, unsigned cpu, const km_pfn *pfns, uint64_t count);
	int (*unmap_ram)(void *self, unsigned cpu, uint64_t addr, uint64_t count);
	void (*unmap_aliases)(void *self, unsigned cpu);
	/* vrealloc(): *addr moves where the area cannot change in place. Also -ENOMEM. */
	int (*resize)(void *self, unsigned cpu, uint64_t *addr, uint64_t bytes, uint32_t gfp);
	void (*usage)(void *self, struct km_vm_usage *usage);
	int (*validate)(void *self);
};

/* ---- a model: how a machine answers a kernel's requests ---- */

enum km_route {
	KM_ROUTE_SLAB,    /* as Linux does: caches, kmalloc classes, large kmalloc from pages */
	KM_ROUTE_PAGES,   /* every object is whole pages */
	KM_ROUTE_VMALLOC, /* every object is a vmalloc area */
	KM_ROUTE_VMALLOC_HUGE, /* the same, with KM_VM_ALLOW_HUGE */
	KM_ROUTE_KVMALLOC,     /* objects of at least `threshold` bytes go to vmalloc */
};

struct km_model {
	const char *name;
	const char *summary; /* one line for `kmlab models` */
	const struct km_page_ops *page;
	const struct km_slab_ops *slab;
	const struct km_vm_ops *vm;
	enum km_route route;
};

/* engine/registry.c: NULL-terminated by name. */
extern const struct km_model km_models[];

/* By name without "@profile" and ":argument". NULL if unknown. */
const struct km_model *km_model_find(const char *name);

#endif
