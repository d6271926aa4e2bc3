/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums per group and address, which the error of a sampled trace is computed from. */
#ifndef KMLAB_STAT_SAMPLE_H
#define KMLAB_STAT_SAMPLE_H

#include "stat.h"

struct km_sample_sums {
	struct km_sample_sum {
		uint64_t ptr; /* 0: empty */
		uint32_t group;
		double sum[KM_NR_SUMS];
	} * sums; /* open addressing */
	unsigned bits;
	size_t used;
};

/* Add an allocation to its address's sums, and what that changes to the row's squares. -ENOMEM. */
int km_sample_add(struct km_sample_sums *sums, struct km_stat_row *row, uint64_t ptr,
		  uint32_t group, uint64_t bytes_req, uint64_t bytes_alloc);
void km_sample_free(struct km_sample_sums *sums);

#endif
