/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of kmlab-capture:
 *   programs.c  which BPF programs fit this kernel's tracepoints, from BTF
 *   record.c    the recorder: load, attach, switch on and off, what was lost
 *   probe.c     where the kernel's mappings lie
 *   drain.c     rings -> events -> trace writer
 *   slab_table.c the geometry of all caches, from sysfs
 *   snapshot.c  the machine's state as text: start, end, samples in between
 *   btf_facts.c sizes and constants of this kernel
 *   symbols.c   call sites -> kernel symbols
 * Functions return 0 or -errno with one sentence in *err.
 */
#ifndef KMLAB_CAPTURE_H
#define KMLAB_CAPTURE_H

#include "record.h"
#include "traces/trace.h"

struct btf;
struct bpf_program;

/* ---- programs.c ---- */

struct km_probe_program {
	const char *tracepoint;
	const char *prototype; /* canonical argument types, see programs.c */
	const char *names[KM_NR_COPIES];
	uint8_t kind; /* enum km_record_kind */
	bool optional;
};

#define KM_GROUPS_ALL ((1u << KM_NR_GROUPS) - 1)

struct km_program_choice {
	const struct km_probe_program *by_kind[KM_NR_RECORD_KINDS]; /* NULL: not recorded */
	unsigned groups; /* bit per enum km_event_group that will be recorded */
};

/*
 * The programs for `groups` on the kernel that `btf` describes. -ENOTSUP: a tracepoint is missing
 * or has arguments no program knows. The vmap group is left out silently where the kernel has no
 * such tracepoints, unless it is the only one asked for.
 */
int km_programs_choose(const struct btf *btf, unsigned groups, struct km_program_choice *choice,
		       struct km_err *err);

/* ---- record.c ---- */

struct km_recorder;

/* Which tracepoints get a second copy. Interrupts free far more than they allocate. */
enum km_recover { KM_RECOVER_ALL, KM_RECOVER_FREES, KM_RECOVER_NONE };

struct km_recorder_options {
	unsigned groups;
	uint64_t ring_bytes; /* all rings together; each CPU gets a power of two */
	enum km_recover recover;
};

/* A consumer's view of one CPU's ring (include/uapi/linux/bpf.h: positions count bytes). */
struct km_ring {
	unsigned cpu;
	uint64_t bytes;
	uint64_t *consumer;
	const uint64_t *producer;
	const uint8_t *data; /* mapped twice in a row, so that no record wraps */
};

/* Bases of the kernel's mappings, measured; 0 where they could not be. */
struct km_layout {
	uint64_t vmemmap, direct_map;
	uint32_t page_struct_bytes;
};

int km_recorder_open(const struct km_recorder_options *options, struct km_recorder **recorder,
		     struct km_err *err);
/* Events count from here to km_recorder_stop(), which leaves the rings for a last drain. */
void km_recorder_start(struct km_recorder *recorder, uint64_t *start_ns);
void km_recorder_stop(struct km_recorder *recorder);
void km_recorder_close(struct km_recorder *recorder);

const struct km_ring *km_recorder_rings(const struct km_recorder *recorder, unsigned *count);
const struct km_layout *km_recorder_layout(const struct km_recorder *recorder);
const struct btf *km_recorder_btf(const struct km_recorder *recorder);
unsigned km_recorder_groups(const struct km_recorder *recorder);
unsigned km_recorder_possible_cpus(const struct km_recorder *recorder);
const struct km_cpu_state *km_recorder_state(const struct km_recorder *recorder, unsigned cpu);

/* Events both copies missed since the start, over all kinds and CPUs. Cheap: a few system calls. */
uint64_t km_recorder_missed(struct km_recorder *recorder);

/* What happened between start and stop; exact after km_recorder_stop(). recorded[] is not set. */
struct km_recorder_totals {
	struct km_trace_counts counts;
	uint64_t skipped; /* events the first copy did not see, recovered or not */
};
void km_recorder_totals(struct km_recorder *recorder, struct km_recorder_totals *totals);

/* ---- drain.c ---- */

struct km_drain;

int km_drain_open(struct km_recorder *recorder, struct km_trace_writer *writer,
		  struct km_drain **drain, struct km_err *err);
/* Tell it what km_recorder_start() said, before the first drain. */
void km_drain_start(struct km_drain *drain, uint64_t start_ns);
/* Move what the rings hold into the writer. *moved: events. */
int km_drain_once(struct km_drain *drain, size_t *moved, struct km_err *err);
/* Losses after the last record of each CPU; call after the last drain. */
int km_drain_finish(struct km_drain *drain, uint64_t end_ns, struct km_err *err);
const uint64_t *km_drain_recorded(const struct km_drain *drain); /* by event kind */
void km_drain_close(struct km_drain *drain);

/* ---- btf_facts.c ---- */

/* Value of the enumerator called `name` anywhere in `btf`. -ENOENT: there is none. */
int km_btf_enumerator(const struct btf *btf, const char *name, int64_t *value);
/* Sizes and constants of the running kernel, "name=value" per line. free() it; NULL: no memory. */
char *km_btf_facts(const struct btf *btf);

/* ---- snapshot.c ---- */

/* All of the machine's state as snapshots of `phase`. What cannot be read is left out. */
int km_snapshot_machine(struct km_trace_writer *writer, const char *phase, uint64_t time_ns,
			struct km_err *err);
/* What does not change while recording: boot line, CPU, sysctls, gfp names, BTF facts; meta keys.
 */
int km_snapshot_provenance(struct km_trace_writer *writer, const struct btf *btf,
			   const struct km_layout *layout, struct km_err *err);

struct km_sampler {
	int buddyinfo, meminfo;
	uint64_t next_ns, interval_ns;
	unsigned taken;
};
void km_sampler_open(struct km_sampler *sampler);
/* A small snapshot when one is due. now_ns: since the start of the trace. */
int km_sampler_poll(struct km_sampler *sampler, struct km_trace_writer *writer, uint64_t now_ns,
		    struct km_err *err);
void km_sampler_close(struct km_sampler *sampler);

/* ---- symbols.c ---- */

/* Give the writer's sites their symbols. *unresolved: sites without one. */
int km_symbols_resolve(struct km_trace_writer *writer, uint32_t *sites, uint32_t *unresolved,
		       struct km_err *err);

#endif
