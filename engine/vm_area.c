/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An area from its descriptor to its address space, and back: what vmalloc, vmap and ioremap share
 * (mm/vmalloc.c: __get_vm_area_node, remove_vm_area).
 */
#include <errno.h>

#include "models.h"
#include "vmalloc.h"

/* Flags that say how hard to try; the others do not concern bookkeeping memory. */
#define RECLAIM_MASK                                                                               \
	(KM_GFP_RECLAIM | KM_GFP_HIGH | KM_GFP_IO | KM_GFP_FS | KM_GFP_NOWARN |                    \
	 KM_GFP_RETRY_MAYFAIL | KM_GFP_NOFAIL | KM_GFP_NORETRY | KM_GFP_MEMALLOC |                 \
	 KM_GFP_NOMEMALLOC | KM_GFP_ATOMIC_BIT)

/* ---- bookkeeping memory ---- */

/* struct vm_struct has 64 bytes, 72 since it keeps the size asked for. */
static uint32_t descriptor_bytes(const struct vm_layer *vm)
{
	return vm->machine->spec.profile.vm_requested_size ? 72 : 64;
}

static void descriptor_put(struct vm_layer *vm, unsigned cpu, uint64_t descriptor)
{
	km_kfree(vm->machine, cpu, descriptor);
	vm->usage.metadata_bytes -= km_kmalloc_bytes_alloc(descriptor_bytes(vm));
}

bool km_vm_array_get(struct vm_layer *vm, unsigned cpu, struct vm_area *area, uint32_t gfp)
{
	uint64_t bytes = area->pages * sizeof(uint64_t);

	area->array_pages = area->pages;
	gfp = (gfp & RECLAIM_MASK) | KM_GFP_ZERO;
	if (bytes > KM_PAGE_SIZE) {
		area->array = km_vmalloc_vm_ops.alloc(vm, cpu, bytes, 0, gfp, 0);
		return area->array;
	}
	area->array = km_kmalloc(vm->machine, cpu, bytes, gfp, -1);
	if (area->array)
		vm->usage.metadata_bytes += km_kmalloc_bytes_alloc(bytes);
	return area->array;
}

static void array_put(struct vm_layer *vm, unsigned cpu, uint64_t array, uint64_t pages)
{
	if (!array)
		return;
	if (!km_is_vmalloc_addr(array))
		vm->usage.metadata_bytes -= km_kmalloc_bytes_alloc(pages * sizeof(uint64_t));
	km_kfree(vm->machine, cpu, array);
}

void km_vm_area_release(struct vm_layer *vm, unsigned cpu, struct vm_area *area, uint64_t loose)
{
	/* The record may be merged away when it is parked. */
	uint64_t array = area->array, descriptor = area->descriptor, pages = area->pages;
	uint64_t array_pages = area->array_pages, mapped = 0;
	bool owned = area->kind == VM_KIND_PAGES;

	if (area->mapped) {
		mapped =
			km_page_table_unmap(vm->table, area->start, pages, owned ? vm->pfns : NULL);
		vm->usage.mapped_pages -= pages;
	}
	vm->usage.areas--;
	km_vm_range_park(vm, cpu, area);
	if (owned)
		km_vm_pages_give(vm, cpu, vm->pfns, mapped > loose ? mapped : loose);
	array_put(vm, cpu, array, array_pages);
	if (descriptor)
		descriptor_put(vm, cpu, descriptor);
}

/* Fields of a new one; only its range is known. */
static void begin_area(struct vm_layer *vm, struct vm_area *area, enum vm_kind kind, uint64_t bytes)
{
	area->kind = kind;
	area->descriptor = area->array = 0;
	area->bytes = bytes;
	area->pages = area->array_pages = 0;
	area->mapped = area->huge = false;
	area->block = NULL;
	vm->usage.areas++;
}

struct vm_area *km_vm_area_bare(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
				enum vm_kind kind)
{
	struct vm_area *area = km_vm_range_get(vm, cpu, bytes, align, KM_GFP_KERNEL);

	if (area)
		begin_area(vm, area, kind, bytes);
	return area;
}

struct vm_area *km_vm_area_get(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
			       uint32_t gfp, enum vm_kind kind, bool guard)
{
	struct vm_area *area;
	uint64_t descriptor;

	gfp &= RECLAIM_MASK;
	descriptor = km_kmalloc(vm->machine, cpu, descriptor_bytes(vm), gfp | KM_GFP_ZERO, -1);
	if (!descriptor)
		return NULL;
	vm->usage.metadata_bytes += km_kmalloc_bytes_alloc(descriptor_bytes(vm));
	area = km_vm_range_get(vm, cpu, bytes + (guard ? KM_PAGE_SIZE : 0), align, gfp);
	if (!area) {
		descriptor_put(vm, cpu, descriptor);
		return NULL;
	}
	begin_area(vm, area, kind, bytes);
	area->descriptor = descriptor;
	return area;
}

struct vm_area *km_vm_area_find(const struct vm_layer *vm, uint64_t addr)
{
	return km_vm_space_find(&vm->nodes[vm_node_index(vm, addr)].busy, addr);
}
