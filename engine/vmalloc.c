/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmalloc: virtually contiguous memory from single pages. Order of events and flags of
 * mm/vmalloc.c, 5.15 - 7.2 (kernel-facts: D.4, D.5, D.8): descriptor, address space, page-pointer
 * array, data pages, page tables; vfree in reverse, the address space lazily.
 */
#include "vmalloc.h"

#include <errno.h>

#include "models.h"

#define LAZY_PAGES_PER_BIT 8192u /* 32 MiB */
#define MAX_NODES 128u

/* ---- areas ---- */

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
	bool space_only = flags & KM_VM_NO_PAGES;
	struct vm_area *area;
	uint64_t have = 0;

	bytes = km_round_up(bytes, huge ? VM_HUGE_BYTES : KM_PAGE_SIZE);
	if (huge && align < VM_HUGE_BYTES)
		align = VM_HUGE_BYTES;
	area = km_vm_area_get(vm, cpu, bytes, align, gfp,
			      space_only ? VM_KIND_SPACE : VM_KIND_PAGES,
			      !(flags & KM_VM_NO_GUARD));
	if (!area)
		return 0;
	if (space_only)
		return area->start;
	area->pages = bytes >> KM_PAGE_SHIFT;
	area->huge = huge;
	if (!km_vm_array_get(vm, cpu, area, gfp) || !km_vm_pages_room(vm, area->pages))
		goto fail;
	have = km_vm_pages_take(vm, cpu, gfp, huge ? KM_PAGEBLOCK_ORDER : 0, area->pages,
				flags & KM_VM_ON_NODE);
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
	km_vm_area_release(vm, cpu, area, have);
	return 0;
}

/* ---- the ops ---- */

uint64_t km_vm_managed_pages(const struct vm_layer *vm)
{
	const struct km_machine *machine = vm->machine;
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
	if (!bytes || bytes > vm->end - vm->start || (align & (align - 1)) ||
	    (!space_only && bytes >> KM_PAGE_SHIFT > km_vm_managed_pages(vm))) {
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

/* vfree(), vunmap(), iounmap(). What vm_map_ram gave has no descriptor, by which they find it. */
static int vm_free(void *self, unsigned cpu, uint64_t addr)
{
	struct vm_layer *vm = self;
	struct vm_area *area = km_vm_area_find(vm, addr);

	if (!area || !area->descriptor)
		return -EFAULT;
	km_vm_area_release(vm, cpu, area, 0);
	return 0;
}

static uint64_t vm_size(void *self, uint64_t addr)
{
	struct vm_area *area = km_vm_area_find(self, addr);

	if (!area)
		return 0;
	return area->kind == VM_KIND_PAGES ? area->pages << KM_PAGE_SHIFT : area->bytes;
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
	km_vm_blocks_destroy(vm);
	km_env_release(env, vm->queues, vm->machine->spec.cpus * sizeof(*vm->queues));
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

/* struct vmap_area: a word of flags came with 6.3, which also dropped __GFP_ATOMIC. */
static uint32_t vmap_area_bytes(const struct km_profile *profile)
{
	return profile->gfp_atomic_bit ? 64 : 72;
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
	vm->start = machine->spec.profile.la57 ? KM_VMALLOC_START_LA57 : KM_VMALLOC_START;
	vm->end = machine->spec.profile.la57 ? KM_VMALLOC_END_LA57 : KM_VMALLOC_END;
	vm->lazy_max = (uint64_t)km_fls(machine->spec.cpus) * LAZY_PAGES_PER_BIT;
	vm->preload = km_env_alloc(machine->env, machine->spec.cpus * sizeof(*vm->preload));
	vm->queues = km_env_alloc(machine->env, machine->spec.cpus * sizeof(*vm->queues));
	all = km_vm_record_get(vm);
	if (!vm->preload || !vm->queues || !all || make_nodes(vm) ||
	    km_page_table_create(machine, vm->start, vm->end, &vm->table))
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

const struct km_vm_ops km_vmalloc_vm_ops = {
	.name = "vmalloc",
	.create = vm_create,
	.destroy = vm_destroy,
	.alloc = vm_alloc,
	.free = vm_free,
	.size = vm_size,
	.usage = vm_usage,
	.map = km_vmalloc_map,
	.map_io = km_vmalloc_map_io,
	.resize = km_vmalloc_resize,
	.map_ram = km_vmalloc_map_ram,
	.unmap_ram = km_vmalloc_unmap_ram,
	.unmap_aliases = km_vmalloc_unmap_aliases,
	.validate = km_vm_validate,
};
