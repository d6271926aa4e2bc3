/* SPDX-License-Identifier: GPL-2.0-only */
/* A trace with losses is not replayed unless that is asked for. */
#ifndef REPLAY_LOSS_H
#define REPLAY_LOSS_H

#include <kmlab/err.h>

#include "traces/trace.h"

/*
 * 0: nothing was lost, or `allow` (then a warning says how much was); -EINVAL with a sentence: lost
 * events, or a recorder that did not count them; -errno with a sentence.
 */
int km_refuse_loss(struct km_trace *trace, const char *path, bool allow, struct km_err *err);

#endif
