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
#define FIRST_BITS_MAX 16 /* 2 MiB */
#define OPEN_BITS_MAX 20

int km_living_init(struct km_living *live, uint32_t kinds, uint64_t calls, uint64_t open,
		   uint64_t direct_map, unsigned cpus)
{
	unsigned bits = FIRST_BITS_MIN;

	*live = (struct km_living){.with_pages =
					   kinds & (1u << KM_EV_PAGE_ALLOC | 1u << KM_EV_PAGE_FREE),
				   .direct_map = direct_map,
				   .large = calloc(cpus, sizeof(*live->large))};
	while (bits < FIRST_BITS_MAX && (uint64_t)CALLS_PER_PLACE << bits < calls)
		bits++;
	while (bits < OPEN_BITS_MAX && (uint64_t)1 << bits >> 1 < open)
		bits++;
	if (live->large && !km_living_table_init(&live->table, bits))
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
	free(live->large);
	*live = (struct km_living){0};
}

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

bool km_living_next_gone(struct km_living *live, const struct km_living_call *call,
			 const struct km_living_shape *shape, uint64_t *offset,
			 struct km_living_object *gone)
{
	uint64_t base = live->direct_map + (call->ptr << KM_PAGE_SHIFT), end;

	if (shape->order > MAX_ORDER || call->ptr >> KM_LIVING_LEAF_SHIFT >= NR_LEAVES)
		return false;
	end = (uint64_t)KM_PAGE_SIZE << shape->order;
	while (*offset < end) {
		const uint16_t *page = km_living_page(live, base + *offset);
		uint64_t page_end = (*offset | (KM_PAGE_SIZE - 1)) + 1;

		for (; page && *page && *offset < page_end; *offset += 8) {
			struct km_living_object *object =
				km_living_find(&live->table, base + *offset);

			if (!object->of.live)
				continue;
			*gone = *object;
			km_living_remove(live, object);
			*offset += 8;
			return true;
		}
		*offset = page_end;
	}
	return false;
}

/* ---- shapes ---- */

static uint32_t size_of(uint64_t bytes)
{
	return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

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

struct km_living_shape km_living_shape(const struct km_event *event, uint32_t group)
{
	bool kmalloc = event->kind == KM_EV_KMALLOC;

	return (struct km_living_shape){.traits = {.group = group,
						   .bytes_req = size_of(event->bytes_req),
						   .bytes_alloc = size_of(event->bytes_alloc),
						   .cpu = event->cpu,
						   .live = true},
					.verb = verb_of(event->kind),
					.order = event->order,
					.kmalloc = kmalloc,
					.large = kmalloc &&
						 event->bytes_alloc > KM_LIVING_LARGE_BYTES};
}

/* ---- what follows a large kmalloc ---- */

void km_living_set_large(struct km_living *live, const struct km_living_call *call, unsigned cpu)
{
	live->nr_large += !live->large[cpu].valid;
	live->large[cpu] = (struct km_living_large){call->ptr, call->time_ns, call->actor->task,
						    call->actor->context, true};
}

/* The very object, traced by an inner and now by an outer function. */
static bool is_double(const struct km_living_large *large, const struct km_living_object *object,
		      const struct km_living_shape *shape)
{
	return shape->kmalloc && object->of.live && large->ptr == object->ptr &&
	       large->time_ns == object->time_ns &&
	       object->of.bytes_req == shape->traits.bytes_req &&
	       object->of.bytes_alloc == shape->traits.bytes_alloc;
}

bool km_living_after_large(struct km_living *live, const struct km_living_call *call,
			   const struct km_living_shape *shape,
			   const struct km_living_object *object)
{
	struct km_living_large *large = &live->large[shape->traits.cpu];
	bool twice;

	if (!large->valid || large->task != call->actor->task ||
	    large->context != call->actor->context)
		return false;
	twice = object && is_double(large, object, shape);
	live->counts.double_large += twice;
	large->valid = false;
	live->nr_large--;
	return twice;
}
