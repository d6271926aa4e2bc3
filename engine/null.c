/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The null model: answers every request with a constant and does nothing. What a replay through it
 * costs is the cost of the harness, the floor under every other model's latency.
 */
#include <errno.h>

#include "models.h"

#define NULL_PFN ((km_pfn){1024})
#define NULL_OBJECT (KM_DIRECT_MAP_BASE + (1024ull << KM_PAGE_SHIFT))
#define NULL_AREA KM_VMALLOC_START

static int null_create(struct km_machine *machine, void **self)
{
	*self = machine;
	return 0;
}

static void null_destroy(void *self)
{
	(void)self;
}

static int null_validate(void *self)
{
	(void)self;
	return 0;
}

static km_pfn null_page_alloc(void *self, unsigned cpu, uint32_t gfp, unsigned order)
{
	(void)self, (void)cpu, (void)gfp, (void)order;
	return NULL_PFN;
}

static int null_page_free(void *self, unsigned cpu, km_pfn pfn, unsigned order)
{
	(void)self, (void)cpu, (void)pfn, (void)order;
	return 0;
}

static unsigned null_page_alloc_bulk(void *self, unsigned cpu, uint32_t gfp, unsigned wanted,
				     km_pfn *pfns)
{
	(void)self, (void)cpu, (void)gfp;
	for (unsigned i = 0; i < wanted; i++)
		pfns[i] = NULL_PFN;
	return wanted;
}

static void null_page_usage(void *self, struct km_page_usage *usage)
{
	(void)self;
	*usage = (struct km_page_usage){0};
}

const struct km_page_ops km_null_page_ops = {
	.name = "null",
	.create = null_create,
	.destroy = null_destroy,
	.alloc = null_page_alloc,
	.free = null_page_free,
	.alloc_bulk = null_page_alloc_bulk,
	.usage = null_page_usage,
	.validate = null_validate,
};

static void *null_cache_create(void *self, const struct km_cache_spec *spec)
{
	(void)spec;
	return self;
}

static uint64_t null_slab_alloc(void *self, void *cache, unsigned cpu, uint32_t gfp, int node)
{
	(void)self, (void)cache, (void)cpu, (void)gfp, (void)node;
	return NULL_OBJECT;
}

static int null_slab_free(void *self, unsigned cpu, uint64_t addr)
{
	(void)self, (void)cpu, (void)addr;
	return 0;
}

static void *null_cache_of(void *self, uint64_t addr)
{
	(void)addr;
	return self;
}

static int null_cache_info(void *self, void *cache, struct km_cache_info *info)
{
	(void)self, (void)cache, (void)info;
	return -ENOENT;
}

static void null_slab_usage(void *self, uint64_t *slab_pages, uint64_t *live_bytes)
{
	(void)self;
	*slab_pages = *live_bytes = 0;
}

KM_SLAB_RUN(null_slab_run, null_slab_alloc, null_slab_free, 0)

const struct km_slab_ops km_null_slab_ops = {
	.name = "null",
	.create = null_create,
	.destroy = null_destroy,
	.cache_create = null_cache_create,
	.alloc = null_slab_alloc,
	.free = null_slab_free,
	.run = null_slab_run,
	.cache_of = null_cache_of,
	.cache_info = null_cache_info,
	.usage = null_slab_usage,
	.validate = null_validate,
};

static uint64_t null_vm_alloc(void *self, unsigned cpu, uint64_t bytes, uint64_t align,
			      uint32_t gfp, uint32_t flags)
{
	(void)self, (void)cpu, (void)bytes, (void)align, (void)gfp, (void)flags;
	return NULL_AREA;
}

static int null_vm_free(void *self, unsigned cpu, uint64_t addr)
{
	(void)self, (void)cpu, (void)addr;
	return 0;
}

static uint64_t null_vm_size(void *self, uint64_t addr)
{
	(void)self, (void)addr;
	return 0;
}

static void null_vm_usage(void *self, struct km_vm_usage *usage)
{
	(void)self;
	*usage = (struct km_vm_usage){0};
}

const struct km_vm_ops km_null_vm_ops = {
	.name = "null",
	.create = null_create,
	.destroy = null_destroy,
	.alloc = null_vm_alloc,
	.free = null_vm_free,
	.size = null_vm_size,
	.usage = null_vm_usage,
	.validate = null_validate,
};
