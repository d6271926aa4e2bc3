/* SPDX-License-Identifier: GPL-2.0-only */
/* Measuring where the kernel's mappings lie (probe.c). */
#ifndef KMLAB_CAPTURE_PROBE_H
#define KMLAB_CAPTURE_PROBE_H

#include "capture.h"

/* Offsets within the kernel's per-CPU area. */
struct km_percpu_offsets {
	uint64_t runqueues, cpu_number, preempt_count;
};

/* From BTF. -ENOENT: this kernel does not tell. */
int km_probe_offsets(const struct btf *btf, struct km_percpu_offsets *offsets);
/* Run `program` (loaded) on that CPU. */
int km_probe_cpu(const struct bpf_program *program, unsigned cpu);

/*
 * Fill layout->vmemmap and, with `kmalloc`, layout->direct_map; page_struct_bytes is set. `seen` is
 * what the two (loaded) programs write. -ENOTSUP: the vmemmap could not be found.
 */
int km_probe_layout(struct bpf_program *page, struct bpf_program *kmalloc,
		    volatile struct km_probe *seen, struct km_layout *layout, struct km_err *err);

#endif
