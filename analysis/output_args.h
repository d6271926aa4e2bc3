/* SPDX-License-Identifier: GPL-2.0-only */
/* What `plot` and `report` share: FILE -o DIR. */
#ifndef KMLAB_OUTPUT_ARGS_H
#define KMLAB_OUTPUT_ARGS_H

#include "results/options.h"

struct km_output_args {
	const char *file;
	char *directory; /* from malloc */
	struct km_common_options common;
};

/* 0, or the exit status. Without -o the directory is FILE's name with `suffix` for ".kmr". */
int km_output_parse(const char *doc, int argc, char **argv, const char *suffix,
		    struct km_output_args *args);

#endif
