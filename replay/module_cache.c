/* SPDX-License-Identifier: GPL-2.0-only */
/* Slab caches of a module: kmem_cache_* (mm/slab_common.c). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/module_kernel.h"

#define CPU 0

static uint32_t model_flags(unsigned long kernel_flags)
{
	static const struct {
		unsigned long kernel;
		uint32_t model;
	} bits[] = {{0x2000, KM_SLAB_HWCACHE_ALIGN},    {0x4000, KM_SLAB_CACHE_DMA},
		    {0x20000, KM_SLAB_RECLAIM_ACCOUNT}, {0x40000, KM_SLAB_PANIC},
		    {0x80000, KM_SLAB_TYPESAFE_BY_RCU}, {0x1000000, KM_SLAB_NO_MERGE},
		    {0x4000000, KM_SLAB_ACCOUNT}};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (kernel_flags & bits[i].kernel)
			flags |= bits[i].model;
	return flags;
}

static void *api_cache_create(const struct kmlab_site *site, const char *name, unsigned long size,
			      unsigned long align, unsigned long flags, void (*ctor)(void *))
{
	struct cache *cache = calloc(1, sizeof(*cache));
	struct km_cache_spec spec = {.name = cache ? cache->name : "",
				     .object_size = (uint32_t)size,
				     .align = (uint32_t)align,
				     .flags = model_flags(flags) | (ctor ? KM_SLAB_CTOR : 0)};
	struct km_module_call *row = km_record(site);

	km_might_sleep(site);
	if (cache)
		snprintf(cache->name, sizeof(cache->name), "%s", name ? name : "");
	row->bytes = size;
	if (!size || size > KM_KMALLOC_MAX_SIZE || (align & (align - 1))) {
		km_find(KM_RULE_BAD_ARGUMENT, site,
			"a cache \"%s\" of objects of %lu bytes, aligned to %lu, cannot be",
			name ? name : "", size, align);
	} else if (cache) {
		cache->handle = km_cache_create(km_kernel->machine, &spec);
	}
	if (!cache || !cache->handle) {
		free(cache);
		row->failed = true;
		return NULL;
	}
	snprintf(row->cache, sizeof(row->cache), "%s", cache->name);
	cache->size = size;
	cache->ctor = ctor;
	cache->site = site;
	cache->next = km_kernel->caches;
	km_kernel->caches = cache;
	return cache;
}

static void *api_kernel_cache(const char *name, unsigned long size, unsigned long flags)
{
	const struct km_cache_spec spec = {
		.name = name, .object_size = (uint32_t)size, .flags = model_flags(flags)};
	struct cache *cache = km_kernel->caches;

	while (cache && (cache->site || strcmp(cache->name, name) != 0))
		cache = cache->next;
	if (cache)
		return cache;
	cache = calloc(1, sizeof(*cache));
	if (cache)
		cache->handle = km_cache_create(km_kernel->machine, &spec);
	if (!cache || !cache->handle) {
		free(cache);
		return NULL;
	}
	snprintf(cache->name, sizeof(cache->name), "%s", name);
	cache->size = size;
	cache->next = km_kernel->caches;
	km_kernel->caches = cache;
	return cache;
}

/* A cache of the module that is not destroyed; else a finding, and NULL. */
static struct cache *known(const struct kmlab_site *site, const void *handle)
{
	struct cache *cache = km_kernel->caches;
	char where[60];

	while (cache && cache != handle)
		cache = cache->next;
	if (cache && cache->handle)
		return cache;
	if (cache) {
		km_where(where, cache->site);
		km_find(KM_RULE_USE_AFTER_FREE, site,
			"use after free: %s on the cache \"%s\" of %s, which is destroyed",
			site->call, cache->name, where);
	} else {
		km_find(KM_RULE_BAD_ARGUMENT, site, "%s on 0x%" PRIx64 ", which is not a cache",
			site->call, (uint64_t)(uintptr_t)handle);
	}
	return NULL;
}

static void api_cache_destroy(const struct kmlab_site *site, void *handle)
{
	const struct object *first = NULL;
	struct km_module_call *row;
	struct cache *cache;
	unsigned in_use = 0;
	char where[60];

	if (!handle)
		return;
	km_might_sleep(site);
	cache = known(site, handle);
	if (!cache)
		return;
	row = km_record(site);
	snprintf(row->cache, sizeof(row->cache), "%s", cache->name);
	for (uint32_t i = 1; i <= km_kernel->nr_objects; i++) {
		const struct object *object = &km_kernel->objects[i];

		if (!object->addr || object->freed_at || object->cache != cache)
			continue;
		in_use++;
		first = first ? first : object;
	}
	if (first) {
		km_where(where, first->site);
		km_find(KM_RULE_CACHE_BUSY, site,
			"kmem_cache_destroy of \"%s\" with %u object%s in use, the first of %s at "
			"%s: the cache stays",
			cache->name, in_use, in_use == 1 ? "" : "s", first->site->call, where);
		return;
	}
	if (km_cache_destroy(km_kernel->machine, cache->handle, CPU) == 0)
		cache->handle = NULL;
}

/*
 * A slab's objects are constructed when it is made, and given back constructed. Slabs are known by
 * their address until any is given up; what is in use is never constructed again.
 */
static void construct_slab(struct cache *cache, uint64_t addr)
{
	const struct km_machine *machine = km_kernel->machine;
	struct km_cache_info info;
	uint64_t base, known;

	if (!addr || !cache->ctor ||
	    machine->model->slab->cache_info(machine->slab, cache->handle, &info))
		return;
	if (cache->discards != km_kernel->env.count.slab_discard)
		km_addr_map_free(&cache->constructed);
	cache->discards = km_kernel->env.count.slab_discard;
	base = addr & ~((KM_PAGE_SIZE << info.order) - 1);
	if (km_addr_map_get(&cache->constructed, base, &known) ||
	    km_addr_map_put(&cache->constructed, base, 1))
		return;
	km_kernel->constructing = true;
	/* From this object down and up, so that a smaller slab than usual is met, too. */
	for (uint64_t object = addr - (addr - base) / info.size * info.size;
	     object < base + (uint64_t)info.objects_per_slab * info.size; object += info.size)
		if (machine->model->slab->cache_of(machine->slab, object) == cache->handle &&
		    !km_object_live(object))
			cache->ctor(km_host(object));
	km_kernel->constructing = false;
}

static void *make(const struct kmlab_site *site, struct cache *cache, uint64_t addr, unsigned gfp)
{
	struct object object = {.addr = addr,
				.bytes = cache->size,
				.capacity = cache->size,
				.kind = KM_OBJECT_SLAB,
				.cache = cache};

	construct_slab(cache, addr);
	return km_given(site, &object, gfp);
}

static void *api_cache_alloc(const struct kmlab_site *site, void *handle, unsigned gfp, int node)
{
	struct cache *cache = known(site, handle);

	if (!cache)
		return NULL;
	km_check_gfp(site, gfp);
	if (gfp & (KM_GFP_HIGHMEM | KM_GFP_DMA32))
		km_find(KM_RULE_SLAB_FLAGS, site,
			"slab memory cannot be high or 32-bit memory: Linux warns when %s needs "
			"new pages, and drops the flag",
			site->call);
	gfp &= ~(KM_GFP_HIGHMEM | KM_GFP_DMA32);
	return make(
		site, cache,
		km_cache_alloc(km_kernel->machine, cache->handle, CPU, gfp, node > 0 ? -1 : node),
		gfp);
}

/* A live object of `cache` (NULL: of any, or kmalloc's), or NULL with a finding. */
static struct object *own(const struct kmlab_site *site, const struct cache *cache, const void *p)
{
	struct object *object =
		km_taken(site, p, 1u << KM_OBJECT_SLAB | (cache ? 0 : 1u << KM_OBJECT_LARGE));
	char text[160];

	if (!object || !cache || object->cache == cache)
		return object;
	km_find(KM_RULE_WRONG_CACHE, site, "wrong cache: %s into \"%s\" of an object of %s%s%s: %s",
		site->call, cache->name, object->cache ? "\"" : "kmalloc",
		object->cache ? object->cache->name : "", object->cache ? "\"" : "",
		km_object_text(object, text));
	return NULL;
}

static void api_cache_free(const struct kmlab_site *site, void *handle, const void *p)
{
	struct cache *cache = known(site, handle);
	struct object *object;
	uint64_t addr;

	if (!cache)
		return;
	if (!p) {
		km_find(KM_RULE_INVALID_FREE, site, "%s of NULL, which only kfree() takes",
			site->call);
		return;
	}
	object = own(site, cache, p);
	if (!object)
		return;
	addr = object->addr;
	km_freed(site, object);
	km_kfree(km_kernel->machine, CPU, addr);
}

static int api_cache_alloc_bulk(const struct kmlab_site *site, void *handle, unsigned gfp,
				unsigned long count, void **objects)
{
	struct cache *cache = known(site, handle);
	uint64_t *addrs = calloc(count ? count : 1, sizeof(*addrs));
	int got = 0;

	if (cache && addrs) {
		km_check_gfp(site, gfp);
		got = (int)km_cache_alloc_bulk(km_kernel->machine, cache->handle, CPU, gfp,
					       (unsigned)count, addrs);
	}
	for (int i = 0; i < got; i++)
		objects[i] = make(site, cache, addrs[i], gfp);
	free(addrs);
	return got;
}

static void api_cache_free_bulk(const struct kmlab_site *site, void *handle, unsigned long count,
				void **objects)
{
	struct cache *cache = handle ? known(site, handle) : NULL;
	uint64_t *addrs = calloc(count ? count : 1, sizeof(*addrs));
	unsigned valid = 0;

	for (unsigned long i = 0; addrs && (cache || !handle) && i < count; i++) {
		struct object *object = own(site, cache, objects[i]);

		if (!object)
			continue;
		addrs[valid++] = object->addr;
		km_freed(site, object);
	}
	if (cache)
		km_cache_free_bulk(km_kernel->machine, CPU, valid, addrs);
	else
		for (unsigned i = 0; i < valid; i++)
			km_kfree(km_kernel->machine, CPU, addrs[i]);
	free(addrs);
}

static void api_cache_shrink(const struct kmlab_site *site, void *handle)
{
	struct cache *cache = known(site, handle);

	km_might_sleep(site);
	if (cache)
		km_cache_shrink(km_kernel->machine, cache->handle, CPU);
}

static unsigned api_cache_size(const void *handle)
{
	return (unsigned)((const struct cache *)handle)->size;
}

void km_api_cache(struct kmlab_api *api)
{
	api->cache_create = api_cache_create;
	api->kernel_cache = api_kernel_cache;
	api->cache_destroy = api_cache_destroy;
	api->cache_alloc = api_cache_alloc;
	api->cache_free = api_cache_free;
	api->cache_alloc_bulk = api_cache_alloc_bulk;
	api->cache_free_bulk = api_cache_free_bulk;
	api->cache_shrink = api_cache_shrink;
	api->cache_size = api_cache_size;
}
