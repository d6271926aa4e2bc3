/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters from their words to what the programs compare (filter.c, filter.bpf.h). */
#ifndef KMLAB_CAPTURE_FILTER_H
#define KMLAB_CAPTURE_FILTER_H

#include "options.h"

/*
 * *cgroup_fd: of the cgroup, or -1; km_filter_close() it once the recorder is open. -EINVAL, or
 * -ENOENT: there is no such symbol or cgroup.
 */
int km_filter_make(const struct km_filter_options *options, struct km_filter *filter,
		   int *cgroup_fd, struct km_err *err);
void km_filter_close(int cgroup_fd);

#endif
