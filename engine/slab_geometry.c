/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Geometry of a SLAB cache: stride, order, where the free indexes lie, colours, array limits
 * (mm/slab.c: __kmem_cache_create, calculate_slab_order, cache_estimate, enable_cpucache; 6.1).
 * Pure functions.
 */
#include <errno.h>

#include "slab.h"

#define LARGEST_SIZE ((uint32_t)KM_PAGE_SIZE << KM_MAX_ORDER)
#define SMALLEST_STRIDE 16u /* 4096 / 16 objects can be told apart by a byte */
#define SMALLEST_KMALLOC 32u
#define SHARED_BATCHES 8u

struct layout {
	const struct km_cache_spec *spec;
	uint32_t size;
	unsigned max_order;
	enum km_slab_freelist freelist;
	/* found */
	uint32_t order, objects, left_over;
};

/* A freelist of its own must not cost more than half an object. */
static bool off_slab_pays(const struct layout *layout, unsigned objects)
{
	uint32_t bytes = objects <= SMALLEST_KMALLOC ? SMALLEST_KMALLOC : objects;

	return km_kmalloc_class_size(km_kmalloc_class(bytes)) <= layout->spec->object_size / 2;
}

/* The smallest order that wastes at most an eighth, or the largest that is allowed. */
static bool find_order(struct layout *layout)
{
	uint32_t each = layout->size + (layout->freelist == KM_FREELIST_ON_SLAB);

	layout->objects = 0;
	for (unsigned order = 0; order <= KM_MAX_ORDER; order++) {
		uint64_t bytes = KM_PAGE_SIZE << order, objects = bytes / each;

		if (!objects)
			continue;
		if (objects > KM_SLAB_OBJECTS_MAX)
			break;
		if (layout->freelist == KM_FREELIST_OFF_SLAB &&
		    !off_slab_pays(layout, (unsigned)objects))
			continue;
		layout->order = order;
		layout->objects = (uint32_t)objects;
		layout->left_over = (uint32_t)(bytes % each);
		if (layout->spec->flags & KM_SLAB_RECLAIM_ACCOUNT || order >= layout->max_order ||
		    layout->left_over * 8ull <= bytes)
			break;
	}
	return layout->objects > 0;
}

/* The first of three places that will do. */
static bool place_freelist(struct layout *layout)
{
	layout->freelist = KM_FREELIST_IN_OBJECT;
	if (!(layout->spec->flags & (KM_SLAB_CTOR | KM_SLAB_TYPESAFE_BY_RCU)) &&
	    find_order(layout) && layout->objects <= layout->spec->object_size)
		return true;
	layout->freelist = KM_FREELIST_OFF_SLAB;
	/* It moves on the slab where there is room for it anyway. */
	if (find_order(layout) && layout->left_over < layout->objects)
		return true;
	layout->freelist = KM_FREELIST_ON_SLAB;
	return find_order(layout);
}

/* The larger the objects, the fewer lie idle in arrays; one CPU has nobody to share with. */
static void set_limits(struct km_slab_geometry *geometry, unsigned possible_cpus)
{
	static const struct {
		uint32_t above, limit;
	} rows[] = {{131072, 1}, {4096, 8}, {1024, 24}, {256, 54}, {0, 120}};
	unsigned row = 0;

	while (geometry->size <= rows[row].above)
		row++;
	geometry->limit = rows[row].limit;
	geometry->batch = (geometry->limit + 1) / 2;
	if (geometry->size <= KM_PAGE_SIZE && possible_cpus > 1)
		geometry->shared_limit = SHARED_BATCHES * geometry->batch;
}

int km_slab_geometry(const struct km_cache_spec *spec, unsigned possible_cpus, bool few_pages,
		     struct km_slab_geometry *geometry)
{
	struct km_slab_geometry result = {0};
	struct layout layout = {.spec = spec, .max_order = few_pages ? 0 : 1};

	if (!spec->object_size || spec->object_size > LARGEST_SIZE || spec->align > LARGEST_SIZE)
		return -EINVAL;
	result.align = km_slab_align(spec);
	result.colour_step = result.align > KM_CACHE_LINE ? result.align : KM_CACHE_LINE;
	result.size = (uint32_t)km_round_up(km_round_up(spec->object_size, KM_WORD), result.align);
	if (result.size < SMALLEST_STRIDE)
		result.size = (uint32_t)km_round_up(SMALLEST_STRIDE, result.align);
	layout.size = result.size;
	if (!place_freelist(&layout))
		return -EINVAL;
	result.order = layout.order;
	result.objects = layout.objects;
	result.freelist = layout.freelist;
	result.colours = layout.left_over / result.colour_step;
	set_limits(&result, possible_cpus);
	*geometry = result;
	return 0;
}
