/* SPDX-License-Identifier: GPL-2.0-only */
/* Two machines side by side: what one measured divided by what the other did. */
#ifndef KMLAB_COMPARE_H
#define KMLAB_COMPARE_H

#include "dataset.h"

/* A machine and where its runs lie. */
struct km_side {
	const struct km_dataset *dataset;
	const struct km_trace_results *trace;
	const struct km_machine_runs *machine;
};

struct km_ratio {
	double value, base; /* medians over the runs */
	double ratio;       /* NAN: base is 0, and value is not */
	double low, high;   /* 95 % interval of the ratio; NAN: timed in one run only */
	bool elsewhere; /* timed on different hosts, or beside others: then there is none, too */
	size_t runs;    /* of the side that has fewer */
	char unit[24];
};

/*
 * `across`: do not look at where both were timed. Runs of one file took turns, so they are paired;
 * those of two files are not. The interval is that of the medians of 2000 resamples with
 * replacement, the same each time. What is not timed has none to speak of: low = high where the
 * runs agree. 0, -ENOENT when a side did not measure it, -ENOMEM.
 */
int km_compare(const struct km_side *side, const struct km_side *base, const char *metric,
	       bool across, struct km_ratio *ratio);

/* "p99>+5%": what must not be. */
struct km_condition {
	const char *text;
	char metric[64];
	bool above;   /* else below */
	double limit; /* as a ratio: 1.05 */
};
/* 0, or -EINVAL when it is no such condition. The text is not copied. */
int km_condition_parse(const char *text, struct km_condition *condition);
/* Beyond the limit with the whole interval, or, where there is none, with the ratio. */
bool km_condition_met(const struct km_condition *condition, const struct km_ratio *ratio);
/* The metric's full name: p99 is latency_ns.alloc.p99, free.p99 latency_ns.free.p99, pages
 * pages.peak. -EINVAL when it does not fit. */
int km_metric_name(const char *word, char *name, size_t size);

#endif
