/* SPDX-License-Identifier: GPL-2.0-only */
/* The world a simulated machine lives in: host memory for its records, and the time-stamp clock. */
#ifndef REPLAY_HOST_H
#define REPLAY_HOST_H

#include <kmlab/env.h>

/* An environment on host memory. Large blocks are mapped lazily: a 24 GiB machine costs little. */
void km_host_env(struct km_env *env, uint64_t seed);

/*
 * Memory to be timed: at a multiple of 2 MiB, so that huge pages are possible, with this advice to
 * madvise(2), which the host may not follow; to be returned with munmap(at, bytes). NULL: no
 * memory.
 */
void *km_host_map(uint64_t bytes, int advice);

/* The machine that times, as a person knows it; the same for the whole process. */
struct km_host {
	char name[65], cpu[80],
		kernel[65]; /* "node7", "AMD EPYC 9654 96-Core Processor", "6.1.0" */
};
const struct km_host *km_host_describe(void);

/* ---- timing of single operations ---- */

struct km_timer {
	const char *method; /* "rdtscp" or "clock_gettime" */
	double ns_per_tick;
	uint64_t cost_ticks; /* median of an empty measurement: part of every measured latency */
};

void km_timer_calibrate(struct km_timer *timer);

#if defined(__x86_64__)
#include <x86intrin.h>

/* Earlier instructions are done, later ones have not begun. */
static inline uint64_t km_tick_begin(void)
{
	_mm_lfence();
	return __rdtsc();
}

static inline uint64_t km_tick_end(void)
{
	unsigned cpu;
	uint64_t ticks = __rdtscp(&cpu);

	_mm_lfence();
	return ticks;
}
#define KM_TIMER_METHOD "rdtscp"
#else
#include <time.h>

static inline uint64_t km_tick_begin(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static inline uint64_t km_tick_end(void)
{
	return km_tick_begin();
}
#define KM_TIMER_METHOD "clock_gettime"
#endif

#endif
