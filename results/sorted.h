/* SPDX-License-Identifier: GPL-2.0-only */
/* Measured values in order, and the one in the middle. */
#ifndef KMLAB_SORTED_H
#define KMLAB_SORTED_H

#include <stdlib.h>

static inline int km_compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline void km_sort(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), km_compare_doubles);
}

/* Of n sorted values, at least one; of the two in the middle their mean. */
static inline double km_middle(const double *values, size_t n)
{
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Sorts. */
static inline double km_median(double *values, size_t n)
{
	km_sort(values, n);
	return km_middle(values, n);
}

#endif
