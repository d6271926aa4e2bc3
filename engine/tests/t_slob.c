/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of SLOB one by one, worked out by hand from mm/slob.c of 6.1: first fit by address
 * within a page, the search over pages, the three lists, headers and alignment, joining, whole
 * pages.
 */
#define TEST_SLAB_OPS km_slob_slab_ops
#include "engine/slob.h"
#include "engine/tests/slub_machine.h"

static struct test_machine *machine(void)
{
	return test_machine_new(km_profile_find("6.1"), 1);
}

static uint64_t kmalloc(struct test_machine *test, uint64_t bytes)
{
	return slab_ops->kmalloc(test->machine.slab, 0, bytes, KM_GFP_KERNEL, -1);
}

static uint64_t offset(uint64_t addr)
{
	return addr & (KM_PAGE_SIZE - 1);
}

/* ---- the inside of a page ---- */

static unsigned fixed_units(const void *context, unsigned unit)
{
	(void)unit;
	return *(const unsigned *)context;
}

static void first_fit(void)
{
	static struct slob_page page;
	unsigned units = 10, blocks[204], fitted = 0;

	page.addr = KM_DIRECT_MAP_BASE;
	km_slob_page_init(&page);
	for (unsigned i = 0; i < 204; i++)
		blocks[i] = km_slob_page_take(&page, units, 2, 0);
	for (unsigned i = 0; i < 204; i++)
		fitted += blocks[i] == i * units;
	TAP_EQ(fitted, 204, "blocks follow one another from the start");
	TAP_EQ(page.units, 8, "eight units are left");
	TAP_EQ(km_slob_page_take(&page, units, 2, 0), KM_SLOB_NONE, "which is not enough");
	TAP_OK(km_slob_page_ok(&page, fixed_units, &units), "the page is whole");
	for (unsigned i = 0; i < 204; i += 2)
		km_slob_page_give(&page, blocks[i], units);
	TAP_OK(km_slob_page_ok(&page, fixed_units, &units), "with holes, too");
	TAP_EQ(km_slob_page_take(&page, units, 2, 0), 0, "the lowest hole is taken first");
	km_slob_page_give(&page, 0, units);
	for (unsigned i = 1; i < 204; i += 2)
		km_slob_page_give(&page, blocks[i], units);
	TAP_EQ(km_slob_page_take(&page, 2048, 2, 0), 0, "all free blocks have become one");
}

static void joining(void)
{
	static struct slob_page page;
	unsigned units = 1, taken = 0;

	page.addr = KM_DIRECT_MAP_BASE;
	km_slob_page_init(&page);
	while (km_slob_page_take(&page, 1, 2, 0) != KM_SLOB_NONE)
		taken++;
	TAP_EQ(taken, 2048, "a page holds 2048 objects of one unit");
	km_slob_page_give(&page, 7, 1);
	km_slob_page_give(&page, 5, 1);
	TAP_EQ(km_slob_page_take(&page, 3, 2, 0), KM_SLOB_NONE, "two holes beside an object");
	km_slob_page_give(&page, 6, 1);
	TAP_OK(km_slob_page_ok(&page, fixed_units, &units), "the page is whole");
	TAP_EQ(km_slob_page_take(&page, 3, 2, 0), 5, "are one with it gone");
}

static void alignment_inside(void)
{
	static struct slob_page page;

	page.addr = KM_DIRECT_MAP_BASE;
	km_slob_page_init(&page);
	TAP_EQ(km_slob_page_take(&page, 5, 8, 0), 0, "ten bytes at the start");
	TAP_EQ(km_slob_page_take(&page, 5, 64, 0), 32, "the next on a cache line");
	TAP_EQ(km_slob_page_take(&page, 5, 8, 0), 8, "what was skipped is free");
	TAP_EQ(km_slob_page_take(&page, 20, 32, 8), 44, "with a header before what is aligned");
}

/* ---- kmalloc ---- */

static void headers(void)
{
	struct test_machine *test = machine();
	uint64_t a = kmalloc(test, 10), b = kmalloc(test, 64), c = kmalloc(test, 200);

	TAP_EQ(offset(a), 8, "eight bytes before an object hold its size");
	TAP_EQ(offset(b), 64, "64 bytes are aligned to 64");
	TAP_EQ(offset(c), 136, "200 bytes to 8");
	TAP_EQ(offset(kmalloc(test, 16)), 32, "a gap before an aligned object is used");
	TAP_EQ(slab_ops->kmalloc_bytes(test->machine.slab, 10), 18, "10 bytes take 18");
	TAP_EQ(slab_ops->kmalloc_max(&test->machine), 4087, "objects are below a page less 8");
	TAP_EQ(test_free(test, 0, a - 8), -EFAULT, "the header is not an object");
	TAP_EQ(test_free(test, 0, b + 2), -EFAULT, "nor is an object's inside");
	TAP_EQ(test_free(test, 0, a), 0, "an object is");
	TAP_EQ(test_free(test, 0, a), -EFAULT, "once");
	TAP_OK(test_valid(test), "valid");
	TAP_EQ(test_machine_free(test), 0, "nothing is leaked");
}

/* Sizes below 256 and 1024 bytes, and others, do not share pages unless freed ones bring them. */
static void lists(void)
{
	struct test_machine *test = machine();
	uint64_t page = ~(KM_PAGE_SIZE - 1), small = kmalloc(test, 100), medium, large;

	medium = kmalloc(test, 300);
	large = kmalloc(test, 1500);
	TAP_OK((small & page) != (medium & page) && (medium & page) != (large & page) &&
		       (small & page) != (large & page),
	       "three sizes, three pages");
	TAP_EQ(kmalloc(test, 247) & page, small & page, "255 bytes with the header are small");
	TAP_EQ(kmalloc(test, 248) & page, medium & page, "256 are not");
	TAP_EQ(kmalloc(test, 1016) & page, large & page, "1024 are large");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/* The page that served last is looked at first. */
static void next_fit(void)
{
	struct test_machine *test = machine();
	uint64_t first[3], page = ~(KM_PAGE_SIZE - 1), searched;

	for (unsigned i = 0; i < 3; i++) { /* 4088 bytes a page: two of 2008 and 56 left */
		first[i] = kmalloc(test, 2000);
		kmalloc(test, 2000);
	}
	test_free(test, 0, first[0]);
	test_free(test, 0, first[1]);
	test_free(test, 0, first[2]);
	TAP_EQ(kmalloc(test, 1200) & page, first[2] & page, "the newest page comes first");
	TAP_EQ(kmalloc(test, 1900) & page, first[1] & page, "the next that has room");
	searched = test->env.count.slob_pages_searched;
	TAP_EQ(kmalloc(test, 1100) & page, first[0] & page,
	       "the search goes on behind it, not at the newest");
	TAP_OK(test->env.count.slob_pages_searched > searched, "and is counted");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

static void pages_come_back(void)
{
	struct test_machine *test = machine();
	uint64_t a = kmalloc(test, 2000), b = kmalloc(test, 2000);

	TAP_EQ(test->pages.held, 1, "two objects in one page");
	test_free(test, 0, a);
	TAP_EQ(test->pages.held, 1, "which stays for one");
	test_free(test, 0, b);
	TAP_EQ(test->pages.held, 0, "and goes with the last");
	test->pages.fail_from_order = 0;
	TAP_EQ(kmalloc(test, 100), 0, "no page: NULL");
	TAP_EQ(test->env.count.slab_fail, 1, "counted");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/* A page that was full goes to the list that fits the first object freed in it. */
static void list_by_freed_size(void)
{
	struct test_machine *test = machine();
	uint64_t addrs[40], page = ~(KM_PAGE_SIZE - 1);
	void *cache = test_cache(test, 128, 0, 0);

	for (unsigned i = 0; i < 32; i++)
		addrs[i] = test_alloc(test, cache, 0);
	test_free(test, 0, addrs[9]);
	TAP_EQ(test_alloc(test, cache, 0), addrs[9], "the hole is found again");
	test_free(test, 0, addrs[9]);
	TAP_OK((kmalloc(test, 300) & page) != (addrs[9] & page),
	       "but not by a larger size's search");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/* ---- caches ---- */

static void caches(void)
{
	struct test_machine *test = machine();
	void *odd = test_cache(test, 11, 0, 0);
	void *rcu = test_cache(test, 100, 0, KM_SLAB_TYPESAFE_BY_RCU);
	void *huge = test_cache(test, 5000, 0, 0);
	uint64_t a = test_alloc(test, odd, 0), b = test_alloc(test, odd, 0), c;

	TAP_OK(test_cache(test, 11, 0, 0) != odd, "caches are not merged");
	TAP_EQ(test_info(test, odd).size, 12, "eleven bytes are six units");
	TAP_EQ(offset(a), 0, "a cache's objects have no header");
	TAP_EQ(offset(b), 16, "and are aligned to a word");
	TAP_EQ(test_info(test, rcu).size, 124, "an RCU-typesafe object has a footer");
	TAP_OK(slab_ops->cache_of(test->machine.slab, b) == odd, "the owner is known");
	c = test_alloc(test, huge, 0);
	TAP_EQ(offset(c), 0, "5000 bytes are whole pages");
	TAP_EQ(test->pages.held, 3, "two of them");
	TAP_EQ(test_free(test, 0, c + 4096), -EFAULT, "which go back together");
	TAP_EQ(test_free(test, 0, c), 0, "by the first");
	TAP_EQ(test->pages.held, 1, "and did");
	TAP_EQ(test->pages.gfp[0], KM_GFP_KERNEL, "page flags are the caller's");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

int main(void)
{
	first_fit();
	joining();
	alignment_inside();
	headers();
	lists();
	next_fit();
	pages_come_back();
	list_by_freed_size();
	caches();
	return tap_done();
}
