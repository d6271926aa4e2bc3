/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_BITMAP_H
#define _LINUX_BITMAP_H

#include <linux/bitops.h>
#include <linux/slab.h>
#include <linux/string.h>

#define bitmap_alloc(bits, gfp)                                                                    \
	((unsigned long *)kmlab_array(KMLAB_SITE("bitmap_alloc"), BITS_TO_LONGS(bits), 8, gfp, -1))
#define bitmap_zalloc(bits, gfp)                                                                   \
	((unsigned long *)kmlab_array(KMLAB_SITE("bitmap_zalloc"), BITS_TO_LONGS(bits), 8,         \
				      (gfp) | __GFP_ZERO, -1))
#define bitmap_free(p) kmlab_api->do_kfree(KMLAB_SITE("bitmap_free"), p, 0)
#define bitmap_zero(p, bits) memset(p, 0, BITS_TO_LONGS(bits) * 8)

#endif
