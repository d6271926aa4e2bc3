/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Log-linear histogram of unsigned values: exact below 128, then 64 buckets per power of two, so
 * any value is off by at most 0.8 %. Kept whole in results; merged by adding.
 */
#ifndef KMLAB_HIST_H
#define KMLAB_HIST_H

#include <kmlab/types.h>

#define KM_HIST_MANTISSA_BITS 6
#define KM_HIST_TOP_BITS 42 /* values above 2^42 - 1 (73 min in ns) fall into the last bucket */
#define KM_HIST_BUCKETS ((KM_HIST_TOP_BITS - KM_HIST_MANTISSA_BITS + 1) << KM_HIST_MANTISSA_BITS)

struct km_hist {
	uint64_t total, sum, min, max;
	uint64_t bucket[KM_HIST_BUCKETS];
};

static inline unsigned km_hist_index(uint64_t value)
{
	unsigned shift;

	if (value >> KM_HIST_TOP_BITS)
		return KM_HIST_BUCKETS - 1;
	if (value < (2u << KM_HIST_MANTISSA_BITS))
		return (unsigned)value;
	shift = 63 - (unsigned)__builtin_clzll(value) - KM_HIST_MANTISSA_BITS;
	return (shift << KM_HIST_MANTISSA_BITS) + (unsigned)(value >> shift);
}

/* Lowest value of a bucket; that of index + 1 is one past its highest. */
static inline uint64_t km_hist_value(unsigned index)
{
	unsigned shift = index >> KM_HIST_MANTISSA_BITS;

	if (shift <= 1)
		return index;
	shift--;
	return (uint64_t)(index - (shift << KM_HIST_MANTISSA_BITS)) << shift;
}

static inline void km_hist_add_many(struct km_hist *hist, uint64_t value, uint64_t times)
{
	if (!times)
		return;
	if (!hist->total || value < hist->min)
		hist->min = value;
	if (value > hist->max)
		hist->max = value;
	hist->total += times;
	hist->sum += value * times;
	hist->bucket[km_hist_index(value)] += times;
}

static inline void km_hist_add(struct km_hist *hist, uint64_t value)
{
	km_hist_add_many(hist, value, 1);
}

void km_hist_merge(struct km_hist *into, const struct km_hist *from);

/* Value at quantile 0 <= q <= 1 (bucket midpoint, clamped to min..max); 0 if empty. */
uint64_t km_hist_quantile(const struct km_hist *hist, double q);

#endif
