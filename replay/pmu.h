/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware counters around a replay, through libperf. Where the machine has no performance
 * counters, or kmlab was built without libperf, that is what the result says: never zero.
 */
#ifndef REPLAY_PMU_H
#define REPLAY_PMU_H

#include <kmlab/types.h>

struct km_pmu_reading {
	const char *source; /* "pmu", or "unavailable" */
	char why[240];      /* when unavailable: reason and remedy */
	/* Data TLB; NAN where the event does not exist or the CPU's is not known. */
	double loads, l1_misses, l2_misses, walk_cycles;
	double cycles, instructions;
	bool multiplexed; /* counters shared the hardware: values are scaled */
};

struct km_pmu;

/* NULL in *pmu and a reason in reading when nothing can be counted. */
void km_pmu_open(struct km_pmu **pmu, struct km_pmu_reading *reading);
void km_pmu_start(struct km_pmu *pmu);
void km_pmu_stop(struct km_pmu *pmu, struct km_pmu_reading *reading);
void km_pmu_close(struct km_pmu *pmu);

#endif
