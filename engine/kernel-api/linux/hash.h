/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_HASH_H
#define _LINUX_HASH_H

#include <linux/types.h>

static inline u32 hash_64(u64 value, unsigned int bits)
{
	return (u32)(value * 0x61c8864680b583ebULL >> (64 - bits));
}
static inline u32 hash_32(u32 value, unsigned int bits)
{
	return value * 0x61c88647U >> (32 - bits);
}
#define hash_long hash_64
#define hash_ptr(p, bits) hash_64((unsigned long)(p), bits)

#endif
