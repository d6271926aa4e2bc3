/* SPDX-License-Identifier: GPL-2.0-only */
/* Result files put together: every run once. */
#ifndef KMLAB_MERGE_H
#define KMLAB_MERGE_H

#include "results/result.h"

struct km_merge {
	bool keep_first; /* of a run that was timed twice, keep that which is there */
	/* What became of the runs that were read. */
	uint64_t added, same, left_out;
};

/*
 * Add the runs of the file at `path` to `to`, between km_result_begin() and km_result_commit(). A
 * run that is there already, to the last bit, is counted and left out. 0, or -errno with a
 * sentence: -EEXIST: the same run was timed twice (unless keep_first); -EILSEQ: the files disagree
 * in what does not depend on the machine, so that one of them is of another trace or model. `to` is
 * then to be rolled back.
 */
int km_result_merge(struct km_result *to, const char *path, struct km_merge *merge,
		    struct km_err *err);

#endif
