/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks and times of a trace as people write and read them. */
#ifndef KMLAB_TRACE_TEXT_H
#define KMLAB_TRACE_TEXT_H

#include "traces/trace.h"

#include <argp.h>

/* "comm/tid": into text, returned. "unknown" for id 0. */
#define KM_TASK_TEXT 32
const char *km_task_text(const struct km_trace *trace, uint32_t id, char text[KM_TASK_TEXT]);
/*
 * Seconds such as "1.5" at *text as nanoseconds; *text goes to what follows them. A usage error
 * that names `what` ends the program when there are none.
 */
uint64_t km_parse_seconds(struct argp_state *state, const char *what, const char **text);

#endif
