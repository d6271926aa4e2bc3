/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many references: a block of them goes through one array after the other, so that each array's
 * loop is short and what it is kept in near. That is the same as one by one: no array of the L1
 * knows of the L2, none of the L2 of what walks use, and each sees its own keys in their order.
 * Lists shrink from stage to stage without a branch that hits and misses could mislead.
 *
 * Not so where the host's and the guest's walks share arrays (nested), and where two arrays draw
 * random numbers from one generator: there references are made one by one.
 */
#include <errno.h>
#include <string.h>

#include "tlb_block.h"

/* ---- creation ---- */

bool km_tlb_goes_in_blocks(const struct km_tlb *tlb)
{
	const struct km_tlb_array *groups[] = {tlb->l1, tlb->l2, tlb->structures, tlb->lines};
	const unsigned counts[] = {KM_TLB_ARRAYS, KM_TLB_ARRAYS, KM_TLB_STRUCTURES,
				   KM_TLB_LINE_LEVELS - 1};
	unsigned random = 0;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < counts[i]; k++)
			random += groups[i][k].spec.entries &&
				  groups[i][k].spec.policy == KM_TLB_RANDOM;
	for (unsigned size = 0; size < KM_TLB_SIZES; size++)
		if (!tlb->route[0][size].array)
			return false; /* the same page twice is then looked up twice */
	return !tlb->spec.nested && random <= 1;
}

int km_tlb_block_create(struct km_tlb *tlb)
{
	tlb->block = km_env_alloc(tlb->env, sizeof(*tlb->block));
	return tlb->block ? 0 : -ENOMEM;
}

void km_tlb_block_destroy(struct km_tlb *tlb)
{
	km_env_release(tlb->env, tlb->block, sizeof(*tlb->block));
}

/* ---- the two levels ---- */

void km_tlb_use_list(struct km_tlb *tlb, struct km_tlb_array *array, struct km_tlb_list *list)
{
	struct km_tlb_block *block = tlb->block;
	size_t misses;

	misses = km_tlb_array_use_many(array, list->key, list->n, block->missed, tlb->env);
	for (size_t i = 0; i < misses; i++)
		list->of[i] = list->of[block->missed[i]];
	list->n = misses;
}

/* In order again. */
static void merge(struct km_tlb_block *block)
{
	size_t n = 0;

	memset(block->is_missed, false, block->nr_refs);
	for (unsigned i = 0; i <= KM_TLB_ARRAYS; i++)
		for (size_t k = 0; k < block->lists[i].n; k++)
			block->is_missed[block->lists[i].of[k]] = true;
	for (size_t i = 0; i < block->nr_refs; i++) {
		block->at[n] = (uint16_t)i;
		n += block->is_missed[i];
	}
	block->n = n;
}

/* What a level has goes. */
static void use_level(struct km_tlb *tlb, struct km_tlb_array *arrays)
{
	struct km_tlb_block *block = tlb->block;
	const struct km_tlb_list *only = &block->lists[0];
	unsigned some = 0;

	for (unsigned i = 0; i <= KM_TLB_ARRAYS; i++) {
		if (!block->lists[i].n)
			continue;
		if (i < KM_TLB_ARRAYS)
			km_tlb_use_list(tlb, &arrays[i], &block->lists[i]);
		if (!block->lists[i].n)
			continue;
		some++;
		only = &block->lists[i];
	}
	if (some > 1) {
		merge(block);
		return;
	}
	memcpy(block->at, only->of, only->n * sizeof(*only->of));
	block->n = only->n;
}

static void say_level(const struct km_tlb_block *block, struct km_tlb_outcome *outcomes,
		      uint8_t level)
{
	for (size_t i = 0; outcomes && i < block->n; i++)
		outcomes[block->at[i]].level = level;
}

/* ---- a block ---- */

static void use_block(struct km_tlb *tlb, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;

	for (size_t i = 0; outcomes && i < block->nr_refs; i++)
		outcomes[i] = (struct km_tlb_outcome){.level = 1};
	km_tlb_list_references(tlb);
	tlb->counts.refs += block->nr_refs;
	use_level(tlb, tlb->l1);
	tlb->counts.l1_misses += block->n;
	if (block->n) {
		say_level(block, outcomes, 2);
		km_tlb_list_misses(tlb);
		use_level(tlb, tlb->l2);
		tlb->counts.l2_misses += block->n;
		say_level(block, outcomes, 3);
	}
	km_tlb_walk_block(tlb, outcomes);
}

/* Mostly a block's pages are of one size, and then it is asked of each array once. */
static void set_sizes(struct km_tlb_block *block, const uint8_t *sizes)
{
	block->sizes = sizes;
	if (sizes && !memcmp(sizes, sizes + 1, block->nr_refs - 1)) {
		block->size = sizes[0];
		block->sizes = NULL;
	}
}

void km_tlb_use_blocks(struct km_tlb *tlb, const uint64_t *addrs, const uint8_t *sizes,
		       uint8_t size, size_t n, struct km_tlb_outcome *outcomes)
{
	struct km_tlb_block *block = tlb->block;

	block->size = size;
	for (size_t from = 0; from < n; from += KM_TLB_BLOCK) {
		block->addrs = addrs + from;
		block->nr_refs = n - from < KM_TLB_BLOCK ? n - from : KM_TLB_BLOCK;
		set_sizes(block, sizes ? sizes + from : NULL);
		use_block(tlb, outcomes ? outcomes + from : NULL);
	}
}
