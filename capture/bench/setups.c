/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/bench/bench.h"

#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_WORDS 64

/* At two million events a second the smallest rings hold an eighth of a second. */
#define SMALL_RINGS "--ring-size=16M"

const char *const bench_setup_names[BENCH_NR_SETUPS] = {"untraced", "kmlab", "kmlab, storing",
							"ftrace", "perf"};

static const char *const events[] = {"kmem:kmalloc", "kmem:kfree", "kmem:kmem_cache_alloc",
				     "kmem:kmem_cache_free"};
#define NR_EVENTS (sizeof(events) / sizeof(events[0]))

/* ---- the command a tracer is given ---- */

struct words {
	char *argv[MAX_WORDS + 1];
	unsigned n;
	char timing[BENCH_PATH + 8], kind[8];
};

static void add(struct words *words, const char *word)
{
	if (words->n < MAX_WORDS)
		words->argv[words->n++] = (char *)word;
	words->argv[words->n] = NULL;
}

static void add_load(const struct bench *bench, struct words *words, enum bench_load load)
{
	snprintf(words->timing, sizeof(words->timing), "%s/timing", bench->directory);
	snprintf(words->kind, sizeof(words->kind), "%d", (int)load);
	add(words, bench->self);
	add(words, BENCH_LOAD_WORD);
	add(words, words->kind);
	add(words, words->timing);
	add(words, bench->command);
}

static void add_recorder(const struct bench *bench, enum bench_setup_id setup, struct words *words,
			 const char *trace)
{
	for (char **word = bench->recorder; *word; word++)
		add(words, *word);
	if (setup == BENCH_STORING)
		add(words, SMALL_RINGS);
	add(words, "-o");
	add(words, trace);
	add(words, "--");
}

static void add_perf(struct words *words, const char *data)
{
	add(words, "perf");
	add(words, "record");
	add(words, "-a");
	for (unsigned i = 0; i < NR_EVENTS; i++) {
		add(words, "-e");
		add(words, events[i]);
	}
	add(words, "-o");
	add(words, data);
	add(words, "--");
}

/* Run it; its load's timing into *timing, the CPU time that was not the load's into *tracer. */
static int execute(const struct bench *bench, struct words *words, struct bench_timing *timing,
		   double *tracer_cpu_s, struct km_err *err)
{
	double cpu_s = 0;
	int ret = bench_execute(bench, words->argv, &cpu_s, err);
	FILE *in;

	if (ret)
		return ret;
	in = fopen(words->timing, "re");
	if (!in || fread(timing, sizeof(*timing), 1, in) != 1)
		ret = km_fail(err, -EIO, "%s ran no load", words->argv[0]);
	if (in)
		fclose(in);
	unlink(words->timing);
	if (!ret && tracer_cpu_s)
		*tracer_cpu_s = cpu_s - timing->total_cpu_s;
	return ret;
}

/* ---- kmlab ---- */

static int read_trace(const char *path, struct bench_run *run, struct km_err *err)
{
	struct km_trace_counts counts;
	struct km_trace *trace;
	struct stat status;
	int ret = km_trace_open(path, &trace, err);

	if (ret)
		return ret;
	ret = km_trace_counts(trace, &counts);
	run->kept = (double)km_trace_events(trace);
	km_trace_close(trace);
	if (ret || stat(path, &status))
		return km_fail(err, ret ? ret : -errno, "the ledger of %s cannot be read", path);
	run->lost = 0;
	for (unsigned cause = 0; cause < KM_NR_LOSS_CAUSES; cause++)
		run->lost += (double)counts.lost[cause];
	run->bytes = (double)status.st_size;
	return 0;
}

static int run_recorder(struct bench *bench, enum bench_setup_id setup, enum bench_load load,
			struct bench_run *run, struct km_err *err)
{
	char trace[BENCH_PATH + 8];
	struct words words = {.n = 0};
	int ret;

	snprintf(trace, sizeof(trace), "%s/T.kmt", bench->directory);
	add_recorder(bench, setup, &words, trace);
	add_load(bench, &words, load);
	ret = execute(bench, &words, &run->timing, &run->tracer_cpu_s, err);
	if (!ret)
		ret = read_trace(trace, run, err);
	unlink(trace);
	return ret;
}

static int run_kmlab(struct bench *bench, enum bench_load load, struct bench_run *run,
		     struct km_err *err)
{
	return run_recorder(bench, BENCH_KMLAB, load, run, err);
}

static int run_storing(struct bench *bench, enum bench_load load, struct bench_run *run,
		       struct km_err *err)
{
	return run_recorder(bench, BENCH_STORING, load, run, err);
}

/* ---- perf ---- */

static int run_perf(struct bench *bench, enum bench_load load, struct bench_run *run,
		    struct km_err *err)
{
	char data[BENCH_PATH + 16];
	struct words words = {.n = 0};
	struct stat status;
	int ret;

	snprintf(data, sizeof(data), "%s/perf.data", bench->directory);
	add_perf(&words, data);
	add_load(bench, &words, load);
	ret = execute(bench, &words, &run->timing, &run->tracer_cpu_s, err);
	if (!ret)
		ret = bench_perf_data(data, &run->kept, &run->lost, err);
	if (!ret && stat(data, &status) == 0)
		run->bytes = (double)status.st_size;
	unlink(data);
	return ret;
}

/* ---- ftrace: an instance of its own, made for each run ---- */

static int instance_write(const struct bench *bench, const char *file, const char *text,
			  struct km_err *err)
{
	char path[BENCH_PATH + 80];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", bench->instance, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ret = km_fail(err, -errno, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

static int instance_begin(const struct bench *bench, struct km_err *err)
{
	int ret;

	if (mkdir(bench->instance, 0700))
		return km_fail(err, -errno, "no instance in tracefs (%s): %s", bench->instance,
			       strerror(errno));
	ret = instance_write(bench, "options/overwrite", "1", err);
	for (unsigned i = 0; i < NR_EVENTS && !ret; i++)
		ret = instance_write(bench, "set_event", events[i], err);
	return ret;
}

/* per_cpu/cpuN/stats: what lies in the ring (entries, bytes), what was overwritten or dropped. */
static void read_stats(FILE *in, struct bench_run *run)
{
	unsigned long long value;
	char line[128];

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "entries: %llu", &value) == 1)
			run->kept += (double)value;
		else if (sscanf(line, "overrun: %llu", &value) == 1 ||
			 sscanf(line, "commit overrun: %llu", &value) == 1 ||
			 sscanf(line, "dropped events: %llu", &value) == 1)
			run->lost += (double)value;
		else if (sscanf(line, "bytes: %llu", &value) == 1)
			run->bytes += (double)value;
	}
}

static int instance_read(const struct bench *bench, struct bench_run *run, struct km_err *err)
{
	char path[BENCH_PATH + 48];
	int cpus = 0;
	FILE *in;

	run->kept = run->lost = run->bytes = 0;
	for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
		snprintf(path, sizeof(path), "%s/per_cpu/cpu%ld/stats", bench->instance, cpu);
		in = fopen(path, "re");
		if (!in)
			continue;
		read_stats(in, run);
		fclose(in);
		cpus++;
	}
	return cpus ? 0 : km_fail(err, -ENOENT, "%s has no statistics", bench->instance);
}

static int run_ftrace(struct bench *bench, enum bench_load load, struct bench_run *run,
		      struct km_err *err)
{
	struct words words = {.n = 0};
	int ret = instance_begin(bench, err);

	add_load(bench, &words, load);
	if (!ret)
		ret = execute(bench, &words, &run->timing, NULL, err);
	if (!ret)
		ret = instance_write(bench, "tracing_on", "0", err);
	if (!ret)
		ret = instance_read(bench, run, err);
	if (rmdir(bench->instance) && !ret)
		ret = km_fail(err, -errno, "%s cannot be removed: %s", bench->instance,
			      strerror(errno));
	return ret;
}

/* ---- none ---- */

static int run_untraced(struct bench *bench, enum bench_load load, struct bench_run *run,
			struct km_err *err)
{
	struct words words = {.n = 0};

	add_load(bench, &words, load);
	return execute(bench, &words, &run->timing, NULL, err);
}

static int (*const runs[BENCH_NR_SETUPS])(struct bench *bench, enum bench_load load,
					  struct bench_run *run, struct km_err *err) = {
	[BENCH_UNTRACED] = run_untraced, [BENCH_KMLAB] = run_kmlab, [BENCH_STORING] = run_storing,
	[BENCH_FTRACE] = run_ftrace,     [BENCH_PERF] = run_perf,
};

int bench_setup_run(struct bench *bench, enum bench_setup_id setup, enum bench_load load,
		    struct bench_run *run, struct km_err *err)
{
	memset(run, 0, sizeof(*run));
	run->kept = run->lost = run->bytes = run->tracer_cpu_s = NAN;
	return runs[setup](bench, load, run, err);
}

/* ---- which of them there are ---- */

static void describe(char *text, size_t room, const struct words *words)
{
	size_t used = 0;

	for (unsigned i = 0; i < words->n && used < room; i++)
		used += (size_t)snprintf(text + used, room - used, "%s%s", i ? " " : "",
					 words->argv[i]);
}

static void describe_ftrace(const struct bench *bench, char *text, size_t room)
{
	char path[BENCH_PATH + 32], size[64] = "";
	FILE *in;

	snprintf(path, sizeof(path), "%s/buffer_size_kb", bench->instance);
	in = fopen(path, "re");
	if (in && fgets(size, sizeof(size), in))
		size[strcspn(size, " \n")] = '\0';
	if (in)
		fclose(in);
	snprintf(text, room,
		 "%s %s %s %s in an instance, overwriting ring of %s KiB per CPU, no reader",
		 events[0], events[1], events[2], events[3], size);
}

/* A tracer is there when it can trace something that does nothing. */
static void probe_recorder(struct bench *bench, enum bench_setup_id setup)
{
	struct words words = {.n = 0};
	char trace[BENCH_PATH + 8];
	struct km_err err = {""};

	add_recorder(bench, setup, &words, "T.kmt");
	describe(bench->how[setup], sizeof(bench->how[0]), &words);
	snprintf(trace, sizeof(trace), "%s/T.kmt", bench->directory);
	words.argv[words.n - 2] = trace;
	add(&words, "true");
	if (bench_execute(bench, words.argv, NULL, &err))
		memcpy(bench->missing[setup], err.text, sizeof(err.text));
}

static void probe_perf(struct bench *bench)
{
	struct words words = {.n = 0};
	char data[BENCH_PATH + 16];
	struct km_err err = {""};

	add_perf(&words, "perf.data");
	describe(bench->how[BENCH_PERF], sizeof(bench->how[0]), &words);
	snprintf(data, sizeof(data), "%s/perf.data", bench->directory);
	words.argv[words.n - 2] = data;
	add(&words, "true");
	if (bench_execute(bench, words.argv, NULL, &err))
		memcpy(bench->missing[BENCH_PERF], err.text, sizeof(err.text));
}

static void probe_ftrace(struct bench *bench)
{
	struct km_err err = {""};

	if (instance_begin(bench, &err))
		memcpy(bench->missing[BENCH_FTRACE], err.text, sizeof(err.text));
	else
		describe_ftrace(bench, bench->how[BENCH_FTRACE], sizeof(bench->how[0]));
	rmdir(bench->instance);
}

void bench_setups_probe(struct bench *bench)
{
	snprintf(bench->how[BENCH_UNTRACED], sizeof(bench->how[0]), "%s", bench->command);
	probe_recorder(bench, BENCH_KMLAB);
	probe_recorder(bench, BENCH_STORING);
	probe_ftrace(bench);
	probe_perf(bench);
}
