/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trace compiled for replay: one pass through the repair rules turns events into operations on
 * dense slots, so that the timed loop indexes arrays and never hashes a pointer. Slots are reused:
 * tables by slot are bounded by live objects; the operations themselves take 24 bytes each.
 */
#ifndef REPLAY_COMPILE_H
#define REPLAY_COMPILE_H

#include <kmlab/err.h>
#include <kmlab/hist.h>

#include "traces/repair.h"
#include "traces/trace.h"

enum km_op_kind {
	KM_OP_NONE, /* dropped after the fact: a page block that turned out to back a slab */
	KM_OP_OBJECT_ALLOC,
	KM_OP_OBJECT_FREE,
	KM_OP_PAGE_ALLOC, /* pages asked for directly: page cache, user memory, page tables */
	KM_OP_PAGE_FREE,
	KM_OP_VMAP_ALLOC,
	KM_OP_VMAP_FREE,
};

struct km_op {
	uint64_t time_ns;
	uint32_t slot;
	uint32_t size; /* object: bytes asked; pages: order; vmap: pages without the guard */
	uint32_t gfp;
	uint16_t cache; /* trace dictionary id; KM_NO_CACHE: kmalloc */
	uint16_t cpu : 10;
	uint16_t kind : 4;       /* enum km_op_kind */
	uint16_t node_given : 1; /* the caller named a node */
	uint16_t implied : 1;    /* free that was never seen: placed at the address's reuse */
};

_Static_assert(sizeof(struct km_op) == 24, "operations are kept small");

/* What became of the trace's events; the parts add up to `events`. */
struct km_compile_counts {
	uint64_t events;
	uint64_t replayed;    /* became an operation (allocs and explicit frees) */
	uint64_t dropped;     /* NULL frees, failed allocations, double events, list moves */
	uint64_t backing;     /* page events of slabs and large kmallocs: the model makes its own */
	uint64_t internal;    /* an allocator's own records (vm_struct ...): likewise */
	uint64_t preexisting; /* frees of objects older than the trace */
};

/* Pages Linux held for a slab or a large kmalloc; the model "kernel" counts them. */
struct km_backing {
	uint64_t pfn;
	uint64_t from_ns, to_ns; /* to_ns: UINT64_MAX when still held at the end */
	uint8_t order;
};

struct km_program {
	struct km_op *ops;
	size_t nr_ops;
	uint64_t *kernel_addr; /* per op: where Linux put it (allocs; pages: pfn), 0 otherwise */
	uint32_t *site;        /* per op: call site of the object's allocation; also of frees */
	struct km_backing *backing;
	size_t nr_backing;
	uint32_t nr_slots;
	uint64_t duration_ns;
	uint64_t direct_map_base;
	struct km_compile_counts counts;
	struct km_repair_counts repair;
	struct km_hist size_req, size_alloc; /* bytes, of every replayed object */
	struct km_hist lifetime_ns, lifetime_page_ns;
	uint64_t bytes_req_total, bytes_alloc_total; /* objects, event-weighted */
};

/* Called now and then with the events done so far; nonzero return stops with -EINTR. */
typedef int (*km_compile_progress)(void *context, uint64_t done);

int km_compile(struct km_trace *trace, km_compile_progress progress, void *context,
	       struct km_program **program, struct km_err *err);
void km_program_free(struct km_program *program);

#endif
