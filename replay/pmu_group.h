/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events counted together: one group of perf_event, through libperf, which the kernel puts on the
 * counters as a whole or not at all, so that ratios of its counts are of the same instants.
 */
#ifndef REPLAY_PMU_GROUP_H
#define REPLAY_PMU_GROUP_H

#include <kmlab/types.h>

#define KM_PMU_EVENTS 8

struct km_pmu_event {
	uint32_t type; /* of perf_event_attr; config 0 of PERF_TYPE_RAW: there is no such event */
	uint64_t config;
};

struct km_pmu_group;

/*
 * The first event leads; of the others those that the machine has. Without room for all at once
 * they are counted apart, in turns. 0; -ENOSYS: built without libperf; -errno of the first event.
 */
int km_pmu_group_open(const struct km_pmu_event *events, unsigned n, struct km_pmu_group **group);
void km_pmu_group_close(struct km_pmu_group *group);
void km_pmu_group_start(struct km_pmu_group *group); /* from 0 */
/* values[n], NAN where the event is not there or never ran. Multiplexed: values are scaled. */
void km_pmu_group_stop(struct km_pmu_group *group, double *values, bool *multiplexed);
/* All events are on the counters together, or not at all. */
bool km_pmu_group_is_whole(const struct km_pmu_group *group);

/*
 * A count of an event that was enabled for so long and on a counter for so long (ns, or any unit):
 * as if it had been there all the time. NAN: it never was. *multiplexed is set where they differ.
 */
double km_pmu_scaled(uint64_t count, uint64_t enabled, uint64_t running, bool *multiplexed);

/* What to do about an error of opening, in words. */
const char *km_pmu_remedy(int code);

#endif
