/* SPDX-License-Identifier: GPL-2.0-only */
/* A recording from the first check to the last word about it (session.c). */
#ifndef KMLAB_CAPTURE_SESSION_H
#define KMLAB_CAPTURE_SESSION_H

#include "options.h"

/* Returns the exit code. */
int km_session_run(const struct km_options *options);

#endif
