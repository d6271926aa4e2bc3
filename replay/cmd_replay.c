/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab replay: a trace through machines, measured, into a result file. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "replay/commands.h"
#include "replay/session.h"
#include "results/term.h"

static const char doc[] =
	"Run a trace through simulated machines and measure them side by side.\v"
	"Models: see 'kmlab models'. MODEL@PROFILE replays another kernel generation.\n"
	"\nEXAMPLES\n"
	"  kmlab replay a.kmt --model kernel,slub,buddy,vmalloc,bump,null -o a.kmr\n"
	"  kmlab replay a.kmt --model slub@6.1,slub@6.18 --reps 5 -o gen.kmr --format json";

enum { OPT_FORMAT = 256, OPT_SEED, OPT_REPS, OPT_ALLOW_LOSS };

static const struct argp_option argp_options[] = {
	{"model", 'm', "A,B,…", 0, "Models to replay (default kernel,slub)", 0},
	{"param", 'p', "KEY=VALUE", 0, "Set a profile switch of every model; repeatable", 0},
	{"output", 'o', "R.kmr", 0, "Store the runs here (default results/TRACE.kmr)", 0},
	{"seed", OPT_SEED, "N", 0, "Seed of placement and freelist order (default 1)", 0},
	{"reps", OPT_REPS, "N", 0, "Repetitions, interleaved over the models (default 1)", 0},
	{"allow-loss", OPT_ALLOW_LOSS, NULL, 0, "Replay a trace with lost events", 0},
	{"format", OPT_FORMAT, "table|json|csv|tsv", 0, "Document on stdout (default table)", 0},
	{"quiet", 'q', NULL, 0, "No notes, no progress", 0},
	{0},
};

static void parse_models(struct km_replay_options *options, char *list, struct argp_state *state)
{
	struct km_err err;

	options->nr_choices = 0;
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		if (options->nr_choices == KM_MAX_CHOICES)
			argp_error(state, "at most %d models at once", KM_MAX_CHOICES);
		if (km_model_choice_parse(name, &options->choices[options->nr_choices], &err)) {
			km_error("%s", err.text);
			exit(KM_EXIT_ERROR);
		}
		options->nr_choices++;
	}
}

static void parse_param(struct km_replay_options *options, const char *text,
			struct argp_state *state)
{
	struct km_param *param = &options->params[options->nr_params];
	struct km_profile scratch = {0};
	const char *equals = strchr(text, '=');
	char *end = NULL;

	if (equals)
		param->value = strtoull(equals + 1, &end, 0);
	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(param->name) ||
	    end == equals + 1 || *end)
		argp_error(state, "'%s' is not KEY=NUMBER", text);
	snprintf(param->name, sizeof(param->name), "%.*s", (int)(equals - text), text);
	if (km_profile_set(&scratch, param->name, param->value))
		argp_error(state, "there is no parameter '%s'; 'kmlab models' lists them",
			   param->name);
	if (++options->nr_params == KM_MAX_PARAMS)
		argp_error(state, "at most %d parameters", KM_MAX_PARAMS - 1);
}

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most,
			     struct argp_state *state)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (end == text || *end || value < least || value > most)
		argp_error(state, "'%s' is not a number from %llu to %llu", text,
			   (unsigned long long)least, (unsigned long long)most);
	return value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct km_replay_options *options = state->input;

	switch (key) {
	case 'm':
		parse_models(options, arg, state);
		return 0;
	case 'p':
		parse_param(options, arg, state);
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case 'q':
		km_quiet = true;
		return 0;
	case OPT_SEED:
		options->seed = parse_number(arg, 0, UINT64_MAX - 1, state);
		return 0;
	case OPT_REPS:
		options->reps = (unsigned)parse_number(arg, 1, KM_MAX_REPS, state);
		return 0;
	case OPT_ALLOW_LOSS:
		options->allow_loss = true;
		return 0;
	case OPT_FORMAT:
		if (km_format_parse(arg, &options->format))
			argp_error(state, "unknown format '%s'", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (options->trace)
			argp_error(state, "one trace at a time");
		options->trace = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->trace)
			argp_error(state, "which trace? Record one with 'kmlab capture -o T.kmt'");
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

/* results/TRACE.kmr, beside where kmlab is run. */
static char *default_output(const char *trace)
{
	const char *name = strrchr(trace, '/') ? strrchr(trace, '/') + 1 : trace;
	const char *dot = strrchr(name, '.');
	char *path = NULL;

	mkdir("results", 0777);
	if (asprintf(&path, "results/%.*s.kmr", (int)(dot ? dot - name : (int)strlen(name)), name) <
	    0)
		return NULL;
	return path;
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
	static const struct argp argp = {argp_options, parse_option, "T.kmt", doc,
					 NULL,         NULL,         NULL};
	static struct km_session session;
	struct km_err err = {""};
	char *output = NULL;
	int code;

	session.options.seed = 1;
	session.options.reps = 1;
	km_model_choice_parse("kernel", &session.options.choices[0], NULL);
	km_model_choice_parse("slub", &session.options.choices[1], NULL);
	session.options.nr_choices = 2;
	remember_command(&session.options, argc, argv);
	if (argp_parse(&argp, argc, argv, 0, NULL, &session.options))
		return KM_EXIT_ERROR;
	if (!session.options.output)
		session.options.output = output = default_output(session.options.trace);
	km_catch_interrupts();
	code = km_session_run(&session, &err);
	if (!code)
		km_session_print(&session);
	code = exit_code(&session, code, &err);
	km_session_close(&session);
	free(output);
	return code;
}
