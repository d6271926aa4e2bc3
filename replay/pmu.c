/* SPDX-License-Identifier: GPL-2.0-only */
/* Hardware counters through libperf (linux tools/lib/perf). */
#include "replay/pmu.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#ifdef HAVE_LIBPERF

#include <linux/perf_event.h>
#include <perf/core.h>
#include <perf/evlist.h>
#include <perf/evsel.h>
#include <perf/threadmap.h>

#include "replay/tlb_calibration.h"

/* Data-TLB events of the generic set; page-walk cycles have no generic name. */
#define DTLB(access, result)                                                                       \
	(PERF_COUNT_HW_CACHE_DTLB | (PERF_COUNT_HW_CACHE_OP_##access << 8) |                       \
	 (PERF_COUNT_HW_CACHE_RESULT_##result << 16))

enum counter {
	DTLB_LOADS,
	DTLB_LOAD_MISSES,
	CYCLES,
	INSTRUCTIONS,
	WALKS,
	WALK_CYCLES,
	NR_COUNTERS
};

static const struct {
	uint32_t type;
	uint64_t config;
} events[WALKS] = {
	[DTLB_LOADS] = {PERF_TYPE_HW_CACHE, DTLB(READ, ACCESS)},
	[DTLB_LOAD_MISSES] = {PERF_TYPE_HW_CACHE, DTLB(READ, MISS)},
	[CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	[INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
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
	struct perf_thread_map *threads;
	struct perf_evsel *counters[NR_COUNTERS];
};

/* libperf says on stderr what cannot be opened; here that is an answer, not an error. */
static int be_silent(enum libperf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static int open_counter(struct km_pmu *pmu, enum counter which)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = which < WALKS ? events[which].type : PERF_TYPE_RAW,
		.config = which < WALKS ? events[which].config : raw_event(which),
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	struct perf_evsel *counter;
	int code;

	if (which >= WALKS && !attr.config)
		return -ENOENT;
	counter = perf_evsel__new(&attr);
	if (!counter)
		return -ENOMEM;
	code = perf_evsel__open(counter, NULL, pmu->threads);
	if (code) {
		perf_evsel__delete(counter);
		return code;
	}
	pmu->counters[which] = counter;
	return 0;
}

void km_pmu_open(struct km_pmu **out, struct km_pmu_reading *reading)
{
	struct km_pmu *pmu = calloc(1, sizeof(*pmu));
	int code = -ENOMEM;

	*out = NULL;
	libperf_init(be_silent);
	if (pmu)
		pmu->threads = perf_thread_map__new_dummy();
	if (pmu && pmu->threads) {
		perf_thread_map__set_pid(pmu->threads, 0, 0);
		code = open_counter(pmu, DTLB_LOAD_MISSES);
	}
	if (code) {
		char why[128];

		snprintf(why, sizeof(why), "this machine gives no data-TLB counters (%s)",
			 strerror(-code));
		unavailable(reading, why);
		km_pmu_close(pmu);
		return;
	}
	open_counter(pmu, DTLB_LOADS);
	open_counter(pmu, CYCLES);
	open_counter(pmu, INSTRUCTIONS);
	open_counter(pmu, WALKS);
	open_counter(pmu, WALK_CYCLES);
	unavailable(reading, "");
	*out = pmu;
}

void km_pmu_start(struct km_pmu *pmu)
{
	for (int i = 0; pmu && i < NR_COUNTERS; i++)
		if (pmu->counters[i])
			perf_evsel__enable(pmu->counters[i]);
}

static double read_counter(struct km_pmu *pmu, enum counter which, bool *multiplexed)
{
	struct perf_counts_values values;

	if (!pmu->counters[which] || perf_evsel__read(pmu->counters[which], 0, 0, &values) ||
	    !values.run)
		return NAN;
	if (values.run < values.ena)
		*multiplexed = true;
	return (double)values.val * (double)values.ena / (double)values.run;
}

void km_pmu_stop(struct km_pmu *pmu, struct km_pmu_reading *reading)
{
	if (!pmu)
		return;
	for (int i = 0; i < NR_COUNTERS; i++)
		if (pmu->counters[i])
			perf_evsel__disable(pmu->counters[i]);
	*reading = (struct km_pmu_reading){.source = "pmu"};
	reading->l2_misses = read_counter(pmu, WALKS, &reading->multiplexed);
	reading->walk_cycles = read_counter(pmu, WALK_CYCLES, &reading->multiplexed);
	reading->loads = read_counter(pmu, DTLB_LOADS, &reading->multiplexed);
	reading->l1_misses = read_counter(pmu, DTLB_LOAD_MISSES, &reading->multiplexed);
	reading->cycles = read_counter(pmu, CYCLES, &reading->multiplexed);
	reading->instructions = read_counter(pmu, INSTRUCTIONS, &reading->multiplexed);
}

void km_pmu_close(struct km_pmu *pmu)
{
	if (!pmu)
		return;
	for (int i = 0; i < NR_COUNTERS; i++) {
		if (!pmu->counters[i])
			continue;
		perf_evsel__close(pmu->counters[i]);
		perf_evsel__delete(pmu->counters[i]);
	}
	if (pmu->threads)
		perf_thread_map__put(pmu->threads);
	free(pmu);
}

#else

void km_pmu_open(struct km_pmu **pmu, struct km_pmu_reading *reading)
{
	*pmu = NULL;
	unavailable(reading, "kmlab was built without libperf; 'make libperf' builds it");
}

void km_pmu_start(struct km_pmu *pmu)
{
	(void)pmu;
}

void km_pmu_stop(struct km_pmu *pmu, struct km_pmu_reading *reading)
{
	(void)pmu, (void)reading;
}

void km_pmu_close(struct km_pmu *pmu)
{
	(void)pmu;
}

#endif
