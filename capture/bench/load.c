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
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define POLL_FILES 64 /* more than poll(2) keeps on its stack: one kmalloc() and one kfree() */
#define POLL_CALLS 500000
#define POLL_WARM_UP 20000

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

static int run_poll(struct bench_timing *timing)
{
	struct pollfd files[POLL_FILES];
	double wall, cpu;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), ready = 0;

	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < POLL_FILES; i++)
		files[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	be_on_one_cpu();
	for (unsigned i = 0; i < POLL_WARM_UP; i++)
		ready = poll(files, POLL_FILES, 0);
	wall = seconds_of(CLOCK_MONOTONIC);
	cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < POLL_CALLS; i++)
		ready = poll(files, POLL_FILES, 0);
	cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
	timing->seconds = seconds_of(CLOCK_MONOTONIC) - wall;
	timing->events = 2.0 * POLL_CALLS;
	timing->wall_ns = timing->seconds * 1e9 / timing->events;
	timing->cpu_ns = cpu * 1e9 / timing->events;
	return ready == POLL_FILES ? 0 : -EIO;
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
	ret = atoi(argv[2]) == BENCH_POLL ? run_poll(&timing) : run_command(argv[4], &timing);
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
