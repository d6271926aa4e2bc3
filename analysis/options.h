/* SPDX-License-Identifier: GPL-2.0-only */
/* What `plot` and `report` share: FILE -o DIR --format. */
#ifndef KMLAB_OPTIONS_H
#define KMLAB_OPTIONS_H

#include "results/emit.h"

#include <argp.h>

struct km_output_args {
	const char *file;
	char *directory; /* from malloc */
	enum km_format format;
};

extern const struct argp_option km_output_options[];
int km_output_option(int key, char *arg, struct argp_state *state);

/* 0, or the exit status. Without -o the directory is FILE's name with `suffix` for ".kmr". */
int km_output_parse(const struct argp *argp, int argc, char **argv, const char *suffix,
		    struct km_output_args *args);

#endif
