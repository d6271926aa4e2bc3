/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bump model: the least an allocator can do that still returns distinct memory. Objects come
 * from the front of the current page, pages from the front of memory, areas from the front of the
 * vmalloc range; nothing is ever taken back. The floor for latency, the ceiling for footprint.
 */
#include <errno.h>
#include <kmlab/machine.h>

#include "models.h"

struct bump_pages {
	struct km_machine *machine;
	uint64_t next, end; /* pfns */
	unsigned zone;
	uint64_t managed, taken;
};

static void bump_enter_zone(struct bump_pages *pages, unsigned zone)
{
	const struct km_zone_spec *spec = &pages->machine->spec.zones[zone];

	pages->zone = zone;
	pages->next = spec->start;
	pages->end = spec->start + spec->spanned;
}

static int bump_page_create(struct km_machine *machine, void **self)
{
	struct bump_pages *pages = km_env_alloc(machine->env, sizeof(*pages));

	if (!pages)
		return -ENOMEM;
	pages->machine = machine;
	for (unsigned i = 0; i < machine->spec.nr_zones; i++)
		pages->managed += machine->spec.zones[i].managed;
	bump_enter_zone(pages, machine->spec.nr_zones - 1);
	*self = pages;
	return 0;
}

static void bump_page_destroy(void *self)
{
	struct bump_pages *pages = self;

	km_env_release(pages->machine->env, pages, sizeof(*pages));
}

/* Zones from the highest down, whatever the flags: placement is not what this model is about. */
static km_pfn bump_page_alloc(void *self, unsigned cpu, uint32_t gfp, unsigned order)
{
	struct bump_pages *pages = self;
	uint64_t size = 1ull << order, pfn;

	(void)cpu, (void)gfp;
	for (;;) {
		pfn = (pages->next + size - 1) & ~(size - 1);
		if (pfn + size <= pages->end)
			break;
		if (pages->zone == 0) {
			pages->machine->env->count.page_fail++;
			return KM_PFN_NONE;
		}
		bump_enter_zone(pages, pages->zone - 1);
	}
	pages->next = pfn + size;
	pages->taken += size;
	return (km_pfn){pfn};
}

static int bump_page_free(void *self, unsigned cpu, km_pfn pfn, unsigned order)
{
	(void)self, (void)cpu, (void)pfn, (void)order;
	return 0;
}

static unsigned bump_page_alloc_bulk(void *self, unsigned cpu, uint32_t gfp, unsigned wanted,
				     km_pfn *pfns)
{
	unsigned got = 0;

	while (got < wanted && km_pfn_valid(pfns[got] = bump_page_alloc(self, cpu, gfp, 0)))
		got++;
	return got;
}

static void bump_page_usage(void *self, struct km_page_usage *usage)
{
	struct bump_pages *pages = self;

	*usage = (struct km_page_usage){
		.managed = pages->managed,
		.free = pages->managed > pages->taken ? pages->managed - pages->taken : 0,
	};
}

static int bump_page_validate(void *self)
{
	struct bump_pages *pages = self;

	return pages->next <= pages->end ? 0 : -EINVAL;
}

const struct km_page_ops km_bump_page_ops = {
	.name = "bump",
	.create = bump_page_create,
	.destroy = bump_page_destroy,
	.alloc = bump_page_alloc,
	.free = bump_page_free,
	.alloc_bulk = bump_page_alloc_bulk,
	.usage = bump_page_usage,
	.validate = bump_page_validate,
};

/* ---- objects ---- */

struct bump_cache {
	struct bump_cache *next;
	uint32_t stride; /* object size rounded up to its alignment: no slab geometry */
	uint32_t align;
};

struct bump_objects {
	struct km_machine *machine;
	struct bump_cache *caches;
	uint64_t next, end; /* addresses within the current block */
	uint64_t pages, bytes;
};

static int bump_slab_create(struct km_machine *machine, void **self)
{
	struct bump_objects *objects = km_env_alloc(machine->env, sizeof(*objects));

	if (!objects)
		return -ENOMEM;
	objects->machine = machine;
	*self = objects;
	return 0;
}

static void bump_slab_destroy(void *self)
{
	struct bump_objects *objects = self;
	struct km_env *env = objects->machine->env;

	while (objects->caches) {
		struct bump_cache *cache = objects->caches;

		objects->caches = cache->next;
		km_env_release(env, cache, sizeof(*cache));
	}
	km_env_release(env, objects, sizeof(*objects));
}

static void *bump_cache_create(void *self, const struct km_cache_spec *spec)
{
	struct bump_objects *objects = self;
	struct bump_cache *cache = km_env_alloc(objects->machine->env, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->align = spec->align > 8 ? spec->align : 8;
	cache->stride = (uint32_t)km_round_up(spec->object_size, cache->align);
	cache->next = objects->caches;
	objects->caches = cache;
	return cache;
}

static uint64_t bump_slab_alloc(void *self, void *opaque, unsigned cpu, uint32_t gfp, int node)
{
	struct bump_objects *objects = self;
	struct bump_cache *cache = opaque;
	uint64_t addr = (objects->next + cache->align - 1) & ~(uint64_t)(cache->align - 1);

	(void)node;
	if (addr + cache->stride > objects->end) {
		unsigned order = km_get_order(cache->stride);
		km_pfn pfn = bump_page_alloc(objects->machine->page, cpu, gfp, order);

		if (!km_pfn_valid(pfn)) {
			objects->machine->env->count.slab_fail++;
			return 0;
		}
		addr = km_pfn_to_addr(pfn);
		objects->end = addr + (KM_PAGE_SIZE << order);
		objects->pages += 1ull << order;
	}
	objects->next = addr + cache->stride;
	objects->bytes += cache->stride;
	objects->machine->env->count.bump_alloc++;
	return addr;
}

static int bump_slab_free(void *self, unsigned cpu, uint64_t addr)
{
	(void)self, (void)cpu, (void)addr;
	return 0;
}

static void *bump_cache_of(void *self, uint64_t addr)
{
	(void)addr;
	return self;
}

static int bump_cache_info(void *self, void *cache, struct km_cache_info *info)
{
	(void)self, (void)cache, (void)info;
	return -ENOENT;
}

static void bump_slab_usage(void *self, uint64_t *slab_pages, uint64_t *live_bytes)
{
	struct bump_objects *objects = self;

	*slab_pages = objects->pages;
	*live_bytes = objects->bytes;
}

static int bump_slab_validate(void *self)
{
	struct bump_objects *objects = self;

	return objects->next <= objects->end ? 0 : -EINVAL;
}

KM_SLAB_RUN(bump_slab_run, bump_slab_alloc, bump_slab_free, 0)

const struct km_slab_ops km_bump_slab_ops = {
	.name = "bump",
	.create = bump_slab_create,
	.destroy = bump_slab_destroy,
	.cache_create = bump_cache_create,
	.alloc = bump_slab_alloc,
	.free = bump_slab_free,
	.run = bump_slab_run,
	.cache_of = bump_cache_of,
	.cache_info = bump_cache_info,
	.usage = bump_slab_usage,
	.validate = bump_slab_validate,
};

/* ---- areas: address space only, mapped by pages that are taken and forgotten ---- */

struct bump_areas {
	struct km_machine *machine;
	uint64_t next;
	struct km_vm_usage usage;
};

static int bump_vm_create(struct km_machine *machine, void **self)
{
	struct bump_areas *areas = km_env_alloc(machine->env, sizeof(*areas));

	if (!areas)
		return -ENOMEM;
	areas->machine = machine;
	areas->next = KM_VMALLOC_START;
	*self = areas;
	return 0;
}

static void bump_vm_destroy(void *self)
{
	struct bump_areas *areas = self;

	km_env_release(areas->machine->env, areas, sizeof(*areas));
}

static uint64_t bump_vm_alloc(void *self, unsigned cpu, uint64_t bytes, uint64_t align,
			      uint32_t gfp, uint32_t flags)
{
	struct bump_areas *areas = self;
	uint64_t addr, pages = (bytes + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;

	if (align < KM_PAGE_SIZE)
		align = KM_PAGE_SIZE;
	addr = (areas->next + align - 1) & ~(align - 1);
	if (!bytes || pages > (KM_VMALLOC_END - addr) >> KM_PAGE_SHIFT)
		return 0;
	for (uint64_t i = 0; i < pages && !(flags & KM_VM_NO_PAGES); i++) {
		if (!km_pfn_valid(bump_page_alloc(areas->machine->page, cpu, gfp, 0))) {
			areas->machine->env->count.vm_fail++;
			return 0;
		}
	}
	areas->next = addr + (pages << KM_PAGE_SHIFT);
	areas->usage.areas++;
	if (!(flags & KM_VM_NO_PAGES)) {
		areas->usage.mapped_pages += pages;
		areas->usage.leaf_4k += pages;
	}
	return addr;
}

static int bump_vm_free(void *self, unsigned cpu, uint64_t addr)
{
	(void)self, (void)cpu, (void)addr;
	return 0;
}

static uint64_t bump_vm_size(void *self, uint64_t addr)
{
	(void)self, (void)addr;
	return 0;
}

static void bump_vm_usage(void *self, struct km_vm_usage *usage)
{
	*usage = ((struct bump_areas *)self)->usage;
}

static int bump_vm_validate(void *self)
{
	struct bump_areas *areas = self;

	return areas->next <= KM_VMALLOC_END ? 0 : -EINVAL;
}

const struct km_vm_ops km_bump_vm_ops = {
	.name = "bump",
	.create = bump_vm_create,
	.destroy = bump_vm_destroy,
	.alloc = bump_vm_alloc,
	.free = bump_vm_free,
	.size = bump_vm_size,
	.usage = bump_vm_usage,
	.validate = bump_vm_validate,
};
