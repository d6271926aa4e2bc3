/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address space handed out and taken back. Taken back lazily: a freed area waits, unusable, until
 * more than 32 MiB per doubling of CPUs wait; then one TLB flush serves all of them. From 6.9 on
 * there are several nodes, each with pools of ready areas by size that purges fill and decay
 * (mm/vmalloc.c: alloc_vmap_area, free_vmap_area_noflush, __purge_vmap_area_lazy; kernel-facts:
 * D.2, D.3). The purging worker is asynchronous in Linux; here it runs when the area that passed
 * the limit is parked, which is where one CPU's scheduler puts it.
 */
#include "vmalloc.h"

/* arch/x86/mm/tlb.c: a longer range is not flushed page by page (tlb_single_page_flush_ceiling). */
#define FLUSH_PAGES_MAX 33ull

/* ---- pools ---- */

static unsigned pool_index(uint64_t bytes)
{
	return (unsigned)((bytes - 1) >> KM_PAGE_SHIFT);
}

bool km_vm_pool_put(struct vm_node *node, struct vm_area *area)
{
	unsigned index = pool_index(area->end - area->start);
	struct vm_pool_list *list;

	if (!node->pool || index >= VM_POOL_LISTS)
		return false;
	list = &node->pool[index];
	area->next = list->head;
	list->head = area;
	if (!list->tail)
		list->tail = area;
	list->count++;
	return true;
}

/* The first of the exact size; one that is not aligned goes to the end of its list instead. */
static struct vm_area *pool_get(struct vm_node *node, uint64_t bytes, uint64_t align)
{
	unsigned index = pool_index(bytes);
	struct vm_pool_list *list;
	struct vm_area *area;

	if (!node->pool || index >= VM_POOL_LISTS)
		return NULL;
	list = &node->pool[index];
	area = list->head;
	if (!area)
		return NULL;
	list->head = area->next;
	if (!list->head)
		list->tail = NULL;
	area->next = NULL;
	if (align && area->start & (align - 1)) {
		if (list->tail)
			list->tail->next = area;
		else
			list->head = area;
		list->tail = area;
		return NULL;
	}
	list->count--;
	return area;
}

static void give_back(struct vm_layer *vm, unsigned cpu, struct vm_area *area)
{
	struct vm_area *unused;

	km_vm_space_merge(&vm->free, area, &unused);
	km_vm_record_put(vm, cpu, unused);
}

/* How many leave a list of `count`: a quarter; up to 6.18 a list of one to three goes whole. */
static uint32_t decay_of(const struct vm_layer *vm, uint32_t count, bool everything)
{
	if (everything)
		return count;
	if (count < 4 && !vm->machine->spec.profile.vmalloc_high_orders)
		return count;
	return count / 4;
}

/* Newest first out of each list; what leaves is merged among itself, then given back ascending. */
static void pool_decay(struct vm_layer *vm, unsigned cpu, struct vm_node *node, bool everything)
{
	struct vm_space leaving = {0};
	struct vm_area *area, *next, *unused;

	for (unsigned i = 0; node->pool && i < VM_POOL_LISTS; i++) {
		struct vm_pool_list *list = &node->pool[i];
		uint32_t count = decay_of(vm, list->count, everything);

		list->count -= count;
		while (count--) {
			area = list->head;
			list->head = area->next;
			km_vm_space_merge(&leaving, area, &unused);
			km_vm_record_put(vm, cpu, unused);
		}
		if (!list->head)
			list->tail = NULL;
	}
	for (area = km_vm_space_drain(&leaving); area; area = next) {
		next = area->next;
		give_back(vm, cpu, area);
	}
}

/* ---- purge ---- */

static void purge_node(struct vm_layer *vm, unsigned cpu, struct vm_node *node, bool everything)
{
	bool nodes = vm->machine->spec.profile.vmap_nodes;
	struct vm_area *area = km_vm_space_drain(&node->parked), *next, *back = NULL;

	for (; area; area = next) {
		next = area->next;
		vm->machine->env->count.vm_purge++;
		if (!nodes) {
			give_back(vm, cpu, area);
		} else if (everything || !area->tag || !km_vm_pool_put(node, area)) {
			area->next = back; /* since 6.9 from the highest to the lowest */
			back = area;
		}
	}
	for (; back; back = next) {
		next = back->next;
		give_back(vm, cpu, back);
	}
}

void km_vm_flush(struct vm_layer *vm, uint64_t start, uint64_t end)
{
	struct km_counters *count = &vm->machine->env->count;

	count->tlb_flush++;
	count->tlb_flush_cpu += vm->machine->spec.cpus;
	if (end - start > FLUSH_PAGES_MAX << KM_PAGE_SHIFT)
		count->tlb_flush_full++;
}

bool km_vm_purge(struct vm_layer *vm, unsigned cpu, bool everything)
{
	uint64_t start = UINT64_MAX, end = 0;

	if (everything)
		km_vm_blocks_purge(vm, cpu, true);
	for (unsigned i = 0; i < vm->nr_nodes; i++) {
		struct vm_space *parked = &vm->nodes[i].parked;
		const struct vm_area *first = km_vm_space_first(parked), *last = parked->root;

		pool_decay(vm, cpu, &vm->nodes[i], everything);
		while (last && last->child[1])
			last = last->child[1];
		if (!first)
			continue;
		start = first->start < start ? first->start : start;
		end = last->end > end ? last->end : end;
	}
	/* Pages of a start state may wait without known ranges; they are gone after a purge too. */
	if (start == UINT64_MAX && !vm->lazy_pages)
		return false;
	vm->lazy_pages = 0;
	km_vm_flush(vm, start == UINT64_MAX ? 0 : start, start == UINT64_MAX ? UINT64_MAX : end);
	for (unsigned i = 0; i < vm->nr_nodes; i++)
		purge_node(vm, cpu, &vm->nodes[i], everything);
	return true;
}

void km_vm_range_park(struct vm_layer *vm, unsigned cpu, struct vm_area *area)
{
	struct vm_node *owner = vm_node_of(vm, area->start);
	struct vm_node *node = area->tag ? &vm->nodes[area->tag - 1] : owner;
	struct vm_area *unused;

	km_vm_space_remove(&owner->busy, area);
	vm->lazy_pages += (area->end - area->start) >> KM_PAGE_SHIFT;
	/* Pools want areas of the size they had; before there were any, waiting areas merged. */
	if (vm->machine->spec.profile.vmap_nodes) {
		km_vm_space_insert(&node->parked, area);
	} else {
		km_vm_space_merge(&node->parked, area, &unused);
		km_vm_record_put(vm, cpu, unused);
	}
	if (vm->lazy_pages > vm->lazy_max && !vm->held)
		km_vm_purge(vm, cpu, false);
}

/* ---- allocation ---- */

/* Find and cut. False when nothing fits or a split lacks host memory. */
static bool cut_lowest(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
		       struct vm_area *area)
{
	struct vm_area *spare = NULL, *hole, *emptied;
	uint64_t addr;

	vm->machine->env->count.vm_search++;
	hole = km_vm_space_search(&vm->free, bytes, align, vm->start, vm->end, &addr);
	if (!hole)
		return false;
	if (vm_cut_splits(hole, addr, bytes)) {
		spare = km_vm_record_get(vm);
		if (!spare)
			return false;
		spare->object = vm->preload[cpu];
		vm->preload[cpu] = 0;
	}
	emptied = km_vm_space_cut(&vm->free, hole, addr, bytes, &spare);
	if (emptied)
		emptied->next = NULL;
	km_vm_record_put(vm, cpu, emptied);
	area->start = addr;
	area->end = addr + bytes;
	return true;
}

static struct vm_area *range_from_tree(struct vm_layer *vm, unsigned cpu, uint64_t bytes,
				       uint64_t align, uint32_t gfp)
{
	uint64_t object = km_vm_object_get(vm, cpu, gfp);
	struct vm_area *area;
	bool purged = false;

	if (!object)
		return NULL;
	area = km_vm_record_get(vm);
	if (!area) {
		km_vm_object_put(vm, cpu, object);
		return NULL;
	}
	area->object = object;
	do {
		if (!vm->preload[cpu])
			vm->preload[cpu] = km_vm_object_get(vm, cpu, gfp);
		if (cut_lowest(vm, cpu, bytes, align, area))
			return area;
		/* Flags that may not sleep cannot wait for a purge. */
		if (purged || !(gfp & KM_GFP_DIRECT_RECLAIM))
			break;
		purged = km_vm_purge(vm, cpu, true);
	} while (purged);
	km_vm_record_put(vm, cpu, area);
	return NULL;
}

struct vm_area *km_vm_range_get(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
				uint32_t gfp)
{
	unsigned node = cpu % vm->nr_nodes;
	struct vm_area *area = pool_get(&vm->nodes[node], bytes, align);

	if (area)
		vm->machine->env->count.vm_pool++;
	else
		area = range_from_tree(vm, cpu, bytes, align, gfp);
	if (!area)
		return NULL;
	area->tag = (uint16_t)(vm->nr_nodes > 1 ? node + 1 : 0);
	km_vm_space_insert(&vm_node_of(vm, area->start)->busy, area);
	return area;
}
