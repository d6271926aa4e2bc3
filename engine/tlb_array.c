/* SPDX-License-Identifier: GPL-2.0-only */
/* Arrays of the TLB model: how they are made, emptied and freed. Their use is in tlb_use.c. */
#include <errno.h>
#include <string.h>

#include "tlb.h"

#define WORD_WAYS 64u  /* PLRU trees of that many ways fit a word */
#define HEAD_TIMES 16u /* as many heads of chains as entries, rounded up */
#define LOG_TIMES 8u   /* as many places as a set has ways, rounded up */

static unsigned log2_up(uint32_t n)
{
	return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

static size_t places(const struct km_tlb_array *array)
{
	return (size_t)array->sets << array->stride_bits;
}

static size_t heads(const struct km_tlb_array *array)
{
	return (size_t)(array->logged ? array->sets : 1) << array->head_bits;
}

/* ---- emptying ---- */

static void clear_set(struct km_tlb_array *array, uint32_t set)
{
	uint32_t first = set << array->stride_bits;

	for (uint32_t way = 0; way < array->ways; way++)
		km_tlb_slot_empty(array, first + way);
	array->vacant[set] = array->ways;
}

void km_tlb_array_clear(struct km_tlb_array *array)
{
	if (!array->spec.entries)
		return;
	array->last = 0;
	if (array->ordered) {
		memset(array->order, 0, places(array) * sizeof(*array->order));
		return;
	}
	if (array->logged) {
		km_tlb_log_clear(array);
		return;
	}
	for (size_t head = 0; head < heads(array); head++)
		array->heads[head] = array->end;
	for (uint32_t set = 0; set < array->sets; set++)
		clear_set(array, set);
	if (array->trees)
		memset(array->trees, 0, (size_t)array->sets * array->tree_words * 8);
}

/* ---- making ---- */

/* Which node bits a touch of each way changes: every node on its path points the other way. */
static void tree_tables(struct km_tlb_array *array)
{
	for (uint32_t way = 0; way < array->ways; way++) {
		uint32_t node = 1;

		for (unsigned i = log2_up(array->ways); i-- > 0;) {
			if (way >> i & 1)
				array->clear_on[way] |= 1ull << node;
			else
				array->set_on[way] |= 1ull << node;
			node = 2 * node + (way >> i & 1);
		}
	}
}

/* One table of an array: where its pointer is, and its size. */
struct table {
	void **at;
	bool wanted;
	size_t bytes;
};

#define MOST_TABLES 11

/* All that an array may need, as its spec says. */
static unsigned list_tables(struct km_tlb_array *array, struct table *tables)
{
	bool order = array->ordered, log = array->logged, chains = !order && !log;
	bool tree = array->spec.policy == KM_TLB_PLRU, word = array->ways <= WORD_WAYS;
	size_t n = places(array), sets = array->sets, uses = sets << array->log_bits;
	const struct table all[] = {
		{(void **)&array->order, order, n * sizeof(*array->order)},
		{(void **)&array->heads, !order, heads(array) * sizeof(*array->heads)},
		{(void **)&array->logs, log, sets * sizeof(*array->logs)},
		{(void **)&array->keys, log, uses * sizeof(*array->keys)},
		{(void **)&array->before, log, uses * sizeof(*array->before)},
		{(void **)&array->lasts, log, uses / 64 * sizeof(*array->lasts)},
		{(void **)&array->slots, chains, (n + 1) * sizeof(*array->slots)},
		{(void **)&array->trees, tree, sets * array->tree_words * 8},
		{(void **)&array->clear_on, tree && word, WORD_WAYS * sizeof(uint64_t)},
		{(void **)&array->set_on, tree && word, WORD_WAYS * sizeof(uint64_t)},
		{(void **)&array->vacant, chains, sets * sizeof(*array->vacant)},
	};

	memcpy(tables, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

static int make_tables(struct km_tlb_array *array, struct km_env *env)
{
	struct table tables[MOST_TABLES];
	unsigned n = list_tables(array, tables);

	for (unsigned i = 0; i < n; i++) {
		if (!tables[i].wanted)
			continue;
		*tables[i].at = km_env_alloc(env, tables[i].bytes);
		if (!*tables[i].at)
			return -ENOMEM;
	}
	if (array->clear_on)
		tree_tables(array);
	km_tlb_array_clear(array);
	return 0;
}

int km_tlb_array_init(struct km_tlb_array *array, const struct km_tlb_array_spec *spec,
		      struct km_env *env)
{
	memset(array, 0, sizeof(*array));
	array->spec = *spec;
	if (!spec->entries)
		return 0;
	array->ways = spec->ways ? spec->ways : spec->entries;
	if (spec->entries % array->ways || spec->policy >= KM_TLB_POLICIES ||
	    spec->entries > 1u << 24)
		return -EINVAL;
	array->sets = spec->entries / array->ways;
	array->power_of_two = !(array->sets & (array->sets - 1));
	array->per_set = array->sets > 1 ? UINT64_MAX / array->sets : 0;
	array->ordered = spec->policy == KM_TLB_LRU && array->ways <= KM_TLB_ORDERED_WAYS;
	array->stride_bits = (uint8_t)log2_up(array->ordered && array->ways < 8 ? 8 : array->ways);
	array->tree_words = ((1u << array->stride_bits) + 63) / 64;
	array->logged = spec->policy == KM_TLB_LRU && !array->ordered;
	array->head_bits =
		(uint8_t)log2_up(HEAD_TIMES * (array->logged ? array->ways : spec->entries));
	array->log_bits = (uint8_t)log2_up(array->ways * LOG_TIMES);
	array->end = (uint32_t)places(array);
	return make_tables(array, env);
}

void km_tlb_array_free(struct km_tlb_array *array, struct km_env *env)
{
	struct table tables[MOST_TABLES];
	unsigned n = array->ways ? list_tables(array, tables) : 0;

	for (unsigned i = 0; i < n; i++)
		km_env_release(env, *tables[i].at, tables[i].bytes);
}
