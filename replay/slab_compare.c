/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The strict comparison: the model runs on its own, fed with the calls only, and an allocation
 * matches when it lies with the same others as in the kernel (fidelity.h).
 */
#include <kmlab/slab_state.h>

#include "replay/choice.h"

void km_choice_unpair(struct km_choice *choice, struct km_kernel_slab *slab)
{
	if (slab->pair)
		choice->model_pair[slab->pair] = 0;
	slab->pair = 0;
}

static uint64_t model_of(const struct km_choice_cache *cache, uint64_t addr)
{
	return km_addr_to_pfn(addr).value & ~((1ull << cache->model_order) - 1);
}

void km_compare_hold(struct km_choice *choice, uint64_t model)
{
	choice->model_live[model]++;
}

void km_compare_release(struct km_choice *choice, uint64_t model)
{
	if (--choice->model_live[model] == 0 && choice->model_pair[model] &&
	    choice->model_pair[model] != KM_ANONYMOUS)
		km_choice_unpair(choice, &choice->slabs[choice->model_pair[model] - 1]);
}

static void compare_alloc(struct km_choice *choice, const struct km_event *event, uint32_t index,
			  uint32_t slot)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	struct km_choice_cache *cache = &choice->caches[slab->cache];
	uint64_t addr = km_cache_alloc(choice->machine, cache->handle, event->cpu, event->gfp,
				       event->node),
		 model;

	choice->slot_addr[slot] = addr;
	cache->score.checked++;
	slab->live++;
	if (!addr)
		return;
	model = model_of(cache, addr);
	if (km_unseen_known(cache))
		km_slub_make_seeded(choice->machine->slab, addr);
	if (!km_start_bind(choice, index, model)) {
		km_compare_hold(choice, model);
		if (!slab->pair && !choice->model_pair[model] && (slab->young || slab->bound)) {
			slab->pair = model;
			choice->model_pair[model] = index + 1;
		}
	}
	cache->score.matched +=
		!slab->refuted && slab->pair == model && choice->model_pair[model] == index + 1;
	slab->refuted = false; /* counted once: what follows need not suffer from it */
}

static void compare_free(struct km_choice *choice, uint32_t index, uint64_t addr, uint16_t cpu)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	const struct km_choice_cache *cache = &choice->caches[slab->cache];

	if (slab->live && --slab->live == 0)
		km_choice_unpair(choice, slab);
	if (addr && !km_unseen_free_object(choice, cache, cpu, addr))
		km_compare_release(choice, model_of(cache, addr));
}

/* An object that was in use at the start is freed. */
static void compare_free_old(struct km_choice *choice, uint32_t index, uint16_t cpu)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	uint64_t model = slab->pair, addr = km_pfn_to_addr((km_pfn){model});

	if (!slab->live)
		return;
	slab->live--;
	if ((!slab->bound && !slab->young) || !model)
		return;
	if (!slab->live)
		km_choice_unpair(choice, slab);
	if (km_slub_free_seeded(choice->machine->slab, cpu, addr))
		return;
	km_compare_release(choice, model);
}

void km_compare_call(struct km_choice *choice, const struct km_slab_call *call)
{
	if (km_unseen_covers(choice, call))
		return;
	if (call->kind == KM_CALL_ALLOC)
		compare_alloc(choice, &call->event, call->slab, call->slot);
	else if (call->kind == KM_CALL_FREE)
		compare_free(choice, call->slab, call->addr, call->event.cpu);
	else
		compare_free_old(choice, call->slab, call->event.cpu);
}
