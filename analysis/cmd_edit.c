/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab edit and merge: a part of a trace, and two traces as one. */
#include "analysis.h"

#include "analysis/window.h"
#include "results/emit.h"
#include "results/options.h"
#include "results/term.h"
#include "traces/transform.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define MAX_NAMES 64
#define KEY_FILE_BYTES 4096

struct edit_args {
	const char *files[2], *output, *key_file;
	const char *caches[MAX_NAMES], *sites[MAX_NAMES];
	struct km_window window;
	struct km_edit edit;
	uint8_t cpus[KM_MAX_CPUS], key[KM_KEY_BYTES];
	char text[512];
	unsigned nr_files, max_files;
	struct km_common_options common;
};

enum { OPTION_CPU = 256, OPTION_CACHE, OPTION_SITE, OPTION_SAMPLE, OPTION_KEY };

static const struct argp_option edit_options[] = {
	{"output", 'o', "OUT.kmt", 0, "The trace to write", 0},
	{"time", 't', "A,B", 0, "What lies from A to before B, in seconds; either may be left out",
	 0},
	{"cpu", OPTION_CPU, "LIST", 0, "Events of these CPUs, as 0-3,7", 0},
	{"cache", OPTION_CACHE, "NAME", 0, "Objects of this cache (may be repeated)", 0},
	{"site", OPTION_SITE, "SYMBOL", 0,
	 "Objects allocated in this function, or below it where stacks were recorded (may be "
	 "repeated)",
	 0},
	{"sample", OPTION_SAMPLE, "1/N", 0, "One of N addresses, with all that happens there", 0},
	{"anonymise", OPTION_KEY, "KEYFILE|random", 0,
	 "Replace addresses, tasks and paths under the key in the file, or one that nobody knows",
	 0},
	{0},
};

static const struct argp_option merge_options[] = {
	{"output", 'o', "OUT.kmt", 0, "The trace to write", 0},
	{0},
};

/* ---- arguments ---- */

/* What was asked for, as it will stand in the trace; files are not named. */
static void remember(struct edit_args *args, const char *option, const char *value)
{
	size_t used = strlen(args->text);

	snprintf(args->text + used, sizeof(args->text) - used, "%s%s %s", used ? " " : "", option,
		 value);
}

/* "0-3,7" */
static void parse_cpus(struct argp_state *state, struct edit_args *args, const char *list)
{
	char *text = strdup(list), *rest = text, *item;

	if (!text)
		argp_failure(state, KM_EXIT_ERROR, ENOMEM, "--cpu");
	while ((item = strsep(&rest, ","))) {
		char *to = strchr(item, '-');
		uint64_t first, last;

		if (to)
			*to++ = '\0';
		first = km_parse_number(state, "--cpu", item, 0, KM_MAX_CPUS - 1);
		last = to ? km_parse_number(state, "--cpu", to, first, KM_MAX_CPUS - 1) : first;
		memset(args->cpus + first, 1, last - first + 1);
	}
	free(text);
	args->edit.cpus = args->cpus;
}

static void add_name(struct argp_state *state, const char **names, unsigned *n, const char *name)
{
	if (*n == MAX_NAMES)
		argp_error(state, "at most %d names can be given", MAX_NAMES);
	names[(*n)++] = name;
}

static error_t parse_edit(int key, char *arg, struct argp_state *state)
{
	struct edit_args *args = state->input;

	switch (key) {
	case 't':
		km_parse_window(state, arg, &args->window);
		remember(args, "--time", arg);
		return 0;
	case OPTION_CPU:
		parse_cpus(state, args, arg);
		remember(args, "--cpu", arg);
		return 0;
	case OPTION_CACHE:
		add_name(state, args->caches, &args->edit.nr_caches, arg);
		remember(args, "--cache", arg);
		return 0;
	case OPTION_SITE:
		add_name(state, args->sites, &args->edit.nr_sites, arg);
		remember(args, "--site", arg);
		return 0;
	case OPTION_SAMPLE:
		if (strncmp(arg, "1/", 2) != 0)
			argp_error(state, "--sample takes 1/N, as 1/16; not '%s'", arg);
		args->edit.sample =
			(uint32_t)km_parse_number(state, "--sample", arg + 2, 1, UINT32_MAX);
		remember(args, "--sample", arg);
		return 0;
	case OPTION_KEY:
		args->key_file = arg;
		remember(args, "--anonymise", strcmp(arg, "random") ? "KEY" : "random");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct edit_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args->common;
		return 0;
	case 'o':
		args->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (args->nr_files == args->max_files)
			argp_error(state, "%s at a time; '%s' is left over",
				   args->max_files == 1 ? "one trace" : "two traces", arg);
		args->files[args->nr_files++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->nr_files < args->max_files || !args->output)
			argp_error(state, "%s and -o are needed",
				   args->max_files == 1 ? "a trace" : "two traces");
		return 0;
	default:
		return args->max_files == 1 ? parse_edit(key, arg, state) : ARGP_ERR_UNKNOWN;
	}
}

/* Any file is a key if it holds something; all of it counts. */
static int read_key(struct edit_args *args)
{
	static const uint8_t halves[2][KM_KEY_BYTES] = {{'k', 'e', 'y', 0}, {'k', 'e', 'y', 1}};
	uint8_t bytes[KEY_FILE_BYTES];
	uint64_t half;
	size_t got;
	FILE *file;

	args->edit.key = args->key;
	if (!strcmp(args->key_file, "random"))
		return getrandom(args->key, KM_KEY_BYTES, 0) == KM_KEY_BYTES
			       ? 0
			       : km_error("the kernel gives no random numbers: %s",
					  strerror(errno));
	file = fopen(args->key_file, "re");
	if (!file)
		return km_error("cannot read the key %s: %s", args->key_file, strerror(errno));
	got = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	if (got < KM_KEY_BYTES || got == sizeof(bytes))
		return km_error(
			"%s is no good key: it must have %d to %d bytes; make one with 'head -c "
			"32 /dev/urandom > %s'",
			args->key_file, KM_KEY_BYTES, KEY_FILE_BYTES - 1, args->key_file);
	for (unsigned i = 0; i < 2; i++) {
		half = km_siphash(halves[i], bytes, got);
		memcpy(args->key + 8 * i, &half, sizeof(half));
	}
	return 0;
}

/* ---- the work ---- */

static void put_report(const struct edit_args *args, const struct km_transform_report *report)
{
	const struct km_detail details[] = {
		{.name = "trace", .text = args->output},
		{.name = "events", .value = report->events},
		{.name = "kept", .value = report->kept},
		{.name = "excluded", .value = report->excluded},
		{.name = "sampled", .value = report->sampled},
		{.name = "lost_excluded", .value = report->lost_excluded},
		{.name = "duration_ns", .value = report->duration_ns}};

	km_put_details(details, sizeof(details) / sizeof(*details), stdout, args->common.format);
}

static bool same_file(const char *a, const char *b)
{
	struct stat first, second;

	return !stat(a, &first) && !stat(b, &second) && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

static int transform(struct edit_args *args, struct km_trace *const traces[2],
		     struct km_transform_report *report, struct km_err *err)
{
	struct km_trace_writer *writer;
	int code;

	for (unsigned i = 0; i < args->nr_files; i++)
		if (same_file(args->files[i], args->output))
			return km_fail(err, -EINVAL,
				       "%s is what is read; choose another name with -o",
				       args->output);
	code = km_trace_create(args->output, &writer, err);
	if (code)
		return code;
	if (args->max_files == 1)
		code = km_trace_edit(traces[0], &args->edit, writer, report, err);
	else
		code = km_trace_merge(traces[0], traces[1], km_interrupted, writer, report, err);
	if (!code)
		return km_trace_finish(writer, report->duration_ns, err);
	km_trace_discard(writer);
	return code;
}

static int run(struct edit_args *args)
{
	struct km_transform_report report;
	struct km_trace *traces[2] = {NULL, NULL};
	struct km_err err = {""};
	int code = 0;

	args->edit.from_ns = args->window.from_ns;
	args->edit.to_ns = args->window.to_ns;
	args->edit.caches = args->caches;
	args->edit.sites = args->sites;
	args->edit.text = args->text;
	args->edit.stop = km_interrupted;
	if (args->key_file && read_key(args))
		return KM_EXIT_ERROR;
	km_catch_interrupts();
	for (unsigned i = 0; !code && i < args->nr_files; i++)
		code = km_trace_open(args->files[i], &traces[i], &err);
	if (!code)
		code = transform(args, traces, &report, &err);
	km_trace_close(traces[0]);
	km_trace_close(traces[1]);
	if (code == -EINTR) {
		km_note("interrupted; nothing was written");
		return KM_EXIT_INTERRUPTED;
	}
	if (code)
		return km_error("%s", err.text);
	put_report(args, &report);
	return KM_EXIT_OK;
}

int km_cmd_edit(int argc, char **argv)
{
	static const char doc[] = "Make a trace of a part of a trace.\v"
				  "What is left out is counted as filtered, so the ledger stays "
				  "whole: fired = recorded + "
				  "lost + filtered. With --cache and --site objects are kept with "
				  "all that happens to "
				  "them. State of the machine that the part does not begin or end "
				  "with is left out.\n\n"
				  "--anonymise keeps sizes, offsets in pages, 2 MiB blocks and "
				  "reuse of memory, symbols "
				  "and times; addresses, tasks and cgroups are replaced under the "
				  "key, and command line, "
				  "boot line, host and file names removed.\n\n"
				  "EXAMPLES\n"
				  "  kmlab edit t.kmt --time 1.5,2 -o part.kmt\n"
				  "  kmlab edit t.kmt --cache dentry --sample 1/8 -o dentries.kmt\n"
				  "  kmlab edit t.kmt --anonymise random -o public.kmt";
	const struct argp argp = {edit_options,       parse_option, "T.kmt", doc,
				  km_common_children, NULL,         NULL};
	struct edit_args args = {.max_files = 1};

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	return run(&args);
}

int km_cmd_merge(int argc, char **argv)
{
	static const char doc[] =
		"Put two traces of one machine together.\v"
		"Parts that 'kmlab edit' made of one trace lie in the result as they lay there. "
		"Other "
		"traces must be of one kernel as it was booted, and one after the other.\n\n"
		"EXAMPLES\n"
		"  kmlab merge first.kmt second.kmt -o both.kmt";
	const struct argp argp = {merge_options,      parse_option, "A.kmt B.kmt", doc,
				  km_common_children, NULL,         NULL};
	struct edit_args args = {.max_files = 2};

	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return KM_EXIT_ERROR;
	return run(&args);
}
