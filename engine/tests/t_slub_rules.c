/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Single rules of SLUB's generations, each set up by hand: list ends and stop rules, page flags,
 * freelist order, sheaves, merging, bulk calls, seeding.
 */
#include "engine/tests/slub_machine.h"

#define FILLED_MAX 4096u

static struct test_machine *machine_of(const char *profile, unsigned cpus)
{
	return test_machine_new(km_profile_find(profile), cpus);
}

static uint64_t slab_base(uint64_t addr, unsigned order)
{
	return addr & ~((KM_PAGE_SIZE << order) - 1);
}

/* `slabs` slabs of a cache of 1 KiB objects (16 per order-2 slab), wholly in use. */
static void fill_slabs(struct test_machine *test, void *cache, unsigned slabs, uint64_t *addrs)
{
	for (unsigned i = 0; i < slabs * 16; i++)
		addrs[i] = test_alloc(test, cache, 0);
}

/*
 * 40 full slabs get one free object each from CPU 1, whose chain spills to the node, each time
 * `spilled` slabs, its head first. What CPU 2 then takes at once shows the stop rule.
 */
static void node_refill(const char *profile, unsigned spilled, unsigned expected_chain)
{
	static uint64_t addrs[FILLED_MAX];
	struct test_machine *test = machine_of(profile, TEST_CPUS);
	void *cache = test_cache(test, 1024, 0, KM_SLAB_NO_SHEAVES);
	struct km_cache_info before, after;
	uint64_t first;

	fill_slabs(test, cache, 40, addrs);
	test_alloc(test, cache, 0);
	for (unsigned i = 0; i < 40; i++)
		test_free(test, 1, addrs[i * 16]);
	before = test_info(test, cache);
	first = test_alloc(test, cache, 2);
	after = test_info(test, cache);
	TAP_EQ(slab_base(first, 2), slab_base(addrs[(spilled - 1) * 16], 2),
	       "%s: the newest slab of the first chain that spilled is used first", profile);
	TAP_EQ(before.partial - after.partial, 1 + expected_chain,
	       "%s: and so many come along as the stop rule says", profile);
	TAP_EQ(after.cpu_slabs - before.cpu_slabs, 1 + expected_chain, "%s: all of them to the CPU",
	       profile);
	TAP_OK(test_valid(test), "%s: valid", profile);
	test_machine_free(test);
}

/* Frees into full slabs: a chain of at most cpu_partial_slabs (3 here), or 5.15's objects. */
static void chain_limit(const char *profile, unsigned longest)
{
	static uint64_t addrs[FILLED_MAX];
	struct test_machine *test = machine_of(profile, 2);
	void *cache = test_cache(test, 1024, 0, 0);
	uint64_t most = 0;

	fill_slabs(test, cache, 20, addrs);
	test_alloc(test, cache, 1);
	for (unsigned i = 0; i < 20; i++) {
		struct km_cache_info info;

		test_free(test, 1, addrs[i * 16]);
		info = test_info(test, cache);
		/* CPU 0 has its full slab, CPU 1 its own */
		most = info.cpu_slabs - 2 > most ? info.cpu_slabs - 2 : most;
	}
	TAP_EQ(most, longest, "%s: the CPU partial chain is drained at its limit", profile);
	test_machine_free(test);
}

static void fast_paths(const char *profile)
{
	struct test_machine *test = machine_of(profile, 2);
	void *cache = test_cache(test, 256, 0, 0);
	struct km_counters *count = &test->env.count;
	uint64_t a = test_alloc(test, cache, 0), b;

	test_free(test, 0, a);
	b = test_alloc(test, cache, 0);
	TAP_OK(a == b, "%s: the object freed last comes back first", profile);
	TAP_EQ(count->slab_fast, 1, "%s: on the fast path", profile);
	TAP_EQ(count->slab_free_fast, 1, "%s: as it was freed", profile);
	TAP_EQ(count->slab_free_slow, 0, "%s: not on the slow one", profile);
	test_machine_free(test);
}

/* Objects freed to another CPU's slab come back when the owner has used up its own chain. */
static void remote_free(const char *profile)
{
	struct test_machine *test = machine_of(profile, 2);
	void *cache = test_cache(test, 256, 0, 0);
	uint64_t addrs[16], again;

	for (unsigned i = 0; i < 16; i++)
		addrs[i] = test_alloc(test, cache, 0);
	test_free(test, 1, addrs[3]);
	TAP_EQ(test_info(test, cache).partial, 0, "%s: a CPU slab is on no list", profile);
	again = test_alloc(test, cache, 0);
	TAP_OK(again == addrs[3], "%s: the object freed elsewhere is found again", profile);
	TAP_EQ(test->env.count.slab_refill, 1, "%s: by taking over the slab's chain", profile);
	test_machine_free(test);
}

static void page_flags(void)
{
	const uint32_t once = KM_GFP_NOWARN | KM_GFP_NORETRY | KM_GFP_COMP;
	struct test_machine *test = machine_of("6.12", 2);
	void *small = test_cache(test, 256, 0, 0);
	void *large = test_cache(test, 1024, 0, KM_SLAB_RECLAIM_ACCOUNT);

	slab_ops->alloc(test->machine.slab, small, 0,
			KM_GFP_KERNEL | KM_GFP_ZERO | KM_GFP_ACCOUNT | KM_GFP_MOVABLE, -1);
	TAP_EQ(test->pages.gfp[0], KM_GFP_KERNEL | once, "one page: the caller's reclaim flags");
	test->pages.fail_from_order = 2;
	test_alloc(test, large, 0);
	TAP_EQ(test->pages.gfp[1],
	       KM_GFP_IO | KM_GFP_FS | once | KM_GFP_NOMEMALLOC | KM_GFP_RECLAIMABLE,
	       "order 2 is first tried without reclaim");
	TAP_EQ(test->pages.order[1], 2, "at the preferred order");
	TAP_EQ(test->pages.gfp[0], KM_GFP_KERNEL | KM_GFP_COMP | KM_GFP_RECLAIMABLE,
	       "then as the caller asked");
	TAP_EQ(test->pages.order[0], 0, "at the smallest order");
	TAP_EQ(test_info(test, large).total_objects, 4, "which holds fewer objects");
	slab_ops->alloc(test->machine.slab, large, 1, KM_GFP_KERNEL | KM_GFP_NOFAIL, -1);
	TAP_OK(!(test->pages.gfp[1] & KM_GFP_NOFAIL) && test->pages.gfp[0] & KM_GFP_NOFAIL,
	       "only the last try may not fail");
	test->pages.fail_from_order = KM_NR_ORDERS;
	slab_ops->alloc(test->machine.slab, test_cache(test, 512, 0, 0), 0, KM_GFP_KERNEL, 0);
	TAP_EQ(test->pages.gfp[0],
	       KM_GFP_NOWAIT | KM_GFP_THISNODE | KM_GFP_NOWARN | KM_GFP_NORETRY | KM_GFP_COMP,
	       "6.12: an explicit node is tried with GFP_NOWAIT first");
	test_machine_free(test);

	test = machine_of("6.1", 2);
	slab_ops->alloc(test->machine.slab, test_cache(test, 256, 0, 0), 0, KM_GFP_KERNEL, 0);
	TAP_EQ(test->pages.gfp[0], KM_GFP_KERNEL | KM_GFP_NOWARN | KM_GFP_NORETRY,
	       "6.1: no such try, and no compound page of order 0");
	test_machine_free(test);
}

static void freelist_order(void)
{
	struct km_profile profile = *km_profile_find("6.1");
	struct test_machine *test;
	uint64_t last = 0, seen = 0;
	bool ascending = true;
	void *cache;

	profile.random_freelist = false;
	test = test_machine_new(&profile, 1);
	cache = test_cache(test, 64, 0, 0);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t addr = test_alloc(test, cache, 0);

		ascending &= i == 0 || addr == last + 64;
		last = addr;
	}
	TAP_OK(ascending, "without randomisation objects come in address order");
	test_machine_free(test);

	test = machine_of("6.1", 1);
	cache = test_cache(test, 64, 0, 0);
	ascending = true;
	for (unsigned i = 0; i < 64; i++) {
		uint64_t addr = test_alloc(test, cache, 0);

		ascending &= i == 0 || addr == last + 64;
		seen |= 1ull << (addr / 64 % 64);
		last = addr;
	}
	TAP_OK(!ascending && seen == UINT64_MAX, "with it they come in another, each once");
	test_machine_free(test);
}

/* The word in each of a slab's free objects; decoded, they are one chain. How many are decoded. */
static unsigned decode_chain(const struct test_machine *test, const uint64_t *addrs, unsigned n,
			     uint64_t secret)
{
	unsigned right = 0;

	for (unsigned i = 0; i < n; i++) {
		struct km_free_pointer pointer;

		if (slab_ops->free_pointer(test->machine.slab, addrs[i], &pointer))
			continue;
		right += (pointer.word ^ secret ^ __builtin_bswap64(pointer.at)) == pointer.next &&
			 pointer.next == (i ? addrs[i - 1] : 0);
	}
	return right;
}

/* All 64 objects of a slab, freed in order: each names the one before it, the first of them none.
 */
static void hardened_freelist(const char *kernel)
{
	struct test_machine *test = machine_of(kernel, 1);
	void *cache = test_cache(test, 64, 0, 0), *other = test_cache(test, 72, 0, 0);
	struct km_free_pointer pointer, elsewhere;
	uint64_t addrs[64], secret, twin;

	for (unsigned i = 0; i < 64; i++)
		addrs[i] = test_alloc(test, cache, 0);
	TAP_EQ(slab_ops->free_pointer(test->machine.slab, addrs[0], &pointer), -EFAULT,
	       "%s: an object in use has no free pointer", kernel);
	for (unsigned i = 0; i < 64; i++)
		slab_ops->free(test->machine.slab, 0, addrs[i]);
	slab_ops->free_pointer(test->machine.slab, addrs[0], &pointer);
	TAP_EQ(pointer.at, addrs[0] + 32, "%s: the free pointer lies in the middle", kernel);
	secret = pointer.word ^ __builtin_bswap64(pointer.at); /* the last names nothing */
	TAP_EQ(decode_chain(test, addrs, 64, secret), 64,
	       "%s: next ^ secret ^ the pointer's address, bytes reversed", kernel);
	twin = test_alloc(test, other, 0);
	slab_ops->free(test->machine.slab, 0, twin);
	slab_ops->free_pointer(test->machine.slab, twin, &elsewhere);
	TAP_OK((elsewhere.word ^ elsewhere.next ^ __builtin_bswap64(elsewhere.at)) != secret,
	       "%s: each cache has its secret", kernel);
	TAP_OK(slab_ops->stops_double_free(test->machine.slab, 0, addrs[63]),
	       "%s: what was freed last is not freed twice", kernel);
	TAP_OK(!slab_ops->stops_double_free(test->machine.slab, 0, addrs[62]),
	       "%s: what was freed before it may be", kernel);
	test_machine_free(test);
}

/* The same places with and without: the secret comes from a stream of its own. */
static void freelist_not_hardened(void)
{
	struct km_profile profile = *km_profile_find("6.1");
	struct test_machine *hardened = machine_of("6.1", 1), *test;
	void *cache = test_cache(hardened, 64, 0, 0), *own;
	struct km_free_pointer pointer;
	unsigned equal = 0;
	uint64_t addr = 0;

	profile.hardened_freelist = false;
	test = test_machine_new(&profile, 1);
	own = test_cache(test, 64, 0, 0);
	for (unsigned i = 0; i < 64; i++) {
		addr = test_alloc(test, own, 0);
		equal += addr == test_alloc(hardened, cache, 0);
	}
	TAP_EQ(equal, 64, "hardening moves no object");
	slab_ops->free(test->machine.slab, 0, addr);
	slab_ops->free_pointer(test->machine.slab, addr, &pointer);
	TAP_EQ(pointer.word, 0, "not hardened, the pointer is what lies there");
	TAP_OK(!slab_ops->stops_double_free(test->machine.slab, 0, addr),
	       "and an object may be freed twice in a row");
	test_machine_free(test);
	test_machine_free(hardened);
}

/* Another CPU's frees go to the slab's own chain, whose first object is another. */
static void hardened_on_another_cpu(void)
{
	struct test_machine *test = machine_of("6.1", 2);
	void *cache = test_cache(test, 64, 0, 0);
	uint64_t own = test_alloc(test, cache, 0), remote = test_alloc(test, cache, 0);

	slab_ops->free(test->machine.slab, 0, own);
	slab_ops->free(test->machine.slab, 1, remote);
	TAP_OK(slab_ops->stops_double_free(test->machine.slab, 1, remote) &&
		       !slab_ops->stops_double_free(test->machine.slab, 0, remote),
	       "an object freed remotely is first of the slab's chain");
	TAP_OK(slab_ops->stops_double_free(test->machine.slab, 0, own) &&
		       !slab_ops->stops_double_free(test->machine.slab, 1, own),
	       "and one freed by the slab's CPU of its chain");
	test_machine_free(test);
}

/*
 * Capacity 12 at 1 KiB. Filling takes whole slabs from the page layer; objects come out from the
 * end; a full main becomes the spare, then barn sheaves, ten at most; the eleventh flush reaches
 * the slabs.
 */
static void sheaves(void)
{
	static uint64_t addrs[FILLED_MAX];
	struct test_machine *test = machine_of("7.2", 2);
	void *cache = test_cache(test, 1024, 0, 0);
	struct km_counters *count = &test->env.count;
	struct km_cache_info info = test_info(test, cache);

	TAP_EQ(info.sheaf_capacity, 12, "7.2: 1 KiB objects come in sheaves of 12");
	TAP_EQ(info.cpu_partial, 0, "7.2: there are no CPU partials");
	for (unsigned i = 0; i < 13 * 12; i++)
		addrs[i] = test_alloc(test, cache, 0);
	TAP_EQ(count->sheaf_refill, 13, "13 times 12 objects are 13 refills");
	info = test_info(test, cache);
	TAP_EQ(info.slabs, 10, "for which 10 slabs of 16 are enough");
	TAP_EQ(info.objects - info.live, 0, "no object is left in a sheaf");
	/* main 12, spare 12, barn 10 * 12: the first flush comes with object 145 */
	for (unsigned i = 0; i < 12 * 12; i++)
		test_free(test, 0, addrs[i]);
	TAP_EQ(count->sheaf_flush, 0, "144 frees fit in main, spare and ten barn sheaves");
	TAP_EQ(test_info(test, cache).objects, 13 * 12, "where objects count as active");
	test_free(test, 0, addrs[12 * 12]);
	TAP_EQ(count->sheaf_flush, 1, "the next one flushes the spare");
	TAP_EQ(test_info(test, cache).objects, 12 * 12, "by its 12 objects");
	for (unsigned i = 0; i < 12 * 10 + 1 + 12; i++)
		test_alloc(test, cache, 0);
	TAP_EQ(count->sheaf_refill, 13, "all sheaves are used before the next refill");
	test_alloc(test, cache, 0);
	TAP_EQ(count->sheaf_refill, 14, "which comes exactly then");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

static void opt_in_sheaves(void)
{
	struct test_machine *test = machine_of("6.18", 2);
	struct km_cache_spec spec = {
		.name = "maple_node", .object_size = 256, .align = 256, .sheaf_capacity = 32};
	void *cache = slab_ops->cache_create(test->machine.slab, &spec);
	struct km_cache_info info;

	TAP_EQ(test_info(test, test_cache(test, 256, 0, 0)).sheaf_capacity, 0,
	       "6.18: a cache that does not ask has no sheaves");
	slab_ops->alloc(test->machine.slab, cache, 0, KM_GFP_NOWAIT, -1);
	TAP_EQ(test->env.count.sheaf_refill, 0, "6.18: who must not sleep fills no sheaf");
	test_alloc(test, cache, 0);
	info = test_info(test, cache);
	TAP_EQ(info.sheaf_capacity, 32, "6.18: one that asks has");
	TAP_EQ(test->env.count.sheaf_refill, 1, "6.18: who may sleep fills one");
	TAP_EQ(info.slabs, 3, "6.18: with 32 objects after the first, from slabs of 16");
	TAP_EQ(info.cpu_slabs, 1, "6.18: through the CPU slab");
	TAP_OK(test_valid(test), "6.18: valid");
	test_machine_free(test);
}

static void shrink_order(void)
{
	static uint64_t addrs[FILLED_MAX];
	struct test_machine *test = machine_of("6.1", 2);
	void *cache = test_cache(test, 1024, 0, 0);
	/* free objects of five slabs; the fifth becomes empty */
	static const unsigned nr_free[] = {5, 1, 3, 1, 16};
	uint64_t used[4];

	fill_slabs(test, cache, 5, addrs);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < nr_free[i]; j++)
			test_free(test, 1, addrs[i * 16 + j]);
	slab_ops->shrink(test->machine.slab, cache, 0);
	TAP_EQ(test_info(test, cache).slabs, 4, "shrink releases the empty slab");
	TAP_EQ(test_info(test, cache).partial, 4, "and leaves the others on the node");
	for (unsigned i = 0; i < 4; i++) {
		used[i] = slab_base(test_alloc(test, cache, i % 2), 2);
		slab_ops->shrink(test->machine.slab, cache, 0);
	}
	/* 2 1 0 spilled to the node, then the flush of CPU 1 added 3: of 1 and 3 the later leads */
	TAP_OK(used[0] == slab_base(addrs[48], 2) && used[1] == slab_base(addrs[16], 2),
	       "the fullest slabs are used first, equal ones in reverse");
	TAP_OK(used[2] == slab_base(addrs[32], 2) && used[3] == used[2], "then the next fullest");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/*
 * Two half-used CPU slabs (more than 32 objects free, so that shrink does not sort them) are
 * flushed, CPU 0's last: to the head, or to the tail if another CPU has freed into it.
 */
static void flushed_end(const char *profile, bool remote)
{
	struct test_machine *test = machine_of(profile, 2);
	void *cache = test_cache(test, 64, 0, 0);
	uint64_t mine = test_alloc(test, cache, 0), freed = test_alloc(test, cache, 0);
	uint64_t other = test_alloc(test, cache, 1), next;

	test_free(test, remote ? 1 : 0, freed);
	slab_ops->shrink(test->machine.slab, cache, 0);
	TAP_EQ(test_info(test, cache).partial, 2, "%s: both CPU slabs go to the node", profile);
	next = test_alloc(test, cache, 0);
	TAP_OK(slab_base(next, 0) == slab_base(remote ? other : mine, 0),
	       "%s: a flushed CPU slab goes to the %s", profile, remote ? "tail" : "head");
	TAP_OK(test_valid(test), "%s: valid", profile);
	test_machine_free(test);
}

static void merging(void)
{
	struct test_machine *test = machine_of("6.1", 2);
	struct km_cache_spec named = {.name = "pid", .object_size = 120, .align = 64};
	void *pid = slab_ops->cache_create(test->machine.slab, &named), *cred;
	struct km_profile apart = *km_profile_find("6.1");

	cred = test_cache(test, 128, 0, 0);
	TAP_OK(cred == pid, "a cache of the same stride and flags is the same cache");
	TAP_OK(strcmp(test_info(test, cred).name, "pid") == 0, "under its first name");
	TAP_EQ(test_info(test, cred).object_size, 128, "with the larger object size");
	TAP_OK(test_cache(test, 120, 0, 0) != pid, "8 bytes smaller is another cache");
	TAP_OK(test_cache(test, 128, 0, KM_SLAB_ACCOUNT) != pid, "accounted ones stay apart");
	TAP_OK(test_cache(test, 120, 64, KM_SLAB_TYPESAFE_BY_RCU) != pid, "so do RCU-typesafe");
	TAP_OK(test_cache(test, 128, 0, KM_SLAB_KMALLOC) != pid, "kmalloc classes");
	TAP_OK(test_cache(test, 128, 0, KM_SLAB_NO_MERGE) != pid, "and those that say so");
	named = (struct km_cache_spec){.name = "known", .object_size = 128, .size_known = 128};
	TAP_OK(slab_ops->cache_create(test->machine.slab, &named) != pid,
	       "a cache with recorded geometry is one by itself");
	test_machine_free(test);
	apart.merge = false;
	test = test_machine_new(&apart, 2);
	pid = test_cache(test, 128, 0, 0);
	TAP_OK(test_cache(test, 128, 0, 0) != pid, "slab_nomerge keeps all apart");
	test_machine_free(test);
}

static void bulk(const char *profile)
{
	struct test_machine *test = machine_of(profile, 2);
	void *cache = test_cache(test, 1024, 0, 0), *other = test_cache(test, 96, 0, 0);
	uint64_t addrs[200], more[100], mixed[6];
	unsigned distinct = 0;

	TAP_EQ(slab_ops->alloc_bulk(test->machine.slab, cache, 0, KM_GFP_KERNEL, 200, addrs), 200,
	       "%s: 200 objects at once", profile);
	for (unsigned i = 0; i < 200; i++) {
		bool again = false;

		for (unsigned j = 0; j < i; j++)
			again |= addrs[i] == addrs[j];
		distinct += !again;
	}
	TAP_EQ(distinct, 200, "%s: all different", profile);
	TAP_EQ(test_info(test, cache).live, 200, "%s: all live", profile);
	mixed[0] = mixed[3] = addrs[199];
	mixed[1] = test_alloc(test, other, 0);
	mixed[2] = 0;
	mixed[4] = addrs[198] + 8;
	mixed[5] = test_alloc(test, other, 0);
	slab_ops->free_bulk(test->machine.slab, 1, 6, mixed);
	TAP_EQ(test_info(test, cache).live, 199, "%s: a bulk free leaves out what is no object",
	       profile);
	TAP_EQ(test_info(test, other).live, 0, "%s: and may mix caches", profile);
	TAP_OK(test_valid(test), "%s: valid", profile);
	test->pages.fail_from_order = 0;
	TAP_EQ(slab_ops->alloc_bulk(test->machine.slab, cache, 0, KM_GFP_KERNEL, 100, more), 0,
	       "%s: out of memory: nothing", profile);
	TAP_EQ(test_info(test, cache).live, 199, "%s: and nothing is kept", profile);
	test->pages.fail_from_order = KM_NR_ORDERS;
	slab_ops->free_bulk(test->machine.slab, 0, 199, addrs);
	slab_ops->shrink(test->machine.slab, cache, 0);
	slab_ops->shrink(test->machine.slab, other, 0);
	TAP_OK(test_valid(test) && test->pages.held == 0, "%s: all goes back", profile);
	TAP_EQ(test->env.count.slab_free_fast + test->env.count.slab_free_slow, 202,
	       "%s: every object freed is counted once", profile);
	test_machine_free(test);
}

/* kmem_cache_free_bulk() works from the end of the array, slab by slab. */
static void bulk_groups(void)
{
	static uint64_t addrs[FILLED_MAX];
	struct test_machine *test = machine_of("6.1", 2);
	void *cache = test_cache(test, 1024, 0, 0);
	uint64_t list[5];

	fill_slabs(test, cache, 2, addrs);
	test_alloc(test, cache, 0);
	list[0] = addrs[16];
	list[1] = addrs[0];
	list[2] = addrs[1];
	list[3] = addrs[2];
	list[4] = addrs[17];
	slab_ops->free_bulk(test->machine.slab, 1, 5, list);
	/* the chain of CPU 1 is LIFO: A was pushed after B */
	TAP_EQ(slab_base(test_alloc(test, cache, 1), 2), slab_base(addrs[0], 2),
	       "groups are freed from the end of the array");
	TAP_EQ(test->env.count.slab_put_cpu_partial, 2, "a slab is put on the chain once");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

/*
 * Four slabs are partial, one less than min_partial. A fifth, full one is freed wholly, its last
 * object behind some of another slab. In one group it is kept; in two, the first makes it the
 * fifth partial slab and the second finds enough of them.
 */
static void look_ahead(unsigned foreign, unsigned discards)
{
	static uint64_t addrs[FILLED_MAX];
	struct test_machine *test = machine_of("7.2", 2);
	void *cache = test_cache(test, 1024, 0, KM_SLAB_NO_SHEAVES);
	uint64_t list[16 + 3];
	unsigned n = 0;

	fill_slabs(test, cache, 5, addrs);
	for (unsigned i = 0; i < 4; i++)
		test_free(test, 0, addrs[i * 16]);
	for (unsigned i = 0; i < 15; i++)
		list[n++] = addrs[4 * 16 + i];
	for (unsigned i = 0; i < foreign; i++)
		list[n++] = addrs[1 + i];
	list[n++] = addrs[4 * 16 + 15];
	slab_ops->free_bulk(test->machine.slab, 0, n, list);
	TAP_EQ(test->env.count.slab_discard, discards,
	       "a group reaches past %u foreign objects: %s", foreign, discards ? "no" : "yes");
	TAP_EQ(slab_base(test_alloc(test, cache, 0), 2), slab_base(addrs[0], 2),
	       "slabs that were full queue up at the tail");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

static void seeding(void)
{
	static const struct km_seed_slab slabs[] = {
		{5, KM_SEED_CPU_SLAB(1)}, {3, KM_SEED_NODE_PARTIAL},   {1, KM_SEED_CPU_PARTIAL(1)},
		{0, KM_SEED_FULL},        {2, KM_SEED_CPU_PARTIAL(1)}, {16, KM_SEED_NODE_PARTIAL},
	};
	static const struct km_slab_seed seed = {6, slabs};
	struct test_machine *test = machine_of("6.1", 2);
	void *cache = test_cache(test, 1024, 0, 0), *slub = test->machine.slab;
	struct km_counters before = test->env.count;
	uint64_t base[6];
	struct km_cache_info info;
	unsigned freed = 0;

	TAP_EQ(km_slub_seed(slub, cache, &seed, base), 0, "six slabs are seeded");
	info = test_info(test, cache);
	TAP_EQ(info.slabs, 6, "six there are");
	TAP_EQ(info.partial, 2, "two on the node");
	TAP_EQ(info.cpu_slabs, 3, "three with CPU 1");
	TAP_EQ(info.live, 6 * 16 - 27, "the other objects are in use");
	TAP_OK(memcmp(&before, &test->env.count, sizeof(before)) == 0, "no path was counted");
	TAP_OK(test_valid(test), "and the state is valid");
	for (unsigned i = 0; i < 5; i++)
		freed += slab_base(test_alloc(test, cache, 1), 2) == base[0];
	TAP_EQ(freed, 5, "the CPU slab is used first");
	TAP_EQ(slab_base(test_alloc(test, cache, 1), 2), base[2], "then the chain from its head");
	test_alloc(test, cache, 1);
	test_alloc(test, cache, 1);
	TAP_EQ(slab_base(test_alloc(test, cache, 1), 2), base[1], "then the node from its head");
	for (freed = 0; km_slub_free_seeded(slub, 0, base[3]) == 0;)
		freed++;
	TAP_EQ(freed, 16, "as many seeded objects can be freed as were in use");
	TAP_EQ(km_slub_free_seeded(slub, 0, base[3]), -EFAULT, "and no more");
	TAP_EQ(km_slub_free_seeded(slub, 0, base[1] + 4096), -EFAULT, "only by the slab's base");
	TAP_OK(test_valid(test), "valid");
	test_machine_free(test);
}

static void seeding_refused(void)
{
	struct test_machine *test = machine_of("6.1", 2), *sheaf = machine_of("7.2", 2);
	void *cache = test_cache(test, 1024, 0, 0), *later = test_cache(sheaf, 1024, 0, 0);
	struct km_seed_slab slabs[2] = {{4, KM_SEED_NODE_PARTIAL}, {1, KM_SEED_FULL}};
	struct km_slab_seed seed = {2, slabs};
	uint64_t base[2] = {1, 1};

	TAP_EQ(km_slub_seed(test->machine.slab, cache, &seed, base), -EINVAL,
	       "a full slab has no free object");
	slabs[1] = (struct km_seed_slab){17, KM_SEED_NODE_PARTIAL};
	TAP_EQ(km_slub_seed(test->machine.slab, cache, &seed, base), -EINVAL, "16 is the most");
	slabs[1] = (struct km_seed_slab){0, KM_SEED_NODE_PARTIAL};
	TAP_EQ(km_slub_seed(test->machine.slab, cache, &seed, base), -EINVAL,
	       "a partial slab has one at least");
	slabs[1] = (struct km_seed_slab){1, KM_SEED_CPU_SLAB(2)};
	TAP_EQ(km_slub_seed(test->machine.slab, cache, &seed, base), -EINVAL, "CPU 2 of 2");
	slabs[0] = slabs[1] = (struct km_seed_slab){1, KM_SEED_CPU_SLAB(0)};
	TAP_EQ(km_slub_seed(test->machine.slab, cache, &seed, base), -EINVAL,
	       "a CPU has one slab at a time");
	slabs[1] = (struct km_seed_slab){1, KM_SEED_CPU_PARTIAL(0)};
	TAP_EQ(km_slub_seed(sheaf->machine.slab, later, &seed, base), -EINVAL,
	       "7.2 has no CPU slabs");
	/* the second slab's first try fails, its second is at a smaller order */
	test->pages.fail_every = 2;
	TAP_EQ(km_slub_seed(test->machine.slab, cache, &seed, base), -ENOMEM,
	       "slabs smaller than the recorded ones do not do");
	TAP_OK(base[0] == 1 && base[1] == 1 && test->pages.held == 0 && test_valid(test) &&
		       test_info(test, cache).slabs == 0,
	       "a seed that fails leaves nothing behind");
	test_machine_free(test);
	test_machine_free(sheaf);
}

int main(void)
{
	/* cpu_partial_slabs 3: 3 / 2 + 1; 5.15: 1 + 1 + 1 + 1 > 6 / 2 objects are 4 slabs */
	node_refill("5.15", 7, 3);
	node_refill("6.1", 3, 2);
	node_refill("6.12", 3, 2);
	chain_limit("5.15", 7);
	chain_limit("6.6", 3);
	chain_limit("6.18", 3);
	for (unsigned i = 0; i < NR_TEST_PROFILES; i++) {
		fast_paths(test_profiles[i]);
		bulk(test_profiles[i]);
	}
	remote_free("5.15");
	remote_free("6.18");
	page_flags();
	freelist_order();
	hardened_freelist("5.15");
	hardened_freelist("6.12");
	freelist_not_hardened();
	hardened_on_another_cpu();
	sheaves();
	opt_in_sheaves();
	shrink_order();
	flushed_end("5.15", false);
	flushed_end("6.12", false);
	flushed_end("6.12", true);
	merging();
	bulk_groups();
	look_ahead(2, 0);
	look_ahead(3, 1);
	seeding();
	seeding_refused();
	return tap_done();
}
