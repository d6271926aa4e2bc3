/* SPDX-License-Identifier: GPL-2.0-only */
/* vmap, vm_map_ram and its blocks, ioremap, vrealloc, by example and by kernel. */
#include <errno.h>

#include "engine/tests/host.h"
#include "engine/tests/tap.h"
#include "engine/vmalloc.h"

static struct test_host host;
static struct km_env env;
static km_pfn frames[512];

static struct km_machine *make(const char *kernel, unsigned cpus)
{
	struct km_machine_spec spec = {.model = km_model_find("slub"),
				       .profile = *km_profile_find(kernel),
				       .cpus = cpus,
				       .memory_bytes = 256ull << 20};
	struct km_machine *machine;
	km_pfn head;

	host = (struct test_host){0};
	test_host_env(&env, &host, 1);
	if (km_machine_create(&env, &spec, &machine)) {
		printf("Bail out! no machine for %s\n", kernel);
		exit(1);
	}
	head = km_alloc_pages(machine, 0, KM_GFP_KERNEL, 9);
	for (unsigned i = 0; i < 512; i++)
		frames[i] = (km_pfn){head.value + 511 - i}; /* backwards: no run anywhere */
	return machine;
}

static const struct page_table *table_of(struct km_machine *machine)
{
	return ((struct vm_layer *)machine->vm)->table;
}

static uint64_t frame_at(struct km_machine *machine, uint64_t addr)
{
	bool huge;

	return km_page_table_lookup(table_of(machine), addr, &huge).value;
}

static uint64_t free_pages(struct km_machine *machine)
{
	struct km_page_usage usage;

	machine->model->page->usage(machine->page, &usage);
	return usage.free;
}

/* ---- vmap ---- */

static void test_vmap(void)
{
	struct km_machine *machine = make("6.12", 1);
	uint64_t first = km_vmap(machine, 0, frames, 1), free_before, area, wrong = 0;

	TAP_EQ(first, KM_VMALLOC_START, "vmap takes the lowest address");
	free_before = free_pages(machine);
	area = km_vmap(machine, 0, frames, 300);
	for (unsigned i = 0; i < 300; i++)
		wrong += frame_at(machine, area + i * KM_PAGE_SIZE) != frames[i].value;
	TAP_EQ(wrong, 0, "each page shows its frame");
	TAP_EQ(frame_at(machine, area + 300 * KM_PAGE_SIZE), UINT64_MAX, "the guard none");
	TAP_EQ(area, first + 2 * KM_PAGE_SIZE, "behind the guard of the one before");
	TAP_EQ(km_vfree(machine, 0, area), 0, "vunmap");
	TAP_OK(free_before - free_pages(machine) < 4, "the frames stay the caller's");
	TAP_EQ(frame_at(machine, area), UINT64_MAX, "and are not shown any more");
	TAP_EQ(km_vfree(machine, 0, area), -EFAULT, "a second vunmap is refused");
	TAP_EQ(km_vmap(machine, 0, frames, 0), 0, "nothing is not mapped");
	TAP_EQ(km_machine_validate(machine), 0, "valid");
	km_machine_destroy(machine);
}

/* ---- vm_map_ram ---- */

#define BLOCK_BYTES (256 * KM_PAGE_SIZE)

static void test_blocks(const char *kernel)
{
	struct km_machine *machine = make(kernel, 2);
	uint64_t part[8], whole[4], other, large, again;

	part[0] = km_vm_map_ram(machine, 0, frames, 3);
	part[1] = km_vm_map_ram(machine, 0, frames, 1);
	part[2] = km_vm_map_ram(machine, 0, frames, 64);
	other = km_vm_map_ram(machine, 1, frames, 1);
	TAP_OK(part[0] && part[0] % BLOCK_BYTES == 0, "%s: a block is aligned to its size", kernel);
	TAP_OK(part[1] == part[0] + 4 * KM_PAGE_SIZE && part[2] == part[0] + 5 * KM_PAGE_SIZE,
	       "%s: parts follow one another, of a power of two of pages", kernel);
	TAP_EQ(other - part[0], BLOCK_BYTES, "%s: each CPU has its own block", kernel);
	TAP_EQ(frame_at(machine, part[1] - KM_PAGE_SIZE), UINT64_MAX, "%s: no more is mapped",
	       kernel);
	TAP_EQ(km_vm_unmap_ram(machine, 0, part[0], 4), -EFAULT, "%s: the count must agree",
	       kernel);
	TAP_EQ(km_vm_unmap_ram(machine, 0, part[0] + KM_PAGE_SIZE, 2), -EFAULT,
	       "%s: and the address", kernel);
	TAP_EQ(km_vfree(machine, 0, part[0]), -EFAULT, "%s: vfree does not know it", kernel);
	TAP_EQ(km_vm_unmap_ram(machine, 1, part[0], 3), 0, "%s: any CPU may unmap", kernel);
	again = km_vm_map_ram(machine, 0, frames, 3);
	TAP_EQ(again - part[2], 64 * KM_PAGE_SIZE, "%s: what was unmapped is not given again",
	       kernel);
	large = km_vm_map_ram(machine, 0, frames, 65);
	TAP_OK(large && (large < part[0] || large >= part[0] + 2 * BLOCK_BYTES),
	       "%s: 65 pages are an area of their own", kernel);
	TAP_EQ(km_vm_unmap_ram(machine, 0, large, 65), 0, "%s: which is unmapped whole", kernel);
	km_vm_unmap_ram(machine, 0, part[1], 1);
	km_vm_unmap_ram(machine, 0, part[2], 64);
	km_vm_unmap_ram(machine, 0, again, 3);

	/* 187 pages of the block are left: nothing is in use, yet it stays or goes by kernel. */
	for (unsigned i = 0; i < 4; i++)
		whole[i] = km_vm_map_ram(machine, 1, frames, 64);
	TAP_EQ(km_machine_validate(machine), 0, "%s: valid in between", kernel);
	for (unsigned i = 0; i < 4; i++)
		km_vm_unmap_ram(machine, 1, whole[i], 64);
	TAP_OK(whole[2] == other + 129 * KM_PAGE_SIZE && whole[3] == other + 2 * BLOCK_BYTES,
	       "%s: 64 pages go where 64 are left, else into a new block", kernel);
	km_vm_unmap_ram(machine, 1, other, 1);
	TAP_EQ(km_machine_validate(machine), 0, "%s: valid at the end", kernel);
	km_machine_destroy(machine);
	TAP_EQ(host.live_blocks, 0, "%s: no host memory is left", kernel);
}

/* A block that is wholly given and unmapped goes at once; one with rests when it is purged. */
static void test_block_end(const char *kernel, bool goes_early)
{
	struct km_machine *machine = make(kernel, 1);
	struct vm_layer *vm = machine->vm;
	uint64_t part[5], flushes;

	for (unsigned i = 0; i < 5; i++)
		part[i] = km_vm_map_ram(machine, 0, frames, 64);
	TAP_EQ(vm->usage.areas, 2, "%s: five times 64 pages are two blocks", kernel);
	for (unsigned i = 0; i < 4; i++)
		km_vm_unmap_ram(machine, 0, part[i], 64);
	TAP_EQ(vm->usage.areas, 1, "%s: the block that was given wholly is gone", kernel);
	TAP_EQ(vm->lazy_pages, 256, "%s: its addresses wait for a purge", kernel);
	km_vm_unmap_aliases(machine, 0);
	TAP_EQ(vm->lazy_pages, 0, "%s: vm_unmap_aliases purges", kernel);
	flushes = env.count.tlb_flush;
	km_vm_unmap_ram(machine, 0, part[4], 64);
	km_vm_unmap_aliases(machine, 0);
	TAP_EQ(env.count.tlb_flush, flushes + 1, "%s: what is dirty is flushed", kernel);
	TAP_EQ(vm->usage.areas, !goes_early, "%s: a block with 192 unused pages %s", kernel,
	       goes_early ? "goes" : "stays");
	km_vm_unmap_aliases(machine, 0);
	TAP_EQ(env.count.tlb_flush, flushes + 1, "%s: once", kernel);
	km_vm_purge(vm, 0, true);
	TAP_EQ(vm->usage.areas, 0, "%s: when addresses run out all unused ones go", kernel);
	TAP_EQ(km_machine_validate(machine), 0, "%s: valid", kernel);
	km_machine_destroy(machine);
}

static void test_block_size(void)
{
	struct km_machine_spec spec = {.model = km_model_find("slub"),
				       .profile = *km_profile_find("6.18"),
				       .cpus = 1,
				       .memory_bytes = 64ull << 20};
	struct km_machine *machine;
	uint64_t addr;

	TAP_EQ(km_profile_set(&spec.profile, "vmap_block_order", 11), -ERANGE, "at most 4 MiB");
	TAP_EQ(km_profile_set(&spec.profile, "vmap_block_order", 10), 0, "NR_CPUS of 256");
	test_host_env(&env, &host, 1);
	if (km_machine_create(&env, &spec, &machine))
		return;
	addr = km_vm_map_ram(machine, 0, frames, 64);
	for (unsigned i = 1; i < 16; i++)
		km_vm_map_ram(machine, 0, frames, 64);
	TAP_EQ(km_vm_map_ram(machine, 0, frames, 1) - addr, 4ull << 20, "blocks of 1024 pages");
	km_machine_destroy(machine);
}

/* ---- ioremap ---- */

static void test_ioremap(void)
{
	struct km_machine *machine = make("6.1", 1);
	struct km_vm_usage usage;
	uint64_t addr = km_ioremap(machine, 0, 0xfed00123, 0x1000), large;

	TAP_EQ(addr & 0xfff, 0x123, "the offset in the page stays");
	TAP_EQ(frame_at(machine, addr), 0xfed00, "the device's frame is shown");
	TAP_EQ(frame_at(machine, addr + 0x1000), 0xfed01, "both of them, as 4 KiB cross a page");
	TAP_EQ(km_ioremap(machine, 0, 0xf0000000, 0x21000) % 0x40000, 0,
	       "aligned to the next power of two");
	large = km_ioremap(machine, 0, 0xe0000000, 4ull << 20);
	machine->model->vm->usage(machine->vm, &usage);
	TAP_OK(large && usage.leaf_2m == 2, "4 MiB in two leaves");
	TAP_EQ(km_vfree(machine, 0, large), 0, "iounmap");
	TAP_EQ(km_ioremap(machine, 0, UINT64_MAX - 10, 100), 0, "no physical address beyond");
	TAP_EQ(km_ioremap(machine, 0, 0xe0000000, 0), 0, "nor of nothing");
	TAP_EQ(km_machine_validate(machine), 0, "valid");
	km_machine_destroy(machine);
}

/* ---- vrealloc ---- */

static void test_vrealloc(const char *kernel, uint64_t pages_after_shrink)
{
	struct km_machine *machine = make(kernel, 1);
	uint64_t addr = 0, first;
	struct km_vm_usage usage;

	TAP_EQ(km_vrealloc(machine, 0, &addr, 50000, KM_GFP_KERNEL), 0, "%s: from nothing", kernel);
	first = addr;
	TAP_OK(!km_vrealloc(machine, 0, &addr, 53248, KM_GFP_KERNEL) && addr == first,
	       "%s: up to the end of the last page in place", kernel);
	TAP_OK(!km_vrealloc(machine, 0, &addr, 53249, KM_GFP_KERNEL) && addr != first,
	       "%s: beyond it moves", kernel);
	TAP_EQ(km_vfree(machine, 0, first), -EFAULT, "%s: the old one is gone", kernel);
	first = addr;
	TAP_OK(!km_vrealloc(machine, 0, &addr, 5000, KM_GFP_KERNEL) && addr == first,
	       "%s: shrinking in place", kernel);
	machine->model->vm->usage(machine->vm, &usage);
	TAP_EQ(usage.mapped_pages, pages_after_shrink, "%s: keeps %llu pages", kernel,
	       (unsigned long long)pages_after_shrink);
	km_vrealloc(machine, 0, &addr, 50000, KM_GFP_KERNEL);
	TAP_OK((addr == first) == (pages_after_shrink == 14),
	       "%s: growing again is in place where the pages are still there", kernel);
	TAP_EQ(km_machine_validate(machine), 0, "%s: valid", kernel);
	TAP_OK(!km_vrealloc(machine, 0, &addr, 0, KM_GFP_KERNEL) && addr == 0, "%s: to nothing",
	       kernel);
	addr = KM_VMALLOC_START + 0x123000;
	TAP_EQ(km_vrealloc(machine, 0, &addr, 10, KM_GFP_KERNEL), -EFAULT, "%s: of nothing",
	       kernel);
	machine->model->vm->usage(machine->vm, &usage);
	TAP_EQ(usage.areas + usage.mapped_pages, 0, "%s: nothing left", kernel);
	km_machine_destroy(machine);
}

/* ---- five levels ---- */

static uint64_t table_pages(struct km_machine *machine)
{
	struct km_vm_usage usage;

	machine->model->vm->usage(machine->vm, &usage);
	return usage.page_table_pages;
}

static void test_la57(void)
{
	struct km_machine_spec spec = {.model = km_model_find("slub"),
				       .profile = *km_profile_find("6.12"),
				       .cpus = 1,
				       .memory_bytes = 256ull << 20};
	struct km_machine *four, *five;
	struct km_env env_five;
	uint64_t addr, space;
	bool huge;

	four = make("6.12", 1);
	km_vmalloc(four, 0, 5 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0);
	test_host_env(&env_five, &host, 1);
	km_profile_set(&spec.profile, "la57", 1);
	if (km_machine_create(&env_five, &spec, &five))
		return;
	addr = km_vmalloc(five, 0, 5 * KM_PAGE_SIZE, 0, KM_GFP_KERNEL, 0);
	TAP_EQ(addr, KM_VMALLOC_START_LA57, "five levels: vmalloc begins elsewhere");
	TAP_OK(km_is_vmalloc_addr(addr), "five levels: and is known as such");
	TAP_EQ(table_pages(five), table_pages(four) + 1, "five levels: one table more");
	TAP_OK(km_pfn_valid(km_page_table_lookup(table_of(five), addr + 4 * KM_PAGE_SIZE, &huge)),
	       "five levels: pages are found");
	space = km_vmalloc(five, 0, 40ull << 40, 0, KM_GFP_KERNEL, KM_VM_NO_PAGES);
	TAP_OK(space > addr, "five levels: 40 TiB of addresses, more than four levels have");
	TAP_EQ(km_vmalloc(four, 0, 40ull << 40, 0, KM_GFP_KERNEL, KM_VM_NO_PAGES), 0,
	       "four levels do not");
	TAP_EQ(km_kfree(five, 0, addr), 0, "five levels: kvfree() finds the area");
	TAP_EQ(km_machine_validate(five), 0, "five levels: valid");
	km_machine_destroy(five);
	km_machine_destroy(four);
}

int main(void)
{
	test_la57();
	test_vmap();
	for (const char *const *kernel = km_profile_names(); *kernel; kernel++)
		test_blocks(*kernel);
	test_block_end("5.15", true);
	test_block_end("6.1", true);
	test_block_end("6.6", false);
	test_block_end("7.2", false);
	test_block_size();
	test_ioremap();
	test_vrealloc("6.12", 14);
	test_vrealloc("7.2", 2);
	return tap_done();
}
