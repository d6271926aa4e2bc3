/* SPDX-License-Identifier: GPL-2.0-only */
/* Events for tests of the trace store, and a place for their files. */
#ifndef KMLAB_TRACES_TESTS_EVENTS_H
#define KMLAB_TRACES_TESTS_EVENTS_H

#include "traces/trace.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t test_random_state = 1;

/* Pointers within 4 GiB, none of which can be told by those before: each takes four bytes. */
__attribute__((unused)) static uint64_t test_wide_ptr(uint64_t i)
{
	uint64_t ptr = (i + 1) * 0x9e3779b97f4a7c15ull;

	ptr = (ptr ^ ptr >> 30) * 0xbf58476d1ce4e5b9ull;
	return 0xffff888000000000ull + (ptr >> 32) / 8 * 8;
}

__attribute__((unused)) static uint64_t test_random(void)
{
	uint64_t mix = test_random_state += 0x9e3779b97f4a7c15ull;

	mix = (mix ^ (mix >> 30)) * 0xbf58476d1ce4e5b9ull;
	mix = (mix ^ (mix >> 27)) * 0x94d049bb133111ebull;
	return mix ^ (mix >> 31);
}

/* Sizes of the dictionaries the events of test_event() refer to. */
enum { TEST_SITES = 200, TEST_TASKS = 20, TEST_CACHES = 30, TEST_STACKS = 10 };

/* Valid in every field, of any kind, about 1 us after the one before. */
__attribute__((unused)) static struct km_event test_event(uint64_t *time_ns)
{
	struct km_event event = {.node = -1};

	*time_ns += 200 + test_random() % 1500;
	event.time_ns = *time_ns;
	event.kind = (uint8_t)(test_random() % KM_NR_EVENT_KINDS);
	event.ptr = 0xffff888000000000ull + test_random() % 100000 * 64;
	event.bytes_req = test_random() % 3000;
	event.bytes_alloc = event.bytes_req + test_random() % 64;
	event.gfp = test_random() % 2 ? 0xcc0 : 0x820;
	event.site = (uint32_t)(test_random() % TEST_SITES);
	event.task = (uint32_t)(test_random() % TEST_TASKS);
	event.cache = (uint16_t)(test_random() % TEST_CACHES);
	event.stack = (uint32_t)(test_random() % TEST_STACKS);
	event.context = (uint8_t)(test_random() % (KM_CTX_UNKNOWN + 1));
	event.order = (uint8_t)(test_random() % 4);
	event.migratetype = (uint8_t)(test_random() % 3);
	return event;
}

/* Fill the dictionaries so that every event of test_event() is valid. 0 or -errno. */
__attribute__((unused)) static int test_define(struct km_trace_writer *writer)
{
	int code = 0;

	for (uint64_t i = 1; !code && i < TEST_SITES; i++)
		if (km_trace_site_id(writer, 0xffffffff81000000ull + i * 16) != i)
			code = -1;
	for (unsigned i = 1; !code && i < TEST_CACHES; i++) {
		struct km_trace_cache cache = {.object_size = i * 8, .size = i * 8};

		snprintf(cache.name, sizeof(cache.name), "cache_%u", i);
		code = km_trace_define_cache(writer, &cache, NULL);
	}
	for (unsigned i = 1; !code && i < TEST_TASKS; i++) {
		struct km_trace_task task = {.tid = 100 + i, .tgid = 100, .cgroup = i / 10};

		snprintf(task.comm, sizeof(task.comm), "task_%u", i);
		code = km_trace_define_task(writer, &task, NULL);
	}
	/* Stack i: sites i, i - 1 ... 1. */
	for (unsigned i = 1; !code && i < TEST_STACKS; i++) {
		uint64_t addresses[TEST_STACKS];

		for (unsigned frame = 0; frame < i; frame++)
			addresses[frame] = 0xffffffff81000000ull + (i - frame) * 16;
		if (km_trace_stack_id(writer, addresses, i) != i)
			code = -1;
	}
	return code ? code : km_trace_define_cgroup(writer, 1, "/user.slice", NULL);
}

/* A directory of its own; test_remove_directory() at the end. */
__attribute__((unused)) static const char *test_directory(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/kmlab-test-XXXXXX");
	if (!mkdtemp(path)) {
		perror(path);
		exit(2);
	}
	return path;
}

__attribute__((unused)) static void test_remove_directory(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	if (system(command))
		perror(path);
}

__attribute__((unused)) static bool test_same_event(const struct km_event *a,
						    const struct km_event *b)
{
	return !memcmp(a, b, sizeof(*a));
}

#endif
