/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program of calls on objects, and the loop that makes them of a slab layer. A model that names
 * its run() (KM_SLAB_RUN) has the loop compiled around its own alloc and free, so that nothing is
 * spent per call on finding out which model it is.
 */
#ifndef KMLAB_CALLS_H
#define KMLAB_CALLS_H

#include <kmlab/env.h>

/* One operation of a program. */
struct km_op {
	uint64_t time_ns;
	uint32_t slot; /* where the object's address is kept from its allocation to its free */
	union {
		struct {
			uint32_t request : 20; /* what was asked for, by number */
			uint32_t is_free : 1;
			uint32_t implied : 1; /* never seen: placed at the address's reuse */
			uint32_t cpu : 10;
		};
		uint32_t word; /* of these, from the lowest bit on: the loop takes it apart */
	};
};

_Static_assert(sizeof(struct km_op) == 16, "operations are kept small");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields begin at the lowest bit");

/* How a machine serves a request. What the loop reads of each comes first. */
struct km_serving {
	/*
	 * The objects' cache, also of a kmalloc of this size: Linux's compiler finds it at a call
	 * site of constant size just so. It is what a free's objects were allocated from, too.
	 * NULL: not an object, or the call itself decides.
	 */
	void *cache;
	uint32_t gfp;
	int node;
	uint64_t size; /* object: bytes asked; pages: order; vmap: pages without the guard */
	uint32_t kind; /* of the allocation */
};

/* What a program's operations refer to, and what became of them. */
struct km_calls {
	struct km_env *env;
	const struct km_serving *servings; /* by request */
	uint64_t *addr;                    /* by slot: address, 0 = failed */
	uint64_t failed;                   /* allocations that the layer refused */
	uint64_t refused;                  /* frees that the layer refused */
};

/* Calls that did not go the way that km_counters calls fast. */
struct km_slow_calls {
	uint64_t allocs, frees;
};

typedef uint64_t (*km_serve_alloc)(void *self, const struct km_serving *serving, unsigned cpu,
				   struct km_slow_calls *slow);
/* addr 0: the allocation failed, and there is nothing to do. */
typedef int (*km_serve_free)(void *self, const struct km_serving *serving, unsigned cpu,
			     uint64_t addr, struct km_slow_calls *slow);

/* What a layer wants of the loop. */
enum {
	KM_RUN_TIMED = 1,   /* env->time_ns at each call */
	KM_RUN_COUNTED = 2, /* slab_fast and slab_free_fast counted, but for what it calls slow */
};

/*
 * Operations in order, each on its CPU, up to one that is not of a known cache, or to the end:
 * where it stopped.
 */
static inline __attribute__((always_inline)) const struct km_op *
km_calls_loop(void *self, struct km_calls *calls, const struct km_op *op, const struct km_op *end,
	      km_serve_alloc alloc, km_serve_free free, unsigned wants)
{
	const struct km_serving *servings = calls->servings;
	const struct km_op *start = op;
	uint64_t *addrs = calls->addr, allocs = 0;
	struct km_slow_calls slow = {0, 0};

	for (; op < end; op++) {
		uint32_t word = op->word;
		const struct km_serving *serving = &servings[word & 0xfffff];
		uint64_t *addr = &addrs[op->slot];
		unsigned cpu = word >> 22;

		if (__builtin_expect(!serving->cache, 0))
			break;
		if (wants & KM_RUN_TIMED)
			calls->env->time_ns = op->time_ns;
		if (!(word & 1u << 20)) {
			*addr = alloc(self, serving, cpu, &slow);
			allocs++;
			if (__builtin_expect(!*addr, 0))
				calls->failed++;
		} else if (__builtin_expect(free(self, serving, cpu, *addr, &slow), 0)) {
			calls->refused++;
		}
	}
	if (op > start)
		calls->env->time_ns = op[-1].time_ns;
	if (wants & KM_RUN_COUNTED) {
		calls->env->count.slab_fast += allocs - slow.allocs;
		calls->env->count.slab_free_fast += (uint64_t)(op - start) - allocs - slow.frees;
	}
	return op;
}

/* Of a run(): its speed shall not depend on what is linked before it. */
#define KM_CALLS_ALIGNED __attribute__((aligned(64)))

/* A layer's run() around its alloc() and free(), both as in struct km_slab_ops. */
#define KM_SLAB_RUN(name, layer_alloc, layer_free, wants)                                          \
	static inline uint64_t name##_alloc(void *self, const struct km_serving *serving,          \
					    unsigned cpu, struct km_slow_calls *slow)              \
	{                                                                                          \
		(void)slow;                                                                        \
		return layer_alloc(self, serving->cache, cpu, serving->gfp, serving->node);        \
	}                                                                                          \
                                                                                                   \
	static inline int name##_free(void *self, const struct km_serving *serving, unsigned cpu,  \
				      uint64_t addr, struct km_slow_calls *slow)                   \
	{                                                                                          \
		(void)serving, (void)slow;                                                         \
		return addr ? layer_free(self, cpu, addr) : 0;                                     \
	}                                                                                          \
                                                                                                   \
	static KM_CALLS_ALIGNED const struct km_op *name(void *self, struct km_calls *calls,       \
							 const struct km_op *op,                   \
							 const struct km_op *end)                  \
	{                                                                                          \
		return km_calls_loop(self, calls, op, end, name##_alloc, name##_free, wants);      \
	}

#endif
