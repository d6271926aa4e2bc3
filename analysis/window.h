/* SPDX-License-Identifier: GPL-2.0-only */
/* A part of a trace's time on command lines: --time A,B in seconds. */
#ifndef KMLAB_WINDOW_H
#define KMLAB_WINDOW_H

#include <argp.h>
#include <kmlab/types.h>

struct km_window {
	uint64_t from_ns, to_ns; /* [from, to); to 0: the end */
};

/* "1.5,2", "1.5," or ",2". A usage error ends the program when it is anything else or empty. */
void km_parse_window(struct argp_state *state, const char *text, struct km_window *window);

#endif
