/* SPDX-License-Identifier: GPL-2.0-only */
/* Options common to the commands that read a result file and fill a directory. */
#include "options.h"

#include "results/term.h"

#include <stdlib.h>
#include <string.h>

const struct argp_option km_output_options[] = {
	{"output", 'o', "DIR", 0, "Directory for the files (made when it is not there)", 0},
	{"format", 'f', "FORMAT", 0, "What stdout carries: table, json, csv or tsv", 0},
	{"quiet", 'q', NULL, 0, "No notes on stderr", 0},
	{0}};

int km_output_option(int key, char *arg, struct argp_state *state)
{
	struct km_output_args *args = state->input;

	switch (key) {
	case 'o':
		free(args->directory);
		args->directory = strdup(arg);
		return 0;
	case 'f':
		if (km_format_parse(arg, &args->format))
			argp_error(state, "unknown format '%s'; it is table, json, csv or tsv",
				   arg);
		return 0;
	case 'q':
		km_quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->file)
			argp_error(state, "one result file at a time; '%s' is a second", arg);
		args->file = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no result file given; make one with kmlab replay");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int km_output_parse(const struct argp *argp, int argc, char **argv, const char *suffix,
		    struct km_output_args *args)
{
	size_t length;

	argp_err_exit_status = KM_EXIT_ERROR;
	if (argp_parse(argp, argc, argv, 0, NULL, args)) {
		free(args->directory);
		return KM_EXIT_ERROR;
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
