/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every input that fuzzing has kept, through its target once more: what it found stays fixed. A
 * target that finds something ends the program.
 */
#ifndef KMLAB_TRACES_FUZZ_REPLAY_H
#define KMLAB_TRACES_FUZZ_REPLAY_H

#include "engine/tests/tap.h"
#include "traces/fuzz/targets.h"
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define KM_FUZZ_LARGEST (1u << 20)

static void km_fuzz_run_file(const struct km_fuzz_target *target, const char *path)
{
	static uint8_t bytes[KM_FUZZ_LARGEST];
	FILE *file = fopen(path, "rb");
	uint8_t *exact;
	size_t size;

	if (!file)
		exit(2);
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	exact = malloc(size ? size : 1); /* so that reading past its end is seen */
	if (!exact)
		exit(2);
	memcpy(exact, bytes, size);
	target->run(exact, size);
	free(exact);
}

static unsigned km_fuzz_run_all(const struct km_fuzz_target *target, const char *corpus)
{
	char path[512];
	unsigned count = 0;
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/%s", corpus, target->name);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", corpus, target->name, entry->d_name);
		km_fuzz_run_file(target, path);
		count++;
	}
	if (directory)
		closedir(directory);
	return count;
}

/* All targets of the program over the folder's corpus; what main() returns. */
static int km_fuzz_replay(const char *archive)
{
	char corpus[] = "/tmp/kmlab-corpus-XXXXXX", command[256];

	if (!mkdtemp(corpus))
		exit(2);
	snprintf(command, sizeof(command), "tar -C %s -xJf %s", corpus, archive);
	if (system(command)) {
		rmdir(corpus);
		TAP_SKIP_ALL("the corpus cannot be unpacked; tar and xz are needed");
	}
	for (const struct km_fuzz_target *target = km_fuzz_first_target(); target;
	     target = target->next) {
		unsigned count = km_fuzz_run_all(target, corpus);

		TAP_OK(count, "%s: %u kept inputs", target->name, count);
	}
	snprintf(command, sizeof(command), "rm -r %s", corpus);
	TAP_OK(!system(command), "the corpus is gone again");
	return tap_done();
}

#endif
