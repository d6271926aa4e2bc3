/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands of this folder; each takes its own argv and returns an exit code (results/term.h). */
#ifndef REPLAY_COMMANDS_H
#define REPLAY_COMMANDS_H

int km_cmd_replay(int argc, char **argv);
int km_cmd_fidelity(int argc, char **argv);
int km_cmd_models(int argc, char **argv);
int km_cmd_run(int argc, char **argv);
int km_cmd_tlb(int argc, char **argv);
int km_cmd_sweep(int argc, char **argv);
int km_cmd_module(int argc, char **argv);

#endif
