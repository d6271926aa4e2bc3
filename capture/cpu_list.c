/* SPDX-License-Identifier: GPL-2.0-only */
#include "cpu_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool km_cpu_list_read(const char *path, char *list, size_t size)
{
	FILE *file = fopen(path, "re");
	bool whole = file && fgets(list, (int)size, file) && strchr(list, '\n');

	if (file)
		fclose(file);
	if (whole)
		*strchr(list, '\n') = '\0';
	else
		list[0] = '\0';
	return whole;
}

/* The range at *list, which moves on to the next; false: there is none. */
static bool next_range(const char **list, unsigned long *from, unsigned long *to)
{
	char *end;

	if (**list < '0' || **list > '9')
		return false;
	*from = *to = strtoul(*list, &end, 10);
	if (*end == '-')
		*to = strtoul(end + 1, &end, 10);
	*list = end + (*end == ',');
	return true;
}

bool km_cpu_list_has(const char *list, unsigned cpu)
{
	unsigned long from, to;

	while (next_range(&list, &from, &to))
		if (cpu >= from && cpu <= to)
			return true;
	return false;
}

unsigned km_cpu_list_end(const char *list)
{
	unsigned long from, to, end = 0;

	while (next_range(&list, &from, &to))
		end = to >= end ? to + 1 : end;
	return (unsigned)end;
}
