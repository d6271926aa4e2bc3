/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Geometry of a slab cache from what kmem_cache_create() was told: object layout, stride, slab
 * order, list limits (mm/slub.c: calculate_sizes, calculate_order, set_cpu_partial; 5.15 - 7.2;
 * mm/slab_common.c: calculate_alignment). Pure functions.
 */
#include <errno.h>

#include <kmlab/machine.h>

#include "slub.h"

#define WORD KM_WORD
#define SLUB_MAX_ORDER 3u /* slab_max_order's default; one bigger object may need more */
#define LARGEST_SIZE ((uint32_t)KM_PAGE_SIZE << KM_MAX_ORDER)

/* Exact sizes are kept for kmalloc's caches with user tracking. */
static uint32_t orig_size_bytes(const struct km_profile *profile, uint32_t flags)
{
	return flags & KM_SLAB_KMALLOC && flags & KM_SLAB_STORE_USER ? profile->debug_orig_size : 0;
}

/* May the free pointer not lie over the object's memory? */
static bool pointer_outside(const struct km_profile *profile, const struct km_cache_spec *spec)
{
	uint32_t flags = spec->flags;
	bool sized = orig_size_bytes(profile, flags) != 0;

	if (flags & KM_SLAB_POISON ||
	    (flags & (KM_SLAB_CTOR | KM_SLAB_TYPESAFE_BY_RCU) && !spec->freeptr_offset))
		return true;
	if (flags & KM_SLAB_RED_ZONE &&
	    (spec->object_size < WORD || (sized && profile->debug_outside)))
		return true;
	return sized && profile->debug_outside == 1;
}

static void lay_out_object(const struct km_profile *profile, const struct km_cache_spec *spec,
			   struct km_cache_geometry *geometry)
{
	uint64_t size = km_round_up(spec->object_size, WORD);

	if (spec->flags & KM_SLAB_RED_ZONE && size == spec->object_size)
		size += WORD;
	geometry->inuse = (uint32_t)size;
	if (pointer_outside(profile, spec)) {
		geometry->offset = (uint32_t)size;
		size += WORD;
	} else if (spec->freeptr_offset) {
		geometry->offset = spec->freeptr_offset - 1;
	} else {
		geometry->offset = spec->object_size / 2 / WORD * WORD;
	}
	if (spec->flags & KM_SLAB_STORE_USER)
		size += 2u * profile->debug_track + orig_size_bytes(profile, spec->flags);
	if (spec->flags & KM_SLAB_RED_ZONE)
		size += WORD + km_round_up(WORD, geometry->align);
	geometry->size = (uint32_t)km_round_up(size, geometry->align);
}

/* First order that wastes at most 1/fraction of the slab; max_order + 1 if there is none. */
static unsigned fitting_order(uint32_t size, unsigned min_objects, unsigned max_order,
			      unsigned fraction)
{
	unsigned order = km_get_order((uint64_t)min_objects * size);

	for (; order <= max_order; order++) {
		uint64_t slab = KM_PAGE_SIZE << order;

		if (slab % size <= slab / fraction)
			return order;
	}
	return max_order + 1;
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Before 6.8: fewer objects are accepted before more waste than 1/4. */
static unsigned order_old(uint32_t size, unsigned min_objects)
{
	min_objects = smaller(min_objects, (unsigned)((KM_PAGE_SIZE << SLUB_MAX_ORDER) / size));
	for (; min_objects > 1; min_objects--) {
		for (unsigned fraction = 16; fraction >= 4; fraction /= 2) {
			unsigned order = fitting_order(size, min_objects, SLUB_MAX_ORDER, fraction);

			if (order <= SLUB_MAX_ORDER)
				return order;
		}
	}
	return km_get_order(size);
}

static unsigned order_new(uint32_t size, unsigned min_objects)
{
	unsigned most = (unsigned)((KM_PAGE_SIZE << SLUB_MAX_ORDER) / size);

	min_objects = smaller(min_objects, most ? most : 1);
	for (unsigned fraction = 16; fraction > 1; fraction /= 2) {
		unsigned order = fitting_order(size, min_objects, SLUB_MAX_ORDER, fraction);

		if (order <= SLUB_MAX_ORDER)
			return order;
	}
	return km_get_order(size);
}

/* Objects a CPU may keep on its partial chain. */
static uint32_t cpu_partial_of(const struct km_profile *profile, uint32_t size)
{
	static const struct {
		uint32_t size, objects, objects_5_15;
	} limits[] = {{4096, 6, 2}, {1024, 24, 6}, {256, 52, 13}, {0, 120, 30}};
	unsigned row = 0;

	if (profile->slab_front == KM_FRONT_SHEAVES)
		return 0;
	while (size < limits[row].size)
		row++;
	return profile->cpu_partial_objects ? limits[row].objects_5_15 : limits[row].objects;
}

static void set_limits(const struct km_profile *profile, uint32_t flags,
		       struct km_cache_geometry *geometry)
{
	unsigned half_log = (km_fls(geometry->size) - 1) / 2;

	geometry->min_partial = half_log < 5 ? 5 : smaller(half_log, 10);
	geometry->cpu_partial = flags & KM_SLAB_DEBUG ? 0 : cpu_partial_of(profile, geometry->size);
	geometry->cpu_partial_slabs =
		profile->cpu_partial_objects
			? 0
			: (2 * geometry->cpu_partial + geometry->objects - 1) / geometry->objects;
}

int km_cache_geometry(const struct km_profile *profile, unsigned cpus,
		      const struct km_cache_spec *spec, struct km_cache_geometry *geometry)
{
	struct km_cache_geometry result = {0};
	unsigned min_objects = 4 * (km_fls(cpus) + 1);

	if (!spec->object_size || spec->object_size > LARGEST_SIZE || spec->align > LARGEST_SIZE)
		return -EINVAL;
	result.align = km_slab_align(spec);
	lay_out_object(profile, spec, &result);
	if (spec->size_known)
		result.size = spec->size_known;
	if (result.size < WORD || result.size > LARGEST_SIZE)
		return -EINVAL;
	if (spec->order_known_plus_one)
		result.order = spec->order_known_plus_one - 1u;
	else if (profile->order_old)
		result.order = order_old(result.size, min_objects);
	else
		result.order = order_new(result.size, min_objects);
	result.min_order = km_get_order(result.size);
	if (result.order > KM_MAX_ORDER || result.order < result.min_order)
		return -EINVAL;
	result.objects = (uint32_t)((KM_PAGE_SIZE << result.order) / result.size);
	result.min_objects = (uint32_t)((KM_PAGE_SIZE << result.min_order) / result.size);
	if (result.objects > KM_SLAB_MAX_OBJECTS)
		return -EINVAL;
	set_limits(profile, spec->flags, &result);
	*geometry = result;
	return 0;
}
