/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All a model may ask of the world: host memory for its own records, seeded random numbers, trace
 * time, counters. No model calls anything else.
 */
#ifndef KMLAB_ENV_H
#define KMLAB_ENV_H

#include <kmlab/counters.h>
#include <kmlab/types.h>

struct km_env {
	/* Zeroed, 64-byte aligned host memory; NULL when there is none. Untouched pages are free.
	 */
	void *(*alloc)(void *context, size_t bytes);
	void (*release)(void *context, void *memory, size_t bytes);
	void *context;
	uint64_t random_state; /* the seed at creation */
	uint64_t time_ns;      /* trace time, set by whoever drives the machine */
	struct km_counters count;
	/*
	 * Where real memory stands behind the machine it follows the page tables of the vmalloc
	 * range: told after each change, or NULL. A huge leaf names its first frame only; count is
	 * in 4 KiB pages.
	 */
	void (*mapped)(void *memory, uint64_t addr, const km_pfn *pfns, uint64_t count, bool huge);
	void (*unmapped)(void *memory, uint64_t addr, uint64_t count);
	void *memory;
};

static inline void *km_env_alloc(struct km_env *env, size_t bytes)
{
	return env->alloc(env->context, bytes);
}

static inline void km_env_release(struct km_env *env, void *memory, size_t bytes)
{
	if (memory)
		env->release(env->context, memory, bytes);
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): one state word, full period. */
static inline uint64_t km_env_random(struct km_env *env)
{
	uint64_t mix = env->random_state += 0x9e3779b97f4a7c15ull;

	mix = (mix ^ (mix >> 30)) * 0xbf58476d1ce4e5b9ull;
	mix = (mix ^ (mix >> 27)) * 0x94d049bb133111ebull;
	return mix ^ (mix >> 31);
}

#endif
