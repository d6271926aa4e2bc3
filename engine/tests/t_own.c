/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What SLUB allocates for itself: sheaves and barns (6.18, 7.2), vectors of memory cgroups. Sizes
 * and flags as the tracepoint shows them on 6.1 and 7.2; engine/oracle has whole programs of it.
 */
#include <kmlab/machine.h>
#include <stdio.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"

#define CPUS 2u
#define SEEN 64u

struct own {
	uint64_t bytes;
	uint32_t gfp;
};

static struct test {
	struct test_host host;
	struct km_env env;
	struct km_machine *machine;
	struct own seen[SEEN];
	unsigned nr, frees;
} t;

static void see(void *watcher, uint64_t bytes, uint32_t gfp)
{
	struct test *test = watcher;

	if (!bytes)
		test->frees++;
	else if (test->nr < SEEN)
		test->seen[test->nr++] = (struct own){bytes, gfp};
}

static void begin_on(const struct km_model *model, const char *kernel, unsigned memcg)
{
	struct km_machine_spec spec = {.model = model,
				       .profile = *km_profile_find(kernel),
				       .cpus = CPUS,
				       .possible_cpus = 4,
				       .memory_bytes = 64 << 20};

	spec.profile.merge = false;
	spec.profile.memcg = (uint8_t)memcg;
	memset(&t, 0, sizeof(t));
	test_host_env(&t.env, &t.host, 1);
	if (km_machine_create(&t.env, &spec, &t.machine))
		abort();
	t.machine->watch_own = see;
	t.machine->watcher = &t;
}

static void begin(const char *kernel, unsigned memcg)
{
	begin_on(km_model_find("slub"), kernel, memcg);
}

static void end(const char *what)
{
	TAP_EQ(km_machine_validate(t.machine), 0, "%s: valid", what);
	km_machine_destroy(t.machine);
	TAP_EQ(t.host.live_blocks, 0, "%s: host memory comes back", what);
}

static void *cache(uint32_t size, uint32_t flags, uint32_t sheaf_capacity)
{
	const struct km_cache_spec spec = {.name = "test",
					   .object_size = size,
					   .flags = flags,
					   .sheaf_capacity = sheaf_capacity};
	void *handle = km_cache_create(t.machine, &spec);

	if (!handle)
		abort();
	return handle;
}

static uint64_t take(void *handle, uint32_t gfp)
{
	return km_cache_alloc(t.machine, handle, 0, gfp, -1);
}

/* How many of the kmallocs since `from` are of that kind. */
static unsigned count(unsigned from, uint64_t bytes, uint32_t gfp)
{
	unsigned n = 0;

	for (unsigned i = from; i < t.nr; i++)
		n += t.seen[i].bytes == bytes && t.seen[i].gfp == gfp;
	return n;
}

static void sheaves_7_2(void)
{
	uint64_t objects[61], live, pages;
	unsigned before, frees;
	void *small;

	begin("7.2", KM_MEMCG_NONE);
	TAP_EQ(t.env.count.slab_own_alloc, 0, "7.2: the classes' first sheaves are the boot's");
	small = cache(100, 0, 0);
	TAP_EQ(count(0, 48, KM_GFP_KERNEL | KM_GFP_ZERO), 1, "7.2: a new cache has a barn");
	TAP_EQ(count(0, 512, KM_GFP_KERNEL | KM_GFP_ZERO), 4,
	       "7.2: and a sheaf of 60 for each CPU that is possible");
	t.machine->model->slab->usage(t.machine->slab, &pages, &live);
	TAP_EQ(live, 0, "7.2: which are not objects of a caller's");
	TAP_OK(pages > 0, "7.2: but fill slabs");
	before = t.nr;
	objects[0] = take(small, KM_GFP_NOWAIT | KM_GFP_ACCOUNT | KM_GFP_THISNODE);
	TAP_EQ(t.nr - before, 1, "7.2: the first object needs one more");
	TAP_EQ(count(before, 512, KM_GFP_NOWAIT | KM_GFP_ZERO), 1,
	       "7.2: by the caller's flags without those that speak of the object");
	for (unsigned i = 1; i <= 60; i++)
		objects[i] = take(small, KM_GFP_KERNEL);
	before = t.nr;
	for (unsigned i = 0; i <= 60; i++)
		km_kfree(t.machine, 0, objects[i]);
	TAP_EQ(t.nr - before, count(before, 512, KM_GFP_NOWARN | KM_GFP_ZERO),
	       "7.2: a free's sheaf wakes nobody");
	before = t.nr;
	frees = t.frees;
	TAP_EQ(km_cache_destroy(t.machine, small, 0), 0, "7.2: the cache is destroyed");
	TAP_EQ(t.frees, before, "7.2: all that it had is freed (%u before)", frees);
	end("7.2");
}

static void sheaves_6_18(void)
{
	void *nodes;

	begin("6.18", KM_MEMCG_NONE);
	nodes = cache(256, 0, 32);
	TAP_EQ(count(0, 288, KM_GFP_KERNEL | KM_GFP_ZERO), 4, "6.18: sheaves of 32 take 288 bytes");
	TAP_EQ(km_cache_destroy(t.machine, nodes, 0), 0, "6.18: destroyed");
	TAP_EQ(t.frees, t.nr, "6.18: and freed");
	end("6.18");
}

static void no_sheaf_within(void)
{
	uint64_t *objects = calloc(4096, sizeof(*objects));
	unsigned failed = 0;

	if (!objects)
		abort();
	begin("7.2", KM_MEMCG_NONE);
	for (unsigned i = 0; i < 4096; i++) {
		objects[i] = km_kmalloc(t.machine, i % CPUS, 256, KM_GFP_KERNEL, -1);
		failed += !objects[i];
	}
	for (unsigned i = 0; i < 4096; i++)
		failed += km_kfree(t.machine, (i + 1) % CPUS, objects[i]) != 0;
	TAP_EQ(failed, 0, "kmalloc-256 serves the sheaves of kmalloc-256");
	TAP_OK(t.env.count.slab_own_alloc > 0, "it did");
	free(objects);
	end("a class that serves itself");
}

static void vectors(const char *kernel, bool comp)
{
	const uint32_t flags =
		KM_GFP_KERNEL | KM_GFP_ZERO | (comp ? KM_GFP_COMP : 0); /* as the slab's pages */
	struct km_cache_info info;
	uint64_t object;
	void *accounted;

	begin(kernel, KM_MEMCG_ROOT);
	accounted = cache(64, KM_SLAB_ACCOUNT, 0);
	object = take(accounted, KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	TAP_EQ(t.nr, 1, "%s: a slab of an accounted cache has a vector", kernel);
	TAP_EQ(count(0, 64 * 8, flags), 1, "%s: 8 bytes an object, by the slab's flags", kernel);
	t.machine->model->slab->cache_info(t.machine->slab, accounted, &info);
	TAP_EQ(info.live, 1, "%s: one object is live", kernel);
	km_kfree(t.machine, 0, object);
	km_cache_shrink(t.machine, accounted, 0);
	TAP_EQ(t.frees, 1, "%s: and goes with the slab", kernel);
	take(cache(64, 0, 0), KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	TAP_EQ(t.nr, 1, "%s: the root cgroup is not charged", kernel);
	end(kernel);

	begin(kernel, KM_MEMCG_CHARGED);
	accounted = cache(64, KM_SLAB_RECLAIM_ACCOUNT, 0);
	take(accounted, KM_GFP_KERNEL);
	TAP_EQ(t.nr, 0, "%s: a cache that is not accounted has none", kernel);
	take(accounted, KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	take(accounted, KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	TAP_EQ(count(0, 64 * 8, KM_GFP_KERNEL | KM_GFP_ZERO), 1,
	       "%s: until an object is charged, once per slab", kernel);
	TAP_EQ(t.nr, 1, "%s: nothing else", kernel);
	end(kernel);

	begin(kernel, KM_MEMCG_NONE);
	take(cache(64, KM_SLAB_ACCOUNT, 0), KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	TAP_EQ(t.nr, 0, "%s: none with cgroup.memory=nokmem", kernel);
	end(kernel);
}

/*
 * A slab's record ends with the vector's address, behind a chain of one entry more than there are
 * objects. Where those are a multiple of four nothing pads the chain, so that an address one word
 * too early lies in the chain's last entry: slabs are filled, emptied in another order, discarded
 * and made anew from the records that are left, for every number of objects around such ones.
 */
static bool vectors_behind_chains_of(uint32_t size)
{
	unsigned n, stride, vectors = 0, twice = 0;
	uint64_t objects[256], live, pages;
	struct km_cache_info info;
	void *accounted;
	bool good;

	begin("6.1", KM_MEMCG_ROOT);
	accounted = cache(size, KM_SLAB_ACCOUNT, 0);
	t.machine->model->slab->cache_info(t.machine->slab, accounted, &info);
	n = 3 * info.objects_per_slab < 256 ? 3 * info.objects_per_slab : 256;
	stride = n % 7 ? 7 : n % 5 ? 5 : 1;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < n; i++)
			objects[i] = take(accounted, KM_GFP_KERNEL);
		for (unsigned i = 0; i < n; i++)
			for (unsigned j = 0; j < i; j++)
				twice += objects[i] == objects[j];
		vectors += (n + info.objects_per_slab - 1) / info.objects_per_slab;
		for (unsigned i = 0; i < n; i++)
			km_kfree(t.machine, 0, objects[i * stride % n]);
		km_cache_shrink(t.machine, accounted, 0);
	}
	t.machine->model->slab->usage(t.machine->slab, &pages, &live);
	good = !twice && !live && t.nr == vectors && t.frees == vectors &&
	       km_machine_validate(t.machine) == 0;
	for (unsigned i = 0; i < t.nr; i++)
		good &= t.seen[i].bytes == info.objects_per_slab * 8u;
	if (!good)
		printf("# %u objects of %u bytes: %u given twice, %u of %u vectors, %u freed\n",
		       info.objects_per_slab, size, twice, t.nr, vectors, t.frees);
	km_machine_destroy(t.machine);
	return good;
}

static void vectors_behind_chains(void)
{
	unsigned bad = 0;

	for (uint32_t size = 64; size <= 1024; size += 8)
		bad += !vectors_behind_chains_of(size);
	TAP_EQ(bad, 0, "vectors lie behind chains of every length, and go with their slabs");
}

/* ---- a page layer that says no ---- */

#define NO_LIMIT ~0u

static struct km_page_ops limited_pages;
static struct km_model limited_model;
static km_pfn (*alloc_pages)(void *self, unsigned cpu, uint32_t gfp, unsigned order);
static unsigned blocks_left = NO_LIMIT;

static km_pfn alloc_limited(void *self, unsigned cpu, uint32_t gfp, unsigned order)
{
	if (!blocks_left)
		return KM_PFN_NONE;
	blocks_left -= blocks_left != NO_LIMIT;
	return alloc_pages(self, cpu, gfp, order);
}

static const struct km_model *limited(const struct km_model *model)
{
	limited_pages = *model->page;
	alloc_pages = limited_pages.alloc;
	limited_pages.alloc = alloc_limited;
	limited_model = *model;
	limited_model.page = &limited_pages;
	return &limited_model;
}

/*
 * A vector that cannot be had fails nobody: the slab goes without, the object is given, and the
 * next one that is charged asks again, which in an accounted cache is any, whatever its flags
 * (__memcg_slab_post_alloc_hook, 6.1: memcg_slab_post_alloc_hook). The page that is left becomes
 * the slab; the vector's class finds none.
 */
static void vectors_that_fail(const char *kernel, unsigned memcg, uint32_t gfp)
{
	bool asks_again = memcg == KM_MEMCG_CHARGED;
	const char *flags = gfp & KM_GFP_ACCOUNT ? "__GFP_ACCOUNT" : "GFP_KERNEL";
	void *accounted;

	begin_on(limited(km_model_find("slub")), kernel, memcg);
	accounted = cache(64, KM_SLAB_ACCOUNT, 0);
	blocks_left = 1;
	TAP_OK(take(accounted, gfp) != 0, "%s: without memory for its vector a slab gives", kernel);
	TAP_OK(take(accounted, gfp) != 0, "%s: the next object, too", kernel);
	TAP_EQ(t.nr, 0, "%s: there is no vector while there is no memory", kernel);
	blocks_left = NO_LIMIT;
	TAP_OK(take(accounted, gfp) != 0, "%s: memory again", kernel);
	TAP_EQ(t.nr, asks_again, "%s, %s: %s", kernel, flags,
	       asks_again ? "an object that is charged brings the vector" : "nobody is charged");
	take(accounted, gfp);
	TAP_EQ(t.nr, asks_again, "%s, %s: once", kernel, flags);
	end(kernel);
}

/* 42 objects of 96 bytes leave 64 bytes of a page, too few for 336; 13 of 616 leave 184 of two. */
static void vectors_in_slabs(void)
{
	begin("7.2", KM_MEMCG_ROOT);
	take(cache(96, KM_SLAB_ACCOUNT, 0), KM_GFP_KERNEL);
	TAP_EQ(count(0, 42 * 8, KM_GFP_KERNEL | KM_GFP_ZERO | KM_GFP_NOMEMALLOC | KM_GFP_NOWARN), 2,
	       "7.2: no room in a slab of 42: a kmalloc, for each of a sheaf's two slabs");
	end("7.2");
	begin("7.2", KM_MEMCG_ROOT);
	take(cache(616, KM_SLAB_ACCOUNT, 0), KM_GFP_KERNEL);
	for (unsigned i = 0; i < t.nr; i++)
		if (t.seen[i].gfp & KM_GFP_COMP)
			TAP_OK(false, "a vector of %llu bytes",
			       (unsigned long long)t.seen[i].bytes);
	TAP_OK(t.nr > 0, "7.2: room behind the last object: no kmalloc but for sheaves");
	end("7.2");
}

/* Recorded calls have them. */
static void switched_off(void)
{
	struct km_machine_spec spec = {.model = km_model_find("slub"),
				       .profile = *km_profile_find("7.2"),
				       .cpus = CPUS,
				       .memory_bytes = 64 << 20};

	spec.profile.own_kmallocs = false;
	memset(&t, 0, sizeof(t));
	test_host_env(&t.env, &t.host, 1);
	if (km_machine_create(&t.env, &spec, &t.machine))
		abort();
	take(cache(96, KM_SLAB_ACCOUNT, 0), KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	TAP_EQ(t.env.count.slab_own_alloc, 0, "own_kmallocs=0: none");
	end("own_kmallocs=0");
}

int main(void)
{
	sheaves_7_2();
	sheaves_6_18();
	no_sheaf_within();
	vectors("5.15", false);
	vectors("6.1", false);
	vectors("6.12", true);
	vectors_behind_chains();
	vectors_in_slabs();
	vectors_that_fail("6.1", KM_MEMCG_ROOT, KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	vectors_that_fail("6.1", KM_MEMCG_CHARGED, KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	vectors_that_fail("6.1", KM_MEMCG_CHARGED, KM_GFP_KERNEL);
	vectors_that_fail("6.12", KM_MEMCG_CHARGED, KM_GFP_KERNEL | KM_GFP_ACCOUNT);
	vectors_that_fail("6.12", KM_MEMCG_CHARGED, KM_GFP_KERNEL);
	switched_off();
	return tap_done();
}
