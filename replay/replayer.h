/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A compiled trace on one machine: the caches of the trace created, what serves each request found
 * out, a table from slot to the address the model gave. km_replay_op() is all that the timed loop
 * does per operation.
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

/* How this machine serves a request (struct km_request, same index). */
struct km_call {
	/*
	 * The objects' cache, also of a kmalloc of this size: Linux's compiler finds it at a call
	 * site of constant size just so. NULL: not an object, or the call itself decides.
	 */
	void *cache;
	uint64_t size; /* as km_request's */
	uint32_t gfp;
	int node;
	enum km_op_kind kind; /* of the allocation */
};

struct km_replayer {
	const struct km_program *program;
	struct km_env env;
	struct km_machine *machine;
	/* the machine's slab layer, at hand */
	void *slab;
	uint64_t (*slab_alloc)(void *slab, void *cache, unsigned cpu, uint32_t gfp, int node);
	int (*slab_free)(void *slab, unsigned cpu, uint64_t addr);
	void **caches;     /* by trace cache id; NULL: kmalloc */
	uint32_t *strides; /* bytes one object of the cache takes, by trace cache id */
	uint32_t kmalloc_strides[KM_KMALLOC_CLASSES];
	uint32_t nr_caches;
	struct km_call *calls; /* by request */
	uint64_t *addr;        /* by slot: address, or pfn for pages; 0 = failed */
	bool seeded;           /* free blocks are as recorded at the start */
	uint64_t failed;       /* allocations the machine refused */
	uint64_t refused;      /* frees the machine refused: a defect, never expected */
};

int km_replayer_create(const struct km_program *program, struct km_trace *trace,
		       const struct km_start *start, const struct km_model_choice *choice,
		       uint64_t seed, struct km_replayer **replayer, struct km_err *err);
void km_replayer_destroy(struct km_replayer *replayer);

/* Bytes the model sets aside for an object (stride, block, area without guard). */
uint64_t km_replayer_placed_bytes(const struct km_replayer *replayer,
				  const struct km_request *request);

/* What km_replay_op_on() does for all but objects of a known cache. */
void km_replay_other(struct km_replayer *replayer, const struct km_op *op, unsigned cpu);

/* On another CPU than the operation's. */
static inline void km_replay_op_on(struct km_replayer *replayer, const struct km_op *op,
				   unsigned cpu)
{
	const struct km_call *call = &replayer->calls[op->request];
	uint64_t *addr = &replayer->addr[op->slot];

	if (!call->cache) {
		km_replay_other(replayer, op, cpu);
	} else if (!op->is_free) {
		*addr = replayer->slab_alloc(replayer->slab, call->cache, cpu, call->gfp,
					     call->node);
		if (!*addr)
			replayer->failed++;
	} else if (*addr && replayer->slab_free(replayer->slab, cpu, *addr)) {
		replayer->refused++;
	}
}

static inline void km_replay_op(struct km_replayer *replayer, const struct km_op *op)
{
	km_replay_op_on(replayer, op, op->cpu);
}

#endif
