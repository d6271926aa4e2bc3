/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of fuzz targets. */
#include "traces/fuzz/targets.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct km_fuzz_target km_fuzz_targets[] = {
	{"chunk", km_fuzz_chunk, km_fuzz_chunk_mutate},
	{"trace", km_fuzz_trace, NULL},
	{"lines", km_fuzz_lines, NULL},
	{"perf", km_fuzz_perf, NULL},
	{"ftrace", km_fuzz_ftrace, NULL},
	{"llfree", km_fuzz_llfree, NULL},
};
const unsigned km_nr_fuzz_targets = sizeof(km_fuzz_targets) / sizeof(*km_fuzz_targets);

const struct km_fuzz_target *km_fuzz_target_find(const char *name)
{
	for (unsigned i = 0; i < km_nr_fuzz_targets; i++)
		if (!strcmp(km_fuzz_targets[i].name, name))
			return &km_fuzz_targets[i];
	return NULL;
}

const char *km_fuzz_file(char path[64], const char *suffix)
{
	snprintf(path, 64, "%s/kmlab-fuzz-%d%s", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
		 (int)getpid(), suffix);
	return path;
}
