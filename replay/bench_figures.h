/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Medians of repeated measurements with bootstrap intervals: resampled with replacement 2000 times,
 * the middle 95 % of the medians (Efron, 1979). The same values give the same interval.
 */
#ifndef REPLAY_BENCH_FIGURES_H
#define REPLAY_BENCH_FIGURES_H

#include <stddef.h>

#define KM_BENCH_MAX_VALUES 256

struct km_bench_figure {
	double median, low, high;
};

double km_bench_now_ns(void); /* CLOCK_MONOTONIC */

/* 1 <= n <= KM_BENCH_MAX_VALUES */
struct km_bench_figure km_bench_figure(const double *values, size_t n);
/* Of values[i] / others[i]: pairs measured one after the other, so that the machine's load cancels.
 */
struct km_bench_figure km_bench_ratio(const double *values, const double *others, size_t n);

/*
 * Of a long measurement in slices, repeated in rounds: values[slice * rounds + round]. The sum over
 * slices of each one's median round, rounds resampled 1000 times: what stalls the machine for a
 * moment hits a slice of a round, where a median does not see it. 1 <= rounds <=
 * KM_BENCH_MAX_VALUES.
 */
struct km_bench_figure km_bench_sliced(const double *values, size_t slices, size_t rounds);

/* "median [low-high]" into text, each number by the format (of one double). */
#define KM_BENCH_TEXT 64
const char *km_bench_text(const struct km_bench_figure *figure, const char *format,
			  char text[KM_BENCH_TEXT]);

#endif
