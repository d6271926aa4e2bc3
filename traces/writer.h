/* SPDX-License-Identifier: GPL-2.0-only */
/* The writer of a trace (private to writer*.c). */
#ifndef KMLAB_TRACES_WRITER_H
#define KMLAB_TRACES_WRITER_H

#include "store.h"

#define KM_PAGE_BYTES 65536 /* of the file and its log */

/*
 * Times of one CPU may step back by a little: an interrupt between taking the time and taking the
 * place in the ring. An event is put right among this many before it, and at least so many are held
 * back from the chunk that is being built.
 */
#define KM_REORDER_EVENTS 64
#define KM_HELD_EVENTS (KM_REORDER_EVENTS + 256) /* go on 256 at a time */

/* Events of one CPU not yet written. */
struct km_lane {
	struct km_builder *builder; /* in their final order; made with the first event */
	uint32_t first_seq;         /* of the builder's first */
	uint32_t nr_held;
	struct km_event *held; /* KM_HELD_EVENTS, after those in the builder */
};

enum km_write_statement {
	KM_WRITE_CHUNK,
	KM_WRITE_COUNT,
	KM_WRITE_META,
	KM_WRITE_SNAPSHOT,
	KM_WRITE_CACHE,
	KM_WRITE_SITE,
	KM_WRITE_TASK,
	KM_WRITE_STACK,
	KM_WRITE_CGROUP,
	KM_WRITE_GAP,
	KM_WRITE_LOST,
	KM_WRITE_FILTERED,
	KM_WRITE_REPAIR,
	KM_NR_WRITE_STATEMENTS
};

/* Where the trace is written, symbolic links followed, and where the one that was there is now. */
struct km_place {
	char *path;
	char *earlier; /* NULL: there was none */
};

/* Make way for a new trace. -EINVAL, -EEXIST, -EBUSY: what is there is left as it is. */
int km_place_take(const char *path, struct km_place *place, struct km_err *err);
/* The new trace is whole: the earlier one goes. */
void km_place_keep(struct km_place *place);
/* The new trace goes: the earlier one comes back. */
void km_place_restore(struct km_place *place);
void km_place_free(struct km_place *place);

/* The call stacks written so far, by content. */
struct km_stack_index {
	uint32_t *frames; /* site ids of all stacks, one stack after the other */
	size_t nr_frames, frame_capacity;
	struct km_stack_entry {
		size_t first; /* in frames */
		uint32_t n;
		uint32_t hash;
	} * entries;       /* by id */
	uint32_t *slots;   /* hash table of ids, 0 = free; twice as many as entries */
	uint32_t capacity; /* of entries */
};

struct km_checkpointer;

/* What of the write-ahead log is in the file. */
struct km_write_log {
	struct km_checkpointer *checkpointer; /* NULL: there could be none */
	uint32_t pages;                       /* in the log, committed */
	uint32_t started;                     /* the first of them it knows of */
};

struct km_trace_writer {
	sqlite3 *db; /* always in a transaction: rows wait for the next commit */
	struct km_place place;
	const char *path; /* place.path */
	sqlite3_stmt *statement[KM_NR_WRITE_STATEMENTS];
	struct km_write_log log;
	struct km_encoder *encoder;
	struct km_lane *lanes; /* by cpu */
	uint32_t nr_lanes;
	struct km_chunk_limits next; /* the next id of each dictionary */
	uint64_t *sites;             /* addresses by id */
	uint32_t *site_slot;         /* hash of addresses: id, 0 = free */
	uint32_t site_capacity;      /* of sites; the hash has twice as many slots */
	struct km_stack_index stacks;
	uint64_t recorded[KM_NR_EVENT_KINDS], fired[KM_NR_EVENT_KINDS];
	uint64_t stored; /* events of all kinds in committed chunks */
	int failed;      /* the first failure; nothing is written after it */
	struct km_err failure;
};

/*
 * Reset a statement and bind its parameters from 1 on: i int64_t, u uint64_t, n int (32 bits),
 * t text (copied).
 */
sqlite3_stmt *km_write_bind(struct km_trace_writer *writer, enum km_write_statement which,
			    const char *types, ...);
/* Run it to its end; "cannot write <path>". From a failure on, the writer is failed. */
int km_write_step(struct km_trace_writer *writer, sqlite3_stmt *statement, struct km_err *err);
/* Commit and begin anew. */
int km_write_commit(struct km_trace_writer *writer, struct km_err *err);
/*
 * An empty trace is in the file, whole, before the log begins: commit, begin a transaction in the
 * log. "cannot write <path>".
 */
int km_write_log_begin(struct km_trace_writer *writer, struct km_err *err);
/* After a commit, in no transaction: see to it that the log gets into the file. Same sentence. */
int km_write_log_committed(struct km_trace_writer *writer, struct km_err *err);
/* All of it is in the file and there is no log any more. "cannot finish <path>". */
int km_write_log_end(struct km_trace_writer *writer, struct km_err *err);
/* -errno and the sentence if the writer has failed, else 0. */
int km_write_usable(const struct km_trace_writer *writer, struct km_err *err);
/* Row 0 of the dictionaries. */
int km_write_unknowns(struct km_trace_writer *writer, struct km_err *err);
int km_write_counts(struct km_trace_writer *writer, struct km_err *err);
void km_stack_index_free(struct km_stack_index *index);

#endif
