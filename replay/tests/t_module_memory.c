/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A million random calls of the kmalloc, kvmalloc and vmalloc families, caches and pages as a
 * module makes them, against a shadow list that knows every byte: nobody else writes to an object,
 * zeroed memory is zero, resizing keeps contents, capacity is as asked, nothing is found that was
 * not done.
 */
#include <string.h>
#include <sys/mman.h>

#include "engine/tests/tap.h"
#include "replay/module_kernel.h"

#define LIVE 400
#ifdef __SANITIZE_THREAD__
#define CALLS 40000 /* slow there, and nothing here has threads */
#else
#define CALLS 1000000
#endif
#define CACHES 3

enum family { NOTHING, KMALLOC, KV, AREA, CACHE, PAGES };

struct shadow {
	enum family family;
	unsigned char *p;
	unsigned long bytes;
	unsigned char pattern;
	unsigned extra; /* order, or cache */
};

static struct shadow list[LIVE];
static struct km_env dice = {.random_state = 12345};
static const struct kmlab_api *api;
static void *caches[CACHES];
static const unsigned long cache_sizes[CACHES] = {24, 200, 3000};
static unsigned long failures, not_zero, not_kept, overwritten, misaligned;

static uint64_t below(uint64_t n)
{
	return km_env_random(&dice) % n;
}

static const struct kmlab_site site = {"call", "test", "t_module_memory.c", 1};

static unsigned long random_bytes(void)
{
	uint64_t kind = below(100);

	return kind < 80 ? 1 + below(500) : kind < 98 ? 1 + below(9000) : 1 + below(70000);
}

static bool all(const unsigned char *p, unsigned long bytes, unsigned char value)
{
	/* Equal to itself one further on, and the first is it. */
	return !bytes || (p[0] == value && memcmp(p, p + 1, bytes - 1) == 0);
}

static void check(const struct shadow *object)
{
	overwritten += !all(object->p, object->bytes, object->pattern);
	api->access(object->p, object->bytes, 1, NULL);
}

static void own(struct shadow *object, bool zeroed)
{
	if (!object->p) {
		failures++;
		object->family = NOTHING;
		return;
	}
	misaligned += (uintptr_t)object->p % (object->bytes >= 8 ? 8 : 1) != 0;
	if (zeroed)
		not_zero += !all(object->p, object->bytes, 0);
	object->pattern = (unsigned char)(1 + below(255));
	memset(object->p, object->pattern, object->bytes);
}

static void allocate(struct shadow *object)
{
	static const uint32_t flags[] = {KM_GFP_KERNEL, KM_GFP_ATOMIC,
					 KM_GFP_KERNEL | KM_GFP_ACCOUNT,
					 KM_GFP_NOFS | KM_GFP_RECLAIMABLE};
	uint64_t kind = below(100);
	bool zero = below(3) == 0;
	uint32_t gfp = flags[below(4)] | (zero ? KM_GFP_ZERO : 0);

	*object = (struct shadow){.family = KMALLOC, .bytes = random_bytes()};
	if (kind < 60) {
		object->p = api->do_kmalloc(&site, object->bytes, gfp, -1);
	} else if (kind < 75) {
		object->family = KV;
		object->p = api->do_kvmalloc(&site, object->bytes, gfp, -1);
	} else if (kind < 79) {
		object->family = AREA;
		object->p = api->do_vmalloc(&site, object->bytes, 1,
					    KM_GFP_KERNEL | (zero ? KM_GFP_ZERO : 0), 0);
	} else if (kind < 94) {
		object->family = CACHE;
		object->extra = (unsigned)below(CACHES);
		object->bytes = cache_sizes[object->extra];
		object->p = api->cache_alloc(&site, caches[object->extra], gfp, -1);
	} else {
		object->family = PAGES;
		object->extra = (unsigned)below(3);
		object->bytes = KM_PAGE_SIZE << object->extra;
		object->p = (void *)(uintptr_t)api->do_alloc_pages(&site, gfp, object->extra);
	}
	own(object, zero);
}

static void release(struct shadow *object)
{
	check(object);
	switch (object->family) {
	case KMALLOC:
		api->do_kfree(&site, object->p, (int)below(2));
		break;
	case KV:
		api->do_kvfree(&site, object->p, 0);
		break;
	case AREA:
		api->do_vfree(&site, object->p);
		break;
	case CACHE:
		api->cache_free(&site, caches[object->extra], object->p);
		break;
	case PAGES:
		api->do_free_pages(&site, (uintptr_t)object->p, object->extra);
		break;
	case NOTHING:
		break;
	}
	object->family = NOTHING;
}

static void resize(struct shadow *object)
{
	unsigned long bytes = random_bytes(), kept = bytes < object->bytes ? bytes : object->bytes;
	unsigned char *p;

	check(object);
	p = object->family == KV
		    ? api->do_kvrealloc(&site, object->p, object->bytes, bytes, KM_GFP_KERNEL)
		    : api->do_krealloc(&site, object->p, bytes, 1, KM_GFP_KERNEL, -1);
	if (!p) {
		failures++;
		return;
	}
	not_kept += !all(p, kept, object->pattern);
	object->p = p;
	object->bytes = bytes;
	own(object, false);
}

static void random_calls(unsigned long calls)
{
	for (unsigned long i = 0; i < calls; i++) {
		struct shadow *object = &list[below(LIVE)];

		if (object->family == NOTHING)
			allocate(object);
		else if ((object->family == KMALLOC || object->family == KV) && below(3) == 0)
			resize(object);
		else
			release(object);
	}
	for (unsigned i = 0; i < LIVE; i++)
		if (list[i].family != NOTHING)
			release(&list[i]);
}

static void test_kernel(const char *release_name, unsigned long calls)
{
	static struct kernel kernel;
	struct km_module_options options = {.seed = 7};
	struct km_err err = {""};
	size_t findings;

	options.spec = (struct km_machine_spec){.model = km_model_find("slub"),
						.profile = *km_profile_find(release_name),
						.cpus = 1,
						.memory_bytes = 256ull << 20};
	kernel = (struct kernel){.options = &options};
	kernel.report = mmap(NULL, sizeof(*kernel.report), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	km_kernel = &kernel;
	if (kernel.report == MAP_FAILED || km_module_boot(&kernel, &err)) {
		TAP_OK(false, "%s: a kernel (%s)", release_name, err.text);
		return;
	}
	api = &kernel.api;
	for (unsigned i = 0; i < CACHES; i++)
		caches[i] = api->cache_create(&site, "test", cache_sizes[i], 0, 0x1000000, NULL);
	failures = not_zero = not_kept = overwritten = misaligned = 0;
	memset(list, 0, sizeof(list));
	random_calls(calls);
	for (unsigned i = 0; i < CACHES; i++)
		api->cache_destroy(&site, caches[i]);
	findings = kernel.report->nr_findings;
	TAP_EQ(failures, 0, "%s: every request of %lu calls was met", release_name, calls);
	TAP_EQ(overwritten, 0, "%s: nobody wrote to another's object", release_name);
	TAP_EQ(not_zero, 0, "%s: zeroed memory is zero", release_name);
	TAP_EQ(not_kept, 0, "%s: resizing keeps the contents", release_name);
	TAP_EQ(misaligned, 0, "%s: objects are aligned", release_name);
	TAP_EQ(findings, 0, "%s: no false finding", release_name);
	if (findings)
		printf("# %s\n", kernel.report->findings[0].what);
	TAP_EQ(km_machine_validate(kernel.machine), 0, "%s: the machine is whole", release_name);
	km_memory_tear_down(&kernel);
	munmap(kernel.report, sizeof(*kernel.report));
}

int main(void)
{
	test_kernel("6.1", CALLS / 2);
	test_kernel("6.12", CALLS / 4);
	test_kernel("7.2", CALLS / 4);
	return tap_done();
}
