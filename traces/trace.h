/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trace file (.kmt): one capture in SQLite. Events lie in column-oriented chunks per CPU
 * (traces/codec.h), everything small in plain STRICT tables (traces/schema.sql documents every
 * column). Writing is WAL, so a file is valid at any kill; km_trace_finish() leaves one plain file.
 *
 * Functions return 0 or -errno with one sentence in *err. -EPROTO: not a trace or damaged;
 * -ENOTSUP: written by a newer kmlab.
 */
#ifndef KMLAB_TRACE_H
#define KMLAB_TRACE_H

#include <kmlab/err.h>
#include <kmlab/event.h>

struct sqlite3;
struct km_repair_counts;

#define KM_TRACE_APPLICATION_ID 0x6b6d6c74 /* 'kmlt' */
#define KM_TRACE_VERSION 2 /* version 1 is read as it is: no stacks, no cgroups, fewer kinds */

/* ---- dictionaries: id 0 is always "unknown" ---- */

struct km_trace_cache {
	uint32_t id;
	char name[64];
	/* As seen in the kernel's struct; 0 unknown. */
	uint32_t object_size, size, align, flags;
	/* Likewise, replaced by what sysfs says of the cache where that was read (has_geometry). */
	uint32_t order, objects_per_slab, min_partial, cpu_partial;
	uint32_t sheaf_capacity;
	uint8_t has_geometry;
	uint8_t has_ctor, account; /* from the kernel's struct */
	uint8_t typesafe_by_rcu, reclaim_account, cache_dma, hwcache_align; /* from sysfs */
};

struct km_trace_site {
	uint32_t id;
	uint64_t address;
	char symbol[128]; /* "" when it could not be resolved */
	uint32_t offset;  /* address - start of symbol */
	char module[64];  /* "" for the kernel image */
};

struct km_trace_task {
	uint32_t id;
	uint32_t tid, tgid;
	char comm[16];
	uint64_t cgroup; /* id as in the kernel (of the default hierarchy); 0 not recorded */
};

/* ---- the loss ledger ---- */

enum km_loss_cause { KM_LOSS_RING_FULL, KM_LOSS_CONTENDED, KM_LOSS_RECURSION, KM_NR_LOSS_CAUSES };
extern const char *const km_loss_cause_names[KM_NR_LOSS_CAUSES]; /* ring_full contended recursion */

/* The cpu of a gap that is not known: the kernel counts recursion per program, not per CPU. */
#define KM_GAP_CPU_UNKNOWN 0xffff

/* A gap: `events` were lost on `cpu` between two recorded events (or the trace's ends). */
struct km_trace_gap {
	uint16_t cpu;
	enum km_loss_cause cause;
	uint64_t after_ns, before_ns;
	uint64_t events;
};

/* Why a call that fired is not in the trace on purpose. X(reason, meaning) */
#define KM_FILTER_REASONS(X)                                                                       \
	X(null, "freeing nothing")                                                                 \
	X(self, "the recorder's own")                                                              \
	X(sampled, "sampling by address")                                                          \
	X(excluded, "not what was asked for: pid, comm, cgroup, cache, size or site")              \
	X(aged, "older than the flight recorder's window")

/* fired = recorded + lost + filtered, per kind of event. */
struct km_trace_counts {
	uint64_t fired[KM_NR_EVENT_KINDS];
	uint64_t recorded[KM_NR_EVENT_KINDS];
	uint64_t lost[KM_NR_LOSS_CAUSES];
#define X(reason, meaning) uint64_t filtered_##reason;
	KM_FILTER_REASONS(X)
#undef X
};

/* ---- writing ---- */

struct km_trace_writer;

/*
 * Refuses what is not a regular file (-EINVAL), not a trace (-EEXIST) or being written (-EBUSY) and
 * leaves it as it is; follows symbolic links. A trace that is there is moved aside, to path.old (or
 * path.old2 ... if that exists), until it is known what becomes of the new one. After a failure
 * all is as it was.
 */
int km_trace_create(const char *path, struct km_trace_writer **writer, struct km_err *err);

/* Where the trace that was there is now; NULL: there was none. Lives as long as the writer. */
const char *km_trace_earlier(const struct km_trace_writer *writer);
/* Events that are committed: they stay readable whatever happens. */
uint64_t km_trace_stored(const struct km_trace_writer *writer);

/* What follows is committed with the next full chunk, or by km_trace_flush(). */

/*
 * Provenance and machine facts: key -> text ("kernel", "cpus", "command", "profile" ...). "groups":
 * names of the recorded groups, with commas. "sample": N if only one of N addresses was kept (an
 * address is kept with all its events, so lifetimes stay whole). "filter": text of the filters.
 */
int km_trace_set_meta(struct km_trace_writer *writer, const char *key, const char *value,
		      struct km_err *err);
/* A text file as it stood ("start" | "end" | "sample"), e.g. source "/proc/zoneinfo". */
int km_trace_snapshot(struct km_trace_writer *writer, const char *phase, uint64_t time_ns,
		      const char *source, const char *text, size_t bytes, struct km_err *err);

/* Dictionary ids; new entries get the next id. A cache or task may be redefined (same id). */
uint32_t km_trace_site_id(struct km_trace_writer *writer, uint64_t address);
int km_trace_define_site(struct km_trace_writer *writer, const struct km_trace_site *site,
			 struct km_err *err);
/* Addresses of all sites so far, index = id; for resolving symbols at the end. */
const uint64_t *km_trace_sites(const struct km_trace_writer *writer, uint32_t *count);
/* cache->id / task->id 0: allocate one and store it there. -EINVAL: there cannot be such a one. */
int km_trace_define_cache(struct km_trace_writer *writer, struct km_trace_cache *cache,
			  struct km_err *err);
int km_trace_define_task(struct km_trace_writer *writer, struct km_trace_task *task,
			 struct km_err *err);
/*
 * A call stack: n return addresses, innermost first; each becomes a call site. The same stack has
 * the same id. 0: n is 0, there is no memory, or the writer has failed.
 */
uint32_t km_trace_stack_id(struct km_trace_writer *writer, const uint64_t *addresses, unsigned n);
/* Where a cgroup that tasks refer to is, as "/system.slice/ssh.service". */
int km_trace_define_cgroup(struct km_trace_writer *writer, uint64_t id, const char *path,
			   struct km_err *err);

/*
 * Append n events of one CPU, in the order they were recorded (times of one CPU may step back by
 * a little when an interrupt recorded first: an event is put right among the 64 before it). cpu and
 * seq of the events are not looked at: seq counts what was appended, in order of time. Full chunks
 * are written and committed as they fill; memory stays bounded. Events are checked (kind, ids,
 * time) at the latest when their chunk is written: -EINVAL. After any failure the writer only
 * repeats it.
 */
int km_trace_append(struct km_trace_writer *writer, unsigned cpu, const struct km_event *events,
		    size_t n, struct km_err *err);
/* Write all partly filled chunks and commit. */
int km_trace_flush(struct km_trace_writer *writer, struct km_err *err);
int km_trace_add_gap(struct km_trace_writer *writer, const struct km_trace_gap *gap,
		     struct km_err *err);
/* `recorded` is not looked at: the store counts what it was given. */
int km_trace_set_counts(struct km_trace_writer *writer, const struct km_trace_counts *counts,
			struct km_err *err);
/*
 * Flush, run the repair pass, store its counts, leave WAL mode, close; then remove the earlier
 * trace. Frees the writer always; a failure leaves both as km_trace_abandon() does.
 */
int km_trace_finish(struct km_trace_writer *writer, uint64_t duration_ns, struct km_err *err);
/* Close without finishing: what was committed stays readable, the earlier trace stays aside. */
void km_trace_abandon(struct km_trace_writer *writer);
/* Remove what was written, and put the earlier trace back. */
void km_trace_discard(struct km_trace_writer *writer);

/* ---- reading ---- */

struct km_trace;

int km_trace_open(const char *path, struct km_trace **trace, struct km_err *err);
void km_trace_close(struct km_trace *trace);
const char *km_trace_path(const struct km_trace *trace);
struct sqlite3 *km_trace_db(struct km_trace *trace);

/* Text of a meta key, or NULL. Lives as long as the trace. */
const char *km_trace_meta(const struct km_trace *trace, const char *key);
/* Text of a snapshot, or NULL; the last of that phase. Lives as long as the trace. */
const char *km_trace_snapshot_text(struct km_trace *trace, const char *phase, const char *source);
/*
 * Every snapshot of that phase and source in order of time; `text` lives for the call. Stops at the
 * first nonzero return and returns it; -errno when they cannot all be read: -EPROTO if the trace is
 * damaged, -ENOMEM, or of the file.
 */
int km_trace_each_snapshot(struct km_trace *trace, const char *phase, const char *source,
			   int (*visit)(void *context, uint64_t time_ns, const char *text),
			   void *context);
uint64_t km_trace_duration_ns(const struct km_trace *trace);
unsigned km_trace_cpus(const struct km_trace *trace);
/* Where the recorded kernel's direct map begins; x86_64 without KASLR if it was not recorded. */
uint64_t km_trace_direct_map(const struct km_trace *trace);
bool km_trace_complete(const struct km_trace *trace); /* km_trace_finish() was reached */
/* False: it was imported from a recorder that did not count its losses (meta "loss" = unknown). */
bool km_trace_loss_known(const struct km_trace *trace);
uint64_t km_trace_events(const struct km_trace *trace); /* recorded, by the chunk index */
uint32_t km_trace_kinds(const struct km_trace *trace); /* bit per kind that it may hold, likewise */

/* Whole dictionaries, index = id (entry 0 is "unknown"). */
const struct km_trace_cache *km_trace_caches(const struct km_trace *trace, uint32_t *count);
const struct km_trace_site *km_trace_site_table(const struct km_trace *trace, uint32_t *count);
/* "symbol+0x1c", "symbol+0x1c [module]", the address, or "unknown": into text, returned. */
#define KM_SITE_TEXT 224
const char *km_trace_site_text(const struct km_trace_site *site, char text[KM_SITE_TEXT]);
const struct km_trace_task *km_trace_tasks(const struct km_trace *trace, uint32_t *count);
/* Call sites of a stack, innermost first; NULL and 0 frames for id 0 and for an unknown one. */
const uint32_t *km_trace_stack(const struct km_trace *trace, uint32_t id, unsigned *frames);
/* Path of a cgroup, or NULL if it was not recorded. */
const char *km_trace_cgroup_path(const struct km_trace *trace, uint64_t id);
const struct km_trace_gap *km_trace_gaps(const struct km_trace *trace, size_t *count);
/* Of an unfinished trace: fired and filtered are not known, lost is what its gaps hold, at least.
 */
int km_trace_counts(const struct km_trace *trace, struct km_trace_counts *counts);
/*
 * The repair pass as km_trace_finish() stored it. -ENOENT: it is not, or not all, there, or it was
 * made by other rules than those of now; km_repair_trace() makes it anew.
 */
int km_trace_repair(struct km_trace *trace, struct km_repair_counts *counts);

/* What a reader will not look at: it is not decoded, and 0 in the events. */
#define KM_WITHOUT_TIME                                                                            \
	1u /* time_ns; only where neither a time nor the order of time is asked for */
#define KM_WITHOUT_PTR 2u
#define KM_WITHOUT_ACTOR 4u /* task, context */

/* Events of all CPUs merged to one order (time, cpu, seq). */
struct km_trace_filter {
	uint64_t from_ns, to_ns; /* [from, to); to 0 = end */
	uint32_t kinds;          /* bit per kind; 0 = all */
	int cpu;                 /* -1 = all */
	const uint8_t *caches;   /* by id: nonzero = wanted, as long as the cursor; NULL = all */
	bool by_cpu;             /* not merged: one CPU after the other */
	unsigned without;        /* KM_WITHOUT_*, to read faster */
	bool brief;              /* for km_trace_next_stretch(), alone; of the others above,
				    only time and cpu are looked at */
};

struct km_trace_cursor;
int km_trace_cursor_open(struct km_trace *trace, const struct km_trace_filter *filter,
			 struct km_trace_cursor **cursor, struct km_err *err);
/* Up to n events; *got 0 at the end. A damaged chunk: -EPROTO, its number in the sentence. */
int km_trace_next(struct km_trace_cursor *cursor, struct km_event *events, size_t n, size_t *got,
		  struct km_err *err);
/*
 * The same without copying: the next events where they lie, *got of them, until the next call; the
 * runs are as long as one CPU's events come first. *got 0 at the end.
 */
int km_trace_next_run(struct km_trace_cursor *cursor, const struct km_event **events, size_t *got,
		      struct km_err *err);
/*
 * The same for cursors of events in brief (traces/brief.h): the next of them, and what legend
 * begins with them, until the next call. At the end there is neither. A thread reads ahead: until
 * there was an end or a failure, the trace's database is its own.
 */
struct km_stretch;
int km_trace_next_stretch(struct km_trace_cursor *cursor, struct km_stretch *stretch,
			  struct km_err *err);
void km_trace_cursor_close(struct km_trace_cursor *cursor);

/* Register the virtual table `event` on the trace's connection (traces/vtab.c). */
int km_trace_register_sql(struct km_trace *trace, struct km_err *err);

#endif
