/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab sweep: its three parts, and `sweep run`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/commands.h"
#include "replay/sweep.h"
#include "results/options.h"
#include "results/term.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *called;
} parts[] = {
	{"plan", km_cmd_sweep_plan, "kmlab sweep plan"},
	{"run", km_cmd_sweep_run, "kmlab sweep run"},
	{"merge", km_cmd_sweep_merge, "kmlab sweep merge"},
};

static const char overview[] =
	"Replay many traces through many models with many parameters, on this machine or a "
	"cluster.\v"
	"plan writes the jobs down, one a line; run does those that are not done yet; merge puts "
	"the result files of several machines together and says what is missing. Each has a --help "
	"of its own.\n\n"
	"EXAMPLES\n"
	"  kmlab sweep plan *.kmt -m slub,slub@7.2 -p fallback=0,1 --reps 5 -o plan.tsv\n"
	"  kmlab sweep run plan.tsv -o all.kmr   # killed: the same line goes on\n"
	"  kmlab compare all.kmr; kmlab report all.kmr -o out\n"
	"\nOn a cluster, an array job of SLURM (--array=1-16 --exclusive):\n"
	"  K=$SLURM_ARRAY_TASK_ID N=$SLURM_ARRAY_TASK_COUNT\n"
	"  kmlab sweep run plan.tsv --shard $K/$N -o part-$K.kmr\n"
	"and when all have ended:\n"
	"  kmlab sweep merge part-*.kmr --plan plan.tsv -o all.kmr";

static error_t refuse_word(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "there is no part '%s'; it is plan, run or merge", arg);
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "say which part: plan, run or merge");
	return ARGP_ERR_UNKNOWN;
}

int km_cmd_sweep(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = refuse_word, .args_doc = "plan|run|merge …", .doc = overview};
	static char called[32];

	for (size_t i = 0; argc > 1 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(argv[1], parts[i].name))
			continue;
		snprintf(called, sizeof(called), "%s", parts[i].called);
		argv[1] = called;
		return parts[i].run(argc - 1, argv + 1);
	}
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	return KM_EXIT_ERROR;
}

/* ---- sweep run ---- */

enum { OPT_SHARD = 256, OPT_SCATTER, OPT_JOBS, OPT_AGAIN };

static const struct argp_option run_options[] = {
	{"output", 'o', "R.kmr", 0, "Store the runs here; what it holds already is not run again",
	 0},
	{"workers", 'j', "N", 0,
	 "Run so many jobs at once (default 1). More than one: latencies are marked as measured "
	 "with neighbours; footprints do not change",
	 0},
	{"shard", OPT_SHARD, "K/N", 0,
	 "Only the K-th of N shards, from 1. Runs of one trace, seed and repetition stay together, "
	 "so that one machine times what is compared",
	 0},
	{"scatter", OPT_SCATTER, NULL, 0,
	 "With --shard: deal out single jobs; timings of one machine are not compared with those "
	 "of another",
	 0},
	{"jobs", OPT_JOBS, "A-B", 0, "Only jobs A to B of the plan, from 1", 0},
	{"again", OPT_AGAIN, NULL, 0, "Also what is done already", 0},
	{0},
};

struct run_arguments {
	struct km_sweep sweep;
	const char *plan;
	unsigned shard, shards;
	size_t first, last;
	bool scatter;
	struct km_common_options common;
};

/* "3/16" or "5-9". */
static void parse_pair(struct argp_state *state, const char *option, const char *text, char between,
		       uint64_t most, uint64_t pair[2])
{
	const char *middle = strchr(text, between);
	char first[24];

	pair[0] = pair[1] = 0;
	if (middle && (size_t)(middle - text) < sizeof(first)) {
		snprintf(first, sizeof(first), "%.*s", (int)(middle - text), text);
		if (!km_read_number(first, &pair[0]) || !km_read_number(middle + 1, &pair[1]))
			pair[0] = pair[1] = 0;
	}
	if (!pair[0] || pair[0] > pair[1] || pair[1] > most)
		argp_error(state, "%s takes %s, both from 1, not '%s'%s", option,
			   between == '/' ? "K/N with K up to N" : "A-B with A up to B", text,
			   !strncmp(text, "0/", 2) ? "; number the array from 1: --array=1-N" : "");
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct run_arguments *arguments = state->input;
	uint64_t pair[2];

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case 'o':
		arguments->sweep.output = arg;
		return 0;
	case 'j':
		arguments->sweep.workers = (unsigned)km_parse_number(state, "--workers", arg, 1,
								     KM_SWEEP_MOST_WORKERS);
		return 0;
	case OPT_SHARD:
		parse_pair(state, "--shard", arg, '/', KM_SWEEP_MOST_JOBS, pair);
		arguments->shard = (unsigned)pair[0];
		arguments->shards = (unsigned)pair[1];
		return 0;
	case OPT_SCATTER:
		arguments->scatter = true;
		return 0;
	case OPT_JOBS:
		parse_pair(state, "--jobs", arg, '-', KM_SWEEP_MOST_JOBS, pair);
		arguments->first = pair[0];
		arguments->last = pair[1];
		return 0;
	case OPT_AGAIN:
		arguments->sweep.again = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->plan)
			argp_error(state, "one plan at a time; '%s' is a second", arg);
		arguments->plan = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->plan)
			argp_error(state, "no plan given; make one with 'kmlab sweep plan'");
		else if (!arguments->sweep.output)
			argp_error(state, "say with -o where the runs are to be stored");
		else if (arguments->shard && arguments->first)
			argp_error(state, "--shard and --jobs both choose jobs; give one of them");
		else if (arguments->scatter && !arguments->shard)
			argp_error(state, "--scatter goes with --shard");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int take_jobs(struct run_arguments *arguments, const struct km_sweep_plan *plan,
		     struct km_err *err)
{
	struct km_sweep *sweep = &arguments->sweep;
	size_t taken;

	sweep->plan = plan;
	sweep->states = calloc(plan->nr_jobs, sizeof(*sweep->states));
	sweep->why = calloc(plan->nr_jobs, sizeof(*sweep->why));
	if (!sweep->states || !sweep->why)
		return km_fail(err, -ENOMEM, "no memory to run the sweep");
	sweep->count[KM_SWEEP_APART] = plan->nr_jobs;
	if (arguments->first > plan->nr_jobs)
		return km_fail(err, -EINVAL, "--jobs begins at %zu, and %s holds %zu",
			       arguments->first, plan->name, plan->nr_jobs);
	if (arguments->shard)
		km_sweep_take_shard(sweep, arguments->shard, arguments->shards, arguments->scatter);
	else if (arguments->first)
		km_sweep_take_range(sweep, arguments->first, arguments->last);
	else
		km_sweep_take_range(sweep, 1, plan->nr_jobs);
	taken = sweep->count[KM_SWEEP_WAITING];
	if (!taken && arguments->scatter)
		km_note("shard %u of %u is empty: %s holds %zu jobs", arguments->shard,
			arguments->shards, plan->name, plan->nr_jobs);
	else if (!taken)
		km_note("shard %u of %u is empty: runs of one trace, seed and repetition stay "
			"together, and %s has %u such groups; --scatter deals out single jobs",
			arguments->shard, arguments->shards, plan->name, plan->nr_groups);
	return 0;
}

static int finish_run(const struct km_sweep *sweep, int code, const struct km_err *err)
{
	const size_t *count = sweep->count;

	if (code == -EINTR || km_interrupted()) {
		km_note("interrupted; stored in %s: %zu, left: %zu; the same command goes on",
			sweep->output, count[KM_SWEEP_DONE] + count[KM_SWEEP_EARLIER],
			count[KM_SWEEP_WAITING]);
		return KM_EXIT_INTERRUPTED;
	}
	if (code)
		return km_error("%s", err->text);
	km_note("stored in %s: %zu; done before: %zu; failed: %zu", sweep->output,
		count[KM_SWEEP_DONE], count[KM_SWEEP_EARLIER], count[KM_SWEEP_FAILED]);
	return count[KM_SWEEP_FAILED] ? KM_EXIT_NO : KM_EXIT_OK;
}

static char *join(int argc, char **argv)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	for (int i = 0; out && i < argc; i++)
		fprintf(out, "%s%s", i ? " " : "", argv[i]);
	return out && !fclose(out) ? text : NULL;
}

int km_cmd_sweep_run(int argc, char **argv)
{
	static const char doc[] =
		"Run the jobs of a plan that are not done yet, into a result file.\v"
		"Each job is a process of its own and is stored as soon as it is done: after an "
		"interrupt, a kill or a crash the same command goes on. One that fails is told "
		"and remembered, the others are run; running again tries it again. Of one "
		"repetition "
		"the models and parameters take turns, as in 'kmlab replay'. Each timed run says "
		"its "
		"host and how many were made at once.\n"
		"A plan may name malloc:LIBRARY.so, which is loaded: look at a plan from elsewhere "
		"as you would at a script.\n\n"
		"Exit status: 0 all done, 1 a job failed, 130 interrupted after saving.\n\n"
		"EXAMPLES\n"
		"  kmlab sweep run plan.tsv -o all.kmr\n"
		"  kmlab sweep run plan.tsv --shard 3/16 -o part-3.kmr\n"
		"  awk -F'\\t' '$4 == \"slub\"' plan.tsv | kmlab sweep run - -o slub.kmr";
	static const struct argp argp = {run_options,        parse_run, "PLAN", doc,
					 km_common_children, NULL,      NULL};
	struct run_arguments arguments = {.sweep = {.workers = 1, .lock = -1}};
	struct km_sweep *sweep = &arguments.sweep;
	struct km_sweep_plan plan = {0};
	struct km_err err = {""};
	char *command = join(argc, argv);
	int code, status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return KM_EXIT_ERROR;
	sweep->command = command ? command : argv[0];
	km_catch_interrupts();
	code = km_sweep_plan_read(arguments.plan, &plan, &err);
	if (!code)
		code = take_jobs(&arguments, &plan, &err);
	if (!code && sweep->count[KM_SWEEP_WAITING])
		code = km_sweep_run(sweep, &err);
	if (!sweep->states || (code && code != -EINTR && !sweep->result))
		status = km_error("%s", err.text);
	else
		status = finish_run(sweep, code, &err);
	if (status != KM_EXIT_ERROR)
		km_sweep_print_jobs(sweep, arguments.common.format);
	if (km_sweep_close(sweep, &err))
		status = km_error("%s", err.text);
	km_sweep_plan_free(&plan);
	free(command);
	return status;
}
