/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slab objects by address (private to stat_living.h): open addressing by lines of two places, which
 * are a cache line of the processor. An object that ended keeps its place, as its address is likely
 * to be handed out again; those that do not come back go when the table is full.
 */
#ifndef KMLAB_LIVING_TABLE_H
#define KMLAB_LIVING_TABLE_H

#include <kmlab/types.h>
#include <stddef.h>

/* What objects have of the shape of their allocation. */
struct km_living_traits {
	uint32_t group; /* the caller's */
	uint32_t bytes_req, bytes_alloc;
	uint16_t cpu;
	bool live;
};

struct km_living_object {
	uint64_t ptr; /* 0: the place is empty */
	uint64_t time_ns;
	struct km_living_traits of;
};

struct km_living_table {
	struct km_living_object *places;
	size_t nr_places; /* a power of two */
	unsigned shift;   /* of a hash of 64 bits to a place */
	size_t used;      /* places that are not empty */
	size_t most;      /* more are not to be used: km_living_table_renew() */
};

/* Of 2^bits places, all empty; bits is at least 2. -ENOMEM. */
int km_living_table_init(struct km_living_table *table, unsigned bits);
void km_living_table_free(struct km_living_table *table);
/* Before the first use, by who waits for something else: the memory will be there. */
void km_living_table_touch(struct km_living_table *table);
/*
 * Room for more: the live objects alone stay, in twice as many places if they need these. All of
 * them move. -ENOMEM: nothing was done.
 */
int km_living_table_renew(struct km_living_table *table);

/* The first place of the line where an object is looked for first. */
static inline size_t km_living_home(const struct km_living_table *table, uint64_t ptr)
{
	return ptr * 0x9e3779b97f4a7c15ull >> table->shift & ~(size_t)1;
}

/*
 * The object at ptr, live or not, or the empty place where it belongs. The choice in a line is no
 * branch, as nothing could predict it.
 */
static inline struct km_living_object *km_living_find(const struct km_living_table *table,
						      uint64_t ptr)
{
	size_t mask = table->nr_places - 1, at = km_living_home(table, ptr);

	for (;; at = (at + 2) & mask) {
		struct km_living_object *object = &table->places[at];

		object += (object->ptr != ptr) & (object->ptr != 0);
		if (object->ptr == ptr || !object->ptr)
			return object;
	}
}

#endif
