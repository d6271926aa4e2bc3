/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counting: what scaling makes of shared counters, what a chain's counts are per load, what is said
 * where there are no counters; and, with events that every kernel has, that groups count right.
 */
#include "replay/pmu.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "engine/tests/tap.h"
#include "replay/pmu_group.h"
#include "replay/tlb_calibration.h"

static void test_scaling(void)
{
	bool multiplexed = false;

	TAP_EQ(km_pmu_scaled(1000, 500, 500, &multiplexed), 1000,
	       "always on a counter: as counted");
	TAP_OK(!multiplexed, "and not multiplexed");
	TAP_EQ(km_pmu_scaled(1000, 500, 125, &multiplexed), 4000,
	       "a quarter of the time: four times");
	TAP_OK(multiplexed, "and multiplexed");
	multiplexed = false;
	TAP_OK(isnan(km_pmu_scaled(0, 500, 0, &multiplexed)),
	       "never on a counter: no number, not 0");
	TAP_EQ(km_pmu_scaled(0, 500, 500, &multiplexed), 0, "nothing happened: 0");
	TAP_EQ(km_pmu_scaled(3ull << 60, 1ull << 40, 1ull << 39, &multiplexed), 6ull << 60,
	       "large counts do not overflow");
}

static void test_per_load(void)
{
	const struct km_pmu_reading reading = {
		.l1_misses = 500, .l2_misses = 250, .walk_cycles = NAN, .multiplexed = true};
	struct km_tlb_counted counted = km_tlb_counted_of(KM_TLB_USER, 4096, 1000, &reading);

	TAP_OK(counted.place == KM_TLB_USER && counted.pages == 4096 && counted.multiplexed,
	       "place, pages and multiplexing are kept");
	TAP_OK(fabs(counted.l1_misses - 0.5) < 1e-9 && fabs(counted.walks - 0.25) < 1e-9,
	       "misses per load");
	TAP_OK(isnan(counted.walk_cycles) && isnan(counted.model_walks),
	       "an event that the CPU does not have has no number");
}

static void test_remedies(void)
{
	TAP_OK(strstr(km_pmu_remedy(-ENOENT), "virtual PMU") != NULL, "no counters: %s",
	       km_pmu_remedy(-ENOENT));
	TAP_OK(strstr(km_pmu_remedy(-EACCES), "perf_event_paranoid") != NULL, "not allowed: %s",
	       km_pmu_remedy(-EACCES));
	TAP_OK(strstr(km_pmu_remedy(-ENOSYS), "make libperf") != NULL, "not built in: %s",
	       km_pmu_remedy(-ENOSYS));
}

/* Either there is a reading, or it is unavailable with the reason; never zeros. */
static void test_this_machine(void)
{
	struct km_pmu_reading reading;
	struct km_pmu *pmu;

	km_pmu_open(&pmu, &reading);
	if (pmu) {
		km_pmu_start(pmu);
		km_pmu_stop(pmu, &reading);
		TAP_OK(!strcmp(reading.source, "pmu"), "this machine counts");
	} else {
		TAP_OK(!strcmp(reading.source, "unavailable") && strlen(reading.why) > 20 &&
			       isnan(reading.l1_misses) && isnan(reading.walk_cycles),
		       "this machine does not count: %s", reading.why);
	}
	km_pmu_close(pmu);
}

static void touch_pages(unsigned n)
{
	char *at =
		mmap(NULL, n * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(at, n * 4096ul, MADV_NOHUGEPAGE);
	for (unsigned i = 0; i < n; i++)
		((volatile char *)at)[i * 4096ul] = 1;
	munmap(at, n * 4096ul);
}

/* ThreadSanitizer's shadow of a page is four, which fault, too. */
#ifdef __SANITIZE_THREAD__
#define FAULTS_A_PAGE 6
#else
#define FAULTS_A_PAGE 1.5
#endif

static void test_group(void)
{
	static const struct km_pmu_event events[] = {
		{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
		{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN},
		{PERF_TYPE_RAW, 0},
		{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS},
	};
	struct km_pmu_group *group = NULL;
	double values[4], again[4];
	bool multiplexed = true;
	int code = km_pmu_group_open(events, 4, &group);

	if (code == -ENOSYS || code == -EACCES || code == -EPERM) {
		TAP_OK(true, "groups # SKIP %s", km_pmu_remedy(code));
		return;
	}
	if (!TAP_OK(!code, "a group of software events is opened"))
		return;
	TAP_OK(km_pmu_group_is_whole(group), "as one");
	touch_pages(500);
	km_pmu_group_start(group);
	touch_pages(300);
	km_pmu_group_stop(group, values, &multiplexed);
	TAP_OK(values[0] >= 300 && values[0] < 300 * FAULTS_A_PAGE,
	       "300 pages touched: %.0f faults", values[0]);
	TAP_OK(fabs(values[0] - values[1]) < 0.5, "all of them minor: %.0f", values[1]);
	TAP_OK(isnan(values[2]), "an event that is not there has no number");
	TAP_OK(fabs(values[3]) < 0.5, "what did not happen is 0");
	TAP_OK(!multiplexed, "software events are always counted");
	km_pmu_group_start(group);
	km_pmu_group_stop(group, again, &multiplexed);
	TAP_OK(again[0] < 50, "a second start counts from 0: %.0f", again[0]);
	km_pmu_group_close(group);
}

int main(void)
{
	test_scaling();
	test_per_load();
	test_remedies();
	test_this_machine();
	test_group();
	return tap_done();
}
