/* SPDX-License-Identifier: GPL-2.0-only */
/* Which events tell what a data TLB does, by processor. */
#include "replay/pmu.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/pmu_group.h"
#include "replay/tlb_calibration.h"

static void unavailable(struct km_pmu_reading *reading, const char *why)
{
	*reading = (struct km_pmu_reading){
		.source = "unavailable",
		.loads = NAN,
		.l1_misses = NAN,
		.l2_misses = NAN,
		.walk_cycles = NAN,
		.cycles = NAN,
		.instructions = NAN,
	};
	snprintf(reading->why, sizeof(reading->why), "%s", why);
}

/* Data-TLB events of the generic set; page-walk cycles have no generic name. */
#define DTLB(access, result)                                                                       \
	(PERF_COUNT_HW_CACHE_DTLB | (PERF_COUNT_HW_CACHE_OP_##access << 8) |                       \
	 (PERF_COUNT_HW_CACHE_RESULT_##result << 16))

/* The first leads the group. */
enum counter {
	DTLB_LOAD_MISSES,
	DTLB_LOADS,
	CYCLES,
	INSTRUCTIONS,
	WALKS,
	WALK_CYCLES,
	NR_COUNTERS
};

/*
 * Events without a generic name: event select, unit mask << 8, counter mask << 24. Intel SDM and
 * perfmon event lists: DTLB_LOAD_MISSES.WALK_COMPLETED and .WALK_ACTIVE, by core. AMD PPR, family
 * 17h and 19h: LsL1DTlbMiss with the L2 missed (0x45, 0xf0); it has no event of walk cycles.
 */
static const struct raw_events {
	const char *vendor;
	unsigned family, first_model, last_model;
	uint64_t walks, walk_cycles; /* 0: there is none */
} raw_events[] = {
	{"GenuineIntel", 6, 0x8f, 0x8f, 0x0e12, 0x01001012}, /* Sapphire Rapids */
	{"GenuineIntel", 6, 0xcf, 0xcf, 0x0e12, 0x01001012}, /* Emerald Rapids */
	{"GenuineIntel", 6, 0x4e, 0x6c, 0x0e08, 0x01001008}, /* Skylake to Ice Lake */
	{"AuthenticAMD", 0x17, 0, 0xff, 0xf045, 0},
	{"AuthenticAMD", 0x19, 0, 0xff, 0xf045, 0},
};

static uint64_t raw_event(enum counter which)
{
	struct km_tlb_cpu cpu;

	km_tlb_cpu_read(&cpu);
	for (unsigned i = 0; i < sizeof(raw_events) / sizeof(raw_events[0]); i++) {
		const struct raw_events *raw = &raw_events[i];

		if (!strcmp(raw->vendor, cpu.vendor) && raw->family == cpu.family &&
		    cpu.model >= raw->first_model && cpu.model <= raw->last_model)
			return which == WALKS ? raw->walks : raw->walk_cycles;
	}
	return 0;
}

struct km_pmu {
	struct km_pmu_group *group;
};

void km_pmu_open(struct km_pmu **out, struct km_pmu_reading *reading)
{
	const struct km_pmu_event events[NR_COUNTERS] = {
		[DTLB_LOAD_MISSES] = {PERF_TYPE_HW_CACHE, DTLB(READ, MISS)},
		[DTLB_LOADS] = {PERF_TYPE_HW_CACHE, DTLB(READ, ACCESS)},
		[CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
		[INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
		[WALKS] = {PERF_TYPE_RAW, raw_event(WALKS)},
		[WALK_CYCLES] = {PERF_TYPE_RAW, raw_event(WALK_CYCLES)},
	};
	struct km_pmu *pmu = calloc(1, sizeof(*pmu));
	int code = pmu ? km_pmu_group_open(events, NR_COUNTERS, &pmu->group) : -ENOMEM;

	*out = code ? NULL : pmu;
	unavailable(reading, "");
	if (!code)
		return;
	snprintf(reading->why, sizeof(reading->why), "%s (%s)", km_pmu_remedy(code),
		 strerror(-code));
	free(pmu);
}

void km_pmu_start(struct km_pmu *pmu)
{
	if (pmu)
		km_pmu_group_start(pmu->group);
}

void km_pmu_stop(struct km_pmu *pmu, struct km_pmu_reading *reading)
{
	double values[NR_COUNTERS];

	if (!pmu)
		return;
	*reading = (struct km_pmu_reading){.source = "pmu"};
	km_pmu_group_stop(pmu->group, values, &reading->multiplexed);
	reading->l2_misses = values[WALKS];
	reading->walk_cycles = values[WALK_CYCLES];
	reading->loads = values[DTLB_LOADS];
	reading->l1_misses = values[DTLB_LOAD_MISSES];
	reading->cycles = values[CYCLES];
	reading->instructions = values[INSTRUCTIONS];
}

void km_pmu_close(struct km_pmu *pmu)
{
	if (pmu)
		km_pmu_group_close(pmu->group);
	free(pmu);
}
