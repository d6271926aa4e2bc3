/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a sample of addresses to the whole: sums per group and address, and what follows of them.
 *
 * An address is kept or not with all that happens there, and some are handed out a thousand times
 * as often as others, so that N times a sum may be far off. But the ledger counts all calls of a
 * kind, kept or not. So N times the number of calls of each kind is known to be off by so much, and
 * a sum is corrected by that, as far as it goes with the calls from address to address (the
 * regression estimator of survey sampling, with the slope that leaves least variance). The number
 * of calls itself has no error then; what has nothing to do with it stays N times its sum.
 *
 * Where there were many more calls than chance explains, they were at a few addresses, none of
 * which was kept. They are told (km_stat.missed) and are in no row: of whose they were, and of what
 * size, the sample says nothing.
 */
#ifndef KMLAB_STAT_SAMPLE_H
#define KMLAB_STAT_SAMPLE_H

#include "stat.h"

/* Kinds of events that allocate slab objects: each is corrected by its own. */
enum km_sample_kind { KM_SAMPLE_KMALLOC, KM_SAMPLE_CACHE, KM_SAMPLE_BULK, KM_NR_SAMPLE_KINDS };

static inline enum km_sample_kind km_sample_kind_of(unsigned kind)
{
	return kind == KM_EV_KMALLOC       ? KM_SAMPLE_KMALLOC
	       : kind == KM_EV_CACHE_ALLOC ? KM_SAMPLE_CACHE
					   : KM_SAMPLE_BULK;
}

struct km_sample_sums {
	struct km_sample_sum {
		uint64_t ptr; /* 0: empty */
		uint32_t group;
		uint32_t kind;
		double sum[KM_NR_SUMS];
	} * sums; /* open addressing */
	unsigned bits;
	size_t used;
};

/* Add `hits` objects, 1 or -1, of those bytes each. -ENOMEM. */
int km_sample_add(struct km_sample_sums *sums, uint64_t ptr, uint32_t group,
		  enum km_sample_kind kind, int hits, uint64_t bytes_req, uint64_t bytes_alloc);
/*
 * Estimates and variances of the rows and their total. `whole`: the sums are of all objects of the
 * trace, as the ledger's counts are; else nothing is corrected. -ENOMEM.
 */
int km_sample_estimate(const struct km_sample_sums *sums, const struct km_trace *trace, bool whole,
		       struct km_stat *stat);
void km_sample_free(struct km_sample_sums *sums);

#endif
