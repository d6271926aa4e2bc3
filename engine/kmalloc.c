/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kmalloc front: size classes and types over the slab layer, large requests from the page
 * layer, and the routing that makes a model ("every object is a vmalloc area"). Models
 * mm/slab_common.c and include/linux/slab.h, 5.15 - 7.2.
 */
#include <errno.h>
#include <kmlab/machine.h>

#include "kmalloc.h"
#include "models.h"

#define ZERO_SIZE_PTR 16ull

static const uint32_t class_sizes[KM_KMALLOC_CLASSES] = {0,   96,  192, 8,    16,   32,   64,
							 128, 256, 512, 1024, 2048, 4096, 8192};

/* Requests of 1..192 bytes, by (bytes - 1) / 8. */
static const uint8_t small_class[24] = {3, 4, 5, 5, 6, 6, 6, 6, 1, 1, 1, 1,
					7, 7, 7, 7, 2, 2, 2, 2, 2, 2, 2, 2};

unsigned km_kmalloc_class(uint64_t bytes)
{
	return bytes <= 192 ? small_class[(bytes - 1) / 8] : km_fls(bytes - 1);
}

uint32_t km_kmalloc_class_size(unsigned class_index)
{
	return class_index < KM_KMALLOC_CLASSES ? class_sizes[class_index] : 0;
}

enum km_kmalloc_type km_kmalloc_type(uint32_t gfp)
{
	if (!(gfp & (KM_GFP_DMA | KM_GFP_RECLAIMABLE | KM_GFP_ACCOUNT)))
		return KM_KMALLOC_NORMAL;
	if (gfp & KM_GFP_DMA)
		return KM_KMALLOC_DMA;
	if (gfp & KM_GFP_RECLAIMABLE)
		return KM_KMALLOC_RECLAIM;
	return KM_KMALLOC_CGROUP;
}

uint64_t km_kmalloc_bytes_alloc(uint64_t bytes)
{
	if (bytes == 0)
		return 0;
	if (bytes <= KM_KMALLOC_MAX_CACHE)
		return class_sizes[km_kmalloc_class(bytes)];
	return KM_PAGE_SIZE << km_get_order(bytes);
}

/* ---- the caches, created in Linux's order (it decides the search order of merging) ---- */

static const char *const class_names[KM_NR_KMALLOC_TYPES][KM_KMALLOC_CLASSES] = {
#define NAMES(prefix)                                                                              \
	{                                                                                          \
		"", prefix "96", prefix "192", prefix "8", prefix "16", prefix "32", prefix "64",  \
			prefix "128", prefix "256", prefix "512", prefix "1k", prefix "2k",        \
			prefix "4k", prefix "8k"                                                   \
	}
	[KM_KMALLOC_NORMAL] = NAMES("kmalloc-"),
	[KM_KMALLOC_RECLAIM] = NAMES("kmalloc-rcl-"),
	[KM_KMALLOC_DMA] = NAMES("dma-kmalloc-"),
	[KM_KMALLOC_CGROUP] = NAMES("kmalloc-cg-"),
#undef NAMES
};

const char *km_kmalloc_cache_name(enum km_kmalloc_type type, unsigned class_index)
{
	return class_names[type][class_index];
}

static uint32_t class_align(const struct km_profile *profile, uint32_t size)
{
	uint32_t lowest_bit = size & -size;

	if (lowest_bit == size || profile->kmalloc_align)
		return lowest_bit;
	return 8;
}

static int create_class(struct km_machine *machine, enum km_kmalloc_type type, unsigned index)
{
	static const uint32_t type_flags[KM_NR_KMALLOC_TYPES] = {
		[KM_KMALLOC_RECLAIM] = KM_SLAB_RECLAIM_ACCOUNT,
		[KM_KMALLOC_DMA] = KM_SLAB_CACHE_DMA,
		[KM_KMALLOC_CGROUP] = KM_SLAB_ACCOUNT,
	};
	const struct km_cache_spec spec = {
		.name = class_names[type][index],
		.object_size = class_sizes[index],
		.align = class_align(&machine->spec.profile, class_sizes[index]),
		/* Hardened usercopy keeps the classes apart from every other cache. */
		.flags = KM_SLAB_KMALLOC | KM_SLAB_NO_MERGE | type_flags[type],
	};
	void *cache = machine->model->slab->cache_create(machine->slab, &spec);

	if (!cache)
		return -ENOMEM;
	machine->kmalloc_caches[type][index] = cache;
	return 0;
}

int km_kmalloc_create_caches(struct km_machine *machine)
{
	static const enum km_kmalloc_type order_old[] = {KM_KMALLOC_NORMAL, KM_KMALLOC_CGROUP,
							 KM_KMALLOC_RECLAIM, KM_KMALLOC_DMA};
	static const enum km_kmalloc_type order_new[] = {KM_KMALLOC_NORMAL, KM_KMALLOC_RECLAIM,
							 KM_KMALLOC_DMA, KM_KMALLOC_CGROUP};
	/* 6.12+ creates 96 and 192 first; before, each came in its place by size. */
	static const uint8_t sizes_new[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	static const uint8_t sizes_old[] = {3, 4, 5, 6, 1, 7, 2, 8, 9, 10, 11, 12, 13};
	const struct km_profile *profile = &machine->spec.profile;
	const enum km_kmalloc_type *types = profile->gfp_atomic_bit ? order_old : order_new;
	const uint8_t *sizes = profile->kmalloc_align ? sizes_new : sizes_old;

	for (unsigned t = 0; t < KM_NR_KMALLOC_TYPES; t++) {
		for (unsigned i = 0; i < sizeof(sizes_new); i++) {
			int code = create_class(machine, types[t], sizes[i]);

			if (code)
				return code;
		}
	}
	return 0;
}

/* ---- large blocks ---- */

static uint64_t large_alloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp)
{
	unsigned order = km_get_order(bytes);
	km_pfn pfn;

	if (order > KM_MAX_ORDER)
		return 0;
	pfn = machine->model->page->alloc(machine->page, cpu, gfp | KM_GFP_COMP, order);
	if (!km_pfn_valid(pfn))
		return 0;
	machine->large_order[pfn.value] = (uint8_t)(order + 1);
	machine->large_pages += 1ull << order;
	machine->env->count.kmalloc_large++;
	return km_pfn_to_addr(pfn);
}

static int large_free(struct km_machine *machine, unsigned cpu, uint64_t addr)
{
	km_pfn pfn = km_addr_to_pfn(addr);
	unsigned order;

	if (addr < KM_DIRECT_MAP_BASE || addr % KM_PAGE_SIZE || pfn.value >= machine->max_pfn ||
	    !machine->large_order[pfn.value])
		return -EFAULT;
	order = machine->large_order[pfn.value] - 1u;
	machine->large_order[pfn.value] = 0;
	machine->large_pages -= 1ull << order;
	machine->model->page->free(machine->page, cpu, pfn, order);
	return 0;
}

/* ---- the API ---- */

uint64_t km_kmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp,
		    int node)
{
	if (bytes == 0)
		return ZERO_SIZE_PTR;
	if (bytes > KM_KMALLOC_MAX_CACHE)
		return large_alloc(machine, cpu, bytes, gfp);
	return machine->model->slab->alloc(
		machine->slab,
		machine->kmalloc_caches[km_kmalloc_type(gfp)][km_kmalloc_class(bytes)], cpu, gfp,
		node);
}

int km_kfree(struct km_machine *machine, unsigned cpu, uint64_t addr)
{
	if (addr <= ZERO_SIZE_PTR)
		return 0;
	if (km_is_vmalloc_addr(addr))
		return machine->model->vm->free(machine->vm, cpu, addr);
	if (machine->model->slab->free(machine->slab, cpu, addr) == 0)
		return 0;
	return large_free(machine, cpu, addr);
}

uint64_t km_object_alloc(struct km_machine *machine, unsigned cpu, void *cache, uint64_t bytes,
			 uint32_t gfp, int node)
{
	switch (machine->model->route) {
	case KM_ROUTE_PAGES:
		return large_alloc(machine, cpu, bytes, gfp);
	case KM_ROUTE_KVMALLOC:
		if (bytes < machine->spec.kvmalloc_threshold)
			break;
		/* fall through */
	case KM_ROUTE_VMALLOC:
		return machine->model->vm->alloc(machine->vm, cpu, bytes, 0, gfp, 0);
	case KM_ROUTE_SLAB:
		break;
	}
	if (cache)
		return machine->model->slab->alloc(machine->slab, cache, cpu, gfp, node);
	return km_kmalloc(machine, cpu, bytes, gfp, node);
}
