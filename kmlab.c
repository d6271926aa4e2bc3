/* SPDX-License-Identifier: GPL-2.0-only */
/* The dispatcher: a table of commands. */
#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/analysis.h"
#include "replay/commands.h"
#include "results/program.h"
#include "results/term.h"

static int run_capture(int argc, char **argv)
{
	char path[4200];

	(void)argc;
	if (!km_find_capture(path, sizeof(path)))
		return km_error(KM_CAPTURE_NOT_BUILT);
	execv(path, argv);
	return km_error("%s cannot be run: %s", path, strerror(errno));
}

/* It looks at the machine with the eyes of the program that would record it. */
static int run_doctor(int argc, char **argv)
{
	char **words = calloc((size_t)argc + 2, sizeof(*words));
	int ret;

	if (!words)
		return km_error("no memory to start the doctor");
	words[0] = argv[0];
	words[1] = (char *)"--doctor";
	memcpy(words + 2, argv + 1, (size_t)argc * sizeof(*words)); /* with the NULL at the end */
	ret = run_capture(argc + 1, words);
	free(words);
	return ret;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"capture", run_capture, "record the live kernel"},
	{"import", km_cmd_import, "make a trace of one that perf, ftrace or LLFree recorded"},
	{"info", km_cmd_info, "what is in a trace, and what was lost"},
	{"check", km_cmd_check, "is a trace sound; misuse and leaks of the traced kernel"},
	{"stat", km_cmd_stat, "who allocates what, for how long and at what waste"},
	{"edit", km_cmd_edit, "a part of a trace, a sample of it, or it without names"},
	{"merge", km_cmd_merge, "two traces of one machine as one"},
	{"export", km_cmd_export, "a trace as plain tables, or for Perfetto"},
	{"sql", km_cmd_sql, "SQL over a trace: tables event, object, cache, site, task …"},
	{"tune", km_cmd_tune, "size classes of kmalloc that would waste least for a trace"},
	{"replay", km_cmd_replay, "run a trace through models and measure"},
	{"sweep", km_cmd_sweep, "many traces, models and parameters, here or on a cluster"},
	{"fidelity", km_cmd_fidelity, "how closely the models reproduce the traced kernel"},
	{"run", km_cmd_run, "execute a scenario"},
	{"tlb", km_cmd_tlb, "measure this machine's address translation; what the model uses"},
	{"module", km_cmd_module, "build and run a kernel module: placement, misuse, leaks"},
	{"compare", km_cmd_compare, "models or results against a reference: ratios, a verdict"},
	{"plot", km_cmd_plot, "draw the figures of a result"},
	{"report", km_cmd_report, "figures and numbers of a result as one HTML page"},
	{"models", km_cmd_models, "what can be replayed, with which parameters"},
	{"doctor", run_doctor, "what this machine can do, and the remedy for what it cannot"},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *out)
{
	fprintf(out, "usage: kmlab COMMAND [options] [arguments]\n\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out,
		"\n'kmlab help COMMAND' explains a command. Exit status: 0 done, 1 the answer is "
		"no,\n2 wrong usage or an error, 130 interrupted after saving.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static bool asks_for_help(const char *word)
{
	static const char *const words[] = {"help", "--help", "-h", "-?"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* stdout is a document: if it could not be written, the command failed. */
static int finish(int code)
{
	if (fclose(stdout) != 0 && code == KM_EXIT_OK)
		return km_error("the output could not be written: %s", strerror(errno));
	return code;
}

int main(int argc, char **argv)
{
	const struct command *command;
	static char name[64];
	bool help;

	argp_err_exit_status = KM_EXIT_ERROR;
	/*
	 * Chunks of a trace are some 100 KiB, one after the other: memory for one is kept for the
	 * next, not given back and faulted in again.
	 */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
	if (argc < 2) {
		print_usage(stderr);
		return KM_EXIT_ERROR;
	}
	help = asks_for_help(argv[1]);
	if (help && argc == 2) {
		print_usage(stdout);
		return KM_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("kmlab %s\n", KMLAB_VERSION);
		return KM_EXIT_OK;
	}
	command = find_command(argv[help ? 2 : 1]);
	if (!command)
		return km_error("there is no command '%s'; 'kmlab --help' lists them",
				argv[help ? 2 : 1]);
	snprintf(name, sizeof(name), "kmlab %s", command->name);
	argv[1] = name; /* what argp calls the program */
	if (help) {
		argv[2] = (char *)"--help";
		argc = 3;
	}
	return finish(command->run(argc - 1, argv + 1));
}
