/* SPDX-License-Identifier: GPL-2.0-only */
/* The address space as plain data: loading a recorded one, saving this one (kmlab/vm_state.h). */
#include <errno.h>
#include <kmlab/vm_state.h>

#include "vmalloc.h"

/* ---- load ---- */

static struct vm_area *record_of(struct vm_layer *vm, const struct km_vm_range *range)
{
	struct vm_area *area = km_vm_record_get(vm);

	if (area) {
		area->start = range->start;
		area->end = range->end;
		area->depth = range->depth;
		area->red = range->red;
	}
	return area;
}

/* All ranges into one tree: an overlap of any two shows there. */
static int check_ranges(struct vm_layer *vm, const struct km_vm_state *state)
{
	const struct km_vm_range *groups[] = {state->free, state->parked, state->pooled};
	const size_t counts[] = {state->nr_free, state->nr_parked, state->nr_pooled};
	struct vm_space all = {0};
	int code = 0;

	for (unsigned g = 0; g < 3; g++) {
		for (size_t i = 0; i < counts[g] && !code; i++) {
			const struct km_vm_range *range = &groups[g][i];
			struct vm_area *area;

			if (range->start >= range->end || range->node >= vm->nr_nodes)
				code = -EINVAL;
			area = code ? NULL : record_of(vm, range);
			if (!code && !area)
				code = -ENOMEM;
			if (area && !km_vm_space_insert(&all, area)) {
				km_vm_record_put(vm, 0, area);
				code = -EINVAL;
			}
		}
	}
	km_vm_record_put(vm, 0, km_vm_space_drain(&all));
	return code;
}

static void empty(struct vm_layer *vm)
{
	km_vm_record_put(vm, 0, km_vm_space_drain(&vm->free));
	for (unsigned i = 0; i < vm->nr_nodes; i++) {
		struct vm_node *node = &vm->nodes[i];

		km_vm_record_put(vm, 0, km_vm_space_drain(&node->parked));
		for (unsigned list = 0; node->pool && list < VM_POOL_LISTS; list++) {
			km_vm_record_put(vm, 0, node->pool[list].head);
			node->pool[list] = (struct vm_pool_list){0};
		}
	}
	vm->lazy_pages = 0;
}

/* The free ranges in the shape Linux has them in. `free` is empty on failure. */
static int build_free(struct vm_layer *vm, const struct km_vm_state *state, struct vm_space *free)
{
	struct km_env *env = vm->machine->env;
	size_t bytes = (state->nr_free + 1) * sizeof(struct vm_area *);
	struct vm_area **areas = km_env_alloc(env, bytes);
	struct vm_area *chain = NULL;
	size_t made = 0;
	int code = areas ? 0 : -ENOMEM;

	for (; !code && made < state->nr_free; made++) {
		areas[made] = record_of(vm, &state->free[made]);
		if (!areas[made])
			code = -ENOMEM;
	}
	if (!code && !km_vm_space_build(free, areas, state->nr_free))
		code = -EINVAL;
	while (code && made-- > 0) {
		if (!areas[made])
			continue;
		areas[made]->next = chain;
		chain = areas[made];
	}
	if (code)
		*free = (struct vm_space){0};
	km_vm_record_put(vm, 0, chain);
	km_env_release(env, areas, bytes);
	return code;
}

/* Records were made by check_ranges() and given back: taking them again cannot fail. */
static void fill(struct vm_layer *vm, const struct km_vm_state *state)
{
	for (size_t i = 0; !state->has_shape && i < state->nr_free; i++)
		km_vm_space_insert(&vm->free, record_of(vm, &state->free[i]));
	for (size_t i = 0; i < state->nr_parked; i++) {
		const struct km_vm_range *range = &state->parked[i];
		struct vm_area *area = record_of(vm, range);

		area->tag = (uint16_t)(vm->nr_nodes > 1 ? range->node + 1 : 0);
		km_vm_space_insert(&vm->nodes[range->node].parked, area);
		vm->lazy_pages += (range->end - range->start) >> KM_PAGE_SHIFT;
	}
	for (size_t i = state->nr_pooled; i-- > 0;) {
		const struct km_vm_range *range = &state->pooled[i];
		struct vm_area *area = record_of(vm, range);

		/* Pushed at the head: from the last to the first. */
		if (!km_vm_pool_put(&vm->nodes[range->node], area))
			km_vm_space_insert(&vm->free, area);
	}
	if (state->lazy_pages > vm->lazy_pages)
		vm->lazy_pages = state->lazy_pages;
}

int km_vmalloc_load_state(void *self, const struct km_vm_state *state)
{
	struct vm_layer *vm = self;
	struct vm_space free = {0};
	int code;

	if (vm->usage.areas)
		return -EBUSY;
	code = check_ranges(vm, state);
	if (!code && state->has_shape)
		code = build_free(vm, state, &free);
	if (code)
		return code;
	empty(vm);
	vm->free = free;
	fill(vm, state);
	return 0;
}

/* ---- save ---- */

struct saver {
	struct km_vm_range *at;
	uint32_t node;
};

static void save_area(void *context, struct vm_area *area)
{
	struct saver *saver = context;

	*saver->at++ = (struct km_vm_range){area->start, area->end, saver->node, 0, false};
}

static void save_free(void *context, struct vm_area *area)
{
	struct saver *saver = context;
	uint8_t depth = (uint8_t)km_vm_space_depth(area);

	*saver->at++ = (struct km_vm_range){area->start, area->end, 0, depth, area->red};
}

static size_t count_pooled(const struct vm_node *node)
{
	size_t count = 0;

	for (unsigned list = 0; node->pool && list < VM_POOL_LISTS; list++)
		count += node->pool[list].count;
	return count;
}

static void save_pool(const struct vm_node *node, struct saver *saver)
{
	for (unsigned list = 0; node->pool && list < VM_POOL_LISTS; list++)
		for (struct vm_area *area = node->pool[list].head; area; area = area->next)
			save_area(saver, area);
}

int km_vmalloc_save_state(void *self, struct km_vm_state *out)
{
	struct vm_layer *vm = self;
	struct km_env *env = vm->machine->env;
	struct km_vm_state state = {
		.nr_free = vm->free.count, .has_shape = true, .lazy_pages = vm->lazy_pages};
	struct saver free = {0}, parked = {0}, pooled = {0};

	for (unsigned i = 0; i < vm->nr_nodes; i++) {
		state.nr_parked += vm->nodes[i].parked.count;
		state.nr_pooled += count_pooled(&vm->nodes[i]);
	}
	/* One more each: an empty array is not a failure. */
	state.free = free.at = km_env_alloc(env, (state.nr_free + 1) * sizeof(*state.free));
	state.parked = parked.at = km_env_alloc(env, (state.nr_parked + 1) * sizeof(*state.free));
	state.pooled = pooled.at = km_env_alloc(env, (state.nr_pooled + 1) * sizeof(*state.free));
	if (!state.free || !state.parked || !state.pooled) {
		km_vmalloc_release_state(self, &state);
		return -ENOMEM;
	}
	km_vm_space_each(&vm->free, save_free, &free);
	for (unsigned i = 0; i < vm->nr_nodes; i++) {
		parked.node = pooled.node = i;
		km_vm_space_each(&vm->nodes[i].parked, save_area, &parked);
		save_pool(&vm->nodes[i], &pooled);
	}
	*out = state;
	return 0;
}

void km_vmalloc_release_state(void *self, struct km_vm_state *state)
{
	struct km_env *env = ((struct vm_layer *)self)->machine->env;

	km_env_release(env, state->free, (state->nr_free + 1) * sizeof(*state->free));
	km_env_release(env, state->parked, (state->nr_parked + 1) * sizeof(*state->free));
	km_env_release(env, state->pooled, (state->nr_pooled + 1) * sizeof(*state->free));
	*state = (struct km_vm_state){0};
}

/* ---- the worker ---- */

void km_vmalloc_hold_purges(void *self, bool held)
{
	((struct vm_layer *)self)->held = held;
}

bool km_vmalloc_purge_due(void *self)
{
	const struct vm_layer *vm = self;

	return vm->lazy_pages > vm->lazy_max;
}

void km_vmalloc_purge(void *self, unsigned cpu)
{
	km_vm_purge(self, cpu, false);
}
