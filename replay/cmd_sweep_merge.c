/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab sweep merge: the result files of a sweep as one, and what came of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/sweep.h"
#include "results/merge.h"
#include "results/options.h"
#include "results/query.h"
#include "results/term.h"

#define MOST_TOLD 10

enum { OPT_PLAN = 256, OPT_KEEP_FIRST };

static const struct argp_option options[] = {
	{"output", 'o', "R.kmr", 0,
	 "Put the runs into this file; what it holds stays. Without it they are only looked at", 0},
	{"plan", OPT_PLAN, "PLAN", 0, "Say which of its jobs are missing; exit 1 if any is", 0},
	{"keep-first", OPT_KEEP_FIRST, NULL, 0,
	 "Of a job that was timed twice, keep the run of the file named first", 0},
	{0},
};

struct arguments {
	char **files;
	int nr_files;
	const char *plan;
	struct km_sweep_merged merged;
	struct km_merge merge;
	struct km_common_options common;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case 'o':
		arguments->merged.output = arg;
		return 0;
	case OPT_PLAN:
		arguments->plan = arg;
		return 0;
	case OPT_KEEP_FIRST:
		arguments->merge.keep_first = true;
		return 0;
	case ARGP_KEY_ARGS:
		arguments->files = state->argv + state->next;
		arguments->nr_files = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no result file given; make one with 'kmlab sweep run'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool same_file(const char *a, const char *b)
{
	struct stat first, second;

	return !stat(a, &first) && !stat(b, &second) && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

/* All files or none. */
static int put_together(struct arguments *arguments, struct km_err *err)
{
	struct km_sweep_merged *merged = &arguments->merged;
	int code = km_result_begin(merged->result, err);

	if (code)
		return code;
	for (int i = 0; i < arguments->nr_files && !code; i++) {
		merged->files++;
		if (merged->output && same_file(merged->output, arguments->files[i]))
			continue; /* its runs are there */
		code = km_interrupted() ? -EINTR
					: km_result_merge(merged->result, arguments->files[i],
							  &arguments->merge, err);
	}
	if (!code)
		code = km_result_commit(merged->result, err);
	if (code)
		km_result_rollback(merged->result);
	merged->added = arguments->merge.added;
	merged->same = arguments->merge.same;
	merged->left_out = arguments->merge.left_out;
	return code;
}

static uint64_t count(struct km_result *result, const char *sql)
{
	struct km_query *rows = NULL;
	uint64_t found = 0;

	if (!km_query_open(km_result_db(result), sql, &rows, NULL) && km_query_step(rows, NULL) > 0)
		found = (uint64_t)km_query_i64(rows, 0);
	km_query_close(rows);
	return found;
}

static void find_missing(struct km_sweep_merged *merged)
{
	const struct km_sweep_plan *plan = merged->plan;
	uint64_t runs = count(merged->result, "SELECT count(*) FROM run");

	for (size_t i = 0; i < plan->nr_jobs; i++) {
		const struct km_sweep_job *job = &plan->jobs[i];
		const char *why = km_sweep_missing(merged->result, job);

		if (why && merged->missing++ < MOST_TOLD)
			km_warn("job %zu is missing (%s, %s, %s, seed %llu, repetition %u): %s",
				i + 1, job->trace, job->model, job->given,
				(unsigned long long)job->seed, job->rep, why);
	}
	merged->unplanned = runs - (plan->nr_jobs - merged->missing);
	if (merged->missing)
		km_note("missing: %llu of the plan's %zu jobs; run the plan again",
			(unsigned long long)merged->missing, plan->nr_jobs);
	if (merged->unplanned)
		km_note("runs of no job of the plan: %llu", (unsigned long long)merged->unplanned);
}

static void tell(const struct km_sweep_merged *merged)
{
	uint64_t tlbs = count(merged->result,
			      "SELECT count(DISTINCT text) FROM note WHERE name = 'tlb.name'");

	if (tlbs > 1)
		km_warn("the runs simulate %llu different TLBs, so that their misses do not "
			"compare; plan with --tlb NAME to have one for all machines",
			(unsigned long long)tlbs);
	if (merged->output)
		km_note("added to %s: %llu; there already: %llu", merged->output,
			(unsigned long long)merged->added,
			(unsigned long long)(merged->same + merged->left_out));
	if (merged->left_out)
		km_note("timed twice: %llu; those of the file named first are kept",
			(unsigned long long)merged->left_out);
}

/* A file that was made for nothing goes away again. */
static int finish(struct arguments *arguments, bool made, int code, struct km_err *err)
{
	struct km_err close_err = {""};

	if (arguments->merged.result && km_result_close(arguments->merged.result, &close_err) &&
	    !code) {
		code = -EIO;
		*err = close_err;
	}
	if (code && made)
		unlink(arguments->merged.output);
	if (code == -EINTR)
		return KM_EXIT_INTERRUPTED;
	if (code)
		return km_error("%s", err->text);
	return arguments->merged.missing ? KM_EXIT_NO : KM_EXIT_OK;
}

int km_cmd_sweep_merge(int argc, char **argv)
{
	static const char doc[] =
		"Put the result files of a sweep together, or look at one.\v"
		"A run that two files hold to the last bit is kept once. One that was timed twice, "
		"and files that disagree in what does not depend on the machine, are refused, and "
		"the output stays as it was. stdout gets medians, a row for each trace, model and "
		"parameters, with the hosts that timed them and how many runs were made at once; "
		"'kmlab compare', 'plot' and 'report' take the output.\n\n"
		"Exit status: 0, or 1 if a job of --plan is missing.\n\n"
		"EXAMPLES\n"
		"  kmlab sweep merge part-*.kmr --plan plan.tsv -o all.kmr\n"
		"  kmlab sweep merge all.kmr -f csv > all.csv";
	static const struct argp argp = {options, parse_option, "R.kmr…", doc, km_common_children,
					 NULL,    NULL};
	struct arguments arguments = {.nr_files = 0};
	struct km_sweep_merged *merged = &arguments.merged;
	struct km_sweep_plan plan = {0};
	struct km_err err = {""};
	bool made;
	int code = 0;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return KM_EXIT_ERROR;
	km_catch_interrupts();
	if (arguments.plan)
		code = km_sweep_plan_read(arguments.plan, &plan, &err);
	merged->plan = arguments.plan ? &plan : NULL;
	made = !code && merged->output && access(merged->output, F_OK);
	if (!code) /* no name: a file of SQLite's own, gone with it */
		code = km_result_create(merged->output ? merged->output : "", &merged->result,
					&err);
	if (!code)
		code = put_together(&arguments, &err);
	if (!code && merged->plan)
		find_missing(merged);
	if (!code)
		code = km_sweep_print_outcome(merged, arguments.common.format, &err);
	if (!code)
		tell(merged);
	code = finish(&arguments, made, code, &err);
	km_sweep_plan_free(&plan);
	return code;
}
