/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A recording into its target (target.h). The rings are polled on a timer from a real-time thread:
 * being woken per event would cost more than recording one, and at normal priority the workload
 * that is recorded would keep it from running.
 */
#include "session.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "budget.h"
#include "command.h"
#include "consumer.h"
#include "filter.h"
#include "privilege.h"
#include "results/term.h"
#include "slab_lists.h"
#include "slab_table.h"
#include "target.h"

#define POLL_NS 2000000
#define CHECK_NS 100000000ull

struct session {
	const struct km_options *options;
	struct km_recording recording;
	struct km_target *target;
	struct km_command command;
	struct km_realtime realtime;
	struct km_consumer consumer;
	uint64_t checked_ns;
	struct km_ending ending;
	struct km_slab_lists *lists; /* NULL: they cannot be read here */
	struct km_shrunk shrunk;
	char *lists_text; /* the caches' lists at the end; or NULL */
	bool started;     /* the command */
	bool interrupted;
};

/* ---- before ---- */

static void tell_hidden(void)
{
	char *hidden = km_snapshot_hidden();

	if (hidden && *hidden)
		km_note("only root may read %s: the trace is without them, and a replay of it "
			"starts from empty caches; to have them, once: %s",
			hidden, km_setcap_command_reading());
	free(hidden);
}

static int open_recorder(struct session *session, struct km_err *err)
{
	const struct km_options *options = session->options;
	struct km_recorder_options wanted = {.groups = options->groups,
					     .ring_bytes = options->ring_bytes,
					     .recover = options->recover,
					     .stacks = options->stacks,
					     .own = options->shrink,
					     .may_sample = options->sample > 1 ||
							   options->budget_percent > 0,
					     .cgroup_fd = -1};
	struct km_filter filter;
	int ret = 0;

	if (km_options_filter(options)) {
		ret = km_filter_make(&options->filter, &filter, &wanted.cgroup_fd, err);
		wanted.filter = &filter;
	}
	if (!ret)
		ret = km_recorder_open(&wanted, &session->recording.recorder, err);
	km_filter_close(wanted.cgroup_fd);
	if (!ret)
		km_recorder_sample(session->recording.recorder, options->sample);
	return ret;
}

static int start_command(struct session *session, struct km_err *err)
{
	if (!session->options->command || session->started || km_interrupted())
		return 0;
	session->started = true;
	return km_command_go(&session->command, err);
}

/* The load is measured while it runs: the command has to begin a little before its recording. */
static int keep_to(struct session *session, struct km_budget *budget, struct km_err *err)
{
	struct km_recording *recording = &session->recording;
	int ret;

	budget->attached_ns = km_budget_event_ns(session->options->groups);
	ret = start_command(session, err);
	if (!ret)
		ret = km_budget_choose(budget, recording->recorder, recording->drain,
				       recording->dictionary, err);
	return ret;
}

/* Without them a replay's start is inferred from what sysfs counts. */
static void open_lists(struct session *session)
{
	int code = km_slab_lists_open(session->recording.recorder, &session->lists);

	if (code == -ENODATA)
		km_warn("the lists of slab caches are found with the help of page events; record "
			"-e slab,page for them, as what lay where at the start is inferred now");
	else if (code)
		km_warn("the lists of slab caches cannot be read here; what lay where at the start "
			"is inferred from counts");
}

/* Everything up to the moment events count. */
static int prepare(struct session *session, struct km_err *err)
{
	const struct km_options *options = session->options;
	struct km_recording *recording = &session->recording;
	struct km_budget budget = {
		.percent = options->budget_percent,
		.bare_ns = options->budget_percent > 0 ? km_budget_event_ns(options->groups) : 0};
	int ret = open_recorder(session, err);

	if (!ret)
		ret = km_dictionary_open(recording->recorder, &recording->dictionary, err);
	if (!ret)
		ret = km_drain_open(recording->recorder, recording->dictionary, &recording->drain,
				    err);
	if (!ret && options->command)
		ret = km_command_prepare(&session->command, options->command, err);
	if (!ret && budget.percent > 0)
		ret = keep_to(session, &budget, err);
	if (ret)
		return ret;
	km_tally_open(&recording->tally, recording->recorder, recording->drain);
	if (options->shrink && !km_slab_shrink_all(0, NULL, NULL))
		km_warn("no slab cache could be shrunk; the trace starts from caches as they are");
	if (options->shrink)
		open_lists(session);
	tell_hidden();
	return session->target->ops->prepare(session->target, err);
}

/* ---- while recording ---- */

/*
 * A real-time thread wakes where it slept and interrupts what runs there, even beside an idle CPU:
 * take it to where the least goes on. The kernel may move it on.
 */
static void step_aside(struct km_drain *drain)
{
	int here = sched_getcpu();
	unsigned there = here < 0 ? 0 : km_drain_quietest(drain, (unsigned)here);
	cpu_set_t all, one;

	if (here < 0 || there == (unsigned)here || there >= CPU_SETSIZE ||
	    sched_getaffinity(0, sizeof(all), &all) || !CPU_ISSET(there, &all))
		return;
	CPU_ZERO(&one);
	CPU_SET(there, &one);
	if (!sched_setaffinity(0, sizeof(one), &one))
		sched_setaffinity(0, sizeof(all), &all);
}

static int check(struct session *session, uint64_t now_ns, struct km_err *err)
{
	struct km_recording *recording = &session->recording;

	if (now_ns - session->checked_ns < CHECK_NS)
		return 0;
	session->checked_ns = now_ns;
	km_recorder_adapt(recording->recorder);
	step_aside(recording->drain);
	return km_tally_check(&recording->tally, now_ns, err);
}

static bool ended(struct session *session, uint64_t now_ns)
{
	const struct km_options *options = session->options;

	if (km_interrupted()) {
		session->interrupted = true;
		km_note("saving what was recorded; Ctrl-C again aborts");
		return true;
	}
	if (options->command && km_command_ended(&session->command))
		return true;
	return options->seconds > 0 &&
	       (double)(now_ns - session->recording.start_ns) >= options->seconds * 1e9;
}

/* What needs the drain and its target. */
static int look_after(struct session *session, struct km_progress *progress, uint64_t now_ns,
		      struct km_err *err)
{
	struct km_recording *recording = &session->recording;
	struct km_target *target = session->target;
	int ret;

	ret = check(session, now_ns, err);
	if (!ret)
		ret = target->ops->poll(target, now_ns, err);
	if (!ret && km_progress_due(progress))
		km_progress_flow(progress, recording->events, km_tally_lost(&recording->tally),
				 target->ops->bytes(target));
	return ret;
}

/* *done: time to end; *more: the rings may hold others. */
static int step(struct session *session, struct km_progress *progress, bool *more, bool *done,
		struct km_err *err)
{
	uint64_t now_ns = km_clock_ns();
	bool held;
	int ret = km_consumer_turn(&session->consumer, now_ns, &held, more, err);

	*done = !ret && ended(session, now_ns);
	if (!ret && !*done && held)
		ret = look_after(session, progress, now_ns, err);
	if (held)
		km_consumer_yield(&session->consumer);
	return ret;
}

static void be_realtime(struct session *session)
{
	int ret = session->options->no_realtime ? 0 : km_realtime_begin(&session->realtime);

	if (ret)
		km_warn("no real-time priority, so a busy machine may lose events; %s",
			km_realtime_remedy(ret));
}

static int poll_rings(struct session *session, struct km_progress *progress, struct km_err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	bool more, done = false;
	int ret = 0;

	while (!ret && !done) {
		ret = step(session, progress, &more, &done, err);
		km_realtime_pace(&session->realtime);
		if (!ret && !done && !more)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return ret;
}

/* Once more, where the events show what comes after it: only so a cache's state is known. */
static void shrink_at_known_time(struct session *session)
{
	if (session->options->shrink)
		km_slab_shrink_all(session->recording.start_ns, session->lists, &session->shrunk);
}

/* Before the recording stops: whatever reads the end state uses caches itself. */
static void read_lists(struct session *session)
{
	if (session->lists)
		session->lists_text =
			km_slab_lists_text(session->lists, session->recording.start_ns);
}

static int record(struct session *session, struct km_err *err)
{
	struct km_recording *recording = &session->recording;
	struct km_progress progress;
	struct km_err later; /* what failed after something had */
	int ret = 0, failed;

	km_progress_start(&progress, session->target->ops->doing,
			  (uint64_t)(session->options->seconds * 1e9));
	be_realtime(session);
	km_recorder_start(recording->recorder, &recording->start_ns);
	session->target->ops->begin(session->target);
	km_consumer_begin(&session->consumer, recording->drain, &recording->events,
			  session->realtime.begun);
	shrink_at_known_time(session);
	ret = start_command(session, err);
	if (!ret)
		ret = poll_rings(session, &progress, err);
	failed = km_consumer_end(&session->consumer, ret ? &later : err);
	ret = ret ? ret : failed;
	read_lists(session);
	km_recorder_stop(recording->recorder, &session->ending.end_ns);
	km_progress_end(&progress);
	km_realtime_end(&session->realtime);
	return ret;
}

static void add_slab_texts(struct session *session, struct km_snapshot *snapshot)
{
	km_snapshot_add(snapshot, "slab shrink", session->shrunk.counts);
	km_snapshot_add(snapshot, "slab shrink lists", session->shrunk.lists);
	km_snapshot_add(snapshot, "slab lists", session->lists_text);
	session->shrunk = (struct km_shrunk){NULL, NULL};
	session->lists_text = NULL;
}

/* What comes after recording: the end state, the last records, the ledger. */
static int complete(struct session *session, struct km_err *err)
{
	struct km_recording *recording = &session->recording;
	struct km_ending *ending = &session->ending;
	size_t moved = 0;
	int ret = km_snapshot_machine(&ending->snapshot, err);

	if (!ret)
		add_slab_texts(session, &ending->snapshot);
	if (!ret)
		ret = km_drain_until(recording->drain, UINT64_MAX, &moved, err);
	recording->events += moved;
	if (!ret)
		ret = km_drain_finish(recording->drain, ending->end_ns, err);
	if (!ret)
		ret = km_tally_last(&recording->tally, ending->end_ns, &ending->totals,
				    &ending->last, err);
	if (!ret)
		ret = session->target->ops->end(session->target, ending, err);
	return ret;
}

/* ---- what it came to ---- */

static void tell_losses(const struct km_trace_counts *counts, uint64_t lost, uint64_t fired)
{
	km_warn("%llu of %llu events were lost (ring full %llu, contended %llu, recursion %llu); "
		"%s",
		(unsigned long long)lost, (unsigned long long)fired,
		(unsigned long long)counts->lost[KM_LOSS_RING_FULL],
		(unsigned long long)counts->lost[KM_LOSS_CONTENDED],
		(unsigned long long)counts->lost[KM_LOSS_RECURSION],
		counts->lost[KM_LOSS_RING_FULL]
			? "try a larger --ring-size, real-time priority or a faster disk"
			: "--recover all loses fewest to recursion");
}

/* "filtered 12 (null 3, self 9)": the reasons that occurred. Returns their sum. */
static uint64_t filtered_text(const struct km_trace_counts *counts, char *text, size_t size)
{
	uint64_t total = 0;
	size_t used = 0;

	text[0] = '\0';
#define X(reason, meaning)                                                                         \
	total += counts->filtered_##reason;                                                        \
	if (counts->filtered_##reason && used < size)                                              \
		used += (size_t)snprintf(text + used, size - used, "%s%s %llu",                    \
					 used ? ", " : " (", #reason,                              \
					 (unsigned long long)counts->filtered_##reason);
	KM_FILTER_REASONS(X)
#undef X
	if (used && used < size)
		snprintf(text + used, size - used, ")");
	return total;
}

static void tell_incomplete(const struct km_recorder_totals *totals, uint64_t unnamed)
{
	if (unnamed)
		km_warn("%llu tasks are \"unknown\": more than %u were seen; begin another "
			"recording "
			"now and then",
			(unsigned long long)unnamed, KM_TASKS);
	if (totals->no_stack)
		km_warn("%llu events are without their stack: more than %d different ones, or two "
			"fell on one place in the kernel's table",
			(unsigned long long)totals->no_stack, KM_STACKS);
	if (totals->not_followed)
		km_warn("%llu objects of the filter's choice were left out: no more than %u can be "
			"followed at a time; choose fewer",
			(unsigned long long)totals->not_followed, KM_FOLLOWED);
}

static int summarize(const struct session *session)
{
	const struct km_recorder_totals *totals = &session->ending.totals;
	const struct km_trace_counts *counts = &totals->counts;
	uint64_t fired = km_sum(counts->fired, KM_NR_EVENT_KINDS);
	uint64_t recorded = km_sum(counts->recorded, KM_NR_EVENT_KINDS);
	uint64_t lost = km_sum(counts->lost, KM_NR_LOSS_CAUSES), filtered, recovered;
	bool stored = session->target->ops->tell(session->target, &session->ending);
	char reasons[160];

	filtered = filtered_text(counts, reasons, sizeof(reasons));
	recovered = totals->skipped > counts->lost[KM_LOSS_RECURSION]
			    ? totals->skipped - counts->lost[KM_LOSS_RECURSION]
			    : 0;
	km_note("lost %llu, filtered %llu%s, recovered %llu", (unsigned long long)lost,
		(unsigned long long)filtered, reasons, (unsigned long long)recovered);
	if (session->options->command && !session->interrupted)
		km_command_tell(&session->command);
	if (fired != recorded + lost + filtered)
		return km_error("the ledger does not balance (%llu fired, %llu accounted for); "
				"please report this with the kernel version",
				(unsigned long long)fired,
				(unsigned long long)(recorded + lost + filtered));
	tell_incomplete(totals, km_dictionary_unnamed(session->recording.dictionary));
	if (lost)
		tell_losses(counts, lost, fired);
	if (!stored)
		return KM_EXIT_ERROR;
	if (session->interrupted)
		return KM_EXIT_INTERRUPTED;
	return lost && session->options->strict ? KM_EXIT_NO : KM_EXIT_OK;
}

/* Recording did not begin, or broke off, most often because the disk is full. */
static int give_up(struct session *session, struct km_err *err)
{
	session->target->ops->give_up(session->target, session->ending.end_ns > 0, err);
	return km_error("%s", err->text);
}

int km_session_run(const struct km_options *options)
{
	struct session session = {.options = options, .recording.options = options};
	struct km_recording *recording = &session.recording;
	struct km_err err = {""};
	int ret;

	session.target =
		options->flight_seconds > 0 ? km_flight_new(recording) : km_rotation_new(recording);
	if (!session.target)
		return km_error("no memory to begin a recording");
	ret = prepare(&session, &err);
	if (!ret)
		ret = record(&session, &err);
	if (!ret)
		ret = complete(&session, &err);
	ret = ret ? give_up(&session, &err) : summarize(&session);
	session.target->ops->close(session.target);
	km_snapshot_free(&session.ending.snapshot);
	free(session.shrunk.counts);
	free(session.shrunk.lists);
	free(session.lists_text);
	km_slab_lists_close(session.lists);
	km_command_finish(&session.command);
	km_drain_close(recording->drain);
	km_dictionary_close(recording->dictionary);
	km_recorder_close(recording->recorder);
	return ret;
}
