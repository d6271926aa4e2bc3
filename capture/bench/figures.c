/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures. Each is computed round by round, comparisons within the round, so that a busy
 * machine slows both sides alike; then the median of the rounds and its 95 % interval, from
 * resampling the rounds (percentile bootstrap).
 */
#include "capture/bench/bench.h"
#include "results/sorted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define RESAMPLES 10000

/* ---- one value of a figure: of a run, and of the run it is compared with ---- */

static double load_seconds(const struct bench_run *run, const struct bench_run *untraced)
{
	(void)untraced;
	return run->timing.seconds;
}

static double slowdown(const struct bench_run *run, const struct bench_run *untraced)
{
	return run->timing.seconds / untraced->timing.seconds;
}

static double offered(const struct bench_run *run, const struct bench_run *untraced)
{
	(void)untraced;
	return run->kept + run->lost;
}

static double lost_percent(const struct bench_run *run, const struct bench_run *untraced)
{
	return 100 * run->lost / offered(run, untraced);
}

static double bytes_per_event(const struct bench_run *run, const struct bench_run *untraced)
{
	(void)untraced;
	return run->bytes / run->kept;
}

static double tracer_cpu_ns(const struct bench_run *run, const struct bench_run *untraced)
{
	return run->tracer_cpu_s * 1e9 / offered(run, untraced);
}

/* A loop's time in units of the system call without events that ran between its slices. */
static double cpu_calls(const struct bench_run *run, const struct bench_run *untraced)
{
	(void)untraced;
	return run->timing.cpu_ns / run->timing.nothing_ns;
}

static double added_cpu_calls(const struct bench_run *run, const struct bench_run *untraced)
{
	return cpu_calls(run, NULL) - cpu_calls(untraced, NULL);
}

static const struct figure {
	const char *name, *unit;
	double (*of)(const struct bench_run *run, const struct bench_run *untraced);
	enum bench_load load;
	bool of_tracers; /* it says nothing of untraced runs */
	bool compared;   /* also of the peers as a multiple of kmlab's */
} figures[] = {
	{"load: time", "s", load_seconds, BENCH_COMMAND, false, false},
	{"load: slowdown", "x untraced", slowdown, BENCH_COMMAND, true, true},
	{"load: events offered", "", offered, BENCH_COMMAND, false, false},
	{"load: events lost", "%", lost_percent, BENCH_COMMAND, false, false},
	{"load: stored", "B/event kept", bytes_per_event, BENCH_COMMAND, false, true},
	{"load: CPU of the tracer", "ns/event", tracer_cpu_ns, BENCH_COMMAND, false, false},
	{"poll: CPU", "ns/event", cpu_calls, BENCH_POLL, false, false},
	{"poll: CPU added", "ns/event", added_cpu_calls, BENCH_POLL, true, true},
	{"poll: events lost", "%", lost_percent, BENCH_POLL, false, false},
	{"access: CPU", "ns/event", cpu_calls, BENCH_ACCESS, false, false},
	{"access: CPU added", "ns/event", added_cpu_calls, BENCH_ACCESS, true, true},
	{"access: events lost", "%", lost_percent, BENCH_ACCESS, false, false},
};

#define NR_FIGURES (sizeof(figures) / sizeof(figures[0]))

static bool in_calls(const struct figure *figure)
{
	return figure->of == cpu_calls || figure->of == added_cpu_calls;
}

static double value_of(const struct bench *bench, const struct figure *figure,
		       enum bench_setup_id setup, unsigned round)
{
	double value = figure->of(&bench->runs[setup][figure->load][round],
				  &bench->runs[BENCH_UNTRACED][figure->load][round]);

	return in_calls(figure) ? value * bench->nothing_ns : value;
}

/* ---- the median and its interval ---- */

struct spread {
	double median, low, high; /* low and high: NAN where one round says nothing of them */
};

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static struct spread spread_of(const double *values, unsigned n)
{
	static double medians[RESAMPLES];
	double sample[BENCH_MAX_ROUNDS];
	struct spread spread = {.low = NAN, .high = NAN};
	uint64_t state = 1;

	memcpy(sample, values, n * sizeof(*values));
	spread.median = km_median(sample, n);
	if (n < 2)
		return spread;
	for (unsigned i = 0; i < RESAMPLES; i++) {
		for (unsigned j = 0; j < n; j++)
			sample[j] = values[next_random(&state) % n];
		medians[i] = km_median(sample, n);
	}
	km_sort(medians, RESAMPLES);
	spread.low = medians[RESAMPLES / 40];
	spread.high = medians[RESAMPLES - 1 - RESAMPLES / 40];
	return spread;
}

/* How long the system call without events takes, at the speed this machine mostly has. */
static double usual_nothing_ns(const struct bench *bench)
{
	static double values[BENCH_NR_SETUPS * BENCH_NR_LOADS * BENCH_MAX_ROUNDS];
	unsigned n = 0;

	for (unsigned setup = 0; setup < BENCH_NR_SETUPS; setup++)
		for (unsigned load = 0; load < BENCH_NR_LOADS; load++)
			for (unsigned i = 0; i < bench->rounds; i++)
				if (bench->runs[setup][load][i].timing.nothing_ns > 0)
					values[n++] = bench->runs[setup][load][i].timing.nothing_ns;
	return n ? km_median(values, n) : NAN;
}

/* ---- the document ---- */

struct sink {
	struct km_json *json;   /* or NULL */
	struct km_table *table; /* or NULL */
};

static void put_number(const struct sink *sink, const char *key, double value)
{
	if (sink->json)
		km_json_f64(sink->json, key, value);
	else if (isfinite(value))
		km_table_cellf(sink->table, fabs(value) < 1e5 ? "%.5g" : "%.0f", value);
	else
		km_table_cell(sink->table, NULL);
}

static void put_text(const struct sink *sink, const char *key, const char *text)
{
	if (sink->json)
		km_json_str(sink->json, key, text);
	else
		km_table_cell(sink->table, text);
}

static void put_row(const struct sink *sink, const char *name, const char *unit, const char *setup,
		    const double *values, unsigned rounds)
{
	struct spread spread;

	for (unsigned i = 0; i < rounds; i++)
		if (!isfinite(values[i]))
			return; /* not measured: no row */
	spread = spread_of(values, rounds);
	if (sink->json)
		km_json_object(sink->json, NULL);
	put_text(sink, "figure", name);
	put_text(sink, "setup", setup);
	put_number(sink, "median", spread.median);
	put_number(sink, "low", spread.low);
	put_number(sink, "high", spread.high);
	put_text(sink, "unit", unit);
	if (!sink->json)
		return;
	km_json_array(sink->json, "rounds");
	for (unsigned i = 0; i < rounds; i++)
		km_json_f64(sink->json, NULL, values[i]);
	km_json_close(sink->json);
	km_json_close(sink->json);
}

static void put_figure(const struct sink *sink, const struct bench *bench,
		       const struct figure *figure)
{
	double values[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
	bool compared = figure->compared && !bench->missing[BENCH_KMLAB][0];

	for (unsigned setup = 0; setup < BENCH_NR_SETUPS; setup++) {
		if (bench->missing[setup][0] || (setup == BENCH_UNTRACED && figure->of_tracers))
			continue;
		for (unsigned i = 0; i < bench->rounds; i++) {
			values[i] = value_of(bench, figure, setup, i);
			ratios[i] = values[i] / value_of(bench, figure, BENCH_KMLAB, i);
		}
		put_row(sink, figure->name, figure->unit, bench_setup_names[setup], values,
			bench->rounds);
		if (compared && setup > BENCH_KMLAB)
			put_row(sink, figure->name, "x kmlab", bench_setup_names[setup], ratios,
				bench->rounds);
	}
}

static void print_json(const struct bench *bench)
{
	struct km_json json;
	struct sink sink = {.json = &json};
	struct utsname system;

	uname(&system);
	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "kernel", system.release);
	km_json_i64(&json, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	km_json_f64(&json, "load_average", bench->load_average);
	km_json_u64(&json, "rounds", bench->rounds);
	km_json_u64(&json, "seed", bench->seed);
	km_json_f64(&json, "getppid_ns", bench->nothing_ns);
	km_json_array(&json, "setups");
	for (unsigned i = 0; i < BENCH_NR_SETUPS; i++) {
		km_json_object(&json, NULL);
		km_json_str(&json, "setup", bench_setup_names[i]);
		km_json_str(&json, "how", bench->how[i]);
		km_json_str(&json, "missing", bench->missing[i][0] ? bench->missing[i] : NULL);
		km_json_close(&json);
	}
	km_json_close(&json);
	km_json_array(&json, "figures");
	for (unsigned i = 0; i < NR_FIGURES; i++)
		put_figure(&sink, bench, &figures[i]);
	km_json_close(&json);
	km_json_end(&json);
}

/* A table has no place for text beside the figures: a row without numbers carries it. */
static void put_text_row(struct km_table *table, const char *what, const char *setup,
			 const char *text)
{
	km_table_cell(table, what);
	km_table_cell(table, setup);
	for (unsigned empty = 0; empty < 3; empty++)
		km_table_cell(table, NULL);
	km_table_cell(table, text);
}

static void print_table(const struct bench *bench, enum km_format format)
{
	static const char *const titles[] = {"figure", "setup", "median>", "low>", "high>", "unit"};
	struct km_table *table = km_table_new(6, titles);
	struct sink sink = {.table = table};
	struct utsname system;
	char machine[512];

	uname(&system);
	snprintf(machine, sizeof(machine),
		 "Linux %s, %ld CPUs, load average %.2f at the start; median and 95 %% interval of "
		 "%u rounds in random order (seed %llu); loops at the speed at which getppid(2), "
		 "taken between their slices, needs %.1f ns",
		 system.release, sysconf(_SC_NPROCESSORS_ONLN), bench->load_average, bench->rounds,
		 (unsigned long long)bench->seed, bench->nothing_ns);
	put_text_row(table, "machine", NULL, machine);
	for (unsigned i = 0; i < BENCH_NR_SETUPS; i++)
		put_text_row(table, bench->missing[i][0] ? "missing" : "setup",
			     bench_setup_names[i],
			     bench->missing[i][0] ? bench->missing[i] : bench->how[i]);
	for (unsigned i = 0; i < NR_FIGURES; i++)
		put_figure(&sink, bench, &figures[i]);
	km_table_print(table, stdout, format);
	km_table_free(table);
}

void bench_print(struct bench *bench, enum km_format format)
{
	bench->nothing_ns = usual_nothing_ns(bench);
	if (format == KM_FORMAT_JSON)
		print_json(bench);
	else
		print_table(bench, format);
}
