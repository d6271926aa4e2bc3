/* SPDX-License-Identifier: GPL-2.0-only */
/* The command whose run is recorded (command.c). */
#ifndef KMLAB_CAPTURE_COMMAND_H
#define KMLAB_CAPTURE_COMMAND_H

#include <kmlab/err.h>
#include <kmlab/types.h>

struct km_command {
	const char *name;
	int pid;     /* 0: none */
	int gate;    /* write end: closing it lets the child go on to exec */
	int failure; /* read end: errno of a failed exec, or end of file */
	int status;  /* wait status */
	bool ended;
};

/* Where execvp() would look for it: 0, or -errno when no such program can be executed. */
int km_command_find(const char *name);
/* Fork a child that waits before it becomes argv[0]. Fails when no such program can be executed. */
int km_command_prepare(struct km_command *command, char **argv, struct km_err *err);
/* Let it run. Fails with one sentence when it cannot be executed. */
int km_command_go(struct km_command *command, struct km_err *err);
bool km_command_ended(struct km_command *command);
/* A note when it did not exit with 0. */
void km_command_tell(const struct km_command *command);
/* Ask a command that still runs to end; forget it. */
void km_command_finish(struct km_command *command);

/* The words joined by spaces, "" without a command. free() it; NULL: no memory. */
char *km_command_text(char **argv);

#endif
