/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A million random calls per slab model on a whole machine, against a map of owned bytes: no two
 * objects overlap, each lies in memory of the machine, aligned and as large as asked; every free is
 * accepted once and refused twice; what models count is what is live; in the end all comes back.
 */
#include <kmlab/machine.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"

#ifdef __SANITIZE_THREAD__
#define CALLS 50000u /* one thread: nothing to find, and slow */
#else
#define CALLS 1000000u
#endif
#define SLOTS 6000u
#define CPUS 4u
#define MEMORY (64ull << 20)
#define GRANULE 8u /* every object starts on a word */
#define BULK 24u
#define NR_CACHES 10u
/* Classes of kmalloc, with two sets of buckets, and a few caches of the machine's own. */
#define MAINS_MAX ((KM_KMALLOC_CLASSES - 1) * (KM_NR_KMALLOC_TYPES + 2) + 4)

static const struct km_cache_spec cache_specs[NR_CACHES] = {
	{.name = "a", .object_size = 10},
	{.name = "b", .object_size = 56, .align = 64},
	{.name = "c", .object_size = 120, .flags = KM_SLAB_CTOR},
	{.name = "d", .object_size = 192, .flags = KM_SLAB_HWCACHE_ALIGN},
	{.name = "e", .object_size = 616, .flags = KM_SLAB_RECLAIM_ACCOUNT},
	{.name = "f", .object_size = 1024, .flags = KM_SLAB_CTOR, .sheaf_capacity = 32},
	{.name = "g", .object_size = 1500, .flags = KM_SLAB_TYPESAFE_BY_RCU},
	{.name = "h", .object_size = 2600, .flags = KM_SLAB_ACCOUNT},
	{.name = "i", .object_size = 5000},
	{.name = "j", .object_size = 200, .align = 256, .sheaf_capacity = 16},
};

struct shadow {
	struct km_machine *machine;
	struct km_env dice;
	void *cache[NR_CACHES];
	struct {
		uint64_t addr;
		uint32_t bytes;
	} slot[SLOTS];
	uint8_t owned[MEMORY / GRANULE];
	uint64_t live;
	unsigned overlaps, outside, misaligned, refused, accepted_twice, failed, broken;
	unsigned bulk_calls;
};

static unsigned below(struct shadow *shadow, unsigned limit)
{
	return (unsigned)((km_env_random(&shadow->dice) >> 32) * limit >> 32);
}

static void own(struct shadow *shadow, uint64_t addr, uint32_t bytes, uint8_t owned)
{
	uint64_t first = (addr - KM_DIRECT_MAP_BASE) / GRANULE;
	uint64_t count = (bytes + GRANULE - 1) / GRANULE;

	if (addr < KM_DIRECT_MAP_BASE + KM_PAGE_SIZE || first + count > MEMORY / GRANULE) {
		shadow->outside++;
		return;
	}
	for (uint64_t i = first; i < first + count; i++) {
		shadow->overlaps += shadow->owned[i] == owned;
		shadow->owned[i] = owned;
	}
}

static void begin(struct shadow *shadow, unsigned slot, uint64_t addr, uint32_t bytes,
		  uint32_t align)
{
	if (!addr) {
		shadow->failed++;
		return;
	}
	shadow->misaligned += addr % align != 0;
	own(shadow, addr, bytes, 1);
	shadow->slot[slot].addr = addr;
	shadow->slot[slot].bytes = bytes;
	shadow->live += bytes;
}

static void end(struct shadow *shadow, unsigned slot)
{
	own(shadow, shadow->slot[slot].addr, shadow->slot[slot].bytes, 0);
	shadow->live -= shadow->slot[slot].bytes;
	shadow->slot[slot].addr = 0;
}

static uint32_t cache_align(unsigned cache)
{
	return cache_specs[cache].align                           ? cache_specs[cache].align
	       : cache_specs[cache].flags & KM_SLAB_HWCACHE_ALIGN ? 64
								  : 8;
}

/* Powers of two are aligned to themselves, since 5.4. */
static uint32_t kmalloc_align(uint32_t bytes)
{
	return bytes >= 8 && !(bytes & (bytes - 1)) ? bytes : 8;
}

static void allocate(struct shadow *shadow, unsigned slot, unsigned cpu)
{
	static const uint32_t flags[] = {KM_GFP_KERNEL, KM_GFP_NOWAIT, KM_GFP_ATOMIC,
					 KM_GFP_KERNEL | KM_GFP_ACCOUNT,
					 KM_GFP_KERNEL | KM_GFP_RECLAIMABLE};
	unsigned cache = below(shadow, 2 * NR_CACHES);
	uint32_t gfp = flags[below(shadow, 5)], bytes;

	if (cache < NR_CACHES) {
		begin(shadow, slot,
		      km_cache_alloc(shadow->machine, shadow->cache[cache], cpu, gfp,
				     below(shadow, 3) ? -1 : 0),
		      cache_specs[cache].object_size, cache_align(cache));
		return;
	}
	bytes = 1 + below(shadow, below(shadow, 8) ? 600 : below(shadow, 8) ? 6000 : 40000);
	if (below(shadow, 8) == 0) /* a power of two */
		bytes = 1u << below(shadow, 14);
	begin(shadow, slot, km_kmalloc(shadow->machine, cpu, bytes, gfp, -1), bytes,
	      kmalloc_align(bytes));
}

static void release(struct shadow *shadow, unsigned slot, unsigned cpu)
{
	uint64_t addr = shadow->slot[slot].addr;

	end(shadow, slot);
	shadow->refused += km_kfree(shadow->machine, cpu, addr) != 0;
	if (below(shadow, 64) == 0)
		shadow->accepted_twice += km_kfree(shadow->machine, cpu, addr) == 0;
}

/* Objects of one cache together, into neighbouring slots that are empty. */
static void bulk(struct shadow *shadow, unsigned cpu)
{
	const struct km_slab_ops *ops = shadow->machine->model->slab;
	unsigned cache = below(shadow, NR_CACHES), n = 1 + below(shadow, BULK);
	unsigned first = below(shadow, SLOTS - BULK);
	uint64_t addrs[BULK];

	for (unsigned i = 0; i < n; i++)
		if (shadow->slot[first + i].addr)
			n = i;
	if (!n || !ops->alloc_bulk ||
	    ops->alloc_bulk(shadow->machine->slab, shadow->cache[cache], cpu, KM_GFP_KERNEL, n,
			    addrs) != n)
		return;
	shadow->bulk_calls++;
	for (unsigned i = 0; i < n; i++)
		begin(shadow, first + i, addrs[i], cache_specs[cache].object_size,
		      cache_align(cache));
	if (below(shadow, 2))
		return;
	for (unsigned i = 0; i < n; i++)
		end(shadow, first + i);
	ops->free_bulk(shadow->machine->slab, cpu, n, addrs);
}

/* What the layer counts holds what is live, and the machine is whole. */
static bool whole(struct shadow *shadow)
{
	uint64_t pages, bytes;

	shadow->machine->model->slab->usage(shadow->machine->slab, &pages, &bytes);
	bytes += shadow->machine->large_pages << KM_PAGE_SHIFT;
	pages += shadow->machine->large_pages;
	return bytes >= shadow->live && pages << KM_PAGE_SHIFT >= bytes &&
	       km_machine_validate(shadow->machine) == 0;
}

/* Slots fill in some thousands of calls and empty in the next; what falls on a wrong slot is none.
 */
static void run(struct shadow *shadow)
{
	const struct km_slab_ops *ops = shadow->machine->model->slab;

	for (unsigned call = 0; call < CALLS;) {
		unsigned slot = below(shadow, SLOTS), cpu = below(shadow, CPUS);
		unsigned growing = call / 20000 % 2 ? 20 : 80;

		if (shadow->slot[slot].addr ? below(shadow, 100) < growing
					    : below(shadow, 100) >= growing)
			continue;
		if (shadow->slot[slot].addr)
			release(shadow, slot, cpu);
		else
			allocate(shadow, slot, cpu);
		if (++call % 1024 == 0)
			shadow->machine->env->time_ns += 100000000;
		if (call % 64 == 0)
			bulk(shadow, cpu);
		if (call % 4096 == 0 && ops->shrink)
			ops->shrink(shadow->machine->slab, shadow->cache[below(shadow, NR_CACHES)],
				    cpu);
		if (call % 100000 == 0)
			shadow->broken += !whole(shadow);
	}
}

static void shrink_classes(struct shadow *shadow)
{
	const struct km_slab_ops *ops = shadow->machine->model->slab;

	for (unsigned t = 0; t < KM_NR_KMALLOC_TYPES && ops->shrink; t++)
		for (unsigned i = 1; i < KM_KMALLOC_CLASSES; i++)
			ops->shrink(shadow->machine->slab, shadow->machine->kmalloc_caches[t][i],
				    0);
}

static void free_rest(struct shadow *shadow)
{
	const struct km_slab_ops *ops = shadow->machine->model->slab;

	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (shadow->slot[slot].addr)
			release(shadow, slot, slot % CPUS);
	/* One may be an alias of a cache of the machine's own, which stays. */
	for (unsigned i = 0; i < NR_CACHES && ops->shrink; i++)
		ops->shrink(shadow->machine->slab, shadow->cache[i], 0);
	for (unsigned i = 0; i < NR_CACHES && ops->cache_destroy; i++)
		shadow->refused +=
			ops->cache_destroy(shadow->machine->slab, shadow->cache[i], 0) != 0;
	/* Memory of a class's sheaves goes back to other classes, which had their turn before. */
	for (unsigned round = 0; round < 3; round++)
		shrink_classes(shadow);
}

static void report(struct shadow *shadow, const char *what)
{
	const struct km_slab_ops *ops = shadow->machine->model->slab;

	TAP_EQ(shadow->overlaps, 0, "%s: no byte has two owners", what);
	TAP_EQ(shadow->outside, 0, "%s: objects lie in memory", what);
	TAP_EQ(shadow->misaligned, 0, "%s: aligned", what);
	TAP_EQ(shadow->refused, 0, "%s: frees are accepted", what);
	TAP_EQ(shadow->accepted_twice, 0, "%s: but not twice", what);
	TAP_EQ(shadow->failed, 0, "%s: memory suffices", what);
	TAP_EQ(shadow->broken, 0, "%s: whole all along", what);
	TAP_OK(!ops->alloc_bulk || shadow->bulk_calls > CALLS / 1000, "%s: %u bulk calls", what,
	       shadow->bulk_calls);
}

static void test(const char *model, const char *profile)
{
	static struct shadow shadow;
	struct test_host host = {0};
	struct km_env env;
	struct km_machine_spec spec = {.model = km_model_find(model),
				       .profile = *km_profile_find(profile),
				       .cpus = CPUS,
				       .memory_bytes = MEMORY};
	uint64_t pages, bytes, kept;
	char what[32];

	snprintf(what, sizeof(what), "%s@%s", model, profile);
	memset(&shadow, 0, sizeof(shadow));
	shadow.dice.random_state = 2024;
	test_host_env(&env, &host, 1);
	if (km_machine_create(&env, &spec, &shadow.machine)) {
		TAP_OK(false, "%s is created", what);
		return;
	}
	for (unsigned i = 0; i < NR_CACHES; i++)
		shadow.cache[i] = km_cache_create(shadow.machine, &cache_specs[i]);
	run(&shadow);
	free_rest(&shadow);
	report(&shadow, what);
	shadow.machine->model->slab->usage(shadow.machine->slab, &pages, &bytes);
	TAP_EQ(bytes, 0, "%s: nothing is live in the end", what);
	kept = env.count.slab_own_alloc - env.count.slab_own_free;
	/* 5.15's SLAB has classes that the machine does not know, to be shrunk. */
	if (kept)
		TAP_OK(spec.profile.slab_front == KM_FRONT_SHEAVES && kept <= MAINS_MAX * CPUS,
		       "%s: slabs are kept for %llu main sheaves", what, (unsigned long long)kept);
	else if (shadow.machine->kmalloc_max <= KM_KMALLOC_MAX_CACHE)
		TAP_EQ(pages, 0, "%s: and no slab is kept", what);
	TAP_EQ(km_machine_validate(shadow.machine), 0, "%s: valid", what);
	km_machine_destroy(shadow.machine);
	TAP_EQ(host.live_blocks, 0, "%s: host memory comes back", what);
}

int main(void)
{
	test("slub", "5.15");
	test("slub", "6.1");
	test("slub", "6.18");
	test("slub", "7.2");
	test("slab", "5.15");
	test("slab", "6.1");
	test("slob", "6.1");
	return tap_done();
}
