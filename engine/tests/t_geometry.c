/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cache geometry against /sys/kernel/slab of live kernels: 6.18 with 2 CPUs, Debian 6.1 with 1 and
 * 4 CPUs, 7.2 with 1; and sizes for which the two order formulas differ, worked out by hand.
 */
#include <errno.h>
#include <kmlab/machine.h>
#include <string.h>

#include "engine/tests/tap.h"

#define HW KM_SLAB_HWCACHE_ALIGN
#define RCU KM_SLAB_TYPESAFE_BY_RCU
#define CTOR KM_SLAB_CTOR

struct row {
	const char *name;
	uint32_t object, ask_align, flags, freeptr_plus_one;
	uint32_t size, align, order, objects, min_partial, cpu_partial, cpu_partial_slabs;
};

static void check_row(const char *profile, unsigned cpus, const struct row *row)
{
	struct km_cache_spec spec = {.object_size = row->object,
				     .align = row->ask_align,
				     .flags = row->flags,
				     .freeptr_offset = row->freeptr_plus_one};
	struct km_cache_geometry g;
	bool same;

	if (!TAP_OK(km_cache_geometry(km_profile_find(profile), cpus, &spec, &g) == 0,
		    "%s with %u CPUs has a geometry for %s", profile, cpus, row->name))
		return;
	same = g.size == row->size && g.align == row->align && g.order == row->order &&
	       g.objects == row->objects && g.min_partial == row->min_partial &&
	       g.cpu_partial == row->cpu_partial && g.cpu_partial_slabs == row->cpu_partial_slabs;
	if (!TAP_OK(same, "%s with %u CPUs: %s", profile, cpus, row->name))
		printf("# got size %u align %u order %u objects %u min_partial %u cpu_partial %u "
		       "slabs %u\n",
		       g.size, g.align, g.order, g.objects, g.min_partial, g.cpu_partial,
		       g.cpu_partial_slabs);
}

static void live_6_18(void)
{
	static const struct row rows[] = {
		{"kmalloc-8", 8, 8, 0, 0, 8, 8, 0, 512, 5, 120, 1},
		{"kmalloc-16", 16, 16, 0, 0, 16, 16, 0, 256, 5, 120, 1},
		{"kmalloc-32", 32, 32, 0, 0, 32, 32, 0, 128, 5, 120, 2},
		{"kmalloc-64", 64, 64, 0, 0, 64, 64, 0, 64, 5, 120, 4},
		{"kmalloc-96", 96, 32, 0, 0, 96, 32, 0, 42, 5, 120, 6},
		{"kmalloc-128", 128, 128, 0, 0, 128, 128, 0, 32, 5, 120, 8},
		{"kmalloc-192", 192, 64, 0, 0, 192, 64, 0, 21, 5, 120, 12},
		{"kmalloc-256", 256, 256, 0, 0, 256, 256, 0, 16, 5, 52, 7},
		{"kmalloc-512", 512, 512, 0, 0, 512, 512, 1, 16, 5, 52, 7},
		{"kmalloc-1k", 1024, 1024, 0, 0, 1024, 1024, 2, 16, 5, 24, 3},
		{"kmalloc-2k", 2048, 2048, 0, 0, 2048, 2048, 3, 16, 5, 24, 3},
		{"kmalloc-4k", 4096, 4096, 0, 0, 4096, 4096, 3, 8, 6, 6, 2},
		{"kmalloc-8k", 8192, 8192, 0, 0, 8192, 8192, 3, 4, 6, 6, 3},
		{"kmem_cache", 232, 0, HW, 0, 256, 64, 0, 16, 5, 52, 7},
		{"kmem_cache_node", 72, 0, HW, 0, 128, 64, 0, 32, 5, 120, 8},
		{"maple_node", 256, 256, 0, 0, 256, 256, 0, 16, 5, 52, 7},
		{"vm_area_struct", 192, 0, HW | RCU, 17, 192, 64, 0, 21, 5, 120, 12},
		{"filp", 184, 0, HW | RCU, 1, 192, 64, 0, 21, 5, 120, 12},
		{"inode_cache", 616, 0, CTOR, 0, 624, 8, 1, 13, 5, 52, 8},
		{"task_struct", 5840, 64, 0, 0, 5888, 64, 3, 5, 6, 6, 3},
		{"kvm_vcpu", 51488, 0, 0, 0, 51488, 8, 4, 1, 7, 6, 12},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row("6.18", 2, &rows[i]);
}

/* Sizes of the recorded vectors; {1 CPU, 4 CPUs} {order, objects}. */
static void recorded_6_1(void)
{
	static const struct {
		uint32_t object, align, size, order[2], objects[2], min_partial, cpu_partial;
	} rows[] = {
		{8, 0, 8, {0, 0}, {512, 512}, 5, 120},    {64, 64, 64, {0, 0}, {64, 64}, 5, 120},
		{96, 0, 96, {0, 0}, {42, 42}, 5, 120},    {256, 0, 256, {0, 0}, {16, 16}, 5, 52},
		{320, 0, 320, {0, 1}, {12, 25}, 5, 52},   {512, 0, 512, {0, 1}, {8, 16}, 5, 52},
		{700, 0, 704, {1, 2}, {11, 23}, 5, 52},   {1024, 0, 1024, {1, 2}, {8, 16}, 5, 24},
		{1200, 8, 1200, {2, 3}, {13, 27}, 5, 24}, {2048, 0, 2048, {2, 3}, {8, 16}, 5, 24},
		{2600, 0, 2600, {3, 3}, {12, 12}, 5, 24}, {4096, 0, 4096, {3, 3}, {8, 8}, 6, 6},
		{6000, 0, 6000, {3, 3}, {5, 5}, 6, 6},    {8192, 0, 8192, {3, 3}, {4, 4}, 6, 6},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned many = 0; many < 2; many++) {
			uint32_t objects = rows[i].objects[many], limit = rows[i].cpu_partial;
			struct row row = {.name = "recorded size",
					  .object = rows[i].object,
					  .ask_align = rows[i].align,
					  .size = rows[i].size,
					  .align = rows[i].align ? rows[i].align : 8,
					  .order = rows[i].order[many],
					  .objects = objects,
					  .min_partial = rows[i].min_partial,
					  .cpu_partial = limit,
					  .cpu_partial_slabs = (2 * limit + objects - 1) / objects};

			check_row("6.1", many ? 4 : 1, &row);
			row.cpu_partial = row.cpu_partial_slabs = 0;
			check_row("7.2", many ? 4 : 1, &row);
		}
	}
}

/*
 * 12000 bytes: two fill 24000 of 32768, wasting 8768, more than a quarter (8192) and less than
 * half. The old form gives up the second object, the new one accepts the waste.
 */
static void order_forms(void)
{
	static const struct row old = {"12000, old form", 12000, 0, 0, 0, 12000, 8, 2, 1, 6, 6, 12};
	static const struct row new = {"12000, new form", 12000, 0, 0, 0, 12000, 8, 3, 2, 6, 6, 6};
	static const struct row at_5_15[] = {
		{"256", 256, 0, 0, 0, 256, 8, 0, 16, 5, 13, 0},
		{"64", 64, 0, 0, 0, 64, 8, 0, 64, 5, 30, 0},
		{"1024", 1024, 0, 0, 0, 1024, 8, 2, 16, 5, 6, 0},
		{"8192", 8192, 0, 0, 0, 8192, 8, 3, 4, 6, 2, 0},
	};

	check_row("6.1", 2, &old);
	check_row("6.6", 2, &old);
	check_row("6.12", 2, &new);
	for (unsigned i = 0; i < sizeof(at_5_15) / sizeof(at_5_15[0]); i++)
		check_row("5.15", 2, &at_5_15[i]);
}

static void layout(void)
{
	const struct km_profile *profile = km_profile_find("6.12");
	struct km_cache_spec spec = {.object_size = 100};
	struct km_cache_geometry g;

	TAP_OK(km_cache_geometry(profile, 2, &spec, &g) == 0, "an odd object size is laid out");
	TAP_EQ(g.offset, 48, "the free pointer lies near the middle");
	TAP_EQ(g.inuse, 104, "metadata would start after the rounded object");
	spec.flags = RCU;
	km_cache_geometry(profile, 2, &spec, &g);
	TAP_EQ(g.offset, 104, "RCU-typesafe: the free pointer lies behind the object");
	TAP_EQ(g.size, 112, "and makes it longer");
	spec.freeptr_offset = 1;
	km_cache_geometry(profile, 2, &spec, &g);
	TAP_EQ(g.offset, 0, "a free-pointer offset of the cache's own is taken");
	TAP_EQ(g.size, 104, "and costs nothing");
	spec.flags = CTOR;
	km_cache_geometry(profile, 2, &spec, &g);
	TAP_EQ(g.size, 104, "with a constructor, too (7.2: ext4_inode_cache)");
	spec = (struct km_cache_spec){.object_size = 20, .flags = HW};
	km_cache_geometry(profile, 2, &spec, &g);
	TAP_EQ(g.align, 32, "cache-line alignment halves for small objects");
}

static void overrides(void)
{
	const struct km_profile *profile = km_profile_find("6.1");
	struct km_cache_spec spec = {
		.object_size = 600, .size_known = 1024, .order_known_plus_one = 4};
	struct km_cache_geometry g, before;

	TAP_OK(km_cache_geometry(profile, 2, &spec, &g) == 0, "a recorded geometry is taken");
	TAP_EQ(g.size, 1024, "recorded stride");
	TAP_EQ(g.order, 3, "recorded order");
	TAP_EQ(g.objects, 32, "objects follow from both");
	TAP_EQ(g.cpu_partial_slabs, 2, "and so does the CPU partial limit");
	before = g;
	spec.order_known_plus_one = 12;
	TAP_EQ(km_cache_geometry(profile, 2, &spec, &g), -EINVAL, "order 11 does not exist");
	spec.order_known_plus_one = 1;
	spec.size_known = 5000;
	TAP_EQ(km_cache_geometry(profile, 2, &spec, &g), -EINVAL, "the object must fit the order");
	spec = (struct km_cache_spec){.object_size = 8, .order_known_plus_one = 7};
	TAP_EQ(km_cache_geometry(profile, 2, &spec, &g), -EINVAL, "32768 objects are too many");
	spec = (struct km_cache_spec){.object_size = 0};
	TAP_EQ(km_cache_geometry(profile, 2, &spec, &g), -EINVAL, "an object has a size");
	spec = (struct km_cache_spec){.object_size = (4u << 20) + 1};
	TAP_EQ(km_cache_geometry(profile, 2, &spec, &g), -EINVAL, "no slab is above 4 MiB");
	TAP_OK(memcmp(&before, &g, sizeof(g)) == 0, "a refused spec leaves the result alone");
}

/* slab_debug=ZPU on kmalloc-64, worked out by hand: 72 with the red zone, 80 with the free pointer.
 */
static void debugged(void)
{
	static const struct {
		const char *profile;
		uint32_t flags, size;
	} rows[] = {
		/* 80 + 2 * 152 + 8 + 64 */
		{"5.15", KM_SLAB_DEBUG, 512},
		/* 80 + 2 * 32 + 4 + 8 + 64, and 8 instead of 4 */
		{"6.1", KM_SLAB_DEBUG, 256},
		{"6.12", KM_SLAB_DEBUG, 256},
		/* 72 + 8 + 64; the pointer inside */
		{"6.1", KM_SLAB_RED_ZONE, 192},
		{"6.1", KM_SLAB_POISON, 128},
		/* 64 + 64 + 4; 6.6 has the pointer outside then */
		{"6.1", KM_SLAB_STORE_USER, 192},
		{"6.6", KM_SLAB_STORE_USER, 192},
	};
	struct km_cache_spec spec = {.object_size = 64, .align = 64};
	struct km_cache_geometry g;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		spec.flags = KM_SLAB_KMALLOC | rows[i].flags;
		km_cache_geometry(km_profile_find(rows[i].profile), 2, &spec, &g);
		TAP_EQ(g.size, rows[i].size, "%s: kmalloc-64 debugged with 0x%x", rows[i].profile,
		       rows[i].flags);
		TAP_EQ(g.cpu_partial, 0, "no CPU keeps partial slabs of it");
	}
	TAP_EQ(g.offset, 64, "6.6: with user tracking the free pointer lies behind the object");
	spec = (struct km_cache_spec){.object_size = 100, .flags = KM_SLAB_RED_ZONE};
	km_cache_geometry(km_profile_find("6.12"), 2, &spec, &g);
	TAP_EQ(g.size, 104 + 8 + 8, "padding to a word serves as red zone, with one on the left");
}

int main(void)
{
	live_6_18();
	recorded_6_1();
	order_forms();
	layout();
	overrides();
	debugged();
	return tap_done();
}
