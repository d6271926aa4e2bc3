/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loads. A tracer runs this as its command, so that every tracer is up when the clock starts
 * and still up when it stops; the timing goes into a file.
 */
#include "capture/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define POLL_FILES 64 /* more than poll(2) keeps on its stack: one kmalloc() and one kfree() */
#define LOOP_WARM_UP 20000
#define LOOP_SLICES 500
#define SLICE_CALLS 1000

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The time a benchmark tells of itself leaves out its start; without one it is that of the shell.
 */
static int run_command(const char *command, struct bench_timing *timing)
{
	double begin = seconds_of(CLOCK_MONOTONIC), told = 0;
	FILE *out = popen(command, "re");
	char line[512];
	int status;

	if (!out)
		return -errno;
	while (fgets(line, sizeof(line), out))
		sscanf(line, " Total time: %lf", &told);
	status = pclose(out);
	timing->seconds = told > 0 ? told : seconds_of(CLOCK_MONOTONIC) - begin;
	return status ? -EIO : 0;
}

static void be_on_one_cpu(void)
{
	cpu_set_t set, one;

	if (sched_getaffinity(0, sizeof(set), &set))
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

/* ---- loops of one system call that makes one allocation and one free ---- */

struct loop {
	int (*call)(void *data);
	void *data;
	int expected;
};

static int call_poll(void *files)
{
	return poll(files, POLL_FILES, 0);
}

/* A path of user space is copied into an object of names_cache. */
static int call_access(void *path)
{
	return access(path, F_OK);
}

static double spent(const struct loop *loop, unsigned calls, bool *failed)
{
	double begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < calls; i++)
		*failed |= loop->call(loop->data) != loop->expected;
	return seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static double spent_on_nothing(unsigned calls)
{
	double begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < calls; i++)
		syscall(SYS_getppid);
	return seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin;
}

/*
 * A shared machine runs now faster, now slower, for seconds at a time. So the loop is taken in
 * slices, and between them a system call without events tells how fast the CPU was.
 */
static int run_loop(const struct loop *loop, struct bench_timing *timing)
{
	double wall, cpu = 0, nothing = 0;
	bool failed = false;

	be_on_one_cpu();
	spent(loop, LOOP_WARM_UP, &failed);
	wall = seconds_of(CLOCK_MONOTONIC);
	for (unsigned slice = 0; slice < LOOP_SLICES; slice++) {
		cpu += spent(loop, SLICE_CALLS, &failed);
		nothing += spent_on_nothing(SLICE_CALLS);
	}
	timing->seconds = seconds_of(CLOCK_MONOTONIC) - wall;
	timing->events = 2.0 * SLICE_CALLS * LOOP_SLICES;
	timing->cpu_ns = cpu * 1e9 / timing->events;
	timing->nothing_ns = nothing * 1e9 / SLICE_CALLS / LOOP_SLICES;
	return failed ? -EIO : 0;
}

static int run_poll(struct bench_timing *timing)
{
	struct pollfd files[POLL_FILES];
	struct loop loop = {call_poll, files, POLL_FILES};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < POLL_FILES; i++)
		files[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	return run_loop(&loop, timing);
}

static int run_access(struct bench_timing *timing)
{
	char path[] = "/";
	struct loop loop = {call_access, path, 0};

	return run_loop(&loop, timing);
}

static double cpu_of(int whose)
{
	struct rusage usage;

	getrusage(whose, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int bench_load_main(int argc, char **argv)
{
	struct bench_timing timing = {0};
	FILE *out;
	int ret;

	if (argc != 5)
		return 2;
	switch (atoi(argv[2])) {
	case BENCH_POLL:
		ret = run_poll(&timing);
		break;
	case BENCH_ACCESS:
		ret = run_access(&timing);
		break;
	default:
		ret = run_command(argv[4], &timing);
	}
	timing.total_cpu_s = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
	if (ret) {
		fprintf(stderr, "the load failed (%s); --load takes another\n", argv[4]);
		return 2;
	}
	out = fopen(argv[3], "we");
	if (!out || fwrite(&timing, sizeof(timing), 1, out) != 1 || fclose(out)) {
		fprintf(stderr, "cannot write %s\n", argv[3]);
		return 2;
	}
	return 0;
}
