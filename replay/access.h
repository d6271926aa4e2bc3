/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which memory is touched. A trace holds allocations and frees, not loads: touches are a model,
 * named wherever its numbers are shown.
 *	A0	the allocator and the call itself, exact: the free pointer within a slab object, the
 *		page structures of pages handed out or given back, the object's first and last line
 *	A1	A0, and every line of the object once after its allocation (once more where zeroed)
 *	A2:L	A0, and L touches of live objects per allocation, the i-th of n live objects with a
 *		probability in proportion to 1 / i (Zipf); A2:L:S: to 1 / i^S
 * Three values of L are followed at once, so that a result shows how much of it is the model's.
 */
#ifndef REPLAY_ACCESS_H
#define REPLAY_ACCESS_H

#include "replay/frames.h"
#include "replay/replayer.h"

#define KM_ACCESS_BANDS 3
#define KM_ACCESSES (2 + KM_ACCESS_BANDS) /* A0, A1, A2 by L */
#define KM_ACCESS_MOST_LAMBDA 256
#define KM_ACCESS_MOST_SKEW 4.0

struct km_access_spec {
	uint32_t lambda[KM_ACCESS_BANDS]; /* rising; touches per allocation */
	double skew;
	unsigned which;              /* the one asked for: an index of names */
	char names[KM_ACCESSES][24]; /* "A0" "A1" "A2:1" "A2:4" "A2:16", "A2:4:0.9" */
};

/*
 * "A0", "A1", "A2:LAMBDA" or "A2:LAMBDA:SKEW". L is 1, 4 and 16 unless another LAMBDA is asked for:
 * then a quarter of it (at least 1), it, and four times it. 0 or -EINVAL with a sentence.
 */
int km_access_parse(const char *text, struct km_access_spec *spec, struct km_err *err);

#define KM_VMEMMAP_BASE 0xffffea0000000000ull /* x86_64, 4-level paging, without KASLR */

/*
 * A reference in the access models of the mask (bit 0: A0). `op`: the operation that is made on the
 * object touched, SIZE_MAX for touches between operations.
 */
typedef void (*km_access_touch)(void *to, unsigned cpu, unsigned mask, uint64_t addr, size_t op);

struct km_access {
	const struct km_access_spec *spec;
	struct km_replayer *replayer;
	struct km_frames *frames;
	uint32_t site_to_vmalloc; /* objects of that site become areas; UINT32_MAX: none */
	km_access_touch touch;
	void *to;
	/* private */
	uint32_t *offsets; /* of the free pointer, by trace cache */
	uint32_t kmalloc_offsets[KM_KMALLOC_CLASSES];
	bool has_slabs;
	uint64_t random;
	uint32_t *live, *place; /* slots of live objects; by slot: index in live + 1 */
	uint32_t *size;         /* by slot */
	uint32_t nr_live;
};

/*
 * `access` has spec, replayer, site_to_vmalloc, touch and to. 0 or -ENOMEM; in both cases it is to
 * be ended, before its replayer is destroyed.
 */
int km_access_begin(struct km_access *access, uint64_t seed);
void km_access_end(struct km_access *access);

/* Operation `index` of the program, with its touches. True: an object was placed. */
bool km_access_step(struct km_access *access, size_t index);
/* The call of operation `index` alone: where the model or site_to_vmalloc says. */
void km_access_call(const struct km_access *access, size_t index);

#endif
