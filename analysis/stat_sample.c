/* SPDX-License-Identifier: GPL-2.0-only */
#include "stat_sample.h"

#include <errno.h>
#include <stdlib.h>

static struct km_sample_sum *find(const struct km_sample_sums *sums, uint64_t ptr, uint32_t group)
{
	size_t mask = ((size_t)1 << sums->bits) - 1;
	size_t at = (ptr ^ (uint64_t)group << 32) * 0x9e3779b97f4a7c15ull >> (64 - sums->bits);

	while (sums->sums[at].ptr && (sums->sums[at].ptr != ptr || sums->sums[at].group != group))
		at = (at + 1) & mask;
	return &sums->sums[at];
}

static int grow(struct km_sample_sums *sums)
{
	struct km_sample_sums grown = {.bits = sums->sums ? sums->bits + 1 : 12,
				       .used = sums->used};

	grown.sums = calloc((size_t)1 << grown.bits, sizeof(*grown.sums));
	if (!grown.sums)
		return -ENOMEM;
	for (size_t i = 0; sums->sums && i < (size_t)1 << sums->bits; i++)
		if (sums->sums[i].ptr)
			*find(&grown, sums->sums[i].ptr, sums->sums[i].group) = sums->sums[i];
	free(sums->sums);
	*sums = grown;
	return 0;
}

int km_sample_add(struct km_sample_sums *sums, struct km_stat_row *row, uint64_t ptr,
		  uint32_t group, uint64_t bytes_req, uint64_t bytes_alloc)
{
	const double more[KM_NR_SUMS] = {1, (double)bytes_req, (double)bytes_alloc};
	struct km_sample_sum *known;

	if ((!sums->sums || sums->used >= (size_t)1 << sums->bits >> 1) && grow(sums))
		return -ENOMEM;
	known = find(sums, ptr, group);
	sums->used += !known->ptr;
	known->ptr = ptr;
	known->group = group;
	for (int i = 0; i < KM_NR_SUMS; i++) {
		row->squares[i] += more[i] * (2 * known->sum[i] + more[i]);
		known->sum[i] += more[i];
	}
	return 0;
}

void km_sample_free(struct km_sample_sums *sums)
{
	free(sums->sums);
	*sums = (struct km_sample_sums){0};
}
