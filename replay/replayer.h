/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A compiled trace on one machine: the caches of the trace created, a table from slot to the
 * address the model gave. km_replay_op() is all that the timed loop does per operation.
 */
#ifndef REPLAY_REPLAYER_H
#define REPLAY_REPLAYER_H

#include <kmlab/machine.h>

#include "replay/compile.h"
#include "replay/start.h"

/* What --model asks for: "slub@6.1", "kvmalloc:65536", "kernel". */
struct km_model_choice {
	char text[64];                    /* as given */
	const struct km_model *model;     /* NULL for "kernel" */
	const struct km_profile *profile; /* NULL: the trace's own */
	uint64_t threshold;               /* kvmalloc:BYTES */
};

/* 0, or -EINVAL with a sentence naming what can be given. */
int km_model_choice_parse(const char *text, struct km_model_choice *choice, struct km_err *err);

struct km_replayer {
	const struct km_program *program;
	struct km_env env;
	struct km_machine *machine;
	void **caches;     /* by trace cache id; NULL: kmalloc */
	uint32_t *strides; /* bytes one object of the cache takes, by trace cache id */
	uint32_t kmalloc_strides[KM_KMALLOC_CLASSES];
	uint32_t nr_caches;
	uint64_t *addr;   /* by slot: address, or pfn for pages; 0 = failed */
	bool seeded;      /* free blocks are as recorded at the start */
	uint64_t failed;  /* allocations the machine refused */
	uint64_t refused; /* frees the machine refused: a defect, never expected */
};

int km_replayer_create(const struct km_program *program, struct km_trace *trace,
		       const struct km_start *start, const struct km_model_choice *choice,
		       uint64_t seed, struct km_replayer **replayer, struct km_err *err);
void km_replayer_destroy(struct km_replayer *replayer);

/* Bytes the model sets aside for an object operation (stride, block, area without guard). */
uint64_t km_replayer_placed_bytes(const struct km_replayer *replayer, const struct km_op *op);

static inline void km_replay_op(struct km_replayer *replayer, const struct km_op *op)
{
	struct km_machine *machine = replayer->machine;
	uint64_t addr;
	km_pfn pfn;

	switch (op->kind) {
	case KM_OP_OBJECT_ALLOC:
		addr = km_object_alloc(machine, op->cpu, replayer->caches[op->cache], op->size,
				       op->gfp, op->node_given ? 0 : -1);
		replayer->addr[op->slot] = addr;
		replayer->failed += !addr;
		break;
	case KM_OP_OBJECT_FREE:
		addr = replayer->addr[op->slot];
		if (addr && km_kfree(machine, op->cpu, addr))
			replayer->refused++;
		break;
	case KM_OP_PAGE_ALLOC:
		pfn = km_alloc_pages(machine, op->cpu, op->gfp, op->size);
		replayer->addr[op->slot] = pfn.value;
		replayer->failed += !km_pfn_valid(pfn);
		break;
	case KM_OP_PAGE_FREE:
		pfn = (km_pfn){replayer->addr[op->slot]};
		if (km_pfn_valid(pfn) && km_free_pages(machine, op->cpu, pfn, op->size))
			replayer->refused++;
		break;
	case KM_OP_VMAP_ALLOC:
		addr = km_vmalloc(machine, op->cpu, (uint64_t)op->size << KM_PAGE_SHIFT, 0,
				  KM_GFP_KERNEL, 0);
		replayer->addr[op->slot] = addr;
		replayer->failed += !addr;
		break;
	case KM_OP_VMAP_FREE:
		addr = replayer->addr[op->slot];
		if (addr && km_vfree(machine, op->cpu, addr))
			replayer->refused++;
		break;
	default:
		break;
	}
}

#endif
