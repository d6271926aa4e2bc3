/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slab allocations of a trace in groups: who asked for how much, got how much, for how long. One
 * pass; memory is bounded by live objects and groups (and, in a sampled trace, by its addresses).
 */
#ifndef KMLAB_STAT_H
#define KMLAB_STAT_H

#include "stat_groups.h"
#include "stat_living.h"

#include <kmlab/err.h>
#include <kmlab/hist.h>

struct km_stat_options {
	enum km_stat_by by;
	uint64_t from_ns, to_ns; /* as if the trace were [from, to); to 0 = its end */
	bool live;               /* count only objects that are live at the end */
};

/* What of a sampled trace is estimated, with its error: stat_sample.h. */
enum km_stat_sum { KM_SUM_HITS, KM_SUM_REQ, KM_SUM_ALLOC, KM_NR_SUMS };

struct km_stat_row {
	uint64_t hits, bytes_req, bytes_alloc;
	uint64_t live_bytes, peak_bytes; /* at the end, at the worst moment */
	uint64_t frees, cross_frees;     /* traced; on another CPU than the allocation */
	double byte_ns;                  /* live bytes over time */
	uint64_t live;
	uint64_t implied;          /* ended unseen: no lifetime is known */
	uint64_t old_live;         /* live at the end and older than half of the time */
	bool unseen;               /* most of its frees are traced by nothing */
	struct km_hist *lifetimes; /* in ns, of `frees`; NULL: none */
	/* Of a sampled trace: what the sums would be of all addresses. */
	double estimate[KM_NR_SUMS], variance[KM_NR_SUMS];
};

struct km_stat {
	struct km_groups groups;
	struct km_stat_row *rows; /* by group id; hits 0: nothing there */
	uint32_t nr_rows;
	struct km_stat_row total;
	struct km_living_counts counts;
	uint64_t from_ns, to_ns, events;
	uint64_t sample; /* 1 of so many addresses was recorded; 1: all */
	double missed; /* then: of the total's hits, in no row, as their addresses were not kept */
	bool one_node; /* the machine has one NUMA node */
	uint64_t cross_node; /* allocations for another node, if it has one */
};

/* 0 or -errno with a sentence. The trace must live as long as the result. */
int km_stat_run(struct km_trace *trace, const struct km_stat_options *options, struct km_stat *stat,
		struct km_err *err);
void km_stat_free(struct km_stat *stat);

/* Bytes got and not asked for, in percent of those got; NaN of nothing. */
double km_stat_waste(const struct km_stat_row *row);
/* Time-weighted mean of live bytes. */
double km_stat_mean(const struct km_stat *stat, const struct km_stat_row *row);
/*
 * Live at the end and older than half of the time; of the total, in rows that tell it. NaN: most
 * frees of such objects are traced by nothing (in bulk, by RCU), so what seems live may be gone.
 */
double km_stat_leaks(const struct km_stat_row *row);
/* Lifetime at a quantile in ns; NaN: no free was seen. */
double km_stat_lifetime(const struct km_stat_row *row, double quantile);
/* A sum as it is, or of a sampled trace its estimate, and that one's standard error (else 0). */
double km_stat_sum(const struct km_stat *stat, const struct km_stat_row *row, enum km_stat_sum sum);
double km_stat_error(const struct km_stat *stat, const struct km_stat_row *row,
		     enum km_stat_sum sum);
/* What other counts and bytes of the row are to be multiplied by. */
double km_stat_scale(const struct km_stat *stat, const struct km_stat_row *row);

#endif
