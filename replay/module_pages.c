/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page allocator as a module calls it (mm/page_alloc.c): blocks, compound and plain, what they
 * are split into, and which block a page belongs to.
 */
#include <limits.h>

#include "replay/module_kernel.h"

#define CPU 0

static unsigned long api_alloc_pages(const struct kmlab_site *site, unsigned gfp, unsigned order)
{
	struct object object = {.bytes = KM_PAGE_SIZE << (order < 64 - 13 ? order : 0),
				.kind = KM_OBJECT_PAGES,
				.order = order};
	km_pfn pfn = KM_PFN_NONE;

	km_check_gfp(site, gfp);
	if (order > KM_MAX_ORDER)
		km_find(KM_RULE_BAD_ARGUMENT, site, "%s of order %u: the largest is %d", site->call,
			order, KM_MAX_ORDER);
	else
		pfn = km_alloc_pages(km_kernel->machine, CPU, gfp, order);
	object.capacity = object.bytes;
	object.compound = order && (gfp & KM_GFP_COMP);
	if (km_pfn_valid(pfn))
		object.addr = km_pfn_to_addr(pfn);
	return (unsigned long)(uintptr_t)km_given(site, &object, gfp);
}

/* The live block at addr, if it is of that order; else what is wrong with it is told. */
static struct object *taken_block(const struct kmlab_site *site, unsigned long addr, unsigned order)
{
	struct object *object = km_taken(site, (const void *)addr, 1u << KM_OBJECT_PAGES);
	char text[160];

	if (!object || order == object->order)
		return object;
	km_find(KM_RULE_WRONG_ORDER, site, "wrong order %u: %s has order %u", order,
		km_object_text(object, text), object->order);
	return NULL;
}

static void api_free_pages(const struct kmlab_site *site, unsigned long addr, unsigned order)
{
	struct object *object;
	km_pfn pfn;

	if (!addr) {
		km_free_row(site, NULL);
		return;
	}
	object = taken_block(site, addr, order);
	if (!object)
		return;
	pfn = km_addr_to_pfn(object->addr);
	km_freed(site, object);
	km_free_pages(km_kernel->machine, CPU, pfn, order);
}

/* The object keeps its first bytes; what lay behind them is another. NULL without memory. */
static struct object *cut(struct object *object, uint64_t bytes)
{
	struct object rest = *object;

	rest.addr += bytes;
	rest.bytes = rest.capacity = object->capacity - bytes;
	object->bytes = object->capacity = bytes;
	return km_object_add(&rest, 0);
}

static void api_split_page(const struct kmlab_site *site, unsigned long addr, unsigned order)
{
	struct object *object = taken_block(site, addr, order);
	char text[160];

	if (object && object->compound) {
		km_find(KM_RULE_BAD_ARGUMENT, site,
			"%s of a compound page, which stays one: %s was asked for with __GFP_COMP",
			site->call, km_object_text(object, text));
		return;
	}
	if (object)
		object->order = 0;
	for (uint64_t i = 1; object && i < 1ull << order; i++)
		object = cut(object, KM_PAGE_SIZE);
}

/* The halves from the largest on, as __free_pages() of mm/page_alloc.c frees them. */
static void api_free_rest(const struct kmlab_site *site, unsigned long addr, unsigned order)
{
	struct object *object = taken_block(site, addr, order);
	km_pfn pfn;

	if (!object)
		return;
	pfn = km_addr_to_pfn(object->addr);
	object->order = 0;
	object = cut(object, KM_PAGE_SIZE);
	if (object)
		km_freed(site, object);
	while (order--)
		km_free_pages(km_kernel->machine, CPU, (km_pfn){pfn.value + (1u << order)}, order);
}

static int block_of_slab(uint64_t addr, unsigned long *head, unsigned *order)
{
	const struct km_slab_ops *slab = km_kernel->machine->model->slab;
	void *self = km_kernel->machine->slab, *cache = slab->cache_of(self, addr);
	struct km_cache_info info;

	if (!cache || slab->cache_info(self, cache, &info))
		return KMLAB_BLOCK_NONE;
	*order = info.order;
	*head = (uintptr_t)km_host(addr & ~((KM_PAGE_SIZE << info.order) - 1));
	return KMLAB_BLOCK_COMPOUND;
}

/* Blocks are aligned to their size: of each order there is one place where one could begin. */
static int api_page_block(const void *p, unsigned long *head, unsigned *order)
{
	uint64_t addr = km_addr(p);

	for (unsigned i = 0; i <= KM_MAX_ORDER; i++) {
		const struct object *object = km_object_live(addr & ~((KM_PAGE_SIZE << i) - 1));

		if (!object || addr - object->addr >= object->capacity ||
		    (object->kind != KM_OBJECT_PAGES && object->kind != KM_OBJECT_LARGE))
			continue;
		if (object->kind == KM_OBJECT_PAGES && object->order == UINT_MAX)
			break;
		*head = (uintptr_t)km_host(object->addr);
		*order = km_get_order(object->capacity);
		return object->compound || object->kind == KM_OBJECT_LARGE ? KMLAB_BLOCK_COMPOUND
									   : KMLAB_BLOCK_PLAIN;
	}
	return km_is_vmalloc_addr(addr) ? KMLAB_BLOCK_NONE : block_of_slab(addr, head, order);
}

/* The pages that are not needed go back at once. */
static void *api_alloc_pages_exact(const struct kmlab_site *site, unsigned long bytes, unsigned gfp)
{
	struct object object = {.kind = KM_OBJECT_PAGES, .order = UINT_MAX};
	uint64_t wanted = (bytes + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;
	unsigned order = km_get_order(bytes ? bytes : 1);
	km_pfn pfn = KM_PFN_NONE;

	km_check_gfp(site, gfp);
	if (order <= KM_MAX_ORDER)
		pfn = km_alloc_pages(km_kernel->machine, CPU, gfp, order);
	object.bytes = object.capacity = wanted << KM_PAGE_SHIFT;
	if (km_pfn_valid(pfn))
		object.addr = km_pfn_to_addr(pfn);
	for (uint64_t i = wanted; km_pfn_valid(pfn) && i < 1ull << order; i++)
		km_free_pages(km_kernel->machine, CPU, (km_pfn){pfn.value + i}, 0);
	return km_given(site, &object, gfp);
}

static void api_free_pages_exact(const struct kmlab_site *site, void *p, unsigned long bytes)
{
	struct object *object = km_taken(site, p, 1u << KM_OBJECT_PAGES);
	uint64_t pages;
	km_pfn pfn;

	(void)bytes;
	if (!object)
		return;
	pages = object->capacity >> KM_PAGE_SHIFT;
	pfn = km_addr_to_pfn(object->addr);
	km_freed(site, object);
	for (uint64_t i = 0; i < pages; i++)
		km_free_pages(km_kernel->machine, CPU, (km_pfn){pfn.value + i}, 0);
}

void km_api_pages(struct kmlab_api *api)
{
	api->do_alloc_pages = api_alloc_pages;
	api->do_free_pages = api_free_pages;
	api->do_free_rest = api_free_rest;
	api->do_split_page = api_split_page;
	api->page_block = api_page_block;
	api->do_alloc_pages_exact = api_alloc_pages_exact;
	api->do_free_pages_exact = api_free_pages_exact;
}
