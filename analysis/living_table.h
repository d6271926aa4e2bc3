/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slab objects by address (private to stat_living.h): open addressing by lines of four places,
 * which are a cache line of the processor. An object that ended keeps its place, as its address is
 * likely to be handed out again; those that do not come back go when the table is full.
 */
#ifndef KMLAB_LIVING_TABLE_H
#define KMLAB_LIVING_TABLE_H

#include <kmlab/types.h>
#include <stddef.h>

struct km_living_place {
	uint64_t ptr;  /* 0: the place is empty */
	uint64_t life; /* the caller's, of an object that lives; 0: it ended */
};

#define KM_LIVING_LINE 4 /* places */

struct km_living_table {
	struct km_living_place *places;
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
	return ptr * 0x9e3779b97f4a7c15ull >> table->shift & ~(size_t)(KM_LIVING_LINE - 1);
}

/* The place is neither that of ptr nor empty: 1 or 0. */
static inline size_t km_living_passes(const struct km_living_place *place, uint64_t ptr)
{
	return (place->ptr != ptr) & (place->ptr != 0);
}

/*
 * The place of the object at ptr, live or not, or the empty one where it belongs. The choice in a
 * line is no branch, as nothing could predict it.
 */
static inline struct km_living_place *km_living_find(const struct km_living_table *table,
						     uint64_t ptr)
{
	size_t mask = table->nr_places - 1, at = km_living_home(table, ptr);

	for (;; at = (at + KM_LIVING_LINE) & mask) {
		struct km_living_place *place = &table->places[at];
		size_t one = km_living_passes(place, ptr);
		size_t two = one & km_living_passes(place + 1, ptr);
		size_t three = two & km_living_passes(place + 2, ptr);

		place += one + two + three;
		if (place->ptr == ptr || !place->ptr)
			return place;
	}
}

#endif
