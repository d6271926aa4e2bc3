/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kmalloc family by generation: capacity, krealloc in place and moving, kvmalloc's fallback,
 * kvrealloc's two forms, random copies and buckets, caches destroyed.
 */
#include <errno.h>

#include <kmlab/machine.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"

#define ZERO_SIZE_PTR 16

static struct test_host host;
static struct km_env env;

static struct km_machine *boot(const char *release, const char *set, uint64_t value)
{
	struct km_machine_spec spec = {
		.model = km_model_find("slub"),
		.profile = *km_profile_find(release),
		.cpus = 1,
		.memory_bytes = 128ull << 20,
	};
	struct km_machine *machine = NULL;

	if (set && km_profile_set(&spec.profile, set, value))
		TAP_OK(false, "there is a switch %s", set);
	host = (struct test_host){0};
	test_host_env(&env, &host, 1);
	if (km_machine_create(&env, &spec, &machine))
		TAP_OK(false, "a machine is created");
	return machine;
}

static void shut_down(struct km_machine *machine, const char *what)
{
	TAP_EQ(km_machine_validate(machine), 0, "%s: the machine is whole", what);
	km_machine_destroy(machine);
	TAP_EQ(host.live_blocks, 0, "%s: host memory is given back", what);
}

static const char *name_of(struct km_machine *machine, uint64_t addr)
{
	struct km_cache_info info = {.name = ""};
	void *cache = machine->model->slab->cache_of(machine->slab, addr);

	if (cache)
		machine->model->slab->cache_info(machine->slab, cache, &info);
	return info.name;
}

static uint64_t resize(struct km_machine *machine, struct km_realloc *request, uint64_t addr,
		       uint64_t bytes)
{
	request->addr = addr;
	request->bytes = bytes;
	request->gfp |= KM_GFP_KERNEL;
	request->node = -1;
	return km_krealloc(machine, 0, request);
}

static void test_krealloc(const char *release)
{
	struct km_machine *machine = boot(release, NULL, 0);
	bool zeroes = machine->spec.profile.krealloc_zeroes;
	struct km_realloc request = {0};
	uint64_t p = resize(machine, &request, 0, 100), q;

	TAP_OK(p > ZERO_SIZE_PTR && request.copied == 0, "%s: krealloc(NULL) is kmalloc", release);
	TAP_EQ(resize(machine, &request, p, 128), p, "%s: what fits its class stays", release);
	TAP_EQ(resize(machine, &request, p, 1), p, "%s: and what shrinks", release);
	request.gfp = KM_GFP_ZERO;
	TAP_EQ(resize(machine, &request, p, 60), p, "%s: zeroing, too", release);
	TAP_EQ(request.zero_from, zeroes ? 60 : 0, "%s: it clears from the new size", release);
	TAP_EQ(request.zero_to, zeroes ? 128 : 0, "%s: to the end", release);
	request.gfp = 0;
	q = resize(machine, &request, p, 129);
	TAP_OK(q && q != p, "%s: what does not fit moves", release);
	TAP_EQ(request.copied, 128, "%s: with all the old place held", release);
	TAP_OK(km_kfree(machine, 0, p) != 0, "%s: the old place is free", release);
	p = resize(machine, &request, q, 20000);
	TAP_EQ(request.copied, 192, "%s: into pages", release);
	TAP_EQ(km_ksize(machine, p), 32768, "%s: which are wholly its own", release);
	TAP_EQ(resize(machine, &request, p, 5ull << 20), 0, "%s: too large is NULL", release);
	TAP_EQ(km_ksize(machine, p), 32768, "%s: and the old block untouched", release);
	request.align = 65536;
	q = resize(machine, &request, p + 0, 20000);
	if (machine->spec.profile.krealloc_exact && p % 65536)
		TAP_OK(q != p, "%s: an alignment it has not moves it", release);
	else
		TAP_EQ(q, p, "%s: alignment is not looked at, or there", release);
	request.align = 0;
	TAP_EQ(resize(machine, &request, q, 0), ZERO_SIZE_PTR, "%s: size 0 frees", release);
	TAP_OK(km_kfree(machine, 0, q) != 0, "%s: indeed", release);
	TAP_OK(resize(machine, &request, ZERO_SIZE_PTR, 8) > ZERO_SIZE_PTR,
	       "%s: ZERO_SIZE_PTR grows", release);
	shut_down(machine, release);
}

static void test_capacity(void)
{
	static const struct {
		const char *release;
		uint64_t bytes, rounded;
	} rows[] = {{"6.1", 0, 0},
		    {"6.1", 97, 128},
		    {"6.1", 8193, 16384},
		    {"6.1", (4ull << 20) + 1, 8ull << 20},
		    {"6.1", UINT64_MAX, UINT64_MAX},
		    {"6.6", (4ull << 20) + 1, (4ull << 20) + 1},
		    {"6.12", 4ull << 20, 4ull << 20},
		    {"7.2", 4097, 8192}};
	struct km_cache_spec spec = {.name = "rcu", .object_size = 100};
	struct km_machine *machine;
	void *plain, *rcu;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		machine = boot(rows[i].release, NULL, 0);
		TAP_EQ(km_kmalloc_size_roundup(machine, rows[i].bytes), rows[i].rounded,
		       "%s: kmalloc_size_roundup(%llu)", rows[i].release,
		       (unsigned long long)rows[i].bytes);
		km_machine_destroy(machine);
	}
	machine = boot("6.12", "merge", 0);
	plain = km_cache_create(machine, &spec);
	spec.flags = KM_SLAB_TYPESAFE_BY_RCU;
	rcu = km_cache_create(machine, &spec);
	TAP_EQ(km_ksize(machine, km_cache_alloc(machine, plain, 0, KM_GFP_KERNEL, -1)), 104,
	       "an object may use its stride");
	TAP_EQ(km_ksize(machine, km_cache_alloc(machine, rcu, 0, KM_GFP_KERNEL, -1)), 104,
	       "but not the free pointer that RCU readers may meet");
	TAP_EQ(km_kmalloc(machine, 0, UINT64_MAX, KM_GFP_KERNEL, -1), 0, "kmalloc(SIZE_MAX)");
	TAP_EQ(km_kvmalloc(machine, 0, UINT64_MAX, KM_GFP_KERNEL, -1), 0, "kvmalloc(SIZE_MAX)");
	TAP_EQ(km_ksize(machine, 0), 0, "ksize(NULL)");
	TAP_EQ(km_ksize(machine, ZERO_SIZE_PTR), 0, "ksize(ZERO_SIZE_PTR)");
	shut_down(machine, "capacity");
}

/* Take all there is and give every second page back: no block of two is free. */
static void fragment(struct km_machine *machine)
{
	static km_pfn pages[1 << 15];
	unsigned count = 0;

	while (count < 1 << 15) {
		pages[count] = km_alloc_pages(machine, 0, KM_GFP_ATOMIC | KM_GFP_MEMALLOC, 0);
		if (!km_pfn_valid(pages[count]))
			break;
		count++;
	}
	for (unsigned i = 0; i < count; i++)
		if (pages[i].value % 2)
			km_free_pages(machine, 0, pages[i], 0);
}

static void test_kvmalloc(const char *release, uint32_t gfp, bool falls_back)
{
	struct km_machine *machine = boot(release, NULL, 0);
	uint64_t addr;

	addr = km_kvmalloc(machine, 0, 65536, gfp, -1);
	TAP_OK(addr && !km_is_vmalloc_addr(addr), "%s: kvmalloc in one piece where it can",
	       release);
	fragment(machine);
	addr = km_kvmalloc(machine, 0, 65536, gfp, -1);
	if (falls_back)
		TAP_OK(km_is_vmalloc_addr(addr), "%s, gfp 0x%x: else an area", release, gfp);
	else
		TAP_EQ(addr, 0, "%s, gfp 0x%x: else nothing", release, gfp);
	TAP_EQ(km_kfree(machine, 0, addr), 0, "%s: either is freed", release);
	TAP_EQ(km_kvmalloc(machine, 0, 0, gfp, -1), ZERO_SIZE_PTR, "%s: kvmalloc(0)", release);
	TAP_EQ(km_kvmalloc(machine, 0, 1ull << 31, gfp, -1), 0, "%s: above INT_MAX", release);
	shut_down(machine, release);
}

static void test_kvrealloc(void)
{
	struct km_machine *machine = boot("6.1", NULL, 0);
	struct km_realloc request = {.bytes = 100, .gfp = KM_GFP_KERNEL, .node = -1};
	uint64_t p = km_kvrealloc(machine, 0, &request), q;

	request.addr = p;
	request.old_bytes = 100;
	request.bytes = 50;
	TAP_EQ(km_kvrealloc(machine, 0, &request), p, "6.1: kvrealloc to less stays");
	request.bytes = 101;
	q = km_kvrealloc(machine, 0, &request);
	TAP_OK(q && q != p && request.copied == 100,
	       "6.1: to more moves, even within its class, with what it was told");
	shut_down(machine, "6.1 kvrealloc");

	machine = boot("6.12", NULL, 0);
	request = (struct km_realloc){.bytes = 100, .gfp = KM_GFP_KERNEL, .node = -1};
	p = km_kvrealloc(machine, 0, &request);
	request.addr = p;
	request.bytes = 128;
	TAP_EQ(km_kvrealloc(machine, 0, &request), p, "6.12: within its class it stays");
	p = km_kvmalloc(machine, 0, 5ull << 20, KM_GFP_KERNEL, -1);
	request.addr = p;
	request.bytes = 4ull << 20;
	TAP_EQ(km_kvrealloc(machine, 0, &request), p, "6.12: an area shrinks in place");
	request.bytes = 9ull << 20;
	q = km_kvrealloc(machine, 0, &request);
	TAP_OK(km_is_vmalloc_addr(q) && q != p && request.copied >= 5ull << 20,
	       "6.12: and moves to grow");
	shut_down(machine, "6.12 kvrealloc");
}

static void test_types(void)
{
	struct km_machine *machine = boot("6.12", "kmalloc_random", 1);
	const char *first = NULL;
	unsigned differ = 0;
	uint64_t addr;

	for (unsigned i = 1; i <= 64; i++) {
		machine->caller = 0xffffffff81000000ull + i * 64;
		addr = km_kmalloc(machine, 0, 64, KM_GFP_KERNEL, -1);
		first = first ? first : name_of(machine, addr);
		differ += name_of(machine, addr) != first;
		if (strcmp(name_of(machine, km_kmalloc(machine, 0, 64, KM_GFP_KERNEL, -1)),
			   name_of(machine, addr)) != 0)
			TAP_OK(false, "one caller, one copy");
	}
	TAP_OK(differ > 40, "callers are spread over copies (%u of 64 differ)", differ);
	addr = km_kmalloc(machine, 0, 64, KM_GFP_KERNEL | KM_GFP_ACCOUNT, -1);
	TAP_OK(strcmp(name_of(machine, addr), "kmalloc-cg-64") == 0, "accounted ones are not");
	shut_down(machine, "random copies");

	machine = boot("6.12", "kmalloc_buckets", 1);
	addr = km_kmalloc_bucket(machine, 0, machine->memdup_user, 1000, KM_GFP_USER);
	TAP_OK(strcmp(name_of(machine, addr), "memdup_user-1k") == 0, "buckets have their names");
	addr = km_kmalloc_bucket(machine, 0, machine->memdup_user, 10000, KM_GFP_USER);
	TAP_EQ(km_ksize(machine, addr), 16384, "and large requests are pages");
	shut_down(machine, "buckets");

	machine = boot("6.1", "kmalloc_cg", 0);
	addr = km_kmalloc(machine, 0, 64, KM_GFP_KERNEL | KM_GFP_ACCOUNT, -1);
	TAP_OK(strcmp(name_of(machine, addr), "kmalloc-64") == 0,
	       "cgroup.memory=nokmem: accounted is normal");
	shut_down(machine, "nokmem");
}

static void test_destroy(const char *release)
{
	struct km_machine *machine = boot(release, "merge", 1);
	struct km_cache_spec spec = {.name = "first", .object_size = 136};
	void *cache = km_cache_create(machine, &spec), *alias;
	uint64_t addrs[40];

	spec.name = "second";
	alias = km_cache_create(machine, &spec);
	TAP_OK(alias == cache, "%s: two caches of one geometry are one", release);
	TAP_EQ(km_cache_alloc_bulk(machine, cache, 0, KM_GFP_KERNEL, 40, addrs), 40, "%s: bulk",
	       release);
	TAP_EQ(km_cache_destroy(machine, alias, 0), 0, "%s: an alias goes at once", release);
	TAP_EQ(km_cache_destroy(machine, cache, 0), -EBUSY, "%s: objects in use keep it", release);
	km_cache_free_bulk(machine, 0, 40, addrs);
	TAP_EQ(km_cache_destroy(machine, cache, 0), 0, "%s: without them it goes", release);
	spec.name = "third";
	TAP_OK(km_cache_create(machine, &spec) != NULL, "%s: and another can be created", release);
	shut_down(machine, release);
}

static bool reads(const char *release, uint32_t gfp, size_t size, const char *wanted)
{
	char text[160];

	km_gfp_text(gfp, km_profile_find(release), text, size);
	if (strcmp(text, wanted))
		printf("# %s, not %s\n", text, wanted);
	return !strcmp(text, wanted);
}

static void test_gfp_text(void)
{
	const uint32_t light =
		(KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP | KM_GFP_NOMEMALLOC | KM_GFP_NOWARN) &
		~KM_GFP_RECLAIM;

	TAP_OK(reads("6.1", KM_GFP_KERNEL | KM_GFP_ZERO, 160, "GFP_KERNEL|__GFP_ZERO"),
	       "flags have names");
	TAP_OK(reads("6.1", light | KM_GFP_DIRECT_RECLAIM, 160, "GFP_TRANSHUGE") &&
		       reads("6.1", light, 160, "GFP_TRANSHUGE_LIGHT") &&
		       reads("6.1", KM_GFP_HIGHUSER_MOVABLE | KM_GFP_WRITE, 160,
			     "GFP_HIGHUSER_MOVABLE|__GFP_WRITE"),
	       "that of most flags comes first");
	TAP_OK(reads("6.1", KM_GFP_KSWAPD_RECLAIM, 160, "GFP_NOWAIT") &&
		       reads("7.2", KM_GFP_KSWAPD_RECLAIM, 160, "__GFP_KSWAPD_RECLAIM"),
	       "as kernels of that time mean it");
	TAP_OK(reads("6.1", KM_GFP_NOFS | 0x80000000u, 160, "GFP_NOFS|0x80000000") &&
		       reads("6.1", 0, 160, "0x0"),
	       "bits without a name, and none");
	TAP_OK(reads("6.1", KM_GFP_KERNEL | KM_GFP_ZERO, 12, "GFP_KERNEL") &&
		       reads("6.1", KM_GFP_KERNEL, 10, ""),
	       "it ends before a name that does not fit");
}

int main(void)
{
	const char *const *names = km_profile_names();

	for (unsigned i = 0; names[i]; i++) {
		test_krealloc(names[i]);
		test_destroy(names[i]);
	}
	test_capacity();
	test_kvmalloc("5.15", KM_GFP_KERNEL, true);
	test_kvmalloc("5.15", KM_GFP_NOFS, false);
	test_kvmalloc("6.1", KM_GFP_NOFS, true);
	test_kvmalloc("6.12", KM_GFP_NOWAIT, false);
	test_kvmalloc("6.18", KM_GFP_KERNEL, true);
	test_kvmalloc("7.2", KM_GFP_NOWAIT, true);
	test_kvrealloc();
	test_types();
	test_destroy("6.12");
	test_gfp_text();
	return tap_done();
}
