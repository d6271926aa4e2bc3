/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What recording costs beside its peers, measured interleaved: in each round every setup runs all
 * loads once, in random order.
 */
#include "capture/bench/bench.h"

#include <argp.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/options.h"
#include "results/term.h"

static const char doc[] =
	"Measure what recording costs, untraced and under each tracer: a load (messages between "
	"processes) and two loops, of poll(2), which makes one kmalloc() and one kfree() a call "
	"and "
	"copies half a KiB, and of access(2), which makes one kmem_cache_alloc() and one "
	"kmem_cache_free().\n"
	"\v"
	"RECORDER is kmlab-capture with its options. Needs root; the tracing of others is not "
	"touched.";

static const struct argp_option options[] = {
	{"rounds", 'r', "N", 0, "Measure everything N times (5)", 0},
	{"load", 'l', "CMD", 0, "The load (perf bench sched messaging -g 4 -l 1000)", 0},
	{"seed", 's', "N", 0, "Of the order within the rounds (1)", 0},
	{0},
};

struct arguments {
	struct bench *bench;
	struct km_common_options common;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct bench *bench = arguments->bench;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case 'r':
		bench->rounds =
			(unsigned)km_parse_number(state, "--rounds", arg, 1, BENCH_MAX_ROUNDS);
		return 0;
	case 'l':
		bench->command = arg;
		return 0;
	case 's':
		bench->seed = km_parse_number(state, "--seed", arg, 0, UINT32_MAX);
		return 0;
	case ARGP_KEY_ARGS:
		bench->recorder = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "give the recorder to measure: -- kmlab-capture [OPTION...]");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.options = options,
				 .parser = parse,
				 .args_doc = "-- RECORDER...",
				 .doc = doc,
				 .children = km_common_children};

static void shuffle(unsigned *order, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned other = (unsigned)(lrand48() % i), kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

static int run_round(struct bench *bench, unsigned round, struct km_progress *progress,
		     struct km_err *err)
{
	unsigned order[BENCH_NR_SETUPS];
	int ret = 0;

	for (unsigned i = 0; i < BENCH_NR_SETUPS; i++)
		order[i] = i;
	shuffle(order, BENCH_NR_SETUPS);
	for (unsigned i = 0; i < BENCH_NR_SETUPS; i++) {
		for (unsigned load = 0; load < BENCH_NR_LOADS && !bench->missing[order[i]][0];
		     load++) {
			ret = bench_setup_run(bench, order[i], load,
					      &bench->runs[order[i]][load][round], err);
			if (ret)
				return ret;
		}
		km_progress_update(progress, progress->done + 1);
	}
	return 0;
}

static int measure(struct bench *bench, struct km_err *err)
{
	struct km_progress progress;
	int ret;

	ret = bench_guard_begin(bench, err);
	if (ret)
		return ret;
	if (getloadavg(&bench->load_average, 1) != 1)
		bench->load_average = NAN;
	bench_setups_probe(bench);
	srand48((long)bench->seed);
	km_progress_start(&progress, "measuring", (uint64_t)bench->rounds * BENCH_NR_SETUPS);
	for (unsigned round = 0; round < bench->rounds && !ret; round++)
		ret = run_round(bench, round, &progress, err);
	km_progress_end(&progress);
	bench_guard_end();
	return ret;
}

int main(int argc, char **argv)
{
	static struct bench bench = {
		.command = "perf bench sched messaging -g 4 -l 1000", .rounds = 5, .seed = 1};
	struct arguments arguments = {.bench = &bench};
	struct km_err err = {""};

	if (argc > 1 && strcmp(argv[1], BENCH_LOAD_WORD) == 0)
		return bench_load_main(argc, argv);
	argp_err_exit_status = KM_EXIT_ERROR;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (readlink("/proc/self/exe", bench.self, sizeof(bench.self) - 1) < 0)
		return km_error("/proc/self/exe cannot be read; mount /proc");
	if (measure(&bench, &err))
		return km_error("%s", err.text);
	bench_print(&bench, arguments.common.format);
	return KM_EXIT_OK;
}
