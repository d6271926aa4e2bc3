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
/* "A,B,C", which is taken apart: *nr of them, at most `most`, none twice. As for one. */
int km_model_choices_parse(char *list, struct km_model_choice *choices, unsigned most, unsigned *nr,
			   struct km_err *err);

struct km_replayer {
	const struct km_program *program;
	struct km_env env;
	struct km_machine *machine;
	/* the machine's slab layer, at hand */
	void *slab;
	const struct km_op *(*slab_run)(void *slab, struct km_calls *calls, const struct km_op *op,
					const struct km_op *end);
	uint64_t (*slab_alloc)(void *slab, void *cache, unsigned cpu, uint32_t gfp, int node);
	int (*slab_free)(void *slab, unsigned cpu, uint64_t addr);
	void **caches;     /* by trace cache id; NULL: kmalloc */
	uint32_t *strides; /* bytes one object of the cache takes, by trace cache id */
	uint32_t kmalloc_strides[KM_KMALLOC_CLASSES];
	uint32_t nr_caches;
	struct km_serving *servings; /* by request */
	uint64_t *addr;              /* by slot: address, or pfn for pages; 0 = failed */
	bool seeded;                 /* free blocks are as recorded at the start */
	uint64_t failed;             /* allocations the machine refused */
	uint64_t refused;            /* frees the machine refused: a defect, never expected */
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
	const struct km_serving *serving = &replayer->servings[op->request];
	uint64_t *addr = &replayer->addr[op->slot];

	if (!serving->cache) {
		km_replay_other(replayer, op, cpu);
	} else if (!op->is_free) {
		*addr = replayer->slab_alloc(replayer->slab, serving->cache, cpu, serving->gfp,
					     serving->node);
		if (!*addr)
			replayer->failed++;
	} else if (*addr && replayer->slab_free(replayer->slab, cpu, *addr)) {
		replayer->refused++;
	}
}

/* All of them in order, each on its CPU and at its time. */
void km_replay_ops(struct km_replayer *replayer, const struct km_op *op, const struct km_op *end);

static inline void km_replay_op(struct km_replayer *replayer, const struct km_op *op)
{
	km_replay_op_on(replayer, op, op->cpu);
}

#endif
