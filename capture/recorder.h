/* SPDX-License-Identifier: GPL-2.0-only */
/* The recorder's inside, for record.c, ledger.c and slab_lists.c. */
#ifndef KMLAB_CAPTURE_RECORDER_H
#define KMLAB_CAPTURE_RECORDER_H

#include "capture.h"
#include "probe.h"
#include "record.skel.h"

struct km_recorder {
	struct record_bpf *skel;
	struct btf *btf;
	struct km_program_choice choice;
	struct bpf_program *programs[KM_NR_COPIES][KM_NR_RECORD_KINDS];
	struct bpf_link *links[KM_NR_COPIES][KM_NR_RECORD_KINDS];
	struct bpf_link **watches[KM_WATCHED_KINDS]; /* by CPU; a kind that is not watched: NULL */
	bool may_watch;
	char online[4096]; /* CPUs, as the kernel lists them */
	struct km_percpu_offsets percpu;
	bool knows_percpu;
	enum km_recover recover;
	unsigned cpus; /* possible */
	struct km_cpu_state *states;
	struct km_ring *rings; /* by CPU */
	unsigned nr_rings;
	uint8_t *ring_memory;
	uint32_t ring_slots; /* of one CPU, a power of two */
	struct km_layout layout;
	/* Misses since attachment, and those that neither copy saw, when recording started. */
	uint64_t base_skipped[KM_NR_RECORD_KINDS], base_missed[KM_NR_RECORD_KINDS];
	uint64_t missed[KM_NR_RECORD_KINDS]; /* since then by both, as last read */
	bool stopped;
};

/* Do watchpoints recover what is hidden of a kind? */
static inline bool km_is_watched(const struct km_recorder *recorder, unsigned kind)
{
	return kind < KM_WATCHED_KINDS && recorder->watches[kind];
}

/* Until every program has ended that runs now: an RCU period. */
void km_recorder_wait(void);

#endif
