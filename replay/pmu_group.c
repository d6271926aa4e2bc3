/* SPDX-License-Identifier: GPL-2.0-only */
/* perf_event groups (linux tools/lib/perf). */
#include "replay/pmu_group.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

double km_pmu_scaled(uint64_t count, uint64_t enabled, uint64_t running, bool *multiplexed)
{
	if (!running)
		return NAN;
	if (running < enabled)
		*multiplexed = true;
	return (double)count * ((double)enabled / (double)running);
}

const char *km_pmu_remedy(int code)
{
	switch (code) {
	case -ENOSYS:
		return "kmlab was built without libperf; 'make libperf all' builds it in";
	case -EACCES:
	case -EPERM:
		return "counting is not allowed; sysctl -w kernel.perf_event_paranoid=2, or grant "
		       "cap_perfmon";
	case -EBUSY:
		return "the counters are taken; stop what else counts, the NMI watchdog included "
		       "(sysctl -w kernel.nmi_watchdog=0)";
	case -EMFILE:
		return "too many files are open; raise ulimit -n";
	default:
		return "there are no data-TLB counters; a virtual machine needs a virtual PMU "
		       "(QEMU: "
		       "-cpu host,pmu=on), else count on the host";
	}
}

#ifdef HAVE_LIBPERF

#include <linux/perf_event.h>
#include <perf/core.h>
#include <perf/evlist.h>
#include <perf/evsel.h>
#include <perf/threadmap.h>
#include <string.h>

struct km_pmu_group {
	struct perf_evlist *list; /* owns the counters */
	struct perf_thread_map *threads;
	struct perf_evsel *counters[KM_PMU_EVENTS];
	struct perf_counts_values from[KM_PMU_EVENTS]; /* when counting was started */
	unsigned n;
	bool whole;
};

/* libperf says on stderr what cannot be opened; here that is an answer, not an error. */
static int be_silent(enum libperf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static struct perf_evsel *new_counter(const struct km_pmu_event *event, bool leads)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = event->type,
		.config = event->config,
		.disabled = leads,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};

	return perf_evsel__new(&attr);
}

/* Does the machine have it, on its own? */
static int try_event(const struct km_pmu_event *event, struct perf_thread_map *threads)
{
	struct perf_evsel *counter;
	int code;

	if (event->type == PERF_TYPE_RAW && !event->config)
		return -ENOENT;
	counter = new_counter(event, true);
	if (!counter)
		return -ENOMEM;
	code = perf_evsel__open(counter, NULL, threads);
	if (!code)
		perf_evsel__close(counter);
	perf_evsel__delete(counter);
	return code;
}

static void drop_list(struct km_pmu_group *group)
{
	if (!group->list)
		return;
	perf_evlist__close(group->list);
	perf_evlist__delete(group->list);
	group->list = NULL;
	memset(group->counters, 0, sizeof(group->counters));
}

static int open_list(struct km_pmu_group *group, const struct km_pmu_event *events,
		     const bool *there, bool whole)
{
	int code = 0;

	group->list = perf_evlist__new();
	if (!group->list)
		return -ENOMEM;
	for (unsigned i = 0; i < group->n; i++) {
		if (!there[i])
			continue;
		group->counters[i] = new_counter(&events[i], !whole || !i);
		if (!group->counters[i])
			return -ENOMEM;
		perf_evlist__add(group->list, group->counters[i]);
	}
	if (whole)
		perf_evlist__set_leader(group->list);
	group->whole = whole;
	/* One by one, the leader first: evlist's own open takes references that it does not drop.
	 */
	for (unsigned i = 0; i < group->n && !code; i++)
		if (group->counters[i])
			code = perf_evsel__open(group->counters[i], NULL, group->threads);
	return code;
}

int km_pmu_group_open(const struct km_pmu_event *events, unsigned n, struct km_pmu_group **out)
{
	struct km_pmu_group *group = calloc(1, sizeof(*group));
	bool there[KM_PMU_EVENTS] = {false};
	int code = -ENOMEM;

	libperf_init(be_silent);
	if (!group)
		return code;
	group->n = n;
	group->threads = perf_thread_map__new_dummy();
	if (!group->threads)
		goto out;
	perf_thread_map__set_pid(group->threads, 0, 0);
	code = try_event(&events[0], group->threads);
	if (code)
		goto out;
	there[0] = true;
	for (unsigned i = 1; i < n; i++)
		there[i] = !try_event(&events[i], group->threads);
	code = open_list(group, events, there, true);
	if (code) {
		drop_list(group);
		code = open_list(group, events, there, false);
	}
out:
	if (code)
		km_pmu_group_close(group);
	else
		*out = group;
	return code;
}

void km_pmu_group_close(struct km_pmu_group *group)
{
	if (!group)
		return;
	drop_list(group);
	if (group->threads)
		perf_thread_map__put(group->threads);
	free(group);
}

void km_pmu_group_start(struct km_pmu_group *group)
{
	for (unsigned i = 0; i < group->n; i++)
		if (group->counters[i] &&
		    perf_evsel__read(group->counters[i], 0, 0, &group->from[i]))
			memset(&group->from[i], 0, sizeof(group->from[i]));
	perf_evlist__enable(group->list);
}

void km_pmu_group_stop(struct km_pmu_group *group, double *values, bool *multiplexed)
{
	perf_evlist__disable(group->list);
	*multiplexed = false;
	for (unsigned i = 0; i < group->n; i++) {
		struct perf_counts_values now;

		values[i] = NAN;
		if (group->counters[i] && !perf_evsel__read(group->counters[i], 0, 0, &now))
			values[i] = km_pmu_scaled(now.val - group->from[i].val,
						  now.ena - group->from[i].ena,
						  now.run - group->from[i].run, multiplexed);
	}
}

bool km_pmu_group_is_whole(const struct km_pmu_group *group)
{
	return group->whole;
}

#else

int km_pmu_group_open(const struct km_pmu_event *events, unsigned n, struct km_pmu_group **group)
{
	(void)events, (void)n, (void)group;
	return -ENOSYS;
}

void km_pmu_group_close(struct km_pmu_group *group)
{
	(void)group;
}

void km_pmu_group_start(struct km_pmu_group *group)
{
	(void)group;
}

void km_pmu_group_stop(struct km_pmu_group *group, double *values, bool *multiplexed)
{
	(void)group, (void)values, (void)multiplexed;
}

bool km_pmu_group_is_whole(const struct km_pmu_group *group)
{
	(void)group;
	return false;
}

#endif
