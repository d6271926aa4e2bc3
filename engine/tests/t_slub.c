/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What holds for any sequence of calls on the SLUB model, for every profile: a shadow map of the
 * address space sees that live objects never overlap and lie in their slab, counts agree with the
 * shadow, wrong frees change nothing, lost memory is survived, everything goes back in the end.
 */
#include "engine/tests/slub_machine.h"

#define NR_CACHES 9u
#define NR_SLOTS 3000u
#define STEPS 40000u
#define GRANULE 8u

struct shadow {
	struct test_machine *test;
	void *cache[NR_CACHES];
	struct km_cache_info info[NR_CACHES];
	struct {
		uint64_t addr;
		unsigned cache;
	} slot[NR_SLOTS];
	uint64_t live[NR_CACHES];
	uint8_t used[TEST_PAGES * KM_PAGE_SIZE / GRANULE];
	uint64_t random;
	unsigned overlaps, misplaced, refused, failures;
};

static unsigned pick(struct shadow *shadow, unsigned limit)
{
	shadow->random = shadow->random * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((shadow->random >> 33) % limit);
}

static void mark(struct shadow *shadow, uint64_t addr, unsigned cache, bool used)
{
	uint64_t first = (addr - KM_DIRECT_MAP_BASE) / GRANULE;

	for (uint64_t i = 0; i < (shadow->info[cache].object_size + GRANULE - 1) / GRANULE; i++) {
		shadow->overlaps += shadow->used[first + i] == used;
		shadow->used[first + i] = used;
	}
}

static void check_place(struct shadow *shadow, uint64_t addr, unsigned cache)
{
	const struct km_cache_info *info = &shadow->info[cache];
	uint64_t pfn = (addr - KM_DIRECT_MAP_BASE) >> KM_PAGE_SHIFT, slab;

	while (!shadow->test->pages.order_plus_one[pfn])
		pfn--;
	slab = km_pfn_to_addr((km_pfn){pfn});
	if ((addr - slab) % info->size || addr % (info->align & -info->align) ||
	    addr + info->size >
		    slab + (KM_PAGE_SIZE << (shadow->test->pages.order_plus_one[pfn] - 1)) ||
	    slab_ops->cache_of(shadow->test->machine.slab, addr) != shadow->cache[cache])
		shadow->misplaced++;
}

static void take(struct shadow *shadow, unsigned slot, unsigned cpu)
{
	unsigned cache = pick(shadow, NR_CACHES);
	uint64_t addr = test_alloc(shadow->test, shadow->cache[cache], cpu);

	if (!addr) {
		shadow->failures++;
		return;
	}
	check_place(shadow, addr, cache);
	mark(shadow, addr, cache, true);
	shadow->slot[slot].addr = addr;
	shadow->slot[slot].cache = cache;
	shadow->live[cache]++;
}

static void give(struct shadow *shadow, unsigned slot, unsigned cpu)
{
	uint64_t addr = shadow->slot[slot].addr;

	mark(shadow, addr, shadow->slot[slot].cache, false);
	shadow->live[shadow->slot[slot].cache]--;
	shadow->slot[slot].addr = 0;
	if (test_free(shadow->test, cpu, addr))
		shadow->refused++;
}

/* Mostly growing, then mostly shrinking, in turns; a third of the frees on any CPU. */
static void run(struct shadow *shadow, unsigned steps)
{
	for (unsigned step = 0; step < steps; step++) {
		unsigned slot = pick(shadow, NR_SLOTS);
		bool growing = (step / 5000) % 2 == 0;

		if (shadow->slot[slot].addr)
			give(shadow, slot,
			     pick(shadow, 3) ? slot % TEST_CPUS : pick(shadow, TEST_CPUS));
		else if (growing || pick(shadow, 4) == 0)
			take(shadow, slot, slot % TEST_CPUS);
	}
}

static bool counts_agree(struct shadow *shadow)
{
	uint64_t pages, bytes, expected = 0;

	for (unsigned i = 0; i < NR_CACHES; i++) {
		struct km_cache_info info = test_info(shadow->test, shadow->cache[i]);

		expected += shadow->live[i] * info.size;
		if (info.live != shadow->live[i] || info.objects < info.live ||
		    info.objects > info.total_objects)
			return false;
	}
	slab_ops->usage(shadow->test->machine.slab, &pages, &bytes);
	return bytes == expected && test_valid(shadow->test);
}

static struct shadow *shadow_new(const char *profile)
{
	static const struct km_cache_spec specs[NR_CACHES] = {
		{.name = "a", .object_size = 8},
		{.name = "b", .object_size = 96, .align = 32},
		{.name = "c", .object_size = 192, .flags = KM_SLAB_HWCACHE_ALIGN},
		{.name = "d", .object_size = 256, .align = 256, .sheaf_capacity = 32},
		{.name = "e", .object_size = 700, .flags = KM_SLAB_CTOR},
		{.name = "f", .object_size = 1024, .flags = KM_SLAB_NO_SHEAVES},
		{.name = "g", .object_size = 2600},
		{.name = "h", .object_size = 8192, .flags = KM_SLAB_RECLAIM_ACCOUNT},
		{.name = "i", .object_size = 12000},
	};
	struct shadow *shadow = calloc(1, sizeof(*shadow));

	if (!shadow)
		abort();
	shadow->test = test_machine_new(km_profile_find(profile), TEST_CPUS);
	shadow->random = 7;
	for (unsigned i = 0; i < NR_CACHES; i++) {
		shadow->cache[i] = slab_ops->cache_create(shadow->test->machine.slab, &specs[i]);
		if (!shadow->cache[i])
			abort();
		shadow->info[i] = test_info(shadow->test, shadow->cache[i]);
	}
	return shadow;
}

static void empty_out(struct shadow *shadow, const char *profile)
{
	uint64_t slabs = 0;

	for (unsigned slot = 0; slot < NR_SLOTS; slot++)
		if (shadow->slot[slot].addr)
			give(shadow, slot, slot % TEST_CPUS);
	TAP_OK(counts_agree(shadow), "%s: all freed, counts agree", profile);
	for (unsigned i = 0; i < NR_CACHES; i++) {
		slab_ops->shrink(shadow->test->machine.slab, shadow->cache[i], i % TEST_CPUS);
		slabs += test_info(shadow->test, shadow->cache[i]).slabs;
	}
	TAP_EQ(slabs, 0, "%s: shrunk, no slab is left", profile);
	TAP_EQ(shadow->test->pages.held, 0, "%s: and no page", profile);
	TAP_OK(test_valid(shadow->test), "%s: empty caches are valid", profile);
}

static void wrong_frees(struct shadow *shadow, const char *profile)
{
	struct km_counters before = shadow->test->env.count;
	unsigned slot = 0, accepted = 0;
	uint64_t addr;

	while (!shadow->slot[slot].addr || shadow->slot[slot].cache != 1)
		slot++;
	addr = shadow->slot[slot].addr;
	accepted += test_free(shadow->test, 0, addr + 8) != -EFAULT;
	accepted += test_free(shadow->test, 0, addr | (KM_PAGE_SIZE - 1)) != -EFAULT;
	accepted += test_free(shadow->test, 0, 0) != -EFAULT;
	accepted += test_free(shadow->test, 0, 16) != -EFAULT;
	accepted += test_free(shadow->test, 0, KM_VMALLOC_START) != -EFAULT;
	accepted += test_free(shadow->test, 0, KM_DIRECT_MAP_BASE) != -EFAULT;
	accepted += test_free(shadow->test, 0, km_pfn_to_addr((km_pfn){TEST_PAGES})) != -EFAULT;
	TAP_EQ(accepted, 0, "%s: addresses that are no objects are refused", profile);
	TAP_OK(memcmp(&before, &shadow->test->env.count, sizeof(before)) == 0 &&
		       counts_agree(shadow),
	       "%s: and nothing has changed", profile);
	give(shadow, slot, 1);
	for (unsigned cpu = 0; cpu < TEST_CPUS; cpu++)
		accepted += test_free(shadow->test, cpu, addr) != -EFAULT;
	TAP_EQ(accepted, 0, "%s: a double free is refused on every CPU", profile);
	TAP_OK(counts_agree(shadow), "%s: and the state is as it was", profile);
}

static void out_of_memory(struct shadow *shadow, const char *profile)
{
	uint64_t failed = shadow->test->env.count.slab_fail;

	shadow->failures = 0;
	shadow->test->pages.fail_every = 2;
	run(shadow, 10000);
	TAP_OK(counts_agree(shadow), "%s: every second page request fails, counts agree", profile);
	shadow->test->pages.fail_from_order = 0;
	run(shadow, 10000);
	TAP_OK(shadow->failures > 0, "%s: no pages at all, allocations fail", profile);
	TAP_EQ(shadow->test->env.count.slab_fail - failed, shadow->failures,
	       "%s: and each failure is counted", profile);
	TAP_OK(counts_agree(shadow), "%s: and the state is valid", profile);
	shadow->test->pages.fail_every = 0;
	shadow->test->pages.fail_from_order = 1;
	run(shadow, 10000);
	TAP_OK(shadow->test->env.count.slab_fallback_order > 0,
	       "%s: only single pages, smaller slabs are made", profile);
	TAP_OK(counts_agree(shadow), "%s: mixed slab sizes are valid", profile);
	shadow->test->pages.fail_from_order = KM_NR_ORDERS;
	shadow->test->host_empty = true;
	run(shadow, 10000);
	shadow->test->host_empty = false;
	TAP_OK(counts_agree(shadow), "%s: no host memory, counts agree", profile);
}

static void properties(const char *profile)
{
	struct shadow *shadow = shadow_new(profile);
	bool agree = true;

	for (unsigned i = 0; i < 8; i++) {
		run(shadow, STEPS / 8);
		agree &= counts_agree(shadow);
	}
	TAP_OK(agree, "%s: counts agree with the shadow along the way", profile);
	wrong_frees(shadow, profile);
	out_of_memory(shadow, profile);
	TAP_EQ(shadow->overlaps, 0, "%s: live objects never overlap", profile);
	TAP_EQ(shadow->misplaced, 0, "%s: every object lies in a slab of its cache, aligned",
	       profile);
	TAP_EQ(shadow->refused, 0, "%s: every live object can be freed", profile);
	empty_out(shadow, profile);
	TAP_EQ(test_machine_free(shadow->test), 0, "%s: all host memory goes back", profile);
	free(shadow);
}

static uint64_t fingerprint(const char *profile, uint64_t seed)
{
	struct shadow *shadow = shadow_new(profile);
	uint64_t hash = 0;

	shadow->test->env.random_state = seed;
	run(shadow, 5000);
	for (unsigned slot = 0; slot < NR_SLOTS; slot++)
		hash = hash * 31 + shadow->slot[slot].addr;
	test_machine_free(shadow->test);
	free(shadow);
	return hash;
}

int main(void)
{
	for (unsigned i = 0; i < NR_TEST_PROFILES; i++) {
		properties(test_profiles[i]);
		TAP_OK(fingerprint(test_profiles[i], 1) == fingerprint(test_profiles[i], 1) &&
			       fingerprint(test_profiles[i], 1) != fingerprint(test_profiles[i], 2),
		       "%s: the seed alone decides the addresses", test_profiles[i]);
	}
	return tap_done();
}
