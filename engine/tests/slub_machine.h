/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine by hand for slab-layer tests: host memory that is counted and can run out, and a page
 * layer of a bump pointer and free lists that can be told to fail.
 */
#ifndef SLUB_MACHINE_H
#define SLUB_MACHINE_H

#include <errno.h>
#include <kmlab/machine.h>
#include <kmlab/slab_state.h>
#include <stdlib.h>
#include <string.h>

#include "engine/models.h"
#include "engine/tests/tap.h"

/* The slab layer under test. */
#ifndef TEST_SLAB_OPS
#define TEST_SLAB_OPS km_slub_slab_ops
#endif

#define TEST_PAGES 16384u
#define TEST_FIRST_PFN 64u
#define TEST_CPUS 4u

static const char *const test_profiles[] = {"5.15", "6.1", "6.6", "6.12", "6.18", "7.2"};
#define NR_TEST_PROFILES (sizeof(test_profiles) / sizeof(test_profiles[0]))

struct test_pages {
	uint64_t next, held;
	uint64_t free[KM_NR_ORDERS][TEST_PAGES];
	unsigned nr_free[KM_NR_ORDERS];
	uint8_t order_plus_one[TEST_PAGES]; /* of the block in use that starts here */
	unsigned errors;                    /* frees of what was not allocated */
	unsigned fail_from_order;           /* orders from here up fail */
	unsigned fail_every;                /* of the calls, one in so many fails; 0 = none */
	unsigned calls;
	uint32_t gfp[4]; /* of the last calls, newest first */
	unsigned order[4];
};

struct test_machine {
	struct km_env env;
	struct km_machine machine;
	struct test_pages pages;
	size_t host_bytes;
	bool host_empty;
};

static void *test_host_alloc(void *context, size_t bytes)
{
	struct test_machine *test = context;
	size_t rounded = (bytes + 63) / 64 * 64;
	void *memory = test->host_empty ? NULL : aligned_alloc(64, rounded ? rounded : 64);

	if (memory) {
		memset(memory, 0, rounded);
		test->host_bytes += bytes;
	}
	return memory;
}

static void test_host_release(void *context, void *memory, size_t bytes)
{
	struct test_machine *test = context;

	test->host_bytes -= bytes;
	free(memory);
}

static km_pfn test_page_alloc(void *self, unsigned cpu, uint32_t gfp, unsigned order)
{
	struct test_pages *pages = self;
	uint64_t size = 1ull << order, pfn;

	(void)cpu;
	memmove(&pages->gfp[1], &pages->gfp[0], 3 * sizeof(pages->gfp[0]));
	memmove(&pages->order[1], &pages->order[0], 3 * sizeof(pages->order[0]));
	pages->gfp[0] = gfp;
	pages->order[0] = order;
	if (order >= pages->fail_from_order)
		return KM_PFN_NONE;
	if (pages->fail_every && ++pages->calls % pages->fail_every == 0)
		return KM_PFN_NONE;
	if (pages->nr_free[order]) {
		pfn = pages->free[order][--pages->nr_free[order]];
	} else {
		pfn = (pages->next + size - 1) & ~(size - 1);
		if (pfn + size > TEST_PAGES)
			return KM_PFN_NONE;
		pages->next = pfn + size;
	}
	pages->order_plus_one[pfn] = (uint8_t)(order + 1);
	pages->held += size;
	return (km_pfn){pfn};
}

static int test_page_free(void *self, unsigned cpu, km_pfn pfn, unsigned order)
{
	struct test_pages *pages = self;

	(void)cpu;
	if (pfn.value >= TEST_PAGES || pages->order_plus_one[pfn.value] != order + 1) {
		pages->errors++;
		return -EFAULT;
	}
	pages->order_plus_one[pfn.value] = 0;
	pages->held -= 1ull << order;
	pages->free[order][pages->nr_free[order]++] = pfn.value;
	return 0;
}

static const struct km_page_ops test_page_ops = {
	.name = "test",
	.alloc = test_page_alloc,
	.free = test_page_free,
};

static const struct km_model test_model = {
	.name = "test",
	.page = &test_page_ops,
	.slab = &TEST_SLAB_OPS,
	.route = KM_ROUTE_SLAB,
};

static const struct km_slab_ops *const slab_ops = &TEST_SLAB_OPS;

__attribute__((unused)) static struct test_machine *
test_machine_new(const struct km_profile *profile, unsigned cpus)
{
	struct test_machine *test = calloc(1, sizeof(*test));

	if (!test)
		abort();
	test->env.alloc = test_host_alloc;
	test->env.release = test_host_release;
	test->env.context = test;
	test->env.random_state = 42;
	test->pages.next = TEST_FIRST_PFN;
	test->pages.fail_from_order = KM_NR_ORDERS;
	test->machine.env = &test->env;
	test->machine.model = &test_model;
	test->machine.page = &test->pages;
	test->machine.max_pfn = TEST_PAGES;
	test->machine.spec.model = &test_model;
	test->machine.spec.profile = *profile;
	test->machine.spec.cpus = cpus;
	test->machine.spec.possible_cpus = cpus;
	if (slab_ops->create(&test->machine, &test->machine.slab))
		abort();
	return test;
}

/* Bytes of host memory that were not given back. */
__attribute__((unused)) static size_t test_machine_free(struct test_machine *test)
{
	size_t left;

	slab_ops->destroy(test->machine.slab);
	left = test->host_bytes;
	free(test);
	return left;
}

__attribute__((unused)) static void *test_cache(struct test_machine *test, uint32_t size,
						uint32_t align, uint32_t flags)
{
	struct km_cache_spec spec = {
		.name = "test", .object_size = size, .align = align, .flags = flags};
	void *cache = slab_ops->cache_create(test->machine.slab, &spec);

	if (!cache)
		abort();
	return cache;
}

__attribute__((unused)) static struct km_cache_info test_info(struct test_machine *test,
							      void *cache)
{
	struct km_cache_info info;

	slab_ops->cache_info(test->machine.slab, cache, &info);
	return info;
}

__attribute__((unused)) static uint64_t test_alloc(struct test_machine *test, void *cache,
						   unsigned cpu)
{
	return slab_ops->alloc(test->machine.slab, cache, cpu, KM_GFP_KERNEL, -1);
}

__attribute__((unused)) static int test_free(struct test_machine *test, unsigned cpu, uint64_t addr)
{
	return slab_ops->free(test->machine.slab, cpu, addr);
}

__attribute__((unused)) static bool test_valid(struct test_machine *test)
{
	uint64_t slab_pages, live_bytes;

	slab_ops->usage(test->machine.slab, &slab_pages, &live_bytes);
	return slab_ops->validate(test->machine.slab) == 0 && slab_pages == test->pages.held &&
	       test->pages.errors == 0;
}

#endif
