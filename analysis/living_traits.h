/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What many objects have in common, by number (private to stat_living.h). There are only so many
 * numbers, as the table of them is to stay in the processor's cache.
 */
#ifndef KMLAB_LIVING_TRAITS_H
#define KMLAB_LIVING_TRAITS_H

#include <kmlab/types.h>

struct km_living_traits {
	uint64_t bytes_req, bytes_alloc;
	uint32_t group; /* the caller's; 0 where objects have their own */
};

#define KM_LIVING_FIRST_NUMBER 2 /* those below mean something else */

/* Zeroed but for `most` = empty. */
struct km_living_numbers {
	struct km_living_traits *traits; /* by number */
	uint32_t next, most;             /* the next number; none is above most */
	uint32_t *slots;                 /* numbers by hash, open addressing; 0 = empty */
	unsigned bits;                   /* of a slot */
};

/* The number of these traits; 0: there are no more numbers. False: no memory. */
bool km_living_number(struct km_living_numbers *numbers, const struct km_living_traits *traits,
		      uint32_t *number);
void km_living_numbers_free(struct km_living_numbers *numbers);

#endif
