/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vm_map_ram: short-lived mappings out of blocks that each CPU keeps. A block gives power-of-two
 * numbers of pages from its start to its end, once; what is unmapped is only marked dirty, and the
 * block goes when all of it is, or when it is purged with nothing in use (mm/vmalloc.c: vb_alloc,
 * vb_free, purge_fragmented_block; kernel-facts: D.6). Linux frees the block's record after a
 * grace period, here it is freed at once.
 */
#include <errno.h>

#include "vmalloc.h"

#define GIVEN_MAX 64u /* pages; more is an area of its own */
#define BLOCK_PAGES_MIN_ORDER 7u
#define BLOCK_PAGES_MAX 1024u

struct vm_block {
	struct vm_area *area;
	uint64_t object; /* struct vmap_block on the machine */
	/* In pages. free: not given yet, at the end; dirty: given and unmapped. */
	uint32_t free, dirty, mapped;
	bool unflushed; /* some of the dirty ones were unmapped since the last flush */
	bool queued;
	unsigned cpu;
	struct vm_block *next, *prev;         /* in the CPU's queue */
	struct vm_block *all_next, *all_prev; /* of the layer */
	uint8_t given[BLOCK_PAGES_MAX];       /* where a part begins, its pages */
};

static uint32_t block_pages(const struct vm_layer *vm)
{
	unsigned order = vm->machine->spec.profile.vmap_block_order;

	return 1u << (order < BLOCK_PAGES_MIN_ORDER ? BLOCK_PAGES_MIN_ORDER : order);
}

/* struct vmap_block: a map of what is in use came with 6.3, the CPU with 6.10. */
static uint32_t object_bytes(const struct vm_layer *vm)
{
	const struct km_profile *profile = &vm->machine->spec.profile;

	return 96 + (profile->vmap_block_sparing ? block_pages(vm) / 8 : 0) +
	       (profile->vmap_nodes ? 8 : 0);
}

uint64_t km_vm_block_mapped(const struct vm_block *block)
{
	return block->mapped;
}

/* ---- queues ---- */

static void enqueue(struct vm_layer *vm, struct vm_block *block)
{
	struct vm_block_queue *queue = &vm->queues[block->cpu];

	block->queued = true;
	block->next = NULL;
	block->prev = queue->tail;
	*(queue->tail ? &queue->tail->next : &queue->head) = block;
	queue->tail = block;
}

static void dequeue(struct vm_layer *vm, struct vm_block *block)
{
	struct vm_block_queue *queue = &vm->queues[block->cpu];

	if (!block->queued)
		return;
	block->queued = false;
	*(block->prev ? &block->prev->next : &queue->head) = block->next;
	*(block->next ? &block->next->prev : &queue->tail) = block->prev;
}

/* ---- blocks ---- */

static struct vm_block *new_block(struct vm_layer *vm, unsigned cpu)
{
	uint64_t bytes = (uint64_t)block_pages(vm) << KM_PAGE_SHIFT;
	struct km_env *env = vm->machine->env;
	struct vm_block *block = km_env_alloc(env, sizeof(*block));

	if (!block)
		return NULL;
	block->object = km_kmalloc(vm->machine, cpu, object_bytes(vm), KM_GFP_KERNEL, -1);
	if (block->object)
		block->area = km_vm_area_bare(vm, cpu, bytes, bytes, VM_KIND_BLOCK);
	if (!block->area) {
		km_kfree(vm->machine, cpu, block->object);
		km_env_release(env, block, sizeof(*block));
		return NULL;
	}
	block->area->block = block;
	block->free = block_pages(vm);
	block->cpu = cpu;
	vm->usage.metadata_bytes += km_kmalloc_bytes_alloc(object_bytes(vm));
	block->all_next = vm->blocks;
	if (vm->blocks)
		vm->blocks->all_prev = block;
	vm->blocks = block;
	return block;
}

static void free_block(struct vm_layer *vm, unsigned cpu, struct vm_block *block)
{
	dequeue(vm, block);
	*(block->all_prev ? &block->all_prev->all_next : &vm->blocks) = block->all_next;
	if (block->all_next)
		block->all_next->all_prev = block->all_prev;
	km_vm_area_release(vm, cpu, block->area, 0);
	km_kfree(vm->machine, cpu, block->object);
	vm->usage.metadata_bytes -= km_kmalloc_bytes_alloc(object_bytes(vm));
	km_env_release(vm->machine->env, block, sizeof(*block));
}

static bool is_fragmented(const struct vm_layer *vm, const struct vm_block *block, bool force)
{
	uint32_t pages = block_pages(vm);

	return block->free + block->dirty == pages && block->dirty != pages &&
	       (force || block->free < pages / 4);
}

void km_vm_blocks_purge(struct vm_layer *vm, unsigned cpu, bool force)
{
	struct vm_block *next;

	for (struct vm_block *block = vm->blocks; block; block = next) {
		next = block->all_next;
		if (is_fragmented(vm, block, force))
			free_block(vm, cpu, block);
	}
}

void km_vm_blocks_destroy(struct vm_layer *vm)
{
	while (vm->blocks) {
		struct vm_block *next = vm->blocks->all_next;

		km_env_release(vm->machine->env, vm->blocks, sizeof(*vm->blocks));
		vm->blocks = next;
	}
}

int km_vm_blocks_validate(const struct vm_layer *vm)
{
	for (const struct vm_block *block = vm->blocks; block; block = block->all_next)
		if (block->area->block != block || block->queued != (block->free != 0) ||
		    block->free + block->dirty > block_pages(vm) ||
		    block->mapped > block_pages(vm) - block->free - block->dirty)
			return -EINVAL;
	return 0;
}

/* ---- vm_map_ram, vm_unmap_ram ---- */

/* The first block of this CPU with enough left, or a new one. */
static struct vm_block *block_with(struct vm_layer *vm, unsigned cpu, uint32_t pages)
{
	struct vm_block *block = vm->queues[cpu].head;

	while (block && block->free < pages)
		block = block->next;
	if (block)
		return block;
	block = new_block(vm, cpu);
	if (block)
		enqueue(vm, block);
	return block;
}

static uint64_t map_part(struct vm_layer *vm, unsigned cpu, const km_pfn *pfns, uint64_t count)
{
	uint32_t pages = 1u << km_get_order(count << KM_PAGE_SHIFT), offset;
	struct vm_block *block = block_with(vm, cpu, pages);
	uint64_t addr;

	if (!block)
		return 0;
	offset = block_pages(vm) - block->free;
	addr = block->area->start + ((uint64_t)offset << KM_PAGE_SHIFT);
	block->given[offset] = (uint8_t)count;
	block->free -= pages;
	block->mapped += (uint32_t)count;
	if (!block->free)
		dequeue(vm, block);
	vm->usage.mapped_pages += count;
	vm->machine->env->count.vm_block++;
	if (km_page_table_map(vm->table, cpu, addr, pfns, count) == 0)
		return addr;
	km_vmalloc_unmap_ram(vm, cpu, addr, count);
	return 0;
}

uint64_t km_vmalloc_map_ram(void *self, unsigned cpu, const km_pfn *pfns, uint64_t count)
{
	struct vm_layer *vm = self;
	struct vm_area *area;
	uint64_t addr = 0;

	if (count && count <= GIVEN_MAX) {
		addr = map_part(vm, cpu, pfns, count);
	} else if (count && count <= km_vm_managed_pages(vm)) {
		area = km_vm_area_bare(vm, cpu, count << KM_PAGE_SHIFT, KM_PAGE_SIZE, VM_KIND_RAM);
		addr = area ? km_vm_map_pages(vm, cpu, area, pfns, count) : 0;
	}
	if (!addr)
		vm->machine->env->count.vm_fail++;
	return addr;
}

static int unmap_part(struct vm_layer *vm, unsigned cpu, uint64_t addr, uint64_t count)
{
	uint64_t bytes = (uint64_t)block_pages(vm) << KM_PAGE_SHIFT;
	uint32_t pages = 1u << km_get_order(count << KM_PAGE_SHIFT);
	uint32_t offset = (uint32_t)((addr & (bytes - 1)) >> KM_PAGE_SHIFT);
	struct vm_area *area = km_vm_area_find(vm, addr & ~(bytes - 1));
	struct vm_block *block = area ? area->block : NULL;

	if (!block || addr % KM_PAGE_SIZE || block->given[offset] != count)
		return -EFAULT;
	block->given[offset] = 0;
	km_page_table_unmap(vm->table, addr, count, NULL);
	vm->usage.mapped_pages -= count;
	block->mapped -= (uint32_t)count;
	block->dirty += pages;
	block->unflushed = true;
	if (block->dirty == block_pages(vm))
		free_block(vm, cpu, block);
	return 0;
}

int km_vmalloc_unmap_ram(void *self, unsigned cpu, uint64_t addr, uint64_t count)
{
	struct vm_layer *vm = self;
	struct vm_area *area;

	if (!count)
		return -EFAULT;
	if (count <= GIVEN_MAX)
		return unmap_part(vm, cpu, addr, count);
	area = km_vm_area_find(vm, addr);
	if (!area || area->kind != VM_KIND_RAM || area->pages != count)
		return -EFAULT;
	km_vm_area_release(vm, cpu, area, 0);
	return 0;
}

void km_vmalloc_unmap_aliases(void *self, unsigned cpu)
{
	struct vm_layer *vm = self;
	bool sparing = vm->machine->spec.profile.vmap_block_sparing, flush = false;
	uint64_t start = UINT64_MAX, end = 0;

	for (struct vm_block *block = vm->blocks; block; block = block->all_next) {
		/* Up to 6.4 every dirty block with space left is flushed for, purged or not. */
		bool dirty = sparing ? block->unflushed && !is_fragmented(vm, block, false)
				     : block->queued && block->dirty;

		if (!dirty)
			continue;
		block->unflushed = false;
		flush = true;
		start = block->area->start < start ? block->area->start : start;
		end = block->area->end > end ? block->area->end : end;
	}
	km_vm_blocks_purge(vm, cpu, !sparing);
	if (!km_vm_purge(vm, cpu, false) && flush)
		km_vm_flush(vm, start, end);
}
