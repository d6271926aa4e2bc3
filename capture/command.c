/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command whose run is recorded: forked before recording starts, so that the fork is not in the
 * trace, and held at a pipe until it does, so that its first instruction is.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privilege.h"
#include "results/term.h"

static void be_child(char **argv, int gate, int failure)
{
	char byte;
	int code;

	/* End of file: the recorder closed its end. A byte never comes; an error means it died. */
	if (read(gate, &byte, 1) != 0)
		_exit(127);
	km_drop_capabilities();
	execvp(argv[0], argv);
	code = errno;
	if (write(failure, &code, sizeof(code)) != sizeof(code))
		_exit(126);
	_exit(127);
}

static int check_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) || eaccess(path, X_OK))
		return -errno;
	return S_ISREG(st.st_mode) ? 0 : -EACCES;
}

/* Look where execvp() will. A file that is there but cannot be executed is the better reason. */
int km_command_find(const char *name)
{
	const char *path = getenv("PATH"), *end;
	int code, reason = -ENOENT;
	char *file;

	if (strchr(name, '/'))
		return check_file(name);
	for (path = path ? path : "/bin:/usr/bin"; *name; path = end + 1) {
		end = strchrnul(path, ':');
		if (asprintf(&file, "%.*s%s%s", (int)(end - path), path, end > path ? "/" : "",
			     name) < 0)
			return -ENOMEM;
		code = check_file(file);
		free(file);
		if (!code)
			return 0;
		if (code == -EACCES)
			reason = code;
		if (!*end)
			break;
	}
	return reason;
}

int km_command_prepare(struct km_command *command, char **argv, struct km_err *err)
{
	int gate[2], failure[2], code = km_command_find(argv[0]);
	pid_t pid;

	if (code)
		return km_fail(err, code, "cannot run %s: %s", argv[0], strerror(-code));
	if (pipe2(gate, O_CLOEXEC))
		return km_fail(err, -errno, "cannot start %s: %s", argv[0], strerror(errno));
	if (pipe2(failure, O_CLOEXEC)) {
		close(gate[0]);
		close(gate[1]);
		return km_fail(err, -errno, "cannot start %s: %s", argv[0], strerror(errno));
	}
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		close(failure[0]);
		be_child(argv, gate[0], failure[1]);
	}
	close(gate[0]);
	close(failure[1]);
	command->name = argv[0];
	command->gate = gate[1];
	command->failure = failure[0];
	command->pid = pid;
	if (pid < 0) {
		command->pid = 0;
		close(gate[1]);
		close(failure[0]);
		return km_fail(err, -EAGAIN, "cannot start %s: no process could be made", argv[0]);
	}
	return 0;
}

int km_command_go(struct km_command *command, struct km_err *err)
{
	int code = 0;
	ssize_t got;

	close(command->gate);
	command->gate = -1;
	do
		got = read(command->failure, &code, sizeof(code));
	while (got < 0 && errno == EINTR);
	close(command->failure);
	command->failure = -1;
	if (got == sizeof(code))
		return km_fail(err, -code, "cannot run %s: %s", command->name, strerror(code));
	return 0;
}

bool km_command_ended(struct km_command *command)
{
	if (!command->ended)
		command->ended = waitpid(command->pid, &command->status, WNOHANG) == command->pid;
	return command->ended;
}

void km_command_tell(const struct km_command *command)
{
	if (!command->ended)
		return;
	if (WIFSIGNALED(command->status))
		km_note("%s was ended by signal %d (%s)", command->name, WTERMSIG(command->status),
			strsignal(WTERMSIG(command->status)));
	else if (WEXITSTATUS(command->status))
		km_note("%s exited with status %d", command->name, WEXITSTATUS(command->status));
}

void km_command_finish(struct km_command *command)
{
	if (!command->pid)
		return;
	if (command->gate > 0)
		kill(command->pid, SIGKILL); /* it still waits to become the command */
	else if (!km_command_ended(command))
		kill(command->pid, SIGTERM);
	command->pid = 0;
}

char *km_command_text(char **argv)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	for (size_t i = 0; argv && argv[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", argv[i]);
	return fclose(out) == 0 ? text : NULL;
}
