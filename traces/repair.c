/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From events to lifetimes, by the rules of what the kernel's tracepoints leave out (5.15 - 7.2):
 * kfree() frees objects of any cache and is traced for NULL too; large kmallocs of 6.12+ are traced
 * twice; bulk and RCU frees are not traced by tracepoints, so that an address may be handed out
 * again while it still seems live; a block of pages may be split and freed in parts. Pages that are
 * freed, or handed out again, take the objects that still seem live in them along: their frees were
 * not traced.
 *
 * Slab objects and vmalloc areas are looked up by address in a hash table each; pages in a map of
 * one entry per page, so that a free of any part of a block finds it.
 */
#include "repair.h"
#include "addr_table.h"
#include "page_map.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KM_NULL_MAX 16         /* kfree() of ZERO_SIZE_PTR (16) or below frees nothing */
#define KM_LARGE_BYTES 8192    /* larger kmallocs are pages */
#define KM_REPAIR_MAX_ORDER 13 /* the largest of any architecture (arm64 with 64 KiB pages) */

/* The last large kmalloc of a CPU, as long as its task has done nothing else there. */
struct large {
	bool valid;
	uint8_t context;
	uint32_t task, slot;
};

struct km_repair {
	struct km_object *objects;
	uint32_t *pages_left; /* by slot: pages of a block not yet freed */
	uint32_t nr_objects, capacity;
	uint32_t *free_slots, nr_free;
	uint32_t *ended, nr_ended; /* gone unseen, not yet reported; see take_slot() */
	struct km_addr_table tables[KM_NR_SPACES]; /* but pages */
	struct km_page_map pages;
	struct km_page_map live_on; /* slab objects that begin in each page and seem live */
	struct large *large;        /* by cpu */
	uint32_t nr_large;
	uint64_t direct_map;
	struct km_repair_counts counts;
};

int km_repair_new(struct km_repair **out)
{
	struct km_repair *repair = calloc(1, sizeof(*repair));

	if (!repair)
		return -ENOMEM;
	repair->direct_map = KM_DIRECT_MAP_BASE;
	*out = repair;
	return 0;
}

void km_repair_delete(struct km_repair *repair)
{
	if (!repair)
		return;
	for (int space = 0; space < KM_NR_SPACES; space++)
		km_addr_table_free(&repair->tables[space]);
	km_page_map_free(&repair->pages);
	km_page_map_free(&repair->live_on);
	free(repair->objects);
	free(repair->pages_left);
	free(repair->free_slots);
	free(repair->ended);
	free(repair->large);
	free(repair);
}

void km_repair_set_direct_map(struct km_repair *repair, uint64_t base)
{
	repair->direct_map = base;
}

/* ---- slots ---- */

static int grow_slots(struct km_repair *repair)
{
	uint32_t capacity = repair->capacity ? 2 * repair->capacity : 1024;
	struct {
		void **array;
		size_t size;
	} arrays[] = {
		{(void **)&repair->objects, sizeof(*repair->objects)},
		{(void **)&repair->pages_left, sizeof(*repair->pages_left)},
		{(void **)&repair->free_slots, sizeof(*repair->free_slots)},
		{(void **)&repair->ended, sizeof(*repair->ended)},
	};

	if (capacity <= repair->capacity)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays); i++) {
		void *grown = realloc(*arrays[i].array, capacity * arrays[i].size);

		if (!grown)
			return -ENOMEM;
		*arrays[i].array = grown;
	}
	repair->capacity = capacity;
	return 0;
}

/* So that the steps after it cannot fail. */
static int reserve_slot(struct km_repair *repair)
{
	if (repair->nr_free || repair->nr_ended || repair->nr_objects < repair->capacity)
		return 0;
	return grow_slots(repair);
}

/*
 * A slot for a new object. One event can end several objects unseen: who does not ask for them with
 * km_repair_next_gone() gets them as the implied frees of later allocations.
 */
static void take_slot(struct km_repair *repair, struct km_repair_step *step)
{
	step->action = KM_REPAIR_ALLOC;
	if (repair->nr_ended) {
		step->slot = repair->ended[--repair->nr_ended];
		step->action = KM_REPAIR_REALLOC;
		step->gone = repair->objects[step->slot];
	} else if (repair->nr_free) {
		step->slot = repair->free_slots[--repair->nr_free];
	} else {
		step->slot = repair->nr_objects++;
	}
}

static uint64_t pfn_of(const struct km_repair *repair, uint64_t addr)
{
	return (addr - repair->direct_map) >> KM_PAGE_SHIFT;
}

static void fill_slot(struct km_repair *repair, uint32_t slot, const struct km_event *event,
		      enum km_object_space space)
{
	repair->objects[slot] = (struct km_object){.ptr = event->ptr,
						   .alloc_ns = event->time_ns,
						   .bytes_req = event->bytes_req,
						   .bytes_alloc = event->bytes_alloc,
						   .gfp = event->gfp,
						   .site = event->site,
						   .task = event->task,
						   .stack = event->stack,
						   .cache = event->cache,
						   .cpu = event->cpu,
						   .kind = event->kind,
						   .order = event->order,
						   .space = (uint8_t)space};
	repair->counts.objects++;
	repair->counts.open++;
	repair->counts.open_bytes += event->bytes_alloc;
}

/* The object is not live any more; its slot stays taken. */
static void end_object(struct km_repair *repair, uint32_t slot)
{
	const struct km_object *object = &repair->objects[slot];

	repair->counts.open--;
	repair->counts.rcu_pending -= object->rcu_handed;
	repair->counts.open_bytes -= object->bytes_alloc;
	if (object->space == KM_SPACE_SLAB)
		--*km_page_map_entry(&repair->live_on, pfn_of(repair, object->ptr));
}

static void free_slot(struct km_repair *repair, uint32_t slot, struct km_repair_step *step)
{
	step->action = KM_REPAIR_FREE;
	step->slot = slot;
	step->gone = repair->objects[slot];
	repair->counts.matched_frees++;
	end_object(repair, slot);
	repair->objects[slot].kind = KM_NR_EVENT_KINDS;
	repair->free_slots[repair->nr_free++] = slot;
}

/* ---- slab objects and vmalloc areas ---- */

static int large_of(struct km_repair *repair, unsigned cpu, struct large **large)
{
	if (cpu >= repair->nr_large) {
		struct large *grown = realloc(repair->large, (cpu + 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memset(grown + repair->nr_large, 0, (cpu + 1 - repair->nr_large) * sizeof(*grown));
		repair->large = grown;
		repair->nr_large = cpu + 1;
	}
	*large = &repair->large[cpu];
	return 0;
}

static inline bool same_actor(const struct large *large, const struct km_event *event)
{
	return large->task == event->task && large->context == event->context;
}

/*
 * A large kmalloc traced by the inner function and again by its caller: same CPU and task, nothing
 * of that task between, same pointer and sizes, and the object still live.
 */
static bool is_double(const struct km_repair *repair, const struct large *large,
		      const struct km_event *event, uint32_t live)
{
	const struct km_object *object = &repair->objects[large->slot];

	return event->kind == KM_EV_KMALLOC && large->valid && same_actor(large, event) &&
	       live == large->slot && object->task == event->task && object->cpu == event->cpu &&
	       object->bytes_req == event->bytes_req && object->bytes_alloc == event->bytes_alloc;
}

/* `slot` holds what the event allocated. */
static void note_large(struct large *large, const struct km_event *event, uint32_t slot)
{
	if (event->kind == KM_EV_KMALLOC && event->bytes_alloc > KM_LARGE_BYTES)
		*large = (struct large){true, event->context, event->task, slot};
	else if (same_actor(large, event))
		large->valid = false;
}

static void mark_backing(struct km_repair *repair, uint64_t addr)
{
	uint32_t slot = km_page_map_get(&repair->pages, pfn_of(repair, addr));

	if (slot != KM_NO_SLOT)
		repair->objects[slot].backing = 1;
}

static int feed_alloc(struct km_repair *repair, const struct km_event *event,
		      enum km_object_space space, struct km_repair_step *step)
{
	struct km_addr_table *table = &repair->tables[space];
	uint64_t pfn = pfn_of(repair, event->ptr);
	uint32_t live, *live_on = NULL;
	struct large *large;

	if (!event->ptr) {
		repair->counts.failed_allocs++;
		return 0;
	}
	if (space == KM_SPACE_SLAB)
		live_on = km_page_map_make(&repair->live_on, pfn, pfn + 1);
	if (large_of(repair, event->cpu, &large) || reserve_slot(repair) ||
	    km_addr_table_reserve(table) || (space == KM_SPACE_SLAB && !live_on))
		return -ENOMEM;
	live = km_addr_table_find(table, event->ptr);
	if (is_double(repair, large, event, live)) {
		repair->counts.double_large++;
		repair->objects[live].site = event->site;
		large->valid = false;
		step->slot = live;
		return 0;
	}
	if (live != KM_NO_SLOT) {
		step->action = KM_REPAIR_REALLOC;
		step->slot = live;
		step->gone = repair->objects[live];
		end_object(repair, live);
		repair->counts.implied_frees++;
	} else {
		take_slot(repair, step);
		km_addr_table_put(table, event->ptr, step->slot);
	}
	fill_slot(repair, step->slot, event, space);
	if (live_on) {
		++*live_on;
		mark_backing(repair, event->ptr);
	}
	note_large(large, event, step->slot);
	return 0;
}

/* Calls of one API free what it allocated. */
static enum { API_KMALLOC, API_CACHE, API_BULK, API_OTHER } api_of(unsigned kind)
{
	switch (kind) {
	case KM_EV_KMALLOC:
	case KM_EV_KFREE:
		return API_KMALLOC;
	case KM_EV_CACHE_ALLOC:
	case KM_EV_CACHE_FREE:
		return API_CACHE;
	case KM_EV_BULK_ALLOC:
	case KM_EV_BULK_FREE:
		return API_BULK;
	default:
		return API_OTHER;
	}
}

static void feed_free(struct km_repair *repair, const struct km_event *event,
		      enum km_object_space space, struct km_repair_step *step)
{
	struct km_addr_table *table = &repair->tables[space];
	uint32_t slot;

	if (event->ptr <= KM_NULL_MAX) {
		repair->counts.null_frees++;
		return;
	}
	slot = km_addr_table_find(table, event->ptr);
	if (slot == KM_NO_SLOT) {
		step->action = KM_REPAIR_FREE_OLD;
		repair->counts.preexisting_frees++;
		return;
	}
	km_addr_table_remove(table, event->ptr);
	free_slot(repair, slot, step);
	step->cross_api = api_of(step->gone.kind) != api_of(event->kind);
	repair->counts.cross_api_frees += step->cross_api;
}

/* The object stays live: readers may still hold it. Its free, if it is traced, ends it. */
static void feed_rcu_free(struct km_repair *repair, const struct km_event *event)
{
	uint32_t slot = km_addr_table_find(&repair->tables[KM_SPACE_SLAB], event->ptr);
	struct km_object *object = slot == KM_NO_SLOT ? NULL : &repair->objects[slot];

	if (!object || object->rcu_handed)
		return;
	object->rcu_handed = 1;
	object->rcu_ns = event->time_ns;
	object->rcu_cpu = event->cpu;
	object->rcu_site = event->site;
	object->rcu_task = event->task;
	repair->counts.rcu_pending++;
}

/* ---- pages ---- */

/* Take one page, *entry of the map, from the block that holds it. True if that was its last. */
static bool drop_page(struct km_repair *repair, uint32_t *entry)
{
	uint32_t slot = *entry - 1;

	*entry = 0;
	return !--repair->pages_left[slot];
}

/* The block ended and the event's step cannot say so. */
static void end_unseen(struct km_repair *repair, uint32_t slot)
{
	end_object(repair, slot);
	repair->counts.implied_frees++;
	repair->ended[repair->nr_ended++] = slot;
}

/* The pages are not a slab any more: what seems live in them was freed, and not traced. */
static void end_objects_on(struct km_repair *repair, uint64_t pfn, uint64_t end)
{
	struct km_addr_table *table = &repair->tables[KM_SPACE_SLAB];
	uint32_t *live = km_page_map_entry(&repair->live_on, pfn);

	for (; pfn < end; live = km_page_map_next(&repair->live_on, live, ++pfn)) {
		uint64_t addr = repair->direct_map + (pfn << KM_PAGE_SHIFT);

		for (uint64_t last = addr + KM_PAGE_SIZE; live && *live && addr < last; addr += 8) {
			uint32_t slot = km_addr_table_find(table, addr);

			if (slot == KM_NO_SLOT)
				continue;
			km_addr_table_remove(table, addr);
			end_unseen(repair, slot);
		}
	}
}

static int feed_page_alloc(struct km_repair *repair, const struct km_event *event,
			   struct km_repair_step *step)
{
	uint64_t pfn = event->ptr, end = pfn + ((uint64_t)1 << event->order);
	uint32_t last = KM_NO_SLOT, *first, *entry;

	if (pfn == UINT64_MAX) {
		repair->counts.failed_allocs++;
		return 0;
	}
	if (end < pfn) {
		step->action = KM_REPAIR_NOTE;
		return 0;
	}
	first = entry = km_page_map_make(&repair->pages, pfn, end);
	if (!first || reserve_slot(repair))
		return -ENOMEM;
	end_objects_on(repair, pfn, end);
	for (uint64_t page = pfn; page < end;
	     entry = km_page_map_next(&repair->pages, entry, ++page)) {
		uint32_t slot = *entry - 1;

		if (slot == KM_NO_SLOT)
			continue;
		if (drop_page(repair, entry))
			end_unseen(repair, slot);
		else if (slot != last)
			repair->counts.page_splits++; /* a part was freed unseen */
		last = slot;
	}
	take_slot(repair, step);
	fill_slot(repair, step->slot, event, KM_SPACE_PAGE);
	repair->pages_left[step->slot] = 1u << event->order;
	entry = first;
	for (uint64_t page = pfn; page < end;
	     entry = km_page_map_next(&repair->pages, entry, ++page))
		*entry = step->slot + 1;
	return 0;
}

/*
 * Any part of a block may be freed. The block ends with its last page; until then its parts are
 * counted and noted. A free over several blocks reports the first that ends.
 */
static void feed_page_free(struct km_repair *repair, const struct km_event *event,
			   struct km_repair_step *step)
{
	uint64_t pfn = event->ptr, end = pfn + ((uint64_t)1 << event->order);
	bool found = false, part = false;
	uint32_t *entry;

	step->action = KM_REPAIR_NOTE;
	if (pfn == UINT64_MAX || end < pfn)
		return;
	end_objects_on(repair, pfn, end);
	entry = km_page_map_entry(&repair->pages, pfn);
	for (uint64_t page = pfn; page < end;
	     entry = km_page_map_next(&repair->pages, entry, ++page)) {
		uint32_t slot;

		if (!entry || !*entry)
			continue;
		slot = *entry - 1;
		found = true;
		part |= repair->objects[slot].order > event->order;
		if (!drop_page(repair, entry))
			continue;
		if (step->action == KM_REPAIR_FREE)
			end_unseen(repair, slot);
		else
			free_slot(repair, slot, step);
	}
	repair->counts.page_splits += part;
	if (!found) {
		step->action = KM_REPAIR_FREE_OLD;
		repair->counts.preexisting_frees++;
	}
}

/* ---- the interface ---- */

int km_repair_feed(struct km_repair *repair, const struct km_event *event,
		   struct km_repair_step *step)
{
	step->action = KM_REPAIR_DROP;
	step->slot = 0;
	step->cross_api = false;
	if (event->cpu < repair->nr_large && !(event->kind == KM_EV_KMALLOC && event->ptr) &&
	    same_actor(&repair->large[event->cpu], event))
		repair->large[event->cpu].valid = false;
	switch (event->kind) {
	case KM_EV_KMALLOC:
	case KM_EV_CACHE_ALLOC:
	case KM_EV_BULK_ALLOC:
	case KM_EV_VMAP_ALLOC:
	case KM_EV_PERCPU_ALLOC:
		return feed_alloc(repair, event, km_event_space(event->kind), step);
	case KM_EV_KFREE:
	case KM_EV_CACHE_FREE:
	case KM_EV_BULK_FREE:
	case KM_EV_VMAP_FREE:
	case KM_EV_PERCPU_FREE:
		feed_free(repair, event, km_event_space(event->kind), step);
		return 0;
	case KM_EV_RCU_FREE:
		feed_rcu_free(repair, event);
		break;
	case KM_EV_PAGE_ALLOC:
	case KM_EV_PAGE_FREE:
		if (event->order > KM_REPAIR_MAX_ORDER)
			break;
		if (event->kind == KM_EV_PAGE_ALLOC)
			return feed_page_alloc(repair, event, step);
		feed_page_free(repair, event, step);
		return 0;
	default:
		break;
	}
	step->action = KM_REPAIR_NOTE;
	return 0;
}

bool km_repair_next_gone(struct km_repair *repair, struct km_repair_step *step)
{
	uint32_t slot;

	if (!repair->nr_ended)
		return false;
	slot = repair->ended[--repair->nr_ended];
	*step = (struct km_repair_step){
		.action = KM_REPAIR_FREE, .slot = slot, .gone = repair->objects[slot]};
	repair->objects[slot].kind = KM_NR_EVENT_KINDS;
	repair->free_slots[repair->nr_free++] = slot;
	return true;
}

const struct km_object *km_repair_objects(const struct km_repair *repair, uint32_t *count)
{
	*count = repair->nr_objects;
	return repair->objects;
}

const struct km_object *km_repair_block_at(const struct km_repair *repair, uint64_t addr)
{
	uint32_t slot = km_page_map_get(&repair->pages, pfn_of(repair, addr));

	return slot == KM_NO_SLOT ? NULL : &repair->objects[slot];
}

static const struct km_object *slab_object_at(const struct km_repair *repair, uint64_t addr)
{
	uint32_t slot = km_addr_table_find(&repair->tables[KM_SPACE_SLAB], addr);

	return slot == KM_NO_SLOT ? NULL : &repair->objects[slot];
}

const struct km_object *km_repair_around(const struct km_repair *repair, uint64_t addr)
{
	const struct km_object *block = km_repair_block_at(repair, addr), *object = NULL;
	uint64_t begin = addr & ~(uint64_t)(KM_PAGE_SIZE - 1), at = addr;

	if (block) /* a large kmalloc begins where its pages do */
		object = slab_object_at(repair, repair->direct_map + (block->ptr << KM_PAGE_SHIFT));
	for (uint64_t page = begin; !object && begin - page <= KM_LARGE_BYTES;
	     page -= KM_PAGE_SIZE) {
		const uint32_t *live = km_page_map_entry(&repair->live_on, pfn_of(repair, page));

		for (at = page == begin ? (addr + 7) & ~7ull : page + KM_PAGE_SIZE;
		     live && *live && !object && at > page;)
			object = slab_object_at(repair, at -= 8);
	}
	return object && object->ptr < addr && object->ptr + object->bytes_req > addr ? object
										      : NULL;
}

void km_repair_counts(const struct km_repair *repair, struct km_repair_counts *counts)
{
	*counts = repair->counts;
}
