/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab replay: a trace through machines, measured, into a result file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/commands.h"
#include "replay/session.h"
#include "results/options.h"
#include "results/term.h"

#define RESULTS "results"

static const char doc[] =
	"Run a trace through simulated machines and measure them side by side.\v"
	"Models: see 'kmlab models'. MODEL@PROFILE replays another kernel generation.\n"
	"\nEXAMPLES\n"
	"  kmlab replay a.kmt --model kernel,slub,buddy,vmalloc,bump,null -o a.kmr\n"
	"  kmlab replay a.kmt --model slub@6.1,slub@6.18 --reps 5 -o gen.kmr -f json";

enum {
	OPT_SEED = 256,
	OPT_REPS,
	OPT_ALLOW_LOSS,
	OPT_TLB,
	OPT_SOURCE,
	OPT_ACCESS,
	OPT_DIRECT_MAP,
	OPT_TOUCH
};

static const struct argp_option argp_options[] = {
	{"model", 'm', "A,B,C", 0, "Models to replay (default kernel,slub)", 0},
	{"param", 'p', "KEY=VALUE", 0, "Set a profile switch of every model; repeatable", 0},
	{"output", 'o', "R.kmr", 0, "Store the runs here (default results/TRACE.kmr)", 0},
	{"seed", OPT_SEED, "N", 0, "Seed of placement and freelist order (default 1)", 0},
	{"tlb", OPT_TLB, "NAME", 0,
	 "TLB that is simulated: host (default: this machine as 'kmlab tlb calibrate' found it), "
	 "skylake, golden-cove, zen3, zen4, neoverse-n1",
	 0},
	{"source", OPT_SOURCE, "WHAT", 0,
	 "Where TLB numbers come from: model (default) or pmu, this machine's counters", 0},
	{"access", OPT_ACCESS, "MODEL", 0,
	 "Access model of the headline TLB numbers: A0 (default), A1, A2:LAMBDA (touches of live "
	 "objects per allocation) or A2:LAMBDA:SKEW (Zipf exponent, default 1)",
	 0},
	{"direct-map", OPT_DIRECT_MAP, "SIZE", 0,
	 "Pages of the direct map in the headline TLB numbers: 1G (default), 2M, 4K or "
	 "split:PERCENT% (2M of which a share is split into 4K)",
	 0},
	{"touch", OPT_TOUCH, "ROUNDS", OPTION_ARG_OPTIONAL,
	 "Also make the touches of --access on real memory, placed as each model places them, and "
	 "time "
	 "them (11 rounds; at most 6 models)",
	 0},
	{"reps", OPT_REPS, "N", 0, "Repetitions, interleaved over the models (default 1)", 0},
	{"allow-loss", OPT_ALLOW_LOSS, NULL, 0, "Replay a trace with lost events", 0},
	{0},
};

static void parse_models(struct km_replay_options *options, char *list)
{
	struct km_err err;

	if (!km_model_choices_parse(list, options->choices, KM_MAX_CHOICES, &options->nr_choices,
				    &err))
		return;
	km_error("%s", err.text);
	exit(KM_EXIT_ERROR);
}

static void parse_param(struct km_replay_options *options, const char *text,
			struct argp_state *state)
{
	struct km_param param;
	struct km_err err;

	if (km_param_parse(text, &param, &err) || km_params_set(&options->params, &param, &err))
		argp_error(state, "%s", err.text);
}

static void parse_access(struct km_replay_options *options, const char *text,
			 struct argp_state *state)
{
	struct km_err err;

	if (km_access_parse(text, &options->access, &err))
		argp_error(state, "%s", err.text);
}

static void parse_map(struct km_replay_options *options, const char *text, struct argp_state *state)
{
	struct km_err err;

	if (km_tlb_map_parse(text, &options->map, &options->split_percent, &err))
		argp_error(state, "%s", err.text);
}

struct arguments {
	struct km_replay_options *replay;
	struct km_common_options common;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct km_replay_options *options = arguments->replay;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case 'm':
		parse_models(options, arg);
		return 0;
	case 'p':
		parse_param(options, arg, state);
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case OPT_SEED: /* a result file holds signed integers */
		options->seed = km_parse_number(state, "--seed", arg, 0, INT64_MAX);
		return 0;
	case OPT_REPS:
		options->reps = (unsigned)km_parse_number(state, "--reps", arg, 1, KM_MAX_REPS);
		return 0;
	case OPT_TLB:
		options->tlb = arg;
		return 0;
	case OPT_SOURCE:
		if (strcmp(arg, "model") && strcmp(arg, "pmu"))
			argp_error(state, "--source is model or pmu, not '%s'", arg);
		options->count_with_pmu = !strcmp(arg, "pmu");
		return 0;
	case OPT_ACCESS:
		parse_access(options, arg, state);
		return 0;
	case OPT_DIRECT_MAP:
		parse_map(options, arg, state);
		return 0;
	case OPT_TOUCH:
		options->touch_rounds = arg ? (unsigned)km_parse_number(state, "--touch", arg, 1,
									KM_BENCH_MAX_VALUES)
					    : 11;
		return 0;
	case OPT_ALLOW_LOSS:
		options->allow_loss = true;
		return 0;
	case ARGP_KEY_ARG:
	case ARGP_KEY_NO_ARGS:
		km_take_trace(state, arg, &options->trace);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void remember_command(struct km_replay_options *options, int argc, char **argv)
{
	size_t used = (size_t)snprintf(options->command, sizeof(options->command), "%s", argv[0]);

	for (int i = 1; i < argc && used < sizeof(options->command) - 1; i++)
		used += (size_t)snprintf(options->command + used, sizeof(options->command) - used,
					 " %s", argv[i]);
}

/* Where the runs go without -o: results/TRACE.kmr, below where kmlab is run. */
struct default_output {
	char *path;
	bool made_directory;
};

static int default_output(const char *trace, struct default_output *output)
{
	const char *name = strrchr(trace, '/') ? strrchr(trace, '/') + 1 : trace;
	size_t length = strlen(name);

	if (length > 4 && !strcmp(name + length - 4, ".kmt"))
		length -= 4;
	if (asprintf(&output->path, RESULTS "/%.*s.kmr", (int)length, name) < 0) {
		output->path = NULL;
		return km_error("no memory to read the arguments");
	}
	output->made_directory = mkdir(RESULTS, 0777) == 0;
	if (!output->made_directory && errno != EEXIST)
		return km_error("the directory " RESULTS " cannot be made: %s; name a file "
				"elsewhere with -o",
				strerror(errno));
	return 0;
}

/* A directory made for nothing goes away again; rmdir() leaves one that holds something. */
static void finish_default_output(struct default_output *output, unsigned nr_done, int code)
{
	if (output->path && nr_done && code != KM_EXIT_INTERRUPTED)
		km_note("the runs are stored in %s", output->path);
	if (output->made_directory && !nr_done)
		rmdir(RESULTS);
	free(output->path);
}

static int exit_code(const struct km_session *session, int code, const struct km_err *err)
{
	if (code == -EINTR || km_interrupted()) {
		km_note("interrupted; %u runs are stored in %s", session->nr_done,
			session->options.output);
		return KM_EXIT_INTERRUPTED;
	}
	return code ? km_error("%s", err->text) : KM_EXIT_OK;
}

int km_cmd_replay(int argc, char **argv)
{
	static const struct argp argp = {argp_options,       parse_option, "T.kmt", doc,
					 km_common_children, NULL,         NULL};
	static struct km_session session;
	struct arguments arguments = {.replay = &session.options};
	struct default_output output = {0};
	struct km_err err = {""};
	int code = 0;

	session.options.seed = 1;
	session.options.reps = 1;
	session.options.tlb = "host";
	km_access_parse("A0", &session.options.access, NULL);
	km_model_choice_parse("kernel", &session.options.choices[0], NULL);
	km_model_choice_parse("slub", &session.options.choices[1], NULL);
	session.options.nr_choices = 2;
	remember_command(&session.options, argc, argv);
	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return KM_EXIT_ERROR;
	session.options.format = arguments.common.format;
	if (!session.options.output)
		code = default_output(session.options.trace, &output);
	if (code)
		goto out;
	if (output.path)
		session.options.output = output.path;
	km_catch_interrupts();
	code = km_session_run(&session, &err);
	if (!code)
		km_session_print(&session);
	code = exit_code(&session, code, &err);
	if (km_session_close(&session, &err))
		code = km_error("%s", err.text);
out:
	finish_default_output(&output, session.nr_done, code);
	return code;
}
