/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Data pages of vmalloc areas: taken in the order in which Linux asks for them, given back page by
 * page or in runs (mm/vmalloc.c: vm_area_alloc_pages; kernel-facts: D.4, D.5, D.8).
 */
#include "vmalloc.h"

#define BULK_PAGES 100u

bool km_vm_pages_room(struct vm_layer *vm, uint64_t pages)
{
	struct km_env *env = vm->machine->env;
	uint64_t room = vm->pfns_room ? vm->pfns_room : 512;
	km_pfn *pfns;

	if (pages <= vm->pfns_room)
		return true;
	while (room < pages)
		room *= 2;
	pfns = km_env_alloc(env, room * sizeof(*pfns));
	if (!pfns)
		return false;
	km_env_release(env, vm->pfns, vm->pfns_room * sizeof(*pfns));
	vm->pfns = pfns;
	vm->pfns_room = room;
	return true;
}

/* An allocated block, split into single pages. */
static uint64_t add_block(struct vm_layer *vm, uint64_t have, km_pfn head, unsigned order)
{
	for (uint64_t i = 0; i < 1ull << order; i++)
		vm->pfns[have + i] = (km_pfn){head.value + i};
	return have + (1ull << order);
}

static unsigned largest_order(uint64_t pages)
{
	unsigned order = km_fls(pages) - 1;

	return order < KM_MAX_ORDER ? order : KM_MAX_ORDER;
}

/* 7.x: blocks as large as what is missing, down to just above `order`; never larger after a
 * failure. */
static uint64_t take_large(struct vm_layer *vm, unsigned cpu, uint32_t gfp, unsigned order,
			   uint64_t wanted)
{
	struct km_machine *machine = vm->machine;
	unsigned large = largest_order(wanted);
	uint64_t have = 0;

	gfp &= ~(KM_GFP_NOFAIL | KM_GFP_DIRECT_RECLAIM);
	while (have < wanted && large > order) {
		km_pfn head;

		if (large > largest_order(wanted - have)) {
			large = largest_order(wanted - have);
			continue;
		}
		head = machine->model->page->alloc(machine->page, cpu, gfp, large);
		if (km_pfn_valid(head))
			have = add_block(vm, have, head, large);
		else
			large--;
	}
	return have;
}

static uint64_t take_bulk(struct vm_layer *vm, unsigned cpu, uint32_t gfp, uint64_t have,
			  uint64_t wanted)
{
	struct km_machine *machine = vm->machine;

	gfp &= ~KM_GFP_NOFAIL;
	while (have < wanted) {
		unsigned ask = wanted - have < BULK_PAGES ? (unsigned)(wanted - have) : BULK_PAGES;
		unsigned got = machine->model->page->alloc_bulk(machine->page, cpu, gfp, ask,
								vm->pfns + have);

		have += got;
		if (got < ask)
			break;
	}
	return have;
}

uint64_t km_vm_pages_take(struct vm_layer *vm, unsigned cpu, uint32_t gfp, unsigned order,
			  uint64_t wanted, bool on_node)
{
	const struct km_profile *profile = &vm->machine->spec.profile;
	struct km_machine *machine = vm->machine;
	uint64_t have = 0;

	gfp |= KM_GFP_NOWARN;
	if (!(gfp & (KM_GFP_DMA | KM_GFP_DMA32)))
		gfp |= KM_GFP_HIGHMEM;
	if (profile->vmalloc_high_orders)
		have = take_large(vm, cpu, gfp, order, wanted);
	/* Pages to be charged come one by one. */
	if (!order && (profile->vmalloc_bulk || on_node) && !(gfp & KM_GFP_ACCOUNT))
		have = take_bulk(vm, cpu, gfp, have, wanted);
	while (have < wanted) {
		km_pfn head = machine->model->page->alloc(machine->page, cpu, gfp, order);

		if (!km_pfn_valid(head))
			break;
		have = add_block(vm, have, head, order);
	}
	return have;
}

/* Largest naturally aligned block at pfns[0] within a run of `run` consecutive frames. */
static unsigned block_order(km_pfn head, uint64_t run)
{
	unsigned order = largest_order(run);

	while (head.value & ((1ull << order) - 1))
		order--;
	return order;
}

void km_vm_pages_give(struct vm_layer *vm, unsigned cpu, const km_pfn *pfns, uint64_t count)
{
	bool runs = vm->machine->spec.profile.vmalloc_high_orders;
	const struct km_page_ops *ops = vm->machine->model->page;
	uint64_t run = 0;

	for (uint64_t i = 0; i < count;) {
		unsigned order = 0;

		for (run = run ? run : 1; runs && i + run < count; run++)
			if (pfns[i + run].value != pfns[i].value + run)
				break;
		if (runs)
			order = block_order(pfns[i], run);
		ops->free(vm->machine->page, cpu, pfns[i], order);
		i += 1ull << order;
		run -= 1ull << order;
	}
}
