/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/bench_figures.h"
#include "results/sorted.h"

#include <kmlab/env.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RESAMPLES 2000
#define SLICED_RESAMPLES 1000

double km_bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

const char *km_bench_text(const struct km_bench_figure *figure, const char *format,
			  char text[KM_BENCH_TEXT])
{
	char number[3][16];

	snprintf(number[0], sizeof(number[0]), format, figure->median);
	snprintf(number[1], sizeof(number[1]), format, figure->low);
	snprintf(number[2], sizeof(number[2]), format, figure->high);
	snprintf(text, KM_BENCH_TEXT, "%s [%s-%s]", number[0], number[1], number[2]);
	return text;
}

/* By insertion where there are few: the usual case, and most of the work. */
static void sort(double *values, size_t n)
{
	if (n > 32) {
		km_sort(values, n);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		double value = values[i];
		size_t k = i;

		for (; k && values[k - 1] > value; k--)
			values[k] = values[k - 1];
		values[k] = value;
	}
}

/* Sorts. */
static double median_of(double *values, size_t n)
{
	sort(values, n);
	return km_middle(values, n);
}

/* The middle 95 % of n resamples; sorts them. */
static void find_interval(struct km_bench_figure *figure, double *resamples, size_t n)
{
	km_sort(resamples, n);
	figure->low = resamples[n / 40];
	figure->high = resamples[n - 1 - n / 40];
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
	find_interval(&figure, medians, RESAMPLES);
	memcpy(drawn, values, n * sizeof(*drawn));
	figure.median = median_of(drawn, n);
	return figure;
}

struct km_bench_figure km_bench_ratio(const double *values, const double *others, size_t n)
{
	double ratios[KM_BENCH_MAX_VALUES];

	for (size_t i = 0; i < n; i++)
		ratios[i] = values[i] / others[i];
	return km_bench_figure(ratios, n);
}

static double sum_of_medians(const double *values, size_t slices, size_t rounds,
			     const unsigned *chosen)
{
	double drawn[KM_BENCH_MAX_VALUES], sum = 0;

	for (size_t slice = 0; slice < slices; slice++) {
		for (size_t i = 0; i < rounds; i++)
			drawn[i] = values[slice * rounds + chosen[i]];
		sum += median_of(drawn, rounds);
	}
	return sum;
}

struct km_bench_figure km_bench_sliced(const double *values, size_t slices, size_t rounds)
{
	static double sums[SLICED_RESAMPLES];
	struct km_env dice = {.random_state = 1};
	unsigned chosen[KM_BENCH_MAX_VALUES];
	struct km_bench_figure figure;

	for (size_t i = 0; i < SLICED_RESAMPLES; i++) {
		for (size_t k = 0; k < rounds; k++)
			chosen[k] = (unsigned)(km_env_random(&dice) % rounds);
		sums[i] = sum_of_medians(values, slices, rounds, chosen);
	}
	find_interval(&figure, sums, SLICED_RESAMPLES);
	for (unsigned k = 0; k < rounds; k++)
		chosen[k] = k;
	figure.median = sum_of_medians(values, slices, rounds, chosen);
	return figure;
}
