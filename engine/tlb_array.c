/* SPDX-License-Identifier: GPL-2.0-only */
/* Arrays of the TLB model: how they are made, emptied and freed. Their use is in tlb_use.c. */
#include <errno.h>
#include <string.h>

#include "tlb.h"

#define WORD_WAYS 64u /* PLRU trees of that many ways fit a word */
#define HEAD_TIMES 4u /* as many heads of chains as entries, rounded up */
#define LOG_TIMES 8u  /* as many places as a set has ways, rounded up */

static unsigned log2_up(uint32_t n)
{
	return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

static size_t slots(const struct km_tlb_array *array)
{
	return (size_t)array->sets << array->stride_bits;
}

static size_t heads(const struct km_tlb_array *array)
{
	return (size_t)1 << array->head_bits;
}

/* ---- emptying ---- */

/* Every way was used once. */
static void clear_log(const struct km_tlb_array *array, uint32_t set)
{
	const struct km_tlb_log *log = &array->log;
	uint32_t *ways = log->ways + ((size_t)set << log->bits);
	uint32_t *place = log->place + ((size_t)set << array->stride_bits);

	for (uint32_t way = 0; way < array->ways; way++)
		ways[way] = place[way] = way;
	log->end[set] = array->ways;
	log->oldest[set] = 0;
}

static void clear_times(struct km_tlb_array *array)
{
	array->clock = KM_TLB_FIRST_TIME;
	for (size_t slot = 0; slot < slots(array); slot++) {
		uint32_t way = slot & ((1u << array->stride_bits) - 1);

		array->times[slot] =
			way < array->ways ? KM_TLB_FIRST_TIME | way : KM_TLB_NO_WAY_TIME;
	}
}

void km_tlb_array_clear(struct km_tlb_array *array)
{
	if (!array->spec.entries)
		return;
	memset(array->keys, 0, (slots(array) + 1) * sizeof(*array->keys));
	if (array->parts)
		memset(array->parts, 0, slots(array) * sizeof(*array->parts));
	for (size_t head = 0; head < heads(array); head++)
		array->heads[head] = array->no_slot;
	if (array->times)
		clear_times(array);
	if (array->trees)
		memset(array->trees, 0, (size_t)array->sets * array->tree_words * 8);
	for (uint32_t set = 0; set < array->sets; set++) {
		if (array->order)
			array->order[set] = 0;
		if (array->vacant)
			array->vacant[set] = array->ways;
		if (array->log.ways)
			clear_log(array, set);
	}
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

#define MOST_TABLES 14

/* All that an array may need, as its spec says. */
static unsigned list_tables(struct km_tlb_array *array, struct table *tables)
{
	bool more = array->kind == KM_TLB_MORE_WAYS, word = array->ways <= WORD_WAYS;
	bool lru = array->spec.policy == KM_TLB_LRU, tree = array->spec.policy == KM_TLB_PLRU;
	bool times = lru && !more, log = lru && more;
	size_t n = slots(array), sets = array->sets;
	const struct table all[] = {
		{(void **)&array->keys, true, (n + 1) * sizeof(*array->keys)},
		{(void **)&array->heads, true, heads(array) * sizeof(*array->heads)},
		{(void **)&array->next, more, n * sizeof(*array->next)},
		{(void **)&array->parts, !more, n * sizeof(*array->parts)},
		{(void **)&array->times, times, n * sizeof(*array->times)},
		{(void **)&array->log.ways, log, (sets << array->log.bits) * sizeof(uint32_t)},
		{(void **)&array->log.place, log, n * sizeof(uint32_t)},
		{(void **)&array->log.end, log, sets * sizeof(uint32_t)},
		{(void **)&array->log.oldest, log, sets * sizeof(uint32_t)},
		{(void **)&array->order, tree && word, sets * sizeof(*array->order)},
		{(void **)&array->clear_on, tree && word, WORD_WAYS * sizeof(uint64_t)},
		{(void **)&array->set_on, tree && word, WORD_WAYS * sizeof(uint64_t)},
		{(void **)&array->trees, tree && !word, sets * array->tree_words * 8},
		{(void **)&array->vacant, !lru, sets * sizeof(*array->vacant)},
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
	array->stride_bits = (uint8_t)log2_up(array->ways < 8 ? 8 : array->ways);
	array->kind = array->ways <= 8                     ? KM_TLB_8_WAYS
		      : array->ways <= KM_TLB_SCANNED_WAYS ? KM_TLB_16_WAYS
							   : KM_TLB_MORE_WAYS;
	array->tree_words = ((1u << log2_up(array->ways)) + 63) / 64;
	array->head_bits = (uint8_t)log2_up(HEAD_TIMES * spec->entries);
	array->head_mask = (1u << array->head_bits) - 1;
	array->log.bits = (uint8_t)log2_up(array->ways * LOG_TIMES);
	array->no_slot = (uint32_t)slots(array);
	return make_tables(array, env);
}

void km_tlb_array_free(struct km_tlb_array *array, struct km_env *env)
{
	struct table tables[MOST_TABLES];
	unsigned n = array->ways ? list_tables(array, tables) : 0;

	for (unsigned i = 0; i < n; i++)
		km_env_release(env, *tables[i].at, tables[i].bytes);
}
