/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the "sysfs slab" snapshot: Documentation/ABI/testing/sysfs-kernel-slab. */
#include "replay/sysfs_slab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *km_sysfs_slab_line(const char *text, const char *cache, size_t *length)
{
	size_t name_length = strlen(cache);

	for (; text && *text; text += *length + (text[*length] == '\n')) {
		*length = strcspn(text, "\n");
		if (*length > name_length + 6 && strncmp(text, "name=", 5) == 0 &&
		    strncmp(text + 5, cache, name_length) == 0 && text[5 + name_length] == ' ')
			return text;
	}
	return NULL;
}

const char *km_sysfs_slab_directory(const char *text, const char *directory, size_t bytes,
				    size_t *length)
{
	for (; text && *text; text += *length + (text[*length] == '\n')) {
		const char *each;

		*length = strcspn(text, "\n");
		each = km_sysfs_slab_text(text, *length, "directory");
		if (each && strcspn(each, " \n") == bytes && memcmp(each, directory, bytes) == 0)
			return text;
	}
	return NULL;
}

const char *km_sysfs_slab_text(const char *line, size_t length, const char *attribute)
{
	size_t key_length = strlen(attribute);

	for (size_t i = 0; i + key_length + 2 < length; i++)
		if (line[i] == ' ' && strncmp(line + i + 1, attribute, key_length) == 0 &&
		    line[i + 1 + key_length] == '=')
			return line + i + key_length + 2;
	return NULL;
}

int64_t km_sysfs_slab_number(const char *line, size_t length, const char *attribute)
{
	const char *value = km_sysfs_slab_text(line, length, attribute);

	return value ? strtoll(value, NULL, 10) : -1;
}

int64_t km_sysfs_slab_count(const char *text, const char *cache, const char *attribute)
{
	size_t length;
	const char *line = km_sysfs_slab_line(text, cache, &length);

	return line ? km_sysfs_slab_number(line, length, attribute) : -1;
}

uint32_t km_sysfs_slab_chain(const char *line, size_t length, unsigned cpu)
{
	const char *at = km_sysfs_slab_text(line, length, "slabs_cpu_partial");
	const char *end = line + length;
	char key[16];
	size_t key_length = (size_t)snprintf(key, sizeof(key), ",C%u=", cpu);

	for (; at && at + key_length < end && *at != ' '; at++)
		if (strncmp(at, key, key_length) == 0) {
			at += key_length + strspn(at + key_length, "0123456789");
			return at < end && *at == '(' ? (uint32_t)strtoul(at + 1, NULL, 10) : 0;
		}
	return 0;
}

static int64_t list_length(const char *line, size_t length, const char *attribute)
{
	const char *at = km_sysfs_slab_text(line, length, attribute);
	int64_t count = at != NULL;

	for (; at && at < line + length && *at != ' '; at++)
		count += *at == ',';
	return count;
}

int64_t km_sysfs_slab_on_cpus(const char *line, size_t length, unsigned cpus)
{
	int64_t count = 0;
	char attribute[32];

	if (km_sysfs_slab_number(line, length, "cpu_lists") != 1)
		return -1;
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		snprintf(attribute, sizeof(attribute), "cpu%u_slab", cpu);
		count += list_length(line, length, attribute);
		snprintf(attribute, sizeof(attribute), "cpu%u_chain", cpu);
		count += list_length(line, length, attribute);
	}
	return count;
}
