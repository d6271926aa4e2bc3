/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every model as a whole machine on every profile: the same random program of kmalloc, kfree, cache
 * and vmalloc calls, against a shadow list of live objects; failing host memory at each request of
 * machine creation; kmalloc's size classes and types.
 */
#include <kmlab/machine.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"

#define LIVE 512
#define STEPS 20000

struct object {
	uint64_t addr, bytes;
};

static struct km_machine_spec spec_of(const struct km_model *model, const char *profile)
{
	struct km_machine_spec spec = {
		.model = model,
		.profile = *km_profile_find(profile),
		.cpus = 2,
		.memory_bytes = 256ull << 20,
		.kvmalloc_threshold = 4096,
	};

	return spec;
}

static bool overlaps(const struct object *objects, const struct object *fresh)
{
	for (unsigned i = 0; i < LIVE; i++)
		if (objects[i].addr && fresh->addr < objects[i].addr + objects[i].bytes &&
		    objects[i].addr < fresh->addr + fresh->bytes)
			return true;
	return false;
}

static uint64_t random_size(struct km_env *env)
{
	uint64_t r = km_env_random(env);

	return r % 16 ? 1 + (r >> 8) % 2000 : 1 + (r >> 8) % 40000;
}

/* Returns the number of rules broken. */
static unsigned random_program(struct km_machine *machine, struct km_env *dice)
{
	static struct object objects[LIVE];
	unsigned broken = 0;

	memset(objects, 0, sizeof(objects));
	for (unsigned step = 0; step < STEPS; step++) {
		struct object *object = &objects[km_env_random(dice) % LIVE];
		unsigned cpu = (unsigned)km_env_random(dice) % 2;

		if (object->addr) {
			broken += km_kfree(machine, cpu, object->addr) != 0;
			object->addr = 0;
			continue;
		}
		struct object fresh = {.bytes = random_size(dice)};

		fresh.addr = km_object_alloc(machine, cpu, NULL, fresh.bytes, KM_GFP_KERNEL, -1);
		broken += fresh.addr && overlaps(objects, &fresh);
		*object = fresh;
	}
	for (unsigned i = 0; i < LIVE; i++)
		if (objects[i].addr)
			broken += km_kfree(machine, 0, objects[i].addr) != 0;
	return broken;
}

static void test_model(const struct km_model *model, const char *profile)
{
	struct test_host host = {0};
	struct km_env env, dice = {.random_state = 99};
	struct km_machine_spec spec = spec_of(model, profile);
	struct km_machine *machine;
	unsigned broken;

	test_host_env(&env, &host, 1);
	if (km_machine_create(&env, &spec, &machine)) {
		TAP_OK(false, "%s@%s is created", model->name, profile);
		return;
	}
	broken = random_program(machine, &dice);
	TAP_OK(broken == 0 || strcmp(model->name, "null") == 0,
	       "%s@%s: no overlap, every free accepted (%u broken)", model->name, profile, broken);
	TAP_EQ(km_machine_validate(machine), 0, "%s@%s: validates", model->name, profile);
	km_machine_destroy(machine);
	TAP_EQ(host.live_blocks, 0, "%s@%s: gives all host memory back", model->name, profile);
}

static void test_out_of_memory(const struct km_model *model)
{
	struct km_machine_spec spec = spec_of(model, "6.18");
	struct test_host counter = {0};
	struct km_machine *machine;
	struct km_env env;
	unsigned leaks = 0, created = 0;
	size_t total;

	test_host_env(&env, &counter, 1);
	if (km_machine_create(&env, &spec, &machine) == 0)
		km_machine_destroy(machine);
	total = counter.requests;
	for (size_t n = 1; n <= total; n += 1 + total / 97) {
		struct test_host host = {.fail_at = n};

		test_host_env(&env, &host, 1);
		if (km_machine_create(&env, &spec, &machine) == 0) {
			created++;
			km_machine_destroy(machine);
		}
		leaks += host.live_blocks != 0;
	}
	TAP_EQ(created, 0, "%s: creation without memory fails", model->name);
	TAP_EQ(leaks, 0, "%s: and leaves nothing behind", model->name);
}

static void test_kmalloc_classes(void)
{
	static const struct {
		uint64_t bytes, alloc;
	} rows[] = {{0, 0},         {1, 8},         {8, 8},
		    {9, 16},        {33, 64},       {65, 96},
		    {96, 96},       {97, 128},      {129, 192},
		    {192, 192},     {193, 256},     {257, 512},
		    {4097, 8192},   {8192, 8192},   {8193, 16384},
		    {16385, 32768}, {10240, 16384}, {4194304, 4194304}};
	bool covered = true;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		TAP_EQ(km_kmalloc_bytes_alloc(rows[i].bytes), rows[i].alloc,
		       "kmalloc(%llu) takes %llu bytes", (unsigned long long)rows[i].bytes,
		       (unsigned long long)rows[i].alloc);
	for (uint64_t bytes = 1; bytes <= KM_KMALLOC_MAX_CACHE; bytes++)
		covered &= km_kmalloc_class_size(km_kmalloc_class(bytes)) >= bytes;
	TAP_OK(covered, "every size fits its class");
	TAP_EQ(km_kmalloc_type(KM_GFP_KERNEL), KM_KMALLOC_NORMAL, "GFP_KERNEL is normal");
	TAP_EQ(km_kmalloc_type(KM_GFP_KERNEL | KM_GFP_ACCOUNT), KM_KMALLOC_CGROUP,
	       "accounted is cgroup");
	TAP_EQ(km_kmalloc_type(KM_GFP_KERNEL | KM_GFP_ACCOUNT | KM_GFP_RECLAIMABLE),
	       KM_KMALLOC_RECLAIM, "reclaimable wins over accounted");
	TAP_EQ(km_kmalloc_type(KM_GFP_DMA | KM_GFP_RECLAIMABLE), KM_KMALLOC_DMA,
	       "DMA wins over reclaimable");
}

static void test_edges(void)
{
	struct km_machine_spec spec = spec_of(km_model_find("slub"), "6.18");
	struct test_host host = {0};
	struct km_machine *machine;
	struct km_env env;
	uint64_t large;

	test_host_env(&env, &host, 1);
	if (km_machine_create(&env, &spec, &machine)) {
		TAP_OK(false, "slub is created");
		return;
	}
	TAP_EQ(km_kmalloc(machine, 0, 0, KM_GFP_KERNEL, -1), 16, "kmalloc(0) is ZERO_SIZE_PTR");
	TAP_EQ(km_kfree(machine, 0, 0), 0, "kfree(NULL) does nothing");
	TAP_EQ(km_kfree(machine, 0, 16), 0, "kfree(ZERO_SIZE_PTR) does nothing");
	TAP_EQ(km_kmalloc(machine, 0, KM_KMALLOC_MAX_SIZE + 1, KM_GFP_KERNEL, -1), 0,
	       "more than 4 MiB is NULL");
	large = km_kmalloc(machine, 0, 10240, KM_GFP_KERNEL, -1);
	TAP_EQ(large % 16384, 0, "a large block is naturally aligned");
	TAP_EQ(machine->large_pages, 4, "and counted");
	TAP_OK(km_kfree(machine, 0, large + 4096) != 0, "its inside cannot be freed");
	TAP_EQ(km_kfree(machine, 0, large), 0, "its start can");
	TAP_OK(km_kfree(machine, 0, large) != 0, "but not twice");
	TAP_OK(km_kfree(machine, 0, 0xdead000000000000ull) != 0, "nor can a wild pointer");
	TAP_EQ(km_machine_validate(machine), 0, "the machine is whole after all that");
	km_machine_destroy(machine);
}

static void test_profiles(void)
{
	static const char *const rows[][2] = {
		{"6.18.44-fc", "6.18"}, {"6.1.0-56", "6.1"}, {"6.2.1", "6.1"},    {"6.17", "6.12"},
		{"7.3.1", "7.2"},       {"4.19.0", "5.15"},  {"5.15.85", "5.15"}, {"10.1", "7.2"}};
	struct km_profile profile = *km_profile_find("6.1");

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		TAP_OK(strcmp(km_profile_for_release(rows[i][0])->name, rows[i][1]) == 0,
		       "kernel %s gets profile %s", rows[i][0], rows[i][1]);
	TAP_OK(!km_profile_find("6.2"), "there is no profile 6.2");
	TAP_EQ(km_profile_set(&profile, "order_old", 0), 0, "a switch can be set");
	TAP_OK(!profile.order_old, "and is");
	TAP_OK(km_profile_set(&profile, "no_such", 0) != 0, "an unknown one cannot");
	TAP_OK(km_profile_set(&profile, "fallback", 257) != 0 && profile.fallback == 0,
	       "nor can a value it does not have");
	TAP_EQ(km_profile_set(&profile, "pcp_generation", 2), 0, "its largest can");
}

int main(void)
{
	test_kmalloc_classes();
	test_profiles();
	test_edges();
	for (const struct km_model *model = km_models; model->name; model++) {
		for (const char *const *profile = km_profile_names(); *profile; profile++)
			test_model(model, *profile);
		test_out_of_memory(model);
	}
	return tap_done();
}
