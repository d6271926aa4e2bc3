/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trace compiled for replay: one pass through the repair rules turns events into operations on
 * dense slots, so that the timed loop indexes arrays and never hashes a pointer. Slots are reused:
 * tables by slot are bounded by live objects. What is asked for repeats, so an operation names its
 * request by number and takes 16 bytes.
 */
#ifndef REPLAY_COMPILE_H
#define REPLAY_COMPILE_H

#include <kmlab/calls.h>
#include <kmlab/err.h>
#include <kmlab/hist.h>

#include "traces/repair.h"
#include "traces/trace.h"

enum km_op_kind {
	KM_OP_NONE, /* dropped after the fact: a page block that turned out to back a slab */
	KM_OP_OBJECT_ALLOC, /* an allocation's kind, and the next is its free's */
	KM_OP_OBJECT_FREE,
	KM_OP_PAGE_ALLOC, /* pages asked for directly: page cache, user memory, page tables */
	KM_OP_PAGE_FREE,
	KM_OP_VMAP_ALLOC,
	KM_OP_VMAP_FREE,
};

/* What an allocation asks for; its free has the same. Number 0 asks for nothing: KM_OP_NONE. */
struct km_request {
	uint32_t size; /* object: bytes asked; pages: order; vmap: pages without the guard */
	uint32_t gfp;
	uint16_t cache;  /* trace dictionary id; KM_NO_CACHE: kmalloc */
	uint8_t kind;    /* enum km_op_kind of the allocation */
	bool node_given; /* the caller named a node */
};

#define KM_MAX_REQUESTS (1u << 20) /* struct km_op numbers them */

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
	struct km_request *requests; /* all different */
	uint32_t nr_requests;
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

static inline const struct km_request *km_op_request(const struct km_program *program,
						     const struct km_op *op)
{
	return &program->requests[op->request];
}

static inline enum km_op_kind km_op_kind(const struct km_program *program, const struct km_op *op)
{
	return (enum km_op_kind)(km_op_request(program, op)->kind + op->is_free);
}

/* Called now and then with the events done so far; nonzero return stops with -EINTR. */
typedef int (*km_compile_progress)(void *context, uint64_t done);

int km_compile(struct km_trace *trace, km_compile_progress progress, void *context,
	       struct km_program **program, struct km_err *err);
void km_program_free(struct km_program *program);

#endif
