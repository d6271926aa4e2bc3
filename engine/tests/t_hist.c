/* SPDX-License-Identifier: GPL-2.0-only */
/* Log-linear histograms: bucket edges, error bound, quantiles against sorting, merging. */
#include <kmlab/hist.h>
#include <stdlib.h>
#include <string.h>

#include "engine/tests/tap.h"

static void test_edges(void)
{
	bool contiguous = true, inverse = true;

	for (unsigned i = 0; i + 1 < KM_HIST_BUCKETS; i++) {
		contiguous &= km_hist_value(i) < km_hist_value(i + 1);
		inverse &= km_hist_index(km_hist_value(i)) == i;
		inverse &= km_hist_index(km_hist_value(i + 1) - 1) == i;
	}
	TAP_OK(contiguous, "bucket edges rise");
	TAP_OK(inverse, "every edge falls into its own bucket");
	TAP_EQ(km_hist_index(UINT64_MAX), KM_HIST_BUCKETS - 1, "the largest value has a bucket");
}

static void test_error(void)
{
	bool exact = true, close = true;

	for (uint64_t v = 0; v < 128; v++)
		exact &= km_hist_value(km_hist_index(v)) == v;
	for (uint64_t v = 128; v < 1ull << 40; v = v * 9 / 8 + 3) {
		unsigned i = km_hist_index(v);

		close &= (km_hist_value(i + 1) - km_hist_value(i)) * 64 <= v;
	}
	TAP_OK(exact, "values below 128 are exact");
	TAP_OK(close, "a bucket is at most 1/64 of its value wide");
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void test_quantiles(void)
{
	static struct km_hist hist, half[2], merged;
	static uint64_t values[10007];
	const double quantiles[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
	uint64_t state = 12345;

	for (unsigned i = 0; i < 10007; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		values[i] = (state >> 40) * (1 + (state >> 60));
		km_hist_add(&hist, values[i]);
		km_hist_add(&half[i % 2], values[i]);
	}
	qsort(values, 10007, sizeof(values[0]), compare);
	for (unsigned i = 0; i < 6; i++) {
		double rank = quantiles[i] * 10007;
		unsigned at = rank < 1 ? 0 : (unsigned)(rank + 0.9999) - 1;
		double want = (double)values[at];
		double got = (double)km_hist_quantile(&hist, quantiles[i]);

		TAP_OK(got >= want * 0.99 - 1 && got <= want * 1.01 + 1,
		       "quantile %.3f is %.0f, sorted %.0f", quantiles[i], got, want);
	}
	km_hist_merge(&merged, &half[0]);
	km_hist_merge(&merged, &half[1]);
	TAP_OK(memcmp(&merged, &hist, sizeof(hist)) == 0, "merging halves gives the whole");
}

static void test_empty(void)
{
	static struct km_hist hist, other;

	TAP_EQ(km_hist_quantile(&hist, 0.5), 0, "an empty histogram answers 0");
	km_hist_add(&other, 7);
	km_hist_merge(&hist, &other);
	TAP_EQ(hist.min, 7, "merging into an empty one takes the minimum over");
	km_hist_add_many(&hist, 9, 0);
	TAP_EQ(hist.total, 1, "adding a value zero times adds nothing");
}

int main(void)
{
	test_edges();
	test_error();
	test_quantiles();
	test_empty();
	return tap_done();
}
