/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of the classic SLAB one by one, worked out by hand from mm/slab.c of 6.1: geometry,
 * arrays and batches, the shared array, order of the lists, limits, colours, freelists off the
 * slab, the reaper, page flags, kmalloc's classes.
 */
#define TEST_SLAB_OPS km_slab_slab_ops
#include "engine/kmalloc.h"
#include "engine/slab.h"
#include "engine/tests/slub_machine.h"

#define HW KM_SLAB_HWCACHE_ALIGN
#define SECOND 1000000000ull

static struct test_machine *machine_of(unsigned cpus)
{
	struct km_profile profile = *km_profile_find("6.1");
	struct test_machine *test;

	profile.random_freelist = false;
	test = test_machine_new(&profile, cpus);
	test->machine.kmalloc_max = KM_KMALLOC_MAX_CACHE;
	if (km_kmalloc_create_caches(&test->machine))
		abort();
	return test;
}

static const struct slab_cache *inside(const void *cache)
{
	return cache;
}

/* ---- geometry ---- */

static const struct {
	const char *name;
	uint32_t object, align, flags;
	struct km_slab_geometry want;
} geometry_rows[] = {
	/* size align order objects colours step freelist limit batch shared */
	{"kmalloc-32", 32, 32, 0, {32, 32, 0, 124, 0, 64, KM_FREELIST_ON_SLAB, 120, 60, 480}},
	{"kmalloc-64", 64, 64, 0, {64, 64, 0, 64, 0, 64, KM_FREELIST_IN_OBJECT, 120, 60, 480}},
	{"kmalloc-96", 96, 8, 0, {96, 8, 0, 42, 1, 64, KM_FREELIST_IN_OBJECT, 120, 60, 480}},
	{"kmalloc-192", 192, 8, 0, {192, 8, 0, 21, 1, 64, KM_FREELIST_IN_OBJECT, 120, 60, 480}},
	{"kmalloc-512", 512, 512, 0, {512, 512, 0, 8, 0, 512, KM_FREELIST_IN_OBJECT, 54, 27, 216}},
	{"kmalloc-2k",
	 2048,
	 2048,
	 0,
	 {2048, 2048, 0, 2, 0, 2048, KM_FREELIST_IN_OBJECT, 24, 12, 96}},
	{"kmalloc-4k",
	 4096,
	 4096,
	 0,
	 {4096, 4096, 0, 1, 0, 4096, KM_FREELIST_IN_OBJECT, 24, 12, 96}},
	{"kmalloc-8k", 8192, 8192, 0, {8192, 8192, 1, 1, 0, 8192, KM_FREELIST_IN_OBJECT, 8, 4, 0}},
	{"a word", 8, 0, 0, {16, 8, 0, 240, 0, 64, KM_FREELIST_ON_SLAB, 120, 60, 480}},
	{"dentry",
	 192,
	 8,
	 HW | KM_SLAB_RECLAIM_ACCOUNT,
	 {192, 64, 0, 21, 1, 64, KM_FREELIST_IN_OBJECT, 120, 60, 480}},
	{"radix_tree_node",
	 576,
	 0,
	 KM_SLAB_CTOR | KM_SLAB_RECLAIM_ACCOUNT,
	 {576, 8, 0, 7, 0, 64, KM_FREELIST_ON_SLAB, 54, 27, 216}},
	{"off the slab",
	 1024,
	 0,
	 KM_SLAB_CTOR,
	 {1024, 8, 0, 4, 0, 64, KM_FREELIST_OFF_SLAB, 54, 27, 216}},
	{"task_struct", 5840, 64, 0, {5888, 64, 1, 1, 36, 64, KM_FREELIST_IN_OBJECT, 8, 4, 0}},
	{"wasteful at order 0",
	 1400,
	 0,
	 0,
	 {1400, 8, 1, 5, 18, 64, KM_FREELIST_IN_OBJECT, 24, 12, 96}},
	{"wasteful, but reclaimable",
	 1400,
	 0,
	 KM_SLAB_RECLAIM_ACCOUNT,
	 {1400, 8, 0, 2, 20, 64, KM_FREELIST_IN_OBJECT, 24, 12, 96}},
	{"2 MiB", 2 << 20, 0, 0, {2 << 20, 8, 9, 1, 0, 64, KM_FREELIST_IN_OBJECT, 1, 1, 0}},
};

static void geometry(void)
{
	for (unsigned i = 0; i < sizeof(geometry_rows) / sizeof(geometry_rows[0]); i++) {
		struct km_cache_spec spec = {.object_size = geometry_rows[i].object,
					     .align = geometry_rows[i].align,
					     .flags = geometry_rows[i].flags};
		struct km_slab_geometry g = {0};

		TAP_EQ(km_slab_geometry(&spec, 4, false, &g), 0, "%s has a geometry",
		       geometry_rows[i].name);
		if (!TAP_OK(memcmp(&g, &geometry_rows[i].want, sizeof(g)) == 0,
			    "it is that of SLAB"))
			printf("# size %u align %u order %u objects %u colours %u step %u freelist "
			       "%u limit %u batch %u shared %u\n",
			       g.size, g.align, g.order, g.objects, g.colours, g.colour_step,
			       g.freelist, g.limit, g.batch, g.shared_limit);
	}
}

static void geometry_of_machines(void)
{
	struct km_cache_spec spec = {.object_size = 1400};
	struct km_slab_geometry g = {0}, before;

	km_slab_geometry(&spec, 4, true, &g);
	TAP_EQ(g.order, 0, "a machine of 32 MiB keeps to order 0");
	km_slab_geometry(&spec, 1, false, &g);
	TAP_EQ(g.shared_limit, 0, "one CPU shares with nobody");
	before = g;
	spec.object_size = (4u << 20) + 1;
	TAP_EQ(km_slab_geometry(&spec, 1, false, &g), -EINVAL, "no slab is above 4 MiB");
	spec.object_size = 0;
	TAP_EQ(km_slab_geometry(&spec, 1, false, &g), -EINVAL, "an object has a size");
	TAP_OK(memcmp(&before, &g, sizeof(g)) == 0, "a refused spec leaves the result alone");
}

/* ---- arrays ---- */

static void batches(void)
{
	static uint64_t addrs[100];
	struct test_machine *test = machine_of(2);
	void *cache = test_cache(test, 128, 0, KM_SLAB_NO_MERGE);
	struct km_cache_info info;

	addrs[0] = test_alloc(test, cache, 0);
	info = test_info(test, cache);
	TAP_EQ(info.objects, 16, "an idle CPU's first refill is 16 objects");
	TAP_EQ(info.partial, 1, "the slab has more");
	for (unsigned i = 1; i < 17; i++)
		addrs[i] = test_alloc(test, cache, 0);
	info = test_info(test, cache);
	TAP_EQ(info.slabs, 1, "the second takes the rest of the slab");
	TAP_EQ(info.objects, 32, "which is less than its batch, without a new slab");
	TAP_EQ(addrs[0] - addrs[15], 15 * 128, "objects of a batch come last first");
	test_free(test, 0, addrs[3]);
	TAP_EQ(test_alloc(test, cache, 0), addrs[3], "what was freed last is taken first");
	for (unsigned i = 17; i < 33; i++)
		test_alloc(test, cache, 0);
	info = test_info(test, cache);
	TAP_EQ(info.slabs, 2, "one more slab");
	TAP_EQ(info.objects, 64, "a busy CPU takes 60, or the whole new slab");
	TAP_OK(test_valid(test), "valid");
	TAP_EQ(test_machine_free(test), 0, "nothing is leaked");
}

/* CPU 0 allocates, CPU 1 frees: a full array's oldest batch goes to the shared array. */
static void shared_array(void)
{
	static uint64_t addrs[800];
	struct test_machine *test = machine_of(2);
	void *cache = test_cache(test, 128, 0, KM_SLAB_NO_MERGE);
	unsigned same = 0;

	for (unsigned i = 0; i < 760; i++)
		addrs[i] = test_alloc(test, cache, 0);
	for (unsigned i = 0; i < 120; i++)
		test_free(test, 1, addrs[i]);
	TAP_EQ(inside(cache)->shared->avail, 0, "120 objects fit a CPU's array");
	test_free(test, 1, addrs[120]);
	TAP_EQ(inside(cache)->shared->avail, 60, "one more moves 60 to the shared array");
	TAP_EQ(inside(cache)->cpu[1]->avail, 61, "the others stay");
	TAP_EQ(inside(cache)->free_objects, 0, "no slab saw them");
	while (inside(cache)->cpu[0]->avail)
		test_alloc(test, cache, 0);
	for (unsigned i = 60; i-- > 0;)
		same += test_alloc(test, cache, 0) == addrs[i];
	TAP_EQ(same, 60, "the other CPU gets them, the oldest batch's newest first");
	TAP_EQ(test->env.count.array_shared, 1, "in one refill");
	for (unsigned i = 121; i < 121 + 59 + 9 * 60; i++)
		test_free(test, 1, addrs[i]);
	TAP_EQ(inside(cache)->shared->avail, 480, "it holds eight batches");
	TAP_OK(inside(cache)->free_objects > 0, "then slabs get them back");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/* ---- lists ---- */

/* One CPU of a machine with one: no shared array, batches of 12 of 24, slabs of two objects. */
static void list_order(void)
{
	static uint64_t addrs[96];
	struct test_machine *test = machine_of(1);
	void *cache = test_cache(test, 2048, 0, KM_SLAB_NO_MERGE);
	const struct km_ring *link;

	for (unsigned i = 0; i < 60; i++)
		addrs[i] = test_alloc(test, cache, 0);
	while (inside(cache)->cpu[0]->avail)
		test_alloc(test, cache, 0);
	/* one object of each of 13 slabs: the 25th free of the array pushes 12 out */
	for (unsigned i = 0; i < 25; i++)
		test_free(test, 0, addrs[2 * i]);
	TAP_EQ(test_info(test, cache).partial, 12, "twelve slabs are partial");
	link = inside(cache)->partial.next;
	TAP_OK(((const struct slab *)link)->first == (addrs[0] & ~4095ull),
	       "in the order in which objects came back, the first at the head");
	test_free(test, 0, addrs[1]);
	TAP_EQ(inside(cache)->nr_free_slabs, 0, "its second object waits in the array");
	for (unsigned i = 0; i < 12; i++)
		test_alloc(test, cache, 0);
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/* (1 + CPUs) * batch + objects of one slab may be free; beyond that, free slabs go back. */
static void free_limit(void)
{
	static uint64_t addrs[200];
	struct test_machine *test = machine_of(1);
	void *cache = test_cache(test, 4096, 0, KM_SLAB_NO_MERGE);
	uint64_t held;

	TAP_EQ(inside(cache)->free_limit, 2 * 12 + 1, "the limit of free objects");
	for (unsigned i = 0; i < 100; i++)
		addrs[i] = test_alloc(test, cache, 0);
	held = test_info(test, cache).slabs;
	for (unsigned i = 0; i < 48; i++)
		test_free(test, 0, addrs[i]);
	TAP_EQ(inside(cache)->nr_free_slabs, 24, "24 free slabs are kept");
	TAP_EQ(test_info(test, cache).slabs, held, "all");
	for (unsigned i = 48; i < 100; i++)
		test_free(test, 0, addrs[i]);
	TAP_EQ(inside(cache)->nr_free_slabs, 25, "25 and no more");
	TAP_OK(test->env.count.slab_discard > 0, "the others' pages are back");
	TAP_OK(test_valid(test), "valid");
	slab_ops->shrink(test->machine.slab, cache, 0);
	TAP_EQ(test_info(test, cache).slabs, 0, "shrink gives all back");
	TAP_EQ(test->pages.held, 0, "really");
	test_machine_free(test);
}

/* ---- colours and freelists ---- */

static void colours(void)
{
	struct test_machine *test = machine_of(1);
	/* 4096 = 2 * 1920 + 256: five starts, 0 to 256 */
	void *cache = test_cache(test, 1920, 0, KM_SLAB_NO_MERGE);
	uint32_t want[6] = {64, 128, 192, 0, 64, 128};
	unsigned same = 0;

	TAP_EQ(inside(cache)->geometry.colours, 4, "four colours");
	for (unsigned i = 0; i < 6; i++) {
		uint64_t first;

		while (inside(cache)->nr_slabs == i)
			test_alloc(test, cache, 0);
		first = ((const struct slab *)inside(cache)->full.next)->first;
		same += first % 4096 == want[i];
	}
	TAP_EQ(same, 6, "each slab starts a line further, from the second on");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

static void freelist_off_slab(void)
{
	struct test_machine *test = machine_of(1);
	void *cache = test_cache(test, 1024, 0, KM_SLAB_CTOR);
	void *class = test->machine.kmalloc_caches[KM_KMALLOC_NORMAL][3];

	TAP_EQ(test_info(test, class).object_size, 32, "kmalloc-8 is kmalloc-32");
	TAP_EQ(test_info(test, class).live, 0, "nothing of it is in use");
	test_free(test, 0, test_alloc(test, cache, 0));
	TAP_EQ(test_info(test, class).live, 1, "a slab's freelist is");
	slab_ops->shrink(test->machine.slab, cache, 0);
	TAP_EQ(test_info(test, class).live, 0, "and goes with the slab");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/* ---- the reaper ---- */

static void reaper(void)
{
	static uint64_t addrs[120];
	struct test_machine *test = machine_of(1);
	void *cache = test_cache(test, 128, 0, KM_SLAB_NO_MERGE);
	const struct slab_array *array = inside(cache)->cpu[0];
	void *other = test_cache(test, 256, 0, KM_SLAB_NO_MERGE);

	for (unsigned i = 0; i < 120; i++)
		addrs[i] = test_alloc(test, cache, 0);
	while (array->avail)
		test_alloc(test, cache, 0);
	for (unsigned i = 0; i < 120; i++)
		test_free(test, 0, addrs[i]);
	TAP_EQ(array->avail, 120, "the array is full");
	test->env.time_ns = SECOND;
	test_alloc(test, other, 0);
	TAP_EQ(array->avail, 120, "a second later it is left alone, having been used");
	test->env.time_ns = 3 * SECOND;
	test_alloc(test, other, 0);
	TAP_EQ(array->avail, 96, "two seconds later a fifth of its limit goes back");
	test->env.time_ns = 9 * SECOND;
	test_alloc(test, other, 0);
	TAP_EQ(array->avail, 24, "and so on");
	test_alloc(test, cache, 0);
	test->env.time_ns = 11 * SECOND;
	test_alloc(test, other, 0);
	TAP_EQ(array->avail, 23, "until it is used again");
	test->env.time_ns = 13 * SECOND;
	test_alloc(test, other, 0);
	TAP_EQ(array->avail, 11, "half of what is left, where that is less than a fifth");
	TAP_OK(test->env.count.array_reap >= 5, "each is counted");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/* ---- pages, merging, kmalloc ---- */

static void page_flags(void)
{
	struct test_machine *test = machine_of(1);
	void *cache = test_cache(test, 8000, 0, KM_SLAB_RECLAIM_ACCOUNT);
	uint32_t gfp = KM_GFP_KERNEL | KM_GFP_ZERO | KM_GFP_ACCOUNT | KM_GFP_NOFAIL;

	test->pages.fail_every = 2;
	test->pages.calls = 1;
	TAP_OK(slab_ops->alloc(test->machine.slab, cache, 0, gfp, -1) != 0,
	       "an allocation whose first page call fails");
	TAP_EQ(test->pages.gfp[1],
	       KM_GFP_KERNEL | KM_GFP_NOWARN | KM_GFP_THISNODE | KM_GFP_COMP | KM_GFP_RECLAIMABLE,
	       "at first from this node, quietly");
	TAP_EQ(test->pages.gfp[0], KM_GFP_KERNEL | KM_GFP_NOFAIL | KM_GFP_COMP | KM_GFP_RECLAIMABLE,
	       "then as the caller said");
	TAP_EQ(test_info(test, cache).live, 1, "one object");
	test->pages.fail_every = 1;
	TAP_EQ(test_alloc(test, cache, 0), 0, "no page at all: NULL");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

static void merging(void)
{
	struct test_machine *test = machine_of(1);
	void *a = test_cache(test, 200, 8, 0);

	TAP_OK(test_cache(test, 200, 8, 0) == a, "caches of one geometry are one");
	TAP_OK(test_cache(test, 200, 64, 0) != a, "not with a stricter alignment");
	TAP_OK(test_cache(test, 200, 8, KM_SLAB_RECLAIM_ACCOUNT) != a, "nor another page type");
	TAP_OK(test_cache(test, 200, 8, KM_SLAB_CTOR) != a, "nor a constructor");
	test_machine_free(test);
}

static void kmalloc_sizes(void)
{
	static const struct {
		const char *profile;
		uint64_t bytes, placed;
	} rows[] = {{"6.1", 1, 32},        {"6.1", 33, 64},
		    {"6.1", 8192, 8192},   {"6.1", 8193, 16384},
		    {"5.15", 8193, 16384}, {"5.15", 70000, 131072},
		    {"5.15", 1, 32},       {"5.15", 4u << 20, 4u << 20}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct test_machine *test = machine_of(1);

		test->machine.spec.profile = *km_profile_find(rows[i].profile);
		if (!slab_ops->kmalloc_max(&test->machine))
			abort();
		TAP_EQ(slab_ops->kmalloc_max(&test->machine) >= rows[i].bytes,
		       rows[i].bytes <= 8192 || rows[i].profile[0] == '5', "%s: kmalloc(%llu) %s",
		       rows[i].profile, (unsigned long long)rows[i].bytes,
		       rows[i].bytes <= 8192 ? "is an object" : "is one, or pages");
		test_machine_free(test);
	}
}

int main(void)
{
	geometry();
	geometry_of_machines();
	batches();
	shared_array();
	list_order();
	free_limit();
	colours();
	freelist_off_slab();
	reaper();
	page_flags();
	merging();
	kmalloc_sizes();
	return tap_done();
}
