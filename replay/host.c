/* SPDX-License-Identifier: GPL-2.0-only */
/* Host memory for models, the calibration of the time-stamp clock, and what machine this is. */
#include "replay/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#include "replay/tlb_calibration.h"

/* From here on blocks are mapped on their own: zero pages cost nothing until touched. */
#define MAP_FROM_BYTES (256u << 10)
#define ALIGNMENT 64u
#define HUGE_BYTES (2ull << 20)

static void *host_alloc(void *context, size_t bytes)
{
	void *memory;

	(void)context;
	if (bytes >= MAP_FROM_BYTES) {
		memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		return memory == MAP_FAILED ? NULL : memory;
	}
	bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	memory = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
	return memory ? memset(memory, 0, bytes) : NULL;
}

static void host_release(void *context, void *memory, size_t bytes)
{
	(void)context;
	if (bytes >= MAP_FROM_BYTES)
		munmap(memory, bytes);
	else
		free(memory);
}

void *km_host_map(uint64_t bytes, int advice)
{
	uint64_t whole = (bytes + KM_PAGE_SIZE - 1) & ~(KM_PAGE_SIZE - 1ull), before;
	char *at = mmap(NULL, whole + HUGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)at & (HUGE_BYTES - 1);
	if (before)
		munmap(at, before);
	at += before;
	munmap(at + whole, HUGE_BYTES - before);
	madvise(at, bytes, advice);
	return at;
}

void km_host_env(struct km_env *env, uint64_t seed)
{
	*env = (struct km_env){
		.alloc = host_alloc,
		.release = host_release,
		.random_state = seed,
	};
}

static int compare_ticks(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

#define CALIBRATION_NS 20000000ull
#define COST_SAMPLES 10001u

static uint64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void km_timer_calibrate(struct km_timer *timer)
{
	static uint64_t samples[COST_SAMPLES];
	uint64_t start_ns = wall_ns(), start = km_tick_begin(), now_ns, now;

	do {
		now_ns = wall_ns();
		now = km_tick_end();
	} while (now_ns - start_ns < CALIBRATION_NS);
	for (unsigned i = 0; i < COST_SAMPLES; i++) {
		uint64_t begin = km_tick_begin();

		samples[i] = km_tick_end() - begin;
	}
	qsort(samples, COST_SAMPLES, sizeof(samples[0]), compare_ticks);
	*timer = (struct km_timer){
		.method = KM_TIMER_METHOD,
		.ns_per_tick = (double)(now_ns - start_ns) / (double)(now - start),
		.cost_ticks = samples[COST_SAMPLES / 2],
	};
}

const struct km_host *km_host_describe(void)
{
	static struct km_host host;
	struct km_tlb_cpu cpu;
	struct utsname names;

	if (host.name[0] || uname(&names))
		return &host;
	km_tlb_cpu_read(&cpu);
	snprintf(host.name, sizeof(host.name), "%s", names.nodename);
	snprintf(host.kernel, sizeof(host.kernel), "%s", names.release);
	snprintf(host.cpu, sizeof(host.cpu), "%s", cpu.brand[0] ? cpu.brand : names.machine);
	return &host;
}
