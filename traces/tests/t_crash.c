/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A capture may end at any moment: killed, or with the disk full. What was committed must be
 * whole, without holes, and readable with everything it refers to.
 */
#include "engine/tests/tap.h"
#include "traces/repair.h"
#include "traces/tests/events.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { CPUS = 2, KILLS = 20 };

static struct km_err err;

/* Event number i of a CPU: recomputed to check what was read. */
static struct km_event numbered_event(unsigned cpu, uint64_t i)
{
	return (struct km_event){.time_ns = i * 500 + cpu,
				 .ptr = test_wide_ptr(i),
				 .bytes_req = i % 1000,
				 .seq = (uint32_t)i,
				 .cpu = (uint16_t)cpu,
				 .node = -1};
}

/* Write as fast as possible, with new sites all the time, until killed or out of space. */
static int write_forever(struct km_trace_writer *writer, int progress)
{
	struct km_event batch[500];

	for (uint64_t i = 0;; i += 500) {
		for (unsigned cpu = 0; cpu < CPUS; cpu++) {
			int code;

			for (uint64_t j = 0; j < 500; j++) {
				batch[j] = numbered_event(cpu, i + j);
				batch[j].site = km_trace_site_id(writer, 1 + (i + j) / 700);
			}
			code = km_trace_append(writer, cpu, batch, 500, &err);
			if (code)
				return code;
		}
		if (i % 20000 == 0 && progress >= 0 && write(progress, "", 1) < 0)
			return -errno;
	}
}

static bool integrity_ok(struct km_trace *trace)
{
	sqlite3_stmt *statement;
	bool ok;

	sqlite3_prepare_v2(km_trace_db(trace), "PRAGMA integrity_check", -1, &statement, NULL);
	ok = sqlite3_step(statement) == SQLITE_ROW &&
	     !strcmp((const char *)sqlite3_column_text(statement, 0), "ok");
	sqlite3_finalize(statement);
	return ok;
}

/* Every event is the one with its number; per CPU none is missing from 0 on. */
static uint64_t check_events(struct km_trace *trace, bool *right)
{
	uint64_t next[CPUS] = {0}, total = 0;
	const struct km_trace_site *sites;
	struct km_trace_cursor *cursor;
	struct km_event events[256];
	uint32_t nr_sites;
	size_t got;

	*right = false;
	sites = km_trace_site_table(trace, &nr_sites);
	if (km_trace_cursor_open(trace, NULL, &cursor, &err))
		return 0;
	*right = true;
	do {
		if (km_trace_next(cursor, events, 256, &got, &err)) {
			*right = false;
			break;
		}
		for (size_t i = 0; i < got; i++) {
			unsigned cpu = events[i].cpu;
			struct km_event want = numbered_event(cpu, next[cpu]++);

			want.site = events[i].site;
			*right &= test_same_event(&want, &events[i]) &&
				  sites[want.site].address == 1 + want.seq / 700;
		}
		total += got;
	} while (got);
	km_trace_cursor_close(cursor);
	return total;
}

static void check_trace(const char *path, const char *what, uint64_t *events)
{
	struct km_trace_counts counts = {0};
	struct km_repair_counts repair;
	struct km_trace *trace = NULL;
	bool right = false;

	*events = 0;
	if (!TAP_OK(!km_trace_open(path, &trace, &err), "%s: opens", what))
		return;
	*events = check_events(trace, &right);
	km_trace_counts(trace, &counts);
	TAP_OK(integrity_ok(trace), "%s: integrity ok", what);
	TAP_OK(!km_trace_complete(trace), "%s: is known to be unfinished", what);
	TAP_EQ(km_trace_repair(trace, &repair), -ENOENT, "%s: has no repair counts", what);
	TAP_OK(right && *events == km_trace_events(trace),
	       "%s: %llu events, the first of each CPU, with their sites", what,
	       (unsigned long long)*events);
	TAP_OK(counts.recorded[0] == *events && counts.fired[0] == *events,
	       "%s: the ledger counts them", what);
	km_trace_close(trace);
}

/* ---- SIGKILL ---- */

static void kill_one(const char *directory, int round, uint64_t *events)
{
	/* In some rounds the log begins anew before the end. */
	int progress[2], want = (int)(test_random() % (round % 10 ? 14 : 60));
	char path[128], what[32], byte;
	pid_t child;

	snprintf(path, sizeof(path), "%s/k%d.kmt", directory, round);
	snprintf(what, sizeof(what), "kill %d", round);
	if (pipe(progress))
		exit(2);
	child = fork();
	if (!child) {
		struct km_trace_writer *writer;

		close(progress[0]);
		if (!km_trace_create(path, &writer, &err))
			write_forever(writer, progress[1]);
		_exit(1);
	}
	close(progress[1]);
	for (int i = 0; i <= want; i++)
		if (read(progress[0], &byte, 1) != 1)
			break;
	usleep((useconds_t)(test_random() % 6000));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(progress[0]);
	check_trace(path, what, events);
	unlink(path);
}

static void test_kills(const char *directory)
{
	uint64_t events, most = 0;

	for (int round = 0; round < KILLS; round++) {
		kill_one(directory, round, &events);
		most = events > most ? events : most;
	}
	TAP_OK(most > 65536, "some had several chunks");
}

/* ---- flush, abandon ---- */

static void test_abandon(const char *directory)
{
	struct km_event events[10];
	struct km_trace_writer *writer;
	char path[128];
	uint64_t seen;

	snprintf(path, sizeof(path), "%s/a.kmt", directory);
	for (unsigned i = 0; i < 10; i++) {
		events[i] = numbered_event(0, i);
		events[i].site = 1;
	}
	TAP_EQ(km_trace_create(path, &writer, &err), 0, "create");
	km_trace_site_id(writer, 1);
	TAP_EQ(km_trace_append(writer, 0, events, 6, &err), 0, "append");
	TAP_EQ(km_trace_flush(writer, &err), 0, "flush");
	TAP_EQ(km_trace_append(writer, 0, events + 6, 4, &err), 0, "append");
	km_trace_abandon(writer);
	check_trace(path, "abandoned", &seen);
	TAP_EQ(seen, 6, "what was flushed is there, what was not is not");
}

/* ---- where nothing may be written ---- */

/* In a child that is not root. */
static void read_as_nobody(const char *path, const char *what)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		struct km_trace *trace;

		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(2);
		if (km_trace_open(path, &trace, &err)) {
			printf("# %s\n", err.text);
			fflush(stdout);
			_exit(1);
		}
		_exit(km_trace_events(trace) == 6 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	TAP_EQ(status, 0, "read only: %s can be read", what);
}

static void test_read_only(const char *directory)
{
	char sub[128], path[160], log[176], copy[1024];
	struct km_trace_writer *writer;
	struct km_trace *trace;
	struct km_event event;

	snprintf(sub, sizeof(sub), "%s/100%%#?", directory); /* as bad as a name gets */
	snprintf(path, sizeof(path), "%s/T.kmt", sub);
	snprintf(log, sizeof(log), "%s-wal", path);
	if (chmod(directory, 0755) || mkdir(sub, 0755))
		exit(2);
	TAP_EQ(km_trace_create(path, &writer, &err), 0, "create");
	for (unsigned i = 0; i < 6; i++) {
		event = numbered_event(0, i);
		km_trace_append(writer, 0, &event, 1, &err);
	}
	TAP_EQ(km_trace_flush(writer, &err), 0, "flush");
	snprintf(copy, sizeof(copy), "cp '%s' '%s/k' && cp '%s' '%s/k-wal' && chmod 644 '%s'/k*",
		 path, sub, log, sub, sub);
	if (system(copy)) /* as a kill leaves it */
		exit(2);
	km_trace_abandon(writer);
	chmod(sub, 0555);
	read_as_nobody(path, "an abandoned trace");
	chmod(sub, 0755);
	snprintf(path, sizeof(path), "%s/k", sub);
	TAP_EQ(km_trace_open(path, &trace, &err), 0, "a killed trace is opened");
	km_trace_close(trace);
	snprintf(log, sizeof(log), "%s-wal", path);
	TAP_OK(access(log, F_OK), "and its log taken in");
	chmod(sub, 0555);
	read_as_nobody(path, "a killed trace whose log was taken in");
	chmod(sub, 0755);
}

/* ---- a full disk ---- */

static void fill_disk(const char *directory)
{
	struct km_trace_cache cache = {.name = "late"};
	struct km_trace_site site = {.id = 1};
	struct km_trace_task task = {.tid = 1};
	struct km_trace_writer *writer;
	char path[160], want[256];
	uint64_t seen;

	snprintf(path, sizeof(path), "%s/full.kmt", directory);
	snprintf(want, sizeof(want),
		 "cannot write %s: the disk is full; make room or choose another place with -o",
		 path);
	TAP_EQ(km_trace_create(path, &writer, &err), 0, "full disk: create");
	TAP_EQ(write_forever(writer, -1), -ENOSPC, "full disk: append says so");
	TAP_OK(!strcmp(err.text, want), "full disk: %s", err.text);
	TAP_EQ(km_trace_flush(writer, &err), -ENOSPC, "full disk: flush too");
	err.text[0] = 0;
	TAP_EQ(km_trace_define_cache(writer, &cache, &err), -ENOSPC, "full disk: a cache too");
	TAP_OK(!strcmp(err.text, want), "full disk: with the same sentence");
	err.text[0] = 0;
	TAP_EQ(km_trace_define_site(writer, &site, &err), -ENOSPC, "full disk: a site too");
	TAP_OK(!strcmp(err.text, want), "full disk: with the same sentence");
	err.text[0] = 0;
	TAP_EQ(km_trace_define_task(writer, &task, &err), -ENOSPC, "full disk: a task too");
	TAP_OK(!strcmp(err.text, want), "full disk: with the same sentence");
	err.text[0] = 0;
	TAP_EQ(km_trace_finish(writer, 1, &err), -ENOSPC, "full disk: finish too");
	TAP_OK(!strcmp(err.text, want), "full disk: with the same sentence");
	check_trace(path, "full disk", &seen);
	TAP_OK(seen >= 65536, "full disk: what was committed stayed");
}

/* In a small one the log takes what there is, in a large one the file. */
static void test_full_disk(const char *directory, const char *size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/small", directory);
	if (mkdir(path, 0700) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("kmlab-test", path, "tmpfs", 0, size)) {
		TAP_OK(true, "full disk # SKIP cannot mount a small file system: %s",
		       strerror(errno));
		return;
	}
	fill_disk(path);
	umount(path);
	rmdir(path);
}

int main(void)
{
	const char *directory = test_directory();

	test_random_state = (uint64_t)getpid(); /* other moments in each run */
	test_kills(directory);
	test_abandon(directory);
	test_read_only(directory);
	test_full_disk(directory, "size=4m");
	test_full_disk(directory, "size=24m");
	test_remove_directory(directory);
	return tap_done();
}
