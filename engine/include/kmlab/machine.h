/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One simulated kernel: CPUs, zones, a profile, and the three layers stacked. The km_k* functions
 * are the kernel's allocation API on it; they are what replay and scenarios call.
 */
#ifndef KMLAB_MACHINE_H
#define KMLAB_MACHINE_H

#include <kmlab/model.h>

/* A zone as /proc/zoneinfo shows it. Zones are listed in index order, empty ones left out. */
struct km_zone_spec {
	uint8_t index;                      /* enum km_zone_index */
	uint64_t start;                     /* first pfn */
	uint64_t spanned, present, managed; /* pages */
};

struct km_machine_spec {
	const struct km_model *model;
	struct km_profile profile; /* a copy: switches may be set one by one */
	unsigned cpus;             /* online */
	unsigned present_cpus;  /* slabs are sized for these, also while some are off; 0 = cpus */
	unsigned possible_cpus; /* 0 = cpus */
	unsigned nr_zones;      /* 0: laid out from memory_bytes as a PC would */
	struct km_zone_spec zones[KM_NR_ZONES];
	uint64_t memory_bytes;       /* used when nr_zones is 0 */
	uint64_t min_free_kbytes;    /* 0: Linux's own formula */
	bool thp;                    /* raises min_free_kbytes; order-9 per-CPU lists */
	uint64_t kvmalloc_threshold; /* bytes; for KM_ROUTE_KVMALLOC */
};

#define KM_KMALLOC_MAX_CACHE 8192u
#define KM_KMALLOC_MAX_SIZE (4ull << 20)
#define KM_KMALLOC_CLASSES 14 /* index 0 unused; kernel-facts: A.1 */

enum km_kmalloc_type {
	KM_KMALLOC_NORMAL,
	KM_KMALLOC_RECLAIM,
	KM_KMALLOC_DMA,
	KM_KMALLOC_CGROUP,
	KM_NR_KMALLOC_TYPES
};

#define KM_RANDOM_COPIES 15 /* beside the plain classes */

/* A set of kmalloc classes of its own (kmem_buckets_create()). */
struct km_buckets {
	struct km_buckets *next;
	void *caches[KM_KMALLOC_CLASSES];
};

struct km_random_copies {
	void *caches[KM_RANDOM_COPIES][KM_KMALLOC_CLASSES];
};

struct km_machine {
	struct km_env *env;
	struct km_machine_spec spec;
	const struct km_model *model;
	uint64_t max_pfn;       /* one past the last page of the last zone */
	void *page, *slab, *vm; /* the layers' states */
	void *kmalloc_caches[KM_NR_KMALLOC_TYPES][KM_KMALLOC_CLASSES];
	uint64_t kmalloc_max; /* bytes; larger kmallocs are pages */
	uint8_t *large_order; /* per pfn: order + 1 of a large kmalloc starting there, else 0 */
	uint64_t large_pages; /* held by large kmallocs */
	/* Code address of the request, set by whoever drives: it chooses the random copy. */
	uint64_t caller;
	uint64_t random_seed;
	struct km_random_copies *random_copies;   /* NULL: the profile has none */
	struct km_buckets *buckets;               /* all sets */
	struct km_buckets *msg_msg, *memdup_user; /* NULL: the profile has none */
	/* False: what the slab layer takes for itself is in use since before the start. */
	bool booted;
	/*
	 * Told of each kmalloc that the slab layer makes for itself, with its flags, and of each
	 * kfree, with 0 bytes; not of those within one another. NULL: nobody is.
	 */
	void (*watch_own)(void *watcher, uint64_t bytes, uint32_t gfp);
	void *watcher;
};

/* Build the layers bottom up. 0, -ENOMEM, -EINVAL; *machine only on success. */
int km_machine_create(struct km_env *env, const struct km_machine_spec *spec,
		      struct km_machine **machine);
void km_machine_destroy(struct km_machine *machine);
int km_machine_validate(struct km_machine *machine);

/* ---- pages ---- */
km_pfn km_alloc_pages(struct km_machine *machine, unsigned cpu, uint32_t gfp, unsigned order);
int km_free_pages(struct km_machine *machine, unsigned cpu, km_pfn pfn, unsigned order);
/* bytes > 0; the pages are freed one by one (free_pages_exact() does that ascending). */
km_pfn km_alloc_pages_exact(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp);
/* How many of `wanted` order-0 pages there are now in pfns[]. */
unsigned km_alloc_pages_bulk(struct km_machine *machine, unsigned cpu, uint32_t gfp,
			     unsigned wanted, km_pfn *pfns);

/* ---- caches ---- */
void *km_cache_create(struct km_machine *machine, const struct km_cache_spec *spec);
uint64_t km_cache_alloc(struct km_machine *machine, void *cache, unsigned cpu, uint32_t gfp,
			int node);
/* n objects into addrs, or none: how many. */
unsigned km_cache_alloc_bulk(struct km_machine *machine, void *cache, unsigned cpu, uint32_t gfp,
			     unsigned n, uint64_t *addrs);
/* addrs is the call's to use. */
void km_cache_free_bulk(struct km_machine *machine, unsigned cpu, unsigned n, uint64_t *addrs);
void km_cache_shrink(struct km_machine *machine, void *cache, unsigned cpu);
void km_cache_flush_cpu(struct km_machine *machine, void *cache, unsigned cpu);
/* 0; -EBUSY: objects are in use, and the cache stays; -ENOSYS: the model cannot. */
int km_cache_destroy(struct km_machine *machine, void *cache, unsigned cpu);

/* ---- kmalloc family (mm/slab_common.c); addresses as Linux would return them ---- */
uint64_t km_kmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp,
		    int node);
/* From a set of buckets; NULL: as km_kmalloc(). */
uint64_t km_kmalloc_bucket(struct km_machine *machine, unsigned cpu,
			   const struct km_buckets *buckets, uint64_t bytes, uint32_t gfp);
/* A further set named NAME-8 … NAME-8k; it lives as long as the machine. 0 or -ENOMEM. */
int km_buckets_create(struct km_machine *machine, const char *name, struct km_buckets **buckets);
/* Any object: slab, large block or vmalloc area. addr <= 16 does nothing. 0, or -EFAULT. */
int km_kfree(struct km_machine *machine, unsigned cpu, uint64_t addr);

/* Bytes a live object may use, whatever was asked for; 0 for NULL, ZERO_SIZE_PTR, unknown ones. */
uint64_t km_ksize(const struct km_machine *machine, uint64_t addr);
/* Bytes of the large kmalloc that starts at addr, else 0. */
uint64_t km_kmalloc_large_size(const struct km_machine *machine, uint64_t addr);
/* What kmalloc(bytes) would make of it. */
uint64_t km_kmalloc_size_roundup(const struct km_machine *machine, uint64_t bytes);

/* krealloc() and kvrealloc(): the machine has addresses only, so contents are the caller's. */
struct km_realloc {
	uint64_t addr;      /* NULL and ZERO_SIZE_PTR are a fresh allocation */
	uint64_t old_bytes; /* what kvrealloc() was told up to 6.6 */
	uint64_t bytes;     /* 0: the object is freed */
	uint64_t align;     /* power of two, or 0 (6.18+) */
	uint32_t gfp;
	int node;
	/* Out: bytes to copy from the old place; bytes [zero_from, zero_to) to clear. */
	uint64_t copied, zero_from, zero_to;
};
/* Where the object is now: 0 on failure, and then the old one is untouched. */
uint64_t km_krealloc(struct km_machine *machine, unsigned cpu, struct km_realloc *request);
uint64_t km_kvrealloc(struct km_machine *machine, unsigned cpu, struct km_realloc *request);

uint64_t km_kvmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp,
		     int node);
/* Would it take an area when pages in one piece cannot be had? */
bool km_kvmalloc_may_fall_back(const struct km_machine *machine, uint64_t bytes, uint32_t gfp);

/*
 * One object as the model places it (enum km_route): from `cache`, or by size when cache is NULL.
 * Freed with km_kfree(). 0 on failure. bytes > 0.
 */
uint64_t km_object_alloc(struct km_machine *machine, unsigned cpu, void *cache, uint64_t bytes,
			 uint32_t gfp, int node);

/* kmalloc class (index into kmalloc_caches[type]) of 1 <= bytes <= KM_KMALLOC_MAX_CACHE. */
unsigned km_kmalloc_class(uint64_t bytes);
uint32_t km_kmalloc_class_size(unsigned class_index);
enum km_kmalloc_type km_kmalloc_type(uint32_t gfp);
/* The cache of a request by machine->caller; NULL where none serves it: pages do, or the layer. */
void *km_kmalloc_cache(const struct km_machine *machine, uint64_t bytes, uint32_t gfp);
/* "kmalloc-cg-1k": as in /proc/slabinfo. */
const char *km_kmalloc_cache_name(enum km_kmalloc_type type, unsigned class_index);
/* bytes_alloc the kmalloc event shows: class size, or whole pages above 8 KiB; 0 for 0. */
uint64_t km_kmalloc_bytes_alloc(uint64_t bytes);
/* What this machine sets aside, where the slab layer has a kmalloc of its own (SLAB, SLOB). */
uint64_t km_kmalloc_placed_bytes(const struct km_machine *machine, uint64_t bytes);

/* ---- vmalloc ---- */
uint64_t km_vmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint64_t align,
		    uint32_t gfp, uint32_t flags);
int km_vfree(struct km_machine *machine, unsigned cpu, uint64_t addr);

/*
 * mm/vmalloc.c, mm/ioremap.c by their names; addresses as Linux would return them, 0 on failure and
 * in models without this layer. vunmap() and iounmap() are km_vfree(): 0 or -EFAULT.
 */
uint64_t km_vmap(struct km_machine *machine, unsigned cpu, const km_pfn *pfns, uint64_t count);
uint64_t km_vm_map_ram(struct km_machine *machine, unsigned cpu, const km_pfn *pfns,
		       uint64_t count);
int km_vm_unmap_ram(struct km_machine *machine, unsigned cpu, uint64_t addr, uint64_t count);
void km_vm_unmap_aliases(struct km_machine *machine, unsigned cpu);
uint64_t km_ioremap(struct km_machine *machine, unsigned cpu, uint64_t phys, uint64_t bytes);
/*
 * *addr 0: like vmalloc; bytes 0: like vfree, *addr becomes 0. Else *addr is where it lies now. 0,
 * -EFAULT (not an area), -ENOMEM (unchanged), -ENOSYS.
 */
int km_vrealloc(struct km_machine *machine, unsigned cpu, uint64_t *addr, uint64_t bytes,
		uint32_t gfp);

/* ---- geometry of a slab cache from its inputs (mm/slub.c: calculate_sizes), pure ---- */
struct km_cache_geometry {
	uint32_t size, align, inuse, offset, order, objects, min_order, min_objects;
	uint32_t min_partial, cpu_partial, cpu_partial_slabs;
};
/* 0, or -EINVAL when no order fits. `cpus` = present CPUs (possible when only one). */
int km_cache_geometry(const struct km_profile *profile, unsigned cpus,
		      const struct km_cache_spec *spec, struct km_cache_geometry *geometry);

#endif
