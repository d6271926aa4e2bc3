/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmalloc: virtually contiguous memory from single pages. Order of events and flags of
 * mm/vmalloc.c, 5.15 - 7.2 (kernel-facts: D.4, D.5, D.8): descriptor, address space, page-pointer
 * array, data pages, page tables; vfree in reverse, the address space lazily.
 */
#include "vmalloc.h"

#include <errno.h>

#include "models.h"

#define BULK_PAGES 100u
#define LAZY_PAGES_PER_BIT 8192u /* 32 MiB */
#define MAX_NODES 128u

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

/* struct vmap_area: a word of flags came with 6.3, which also dropped __GFP_ATOMIC. */
static uint32_t vmap_area_bytes(const struct km_profile *profile)
{
	return profile->gfp_atomic_bit ? 64 : 72;
}

static void descriptor_put(struct vm_layer *vm, unsigned cpu, uint64_t descriptor)
{
	km_kfree(vm->machine, cpu, descriptor);
	vm->usage.metadata_bytes -= km_kmalloc_bytes_alloc(descriptor_bytes(vm));
}

/* More than a page of pointers is itself vmalloced. */
static bool array_get(struct vm_layer *vm, unsigned cpu, struct vm_area *area, uint32_t gfp)
{
	uint64_t bytes = area->pages * sizeof(uint64_t);

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

static bool make_room(struct vm_layer *vm, uint64_t pages)
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

/* ---- data pages, into vm->pfns ---- */

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

/* How many of `wanted` pages (a multiple of 1 << order) are in vm->pfns now. */
static uint64_t take_pages(struct vm_layer *vm, unsigned cpu, uint32_t gfp, unsigned order,
			   uint64_t wanted)
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
	if (!order && profile->vmalloc_bulk && !(gfp & KM_GFP_ACCOUNT))
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

static void give_pages(struct vm_layer *vm, unsigned cpu, uint64_t count)
{
	bool runs = vm->machine->spec.profile.vmalloc_high_orders;
	const struct km_page_ops *ops = vm->machine->model->page;
	const km_pfn *pfns = vm->pfns;
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

/* ---- areas ---- */

/* Everything an area holds goes back; `loose` pages in vm->pfns that were not mapped yet, too. */
static void release_area(struct vm_layer *vm, unsigned cpu, struct vm_area *area, uint64_t loose)
{
	/* The record may be merged away when it is parked. */
	uint64_t array = area->array, descriptor = area->descriptor, pages = area->pages;
	uint64_t mapped = 0;

	if (area->mapped) {
		mapped = km_page_table_unmap(vm->table, area->start, pages, vm->pfns);
		vm->usage.mapped_pages -= pages;
	}
	vm->usage.areas--;
	km_vm_range_park(vm, cpu, area);
	give_pages(vm, cpu, mapped > loose ? mapped : loose);
	array_put(vm, cpu, array, pages);
	descriptor_put(vm, cpu, descriptor);
}

static struct vm_area *reserve_area(struct vm_layer *vm, unsigned cpu, uint64_t bytes,
				    uint64_t align, uint32_t gfp, uint32_t flags)
{
	uint64_t guard = flags & KM_VM_NO_GUARD ? 0 : KM_PAGE_SIZE, descriptor;
	struct vm_area *area;

	gfp &= RECLAIM_MASK;
	descriptor = km_kmalloc(vm->machine, cpu, descriptor_bytes(vm), gfp | KM_GFP_ZERO, -1);
	if (!descriptor)
		return NULL;
	vm->usage.metadata_bytes += km_kmalloc_bytes_alloc(descriptor_bytes(vm));
	area = km_vm_range_get(vm, cpu, bytes + guard, align, gfp);
	if (!area) {
		descriptor_put(vm, cpu, descriptor);
		return NULL;
	}
	area->descriptor = descriptor;
	area->array = 0;
	area->bytes = bytes;
	area->pages = 0;
	area->mapped = false;
	vm->usage.areas++;
	return area;
}

static int map_area(struct vm_layer *vm, unsigned cpu, struct vm_area *area, bool huge)
{
	int code = 0;

	if (!huge)
		return km_page_table_map(vm->table, cpu, area->start, vm->pfns, area->pages);
	for (uint64_t i = 0; i < area->pages && !code; i += VM_HUGE_PAGES)
		code = km_page_table_map_huge(vm->table, cpu, area->start + (i << KM_PAGE_SHIFT),
					      vm->pfns[i]);
	return code;
}

/* An area with its pages; with `huge` in 2 MiB pages or not at all. 0 on failure. */
static uint64_t build_area(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
			   uint32_t gfp, uint32_t flags, bool huge)
{
	struct vm_area *area;
	uint64_t have = 0;

	bytes = km_round_up(bytes, huge ? VM_HUGE_BYTES : KM_PAGE_SIZE);
	if (huge && align < VM_HUGE_BYTES)
		align = VM_HUGE_BYTES;
	area = reserve_area(vm, cpu, bytes, align, gfp, flags);
	if (!area)
		return 0;
	if (flags & KM_VM_NO_PAGES)
		return area->start;
	area->pages = bytes >> KM_PAGE_SHIFT;
	if (!array_get(vm, cpu, area, gfp) || !make_room(vm, area->pages))
		goto fail;
	have = take_pages(vm, cpu, gfp, huge ? KM_PAGEBLOCK_ORDER : 0, area->pages);
	if (have < area->pages)
		goto fail;
	if (map_area(vm, cpu, area, huge)) {
		/* Some entries may be written: clear them, but free from the list we have. */
		km_page_table_unmap(vm->table, area->start, area->pages, NULL);
		goto fail;
	}
	area->mapped = true;
	vm->usage.mapped_pages += area->pages;
	return area->start;

fail:
	release_area(vm, cpu, area, have);
	return 0;
}

/* ---- the ops ---- */

static uint64_t managed_pages(const struct km_machine *machine)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < machine->spec.nr_zones; i++)
		pages += machine->spec.zones[i].managed;
	return pages;
}

static uint64_t vm_alloc(void *self, unsigned cpu, uint64_t bytes, uint64_t align, uint32_t gfp,
			 uint32_t flags)
{
	struct vm_layer *vm = self;
	bool space_only = flags & KM_VM_NO_PAGES;
	uint64_t addr = 0;

	if (align < KM_PAGE_SIZE)
		align = KM_PAGE_SIZE;
	if (!bytes || bytes > KM_VMALLOC_END - KM_VMALLOC_START || (align & (align - 1)) ||
	    (!space_only && bytes >> KM_PAGE_SHIFT > managed_pages(vm->machine))) {
		vm->machine->env->count.vm_fail++;
		return 0;
	}
	if ((flags & KM_VM_ALLOW_HUGE) && vm->machine->spec.profile.vmalloc_huge && !space_only &&
	    bytes >= VM_HUGE_BYTES)
		addr = build_area(vm, cpu, bytes, align, gfp, flags, true);
	if (!addr)
		addr = build_area(vm, cpu, bytes, align, gfp, flags, false);
	if (!addr)
		vm->machine->env->count.vm_fail++;
	return addr;
}

static struct vm_area *find_area(struct vm_layer *vm, uint64_t addr)
{
	return km_vm_space_find(&vm_node_of(vm, addr)->busy, addr);
}

static int vm_free(void *self, unsigned cpu, uint64_t addr)
{
	struct vm_layer *vm = self;
	struct vm_area *area = find_area(vm, addr);

	if (!area)
		return -EFAULT;
	release_area(vm, cpu, area, 0);
	return 0;
}

static uint64_t vm_size(void *self, uint64_t addr)
{
	struct vm_area *area = find_area(self, addr);

	return area ? area->bytes : 0;
}

static void vm_usage(void *self, struct km_vm_usage *usage)
{
	struct vm_layer *vm = self;

	*usage = vm->usage;
	usage->lazy_pages = vm->lazy_pages;
	usage->page_table_pages = km_page_table_pages(vm->table);
	km_page_table_leaves(vm->table, &usage->leaf_4k, &usage->leaf_2m);
}

static void vm_destroy(void *self)
{
	struct vm_layer *vm = self;
	struct km_env *env;

	if (!vm)
		return;
	env = vm->machine->env;
	for (unsigned i = 0; vm->nodes && i < vm->nr_nodes; i++)
		km_env_release(env, vm->nodes[i].pool, VM_POOL_LISTS * sizeof(struct vm_pool_list));
	km_env_release(env, vm->nodes, vm->nr_nodes * sizeof(*vm->nodes));
	km_env_release(env, vm->preload, vm->machine->spec.cpus * sizeof(*vm->preload));
	km_env_release(env, vm->pfns, vm->pfns_room * sizeof(*vm->pfns));
	km_page_table_destroy(vm->table);
	km_vm_record_destroy(vm);
	km_env_release(env, vm, sizeof(*vm));
}

static int make_nodes(struct vm_layer *vm)
{
	struct km_machine *machine = vm->machine;
	struct km_env *env = machine->env;
	unsigned possible = machine->spec.possible_cpus;

	vm->nr_nodes = 1;
	if (machine->spec.profile.vmap_nodes && possible > 1)
		vm->nr_nodes = possible < MAX_NODES ? possible : MAX_NODES;
	vm->nodes = km_env_alloc(env, vm->nr_nodes * sizeof(*vm->nodes));
	for (unsigned i = 0; vm->nodes && vm->nr_nodes > 1 && i < vm->nr_nodes; i++) {
		vm->nodes[i].pool = km_env_alloc(env, VM_POOL_LISTS * sizeof(struct vm_pool_list));
		if (!vm->nodes[i].pool)
			return -ENOMEM;
	}
	return vm->nodes ? 0 : -ENOMEM;
}

static int vm_create(struct km_machine *machine, void **self)
{
	struct km_cache_spec spec = {
		.name = "vmap_area",
		.object_size = vmap_area_bytes(&machine->spec.profile),
		.flags = KM_SLAB_PANIC,
	};
	struct vm_layer *vm = km_env_alloc(machine->env, sizeof(*vm));
	struct vm_area *all;

	if (!vm)
		return -ENOMEM;
	vm->machine = machine;
	vm->lazy_max = (uint64_t)km_fls(machine->spec.cpus) * LAZY_PAGES_PER_BIT;
	vm->preload = km_env_alloc(machine->env, machine->spec.cpus * sizeof(*vm->preload));
	all = km_vm_record_get(vm);
	if (!vm->preload || !all || make_nodes(vm) || km_page_table_create(machine, &vm->table))
		goto fail;
	vm->area_cache = machine->model->slab->cache_create(machine->slab, &spec);
	if (!vm->area_cache)
		goto fail;
	/* Linux keeps the whole kernel half and what lies below free; searches stay in range. */
	all->start = 1;
	all->end = UINT64_MAX;
	km_vm_space_insert(&vm->free, all);
	*self = vm;
	return 0;

fail:
	vm_destroy(vm);
	return -ENOMEM;
}

/* ---- validate ---- */

struct vm_audit {
	struct vm_layer *vm;
	uint64_t pages, lazy, areas;
	int code;
};

static void audit_busy(void *context, struct vm_area *area)
{
	struct vm_audit *audit = context;
	uint64_t pages = area->mapped ? area->pages : 0;
	bool huge;

	audit->areas++;
	audit->pages += pages;
	for (uint64_t i = 0; i < pages; i++)
		if (!km_pfn_valid(km_page_table_lookup(audit->vm->table,
						       area->start + (i << KM_PAGE_SHIFT), &huge)))
			audit->code = -EINVAL;
	if (area->mapped && area->end - area->start > pages << KM_PAGE_SHIFT &&
	    km_pfn_valid(km_page_table_lookup(audit->vm->table, area->end - KM_PAGE_SIZE, &huge)))
		audit->code = -EINVAL; /* a mapped guard page guards nothing */
}

static void audit_parked(void *context, struct vm_area *area)
{
	((struct vm_audit *)context)->lazy += (area->end - area->start) >> KM_PAGE_SHIFT;
}

static int vm_validate(void *self)
{
	struct vm_layer *vm = self;
	struct vm_audit audit = {.vm = vm};
	uint64_t leaf_4k, leaf_2m, kept_4k, kept_2m;

	if (km_vm_space_validate(&vm->free))
		return -EINVAL;
	for (unsigned i = 0; i < vm->nr_nodes; i++) {
		if (km_vm_space_validate(&vm->nodes[i].busy) ||
		    km_vm_space_validate(&vm->nodes[i].parked))
			return -EINVAL;
		km_vm_space_each(&vm->nodes[i].busy, audit_busy, &audit);
		km_vm_space_each(&vm->nodes[i].parked, audit_parked, &audit);
	}
	km_page_table_count(vm->table, &leaf_4k, &leaf_2m);
	km_page_table_leaves(vm->table, &kept_4k, &kept_2m);
	if (audit.code || leaf_4k != kept_4k || leaf_2m != kept_2m ||
	    audit.pages != leaf_4k + leaf_2m * VM_HUGE_PAGES ||
	    audit.pages != vm->usage.mapped_pages || audit.areas != vm->usage.areas ||
	    audit.lazy > vm->lazy_pages)
		return -EINVAL;
	return 0;
}

const struct km_vm_ops km_vmalloc_vm_ops = {
	.name = "vmalloc",
	.create = vm_create,
	.destroy = vm_destroy,
	.alloc = vm_alloc,
	.free = vm_free,
	.size = vm_size,
	.usage = vm_usage,
	.validate = vm_validate,
};
