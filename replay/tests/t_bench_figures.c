/* SPDX-License-Identifier: GPL-2.0-only */
/* Medians and their bootstrap intervals, on values whose answer is known. */
#include "engine/tests/tap.h"
#include "replay/bench_figures.h"

#include <string.h>

/* Three slices in five rounds, each slice stalled in another round. */
static void test_slices(void)
{
	static const double stalled[] = {10, 10, 900, 10, 10, /* a slice */
					 20, 20, 20,  20, 800, 700, 5, 5, 5, 5};
	static const double rising[] = {1, 2, 3, 4, 5, 10, 20, 30, 40, 50};
	struct km_bench_figure figure = km_bench_sliced(stalled, 3, 5);

	TAP_OK(figure.median == 35, "a stall in one round of each slice is not in the sum: %g",
	       figure.median);
	TAP_OK(figure.low == 35 && figure.high > 35, "that it may be typical is in the interval");
	figure = km_bench_sliced(rising, 2, 5);
	TAP_OK(figure.median == 33 && figure.low >= 11 && figure.low < 33 && figure.high > 33 &&
		       figure.high <= 55,
	       "slices add up, rounds are drawn for all alike (%g to %g)", figure.low, figure.high);
	figure = km_bench_sliced(stalled, 0, 5);
	TAP_OK(figure.median == 0 && figure.high == 0, "no slice, no time");
}

static void test_text(void)
{
	const struct km_bench_figure figure = {1.25, 1, 20.5};
	double before = km_bench_now_ns();
	char text[KM_BENCH_TEXT];

	TAP_OK(!strcmp(km_bench_text(&figure, "%.1f", text), "1.2 [1.0-20.5]"),
	       "a figure as text: %s", text);
	TAP_OK(km_bench_now_ns() >= before, "the clock does not run back");
}

int main(void)
{
	static const double one[] = {7}, same[] = {3, 3, 3, 3}, odd[] = {5, 1, 9, 2, 4},
			    even[] = {4, 1, 3, 2}, twice[] = {10, 2, 18, 4, 8};
	double many[101], low_end[101];
	struct km_bench_figure figure = km_bench_figure(one, 1);

	TAP_OK(figure.median == 7 && figure.low == 7 && figure.high == 7, "one value is all");
	figure = km_bench_figure(same, 4);
	TAP_OK(figure.median == 3 && figure.low == 3 && figure.high == 3,
	       "equal values have no spread");
	figure = km_bench_figure(odd, 5);
	TAP_OK(figure.median == 4 && figure.low >= 1 && figure.high <= 9, "the middle of five");
	TAP_OK(odd[0] == 5 && odd[4] == 4, "which stay in place");
	figure = km_bench_figure(even, 4);
	TAP_OK(figure.median == 2.5, "the middle of four lies between two");
	figure = km_bench_ratio(twice, odd, 5);
	TAP_OK(figure.median == 2 && figure.low == 2 && figure.high == 2,
	       "ratios are of pairs: noise that both share cancels");
	for (unsigned i = 0; i < 101; i++) {
		many[i] = i;
		low_end[i] = i < 60 ? 10 : 1000;
	}
	figure = km_bench_figure(many, 101);
	/* The order statistics of a binomial law: 50 -+ 1.96 * sqrt(101) / 2 */
	TAP_OK(figure.median == 50 && figure.low > 35 && figure.low < 46 && figure.high > 54 &&
		       figure.high < 65,
	       "of 0 to 100 the interval is about 40 to 60 (%g to %g)", figure.low, figure.high);
	figure = km_bench_figure(low_end, 101);
	TAP_OK(figure.median == 10 && figure.low == 10, "outliers do not move a median");
	test_slices();
	test_text();
	return tap_done();
}
