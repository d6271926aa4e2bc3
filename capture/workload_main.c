/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab-workload: a small, bounded load for demonstrations and tests. Five phases that make the
 * kernel allocate in different ways: processes (tasks, mm, page tables), a file tree (dentries,
 * inodes, page cache), sockets (skbs), pipes (large kmalloc, pages) and mappings (VMAs, anonymous
 * pages). Counts are primes, so that a trace's numbers are recognizable. Loopback only; everything
 * it makes it removes.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024u
#define MIB (1024u * KIB)

struct phase;

struct workload {
	double seconds, scale;
	unsigned timers; /* only make so many timers */
	char directory[64];
	const struct phase *only; /* NULL: all of them */
	double phase_end;         /* no phase goes on after its share of the time */
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static bool go_on(const struct workload *load)
{
	return !stopped && now_s() < load->phase_end;
}

static unsigned scaled(const struct workload *load, unsigned count)
{
	double many = (double)count * load->scale;

	return many < 1 ? 1 : (unsigned)many;
}

/* ---- phases: each returns what it did, in its own unit ---- */

/* fork, exec and exit; every seventh child keeps a few for company. */
static unsigned phase_processes(struct workload *load)
{
	unsigned done = 0, limit = scaled(load, 211);
	pid_t pid;

	for (; done < limit && go_on(load); done++) {
		pid = fork();
		if (pid < 0)
			break;
		if (pid == 0) {
			if (done % 7)
				execl("/bin/true", "true", (char *)NULL);
			_exit(0);
		}
		if (done % 7 == 6)
			while (waitpid(-1, NULL, 0) > 0)
				;
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	return done;
}

static int make_file(int directory, const char *name, unsigned bytes)
{
	static const char block[4 * KIB];
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	for (unsigned left = bytes; left;) {
		ssize_t put = write(fd, block, left < sizeof(block) ? left : sizeof(block));

		if (put <= 0)
			break;
		left -= (unsigned)put;
	}
	close(fd);
	return 0;
}

/* A tree of directories: create, write, stat, rename, then take all of it away. */
static unsigned phase_files(struct workload *load)
{
	unsigned done = 0, directories = scaled(load, 13);
	char name[32], other[32];
	struct stat status;
	int root = open(load->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), directory;

	for (unsigned d = 0; root >= 0 && d < directories; d++) {
		snprintf(name, sizeof(name), "d%u", d);
		if (mkdirat(root, name, 0700))
			break;
		directory = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (unsigned f = 0; directory >= 0 && f < 101 && go_on(load); f++) {
			snprintf(name, sizeof(name), "f%u", f);
			snprintf(other, sizeof(other), "renamed-%u", f);
			if (make_file(directory, name, (f % 17) * 997))
				break;
			fstatat(directory, name, &status, 0);
			renameat(directory, name, directory, other);
			fstatat(directory, name, &status, 0); /* leaves a negative dentry */
			done++;
		}
		for (unsigned f = 0; directory >= 0 && f < 101; f++) {
			snprintf(other, sizeof(other), "renamed-%u", f);
			unlinkat(directory, other, 0);
		}
		if (directory >= 0)
			close(directory);
		snprintf(name, sizeof(name), "d%u", d);
		unlinkat(root, name, AT_REMOVEDIR);
	}
	if (root >= 0)
		close(root);
	return done;
}

/* Messages through one connected pair, in bursts so that they queue as skbs. */
static unsigned exchange(const struct workload *load, int from, int to, unsigned messages)
{
	static const unsigned sizes[] = {1, 61, 127, 509, 1021, 2039, 4093};
	char buffer[4096] = "";
	unsigned done = 0;

	while (done < messages && go_on(load)) {
		size_t sent = 0;

		for (unsigned i = 0; i < 7; i++) {
			ssize_t put = send(from, buffer, sizes[i], MSG_DONTWAIT | MSG_NOSIGNAL);

			if (put <= 0)
				break;
			sent += (size_t)put;
			done++;
		}
		while (sent) {
			ssize_t got = recv(to, buffer, sizeof(buffer), 0);

			if (got <= 0)
				return done;
			sent -= (size_t)got;
		}
	}
	return done;
}

static unsigned exchange_tcp(const struct workload *load, unsigned messages)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server = -1;
	unsigned done = 0;

	if (listener >= 0 && client >= 0 &&
	    !bind(listener, (struct sockaddr *)&address, sizeof(address)) && !listen(listener, 1) &&
	    !getsockname(listener, (struct sockaddr *)&address, &length) &&
	    !connect(client, (struct sockaddr *)&address, sizeof(address)))
		server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server >= 0) {
		done = exchange(load, client, server, messages);
		close(server);
	}
	if (client >= 0)
		close(client);
	if (listener >= 0)
		close(listener);
	return done;
}

static unsigned phase_sockets(struct workload *load)
{
	unsigned done = 0, pairs = scaled(load, 11);
	int ends[2];

	for (unsigned i = 0; i < pairs && go_on(load); i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
			break;
		done += exchange(load, ends[0], ends[1], 1999);
		close(ends[0]);
		close(ends[1]);
		done += exchange_tcp(load, 1999);
	}
	return done;
}

/* Pipes of growing size (their buffer arrays are kmallocs up to several pages), filled, emptied. */
static unsigned phase_pipes(struct workload *load)
{
	static char buffer[64 * KIB];
	unsigned done = 0, limit = scaled(load, 307);
	int ends[2];

	for (; done < limit && go_on(load); done++) {
		ssize_t put;

		if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
			break;
		fcntl(ends[0], F_SETPIPE_SZ, (int)(4 * KIB << done % 9));
		while ((put = write(ends[1], buffer, sizeof(buffer))) > 0)
			;
		while (read(ends[0], buffer, sizeof(buffer)) > 0)
			;
		close(ends[0]);
		close(ends[1]);
	}
	return done;
}

/* Mappings cut into pieces, touched, and taken away. */
static unsigned phase_mappings(struct workload *load)
{
	unsigned done = 0, limit = scaled(load, 401);

	for (; done < limit && go_on(load); done++) {
		size_t bytes = (size_t)(1 + done % 5) * MIB;
		char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			break;
		for (size_t at = 0; at < bytes; at += 37 * 4 * KIB)
			memory[at] = 1;
		for (size_t at = 64 * KIB; at + 4 * KIB <= bytes; at += 256 * KIB)
			mprotect(memory + at, 4 * KIB, PROT_READ);
		munmap(memory, bytes);
	}
	return done;
}

/*
 * A known number of events: one kmalloc() in __do_sys_timerfd_create() per timer (fs/timerfd.c).
 * The free goes through kfree_rcu(), which no tracepoint shows.
 */
static int make_timers(unsigned count)
{
	int fd;

	for (unsigned i = 0; i < count && !stopped; i++) {
		fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		if (fd < 0)
			return 2;
		close(fd);
	}
	return stopped ? 130 : 0;
}

/* ---- command line ---- */

static const struct phase {
	const char *name, *unit;
	unsigned (*run)(struct workload *load);
} phases[] = {
	{"processes", "forks", phase_processes},  {"files", "files", phase_files},
	{"sockets", "messages", phase_sockets},   {"pipes", "pipes", phase_pipes},
	{"mappings", "mappings", phase_mappings},
};
#define NR_PHASES (sizeof(phases) / sizeof(phases[0]))

static const struct phase *find_phase(const char *name)
{
	for (size_t i = 0; i < NR_PHASES; i++)
		if (strcmp(phases[i].name, name) == 0)
			return &phases[i];
	return NULL;
}

static const struct argp_option options[] = {
	{"seconds", 's', "N", 0, "End after about N seconds at the latest (10)", 0},
	{"timers", 't', "N", 0, "Only create and close N timers: N kmallocs at one call site", 0},
	{"scale", 'x', "X", 0, "Do X times as much of everything (1)", 0},
	{"only", 'o', "PHASE", 0, "Only processes, files, sockets, pipes or mappings", 0},
	{0},
};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct workload *load = state->input;
	double number;
	char *end;

	if (key == ARGP_KEY_ARG)
		argp_error(state, "'%s' is left over", text);
	if (key == 'o') {
		load->only = find_phase(text);
		if (!load->only)
			argp_error(state, "there is no phase '%s'", text);
		return 0;
	}
	if (key != 's' && key != 'x' && key != 't')
		return ARGP_ERR_UNKNOWN;
	number = strtod(text, &end);
	if (end == text || *end || !(number > 0) || number > 1e8)
		argp_error(state, "a positive number is needed, not '%s'", text);
	if (key == 's')
		load->seconds = number;
	else if (key == 'x')
		load->scale = number;
	else
		load->timers = (unsigned)number;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "A bounded load on the kernel's allocators: processes, files, sockets, "
		       "pipes, mappings."};
	struct workload load = {.seconds = 10, .scale = 1};
	struct sigaction action = {.sa_handler = on_signal};
	double started = now_s(), begin;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &load);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (load.timers)
		return make_timers(load.timers);
	snprintf(load.directory, sizeof(load.directory), "/tmp/kmlab-workload.XXXXXX");
	if (!mkdtemp(load.directory)) {
		fprintf(stderr, "kmlab-workload: cannot make a directory in /tmp: %s\n",
			strerror(errno));
		return 2;
	}
	for (size_t i = 0; i < NR_PHASES && !stopped; i++) {
		unsigned done;

		if (load.only && load.only != &phases[i])
			continue;
		begin = now_s();
		/* An even share of what is left, so that every phase gets its turn. */
		load.phase_end = begin + (started + load.seconds - begin) / (double)(NR_PHASES - i);
		done = phases[i].run(&load);
		fprintf(stderr, "%-10s %7u %-9s %6.3f s\n", phases[i].name, done, phases[i].unit,
			now_s() - begin);
	}
	rmdir(load.directory);
	return stopped ? 130 : 0;
}
