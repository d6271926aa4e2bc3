/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stepwise comparison: before each allocation the model says which slab it would take from,
 * then takes from the one the kernel took from. So every choice is made from the state that the
 * kernel's earlier choices led to, and a wrong one (two CPUs whose events were recorded in another
 * order than they happened, a call that was not traced) is counted once. A choice is counted when
 * the kernel or the model moves a CPU to another slab; a CPU that stays where it is chooses
 * nothing.
 */
#include <kmlab/slab_state.h>

#include "replay/choice.h"

/* A free this long before a CPU left its slab cannot have come after that. */
#define LATE_NS 1000000

static uint64_t pair_addr(const struct km_kernel_slab *slab)
{
	return slab->pair ? km_pfn_to_addr((km_pfn){slab->pair}) : 0;
}

static bool is_anonymous(const struct km_choice *choice, uint64_t addr)
{
	return addr && choice->model_pair[km_addr_to_pfn(addr).value] == KM_ANONYMOUS;
}

static void lose_pair(struct km_choice *choice, struct km_kernel_slab *slab)
{
	km_choice_unpair(choice, slab);
	slab->lost = true;
}

/* The model may have given a slab back at any time since it was used last. */
static void check_pair(struct km_choice *choice, struct km_kernel_slab *slab)
{
	const struct km_slab_ops *ops = choice->machine->model->slab;

	if (slab->pair && ops->cache_of(choice->machine->slab, pair_addr(slab)) !=
				  choice->caches[slab->cache].handle)
		lose_pair(choice, slab);
}

/* Would the model's next slab be the one the kernel took? */
static bool is_right(const struct km_choice *choice, const struct km_kernel_slab *slab,
		     uint64_t next)
{
	if (slab->pair)
		return next == pair_addr(slab);
	if (slab->lost)
		return false;
	return slab->young ? next == 0 : is_anonymous(choice, next);
}

/* The model's slab for a kernel slab; 0: it has to make one. */
static uint64_t wanted_slab(const struct km_choice *choice, const struct km_kernel_slab *slab)
{
	const struct km_choice_cache *cache = &choice->caches[slab->cache];

	if (slab->pair || slab->young || slab->lost)
		return pair_addr(slab);
	for (uint32_t i = 0; i < cache->nr_anonymous; i++)
		if (is_anonymous(choice, cache->anonymous[i]))
			return cache->anonymous[i];
	return 0;
}

/* The first object of a kernel slab went to this model slab: from now on they are one. */
static void pair(struct km_choice *choice, uint32_t index, uint64_t model)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	uint32_t objects = choice->caches[slab->cache].objects;

	uint32_t owner = choice->model_pair[model];

	if (owner && owner != KM_ANONYMOUS) /* of a slab that was here before */
		lose_pair(choice, &choice->slabs[owner - 1]);
	slab->pair = model;
	slab->bound = true;
	choice->model_pair[model] = index + 1;
	/* A slab that was not made before our eyes has objects in use that the model lacks. */
	if ((!slab->young || slab->lost) && slab->live <= objects)
		km_slub_seed_count(choice->machine->slab, pair_addr(slab), objects - slab->live);
	slab->lost = false;
}

/* The kernel took from a slab that is used up in the model: frees of its objects were not seen. */
static void add_unseen_frees(struct km_choice *choice, const struct km_event *event,
			     const struct km_kernel_slab *slab)
{
	void *slub = choice->machine->slab;
	uint32_t objects = choice->caches[slab->cache].objects;

	if (slab->live < objects && !km_slub_free_seeded(slub, event->cpu, pair_addr(slab)))
		km_slub_seed_count(slub, pair_addr(slab), objects - slab->live);
}

/* The model was wrong: make it right, so that it takes from `wanted` (0: a new slab). 0 or -EINVAL.
 */
static int correct(struct km_choice *choice, const struct km_event *event, uint32_t index,
		   uint32_t last, uint64_t wanted)
{
	const struct km_kernel_slab *left = last ? &choice->slabs[last - 1] : NULL;
	void *slub = choice->machine->slab,
	     *cache = choice->caches[choice->slabs[index].cache].handle;
	unsigned other = left && left->freed_by != event->cpu
				 ? left->freed_by
				 : (event->cpu + 1u) % choice->machine->spec.cpus;
	bool late =
		left && left->freed_by != event->cpu && left->freed_ns + LATE_NS >= event->time_ns;

	if (!wanted)
		km_start_refute(choice, index, event->cpu);
	if (!km_slub_switch_slab(slub, cache, event->cpu, wanted, other, late))
		return 0;
	if (choice->slabs[index].pair)
		add_unseen_frees(choice, event, &choice->slabs[index]);
	return km_slub_switch_slab(slub, cache, event->cpu, wanted, other, late);
}

static void follow_alloc(struct km_choice *choice, const struct km_event *event, uint32_t index,
			 uint32_t slot)
{
	struct km_kernel_slab *slab = &choice->slabs[index];
	struct km_choice_cache *cache = &choice->caches[slab->cache];
	void *slub = choice->machine->slab;
	uint32_t last = cache->last_slab[event->cpu];
	uint64_t next = km_slub_next_slab(slub, cache->handle, event->cpu), addr, model;
	bool right, made, failed = false;

	check_pair(choice, slab);
	right = is_right(choice, slab, next);
	made = right && !next;
	if (last && (last != index + 1 || !right)) {
		cache->switches.checked++;
		cache->switches.matched += right;
	}
	if (!right) {
		uint64_t wanted = wanted_slab(choice, slab);

		made = !wanted;
		failed = correct(choice, event, index, last, wanted) != 0;
	}
	slab->live++;
	if (failed)
		return; /* the model is not made worse by an object in another slab */
	addr = km_cache_alloc(choice->machine, cache->handle, event->cpu, event->gfp, event->node);
	choice->slot_addr[slot] = addr;
	model = km_addr_to_pfn(addr).value & ~((1ull << cache->model_order) - 1);
	if (addr && km_unseen_known(cache))
		km_slub_make_seeded(slub, addr);
	if (addr && !slab->pair && (made || choice->model_pair[model] == KM_ANONYMOUS))
		pair(choice, index, model);
}

static void follow_free(struct km_choice *choice, const struct km_slab_call *call)
{
	struct km_kernel_slab *slab = &choice->slabs[call->slab];
	uint64_t addr = call->kind == KM_CALL_FREE ? call->addr : pair_addr(slab);

	if (!slab->live || km_unseen_covers(choice, call))
		return;
	slab->live--;
	slab->freed_by = call->event.cpu;
	slab->freed_ns = call->event.time_ns;
	if (!addr)
		return;
	if (call->kind == KM_CALL_FREE)
		km_unseen_free_object(choice, &choice->caches[slab->cache], call->event.cpu, addr);
	else
		km_slub_free_seeded(choice->machine->slab, call->event.cpu, addr);
}

void km_follow_call(struct km_choice *choice, const struct km_slab_call *call)
{
	if (call->kind == KM_CALL_ALLOC)
		follow_alloc(choice, &call->event, call->slab, call->slot);
	else
		follow_free(choice, call);
}

/* The kernel gives a slab back: unless the model did so before, it does now. */
void km_follow_page_free(struct km_choice *choice, const struct km_event *event)
{
	uint64_t addr = choice->direct_map_base + (event->ptr << KM_PAGE_SHIFT);
	uint32_t index = km_choice_slab_at(choice, addr);
	struct km_kernel_slab *slab = index == KM_NO_INDEX ? NULL : &choice->slabs[index];

	if (!slab || !choice->caches[slab->cache].followed || slab->base != event->ptr)
		return;
	slab->lost = false;
	if (!slab->pair || slab->live ||
	    km_slub_drop_slab(choice->machine->slab, event->cpu, pair_addr(slab)))
		return;
	km_choice_unpair(choice, slab);
}
