/* SPDX-License-Identifier: GPL-2.0-only */
/* Live slab objects by address: what is seldom done. */
#include "stat_living.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ORDER 13                                           /* as in traces/repair.c */
#define NR_LEAVES ((uint64_t)1 << (40 - KM_LIVING_LEAF_SHIFT)) /* 52 bits of physical address */

/*
 * The first table: few traces have a live object per so many calls, and few need one to grow. What
 * the trace says of itself may be wrong.
 */
#define CALLS_PER_PLACE 16
#define FIRST_BITS_MIN 12
#define FIRST_BITS_MAX 16 /* 1 MiB */
#define OPEN_BITS_MAX 20

#define NUMBERS_MAX (1u << 15) /* of traits; 1 MiB with their slots */
#define NUMBER_BITS_MIN 4
#define TIME_BITS_MIN 28 /* places of wide lives lie there */

static unsigned first_bits(const struct km_living_hints *hints)
{
	unsigned bits = FIRST_BITS_MIN;

	while (bits < FIRST_BITS_MAX && (uint64_t)CALLS_PER_PLACE << bits < hints->calls)
		bits++;
	while (bits < OPEN_BITS_MAX && (uint64_t)1 << bits >> 1 < hints->open)
		bits++;
	return bits;
}

/* That a number below the limit has. */
static unsigned bits_below(uint64_t limit)
{
	return limit > 1 ? 64 - (unsigned)__builtin_clzll(limit - 1) : 0;
}

/* Numbers have what the others leave. Where these leave too little all lives are wide. */
static void divide_word(struct km_living *live, const struct km_living_hints *hints)
{
	unsigned own_bits = bits_below(hints->own_groups), cpu_bits = bits_below(hints->cpus);
	unsigned time_bits = bits_below(hints->duration_ns), left = 64 - own_bits - cpu_bits;
	bool fits = left >= TIME_BITS_MIN + NUMBER_BITS_MIN;

	if (!fits) {
		own_bits = cpu_bits = 0;
		left = 64;
	}
	if (time_bits < TIME_BITS_MIN)
		time_bits = TIME_BITS_MIN;
	if (time_bits > left - NUMBER_BITS_MIN)
		time_bits = left - NUMBER_BITS_MIN;
	live->time_shift = 64 - time_bits;
	live->own_shift = live->time_shift - own_bits;
	live->cpu_shift = live->own_shift - cpu_bits;
	live->most_time = UINT64_MAX >> live->time_shift;
	live->own_mask = ((uint64_t)1 << own_bits) - 1;
	live->cpu_mask = ((uint64_t)1 << cpu_bits) - 1;
	live->number_mask = ((uint64_t)1 << live->cpu_shift) - 1;
	live->numbers.most =
		live->number_mask < NUMBERS_MAX ? (uint32_t)live->number_mask : NUMBERS_MAX;
	if (!fits)
		live->numbers.most = 0;
}

int km_living_init(struct km_living *live, const struct km_living_hints *hints)
{
	*live = (struct km_living){.with_pages = hints->kinds &
						 (1u << KM_EV_PAGE_ALLOC | 1u << KM_EV_PAGE_FREE),
				   .direct_map = hints->direct_map,
				   .large = calloc(hints->cpus, sizeof(*live->large))};
	divide_word(live, hints);
	if (live->large && !km_living_table_init(&live->table, first_bits(hints)))
		return 0;
	km_living_free(live);
	return -ENOMEM;
}

void km_living_free(struct km_living *live)
{
	for (size_t i = 0; i < live->nr_leaves; i++)
		free(live->leaves[i]);
	free(live->leaves);
	km_living_table_free(&live->table);
	free(live->wide);
	km_living_numbers_free(&live->numbers);
	free(live->large);
	*live = (struct km_living){0};
}

/* ---- lives that one word does not hold ---- */

static int reserve_wide(struct km_living *live)
{
	uint64_t most = live->max_wide ? 2 * live->max_wide : 1024;
	struct km_living_wide *wide;

	if (live->free_wide < live->nr_wide || live->nr_wide < live->max_wide)
		return 0;
	if (most - 1 > live->most_time)
		return -ENOMEM;
	wide = realloc(live->wide, most * sizeof(*wide));
	if (!wide)
		return -ENOMEM;
	live->wide = wide;
	live->max_wide = most;
	return 0;
}

uint64_t km_living_wide_life(struct km_living *live, uint64_t time_ns,
			     const struct km_living_shape *shape, uint32_t group)
{
	uint64_t at = live->free_wide;

	if (reserve_wide(live))
		return 0;
	/* The list of those that are free ends behind the last that was ever used. */
	live->free_wide = at < live->nr_wide ? live->wide[at].time_ns : at + 1;
	live->nr_wide += at == live->nr_wide;
	live->wide[at] = (struct km_living_wide){time_ns, shape->traits, group, shape->cpu};
	return at << live->time_shift | KM_LIVING_WIDE;
}

void km_living_free_wide(struct km_living *live, uint64_t life)
{
	uint64_t at = life >> live->time_shift;

	live->wide[at].time_ns = live->free_wide;
	live->free_wide = at;
}

int km_living_change(struct km_living *live, struct km_living_place *place,
		     const struct km_living_shape *shape, uint32_t group)
{
	const uint64_t time_ns = km_living_birth(live, place).time_ns;

	km_living_end_life(live, place->life);
	place->life = km_living_life(live, time_ns, shape, group);
	return place->life ? 0 : -ENOMEM;
}

/* ---- pages ---- */

int km_living_new_leaf(struct km_living *live, uint64_t ptr)
{
	uint64_t leaf = (ptr - live->direct_map) >> KM_PAGE_SHIFT >> KM_LIVING_LEAF_SHIFT;
	size_t n = live->nr_leaves ? live->nr_leaves : 64;
	uint16_t **leaves;

	if (leaf >= NR_LEAVES) /* no page of memory: an address outside of the direct map */
		return 0;
	while (n <= leaf)
		n *= 2;
	if (n > live->nr_leaves) {
		leaves = realloc(live->leaves, n * sizeof(*leaves));
		if (!leaves)
			return -ENOMEM;
		memset(leaves + live->nr_leaves, 0, (n - live->nr_leaves) * sizeof(*leaves));
		live->leaves = leaves;
		live->nr_leaves = n;
	}
	live->leaves[leaf] = calloc((size_t)1 << KM_LIVING_LEAF_SHIFT, sizeof(**live->leaves));
	return live->leaves[leaf] ? 0 : -ENOMEM;
}

struct km_living_place *km_living_next_gone(struct km_living *live,
					    const struct km_living_call *call,
					    const struct km_living_shape *shape, uint64_t *offset)
{
	uint64_t base = live->direct_map + (call->ptr << KM_PAGE_SHIFT), end;

	if (shape->order > MAX_ORDER || call->ptr >> KM_LIVING_LEAF_SHIFT >= NR_LEAVES)
		return NULL;
	end = (uint64_t)KM_PAGE_SIZE << shape->order;
	while (*offset < end) {
		const uint16_t *page = km_living_page(live, base + *offset);
		uint64_t page_end = (*offset | (KM_PAGE_SIZE - 1)) + 1;

		while (page && *page && *offset < page_end) {
			struct km_living_place *place =
				km_living_find(&live->table, base + *offset);

			*offset += 8;
			if (place->life)
				return place;
		}
		*offset = page_end;
	}
	return NULL;
}

/* ---- shapes ---- */

static enum km_living_verb verb_of(unsigned kind)
{
	switch (kind) {
	case KM_EV_KMALLOC:
	case KM_EV_CACHE_ALLOC:
	case KM_EV_BULK_ALLOC:
		return KM_LIVING_BEGIN;
	case KM_EV_KFREE:
	case KM_EV_CACHE_FREE:
	case KM_EV_BULK_FREE:
		return KM_LIVING_END;
	case KM_EV_PAGE_ALLOC:
	case KM_EV_PAGE_FREE:
		return KM_LIVING_PAGES;
	default:
		return KM_LIVING_OTHER;
	}
}

bool km_living_shape(struct km_living *live, const struct km_event *event, uint32_t group,
		     struct km_living_shape *shape)
{
	const bool kmalloc = event->kind == KM_EV_KMALLOC;
	uint32_t number = 0;

	*shape = (struct km_living_shape){.traits = {event->bytes_req, event->bytes_alloc, group},
					  .cpu = event->cpu,
					  .verb = verb_of(event->kind),
					  .order = event->order,
					  .kmalloc = kmalloc,
					  .large = kmalloc &&
						   event->bytes_alloc > KM_LIVING_LARGE_BYTES};
	if (shape->verb == KM_LIVING_BEGIN &&
	    !km_living_number(&live->numbers, &shape->traits, &number))
		return false;
	shape->word = number ? (uint64_t)event->cpu << live->cpu_shift | number : KM_LIVING_WIDE;
	return true;
}

/* ---- what follows a large kmalloc ---- */

void km_living_set_large(struct km_living *live, const struct km_living_call *call, unsigned cpu)
{
	live->nr_large += !live->large[cpu].valid;
	live->large[cpu] = (struct km_living_large){call->ptr, call->time_ns, call->actor->task,
						    call->actor->context, true};
}

/* The very object, traced by an inner and now by an outer function. */
static bool is_double(const struct km_living *live, const struct km_living_large *large,
		      const struct km_living_place *place, const struct km_living_shape *shape)
{
	struct km_living_birth birth;

	if (!shape->kmalloc || !place->life || large->ptr != place->ptr)
		return false;
	birth = km_living_birth(live, place);
	return large->time_ns == birth.time_ns &&
	       birth.traits->bytes_req == shape->traits.bytes_req &&
	       birth.traits->bytes_alloc == shape->traits.bytes_alloc;
}

bool km_living_after_large(struct km_living *live, const struct km_living_call *call,
			   const struct km_living_shape *shape, const struct km_living_place *place)
{
	struct km_living_large *large = &live->large[shape->cpu];
	bool twice;

	if (!large->valid || large->task != call->actor->task ||
	    large->context != call->actor->context)
		return false;
	twice = place && is_double(live, large, place, shape);
	live->counts.double_large += twice;
	large->valid = false;
	live->nr_large--;
	return twice;
}
