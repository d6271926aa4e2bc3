/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory does not grow with the length of a trace: all of it works where its events would not fit.
 */
#include "engine/tests/tap.h"
#include "traces/repair.h"
#include "traces/tests/events.h"
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* 4 M events are 256 MB. Two CPUs' chunks, as written and as read, and SQLite need about 50 MB. */
enum { EVENTS = 4000000, BATCH = 1000, LIVE = 20000, LIMIT_MB = 120 };

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif

static struct km_err err;

static void limit_memory(void)
{
	struct rlimit limit = {(rlim_t)LIMIT_MB << 20, (rlim_t)LIMIT_MB << 20};

	if (setrlimit(RLIMIT_DATA, &limit))
		exit(2);
}

/* Objects of a window that moves over few addresses. */
static struct km_event event_at(uint32_t i)
{
	uint64_t object = i / 2;
	struct km_event event = {.time_ns = (uint64_t)i * 50, .node = -1, .bytes_alloc = 64};

	event.kind = i % 2 ? KM_EV_KFREE : KM_EV_KMALLOC;
	if (i % 2)
		object -= object < LIVE ? 0 : LIVE / 2;
	event.ptr = KM_DIRECT_MAP_BASE + object % LIVE * 64;
	return event;
}

static bool write_trace(const char *path)
{
	struct km_event batch[BATCH];
	struct km_trace_writer *writer;

	if (km_trace_create(path, &writer, &err))
		return false;
	for (uint32_t i = 0; i < EVENTS; i += BATCH) {
		for (uint32_t j = 0; j < BATCH; j++)
			batch[j] = event_at(i + j);
		if (km_trace_append(writer, i / BATCH % 2, batch, BATCH, &err))
			return false;
	}
	return !km_trace_finish(writer, event_at(EVENTS).time_ns, &err);
}

static bool read_trace(const char *path)
{
	static const char *const statements[] = {
		"SELECT count(*), sum(ptr & 1) FROM event",
		"SELECT kind, count(*), sum(bytes_alloc) FROM event GROUP BY 1",
		"SELECT free_kind, count(*), sum(bytes_alloc) FROM object WHERE kind = 'slab'",
	};
	struct km_repair_counts counts;
	struct km_trace *trace;
	bool right;

	if (km_trace_open(path, &trace, &err))
		return false;
	right = km_trace_events(trace) == EVENTS && !km_repair_trace(trace, &counts, &err) &&
		!km_trace_register_sql(trace, &err);
	for (size_t i = 0; right && i < sizeof(statements) / sizeof(*statements); i++)
		right = sqlite3_exec(km_trace_db(trace), statements[i], NULL, NULL, NULL) ==
			SQLITE_OK;
	km_trace_close(trace);
	return right;
}

/* Whether `step` succeeds in a process of its own with little memory. */
static bool succeeds(bool (*step)(const char *path), const char *path)
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		bool right;

		limit_memory();
		right = step(path);
		if (!right && err.text[0])
			printf("# %s\n", err.text);
		fflush(stdout);
		_exit(!right);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* All events at once, as the limit must not allow. */
static bool hold_events(const char *path)
{
	void *all = malloc(EVENTS * sizeof(struct km_event));

	(void)path;
	free(all);
	return all != NULL;
}

int main(void)
{
	const char *directory;
	char path[128];

#ifdef SANITIZED
	TAP_SKIP_ALL("a sanitizer needs memory of its own");
#endif
	directory = test_directory();
	snprintf(path, sizeof(path), "%s/T.kmt", directory);
	TAP_OK(!succeeds(hold_events, path), "%d events do not fit", EVENTS);
	TAP_OK(succeeds(write_trace, path), "but can be written");
	TAP_OK(succeeds(read_trace, path), "and read, repaired and queried");
	test_remove_directory(directory);
	return tap_done();
}
