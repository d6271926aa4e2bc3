/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vmalloc layer on a whole machine: addresses against a naive first-fit over a list, page
 * tables entry by entry, laziness, per-node pools, huge pages, failures at every point.
 */
#include <errno.h>
#include <string.h>

#include "engine/models.h"
#include "engine/tests/tap.h"
#include "engine/tests/vm_pages.h"
#include "engine/vmalloc.h"

/* ---- a machine whose page layer fails on demand ---- */

static long fail_after = -1; /* page requests that still succeed; -1: all */
static unsigned fail_from_order = KM_NR_ORDERS;
static uint64_t runs_freed; /* frees of order > 0 */

static bool must_fail(unsigned order)
{
	if (order >= fail_from_order || fail_after == 0)
		return true;
	if (fail_after > 0)
		fail_after--;
	return false;
}

static km_pfn failing_alloc(void *self, unsigned cpu, uint32_t gfp, unsigned order)
{
	return must_fail(order) ? KM_PFN_NONE : km_buddy_page_ops.alloc(self, cpu, gfp, order);
}

static unsigned failing_bulk(void *self, unsigned cpu, uint32_t gfp, unsigned wanted, km_pfn *pfns)
{
	unsigned got = 0;

	while (got < wanted && !must_fail(0))
		got++;
	return got ? km_buddy_page_ops.alloc_bulk(self, cpu, gfp, got, pfns) : 0;
}

static int counting_free(void *self, unsigned cpu, km_pfn pfn, unsigned order)
{
	runs_freed += order > 0;
	return km_buddy_page_ops.free(self, cpu, pfn, order);
}

static void *env_alloc(void *context, size_t bytes)
{
	void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);

	(void)context;
	return memory ? memset(memory, 0, bytes) : NULL;
}

static void env_release(void *context, void *memory, size_t bytes)
{
	(void)context, (void)bytes;
	free(memory);
}

static struct km_env env;
static struct km_page_ops page_ops;
static struct km_model model;

static struct km_machine *make(const char *kernel, unsigned cpus, uint64_t memory)
{
	struct km_machine_spec spec = {.model = &model, .cpus = cpus, .memory_bytes = memory};
	struct km_machine *machine = NULL;

	env = (struct km_env){.alloc = env_alloc, .release = env_release, .random_state = 7};
	page_ops = km_buddy_page_ops;
	page_ops.alloc = failing_alloc;
	page_ops.alloc_bulk = failing_bulk;
	page_ops.free = counting_free;
	model = *km_model_find("slub");
	model.page = &page_ops;
	fail_after = -1;
	fail_from_order = KM_NR_ORDERS;
	runs_freed = 0;
	spec.profile = *km_profile_find(kernel);
	if (km_machine_create(&env, &spec, &machine)) {
		printf("Bail out! no machine for %s\n", kernel);
		exit(1);
	}
	return machine;
}

static struct vm_layer *layer(struct km_machine *machine)
{
	return machine->vm;
}

static uint64_t live_bytes(struct km_machine *machine)
{
	uint64_t slab_pages, live;

	machine->model->slab->usage(machine->slab, &slab_pages, &live);
	return live;
}

/* ---- the naive model: ranges in an unsorted list ---- */

#define NAIVE_MAX 4096

struct naive_range {
	uint64_t start, end;
	bool parked;
};

static struct naive_range naive[NAIVE_MAX];
static unsigned nr_naive;
static uint64_t naive_lazy, naive_max, naive_purges;

/* Lowest address where nothing lies: try the start of the range and the end of every area. */
static uint64_t naive_alloc(uint64_t bytes)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i <= nr_naive; i++) {
		uint64_t at = i ? naive[i - 1].end : KM_VMALLOC_START;
		bool clear = at < best;

		for (unsigned j = 0; clear && j < nr_naive; j++)
			clear = at + bytes <= naive[j].start || at >= naive[j].end;
		if (clear)
			best = at;
	}
	naive[nr_naive++] = (struct naive_range){best, best + bytes, false};
	return best;
}

static void naive_free(uint64_t start)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < nr_naive; i++) {
		if (naive[i].start == start && !naive[i].parked) {
			naive[i].parked = true;
			naive_lazy += (naive[i].end - naive[i].start) / KM_PAGE_SIZE;
		}
	}
	if (naive_lazy <= naive_max)
		return;
	for (unsigned i = 0; i < nr_naive; i++)
		if (!naive[i].parked)
			naive[kept++] = naive[i];
	nr_naive = kept;
	naive_lazy = 0;
	naive_purges++;
}

#define LIVE_MAX 256

static uint64_t random_pages(void)
{
	static const uint64_t sizes[] = {1,  1,  1,  2,   3,   4,   5,   8,
					 16, 17, 64, 100, 256, 511, 512, 700};

	return sizes[km_env_random(&env) % (sizeof(sizes) / sizeof(sizes[0]))];
}

/* Every address of a random program equals the naive answer, nested page arrays included. */
static void test_lowest_fit(const char *kernel)
{
	struct km_machine *machine = make(kernel, 1, 512ull << 20);
	uint64_t live[LIVE_MAX] = {0}, array[LIVE_MAX] = {0}, wrong = 0, allocs = 0;

	nr_naive = 0;
	naive_lazy = naive_purges = 0;
	naive_max = 8192;
	for (unsigned step = 0; step < 4000; step++) {
		unsigned slot = km_env_random(&env) % LIVE_MAX;
		uint64_t pages = random_pages(), array_bytes = pages * 8;

		if (live[slot]) {
			km_vfree(machine, 0, live[slot]);
			naive_free(live[slot]);
			if (array[slot])
				naive_free(array[slot]);
			live[slot] = 0;
			continue;
		}
		live[slot] =
			km_vmalloc(machine, 0, pages * KM_PAGE_SIZE - 100, 0, KM_GFP_KERNEL, 0);
		allocs++;
		wrong += live[slot] != naive_alloc((pages + 1) * KM_PAGE_SIZE);
		array[slot] = 0;
		if (array_bytes > KM_PAGE_SIZE)
			array[slot] =
				naive_alloc(km_round_up(array_bytes, KM_PAGE_SIZE) + KM_PAGE_SIZE);
	}
	TAP_OK(allocs > 1000 && wrong == 0,
	       "%s: %llu addresses of a random program are the lowest that fit", kernel,
	       (unsigned long long)allocs);
	TAP_OK(naive_purges > 2 && env.count.tlb_flush == naive_purges,
	       "%s: %llu purges, one TLB flush each", kernel, (unsigned long long)naive_purges);
	TAP_EQ(layer(machine)->lazy_pages, naive_lazy, "%s: pages waiting as counted", kernel);
	TAP_EQ(km_machine_validate(machine), 0, "%s: machine valid in the middle", kernel);
	for (unsigned slot = 0; slot < LIVE_MAX; slot++)
		if (live[slot])
			km_vfree(machine, 0, live[slot]);
	TAP_EQ(data_pages(machine), 0, "%s: every data page given back", kernel);
	km_vm_purge(layer(machine), 0, true);
	TAP_EQ(layer(machine)->free.count, 1, "%s: free space is one range again", kernel);
	TAP_EQ(km_machine_validate(machine), 0, "%s: machine valid at the end", kernel);
	km_machine_destroy(machine);
}

/* ---- page tables ---- */

static void test_page_tables(void)
{
	struct km_machine *machine = make("6.1", 1, 256ull << 20);
	uint8_t *seen = calloc(machine->max_pfn, 1);
	uint64_t addr[40], missing = 0, twice = 0, left = 0;
	struct km_vm_usage usage;
	bool huge;

	for (unsigned i = 0; i < 40; i++)
		addr[i] = km_vmalloc(machine, 0, (i * 37 + 1) * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0);
	for (unsigned i = 0; i < 40; i++) {
		for (uint64_t page = 0; page < i * 37 + 1; page++) {
			km_pfn pfn = km_page_table_lookup(layer(machine)->table,
							  addr[i] + page * KM_PAGE_SIZE, &huge);

			if (!km_pfn_valid(pfn) || pfn.value >= machine->max_pfn)
				missing++;
			else if (seen[pfn.value]++)
				twice++;
		}
		missing += km_pfn_valid(km_page_table_lookup(
			layer(machine)->table, addr[i] + (i * 37 + 1) * KM_PAGE_SIZE, &huge));
	}
	TAP_EQ(missing, 0, "every page of every area is mapped, no guard page is");
	TAP_EQ(twice, 0, "no page is mapped twice");
	machine->model->vm->usage(machine->vm, &usage);
	TAP_EQ(usage.mapped_pages, usage.leaf_4k, "one 4 KiB leaf per page");
	TAP_EQ(data_pages(machine), usage.mapped_pages, "the pages in use are the pages mapped");
	TAP_OK(usage.page_table_pages > 1 && usage.page_table_pages < 100,
	       "page tables: %llu pages", (unsigned long long)usage.page_table_pages);
	for (unsigned i = 0; i < 40; i++)
		TAP_OK(km_vfree(machine, 0, addr[i]) == 0, "area %u freed", i);
	for (unsigned i = 0; i < 40; i++)
		left += km_pfn_valid(km_page_table_lookup(layer(machine)->table, addr[i], &huge));
	TAP_EQ(left, 0, "nothing is mapped after vfree");
	TAP_EQ(km_vfree(machine, 0, addr[0]), -EFAULT, "a second vfree is refused");
	TAP_EQ(env.count.pte_set - env.count.pte_clear, usage.page_table_pages,
	       "entries left written: those that point to tables");
	free(seen);
	km_machine_destroy(machine);
}

static void test_huge(const char *kernel, bool expected)
{
	struct km_machine *machine = make(kernel, 1, 256ull << 20);
	struct km_vm_usage usage;
	uint64_t addr = km_vmalloc(machine, 0, 5ull << 20, 0, KM_GFP_KERNEL, KM_VM_ALLOW_HUGE);
	uint64_t nested = 1; /* the page array of more than 512 pages, in 4 KiB pages */

	machine->model->vm->usage(machine->vm, &usage);
	TAP_EQ(usage.leaf_2m, expected ? 3 : 0, "%s: 5 MiB in 2 MiB leaves", kernel);
	TAP_OK(addr && (!expected || addr % VM_HUGE_BYTES == 0), "%s: aligned", kernel);
	nested = usage.leaf_4k;
	TAP_OK(expected ? nested == 3 : nested > 1280, "%s: 4 KiB leaves as expected", kernel);
	TAP_EQ(machine->model->vm->size(machine->vm, addr), expected ? 6ull << 20 : 5ull << 20,
	       "%s: mapped size", kernel);
	TAP_EQ(km_machine_validate(machine), 0, "%s: valid", kernel);
	km_vfree(machine, 0, addr);
	TAP_EQ(data_pages(machine), 0, "%s: all pages back", kernel);

	fail_from_order = KM_PAGEBLOCK_ORDER;
	addr = km_vmalloc(machine, 0, 4ull << 20, 0, KM_GFP_KERNEL, KM_VM_ALLOW_HUGE);
	machine->model->vm->usage(machine->vm, &usage);
	TAP_OK(addr && usage.leaf_2m == 0, "%s: no order-9 block: 4 KiB pages instead", kernel);
	km_vfree(machine, 0, addr);
	TAP_EQ(data_pages(machine), 0, "%s: all pages back after the fallback", kernel);

	/* Plain again in a slot where 4 KiB tables lie: the table is given back, not leaked. */
	fail_from_order = KM_NR_ORDERS;
	km_vm_purge(layer(machine), 0, true);
	addr = km_vmalloc(machine, 0, 4ull << 20, 0, KM_GFP_KERNEL, KM_VM_ALLOW_HUGE);
	TAP_OK(addr != 0, "%s: huge over old tables", kernel);
	TAP_EQ(km_machine_validate(machine), 0, "%s: valid", kernel);
	km_vfree(machine, 0, addr);
	TAP_EQ(data_pages(machine), 0, "%s: tables accounted", kernel);
	km_machine_destroy(machine);
}

/* ---- failures ---- */

static void test_failures(const char *kernel, uint32_t flags)
{
	struct km_machine *machine = make(kernel, 1, 256ull << 20);
	uint64_t before, bytes = (3ull << 20) + 5, failures = 0, leaks = 0, addr = 0;
	uint64_t warm = km_vmalloc(machine, 0, KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0);
	struct km_vm_usage usage;

	before = live_bytes(machine);
	for (long limit = 0; limit < 2000 && !addr; limit += limit < 40 ? 1 : 53) {
		fail_after = limit;
		addr = km_vmalloc(machine, 0, bytes, 0, KM_GFP_KERNEL, flags);
		fail_after = -1;
		if (addr)
			break;
		failures++;
		machine->model->vm->usage(machine->vm, &usage);
		leaks += data_pages(machine) != 1 || usage.mapped_pages != 1 || usage.areas != 1 ||
			 km_machine_validate(machine) != 0;
	}
	TAP_OK(addr && failures > 2, "%s: fails %llu times, then works", kernel,
	       (unsigned long long)failures);
	TAP_EQ(leaks, 0, "%s: a failure leaves no page, area or mapping behind", kernel);
	km_vfree(machine, 0, addr);
	km_vfree(machine, 0, warm);
	km_vm_purge(layer(machine), 0, true);
	TAP_EQ(data_pages(machine), 0, "%s: all pages back", kernel);
	TAP_OK(live_bytes(machine) <= before, "%s: no descriptor or array left", kernel);
	km_machine_destroy(machine);
}

static void test_bad_requests(void)
{
	struct km_machine *machine = make("6.1", 1, 64ull << 20);

	TAP_EQ(km_vmalloc(machine, 0, 0, 0, KM_GFP_KERNEL, 0), 0, "no area of 0 bytes");
	TAP_EQ(km_vmalloc(machine, 0, 1ull << 40, 0, KM_GFP_KERNEL, 0), 0, "more than the memory");
	TAP_EQ(km_vmalloc(machine, 0, UINT64_MAX, 0, KM_GFP_KERNEL, 0), 0, "more than there is");
	TAP_EQ(km_vmalloc(machine, 0, 4096, 12288, KM_GFP_KERNEL, 0), 0, "odd alignment");
	TAP_EQ(km_vfree(machine, 0, KM_VMALLOC_START + 4096), -EFAULT, "unknown address");
	TAP_EQ(env.count.vm_fail, 4, "each counted");
	km_machine_destroy(machine);
}

/* ---- address space only, alignment ---- */

static void test_space_only(void)
{
	struct km_machine *machine = make("6.18", 2, 64ull << 20);
	uint64_t a = km_vmalloc(machine, 0, 1ull << 40, 0, KM_GFP_KERNEL, KM_VM_NO_PAGES);
	uint64_t stack[50], wrong = 0;

	TAP_OK(a == KM_VMALLOC_START && data_pages(machine) == 0, "a mapping without pages");
	for (unsigned i = 0; i < 50; i++) {
		stack[i] = km_vmalloc(machine, i & 1, 16384, 16384, KM_GFP_KERNEL, 0);
		wrong += !stack[i] || stack[i] % 16384 || (i && stack[i] - stack[i - 1] != 32768);
	}
	TAP_EQ(wrong, 0, "thread stacks: aligned to 16 KiB, guard forces a gap");
	for (unsigned i = 0; i < 50; i++)
		km_vfree(machine, i & 1, stack[i]);
	km_vfree(machine, 0, a);
	TAP_EQ(km_machine_validate(machine), 0, "valid");
	km_machine_destroy(machine);
}

/* ---- per-node pools (6.9+) ---- */

static void free_many(struct km_machine *machine, uint64_t *addr, unsigned count, unsigned cpu)
{
	for (unsigned i = 0; i < count; i++)
		km_vfree(machine, cpu, addr[i]);
}

static void test_pools(const char *kernel, unsigned kept)
{
	struct km_machine *machine = make(kernel, 2, 1ull << 30);
	struct vm_layer *vm = layer(machine);
	uint64_t addr[8], again[8];

	TAP_EQ(vm->nr_nodes, 2, "%s: one node per CPU", kernel);
	for (unsigned i = 0; i < 8; i++)
		addr[i] = km_vmalloc(machine, 0, 8 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0);
	free_many(machine, addr, 8, 0);
	TAP_OK(km_vm_purge(vm, 0, false), "%s: a purge finds the areas", kernel);
	TAP_EQ(vm->nodes[0].pool[8].count, 8, "%s: they lie in their CPU's pool", kernel);
	for (unsigned i = 0; i < 3; i++)
		again[i] = km_vmalloc(machine, 0, 8 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0);
	TAP_OK(again[0] == addr[7] && again[1] == addr[6] && again[2] == addr[5],
	       "%s: the highest address is reused first", kernel);
	TAP_EQ(env.count.vm_pool, 3, "%s: counted as from the pool", kernel);
	TAP_OK(km_vmalloc(machine, 1, 8 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0) > addr[7],
	       "%s: the other CPU's node has none", kernel);
	km_vm_purge(vm, 0, false);
	TAP_EQ(vm->nodes[0].pool[8].count, 4, "%s: a purge takes a quarter of five away", kernel);
	km_vm_purge(vm, 0, false);
	TAP_EQ(vm->nodes[0].pool[8].count, 3, "%s: and of four", kernel);
	km_vm_purge(vm, 0, false);
	TAP_EQ(vm->nodes[0].pool[8].count, kept, "%s: what is left of three", kernel);
	TAP_EQ(km_machine_validate(machine), 0, "%s: valid", kernel);
	km_machine_destroy(machine);
}

static void test_runs(void)
{
	struct km_machine *machine = make("7.2", 1, 256ull << 20);
	uint64_t addr = km_vmalloc(machine, 0, 300 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0);

	km_vfree(machine, 0, addr);
	TAP_OK(runs_freed > 0 && runs_freed < 20, "7.2: 300 pages go back in %llu blocks",
	       (unsigned long long)runs_freed);
	TAP_EQ(data_pages(machine), 0, "7.2: all of them");
	km_machine_destroy(machine);
}

/* ---- state ---- */

static void test_state(void)
{
	struct km_machine *machine = make("6.12", 2, 256ull << 20);
	struct km_vm_range free_ranges[] = {
		{1, KM_VMALLOC_START, 0, 1, true}, /* three make a black root with red children */
		{KM_VMALLOC_START + 0x5000, KM_VMALLOC_START + 0x8000, 0, 0, false},
		{KM_VMALLOC_START + 0x10000, UINT64_MAX, 0, 1, true}};
	struct km_vm_range parked = {
		.start = KM_VMALLOC_START + 0x8000, .end = KM_VMALLOC_START + 0xa000, .node = 1};
	struct km_vm_range pooled = {
		.start = KM_VMALLOC_START + 0xa000, .end = KM_VMALLOC_START + 0xd000, .node = 1};
	struct km_vm_state state = {.nr_free = 3,
				    .free = free_ranges,
				    .nr_parked = 1,
				    .parked = &parked,
				    .nr_pooled = 1,
				    .pooled = &pooled,
				    .lazy_pages = 2};
	struct km_vm_state saved;

	TAP_EQ(km_vmalloc_load_state(machine->vm, &state), 0, "a state loads");
	TAP_EQ(km_vmalloc_save_state(machine->vm, &saved), 0, "and is saved");
	TAP_OK(saved.nr_free == 3 && !memcmp(saved.free, free_ranges, sizeof(free_ranges)) &&
		       saved.nr_parked == 1 && saved.parked[0].start == parked.start &&
		       saved.nr_pooled == 1 && saved.pooled[0].end == pooled.end &&
		       saved.lazy_pages == 2,
	       "the same, tree and all");
	TAP_EQ(km_vmalloc_load_state(machine->vm, &saved), 0, "what was saved loads");
	saved.free[1].red = true;
	TAP_EQ(km_vmalloc_load_state(machine->vm, &saved), -EINVAL, "but no red root");
	saved.free[1].red = false;
	saved.free[2].depth = 2;
	TAP_EQ(km_vmalloc_load_state(machine->vm, &saved), -EINVAL, "nor a gap between levels");
	TAP_EQ(km_machine_validate(machine), 0, "and what was there before stays");
	km_vmalloc_release_state(machine->vm, &saved);
	TAP_EQ(km_vmalloc(machine, 1, 2 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0), pooled.start,
	       "CPU 1 takes the pooled range");
	TAP_EQ(km_vmalloc(machine, 0, 2 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0),
	       KM_VMALLOC_START + 0x5000, "CPU 0 the lowest free one");
	TAP_EQ(km_vmalloc_load_state(machine->vm, &state), -EBUSY, "not while areas live");
	km_machine_destroy(machine);

	machine = make("6.1", 1, 256ull << 20);
	free_ranges[2].start = KM_VMALLOC_START + 0x7000;
	state = (struct km_vm_state){.nr_free = 3, .free = free_ranges};
	TAP_EQ(km_vmalloc_load_state(machine->vm, &state), -EINVAL, "overlapping ranges refused");
	TAP_EQ(km_vmalloc(machine, 0, 100, 0, KM_GFP_KERNEL, 0), KM_VMALLOC_START,
	       "and nothing changed");
	km_machine_destroy(machine);
}

int main(void)
{
	for (const char *const *kernel = km_profile_names(); *kernel; kernel++)
		test_lowest_fit(*kernel);
	test_page_tables();
	test_huge("6.1", true);
	test_huge("7.2", true);
	test_huge("5.15", false);
	test_failures("5.15", 0);
	test_failures("6.1", 0);
	test_failures("6.1", KM_VM_ALLOW_HUGE);
	test_failures("7.2", 0);
	test_bad_requests();
	test_space_only();
	test_pools("6.12", 0);
	test_pools("7.2", 3);
	test_runs();
	test_state();
	return tap_done();
}
