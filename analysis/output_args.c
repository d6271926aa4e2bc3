/* SPDX-License-Identifier: GPL-2.0-only */
/* Arguments of the commands that read a result file and fill a directory. */
#include "output_args.h"

#include "results/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option options[] = {
	{"output", 'o', "DIR", 0, "Directory for the files (made when it is not there)", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct km_output_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case 'o':
		free(args->directory);
		args->directory = strdup(arg);
		return args->directory ? 0 : ENOMEM;
	case ARGP_KEY_ARG:
		if (args->file)
			argp_error(state, "one result file at a time; '%s' is a second", arg);
		args->file = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no result file given; make one with 'kmlab replay'");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int km_output_parse(const char *doc, int argc, char **argv, const char *suffix,
		    struct km_output_args *args)
{
	const struct argp argp = {options, parse_option, "R.kmr", doc, km_common_children,
				  NULL,    NULL};
	size_t length;

	if (argp_parse(&argp, argc, argv, 0, NULL, args)) {
		free(args->directory);
		return km_error("no memory to read the arguments");
	}
	if (!args->directory) {
		length = strlen(args->file);
		if (length > 4 && !strcmp(args->file + length - 4, ".kmr"))
			length -= 4;
		if (asprintf(&args->directory, "%.*s%s", (int)length, args->file, suffix) < 0)
			args->directory = NULL;
	}
	return args->directory ? 0 : km_error("no memory to read the arguments");
}
