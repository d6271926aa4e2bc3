/* SPDX-License-Identifier: GPL-2.0-only */
/* The options every command takes, -f FMT and -q, as an argp child; and numbers on command lines.
 */
#ifndef KMLAB_OPTIONS_H
#define KMLAB_OPTIONS_H

#include "results/emit.h"

#include <argp.h>

struct km_common_options {
	enum km_format format;
	bool format_given;
};

/*
 * For the `children` of a command's argp. Its parser gives them their input when it gets
 * ARGP_KEY_INIT: state->child_inputs[0] = a struct km_common_options. -q sets km_quiet.
 */
extern const struct argp_child km_common_children[];

/* Decimal or 0x hexadecimal. False: anything else (a sign, junk, too large for 64 bits). */
bool km_read_number(const char *text, uint64_t *value);

/*
 * The value of `text`, decimal or 0x hexadecimal. A usage error that names `what` ends the program
 * when it is anything else (a sign, junk, too large for 64 bits) or not from `least` to `most`.
 */
uint64_t km_parse_number(struct argp_state *state, const char *what, const char *text,
			 uint64_t least, uint64_t most);

/*
 * For ARGP_KEY_ARG and ARGP_KEY_NO_ARGS (arg: NULL) of a command that takes one trace: the trace
 * goes to *trace; a second, or none, is a usage error that ends the program.
 */
void km_take_trace(struct argp_state *state, const char *arg, const char **trace);

#endif
