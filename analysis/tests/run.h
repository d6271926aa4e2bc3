/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs a command as a user would (its own process, stdout and stderr caught) and looks into JSON.
 */
#ifndef KMLAB_TEST_RUN_H
#define KMLAB_TEST_RUN_H

#include "engine/tests/tap.h"

#include <argp.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
	int status; /* exit status, -1: killed */
	char out[1 << 18], err[1 << 14];
};

static struct run ran;

__attribute__((unused)) static size_t slurp(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(text, 1, size - 1, file) : 0;

	text[length] = '\0';
	if (file)
		fclose(file);
	return length;
}

/* argv[0] is the command's name; NULL ends it. */
__attribute__((unused)) static int run_command(int (*command)(int, char **), char **argv)
{
	int argc = 0, status;
	pid_t child;

	while (argv[argc])
		argc++;
	fflush(stdout);
	child = fork();
	if (!child) {
		argp_err_exit_status = 2; /* as kmlab.c says */
		dup2(open("run.out", O_CREAT | O_TRUNC | O_WRONLY, 0666), STDOUT_FILENO);
		dup2(open("run.err", O_CREAT | O_TRUNC | O_WRONLY, 0666), STDERR_FILENO);
		exit(command(argc, argv));
	}
	waitpid(child, &status, 0);
	ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	slurp("run.out", ran.out, sizeof(ran.out));
	slurp("run.err", ran.err, sizeof(ran.err));
	return ran.status;
}

#define RUN(command, ...)                                                                          \
	run_command(command, (char *[]){(char *)"kmlab " #command, __VA_ARGS__, NULL})

/* Exactly one line on stderr, nothing on stdout. */
__attribute__((unused)) static bool one_sentence(void)
{
	size_t length = strlen(ran.err);

	return !ran.out[0] && length > 20 && strchr(ran.err, '\n') == ran.err + length - 1;
}

/* json_extract(ran.out, path) as text; "" when absent or when ran.out is no JSON document. */
__attribute__((unused)) static const char *json_at(const char *path)
{
	static char text[512];
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;

	text[0] = '\0';
	sqlite3_open(":memory:", &db);
	sqlite3_prepare_v2(db, "SELECT json_extract(?1, ?2)", -1, &row, NULL);
	sqlite3_bind_text(row, 1, ran.out, -1, SQLITE_STATIC);
	sqlite3_bind_text(row, 2, path, -1, SQLITE_STATIC);
	if (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_text(row, 0))
		snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(row, 0));
	sqlite3_finalize(row);
	sqlite3_close(db);
	return text;
}

__attribute__((unused)) static long long json_number(const char *path)
{
	const char *text = json_at(path);

	return *text ? atoll(text) : -1;
}

/* A directory of this test alone, and into it. */
__attribute__((unused)) static void enter_scratch(void)
{
	static char directory[] = "/tmp/kmlab-test-XXXXXX";

	if (!mkdtemp(directory) || chdir(directory))
		TAP_SKIP_ALL("no scratch directory can be made");
}

__attribute__((unused)) static void leave_scratch(void)
{
	char here[4096], command[4200];

	if (!getcwd(here, sizeof(here)) || strncmp(here, "/tmp/kmlab-test-", 16))
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", here);
	if (system(command))
		printf("# %s is left behind\n", here);
}

__attribute__((unused)) static void write_text(const char *path, const char *text, size_t length)
{
	FILE *file = fopen(path, "w");

	if (file) {
		fwrite(text, 1, length, file);
		fclose(file);
	}
}

/* The first half of a file. */
__attribute__((unused)) static void truncate_copy(const char *from, const char *to)
{
	struct stat status;
	char *text;

	if (stat(from, &status) || !(text = malloc((size_t)status.st_size + 1)))
		return;
	slurp(from, text, (size_t)status.st_size + 1);
	write_text(to, text, (size_t)status.st_size / 2);
	free(text);
}

/* A copy whose user_version is one this program has not heard of. */
__attribute__((unused)) static void newer_copy(const char *from, const char *to)
{
	struct stat status;
	char *text;

	if (stat(from, &status) || !(text = malloc((size_t)status.st_size + 1)))
		return;
	slurp(from, text, (size_t)status.st_size + 1);
	memcpy(text + 60, "\0\0\0\143", 4); /* SQLite file header: user version, big-endian */
	write_text(to, text, (size_t)status.st_size);
	free(text);
}

#endif
