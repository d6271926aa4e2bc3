/* SPDX-License-Identifier: GPL-2.0-only */
/* libFuzzer's entry: the environment variable KMLAB_FUZZ names the target. */
#include "traces/fuzz/program/program.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

static const struct km_fuzz_shortcuts shortcuts = {
	.sink_open = km_fuzz_sink_open,
	.sink_close = km_fuzz_sink_close,
	.memory_file = km_fuzz_memory_file,
	.threads = km_fuzz_threads,
};
static const struct km_fuzz_target *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = getenv("KMLAB_FUZZ");

	(void)argc;
	(void)argv;
	chosen = km_fuzz_target_find(name ? name : "");
	if (chosen) {
		km_fuzz_memory_begin();
		km_fuzz_files_begin();
		km_fuzz_shortcuts = &shortcuts;
		return 0;
	}
	fprintf(stderr, "KMLAB_FUZZ must name a target:");
	for (const struct km_fuzz_target *target = km_fuzz_first_target(); target;
	     target = target->next)
		fprintf(stderr, " %s", target->name);
	fprintf(stderr, "\n");
	exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	chosen->run(data, size);
	km_fuzz_memory_check();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	return chosen->mutate ? chosen->mutate(data, size, room, seed)
			      : LLVMFuzzerMutate(data, size, room);
}
