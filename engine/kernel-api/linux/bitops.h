/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_BITOPS_H
#define _LINUX_BITOPS_H

#include <linux/kernel.h>

#define BITS_PER_LONG 64
#define BITS_PER_BYTE 8
#define BITS_TO_LONGS(n) (((n) + 63) / 64)
#define BIT_MASK(n) (1UL << ((n) % 64))
#define BIT_WORD(n) ((n) / 64)
#define __ffs(word) ((unsigned long)__builtin_ctzl(word))
#define __fls(word) ((unsigned long)(63 - __builtin_clzl(word)))
#define ffs(word) __builtin_ffs(word)
static inline int fls(unsigned int word)
{
	return word ? 32 - __builtin_clz(word) : 0;
}
static inline int fls64(u64 word)
{
	return word ? 64 - __builtin_clzll(word) : 0;
}
#define hweight32(word) __builtin_popcount(word)
#define hweight64(word) __builtin_popcountll(word)
static inline void set_bit(long n, unsigned long *words)
{
	__sync_fetch_and_or(&words[n / 64], 1UL << n % 64);
}
static inline void clear_bit(long n, unsigned long *words)
{
	__sync_fetch_and_and(&words[n / 64], ~(1UL << n % 64));
}
static inline void change_bit(long n, unsigned long *words)
{
	__sync_fetch_and_xor(&words[n / 64], 1UL << n % 64);
}
static inline bool test_bit(long n, const unsigned long *words)
{
	return words[n / 64] >> n % 64 & 1;
}
static inline bool test_and_set_bit(long n, unsigned long *words)
{
	return __sync_fetch_and_or(&words[n / 64], 1UL << n % 64) >> n % 64 & 1;
}
static inline bool test_and_clear_bit(long n, unsigned long *words)
{
	return __sync_fetch_and_and(&words[n / 64], ~(1UL << n % 64)) >> n % 64 & 1;
}
#define __set_bit set_bit
#define __clear_bit clear_bit
static inline unsigned long find_next_bit(const unsigned long *words, unsigned long size,
					  unsigned long from)
{
	while (from < size && !test_bit(from, words))
		from++;
	return from < size ? from : size;
}
static inline unsigned long find_next_zero_bit(const unsigned long *words, unsigned long size,
					       unsigned long from)
{
	while (from < size && test_bit(from, words))
		from++;
	return from < size ? from : size;
}
#define find_first_bit(words, size) find_next_bit(words, size, 0)
#define find_first_zero_bit(words, size) find_next_zero_bit(words, size, 0)
#define for_each_set_bit(n, words, size)                                                           \
	for ((n) = find_first_bit(words, size); (n) < (size);                                      \
	     (n) = find_next_bit(words, size, (n) + 1))

#endif
