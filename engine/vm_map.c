/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings of what is there already, and areas that change their size (mm/vmalloc.c: vmap,
 * vrealloc; arch/x86/mm/ioremap.c; kernel-facts: D.2, D.6, D.8).
 */
#include <errno.h>

#include "models.h"
#include "vmalloc.h"

#define IOREMAP_MAX_ORDER 30u /* a page of 1 GiB */

/* ---- vmap, ioremap ---- */

/* In 2 MiB leaves where both sides are aligned and `huge` allows it. */
static int map_frames(struct vm_layer *vm, unsigned cpu, uint64_t addr, const km_pfn *pfns,
		      uint64_t count, bool huge)
{
	int code = 0;

	while (count && !code) {
		uint64_t step = VM_HUGE_PAGES - ((addr >> KM_PAGE_SHIFT) % VM_HUGE_PAGES);

		if (huge && step == VM_HUGE_PAGES && count >= step &&
		    pfns[0].value % VM_HUGE_PAGES == 0) {
			code = km_page_table_map_huge(vm->table, cpu, addr, pfns[0]);
		} else {
			step = step < count ? step : count;
			code = km_page_table_map(vm->table, cpu, addr, pfns, step);
		}
		addr += step << KM_PAGE_SHIFT;
		pfns += step;
		count -= step;
	}
	return code;
}

static uint64_t map_area(struct vm_layer *vm, unsigned cpu, struct vm_area *area,
			 const km_pfn *pfns, uint64_t count, bool huge)
{
	area->pages = count;
	if (map_frames(vm, cpu, area->start, pfns, count, huge)) {
		km_page_table_unmap(vm->table, area->start, count, NULL);
		km_vm_area_release(vm, cpu, area, 0);
		return 0;
	}
	area->mapped = true;
	vm->usage.mapped_pages += count;
	return area->start;
}

uint64_t km_vm_map_pages(struct vm_layer *vm, unsigned cpu, struct vm_area *area,
			 const km_pfn *pfns, uint64_t count)
{
	return map_area(vm, cpu, area, pfns, count, false);
}

uint64_t km_vmalloc_map(void *self, unsigned cpu, const km_pfn *pfns, uint64_t count)
{
	struct vm_layer *vm = self;
	struct vm_area *area = NULL;

	if (count && count <= km_vm_managed_pages(vm))
		area = km_vm_area_get(vm, cpu, count << KM_PAGE_SHIFT, KM_PAGE_SIZE, KM_GFP_KERNEL,
				      VM_KIND_MAP, true);
	if (!area)
		vm->machine->env->count.vm_fail++;
	return area ? map_area(vm, cpu, area, pfns, count, false) : 0;
}

/* Aligned to the next power of two, so that the largest pages can be used. */
static uint64_t io_align(uint64_t bytes)
{
	unsigned order = km_fls(bytes - 1);

	if (order > IOREMAP_MAX_ORDER)
		order = IOREMAP_MAX_ORDER;
	return order < KM_PAGE_SHIFT ? KM_PAGE_SIZE : 1ull << order;
}

uint64_t km_vmalloc_map_io(void *self, unsigned cpu, uint64_t phys, uint64_t bytes)
{
	struct vm_layer *vm = self;
	uint64_t offset = phys & (KM_PAGE_SIZE - 1), addr, count;
	struct vm_area *area = NULL;

	if (bytes && phys + bytes > phys && phys + bytes <= 1ull << 52) {
		bytes = km_round_up(offset + bytes, KM_PAGE_SIZE);
		count = bytes >> KM_PAGE_SHIFT;
		if (km_vm_pages_room(vm, count))
			area = km_vm_area_get(vm, cpu, bytes, io_align(bytes), KM_GFP_KERNEL,
					      VM_KIND_MAP, true);
	}
	if (!area) {
		vm->machine->env->count.vm_fail++;
		return 0;
	}
	for (uint64_t i = 0; i < count; i++)
		vm->pfns[i] = (km_pfn){(phys >> KM_PAGE_SHIFT) + i};
	addr = map_area(vm, cpu, area, vm->pfns, count, true);
	return addr ? addr + offset : 0;
}

/* ---- vrealloc ---- */

/* 7.x gives back the pages behind the new end, where it may wait for whatever that takes. */
static void shrink(struct vm_layer *vm, unsigned cpu, struct vm_area *area, uint64_t bytes,
		   uint32_t gfp)
{
	uint64_t kept = (bytes + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT, given;
	uint64_t from = area->start + (kept << KM_PAGE_SHIFT);
	uint32_t any = KM_GFP_FS | KM_GFP_IO;

	if (!vm->machine->spec.profile.vrealloc_frees || area->huge || (gfp & any) != any ||
	    kept >= area->pages)
		return;
	given = km_page_table_unmap(vm->table, from, area->pages - kept, vm->pfns);
	km_vm_flush(vm, from, from + (given << KM_PAGE_SHIFT));
	km_vm_pages_give(vm, cpu, vm->pfns, given);
	vm->usage.mapped_pages -= given;
	area->pages = kept;
}

int km_vmalloc_resize(void *self, unsigned cpu, uint64_t *addr, uint64_t bytes, uint32_t gfp)
{
	struct vm_layer *vm = self;
	struct vm_area *area = *addr ? km_vm_area_find(vm, *addr) : NULL;
	uint64_t moved;

	if (*addr && (!area || area->kind != VM_KIND_PAGES))
		return -EFAULT;
	if (area && bytes && bytes <= area->pages << KM_PAGE_SHIFT) {
		shrink(vm, cpu, area, bytes, gfp);
		return 0;
	}
	moved = bytes ? km_vmalloc_vm_ops.alloc(vm, cpu, bytes, 0, gfp, 0) : 0;
	if (bytes && !moved)
		return -ENOMEM;
	if (area)
		km_vm_area_release(vm, cpu, area, 0);
	*addr = moved;
	return 0;
}
