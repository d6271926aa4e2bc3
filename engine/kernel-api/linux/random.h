/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_RANDOM_H
#define _LINUX_RANDOM_H

#include <linux/string.h>
#include <linux/types.h>

KMLAB_TEXT void get_random_bytes(void *to, size_t n)
{
	unsigned char *at = to;

	KMLAB_WRITES(to, n);
	while (n--)
		*at++ = (unsigned char)kmlab_api->random();
}
#define get_random_u32() ((u32)kmlab_api->random())
#define get_random_u64() ((u64)kmlab_api->random())
#define get_random_int() get_random_u32()
#define get_random_u32_below(n) ((u32)(kmlab_api->random() % (n)))
#define get_random_u8() ((u8)kmlab_api->random())
#define get_random_u16() ((u16)kmlab_api->random())
#define prandom_u32() get_random_u32()
#define prandom_u32_max(n) get_random_u32_below(n)
#define prandom_bytes get_random_bytes

#endif
