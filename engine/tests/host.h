/* SPDX-License-Identifier: GPL-2.0-only */
/* An environment for tests: counted memory, optionally failing at the Nth request. */
#ifndef ENGINE_TESTS_HOST_H
#define ENGINE_TESTS_HOST_H

#include <kmlab/env.h>
#include <stdlib.h>
#include <string.h>

struct test_host {
	size_t live_blocks;
	size_t requests;
	size_t fail_at; /* 1-based; 0: never */
};

__attribute__((unused)) static void *test_host_alloc(void *context, size_t bytes)
{
	struct test_host *host = context;
	size_t rounded = (bytes + 63) / 64 * 64;
	void *memory;

	if (++host->requests == host->fail_at)
		return NULL;
	memory = aligned_alloc(64, rounded ? rounded : 64);
	if (!memory)
		return NULL;
	host->live_blocks++;
	return memset(memory, 0, rounded);
}

__attribute__((unused)) static void test_host_release(void *context, void *memory, size_t bytes)
{
	struct test_host *host = context;

	(void)bytes;
	host->live_blocks--;
	free(memory);
}

__attribute__((unused)) static void test_host_env(struct km_env *env, struct test_host *host,
						  uint64_t seed)
{
	*env = (struct km_env){.alloc = test_host_alloc,
			       .release = test_host_release,
			       .context = host,
			       .random_state = seed};
}

#endif
