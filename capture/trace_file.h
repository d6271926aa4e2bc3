/* SPDX-License-Identifier: GPL-2.0-only */
/* One trace of a recording, from its creation to its end (trace_file.c). */
#ifndef KMLAB_CAPTURE_TRACE_FILE_H
#define KMLAB_CAPTURE_TRACE_FILE_H

#include "drain.h"
#include "options.h"

struct km_names;

struct km_trace_file {
	const struct km_options *options;
	const struct km_recorder *recorder;
	char *path;
	struct km_trace_writer *writer; /* NULL: not open any more */
	struct km_sink sink;            /* into it */
	char *earlier;                  /* where the trace is that was there; NULL: none */
	uint64_t stored;                /* events in committed chunks */
};

/* What is known when its last event is in it. */
struct km_trace_end {
	struct km_snapshot snapshot; /* of the machine */
	struct km_trace_counts counts;
	struct km_names *names; /* of its tasks, for their cgroups */
	uint64_t duration_ns;
};

/* Create the trace and write what is known before its first event. After a failure close it. */
int km_trace_file_open(struct km_trace_file *file, const struct km_options *options,
		       const struct km_recorder *recorder, const char *path, struct km_err *err);
/*
 * All is in it but this: the end, the names of cgroups and symbols. Leaves a finished trace. An
 * empty one makes way for the trace that was there before.
 */
int km_trace_file_finish(struct km_trace_file *file, const struct km_trace_end *end,
			 struct km_err *err);
void km_trace_end_free(struct km_trace_end *end);
/* A note about a finished one. */
void km_trace_file_tell(const struct km_trace_file *file, uint64_t duration_ns);
/* On disk so far. */
uint64_t km_trace_file_bytes(const struct km_trace_file *file);
/*
 * It cannot be finished: what is stored stays, nothing stored puts back what was there. *err says
 * why and then, too, what is stored. began: there were events to store.
 */
void km_trace_file_give_up(struct km_trace_file *file, bool began, struct km_err *err);
/* Nothing is left of one that was neither finished nor given up. */
void km_trace_file_close(struct km_trace_file *file);

/* FILE.kmt -> FILE.number.kmt. free() it; NULL: no memory. */
char *km_numbered_path(const char *output, unsigned number);
/* The highest number there is such a file of; 0: none. */
unsigned km_numbered_last(const char *output);

#endif
