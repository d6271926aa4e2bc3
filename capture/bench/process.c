/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the guard ---- */

static int guard_pipe = -1;
static pid_t guard;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path), 0;
}

/* Everyone the benchmark starts holds the pipe's other end: it closes with the last of them. */
static void watch(const struct bench *bench, int end)
{
	char none;

	setsid();
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	while (read(end, &none, 1) < 0 && errno == EINTR)
		;
	rmdir(bench->instance); /* of tracefs: also switches its events off */
	nftw(bench->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	_exit(0);
}

static int mount_tracefs(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	if (access("/sys/kernel/tracing/events", F_OK))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	return 0; /* that tracefs is missing is found where it is used */
}

int bench_guard_begin(struct bench *bench, struct km_err *err)
{
	const char *temporary = getenv("TMPDIR");
	int ends[2], ret = mount_tracefs();

	if (ret)
		return km_fail(err, ret, "no private mounts (%s): measuring tracers needs root",
			       strerror(-ret));
	snprintf(bench->directory, sizeof(bench->directory), "%s/kmlab-bench-capture-XXXXXX",
		 temporary ? temporary : "/tmp");
	snprintf(bench->instance, sizeof(bench->instance),
		 "/sys/kernel/tracing/instances/kmlab-bench-%d", (int)getpid());
	if (!mkdtemp(bench->directory))
		return km_fail(err, -errno, "no temporary directory %s: %s", bench->directory,
			       strerror(errno));
	if (pipe(ends) || (guard = fork()) < 0) {
		ret = -errno;
		rmdir(bench->directory);
		return km_fail(err, ret, "no guard could be started: %s", strerror(-ret));
	}
	if (guard == 0) {
		close(ends[1]);
		watch(bench, ends[0]);
	}
	close(ends[0]);
	guard_pipe = ends[1];
	return 0;
}

void bench_guard_end(void)
{
	close(guard_pipe);
	while (waitpid(guard, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- programs ---- */

static void become(char *const argv[], const char *log)
{
	int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	fflush(stderr);
	_exit(127);
}

static void last_line(const char *path, char *text, int room)
{
	FILE *in = fopen(path, "re");
	char line[256];

	text[0] = '\0';
	while (in && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			snprintf(text, (size_t)room, "%s", line);
	}
	if (in)
		fclose(in);
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

int bench_execute(const struct bench *bench, char *const argv[], double *cpu_s, struct km_err *err)
{
	char log[BENCH_PATH + 8], why[256];
	struct rusage usage;
	int status, got;
	pid_t pid;

	snprintf(log, sizeof(log), "%s/log", bench->directory);
	pid = fork();
	if (pid == 0)
		become(argv, log);
	do
		got = pid < 0 ? -1 : wait4(pid, &status, 0, &usage);
	while (pid > 0 && got < 0 && errno == EINTR);
	if (got < 0)
		return km_fail(err, -errno, "cannot run %s: %s", argv[0], strerror(errno));
	if (cpu_s)
		*cpu_s = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	last_line(log, why, sizeof(why));
	return km_fail(err, -EIO, "%s failed: %s", argv[0], why[0] ? why : "it said nothing");
}
