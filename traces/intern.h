/* SPDX-License-Identifier: GPL-2.0-only */
/* Names -> numbers, for what meets the same names again and again. Zeroed = empty. */
#ifndef KMLAB_TRACES_INTERN_H
#define KMLAB_TRACES_INTERN_H

#include <kmlab/types.h>

struct km_intern {
	char *bytes; /* all names, one after the other */
	size_t used, room;
	struct km_intern_entry {
		uint64_t value;
		size_t at;  /* in bytes */
		uint32_t n; /* length; the slot is free if `taken` is not set */
		uint32_t taken;
	} * entries;
	uint32_t count, bits;
};

/*
 * Where the value of the name is, until the next call; 0 in it if the name is new. NULL: not enough
 * memory.
 */
uint64_t *km_intern(struct km_intern *intern, const void *name, size_t length);
void km_intern_free(struct km_intern *intern);

#endif
