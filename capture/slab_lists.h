/* SPDX-License-Identifier: GPL-2.0-only */
/* The lists of every slab cache, read from the kernel's own structures (slab_lists.c). */
#ifndef KMLAB_CAPTURE_SLAB_LISTS_H
#define KMLAB_CAPTURE_SLAB_LISTS_H

#include <stdio.h>

#include "capture.h"

struct km_slab_lists;

/*
 * -ENODATA: the recorder, which tells where the kernel's mappings lie, does not know, as it does
 * not record kmallocs and pages; -ENOTSUP: this kernel's structures are not known, or the machine
 * has several memory nodes; others when loading fails.
 */
int km_slab_lists_open(const struct km_recorder *recorder, struct km_slab_lists **lists);
void km_slab_lists_close(struct km_slab_lists *lists);

/* Look for the caches there are now; how many, 0 when they cannot be found. */
unsigned km_slab_lists_find(struct km_slab_lists *lists);
/*
 * A line about the cache of this directory of /sys/kernel/slab; nothing when it could not be read.
 * "lists directory=D lists_ns=T lists_took_ns=N cpu_lists=1 listed_slabs=N listed_partial=N
 * node_list=PFN:FREE,...", and of each CPU that has any "cpuN_slab=PFN:FREE" and
 * "cpuN_chain=PFN:FREE,...": in list order, the slab that is used next first; PFN is hexadecimal, T
 * since start_ns (CLOCK_MONOTONIC). "cpu_lists=0": what the CPUs have could not be read.
 */
void km_slab_lists_print(struct km_slab_lists *lists, FILE *out, const char *directory,
			 uint64_t start_ns);
/* A line for each cache. free() it; NULL: no memory, or no caches. */
char *km_slab_lists_text(struct km_slab_lists *lists, uint64_t start_ns);

#endif
