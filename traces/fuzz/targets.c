/* SPDX-License-Identifier: GPL-2.0-only */
/* The targets that are linked, and what they share. */
#include "traces/fuzz/targets.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

const struct km_fuzz_shortcuts *km_fuzz_shortcuts;
static struct km_fuzz_target *targets;

/* In order of their names: the order of constructors is the linker's. */
void km_fuzz_register(struct km_fuzz_target *target)
{
	struct km_fuzz_target **at = &targets;

	while (*at && strcmp((*at)->name, target->name) < 0)
		at = &(*at)->next;
	target->next = *at;
	*at = target;
}

const struct km_fuzz_target *km_fuzz_first_target(void)
{
	return targets;
}

const struct km_fuzz_target *km_fuzz_target_find(const char *name)
{
	const struct km_fuzz_target *target = targets;

	while (target && strcmp(target->name, name) != 0)
		target = target->next;
	return target;
}

unsigned km_fuzz_draw(const uint8_t *data, size_t size, unsigned n)
{
	return (unsigned)(XXH64(data, size, 0) % n);
}

char *km_fuzz_text(const uint8_t *data, size_t size)
{
	char *text = memchr(data, 0, size) ? NULL : malloc(size + 1);

	if (text) {
		memcpy(text, data, size);
		text[size] = 0;
	}
	return text;
}

const char *km_fuzz_path(char path[64], const char *suffix)
{
	snprintf(path, 64, "%s/kmlab-fuzz-%d%s", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
		 (int)getpid(), suffix);
	return path;
}

const char *km_fuzz_file(const uint8_t *data, size_t size)
{
	static char path[64];
	FILE *file;

	if (km_fuzz_shortcuts)
		return km_fuzz_shortcuts->memory_file(data, size);
	file = fopen(km_fuzz_path(path, ".db"), "wb");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file))
		abort();
	return path;
}

void km_fuzz_file_remove(void)
{
	static const char *const names[] = {".db", ".db-journal", ".db-wal", ".db-shm"};
	char path[64];

	for (size_t i = 0; !km_fuzz_shortcuts && i < sizeof(names) / sizeof(*names); i++)
		unlink(km_fuzz_path(path, names[i]));
}
