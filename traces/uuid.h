/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of traces that are made of others: the same parts give the same name. */
#ifndef KMLAB_TRACES_UUID_H
#define KMLAB_TRACES_UUID_H

#include <kmlab/types.h>
#include <stdio.h>

#define KM_UUID_TEXT 37

/* A UUID of version 8 (RFC 9562) from 128 bits of hash: into text, returned. */
static inline const char *km_uuid_text(uint64_t high, uint64_t low, char text[KM_UUID_TEXT])
{
	high = (high & ~0xf000ull) | 0x8000;
	low = (low & ~(3ull << 62)) | 2ull << 62;
	snprintf(text, KM_UUID_TEXT, "%08llx-%04llx-%04llx-%04llx-%012llx",
		 (unsigned long long)high >> 32, (unsigned long long)high >> 16 & 0xffff,
		 (unsigned long long)high & 0xffff, (unsigned long long)low >> 48,
		 (unsigned long long)low & 0xffffffffffff);
	return text;
}

#endif
