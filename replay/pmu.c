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

/* Data-TLB events of the generic set; page-walk cycles have no generic name. */
#define DTLB(access, result)                                                                       \
	(PERF_COUNT_HW_CACHE_DTLB | (PERF_COUNT_HW_CACHE_OP_##access << 8) |                       \
	 (PERF_COUNT_HW_CACHE_RESULT_##result << 16))

enum counter { DTLB_LOADS, DTLB_LOAD_MISSES, CYCLES, INSTRUCTIONS, NR_COUNTERS };

static const struct {
	uint32_t type;
	uint64_t config;
} events[NR_COUNTERS] = {
	[DTLB_LOADS] = {PERF_TYPE_HW_CACHE, DTLB(READ, ACCESS)},
	[DTLB_LOAD_MISSES] = {PERF_TYPE_HW_CACHE, DTLB(READ, MISS)},
	[CYCLES] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
	[INSTRUCTIONS] = {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
};

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
		.type = events[which].type,
		.config = events[which].config,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	struct perf_evsel *counter = perf_evsel__new(&attr);
	int code;

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
	*reading = (struct km_pmu_reading){.source = "pmu", .walk_cycles = NAN};
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
