/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/bench_figures.h"

#include <kmlab/env.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 2000

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static double median_of(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct km_bench_figure km_bench_figure(const double *values, size_t n)
{
	static double medians[RESAMPLES];
	struct km_env dice = {.random_state = 1};
	double drawn[KM_BENCH_MAX_VALUES];
	struct km_bench_figure figure;

	for (size_t i = 0; i < RESAMPLES; i++) {
		for (size_t k = 0; k < n; k++)
			drawn[k] = values[km_env_random(&dice) % n];
		medians[i] = median_of(drawn, n);
	}
	qsort(medians, RESAMPLES, sizeof(*medians), compare);
	memcpy(drawn, values, n * sizeof(*drawn));
	figure.median = median_of(drawn, n);
	figure.low = medians[RESAMPLES / 40];
	figure.high = medians[RESAMPLES - 1 - RESAMPLES / 40];
	return figure;
}

struct km_bench_figure km_bench_ratio(const double *values, const double *others, size_t n)
{
	double ratios[KM_BENCH_MAX_VALUES];

	for (size_t i = 0; i < n; i++)
		ratios[i] = values[i] / others[i];
	return km_bench_figure(ratios, n);
}
