/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of kmlab-capture:
 *   programs.c  which BPF programs fit this kernel's tracepoints, from BTF
 *   record.c    the recorder: load, attach
 *   ledger.c    switch it on and off; what fired, what was lost
 *   tally.c     the same for each of several traces
 *   filter.c    what to record, from words to what programs compare
 *   probe.c     where the kernel's mappings lie
 *   watch.c     watchpoints on what the kernel skipped
 *   consumer.c  who empties the rings, and when
 *   drain.c     rings -> events -> a trace or memory
 *   dictionary.c the numbers of sites, caches, tasks, stacks
 *   trace_file.c one trace of a recording
 *   options.c   the command line
 *   session.c   a recording into its target:
 *   rotate.c    traces that follow one another, or
 *   flight.c    memory (flight_queue.c), of which traces are saved (flight_save.c)
 *   job.c       work in a thread while recording goes on
 *   slab_table.c the geometry of all caches, from sysfs
 *   slab_lists.c which slab lies where in each of them, read from the kernel (slabs.bpf.c)
 *   snapshot.c  the machine's state as text: start, end, samples in between
 *   btf_facts.c sizes and constants of this kernel
 *   symbols.c   call sites -> kernel symbols
 *   privilege.c what the recorder may do; its real-time priority
 *   doctor.c    what this machine can do, and the remedy for what it cannot
 * Functions return 0 or -errno with one sentence in *err.
 */
#ifndef KMLAB_CAPTURE_H
#define KMLAB_CAPTURE_H

#include "record.h"
#include "traces/trace.h"

struct btf;
struct btf_type;
struct bpf_program;

/* ---- programs.c ---- */

struct km_probe_program {
	const char *tracepoint, *function; /* of the two, where it attaches */
	const char *prototype;             /* canonical argument types, see programs.c */
	const char *names[KM_NR_COPIES];   /* in record.bpf.c; no second copy: NULL */
	uint8_t kind;                      /* enum km_record_kind */
	bool optional;
};

#define KM_GROUPS_ALL ((1u << KM_NR_GROUPS) - 1)

struct km_program_choice {
	const struct km_probe_program *by_kind[KM_NR_RECORD_KINDS]; /* NULL: not recorded */
	unsigned groups; /* bit per enum km_event_group that will be recorded */
};

/*
 * The programs for `groups` on the kernel that `btf` describes; `functions`: programs may attach to
 * functions. -ENOTSUP: a tracepoint is missing or has arguments no program knows. Optional ones
 * are left out silently, unless nothing else was asked for.
 */
int km_programs_choose(const struct btf *btf, unsigned groups, bool functions,
		       struct km_program_choice *choice, struct km_err *err);
/* Does the running kernel let programs attach to functions? 0, or -errno. */
int km_programs_try_function(const struct btf *btf);

/* ---- record.c ---- */

struct km_recorder;

#define KM_FOLLOWED (1u << 20) /* objects a filter has chosen, at one time */

/*
 * How events are recovered that nested interrupts hide: by a second copy of the programs on all
 * tracepoints, or those of frees. AUTO is by watchpoints on the slab tracepoints (watch.bpf.h); of
 * what has none, second copies for frees, since interrupts free far more than they allocate, and
 * all once an allocation was hidden or where tracepoints can be preempted.
 */
enum km_recover { KM_RECOVER_AUTO, KM_RECOVER_ALL, KM_RECOVER_FREES, KM_RECOVER_NONE };

struct km_recorder_options {
	unsigned groups;
	uint64_t ring_bytes; /* all rings together; each CPU gets a power of two of slots */
	enum km_recover recover;
	bool stacks;
	bool own;                       /* the recorder's own calls, too */
	bool may_sample;                /* km_recorder_sample() will be called */
	const struct km_filter *filter; /* NULL: record all */
	int cgroup_fd;                  /* where filter->cgroup is set */
};

/* A consumer's view of one CPU's ring. */
struct km_ring {
	uint32_t slots;      /* a power of two */
	uint64_t *tail;      /* number of the next record to take */
	const uint8_t *data; /* slots of KM_SLOT_BYTES */
};

/* Bases of the kernel's mappings, measured; 0 where they could not be. */
struct km_layout {
	uint64_t vmemmap, direct_map;
	uint32_t page_struct_bytes;
};

int km_recorder_open(const struct km_recorder_options *options, struct km_recorder **recorder,
		     struct km_err *err);
/* Events count from here to km_recorder_stop(), which leaves the rings for a last drain. Times are
 * CLOCK_MONOTONIC. */
void km_recorder_start(struct km_recorder *recorder, uint64_t *start_ns);
void km_recorder_stop(struct km_recorder *recorder, uint64_t *end_ns);
/* A rehearsal: off, without detaching; the rings can be drained, then it is as if it had not been.
 */
void km_recorder_pause(struct km_recorder *recorder);
void km_recorder_forget(struct km_recorder *recorder);
/* While bpf_enable_stats() is in force: time in the first copies of the programs, and how often. */
void km_recorder_run_time(const struct km_recorder *recorder, uint64_t *ns, uint64_t *count);
void km_recorder_close(struct km_recorder *recorder);

/* Of the first *count CPUs, in their order. */
const struct km_ring *km_recorder_rings(const struct km_recorder *recorder, unsigned *count);
const struct km_layout *km_recorder_layout(const struct km_recorder *recorder);
const struct btf *km_recorder_btf(const struct km_recorder *recorder);
unsigned km_recorder_groups(const struct km_recorder *recorder);
unsigned km_recorder_possible_cpus(const struct km_recorder *recorder);
const struct km_cpu_state *km_recorder_state(const struct km_recorder *recorder, unsigned cpu);

/* Frames of stack `number`, KM_STACK_FRAMES of them, 0 after the last. -errno: there is none. */
int km_recorder_stack(const struct km_recorder *recorder, uint32_t number, uint64_t *frames);
/*
 * Call it a few times a second: finds CPUs that were switched on, and where an event was hidden
 * that nothing recovers, recovers such events from then on (KM_RECOVER_AUTO).
 */
void km_recorder_adapt(struct km_recorder *recorder);
/* Keep one address of n from now on; 1: all. The options must have said that this may be asked. */
void km_recorder_sample(struct km_recorder *recorder, uint32_t n);
uint32_t km_recorder_sampling(const struct km_recorder *recorder);

/* Kinds whose hidden events watchpoints recover; at most KM_WATCHED_KINDS. */
unsigned km_recorder_watched(const struct km_recorder *recorder);
/*
 * Events of a kind that both copies missed since the start. Cheap, a few system calls, unless there
 * seem to be more than the last time: then it looks for some milliseconds whether they stay.
 */
uint64_t km_recorder_missed_kind(struct km_recorder *recorder, unsigned kind);

/* What happened between start and stop; exact after km_recorder_stop(). recorded[] is not set. */
struct km_recorder_totals {
	struct km_trace_counts counts;
	uint64_t skipped;      /* events the first copy did not see, recovered or not */
	uint64_t no_stack;     /* events whose stack did not fit into the map */
	uint64_t not_followed; /* objects a filter chose that could not be followed */
};
void km_recorder_totals(const struct km_recorder *recorder, struct km_recorder_totals *totals);
/* What the programs counted of a kind until now, both copies on all CPUs. */
void km_recorder_kind(const struct km_recorder *recorder, unsigned kind,
		      struct km_kind_counts *sum);

/* ---- btf_facts.c ---- */

/* Value of the enumerator called `name` anywhere in `btf`. -ENOENT: there is none. */
int km_btf_enumerator(const struct btf *btf, const char *name, int64_t *value);
/* Is `type` one of the structures and enums of which km_btf_facts() tells? */
bool km_btf_is_fact(const struct btf *btf, const struct btf_type *type);
/* Sizes and constants of the running kernel, "name=value" per line. free() it; NULL: no memory. */
char *km_btf_facts(const struct btf *btf);

/* ---- snapshot.c ---- */

/* What text files said at one time. */
#define KM_SNAPSHOT_TEXTS 11

struct km_snapshot {
	uint64_t time_ns; /* when it was whole (CLOCK_MONOTONIC) */
	unsigned count;
	struct km_snapshot_text {
		const char *source;
		char *text;
		size_t bytes;
	} texts[KM_SNAPSHOT_TEXTS];
};

/* All of the machine's state. What cannot be read is left out. -ENOMEM. */
int km_snapshot_machine(struct km_snapshot *snapshot, struct km_err *err);
/* `text` was allocated and is the snapshot's now; NULL is left out. */
void km_snapshot_add(struct km_snapshot *snapshot, const char *source, char *text);
int km_snapshot_store(const struct km_snapshot *snapshot, struct km_trace_writer *writer,
		      const char *phase, uint64_t time_ns, struct km_err *err);
size_t km_snapshot_bytes(const struct km_snapshot *snapshot);
void km_snapshot_free(struct km_snapshot *snapshot);
/*
 * Sources of it that only others may read, ", " between them; "" is none. free() it. NULL: no
 * memory.
 */
char *km_snapshot_hidden(void);
/* What does not change while recording: boot line, CPU, sysctls, gfp names, BTF facts; meta keys.
 */
int km_snapshot_provenance(struct km_trace_writer *writer, const struct btf *btf,
			   const struct km_layout *layout, struct km_err *err);

/* Meta key "started": the wall clock at time_ns (CLOCK_MONOTONIC), which is now or past. */
int km_snapshot_started(struct km_trace_writer *writer, uint64_t time_ns, struct km_err *err);

/* Small snapshots in between: ten a second, and so seldom that none fills a trace. */
struct km_sampler {
	int buddyinfo, meminfo;
	uint64_t next_ns, interval_ns, window_ns;
	unsigned taken;
};
/* window_ns: only samples of so much time are kept; 0: all, and they come ever more seldom. */
void km_sampler_open(struct km_sampler *sampler, uint64_t window_ns);
/* As at the beginning: a new trace. */
void km_sampler_restart(struct km_sampler *sampler);
/* True when one was due: it is the caller's. now_ns: CLOCK_MONOTONIC. */
bool km_sampler_take(struct km_sampler *sampler, uint64_t now_ns, struct km_snapshot *snapshot);
void km_sampler_close(struct km_sampler *sampler);

/* ---- symbols.c ---- */

/*
 * Where the code of a function lies, or with [NAME] that of a module: [from, to) of each, up to
 * room of them (a name may be that of several static functions). -ENOENT: there is no such symbol;
 * -E2BIG: there are more; -EACCES: addresses are hidden.
 */
int km_symbols_find(const char *name, uint64_t *from, uint64_t *to, unsigned room, unsigned *count);

/* Give the writer's sites their symbols. *unresolved: sites without one. */
int km_symbols_resolve(struct km_trace_writer *writer, uint32_t *sites, uint32_t *unresolved,
		       struct km_err *err);

/* ---- doctor.c ---- */

/* The command `kmlab doctor`. Returns its exit code. */
int km_doctor(int argc, char **argv);

#endif
