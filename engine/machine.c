/* SPDX-License-Identifier: GPL-2.0-only */
/* One simulated kernel: zones laid out, layers created bottom up. */
#include <errno.h>
#include <kmlab/machine.h>

#include "kmalloc.h"
#include "models.h"

#define DMA_END (16ull << 20 >> KM_PAGE_SHIFT)
#define DMA32_END (4ull << 30 >> KM_PAGE_SHIFT)
/* Where a PC's memory below 4 GiB stops: the rest of that range belongs to devices. */
#define LOW_MEMORY_END (3ull << 30 >> KM_PAGE_SHIFT)

static void add_zone(struct km_machine_spec *spec, uint8_t index, uint64_t start, uint64_t end)
{
	struct km_zone_spec *zone;

	if (start >= end)
		return;
	zone = &spec->zones[spec->nr_zones++];
	*zone = (struct km_zone_spec){.index = index, .start = start};
	zone->spanned = zone->present = zone->managed = end - start;
}

/* As a PC would: page 0 is kept by firmware, memory above 3 GiB continues at 4 GiB. */
static void lay_out_zones(struct km_machine_spec *spec)
{
	uint64_t pages = spec->memory_bytes >> KM_PAGE_SHIFT;
	uint64_t low = pages < LOW_MEMORY_END ? pages : LOW_MEMORY_END;

	add_zone(spec, KM_ZONE_DMA, 1, low < DMA_END ? low : DMA_END);
	add_zone(spec, KM_ZONE_DMA32, DMA_END, low);
	if (pages > low)
		add_zone(spec, KM_ZONE_NORMAL, DMA32_END, DMA32_END + (pages - low));
}

static int check_spec(const struct km_machine_spec *spec)
{
	uint64_t end = 0;

	if (!spec->model || !spec->cpus || spec->cpus > KM_MAX_CPUS || !spec->nr_zones ||
	    spec->nr_zones > KM_NR_ZONES)
		return -EINVAL;
	for (unsigned i = 0; i < spec->nr_zones; i++) {
		const struct km_zone_spec *zone = &spec->zones[i];

		if (zone->start < end || !zone->spanned || zone->present > zone->spanned ||
		    zone->managed > zone->present)
			return -EINVAL;
		end = zone->start + zone->spanned;
	}
	/* Layers keep page links as 32-bit frame numbers: 16 TiB. */
	return end < UINT32_MAX ? 0 : -EINVAL;
}

int km_machine_create(struct km_env *env, const struct km_machine_spec *spec,
		      struct km_machine **out)
{
	struct km_machine *machine = km_env_alloc(env, sizeof(*machine));
	const struct km_zone_spec *last;
	int code;

	if (!machine)
		return -ENOMEM;
	machine->env = env;
	machine->spec = *spec;
	machine->model = spec->model;
	if (!machine->spec.present_cpus)
		machine->spec.present_cpus = machine->spec.cpus;
	if (!machine->spec.possible_cpus)
		machine->spec.possible_cpus = machine->spec.cpus;
	if (!machine->spec.nr_zones)
		lay_out_zones(&machine->spec);
	code = check_spec(&machine->spec);
	if (code)
		goto out_machine;
	last = &machine->spec.zones[machine->spec.nr_zones - 1];
	machine->max_pfn = last->start + last->spanned;
	machine->kmalloc_max = machine->model->slab->kmalloc_max
				       ? machine->model->slab->kmalloc_max(machine)
				       : KM_KMALLOC_MAX_CACHE;
	machine->large_order = km_env_alloc(env, machine->max_pfn);
	code = -ENOMEM;
	if (!machine->large_order)
		goto out_machine;
	code = machine->model->page->create(machine, &machine->page);
	if (code)
		goto out_large;
	code = machine->model->slab->create(machine, &machine->slab);
	if (code)
		goto out_page;
	code = km_kmalloc_create_caches(machine);
	if (code)
		goto out_caches;
	code = machine->model->vm->create(machine, &machine->vm);
	if (code)
		goto out_caches;
	machine->booted = true;
	*out = machine;
	return 0;

out_caches:
	km_kmalloc_destroy_caches(machine);
	machine->model->slab->destroy(machine->slab);
out_page:
	machine->model->page->destroy(machine->page);
out_large:
	km_env_release(env, machine->large_order, machine->max_pfn);
out_machine:
	km_env_release(env, machine, sizeof(*machine));
	return code;
}

void km_machine_destroy(struct km_machine *machine)
{
	struct km_env *env;

	if (!machine)
		return;
	env = machine->env;
	machine->model->vm->destroy(machine->vm);
	km_kmalloc_destroy_caches(machine);
	machine->model->slab->destroy(machine->slab);
	machine->model->page->destroy(machine->page);
	km_env_release(env, machine->large_order, machine->max_pfn);
	km_env_release(env, machine, sizeof(*machine));
}

int km_machine_validate(struct km_machine *machine)
{
	int code = machine->model->page->validate(machine->page);

	if (!code)
		code = machine->model->slab->validate(machine->slab);
	if (!code)
		code = machine->model->vm->validate(machine->vm);
	return code;
}

km_pfn km_alloc_pages(struct km_machine *machine, unsigned cpu, uint32_t gfp, unsigned order)
{
	return machine->model->page->alloc(machine->page, cpu, gfp, order);
}

int km_free_pages(struct km_machine *machine, unsigned cpu, km_pfn pfn, unsigned order)
{
	return machine->model->page->free(machine->page, cpu, pfn, order);
}

km_pfn km_alloc_pages_exact(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp)
{
	const struct km_page_ops *page = machine->model->page;
	uint64_t pages = (bytes + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;
	unsigned order = km_get_order(bytes);
	km_pfn pfn;

	if (order > KM_MAX_ORDER)
		return KM_PFN_NONE;
	if (page->alloc_exact)
		return page->alloc_exact(machine->page, cpu, gfp, order, pages);
	pfn = page->alloc(machine->page, cpu, gfp, order);
	for (uint64_t i = pages; km_pfn_valid(pfn) && i < 1ull << order; i++)
		page->free(machine->page, cpu, (km_pfn){pfn.value + i}, 0);
	return pfn;
}

unsigned km_alloc_pages_bulk(struct km_machine *machine, unsigned cpu, uint32_t gfp,
			     unsigned wanted, km_pfn *pfns)
{
	return machine->model->page->alloc_bulk(machine->page, cpu, gfp, wanted, pfns);
}

void *km_cache_create(struct km_machine *machine, const struct km_cache_spec *spec)
{
	return machine->model->slab->cache_create(machine->slab, spec);
}

uint64_t km_cache_alloc(struct km_machine *machine, void *cache, unsigned cpu, uint32_t gfp,
			int node)
{
	return machine->model->slab->alloc(machine->slab, cache, cpu, gfp, node);
}

unsigned km_cache_alloc_bulk(struct km_machine *machine, void *cache, unsigned cpu, uint32_t gfp,
			     unsigned n, uint64_t *addrs)
{
	const struct km_slab_ops *slab = machine->model->slab;
	unsigned got = 0;

	if (slab->alloc_bulk)
		return slab->alloc_bulk(machine->slab, cache, cpu, gfp, n, addrs);
	while (got < n && (addrs[got] = slab->alloc(machine->slab, cache, cpu, gfp, -1)))
		got++;
	if (got == n)
		return n;
	while (got)
		slab->free(machine->slab, cpu, addrs[--got]);
	return 0;
}

void km_cache_free_bulk(struct km_machine *machine, unsigned cpu, unsigned n, uint64_t *addrs)
{
	const struct km_slab_ops *slab = machine->model->slab;

	if (slab->free_bulk) {
		slab->free_bulk(machine->slab, cpu, n, addrs);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		slab->free(machine->slab, cpu, addrs[i]);
}

void km_cache_shrink(struct km_machine *machine, void *cache, unsigned cpu)
{
	if (machine->model->slab->shrink)
		machine->model->slab->shrink(machine->slab, cache, cpu);
}

void km_cache_flush_cpu(struct km_machine *machine, void *cache, unsigned cpu)
{
	if (machine->model->slab->flush_cpu)
		machine->model->slab->flush_cpu(machine->slab, cache, cpu);
}

int km_cache_destroy(struct km_machine *machine, void *cache, unsigned cpu)
{
	if (!machine->model->slab->cache_destroy)
		return -ENOSYS;
	return machine->model->slab->cache_destroy(machine->slab, cache, cpu);
}

uint64_t km_vmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint64_t align,
		    uint32_t gfp, uint32_t flags)
{
	return machine->model->vm->alloc(machine->vm, cpu, bytes, align, gfp, flags);
}

int km_vfree(struct km_machine *machine, unsigned cpu, uint64_t addr)
{
	return machine->model->vm->free(machine->vm, cpu, addr);
}

uint64_t km_vmap(struct km_machine *machine, unsigned cpu, const km_pfn *pfns, uint64_t count)
{
	const struct km_vm_ops *vm = machine->model->vm;

	return vm->map ? vm->map(machine->vm, cpu, pfns, count) : 0;
}

uint64_t km_vm_map_ram(struct km_machine *machine, unsigned cpu, const km_pfn *pfns, uint64_t count)
{
	const struct km_vm_ops *vm = machine->model->vm;

	return vm->map_ram ? vm->map_ram(machine->vm, cpu, pfns, count) : 0;
}

int km_vm_unmap_ram(struct km_machine *machine, unsigned cpu, uint64_t addr, uint64_t count)
{
	const struct km_vm_ops *vm = machine->model->vm;

	return vm->unmap_ram ? vm->unmap_ram(machine->vm, cpu, addr, count) : -EFAULT;
}

void km_vm_unmap_aliases(struct km_machine *machine, unsigned cpu)
{
	if (machine->model->vm->unmap_aliases)
		machine->model->vm->unmap_aliases(machine->vm, cpu);
}

uint64_t km_ioremap(struct km_machine *machine, unsigned cpu, uint64_t phys, uint64_t bytes)
{
	const struct km_vm_ops *vm = machine->model->vm;

	return vm->map_io ? vm->map_io(machine->vm, cpu, phys, bytes) : 0;
}

int km_vrealloc(struct km_machine *machine, unsigned cpu, uint64_t *addr, uint64_t bytes,
		uint32_t gfp)
{
	const struct km_vm_ops *vm = machine->model->vm;

	return vm->resize ? vm->resize(machine->vm, cpu, addr, bytes, gfp) : -ENOSYS;
}
