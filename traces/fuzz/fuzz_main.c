/* SPDX-License-Identifier: GPL-2.0-only */
/* libFuzzer's entry: the environment variable KMLAB_FUZZ names the target. */
#include "traces/fuzz/targets.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

static const struct km_fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("KMLAB_FUZZ");

	(void)argc;
	(void)argv;
	target = km_fuzz_target_find(name ? name : "");
	if (target)
		return 0;
	fprintf(stderr, "KMLAB_FUZZ must name a target:");
	for (unsigned i = 0; i < km_nr_fuzz_targets; i++)
		fprintf(stderr, " %s", km_fuzz_targets[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target->run(data, size);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	return target->mutate ? target->mutate(data, size, room, seed)
			      : LLVMFuzzerMutate(data, size, room);
}
