/* SPDX-License-Identifier: GPL-2.0-only */
/* `kmlab run F.kms`: execute a scenario, compare it with what Linux did. */
#ifndef REPLAY_CMD_RUN_H
#define REPLAY_CMD_RUN_H

int km_cmd_run(int argc, char **argv);

#endif
