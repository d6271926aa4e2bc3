/* SPDX-License-Identifier: GPL-2.0-only */
/* Copying from a trace into another: what refers to dictionaries is translated (private). */
#ifndef KMLAB_TRACES_TRANSFORM_COPY_H
#define KMLAB_TRACES_TRANSFORM_COPY_H

#include "intern.h"
#include "transform.h"

/* What the entries of the sources have become in the one result. */
struct km_copy_target {
	struct km_trace_writer *writer;
	struct km_intern caches, tasks, symbols;
};

struct km_copy {
	struct km_trace *from;
	struct km_copy_target *to;
	const struct km_anonymise *anonymise; /* NULL: as it is */
	int64_t shift_ns;                     /* added to times */
	/* By id of the source; 0: not yet. Caches are translated at once, others when used. */
	uint32_t *sites, *tasks, *stacks;
	uint16_t *caches;
};

/* -EINTR with a sentence if stop() says so. */
int km_copy_stopped(const struct km_trace *trace, bool (*stop)(void), struct km_err *err);
/* -EINVAL with the sentence: a trace that was not finished has no ledger to keep. */
int km_copy_unfinished(const struct km_trace *trace, struct km_err *err);
/* `merge`: caches that are there already are the same. 0 or -errno. */
int km_copy_begin(struct km_copy *copy, struct km_trace *from, struct km_copy_target *to,
		  bool merge, struct km_err *err);
void km_copy_end(struct km_copy *copy);
void km_copy_target_free(struct km_copy_target *target);

/* Append the event as it is in the result. */
int km_copy_event(struct km_copy *copy, struct km_event event, struct km_err *err);
int km_copy_cgroups(struct km_copy *copy, struct km_err *err);

struct km_copy_snapshot {
	const char *phase, *source;
	uint64_t time_ns;
};
typedef bool km_copy_wants_fn(const void *context, const struct km_copy_snapshot *snapshot);
/* Snapshots that are wanted, with their times shifted. */
int km_copy_snapshots(struct km_copy *copy, km_copy_wants_fn *wants, const void *context,
		      struct km_err *err);
/* Is it a text of how things stood, which changes, rather than of how the machine is made? */
bool km_copy_is_state(const char *source);
/* Does it say when things stood so, since this trace's start, as those of slab caches do? */
bool km_copy_tells_times(const char *source);

/* Facts that are true of any trace of this machine; not those of this one (uuid, duration ...). */
int km_copy_facts(struct km_copy *copy, struct km_err *err);
/* The name of a trace made of this one, by `made` how; 0 or -errno. */
int km_copy_name(struct km_copy *copy, const char *uuid, const char *made, struct km_err *err);
uint64_t km_copy_number(const struct km_trace *trace, const char *key);
int km_copy_set_number(struct km_trace_writer *writer, const char *key, uint64_t value,
		       struct km_err *err);
/* The recording a trace is a part of, by uuid; NULL: it has no name. */
const char *km_copy_origin(const struct km_trace *trace);

#endif
