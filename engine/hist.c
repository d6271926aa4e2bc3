/* SPDX-License-Identifier: GPL-2.0-only */
/* Log-linear histograms: merging and quantiles (adding is inline, in the header). */
#include <kmlab/hist.h>

void km_hist_merge(struct km_hist *into, const struct km_hist *from)
{
	if (!from->total)
		return;
	if (!into->total || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->total += from->total;
	into->sum += from->sum;
	for (unsigned i = 0; i < KM_HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t km_hist_quantile(const struct km_hist *hist, double q)
{
	uint64_t rank, seen = 0, low, value;
	unsigned i = 0;

	if (!hist->total)
		return 0;
	if (q >= 1)
		return hist->max;
	/* The value with rank ceil(q * total), counting from 1. */
	rank = (uint64_t)(q * (double)hist->total);
	if ((double)rank < q * (double)hist->total || rank == 0)
		rank++;
	for (; i < KM_HIST_BUCKETS - 1; i++) {
		seen += hist->bucket[i];
		if (seen >= rank)
			break;
	}
	low = km_hist_value(i);
	value = low + (km_hist_value(i + 1) - low) / 2;
	if (value < hist->min)
		return hist->min;
	return value > hist->max ? hist->max : value;
}
