/* SPDX-License-Identifier: GPL-2.0-only */
/* What all commands read from their command lines in one way. */
#include "results/options.h"

#include "results/term.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

static const struct argp_option options[] = {
	{"format", 'f', "FMT", 0, "What stdout carries: table (default), json, csv or tsv", 0},
	{"quiet", 'q', NULL, 0, "No notes and no progress on stderr", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct km_common_options *common = state->input;

	switch (key) {
	case 'f':
		if (km_format_parse(arg, &common->format))
			argp_error(state, "unknown format '%s'; it is table, json, csv or tsv",
				   arg);
		common->format_given = true;
		return 0;
	case 'q':
		km_quiet = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp common_argp = {.options = options, .parser = parse_option};

const struct argp_child km_common_children[] = {{.argp = &common_argp}, {0}};

bool km_read_number(const char *text, uint64_t *value)
{
	/* No octal: 010 is ten. */
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	char *end = NULL;

	errno = 0;
	*value = strtoull(text, &end, base);
	/* strtoull() takes blanks and signs, too. */
	return isdigit((unsigned char)text[0]) && !*end && !errno;
}

uint64_t km_parse_number(struct argp_state *state, const char *what, const char *text,
			 uint64_t least, uint64_t most)
{
	uint64_t value;

	if (km_read_number(text, &value) && value >= least && value <= most)
		return value;
	if (least == 0 && most == UINT64_MAX)
		argp_error(state, "%s takes a number, not '%s'", what, text);
	else
		argp_error(state, "%s takes %llu to %llu, not '%s'", what,
			   (unsigned long long)least, (unsigned long long)most, text);
	return least;
}

void km_take_trace(struct argp_state *state, const char *arg, const char **trace)
{
	if (!arg)
		argp_error(state, "no trace given; make one with 'kmlab capture'");
	else if (*trace)
		argp_error(state, "one trace at a time; '%s' is a second", arg);
	*trace = arg;
}
