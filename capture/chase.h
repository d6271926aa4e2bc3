/* SPDX-License-Identifier: GPL-2.0-only */
/* What the pointer-chasing programs (chase.bpf.c) and their runner (chase.c) share. */
#ifndef KMLAB_CAPTURE_CHASE_H
#define KMLAB_CAPTURE_CHASE_H

/* The names are those of the output. */
enum km_chase_place { KM_CHASE_DIRECT, KM_CHASE_VMALLOC, KM_CHASE_DENSE, KM_CHASE_PLACES };

#define KM_CHASE_DIRECT_BYTES 4000
#define KM_CHASE_MOST_PAGES 65536

struct km_chase_node {
	unsigned long long address; /* of the value in the kernel */
	unsigned long long next;    /* where its pointer leads */
	unsigned long long offset;  /* of the pointer within the value */
};

/* kmlab-capture --chase: an exit code (results/term.h). */
int km_chase(int argc, char **argv);

#endif
