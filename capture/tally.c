/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * While recording goes on, the programs' counters run ahead of what has been drained. So a part
 * claims what went into its trace and what the gaps in it tell of, and, of the counters, only what
 * has no trace: what was filtered since the part before.
 */
#include "tally.h"

#include <string.h>

void km_tally_open(struct km_tally *tally, struct km_recorder *recorder, struct km_drain *drain)
{
	memset(tally, 0, sizeof(*tally));
	tally->recorder = recorder;
	tally->drain = drain;
}

/* A reading may be too high by an event that is between its two copies (ledger.c): it stands. */
int km_tally_check(struct km_tally *tally, uint64_t now_ns, struct km_err *err)
{
	uint64_t missed, more = 0;
	int ret;

	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
		missed = km_recorder_missed_kind(tally->recorder, kind);
		if (missed <= tally->missed[kind])
			continue;
		more += missed - tally->missed[kind];
		tally->missed[kind] = missed;
	}
	ret = km_drain_recursion(tally->drain, tally->checked_ns, now_ns, more, err);
	tally->checked_ns = now_ns;
	return ret;
}

uint64_t km_tally_lost(const struct km_tally *tally)
{
	uint64_t lost = 0;

	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		lost += tally->missed[kind];
	for (unsigned cpu = 0; cpu < km_recorder_possible_cpus(tally->recorder); cpu++)
		lost += km_recorder_state(tally->recorder, cpu)->lost;
	return lost;
}

/* Gaps do not say of which kind their events were, the counters do, but may have counted more. */
static uint64_t claim(uint64_t *unclaimed, uint64_t available)
{
	uint64_t claimed = *unclaimed < available ? *unclaimed : available;

	*unclaimed -= claimed;
	return claimed;
}

/* *mark: where it began; then, where it ended. */
static void count_kind(const struct km_tally *tally, unsigned kind, uint64_t *unclaimed,
		       struct km_tally_mark *mark, struct km_trace_counts *counts)
{
	struct km_tally_mark now = {.missed = tally->missed[kind]};
	struct km_kind_counts *until = &now.counts, *from = &mark->counts;
	uint64_t filtered, ring_full;

	km_recorder_kind(tally->recorder, kind, until);
	ring_full = claim(unclaimed, until->ring_full - from->ring_full);
	until->ring_full = from->ring_full + ring_full;
	counts->filtered_null += until->null - from->null;
	counts->filtered_self += until->self - from->self;
	counts->filtered_excluded += until->excluded - from->excluded;
	counts->filtered_sampled += until->sampled - from->sampled;
	filtered = until->null - from->null + until->self - from->self + until->excluded -
		   from->excluded + until->sampled - from->sampled;
	counts->fired[kind] =
		counts->recorded[kind] + ring_full + now.missed - mark->missed + filtered;
	*mark = now;
}

static void count_part(const struct km_tally *tally, struct km_tally_mark *marks,
		       struct km_trace_counts *counts)
{
	uint64_t unclaimed;

	memset(counts, 0, sizeof(*counts));
	memcpy(counts->recorded, km_drain_recorded(tally->drain), sizeof(counts->recorded));
	memcpy(counts->lost, km_drain_lost(tally->drain), sizeof(counts->lost));
	unclaimed = counts->lost[KM_LOSS_RING_FULL];
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		count_kind(tally, kind, &unclaimed, &marks[kind], counts);
}

void km_tally_part(const struct km_tally *tally, struct km_trace_counts *counts)
{
	struct km_tally_mark marks[KM_NR_RECORD_KINDS];

	memcpy(marks, tally->begun, sizeof(marks));
	count_part(tally, marks, counts);
}

/* *sum += times * *part; times may be -1. */
static void add(struct km_trace_counts *sum, const struct km_trace_counts *part, int times)
{
	uint64_t factor = (uint64_t)times;

	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		sum->fired[kind] += factor * part->fired[kind];
		sum->recorded[kind] += factor * part->recorded[kind];
	}
	for (unsigned cause = 0; cause < KM_NR_LOSS_CAUSES; cause++)
		sum->lost[cause] += factor * part->lost[cause];
#define X(reason, meaning) sum->filtered_##reason += factor * part->filtered_##reason;
	KM_FILTER_REASONS(X)
#undef X
}

void km_tally_next(struct km_tally *tally, struct km_trace_counts *counts)
{
	count_part(tally, tally->begun, counts);
	add(&tally->given, counts, 1);
}

int km_tally_last(struct km_tally *tally, uint64_t end_ns, struct km_recorder_totals *whole,
		  struct km_trace_counts *last, struct km_err *err)
{
	int ret = km_tally_check(tally, end_ns, err);
	uint64_t missed;

	km_recorder_totals(tally->recorder, whole);
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
		whole->counts.recorded[kind] =
			tally->given.recorded[kind] + km_drain_recorded(tally->drain)[kind];
		missed = tally->missed[kind] - km_recorder_missed_kind(tally->recorder, kind);
		whole->counts.fired[kind] += missed;
		whole->counts.lost[KM_LOSS_RECURSION] += missed;
	}
	*last = whole->counts;
	add(last, &tally->given, -1);
	return ret;
}
