/* SPDX-License-Identifier: GPL-2.0-only */
/* Following a live kernel: counts of seeded slabs set later, choices foretold and forced. */
#include "engine/tests/slub_machine.h"

static struct test_machine *machine_of(const char *profile)
{
	return test_machine_new(km_profile_find(profile), 2);
}

static uint64_t slab_of(uint64_t addr)
{
	return addr & ~(uint64_t)(4 * KM_PAGE_SIZE - 1); /* 1 KiB objects: order 2 */
}

static void counts(const char *profile)
{
	struct test_machine *test = machine_of(profile);
	void *slub = test->machine.slab, *cache = test_cache(test, 1024, 0, 0);
	const struct km_seed_slab slabs[] = {
		{1, KM_SEED_NODE_PARTIAL}, {1, KM_SEED_NODE_PARTIAL}, {0, KM_SEED_FULL}};
	const struct km_slab_seed seed = {3, slabs};
	uint64_t base[3];
	unsigned got = 0;

	TAP_EQ(km_slub_seed(slub, cache, &seed, base), 0, "%s: three slabs", profile);
	TAP_EQ(slab_of(test_alloc(test, cache, 0)), base[0], "the first is used first");
	TAP_EQ(km_slub_seed_count(slub, base[0], 5), 0, "a CPU slab has five more");
	TAP_EQ(km_slub_seed_count(slub, base[1], 3), 0, "one on a chain has three");
	TAP_EQ(test_info(test, cache).live, 48 - 5 - 3, "the others are in use");
	TAP_OK(test_valid(test), "valid");
	for (; got < 5 && slab_of(test_alloc(test, cache, 0)) == base[0];)
		got++;
	TAP_EQ(got, 5, "five come from it");
	for (got = 0; got < 4 && slab_of(test_alloc(test, cache, 0)) == base[1];)
		got++;
	TAP_EQ(got, 3, "three from the other");
	TAP_EQ(km_slub_seed_count(slub, base[2], 1), -EINVAL, "a full slab is on no list");
	TAP_EQ(km_slub_seed_count(slub, base[0], 11), -EINVAL,
	       "what was handed out cannot be free");
	TAP_EQ(km_slub_seed_count(slub, base[0] + 4096, 1), -EFAULT, "no slab begins there");
	TAP_OK(test_valid(test), "valid after all that");
	test_machine_free(test);
}

static void choices(const char *profile)
{
	struct test_machine *test = machine_of(profile);
	void *slub = test->machine.slab, *cache = test_cache(test, 1024, 0, 0);
	const struct km_seed_slab slabs[] = {{2, KM_SEED_CPU_SLAB(0)},
					     {3, KM_SEED_CPU_PARTIAL(0)},
					     {4, KM_SEED_NODE_PARTIAL},
					     {5, KM_SEED_NODE_PARTIAL}};
	const struct km_slab_seed seed = {4, slabs};
	uint64_t base[4], next, fresh;

	TAP_EQ(km_slub_seed(slub, cache, &seed, base), 0, "%s: four slabs", profile);
	TAP_EQ(km_slub_next_slab(slub, cache, 0), base[0], "the CPU slab is next");
	TAP_EQ(km_slub_next_slab(slub, cache, 1), base[2], "or the first of the node");
	TAP_EQ(km_slub_switch_slab(slub, cache, 0, base[3], 1, true), 0, "the node's last instead");
	TAP_EQ(km_slub_next_slab(slub, cache, 0), base[3], "it is next now");
	TAP_EQ(slab_of(test_alloc(test, cache, 0)), base[3], "and taken");
	TAP_EQ(km_slub_next_slab(slub, cache, 1), base[0], "what was left late went to CPU 1");
	TAP_OK(test_valid(test), "valid");
	TAP_EQ(km_slub_switch_slab(slub, cache, 1, 0, 0, false), 0, "CPU 1 makes a new slab");
	TAP_EQ(km_slub_next_slab(slub, cache, 1), 0, "nothing is in its way");
	fresh = slab_of(test_alloc(test, cache, 1));
	TAP_OK(fresh != base[0] && fresh != base[1] && fresh != base[2] && fresh != base[3],
	       "it is new");
	TAP_EQ(test_info(test, cache).partial, 0, "what stood in the way is CPU 0's");
	TAP_EQ(km_slub_switch_slab(slub, cache, 1, base[1], 0, false), 0,
	       "a slab of CPU 0's chain");
	next = km_slub_next_slab(slub, cache, 1);
	TAP_EQ(next, base[1], "can be taken too");
	TAP_EQ(km_slub_switch_slab(slub, cache, 1, fresh, 0, false), -EINVAL,
	       "what was left unused up is full");
	TAP_EQ(km_slub_switch_slab(slub, cache, 0, base[2], 0, true), -EINVAL,
	       "late frees are another CPU's");
	TAP_EQ(km_slub_drop_slab(slub, 0, base[1]), 0, "a slab without live objects goes back");
	TAP_EQ(km_slub_drop_slab(slub, 0, base[3]), -EINVAL, "not one with a live object");
	TAP_EQ(test_info(test, cache).slabs, 4, "four are left");
	TAP_OK(test_valid(test), "valid at the end");
	test_machine_free(test);
}

int main(void)
{
	counts("6.1");
	counts("6.18");
	choices("6.1");
	choices("6.18");
	return tap_done();
}
