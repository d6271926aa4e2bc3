/* SPDX-License-Identifier: GPL-2.0-only */
/* Perfetto's JSON. Its times are microseconds; three digits behind the point keep nanoseconds. */
#include "export_text.h"

#include "results/emit.h"
#include "results/term.h"
#include "traces/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PID 1
#define COUNTER_STEPS 4096 /* counters change at most so often over the time shown */

struct perfetto {
	struct km_trace *trace;
	struct km_json json;
	struct km_repair *repair;
	uint64_t from_ns, to_ns;
	uint64_t live[KM_NR_EVENT_KINDS];
	uint64_t shown_ns, step_ns;
	bool moved[KM_NR_EVENT_KINDS];
	uint64_t rows;
};

/* Tracks are threads: one per CPU, and one for losses of which the CPU is not known. */
static uint64_t track_of(unsigned cpu)
{
	return cpu + 1ull;
}

static void put_time(struct km_json *json, const char *key, uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64, ns / 1000, ns % 1000);
	km_json_raw(json, key, text);
}

static void begin(struct perfetto *perfetto, const char *phase, const char *name, uint64_t track)
{
	struct km_json *json = &perfetto->json;

	km_json_object(json, NULL);
	km_json_str(json, "ph", phase);
	km_json_str(json, "name", name);
	km_json_u64(json, "pid", PID);
	km_json_u64(json, "tid", track);
}

/* ---- what does not move ---- */

static void put_name(struct perfetto *perfetto, const char *what, uint64_t track, const char *name)
{
	begin(perfetto, "M", what, track);
	km_json_object(&perfetto->json, "args");
	km_json_str(&perfetto->json, "name", name);
	km_json_close(&perfetto->json);
	km_json_close(&perfetto->json);
}

static void put_names(struct perfetto *perfetto)
{
	const char *kernel = km_trace_meta(perfetto->trace, "kernel");
	unsigned cpus = km_trace_cpus(perfetto->trace);
	char name[256];

	snprintf(name, sizeof(name), "%s (Linux %s)", km_trace_path(perfetto->trace),
		 kernel ? kernel : "?");
	put_name(perfetto, "process_name", 0, name);
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		snprintf(name, sizeof(name), "CPU %u", cpu);
		put_name(perfetto, "thread_name", track_of(cpu), name);
	}
	put_name(perfetto, "thread_name", track_of(KM_GAP_CPU_UNKNOWN), "losses of unknown CPU");
}

static void put_gaps(struct perfetto *perfetto)
{
	size_t count;
	const struct km_trace_gap *gaps = km_trace_gaps(perfetto->trace, &count);

	for (size_t i = 0; i < count; i++) {
		uint64_t after = gaps[i].after_ns, before = gaps[i].before_ns;
		char name[64];

		if (before < perfetto->from_ns || after >= perfetto->to_ns)
			continue;
		after = after < perfetto->from_ns ? perfetto->from_ns : after;
		before = before > perfetto->to_ns ? perfetto->to_ns : before;
		snprintf(name, sizeof(name), "%" PRIu64 " events lost (%s)", gaps[i].events,
			 km_loss_cause_names[gaps[i].cause]);
		begin(perfetto, "X", name, track_of(gaps[i].cpu));
		km_json_str(&perfetto->json, "cat", "loss");
		km_json_str(&perfetto->json, "cname", "terrible"); /* red, in Chrome */
		put_time(&perfetto->json, "ts", after);
		put_time(&perfetto->json, "dur", before - after);
		km_json_close(&perfetto->json);
	}
}

/* ---- counters ---- */

static void move(struct perfetto *perfetto, const struct km_object *object, bool begins)
{
	uint64_t *live = &perfetto->live[object->kind];

	if (begins)
		*live += object->bytes_alloc;
	else
		*live -= object->bytes_alloc < *live ? object->bytes_alloc : *live;
	perfetto->moved[object->kind] = true;
}

static int follow(struct perfetto *perfetto, const struct km_event *event)
{
	struct km_repair_step step;
	uint32_t count;
	int code = km_repair_feed(perfetto->repair, event, &step);

	if (code)
		return code;
	if (step.action == KM_REPAIR_FREE || step.action == KM_REPAIR_REALLOC)
		move(perfetto, &step.gone, false);
	if (step.action == KM_REPAIR_ALLOC || step.action == KM_REPAIR_REALLOC)
		move(perfetto, &km_repair_objects(perfetto->repair, &count)[step.slot], true);
	while (km_repair_next_gone(perfetto->repair, &step))
		move(perfetto, &step.gone, false);
	return 0;
}

static void put_counters(struct perfetto *perfetto, uint64_t time_ns)
{
	char name[64];

	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++) {
		if (!perfetto->moved[kind])
			continue;
		perfetto->moved[kind] = false;
		snprintf(name, sizeof(name), "live bytes: %s", km_event_name(kind));
		begin(perfetto, "C", name, 0);
		put_time(&perfetto->json, "ts", time_ns);
		km_json_object(&perfetto->json, "args");
		km_json_u64(&perfetto->json, "bytes", perfetto->live[kind]);
		km_json_close(&perfetto->json);
		km_json_close(&perfetto->json);
	}
	perfetto->shown_ns = time_ns;
}

/* ---- events ---- */

static void put_event(struct perfetto *perfetto, const struct km_event *event)
{
	struct km_json *json = &perfetto->json;
	uint32_t count;
	const struct km_trace_task *task = &km_trace_tasks(perfetto->trace, &count)[event->task];
	char text[KM_SITE_TEXT];

	begin(perfetto, "i", km_event_name(event->kind), track_of(event->cpu));
	km_json_str(json, "s", "t");
	km_json_str(json, "cat", km_event_group_name(km_event_group_of(event->kind)));
	put_time(json, "ts", event->time_ns);
	km_json_object(json, "args");
	/* JSON readers keep 53 bits of a number. */
	snprintf(text, sizeof(text), "0x%" PRIx64, event->ptr);
	km_json_str(json, km_event_group_of(event->kind) == KM_GROUP_PAGE ? "pfn" : "ptr", text);
	if (event->bytes_alloc) {
		km_json_u64(json, "bytes_req", event->bytes_req);
		km_json_u64(json, "bytes_alloc", event->bytes_alloc);
	}
	if (event->cache)
		km_json_str(json, "cache",
			    km_trace_caches(perfetto->trace, &count)[event->cache].name);
	if (event->site)
		km_json_str(
			json, "site",
			km_trace_site_text(
				&km_trace_site_table(perfetto->trace, &count)[event->site], text));
	if (event->task) {
		snprintf(text, sizeof(text), "%.*s/%u", (int)sizeof(task->comm), task->comm,
			 task->tid);
		km_json_str(json, "task", text);
	}
	km_json_close(json);
	km_json_close(json);
	perfetto->rows++;
}

/* Lifetimes begin before the time that is shown. */
static int put_events(struct perfetto *perfetto, struct km_err *err)
{
	struct km_trace_filter filter = {.to_ns = perfetto->to_ns, .cpu = -1};
	struct km_trace_cursor *cursor;
	const struct km_event *events;
	size_t got;
	int code = km_trace_cursor_open(perfetto->trace, &filter, &cursor, err);

	if (code)
		return code;
	while (!(code = km_trace_next_run(cursor, &events, &got, err)) && got) {
		if (km_interrupted())
			code = -EINTR;
		for (size_t i = 0; !code && i < got; i++) {
			code = follow(perfetto, &events[i]);
			if (events[i].time_ns < perfetto->from_ns)
				continue;
			put_event(perfetto, &events[i]);
			if (events[i].time_ns - perfetto->shown_ns >= perfetto->step_ns)
				put_counters(perfetto, events[i].time_ns);
		}
		if (code)
			break;
	}
	km_trace_cursor_close(cursor);
	if (code == -ENOMEM)
		km_fail(err, code, "cannot pair the events of %s: not enough memory",
			km_trace_path(perfetto->trace));
	return code;
}

int km_export_perfetto(struct km_trace *trace, const struct km_trace_filter *filter, FILE *out,
		       uint64_t *rows, struct km_err *err)
{
	uint64_t end_ns = km_trace_duration_ns(trace) + 1;
	struct perfetto perfetto = {.trace = trace,
				    .from_ns = filter->from_ns,
				    .to_ns = filter->to_ns && filter->to_ns < end_ns ? filter->to_ns
										     : end_ns};
	int code = km_repair_new(&perfetto.repair);

	if (code)
		return km_fail(err, code, "cannot export %s: not enough memory",
			       km_trace_path(trace));
	km_repair_set_direct_map(perfetto.repair, km_trace_direct_map(trace));
	if (perfetto.to_ns > perfetto.from_ns)
		perfetto.step_ns = (perfetto.to_ns - perfetto.from_ns) / COUNTER_STEPS;
	km_json_begin(&perfetto.json, out);
	km_json_str(&perfetto.json, "displayTimeUnit", "ns");
	km_json_array(&perfetto.json, "traceEvents");
	put_names(&perfetto);
	put_gaps(&perfetto);
	code = put_events(&perfetto, err);
	if (!code)
		put_counters(&perfetto, perfetto.to_ns - 1);
	km_json_close(&perfetto.json);
	km_json_end(&perfetto.json);
	km_repair_delete(perfetto.repair);
	*rows = perfetto.rows;
	return code;
}
