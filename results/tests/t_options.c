/* SPDX-License-Identifier: GPL-2.0-only */
/* The options all commands take, and which numbers are numbers. */
#include "engine/tests/tap.h"
#include "results/options.h"
#include "results/term.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct arguments {
	struct km_common_options common;
	uint64_t number;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case ARGP_KEY_ARG:
		arguments->number = km_parse_number(state, "a test", arg, 2, 0xffffffffffffff00);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {.parser = parse_option, .children = km_common_children};

static int parse(struct arguments *arguments, char *option, char *value)
{
	char *argv[] = {(char *)"test", option, value, NULL};

	*arguments = (struct arguments){0};
	return argp_parse(&argp, value ? 3 : 2, argv, 0, NULL, arguments);
}

/* Exit status of a program with these arguments, what it says in `said`. */
static int status_of(char *option, char *value, char said[1024])
{
	struct arguments arguments;
	int ends[2], status = 0;
	size_t length = 0;
	ssize_t got;
	pid_t child;

	said[0] = '\0';
	if (pipe(ends))
		return -1;
	fflush(stdout);
	child = fork();
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		_exit(parse(&arguments, option, value) ? 3 : 0);
	}
	close(ends[1]);
	while (length < 1023 && (got = read(ends[0], said + length, 1023 - length)) > 0)
		length += (size_t)got;
	said[length] = '\0';
	close(ends[0]);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_common(void)
{
	struct arguments arguments;
	char said[1024];

	parse(&arguments, (char *)"5", NULL);
	TAP_EQ(arguments.common.format, KM_FORMAT_TABLE, "a table unless asked");
	TAP_OK(!arguments.common.format_given && !km_quiet, "nothing is given");
	parse(&arguments, (char *)"-f", (char *)"csv");
	TAP_EQ(arguments.common.format, KM_FORMAT_CSV, "-f csv");
	TAP_OK(arguments.common.format_given, "is given");
	parse(&arguments, (char *)"--format=json", NULL);
	TAP_EQ(arguments.common.format, KM_FORMAT_JSON, "--format=json");
	TAP_EQ(status_of((char *)"-f", (char *)"xml", said), KM_EXIT_ERROR, "-f xml is an error");
	TAP_OK(strstr(said, "unknown format 'xml'; it is table, json, csv or tsv"),
	       "which names the four");
	parse(&arguments, (char *)"-q", NULL);
	TAP_OK(km_quiet, "-q is quiet");
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {{"2", 2},
		    {"010", 10},
		    {"0x10", 16},
		    {"18446744073709551360", 0xffffffffffffff00},
		    {"0Xff", 255}};
	/* The parser would read a text that begins with - as options: -- comes before it. */
	static const char *const bad[] = {"-5",
					  "+5",
					  " 5",
					  "5 ",
					  "5x",
					  "",
					  "x",
					  "0x",
					  "0x-5",
					  "1",
					  "1e3",
					  "18446744073709551361", /* above `most` */
					  "18446744073709551616", /* above 64 bits */
					  "184467440737095516180"};
	struct arguments arguments;
	char said[1024];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		parse(&arguments, (char *)"--", (char *)good[i].text);
		TAP_OK(arguments.number == good[i].value, "'%s' is a number", good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		TAP_EQ(status_of((char *)"--", (char *)bad[i], said), KM_EXIT_ERROR,
		       "'%s' is refused", bad[i]);
		TAP_OK(strstr(said, "a test takes 2 to 18446744073709551360, not '"),
		       "with the range");
	}
}

static error_t parse_trace(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG && key != ARGP_KEY_NO_ARGS)
		return ARGP_ERR_UNKNOWN;
	km_take_trace(state, arg, state->input);
	return 0;
}

static int traces_status(int nr, const char **trace)
{
	static const struct argp one = {.parser = parse_trace};
	char *argv[] = {(char *)"test", (char *)"a.kmt", (char *)"b.kmt", NULL};
	int status = 0;
	pid_t child;

	argv[1 + nr] = NULL;
	*trace = NULL;
	if (nr == 1)
		return argp_parse(&one, 2, argv, 0, NULL, trace);
	fflush(stdout);
	child = fork();
	if (!child) {
		fclose(stderr);
		_exit(argp_parse(&one, 1 + nr, argv, 0, NULL, trace) ? 3 : 0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_trace(void)
{
	const char *trace;

	TAP_EQ(traces_status(1, &trace), 0, "one trace");
	TAP_OK(trace && !strcmp(trace, "a.kmt"), "is taken");
	TAP_EQ(traces_status(0, &trace), KM_EXIT_ERROR, "none is an error");
	TAP_EQ(traces_status(2, &trace), KM_EXIT_ERROR, "so is a second");
}

int main(void)
{
	argp_err_exit_status = KM_EXIT_ERROR;
	test_common();
	test_numbers();
	test_trace();
	return tap_done();
}
