/* SPDX-License-Identifier: GPL-2.0-only */
/* Measuring where the kernel's mappings lie (probe.c). */
#ifndef KMLAB_CAPTURE_PROBE_H
#define KMLAB_CAPTURE_PROBE_H

#include "capture.h"

/* Offsets within the kernel's per-CPU area. */
struct km_percpu_offsets {
	uint64_t runqueues, cpu_number, preempt_count;
	uint64_t current_task; /* 0: not told */
	uint64_t this_cpu_off; /* what leads from a per-CPU pointer to this CPU's; 0: not told */
};

/* From BTF. -ENOENT: this kernel does not tell. */
int km_probe_offsets(const struct btf *btf, struct km_percpu_offsets *offsets);
/* Run `program` (loaded) on that CPU. */
int km_probe_cpu(const struct bpf_program *program, unsigned cpu);

/* Loaded programs of record.bpf.c that write to the struct km_probe; kmalloc may be NULL. */
struct km_probe_programs {
	const struct bpf_program *page, *table, *kmalloc;
};

/*
 * Fill layout->vmemmap and, with programs->kmalloc, layout->direct_map; page_struct_bytes is set.
 * `seen` is what the programs write. -ENOTSUP: the vmemmap could not be found.
 */
int km_probe_layout(const struct km_probe_programs *programs, volatile struct km_probe *seen,
		    struct km_layout *layout, struct km_err *err);

#endif
