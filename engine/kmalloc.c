/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmalloc and kfree: small requests from the caches of their size and type, large ones from the
 * page layer, and the routing that makes a model ("every object is a vmalloc area"). Models
 * mm/slub.c and mm/slab_common.c, 5.15 - 7.2.
 */
#include "kmalloc.h"

#include <errno.h>

/* ---- large blocks ---- */

static uint64_t large_alloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp)
{
	unsigned order = km_get_order(bytes);
	km_pfn pfn;

	if (bytes > KM_KMALLOC_MAX_SIZE) /* SIZE_MAX has no order */
		return 0;
	gfp &= ~KM_GFP_SLAB_BUG;
	pfn = machine->model->page->alloc(machine->page, cpu, gfp | KM_GFP_COMP, order);
	if (!km_pfn_valid(pfn))
		return 0;
	machine->large_order[pfn.value] = (uint8_t)(order + 1);
	machine->large_pages += 1ull << order;
	machine->env->count.kmalloc_large++;
	return km_pfn_to_addr(pfn);
}

uint64_t km_kmalloc_large_size(const struct km_machine *machine, uint64_t addr)
{
	km_pfn pfn = km_addr_to_pfn(addr);

	if (addr < KM_DIRECT_MAP_BASE || addr % KM_PAGE_SIZE || pfn.value >= machine->max_pfn ||
	    !machine->large_order[pfn.value])
		return 0;
	return KM_PAGE_SIZE << (machine->large_order[pfn.value] - 1u);
}

static int large_free(struct km_machine *machine, unsigned cpu, uint64_t addr)
{
	uint64_t bytes = km_kmalloc_large_size(machine, addr);
	km_pfn pfn = km_addr_to_pfn(addr);

	if (!bytes)
		return -EFAULT;
	machine->large_order[pfn.value] = 0;
	machine->large_pages -= bytes >> KM_PAGE_SHIFT;
	machine->model->page->free(machine->page, cpu, pfn, km_get_order(bytes));
	return 0;
}

/* ---- the API ---- */

uint64_t km_kmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp,
		    int node)
{
	if (bytes == 0)
		return KM_ZERO_SIZE_PTR;
	if (bytes > machine->kmalloc_max)
		return large_alloc(machine, cpu, bytes, gfp);
	if (machine->model->slab->kmalloc)
		return machine->model->slab->kmalloc(machine->slab, cpu, bytes,
						     gfp & ~KM_GFP_SLAB_BUG, node);
	return machine->model->slab->alloc(machine->slab, km_kmalloc_cache(machine, bytes, gfp),
					   cpu, gfp & ~KM_GFP_SLAB_BUG, node);
}

uint64_t km_kmalloc_bucket(struct km_machine *machine, unsigned cpu,
			   const struct km_buckets *buckets, uint64_t bytes, uint32_t gfp)
{
	if (!buckets || !bytes || bytes > KM_KMALLOC_MAX_CACHE || machine->model->slab->kmalloc_max)
		return km_kmalloc(machine, cpu, bytes, gfp, -1);
	return machine->model->slab->alloc(machine->slab, buckets->caches[km_kmalloc_class(bytes)],
					   cpu, gfp & ~KM_GFP_SLAB_BUG, -1);
}

int km_kfree(struct km_machine *machine, unsigned cpu, uint64_t addr)
{
	if (addr <= KM_ZERO_SIZE_PTR)
		return 0;
	if (km_is_vmalloc_addr(addr))
		return machine->model->vm->free(machine->vm, cpu, addr);
	if (large_free(machine, cpu, addr) == 0)
		return 0;
	return machine->model->slab->free(machine->slab, cpu, addr);
}

/* The model's route is not Linux's. */
static __attribute__((noinline)) uint64_t reroute(struct km_machine *machine, unsigned cpu,
						  void *cache, uint64_t bytes, uint32_t gfp,
						  int node)
{
	enum km_route route = machine->model->route;

	if (route == KM_ROUTE_PAGES)
		return large_alloc(machine, cpu, bytes, gfp);
	if (route == KM_ROUTE_VMALLOC_HUGE)
		return machine->model->vm->alloc(machine->vm, cpu, bytes, 0, gfp, KM_VM_ALLOW_HUGE);
	if (route == KM_ROUTE_VMALLOC || bytes >= machine->spec.kvmalloc_threshold)
		return machine->model->vm->alloc(machine->vm, cpu, bytes, 0, gfp, 0);
	if (cache)
		return machine->model->slab->alloc(machine->slab, cache, cpu, gfp, node);
	return km_kmalloc(machine, cpu, bytes, gfp, node);
}

uint64_t km_object_alloc(struct km_machine *machine, unsigned cpu, void *cache, uint64_t bytes,
			 uint32_t gfp, int node)
{
	if (machine->model->route != KM_ROUTE_SLAB)
		return reroute(machine, cpu, cache, bytes, gfp, node);
	if (cache)
		return machine->model->slab->alloc(machine->slab, cache, cpu, gfp, node);
	return km_kmalloc(machine, cpu, bytes, gfp, node);
}
