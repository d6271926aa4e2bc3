/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The write-ahead log of a trace goes into the file while the trace is written, stays of bounded
 * length, waits for readers, and is gone at the end.
 */
#include "engine/tests/tap.h"
#include "traces/tests/events.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CPUS = 2, BATCH = 1000, MIB = 1 << 20, LOG_MIB = 21 };

static struct km_err err;
static char path[160], log_path[176];

/* Event number i of a CPU. */
static struct km_event wide_event(unsigned cpu, uint64_t i)
{
	return (struct km_event){.time_ns = i * 500 + cpu,
				 .ptr = test_wide_ptr(i),
				 .kind = KM_EV_KFREE, /* of nothing: it leaves repair nothing */
				 .seq = (uint32_t)i,
				 .cpu = (uint16_t)cpu,
				 .node = -1};
}

static uint64_t bytes_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : (uint64_t)st.st_size;
}

/* Events [*next, *next + n) of each CPU. The longest that the log was. */
static uint64_t write_more(struct km_trace_writer *writer, uint64_t *next, uint64_t n)
{
	static struct km_event batch[BATCH];
	uint64_t longest = 0, bytes;

	for (uint64_t end = *next + n; *next < end; *next += BATCH) {
		for (unsigned cpu = 0; cpu < CPUS; cpu++) {
			for (unsigned i = 0; i < BATCH; i++)
				batch[i] = wide_event(cpu, *next + i);
			if (km_trace_append(writer, cpu, batch, BATCH, &err)) {
				TAP_OK(false, "append: %s", err.text);
				exit(1);
			}
		}
		bytes = bytes_of(log_path);
		longest = bytes > longest ? bytes : longest;
	}
	return longest;
}

static void check_whole(uint64_t events)
{
	uint64_t next[CPUS] = {0}, wrong = 0;
	struct km_trace_cursor *cursor;
	struct km_event got[256];
	struct km_trace *trace;
	size_t n = 1;

	TAP_EQ(km_trace_open(path, &trace, &err), 0, "open");
	TAP_EQ(km_trace_cursor_open(trace, NULL, &cursor, &err), 0, "cursor");
	while (!km_trace_next(cursor, got, 256, &n, &err) && n)
		for (size_t i = 0; i < n; i++) {
			unsigned cpu = got[i].cpu;
			struct km_event want = wide_event(cpu, next[cpu]++);

			wrong += !test_same_event(&want, &got[i]);
		}
	TAP_EQ(wrong, 0, "every event is as it was written");
	TAP_EQ(next[0] + next[1], CPUS * events, "and none is missing");
	km_trace_cursor_close(cursor);
	km_trace_close(trace);
}

static void begin(const char *directory, const char *name, struct km_trace_writer **writer)
{
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	snprintf(log_path, sizeof(log_path), "%s-wal", path);
	TAP_EQ(km_trace_create(path, writer, &err), 0, "create");
}

static void test_bounded(const char *directory)
{
	struct km_trace_writer *writer;
	uint64_t next = 0, longest;

	begin(directory, "bounded.kmt", &writer);
	longest = write_more(writer, &next, 1600000);
	TAP_OK(bytes_of(path) > 8 * MIB, "while it is written the file grows: %llu bytes",
	       (unsigned long long)bytes_of(path));
	TAP_OK(longest > 2 * MIB && longest < LOG_MIB * (uint64_t)MIB,
	       "and the log, of which most was used anew, was never long: %llu bytes",
	       (unsigned long long)longest);
	TAP_EQ(km_trace_finish(writer, 1, &err), 0, "finish");
	TAP_EQ(bytes_of(log_path), 0, "it is gone");
	check_whole(next);
}

/* Who reads what was there at some time keeps the log from being used anew, and nothing else. */
static void test_reader(const char *directory)
{
	struct km_trace_writer *writer;
	uint64_t next = 0, longest;
	sqlite3 *reader;

	begin(directory, "read.kmt", &writer);
	write_more(writer, &next, 100000);
	TAP_EQ(sqlite3_open(path, &reader), SQLITE_OK, "somebody reads");
	TAP_EQ(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM chunk", NULL, NULL, NULL),
	       SQLITE_OK, "and goes on");
	longest = write_more(writer, &next, 1600000);
	TAP_OK(longest > LOG_MIB * (uint64_t)MIB, "the log grows: %llu bytes",
	       (unsigned long long)longest);
	TAP_EQ(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK, "it stops");
	write_more(writer, &next, 200000);
	TAP_OK(bytes_of(log_path) < LOG_MIB * (uint64_t)MIB,
	       "the log is cut to its usual length: %llu bytes",
	       (unsigned long long)bytes_of(log_path));
	sqlite3_close(reader);
	TAP_EQ(km_trace_finish(writer, 1, &err), 0, "finish");
	TAP_EQ(bytes_of(log_path), 0, "it is gone");
	check_whole(next);
}

/* The thread may be at work when the trace is given up. */
static void test_discard(const char *directory)
{
	struct km_trace_writer *writer;
	uint64_t next = 0;
	unsigned left = 0;

	for (unsigned round = 0; round < 8; round++) {
		next = 0;
		begin(directory, "gone.kmt", &writer);
		write_more(writer, &next, 70000 + 40000 * round);
		km_trace_discard(writer);
		left += !access(path, F_OK) || !access(log_path, F_OK);
	}
	TAP_EQ(left, 0, "nothing is left of what was discarded");
}

/* Of a connection in the file itself, SQLite's shared lock: https://sqlite.org/fileformat2.html */
#define SHARED_FIRST 0x40000002
#define SHARED_SIZE 510

/* As another process sees it. */
static bool is_locked(void)
{
	struct flock lock = {.l_type = F_WRLCK,
			     .l_whence = SEEK_SET,
			     .l_start = SHARED_FIRST,
			     .l_len = SHARED_SIZE};
	int status = 0;
	pid_t child = fork();

	if (!child) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		_exit(fd < 0 || fcntl(fd, F_GETLK, &lock) ? 2 : lock.l_type != F_UNLCK);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 1;
}

/* Else another process that reads the file would think itself alone, and remove the log. */
static void test_locked(const char *directory)
{
	struct km_trace_writer *writer;
	struct km_trace *trace;
	uint64_t next = 0;

	begin(directory, "locked.kmt", &writer);
	write_more(writer, &next, BATCH);
	TAP_EQ(km_trace_flush(writer, &err), 0, "some events are in the file");
	TAP_OK(is_locked(), "a file that is written is locked");
	TAP_EQ(km_trace_open(path, &trace, &err), 0, "its own process reads it");
	TAP_OK(is_locked(), "it is locked");
	km_trace_close(trace);
	TAP_OK(is_locked(), "and stays so when the reader is gone");
	km_trace_discard(writer);
}

int main(void)
{
	const char *directory = test_directory();

	test_bounded(directory);
	test_reader(directory);
	test_discard(directory);
	test_locked(directory);
	test_remove_directory(directory);
	return tap_done();
}
