/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which slab an address of the traced kernel lies in. Pages come and go: a slab is told from
 * others at the same place by the page_alloc event that brought its pages.
 */
#include <errno.h>
#include <stdlib.h>

#include "replay/choice.h"

uint64_t km_choice_pfn(const struct km_choice *choice, uint64_t addr)
{
	uint64_t pfn = (addr - choice->direct_map_base) >> KM_PAGE_SHIFT;

	return addr >= choice->direct_map_base && pfn < choice->max_pfn ? pfn : UINT64_MAX;
}

static uint64_t birth_of(const struct km_choice *choice, uint64_t addr)
{
	const struct km_object *block = km_repair_block_at(choice->repair, addr);

	return block ? block->alloc_ns + 1 : 0; /* 0 stays free for "older than the trace" */
}

uint32_t km_choice_slab_at(const struct km_choice *choice, uint64_t addr)
{
	uint64_t pfn = km_choice_pfn(choice, addr), birth;
	uint32_t index;

	if (pfn == UINT64_MAX || !choice->slab_at[pfn])
		return KM_NO_INDEX;
	birth = birth_of(choice, addr);
	for (index = choice->slab_at[pfn] - 1; index != KM_NO_INDEX;
	     index = choice->slabs[index].older)
		if (choice->slabs[index].birth_ns == birth)
			return index;
	return KM_NO_INDEX;
}

static int have_room(struct km_choice *choice)
{
	if (choice->nr_slabs == choice->slab_capacity) {
		size_t capacity = choice->slab_capacity ? choice->slab_capacity * 2 : 4096;
		void *larger = realloc(choice->slabs, capacity * sizeof(*choice->slabs));

		if (!larger)
			return -ENOMEM;
		choice->slabs = larger;
		choice->slab_capacity = capacity;
	}
	return 0;
}

uint32_t km_choice_new_slab(struct km_choice *choice, uint32_t cache, uint64_t base)
{
	if (have_room(choice))
		return KM_NO_INDEX;
	choice->slabs[choice->nr_slabs] = (struct km_kernel_slab){
		.base = base, .older = KM_NO_INDEX, .next_old = KM_NO_INDEX, .cache = cache};
	if (base < choice->max_pfn && !choice->slab_at[base])
		choice->slab_at[base] = choice->nr_slabs + 1;
	return choice->nr_slabs++;
}

uint32_t km_choice_add_slab(struct km_choice *choice, uint64_t addr, uint32_t cache)
{
	uint64_t pages = 1ull << choice->caches[cache].kernel_order;
	uint64_t base = km_choice_pfn(choice, addr) & ~(pages - 1);
	uint64_t birth = birth_of(choice, addr);

	if (have_room(choice))
		return KM_NO_INDEX;
	choice->slabs[choice->nr_slabs] = (struct km_kernel_slab){
		.base = base,
		.birth_ns = birth,
		.young = birth > choice->caches[cache].begin_ns,
		.older = choice->slab_at[base] ? choice->slab_at[base] - 1 : KM_NO_INDEX,
		.next_old = KM_NO_INDEX,
		.cache = cache,
	};
	for (uint64_t pfn = base; pfn < base + pages && pfn < choice->max_pfn; pfn++)
		choice->slab_at[pfn] = choice->nr_slabs + 1;
	return choice->nr_slabs++;
}
