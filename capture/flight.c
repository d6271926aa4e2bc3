/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flight recorder: events stay in memory, as the chunks they would be in a trace, until there
 * are newer ones for the time that was asked for. A window begins at a snapshot of the machine, so
 * that a trace of it can be replayed as any other; there is one every half window, or when a part
 * of the memory was filled. Threads take the snapshots and save traces, the recorder only counts
 * and copies references.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flight_save.h"
#include "job.h"
#include "results/emit.h"
#include "results/term.h"
#include "target.h"

#define CHUNK_EVENTS 16384u
#define CHUNK_EVENTS_LEAST 1024u
/* Parts of the memory: for events not yet in a chunk; to be filled before the next snapshot. */
#define OPEN_SHARE 8
#define SNAPSHOT_SHARE 4
#define RATE_NS 100000000ull

/* Events of one CPU that are not yet a chunk. */
struct lane {
	struct km_event *events;
	uint32_t count;
};

struct flight {
	struct km_target target;
	uint64_t window_ns;
	struct km_encoder *encoder;
	struct km_sink sink;
	struct km_sampler sampler;
	struct lane *lanes; /* by CPU */
	unsigned nr_lanes, chunk_events;
	size_t lane_bytes;
	struct km_kept_list kept[KM_NR_KEPT]; /* times since recording began */

	/* Snapshots of the machine. */
	struct km_job watching;
	struct km_snapshot fresh; /* the thread's */
	uint64_t next_ns;
	size_t since_bytes; /* chunks since the last one */

	/* The memory was full: all before horizon_ns is gone. */
	uint64_t horizon_ns, dropped;

	/* Saving. */
	struct km_job saving;
	struct km_save save; /* the thread's */
	unsigned number;
	bool failed;
	const char *wanted;    /* why the next trace is; NULL: there is no reason */
	const char *triggered; /* by an event */
	uint64_t quiet_until_ns, rate_since_ns, rate_events;
};

static struct flight *flight_of(struct km_target *target)
{
	return (struct flight *)target;
}

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
	(void)number;
	asked = 1;
}

/* ---- memory ---- */

static size_t memory(const struct flight *flight)
{
	size_t bytes = flight->lane_bytes;

	for (unsigned kind = 0; kind < KM_NR_KEPT; kind++)
		bytes += flight->kept[kind].bytes;
	return bytes;
}

static uint64_t window_begin(const struct flight *flight)
{
	const struct km_kept *machine = flight->kept[KM_KEPT_MACHINE].first;

	return machine ? machine->time_ns : flight->horizon_ns;
}

static void tell_full(const struct flight *flight)
{
	const struct km_options *options = flight->target.recording->options;
	char size[KM_HUMAN_BYTES];

	km_warn("%g s of events do not fit into %s: the window is shorter than that; choose a "
		"larger --flight-memory",
		options->flight_seconds, km_human_bytes((double)options->flight_bytes, size));
}

/* Make room by dropping the oldest events. */
static void drop_events(struct flight *flight)
{
	struct km_kept_list *events = &flight->kept[KM_KEPT_EVENTS];
	uint64_t limit = flight->target.recording->options->flight_bytes;

	while (events->first && memory(flight) > limit) {
		if (!flight->dropped)
			tell_full(flight);
		flight->dropped += events->first->chunk.events;
		if (flight->horizon_ns < events->first->time_ns)
			flight->horizon_ns = events->first->time_ns;
		km_kept_drop(events);
	}
}

/* Drop snapshots that no window will begin at any more, and all from before the window. */
static void trim(struct flight *flight, uint64_t now_ns)
{
	struct km_kept_list *machines = &flight->kept[KM_KEPT_MACHINE];
	uint64_t oldest_ns = now_ns > flight->window_ns ? now_ns - flight->window_ns : 0;

	drop_events(flight);
	while (machines->first &&
	       (machines->first->time_ns < flight->horizon_ns ||
		(machines->first->next && machines->first->next->time_ns <= oldest_ns)))
		km_kept_drop(machines);
	for (unsigned kind = 0; kind < KM_KEPT_MACHINE; kind++)
		while (flight->kept[kind].first &&
		       flight->kept[kind].first->time_ns < window_begin(flight))
			km_kept_drop(&flight->kept[kind]);
}

static uint64_t since_start(const struct flight *flight, uint64_t time_ns)
{
	uint64_t start_ns = flight->target.recording->start_ns;

	return time_ns > start_ns ? time_ns - start_ns : 0;
}

static int keep_snapshot(struct flight *flight, enum km_kept_kind kind,
			 struct km_snapshot *snapshot, struct km_err *err)
{
	struct km_kept *kept =
		km_kept_snapshot(kind, since_start(flight, snapshot->time_ns), snapshot);

	if (!kept)
		return km_fail(err, -ENOMEM, "no memory to keep the machine's state");
	km_kept_append(&flight->kept[kind], kept);
	return 0;
}

/* ---- events ---- */

static int close_chunk(struct flight *flight, unsigned cpu, struct km_err *err)
{
	struct lane *lane = &flight->lanes[cpu];
	struct km_chunk_limits limits = km_dictionary_limits(flight->target.recording->dictionary);
	struct km_chunk chunk = {.cpu = (uint16_t)cpu, .events = lane->count};
	struct km_kept *kept;
	const void *bytes;
	size_t size;
	int ret;

	if (!lane->count)
		return 0;
	ret = km_chunk_encode(flight->encoder, lane->events, &limits, &chunk, &bytes, &size);
	if (ret)
		return km_fail(err, ret, "events of CPU %u cannot be kept: %s", cpu,
			       strerror(-ret));
	kept = km_kept_new(KM_KEPT_EVENTS, chunk.t_max, size);
	if (!kept)
		return km_fail(err, -ENOMEM, "no memory to keep events");
	kept->chunk = chunk;
	memcpy(kept->payload, bytes, size);
	km_kept_append(&flight->kept[KM_KEPT_EVENTS], kept);
	flight->since_bytes += kept->bytes;
	lane->count = 0;
	drop_events(flight);
	return 0;
}

static bool is_failure(const struct km_event *event)
{
	return km_event_is_alloc(event->kind) &&
	       event->ptr == (event->kind == KM_EV_PAGE_ALLOC ? UINT64_MAX : 0);
}

static void look_for_triggers(struct flight *flight, const struct km_event *events, size_t n)
{
	const struct km_options *options = flight->target.recording->options;

	if (!options->trigger_failed && !options->trigger_extfrag)
		return;
	for (size_t i = 0; i < n && !flight->triggered; i++) {
		if (options->trigger_failed && is_failure(&events[i]))
			flight->triggered = "failed";
		if (options->trigger_extfrag && events[i].kind == KM_EV_PAGE_EXTFRAG)
			flight->triggered = "extfrag";
	}
}

static int append(void *context, unsigned cpu, const struct km_event *events, size_t n,
		  struct km_err *err)
{
	struct flight *flight = context;
	struct lane *lane = &flight->lanes[cpu];
	size_t bytes = flight->chunk_events * sizeof(*events), part;
	int ret = 0;

	look_for_triggers(flight, events, n);
	if (!lane->events) {
		lane->events = malloc(bytes);
		if (!lane->events)
			return km_fail(err, -ENOMEM, "no memory to keep events");
		flight->lane_bytes += bytes;
	}
	for (; n && !ret; events += part, n -= part) {
		part = flight->chunk_events - lane->count;
		part = n < part ? n : part;
		memcpy(lane->events + lane->count, events, part * sizeof(*events));
		lane->count += (uint32_t)part;
		if (lane->count == flight->chunk_events)
			ret = close_chunk(flight, cpu, err);
	}
	return ret;
}

static int add_gap(void *context, const struct km_trace_gap *gap, struct km_err *err)
{
	struct flight *flight = context;
	struct km_kept *kept = km_kept_new(KM_KEPT_GAP, gap->before_ns, 0);

	if (!kept)
		return km_fail(err, -ENOMEM, "no memory to keep what was lost");
	kept->gap = *gap;
	km_kept_append(&flight->kept[KM_KEPT_GAP], kept);
	return 0;
}

/* ---- before ---- */

/* So many events of each CPU are copied before they become a chunk. */
static int divide_memory(struct flight *flight, const struct km_snapshot *snapshot,
			 struct km_err *err)
{
	const struct km_recording *recording = flight->target.recording;
	uint64_t limit = recording->options->flight_bytes, least, events;
	char size[KM_HUMAN_BYTES];
	unsigned cpus;

	km_recorder_rings(recording->recorder, &cpus);
	least = OPEN_SHARE * (uint64_t)cpus * CHUNK_EVENTS_LEAST * sizeof(struct km_event) +
		2 * SNAPSHOT_SHARE * km_snapshot_bytes(snapshot);
	if (limit < least)
		return km_fail(err, -EINVAL,
			       "the state of this machine alone would fill the memory of the "
			       "flight recorder; --flight-memory needs at least %s here",
			       km_human_bytes((double)least, size));
	events = limit / OPEN_SHARE / cpus / sizeof(struct km_event);
	flight->chunk_events = events < CHUNK_EVENTS ? (unsigned)events : CHUNK_EVENTS;
	return 0;
}

static int prepare(struct km_target *target, struct km_err *err)
{
	struct flight *flight = flight_of(target);
	const struct km_recording *recording = target->recording;
	struct km_snapshot snapshot = {0};
	int ret;

	flight->window_ns = (uint64_t)(recording->options->flight_seconds * 1e9);
	flight->number = km_numbered_last(recording->options->output);
	flight->nr_lanes = km_recorder_possible_cpus(recording->recorder);
	flight->lanes = calloc(flight->nr_lanes, sizeof(*flight->lanes));
	flight->encoder = km_encoder_new();
	if (!flight->lanes || !flight->encoder)
		return km_fail(err, -ENOMEM, "no memory for a flight recorder");
	ret = km_snapshot_machine(&snapshot, err);
	if (!ret)
		ret = divide_memory(flight, &snapshot, err);
	if (!ret)
		ret = keep_snapshot(flight, KM_KEPT_MACHINE, &snapshot, err);
	km_snapshot_free(&snapshot);
	return ret;
}

static void begin(struct km_target *target)
{
	struct flight *flight = flight_of(target);
	const struct km_recording *recording = target->recording;
	char size[KM_HUMAN_BYTES];

	flight->sink = (struct km_sink){append, add_gap, flight};
	flight->rate_since_ns = recording->start_ns;
	flight->kept[KM_KEPT_MACHINE].first->time_ns = 0; /* it was taken before the start */
	flight->next_ns = recording->start_ns + flight->window_ns / 2;
	km_sampler_open(&flight->sampler, flight->window_ns);
	km_drain_target(recording->drain, &flight->sink, recording->start_ns);
	km_note("keeping the last %g s in up to %s of memory (twice that while saving); to save "
		"them: kill -USR1 %d",
		recording->options->flight_seconds,
		km_human_bytes((double)recording->options->flight_bytes, size), (int)getpid());
}

/* ---- the machine's state ---- */

static int watch_machine(void *context, struct km_err *err)
{
	return km_snapshot_machine(&((struct flight *)context)->fresh, err);
}

/* Half a window is over, or that much happened that the memory would not hold many of them. */
static bool snapshot_is_due(const struct flight *flight, uint64_t now_ns)
{
	return now_ns >= flight->next_ns ||
	       flight->since_bytes >
		       flight->target.recording->options->flight_bytes / SNAPSHOT_SHARE;
}

static int collect_snapshot(struct flight *flight, struct km_err *err)
{
	int ret = km_job_wait(&flight->watching, err);

	return ret ? ret : keep_snapshot(flight, KM_KEPT_MACHINE, &flight->fresh, err);
}

static int keep_watch(struct flight *flight, uint64_t now_ns, struct km_err *err)
{
	struct km_snapshot sample;
	int ret = 0;

	if (km_sampler_take(&flight->sampler, now_ns, &sample))
		ret = keep_snapshot(flight, KM_KEPT_SAMPLE, &sample, err);
	if (!ret && km_job_ended(&flight->watching))
		ret = collect_snapshot(flight, err);
	if (ret || flight->watching.begun || !snapshot_is_due(flight, now_ns))
		return ret;
	flight->next_ns = now_ns + flight->window_ns / 2;
	flight->since_bytes = 0;
	km_job_begin(&flight->watching, watch_machine, flight);
	return 0;
}

/* ---- saving ---- */

/* All until now is in the lists; what a trace of it needs is held. */
static int hold_window(struct flight *flight, uint64_t now_ns, const char *reason,
		       struct km_err *err)
{
	const struct km_recording *recording = flight->target.recording;
	struct km_save *save = &flight->save;
	int ret = 0;

	for (unsigned cpu = 0; cpu < flight->nr_lanes && !ret; cpu++)
		ret = close_chunk(flight, cpu, err);
	trim(flight, since_start(flight, now_ns));
	*save = (struct km_save){.options = recording->options,
				 .recorder = recording->recorder,
				 .number = ++flight->number,
				 .reason = reason,
				 .start_ns = recording->start_ns,
				 .begin_ns = window_begin(flight),
				 .end_ns = since_start(flight, now_ns),
				 .end.names = km_dictionary_names(recording->dictionary)};
	if (!ret && !save->end.names)
		ret = km_fail(err, -ENOMEM, "no memory to save a trace");
	for (unsigned kind = 0; kind < KM_NR_KEPT; kind++)
		save->kept[kind] = km_kept_hold(&flight->kept[kind]);
	km_note("saving the last %.3g s: %s", (double)(save->end_ns - save->begin_ns) / 1e9,
		reason);
	return ret;
}

static int begin_saving(struct flight *flight, struct km_err *err)
{
	struct km_recording *recording = flight->target.recording;
	uint64_t now_ns = km_clock_ns();
	size_t moved;
	int ret = km_drain_until(recording->drain, now_ns, &moved, err);

	recording->events += moved;
	if (!ret)
		ret = km_drain_finish(recording->drain, now_ns, err);
	if (!ret)
		ret = km_tally_check(&recording->tally, now_ns, err);
	if (!ret)
		ret = hold_window(flight, now_ns, flight->wanted, err);
	if (ret)
		return ret;
	flight->wanted = NULL;
	km_tally_part(&recording->tally, &flight->save.end.counts);
	km_job_begin(&flight->saving, km_save_run, &flight->save);
	return 0;
}

/* It goes on flying, whatever became of a trace. */
static void collect_saved(struct flight *flight)
{
	struct km_err err = {""};

	if (km_job_wait(&flight->saving, &err)) {
		km_trace_file_give_up(&flight->save.file, true, &err);
		km_error("%s", err.text);
		flight->failed = true;
	} else {
		km_trace_file_tell(&flight->save.file, flight->save.end.duration_ns);
	}
	km_save_close(&flight->save);
}

/* ---- reasons to save ---- */

static void look_at_rate(struct flight *flight, uint64_t now_ns)
{
	const struct km_recording *recording = flight->target.recording;
	uint64_t elapsed = now_ns - flight->rate_since_ns;
	double events = (double)(recording->events - flight->rate_events);

	if (elapsed < RATE_NS)
		return;
	if (recording->options->trigger_rate > 0 && !flight->triggered &&
	    events * 1e9 / (double)elapsed >= recording->options->trigger_rate)
		flight->triggered = "rate";
	flight->rate_since_ns = now_ns;
	flight->rate_events = recording->events;
}

/* A trigger is heard once a window; a person always, before anything else. */
static void look_for_reasons(struct flight *flight, uint64_t now_ns)
{
	look_at_rate(flight, now_ns);
	if (flight->triggered && now_ns >= flight->quiet_until_ns) {
		if (!flight->wanted)
			flight->wanted = flight->triggered;
		flight->quiet_until_ns = now_ns + flight->window_ns;
	}
	flight->triggered = NULL;
	if (asked) {
		asked = 0;
		flight->wanted = "signal";
	}
}

static int poll(struct km_target *target, uint64_t now_ns, struct km_err *err)
{
	struct flight *flight = flight_of(target);
	int ret = keep_watch(flight, now_ns, err);

	if (ret)
		return ret;
	trim(flight, since_start(flight, now_ns));
	look_for_reasons(flight, now_ns);
	if (km_job_ended(&flight->saving))
		collect_saved(flight);
	return flight->wanted && !flight->saving.begun ? begin_saving(flight, err) : 0;
}

/* ---- the end ---- */

static void settle(struct flight *flight)
{
	struct km_err err;

	if (flight->saving.begun)
		collect_saved(flight);
	if (flight->watching.begun && !km_job_wait(&flight->watching, &err))
		km_snapshot_free(&flight->fresh);
}

static int end(struct km_target *target, struct km_ending *ending, struct km_err *err)
{
	struct flight *flight = flight_of(target);
	int ret;

	settle(flight);
	ret = hold_window(flight, ending->end_ns, "end", err);
	if (ret)
		return ret;
	flight->save.end.counts = ending->last;
	flight->save.end.snapshot = ending->snapshot;
	flight->save.ended = true;
	ending->snapshot.count = 0;
	return km_save_run(&flight->save, err);
}

static void give_up(struct km_target *target, bool began, struct km_err *err)
{
	struct flight *flight = flight_of(target);

	settle(flight);
	km_trace_file_give_up(&flight->save.file, began, err);
}

static bool tell(const struct km_target *target, const struct km_ending *ending)
{
	const struct flight *flight = (const struct flight *)target;
	const struct km_recording *recording = target->recording;
	double seconds = (double)(ending->end_ns - recording->start_ns) / 1e9;

	km_trace_file_tell(&flight->save.file, flight->save.end.duration_ns);
	km_note("%llu events in %.3f s of flight (%.3g M/s), the last %.3g s of them saved",
		(unsigned long long)recording->events, seconds,
		(double)recording->events / seconds / 1e6,
		(double)flight->save.end.duration_ns / 1e9);
	if (flight->dropped)
		km_note("%llu events were dropped early for want of memory",
			(unsigned long long)flight->dropped);
	return !flight->failed;
}

static uint64_t bytes(const struct km_target *target)
{
	return memory((const struct flight *)target);
}

static void close_flight(struct km_target *target)
{
	struct flight *flight = flight_of(target);

	settle(flight);
	km_save_close(&flight->save);
	for (unsigned kind = 0; kind < KM_NR_KEPT; kind++)
		km_kept_drop_all(&flight->kept[kind]);
	for (unsigned cpu = 0; cpu < flight->nr_lanes; cpu++)
		free(flight->lanes[cpu].events);
	free(flight->lanes);
	km_encoder_delete(flight->encoder);
	km_sampler_close(&flight->sampler);
	free(flight);
}

static const struct km_target_ops ops = {.doing = "in flight",
					 .prepare = prepare,
					 .begin = begin,
					 .poll = poll,
					 .end = end,
					 .give_up = give_up,
					 .tell = tell,
					 .bytes = bytes,
					 .close = close_flight};

struct km_target *km_flight_new(struct km_recording *recording)
{
	struct flight *flight = calloc(1, sizeof(*flight));
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (!flight)
		return NULL;
	sigaction(SIGUSR1, &action, NULL); /* it may come before anything is recorded */
	flight->target = (struct km_target){&ops, recording};
	flight->sampler.buddyinfo = flight->sampler.meminfo = -1;
	return &flight->target;
}
