/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of bits in words (lib/bitmap.c). */
#ifndef _LINUX_BITMAP_H
#define _LINUX_BITMAP_H

#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/string.h>

#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]
#define KMLAB_BITMAP(name, bits, gfp, node)                                                        \
	((unsigned long *)kmlab_array(KMLAB_SITE(name), BITS_TO_LONGS(bits), 8, gfp, node))
#define bitmap_alloc(bits, gfp) KMLAB_BITMAP("bitmap_alloc", bits, gfp, -1)
#define bitmap_zalloc(bits, gfp) KMLAB_BITMAP("bitmap_zalloc", bits, (gfp) | __GFP_ZERO, -1)
#define bitmap_alloc_node(bits, gfp, node) KMLAB_BITMAP("bitmap_alloc_node", bits, gfp, node)
#define bitmap_zalloc_node(bits, gfp, node)                                                        \
	KMLAB_BITMAP("bitmap_zalloc_node", bits, (gfp) | __GFP_ZERO, node)
#define bitmap_free(p) kmlab_api->do_kfree(KMLAB_SITE("bitmap_free"), p, 0)
#define devm_bitmap_zalloc(device, bits, gfp)                                                      \
	((unsigned long *)kmlab_devm(KMLAB_SITE("devm_bitmap_zalloc"), device,                     \
				     BITS_TO_LONGS(bits) * 8, (gfp) | __GFP_ZERO))

#define bitmap_zero(p, bits) memset(p, 0, BITS_TO_LONGS(bits) * 8)
#define bitmap_copy(to, from, bits) memcpy(to, from, BITS_TO_LONGS(bits) * 8)
static inline void bitmap_set(unsigned long *map, unsigned int first, unsigned int n)
{
	while (n--)
		set_bit(first++, map);
}
static inline void bitmap_clear(unsigned long *map, unsigned int first, unsigned int n)
{
	while (n--)
		clear_bit(first++, map);
}
#define bitmap_fill(map, bits) bitmap_set(map, 0, bits)
static inline unsigned int bitmap_weight(const unsigned long *map, unsigned int bits)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < bits; i++)
		n += test_bit(i, map);
	return n;
}
#define bitmap_empty(map, bits) (find_first_bit(map, bits) >= (bits))
#define bitmap_full(map, bits) (find_first_zero_bit(map, bits) >= (bits))
static inline bool bitmap_equal(const unsigned long *a, const unsigned long *b, unsigned int bits)
{
	for (unsigned int i = 0; i < bits; i++)
		if (test_bit(i, a) != test_bit(i, b))
			return false;
	return true;
}
#define KMLAB_BITMAP_OP(name, expression)                                                          \
	static inline bool bitmap_##name(unsigned long *to, const unsigned long *a,                \
					 const unsigned long *b, unsigned int bits)                \
	{                                                                                          \
		unsigned long any = 0;                                                             \
		for (unsigned int i = 0; i < BITS_TO_LONGS(bits); i++)                             \
			any |= to[i] = expression;                                                 \
		return any != 0;                                                                   \
	}
KMLAB_BITMAP_OP(and, a[i] & b[i])
KMLAB_BITMAP_OP(or, a[i] | b[i])
KMLAB_BITMAP_OP(xor, a[i] ^ b[i])
KMLAB_BITMAP_OP(andnot, a[i] & ~b[i])
/* The first free area of n bits whose first is a multiple of align + 1; size: there is none. */
static inline unsigned long bitmap_find_next_zero_area(unsigned long *map, unsigned long size,
						       unsigned long from, unsigned int n,
						       unsigned long align)
{
	for (;;) {
		unsigned long first = (find_next_zero_bit(map, size, from) + align) & ~align, used;

		if (first + n > size)
			return size + 1;
		used = find_next_bit(map, first + n, first);
		if (used >= first + n)
			return first;
		from = used + 1;
	}
}
/* An area of 2^order bits, aligned to that (lib/bitmap.c). */
static inline int bitmap_find_free_region(unsigned long *map, unsigned int bits, int order)
{
	unsigned long n = 1UL << order, first = bitmap_find_next_zero_area(map, bits, 0, n, n - 1);

	if (first >= bits)
		return -ENOMEM;
	bitmap_set(map, first, n);
	return (int)first;
}
#define bitmap_release_region(map, first, order) bitmap_clear(map, first, 1u << (order))
#define for_each_clear_bit(n, map, size)                                                           \
	for ((n) = find_first_zero_bit(map, size); (n) < (size);                                   \
	     (n) = find_next_zero_bit(map, size, (n) + 1))

#endif
