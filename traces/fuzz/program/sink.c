/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A writer of traces that writes none. It holds the importers to what traces/writer*.c and
 * traces/check.c demand: ids that are defined, kinds and times that can be, texts that end, gaps
 * that can be, and a ledger that adds up.
 */
#include "traces/codec.h"
#include "traces/fuzz/program/program.h"
#include "traces/import.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SITE_SLOTS 8192u
#define STACK_FRAMES_MAX 127u

static struct {
	struct km_chunk_limits next; /* ids */
	uint64_t slots[SITE_SLOTS];  /* addresses of sites; the place is what the id is made of */
	uint32_t ids[SITE_SLOTS], used[SITE_SLOTS];
	uint64_t recorded[KM_NR_EVENT_KINDS], gaps[KM_NR_LOSS_CAUSES], last_ns;
	struct km_trace_counts counts;
	uint32_t cpus; /* seen, highest + 1 */
	bool counted, told_cpus;
} sink;

/* An address that no writer has. */
static char sink_writer;
#define SINK ((struct km_trace_writer *)(void *)&sink_writer)

__attribute__((noreturn)) static void refuse(const char *what)
{
	fprintf(stderr, "the writer would refuse: %s\n", what);
	abort();
}

/* Another id than 0, the next or one that is there, for a row of a dictionary. */
static void define(uint32_t *id, uint32_t *next, uint32_t most)
{
	if (*id >= *next)
		refuse("an id that was not given");
	if (!*id && *next > most)
		refuse("one row too many");
	if (!*id)
		*id = (*next)++;
}

static void check_text(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		refuse("a text without an end");
}

/* ---- the interface, as in traces/trace.h ---- */

#define WRAP(type, name, ...)                                                                      \
	type __real_##name(struct km_trace_writer *writer, __VA_ARGS__);                           \
	type __wrap_##name(struct km_trace_writer *writer, __VA_ARGS__);                           \
	type __wrap_##name(struct km_trace_writer *writer, __VA_ARGS__)

WRAP(int, km_trace_set_meta, const char *key, const char *value, struct km_err *err)
{
	if (writer != SINK)
		return __real_km_trace_set_meta(writer, key, value, err);
	if (!strcmp(key, "cpus")) {
		sink.told_cpus = true;
		if (strtoul(value, NULL, 10) < sink.cpus)
			refuse("fewer CPUs than events have");
	}
	return 0;
}

WRAP(int, km_trace_define_cache, struct km_trace_cache *cache, struct km_err *err)
{
	if (writer != SINK)
		return __real_km_trace_define_cache(writer, cache, err);
	check_text(cache->name, sizeof(cache->name));
	if (!cache->id && sink.next.caches > UINT16_MAX)
		return km_fail(err, -E2BIG, "too many caches");
	define(&cache->id, &sink.next.caches, UINT16_MAX);
	return 0;
}

WRAP(int, km_trace_define_task, struct km_trace_task *task, struct km_err *err)
{
	if (writer != SINK)
		return __real_km_trace_define_task(writer, task, err);
	define(&task->id, &sink.next.tasks, UINT32_MAX - 1);
	return 0;
}

WRAP(int, km_trace_define_site, const struct km_trace_site *site, struct km_err *err)
{
	if (writer != SINK)
		return __real_km_trace_define_site(writer, site, err);
	check_text(site->symbol, sizeof(site->symbol));
	check_text(site->module, sizeof(site->module));
	if (!site->id || site->id >= sink.next.sites)
		refuse("a site without an address");
	return 0;
}

WRAP(uint32_t, km_trace_site_id, uint64_t address)
{
	uint32_t at = (uint32_t)(address * 0x9e3779b97f4a7c15ull >> 32) % SITE_SLOTS;

	if (writer != SINK)
		return __real_km_trace_site_id(writer, address);
	if (!address)
		return 0;
	while (sink.slots[at] && sink.slots[at] != address)
		at = (at + 1) % SITE_SLOTS;
	if (sink.slots[at])
		return sink.ids[at];
	if (sink.next.sites > SITE_SLOTS / 2)
		return 0; /* as when there is no memory */
	sink.used[sink.next.sites - 1] = at;
	sink.slots[at] = address;
	return sink.ids[at] = sink.next.sites++;
}

const uint64_t *__real_km_trace_sites(const struct km_trace_writer *writer, uint32_t *count);
const uint64_t *__wrap_km_trace_sites(const struct km_trace_writer *writer, uint32_t *count);
const uint64_t *__wrap_km_trace_sites(const struct km_trace_writer *writer, uint32_t *count)
{
	if (writer != SINK)
		return __real_km_trace_sites(writer, count);
	*count = sink.next.sites;
	return NULL;
}

WRAP(uint32_t, km_trace_stack_id, const uint64_t *addresses, unsigned n)
{
	if (writer != SINK)
		return __real_km_trace_stack_id(writer, addresses, n);
	if (n > STACK_FRAMES_MAX)
		refuse("a stack that is too deep");
	for (unsigned i = 0; i < n; i++)
		__wrap_km_trace_site_id(writer, addresses[i]);
	return n ? sink.next.stacks++ : 0;
}

WRAP(int, km_trace_add_gap, const struct km_trace_gap *gap, struct km_err *err)
{
	if (writer != SINK)
		return __real_km_trace_add_gap(writer, gap, err);
	if ((unsigned)gap->cause >= KM_NR_LOSS_CAUSES || gap->after_ns > gap->before_ns ||
	    !gap->events || sink.counted)
		refuse("a gap that cannot be");
	if (gap->cpu != KM_GAP_CPU_UNKNOWN && gap->cpu >= sink.cpus)
		sink.cpus = gap->cpu + 1u;
	sink.gaps[gap->cause] += gap->events;
	return 0;
}

static void take_event(unsigned cpu, const struct km_event *event)
{
	if (event->kind >= KM_NR_EVENT_KINDS || event->context > KM_CTX_UNKNOWN ||
	    event->time_ns > INT64_MAX || event->site >= sink.next.sites ||
	    event->cache >= sink.next.caches || event->task >= sink.next.tasks ||
	    event->stack >= sink.next.stacks || cpu >= KM_MAX_CPUS)
		refuse("an event out of range");
	sink.recorded[event->kind]++;
	if (cpu >= sink.cpus)
		sink.cpus = cpu + 1;
	if (event->time_ns > sink.last_ns)
		sink.last_ns = event->time_ns;
}

WRAP(int, km_trace_append, unsigned cpu, const struct km_event *events, size_t n,
     struct km_err *err)
{
	if (writer != SINK)
		return __real_km_trace_append(writer, cpu, events, n, err);
	for (size_t i = 0; i < n; i++)
		take_event(cpu, &events[i]);
	return 0;
}

WRAP(int, km_trace_set_counts, const struct km_trace_counts *counts, struct km_err *err)
{
	if (writer != SINK)
		return __real_km_trace_set_counts(writer, counts, err);
	sink.counts = *counts;
	sink.counted = true;
	return 0;
}

/* ---- begin, end ---- */

struct km_trace_writer *km_fuzz_sink_open(void)
{
	for (uint32_t id = 1; id < sink.next.sites; id++)
		sink.slots[sink.used[id - 1]] = 0;
	memset(sink.recorded, 0, sizeof(sink.recorded));
	memset(sink.gaps, 0, sizeof(sink.gaps));
	sink.last_ns = sink.cpus = 0;
	sink.counted = sink.told_cpus = false;
	sink.next = (struct km_chunk_limits){1, 1, 1, 1};
	return SINK;
}

void km_fuzz_sink_close(const struct km_import_report *report)
{
	const struct km_trace_counts *counts = &sink.counts;
	uint64_t fired = 0, accounted = counts->filtered_null + counts->filtered_self +
					counts->filtered_sampled + counts->filtered_excluded +
					counts->filtered_aged;

	if (!sink.counted || !sink.told_cpus)
		refuse("a trace without ledger or CPUs");
	if (sink.last_ns > report->duration_ns)
		refuse("events behind the end");
	for (unsigned cause = 0; cause < KM_NR_LOSS_CAUSES; cause++) {
		accounted += counts->lost[cause];
		if (counts->lost[cause] != sink.gaps[cause])
			refuse("losses without their gaps");
	}
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		fired += counts->fired[kind];
		accounted += sink.recorded[kind];
		if (counts->recorded[kind] != sink.recorded[kind])
			refuse("other counts than events");
	}
	if (fired != accounted)
		refuse("a ledger that does not add up");
}
