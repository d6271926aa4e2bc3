/* SPDX-License-Identifier: GPL-2.0-only */
#include "stat_sample.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define ALL UINT32_MAX /* the group of all groups */

static const uint8_t kinds[KM_NR_SAMPLE_KINDS] = {[KM_SAMPLE_KMALLOC] = KM_EV_KMALLOC,
						  [KM_SAMPLE_CACHE] = KM_EV_CACHE_ALLOC,
						  [KM_SAMPLE_BULK] = KM_EV_BULK_ALLOC};

/* ---- sums ---- */

static struct km_sample_sum *find(const struct km_sample_sums *sums, uint64_t ptr, uint32_t group,
				  uint32_t kind)
{
	size_t mask = ((size_t)1 << sums->bits) - 1;
	uint64_t key = ptr ^ (uint64_t)group << 32 ^ kind;
	size_t at = key * 0x9e3779b97f4a7c15ull >> (64 - sums->bits);

	while (sums->sums[at].ptr && (sums->sums[at].ptr != ptr || sums->sums[at].group != group ||
				      sums->sums[at].kind != kind))
		at = (at + 1) & mask;
	return &sums->sums[at];
}

static int grow(struct km_sample_sums *sums)
{
	struct km_sample_sums grown = {.bits = sums->sums ? sums->bits + 1 : 12,
				       .used = sums->used};

	grown.sums = calloc((size_t)1 << grown.bits, sizeof(*grown.sums));
	if (!grown.sums)
		return -ENOMEM;
	for (size_t i = 0; sums->sums && i < (size_t)1 << sums->bits; i++) {
		const struct km_sample_sum *sum = &sums->sums[i];

		if (sum->ptr)
			*find(&grown, sum->ptr, sum->group, sum->kind) = *sum;
	}
	free(sums->sums);
	*sums = grown;
	return 0;
}

int km_sample_add(struct km_sample_sums *sums, uint64_t ptr, uint32_t group,
		  enum km_sample_kind kind, int hits, uint64_t bytes_req, uint64_t bytes_alloc)
{
	const double more[KM_NR_SUMS] = {hits, hits * (double)bytes_req,
					 hits * (double)bytes_alloc};
	const uint32_t groups[] = {group, ALL};

	if ((!sums->sums || sums->used + 2 > (size_t)1 << sums->bits >> 1) && grow(sums))
		return -ENOMEM;
	for (unsigned i = 0; i < 2; i++) {
		struct km_sample_sum *known = find(sums, ptr, groups[i], kind);

		sums->used += !known->ptr;
		known->ptr = ptr;
		known->group = groups[i];
		known->kind = kind;
		for (unsigned s = 0; s < KM_NR_SUMS; s++)
			known->sum[s] += more[s];
	}
	return 0;
}

void km_sample_free(struct km_sample_sums *sums)
{
	free(sums->sums);
	*sums = (struct km_sample_sums){0};
}

/* ---- what is known of all ---- */

struct known {
	bool kind[KM_NR_SAMPLE_KINDS];
	double calls[KM_NR_SAMPLE_KINDS]; /* all of that kind, kept or not */
	double doubt; /* the share of what the ledger counts that was the recorder's own */
};

/* Of what is left out on purpose, but for sampling, the ledger does not tell the kinds. */
static void read_ledger(const struct km_trace *trace, struct known *known)
{
	struct km_trace_counts counts;
	uint64_t fired = 0;

	*known = (struct known){.doubt = 0};
	km_trace_counts(trace, &counts);
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		fired += counts.fired[kind];
	if (!km_trace_complete(trace) || counts.filtered_excluded || counts.filtered_aged ||
	    fired <= counts.filtered_null)
		return;
	known->doubt = (double)counts.filtered_self / (double)(fired - counts.filtered_null);
	for (unsigned k = 0; k < KM_NR_SAMPLE_KINDS; k++) {
		known->kind[k] = counts.recorded[kinds[k]] &&
				 counts.fired[kinds[k]] >= counts.recorded[kinds[k]];
		known->calls[k] = (double)counts.fired[kinds[k]] * (1 - known->doubt);
	}
}

/* ---- estimates ---- */

/* A group's objects of one kind: sums over the sampled addresses. */
struct part {
	double sum[KM_NR_SUMS];
	double squares[KM_NR_SUMS];
	double by_calls[KM_NR_SUMS]; /* of what it has there times all calls there */
};

static void add_up_parts(const struct km_sample_sums *sums, struct km_stat *stat,
			 struct part *parts)
{
	for (size_t i = 0; sums->sums && i < (size_t)1 << sums->bits; i++) {
		const struct km_sample_sum *sum = &sums->sums[i];
		size_t row = sum->group == ALL ? stat->nr_rows : sum->group;
		struct part *part;
		double calls;

		if (!sum->ptr)
			continue;
		part = &parts[row * KM_NR_SAMPLE_KINDS + sum->kind];
		calls = find(sums, sum->ptr, ALL, sum->kind)->sum[KM_SUM_HITS];
		for (unsigned s = 0; s < KM_NR_SUMS; s++) {
			part->sum[s] += sum->sum[s];
			part->squares[s] += sum->sum[s] * sum->sum[s];
			part->by_calls[s] += sum->sum[s] * calls;
		}
	}
}

/*
 * How many more calls there were than N times those that were sampled; with the sampling's own
 * error, of which more than three times is no chance: some address was handed out very often, and
 * was not kept.
 */
static double off_by(const struct part *all, double calls, double n, double doubt, bool *missed)
{
	double off = calls - n * all->sum[KM_SUM_HITS];
	double error = sqrt(n * (n - 1) * all->squares[KM_SUM_HITS]);

	*missed = off > 3 * error + 2 * doubt * calls;
	return off;
}

/* `all`: the part of all groups. How many calls were missed. */
static double estimate(const struct part *part, const struct part *all, unsigned kind,
		       const struct known *known, double n, struct km_stat_row *row)
{
	double call_squares = all->squares[KM_SUM_HITS], off = 0;
	bool corrected = known->kind[kind] && call_squares > 0, missed = false;

	if (corrected)
		off = off_by(all, known->calls[kind], n, known->doubt, &missed);
	for (unsigned s = 0; s < KM_NR_SUMS; s++) {
		double value = n * part->sum[s], squares = part->squares[s];

		/* What an unkept address would change is known of the number of calls alone. */
		if (corrected && (!missed || (part == all && s == KM_SUM_HITS))) {
			double slope = part->by_calls[s] / call_squares;
			double doubt = slope * known->doubt * known->calls[kind];

			value += slope * off;
			squares -= slope * part->by_calls[s];
			row->variance[s] += doubt * doubt;
		}
		row->estimate[s] += value > part->sum[s] ? value : part->sum[s];
		row->variance[s] += squares > 0 ? n * (n - 1) * squares : 0;
	}
	return missed ? off : 0;
}

int km_sample_estimate(const struct km_sample_sums *sums, const struct km_trace *trace, bool whole,
		       struct km_stat *stat)
{
	struct part *parts =
		calloc((stat->nr_rows + (size_t)1) * KM_NR_SAMPLE_KINDS, sizeof(*parts));
	struct known known = {.doubt = 0};

	if (!parts)
		return -ENOMEM;
	if (whole)
		read_ledger(trace, &known);
	add_up_parts(sums, stat, parts);
	for (size_t i = 0; i <= stat->nr_rows; i++) {
		struct km_stat_row *row = i < stat->nr_rows ? &stat->rows[i] : &stat->total;

		for (unsigned k = 0; k < KM_NR_SAMPLE_KINDS; k++) {
			double missed;

			missed = estimate(&parts[i * KM_NR_SAMPLE_KINDS + k],
					  &parts[stat->nr_rows * (size_t)KM_NR_SAMPLE_KINDS + k], k,
					  &known, (double)stat->sample, row);
			stat->missed += i == stat->nr_rows ? missed : 0;
		}
	}
	free(parts);
	return 0;
}
