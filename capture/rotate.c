/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traces that follow one another without a gap; a recording that is not rotated is the first of
 * them. Recording goes on while the next trace is created and while the one before is finished: a
 * thread does either, at normal priority, and between the two the rings get their new target.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job.h"
#include "results/term.h"
#include "target.h"

#define LOOK_NS 20000000ull /* how often the size of the trace is looked at */

struct rotation {
	struct km_target target;
	struct km_trace_file file; /* events go into it */
	uint64_t begun_ns, looked_ns;
	struct km_sampler sampler;
	unsigned first, number;
	bool failed;

	struct km_job job;
	enum { IDLE, CREATING, FINISHING } doing;
	/* The thread's while it works: the trace after or before `file`. */
	struct km_trace_file other;
	struct km_names *defined;    /* CREATING: what the dictionary had */
	struct km_snapshot snapshot; /* CREATING: of the machine, when it was done */
	struct km_trace_end end;     /* FINISHING */
};

static struct rotation *rotation_of(struct km_target *target)
{
	return (struct rotation *)target;
}

static bool rotates(const struct km_options *options)
{
	return options->rotate_bytes || options->rotate_seconds > 0;
}

/* ---- a trace begins ---- */

/* names: of what is in the dictionary already; NULL: nothing is. */
static int create(struct rotation *rotation, struct km_trace_file *file, unsigned number,
		  const struct km_names *names, struct km_snapshot *snapshot, struct km_err *err)
{
	const struct km_recording *recording = rotation->target.recording;
	const struct km_options *options = recording->options;
	char *path = rotates(options) ? km_numbered_path(options->output, number)
				      : strdup(options->output);
	int ret;

	if (!path)
		return km_fail(err, -ENOMEM, "no memory to begin a trace");
	ret = km_trace_file_open(file, options, recording->recorder, path, err);
	free(path);
	if (!ret && names)
		ret = km_names_define(names, file->writer, err);
	if (!ret)
		ret = km_snapshot_machine(snapshot, err);
	if (!ret)
		ret = km_snapshot_store(snapshot, file->writer, "start", 0, err);
	if (!ret)
		ret = km_trace_flush(file->writer, err);
	return ret;
}

static int prepare(struct km_target *target, struct km_err *err)
{
	struct rotation *rotation = rotation_of(target);
	const struct km_options *options = target->recording->options;
	struct km_snapshot snapshot = {0};
	int ret;

	if (rotates(options))
		rotation->first = rotation->number = km_numbered_last(options->output) + 1;
	ret = create(rotation, &rotation->file, rotation->number, NULL, &snapshot, err);
	km_snapshot_free(&snapshot);
	if (!ret)
		ret = km_dictionary_attach(target->recording->dictionary, rotation->file.writer,
					   NULL, err);
	return ret;
}

static void begin(struct km_target *target)
{
	struct rotation *rotation = rotation_of(target);
	const struct km_recording *recording = target->recording;

	rotation->begun_ns = recording->start_ns;
	km_sampler_open(&rotation->sampler, 0);
	km_drain_target(recording->drain, &rotation->file.sink, recording->start_ns);
}

/* ---- the next one ---- */

static bool is_due(struct rotation *rotation, uint64_t now_ns)
{
	const struct km_options *options = rotation->target.recording->options;
	uint64_t elapsed = now_ns - rotation->begun_ns;

	if (options->rotate_seconds > 0 && (double)elapsed >= options->rotate_seconds * 1e9)
		return true;
	if (!options->rotate_bytes || now_ns - rotation->looked_ns < LOOK_NS)
		return false;
	rotation->looked_ns = now_ns;
	return km_trace_file_bytes(&rotation->file) >= options->rotate_bytes;
}

static int create_next(void *context, struct km_err *err)
{
	struct rotation *rotation = context;

	return create(rotation, &rotation->other, rotation->number + 1, rotation->defined,
		      &rotation->snapshot, err);
}

static int begin_creating(struct rotation *rotation, struct km_err *err)
{
	rotation->defined = km_dictionary_names(rotation->target.recording->dictionary);
	if (!rotation->defined)
		return km_fail(err, -ENOMEM, "no memory to begin a trace");
	rotation->doing = CREATING;
	km_job_begin(&rotation->job, create_next, rotation);
	return 0;
}

/* Whatever of it the next trace did not get. */
static void forget_next(struct rotation *rotation)
{
	km_trace_file_close(&rotation->other);
	km_snapshot_free(&rotation->snapshot);
	km_names_free(rotation->defined);
	rotation->defined = NULL;
}

/* ---- the one before ---- */

static int finish_other(void *context, struct km_err *err)
{
	struct rotation *rotation = context;

	return km_trace_file_finish(&rotation->other, &rotation->end, err);
}

/* The trace of this number is finished: of those before only so many stay. */
static void remove_oldest(const struct rotation *rotation, unsigned number)
{
	const struct km_options *options = rotation->target.recording->options;
	char *path;

	if (!options->keep || number < rotation->first + options->keep)
		return;
	path = km_numbered_path(options->output, number - options->keep);
	if (path && unlink(path) && errno != ENOENT)
		km_warn("cannot remove %s: %s", path, strerror(errno));
	free(path);
}

static void collect_finished(struct rotation *rotation)
{
	struct km_err err = {""};

	if (km_job_wait(&rotation->job, &err)) {
		km_trace_file_give_up(&rotation->other, true, &err);
		km_error("%s", err.text);
		rotation->failed = true;
	} else {
		km_trace_file_tell(&rotation->other, rotation->end.duration_ns);
		remove_oldest(rotation, rotation->number - 1);
	}
	km_trace_end_free(&rotation->end);
	km_trace_file_close(&rotation->other);
	rotation->doing = IDLE;
}

/* Wait for the thread. A trace that it created and that is not begun is left out. */
static void settle(struct rotation *rotation)
{
	struct km_err err;

	if (rotation->doing == CREATING) {
		km_job_wait(&rotation->job, &err);
		forget_next(rotation);
		rotation->doing = IDLE;
	} else if (rotation->doing == FINISHING) {
		collect_finished(rotation);
	}
}

/* ---- from one to the next ---- */

/* All before now is in the present trace, and it is known what its ledger will be. */
static int conclude(struct rotation *rotation, uint64_t now_ns, struct km_err *err)
{
	struct km_recording *recording = rotation->target.recording;
	size_t moved;
	int ret = km_drain_until(recording->drain, now_ns, &moved, err);

	recording->events += moved;
	if (!ret)
		ret = km_drain_finish(recording->drain, now_ns, err);
	if (!ret)
		ret = km_tally_check(&recording->tally, now_ns, err);
	if (ret)
		return ret;
	km_tally_next(&recording->tally, &rotation->end.counts);
	rotation->end.duration_ns = now_ns - rotation->begun_ns;
	rotation->end.names = km_dictionary_names(recording->dictionary);
	return rotation->end.names ? 0 : km_fail(err, -ENOMEM, "no memory to finish a trace");
}

static int change_over(struct rotation *rotation, struct km_err *err)
{
	struct km_recording *recording = rotation->target.recording;
	struct km_trace_file concluded = rotation->file;
	uint64_t now_ns = km_clock_ns();
	int ret = conclude(rotation, now_ns, err);

	if (!ret)
		ret = km_dictionary_attach(recording->dictionary, rotation->other.writer,
					   rotation->defined, err);
	if (ret)
		return ret;
	rotation->file = rotation->other;
	rotation->other = concluded;
	rotation->begun_ns = now_ns;
	rotation->number++;
	km_drain_target(recording->drain, &rotation->file.sink, now_ns);
	km_sampler_restart(&rotation->sampler);
	rotation->end.snapshot = rotation->snapshot;
	rotation->snapshot.count = 0;
	km_names_free(rotation->defined);
	rotation->defined = NULL;
	rotation->doing = FINISHING;
	km_job_begin(&rotation->job, finish_other, rotation);
	return 0;
}

static int advance(struct rotation *rotation, uint64_t now_ns, struct km_err *err)
{
	int ret;

	if (rotation->doing == IDLE)
		return is_due(rotation, now_ns) ? begin_creating(rotation, err) : 0;
	if (!km_job_ended(&rotation->job))
		return 0;
	if (rotation->doing == FINISHING) {
		collect_finished(rotation);
		return 0;
	}
	rotation->doing = IDLE;
	ret = km_job_wait(&rotation->job, err);
	if (!ret)
		ret = change_over(rotation, err);
	if (ret)
		forget_next(rotation);
	return ret;
}

static int poll(struct km_target *target, uint64_t now_ns, struct km_err *err)
{
	struct rotation *rotation = rotation_of(target);
	struct km_snapshot sample;
	int ret = 0;

	if (km_sampler_take(&rotation->sampler, now_ns, &sample)) {
		ret = km_snapshot_store(&sample, rotation->file.writer, "sample",
					now_ns - rotation->begun_ns, err);
		km_snapshot_free(&sample);
	}
	return ret ? ret : advance(rotation, now_ns, err);
}

/* ---- the end ---- */

static int end(struct km_target *target, struct km_ending *ending, struct km_err *err)
{
	struct rotation *rotation = rotation_of(target);
	int ret;

	settle(rotation);
	rotation->end =
		(struct km_trace_end){.snapshot = ending->snapshot,
				      .counts = ending->last,
				      .duration_ns = ending->end_ns - rotation->begun_ns,
				      .names = km_dictionary_names(target->recording->dictionary)};
	ending->snapshot.count = 0;
	if (!rotation->end.names)
		return km_fail(err, -ENOMEM, "no memory to finish a trace");
	ret = km_trace_file_finish(&rotation->file, &rotation->end, err);
	if (!ret)
		remove_oldest(rotation, rotation->number);
	return ret;
}

static void give_up(struct km_target *target, bool began, struct km_err *err)
{
	struct rotation *rotation = rotation_of(target);

	settle(rotation);
	km_trace_file_give_up(&rotation->file, began, err);
}

static bool tell(const struct km_target *target, const struct km_ending *ending)
{
	const struct rotation *rotation = (const struct rotation *)target;
	const struct km_recording *recording = target->recording;
	double seconds = (double)(ending->end_ns - recording->start_ns) / 1e9;

	km_trace_file_tell(&rotation->file, rotation->end.duration_ns);
	if (rotation->number > rotation->first)
		km_note("%u traces: %llu events in %.3f s (%.3g M/s)",
			rotation->number - rotation->first + 1,
			(unsigned long long)recording->events, seconds,
			(double)recording->events / seconds / 1e6);
	return !rotation->failed;
}

static uint64_t bytes(const struct km_target *target)
{
	return km_trace_file_bytes(&((const struct rotation *)target)->file);
}

static void close_rotation(struct km_target *target)
{
	struct rotation *rotation = rotation_of(target);

	settle(rotation);
	km_trace_end_free(&rotation->end);
	km_trace_file_close(&rotation->file);
	km_sampler_close(&rotation->sampler);
	free(rotation);
}

static const struct km_target_ops ops = {.doing = "recording",
					 .prepare = prepare,
					 .begin = begin,
					 .poll = poll,
					 .end = end,
					 .give_up = give_up,
					 .tell = tell,
					 .bytes = bytes,
					 .close = close_rotation};

struct km_target *km_rotation_new(struct km_recording *recording)
{
	struct rotation *rotation = calloc(1, sizeof(*rotation));

	if (!rotation)
		return NULL;
	rotation->target = (struct km_target){&ops, recording};
	rotation->sampler.buddyinfo = rotation->sampler.meminfo = -1;
	return &rotation->target;
}
