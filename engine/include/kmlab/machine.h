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
	unsigned cpus;             /* online and present */
	unsigned possible_cpus;    /* 0 = cpus */
	unsigned nr_zones;         /* 0: laid out from memory_bytes as a PC would */
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

struct km_machine {
	struct km_env *env;
	struct km_machine_spec spec;
	const struct km_model *model;
	uint64_t max_pfn;       /* one past the last page of the last zone */
	void *page, *slab, *vm; /* the layers' states */
	void *kmalloc_caches[KM_NR_KMALLOC_TYPES][KM_KMALLOC_CLASSES];
	uint8_t *large_order; /* per pfn: order + 1 of a large kmalloc starting there, else 0 */
	uint64_t large_pages; /* held by large kmallocs */
};

/* Build the layers bottom up. 0, -ENOMEM, -EINVAL; *machine only on success. */
int km_machine_create(struct km_env *env, const struct km_machine_spec *spec,
		      struct km_machine **machine);
void km_machine_destroy(struct km_machine *machine);
int km_machine_validate(struct km_machine *machine);

/* ---- pages ---- */
km_pfn km_alloc_pages(struct km_machine *machine, unsigned cpu, uint32_t gfp, unsigned order);
int km_free_pages(struct km_machine *machine, unsigned cpu, km_pfn pfn, unsigned order);

/* ---- caches ---- */
void *km_cache_create(struct km_machine *machine, const struct km_cache_spec *spec);
uint64_t km_cache_alloc(struct km_machine *machine, void *cache, unsigned cpu, uint32_t gfp,
			int node);

/* ---- kmalloc family (mm/slab_common.c); addresses as Linux would return them ---- */
uint64_t km_kmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp,
		    int node);
/* Any object: slab, large block or vmalloc area. addr <= 16 does nothing. 0, or -EFAULT. */
int km_kfree(struct km_machine *machine, unsigned cpu, uint64_t addr);

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
/* "kmalloc-cg-1k": as in /proc/slabinfo. */
const char *km_kmalloc_cache_name(enum km_kmalloc_type type, unsigned class_index);
/* bytes_alloc the kmalloc event shows: class size, or whole pages above 8 KiB; 0 for 0. */
uint64_t km_kmalloc_bytes_alloc(uint64_t bytes);

/* ---- vmalloc ---- */
uint64_t km_vmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint64_t align,
		    uint32_t gfp, uint32_t flags);
int km_vfree(struct km_machine *machine, unsigned cpu, uint64_t addr);

/* ---- geometry of a slab cache from its inputs (mm/slub.c: calculate_sizes), pure ---- */
struct km_cache_geometry {
	uint32_t size, align, inuse, offset, order, objects, min_order, min_objects;
	uint32_t min_partial, cpu_partial, cpu_partial_slabs;
};
/* 0, or -EINVAL when no order fits. `cpus` = present CPUs (possible when only one). */
int km_cache_geometry(const struct km_profile *profile, unsigned cpus,
		      const struct km_cache_spec *spec, struct km_cache_geometry *geometry);

#endif
