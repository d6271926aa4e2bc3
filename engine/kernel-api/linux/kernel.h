/* SPDX-License-Identifier: GPL-2.0-only */
/* What nearly every module uses: arithmetic, container_of, text conversion. */
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H

#include <linux/bug.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/printk.h>
#include <linux/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member)                                                        \
	((type *)((char *)(1 ? (pointer) : &((type *)0)->member) - offsetof(type, member)))
#define typeof_member(type, member) __typeof__(((type *)0)->member)

#define min(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) kmlab_a_ = (a);                                                      \
		__typeof__(b) kmlab_b_ = (b);                                                      \
		kmlab_a_ < kmlab_b_ ? kmlab_a_ : kmlab_b_;                                         \
	})
#define max(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) kmlab_a_ = (a);                                                      \
		__typeof__(b) kmlab_b_ = (b);                                                      \
		kmlab_a_ > kmlab_b_ ? kmlab_a_ : kmlab_b_;                                         \
	})
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define min3(a, b, c) min(min(a, b), c)
#define max3(a, b, c) max(max(a, b), c)
#define clamp(value, low, high) min(max(value, low), high)
#define clamp_t(type, value, low, high) min_t(type, max_t(type, value, low), high)
#define clamp_val(value, low, high) clamp_t(__typeof__(value), value, low, high)
#define swap(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) kmlab_swap_ = (a);                                                   \
		(a) = (b);                                                                         \
		(b) = kmlab_swap_;                                                                 \
	} while (0)
#define abs(x) ((x) < 0 ? -(x) : (x))

#define __round_mask(x, y) ((__typeof__(x))((y)-1))
#define round_up(x, y) ((((x)-1) | __round_mask(x, y)) + 1)
#define round_down(x, y) ((x) & ~__round_mask(x, y))
#define roundup(x, y) ((((x) + (y)-1) / (y)) * (y))
#define rounddown(x, y) ((x) - (x) % (y))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define DIV_ROUND_CLOSEST(n, d) (((n) + (d) / 2) / (d))
#define ALIGN(x, a) round_up(x, a)
#define ALIGN_DOWN(x, a) round_down(x, a)
#define PTR_ALIGN(p, a) ((__typeof__(p))ALIGN((unsigned long)(p), (a)))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK(high, low) ((~0UL << (low)) & (~0UL >> (63 - (high))))
#define upper_32_bits(n) ((u32)((u64)(n) >> 32))
#define lower_32_bits(n) ((u32)(n))
#define IS_ENABLED(option) 0
#define _RET_IP_ ((unsigned long)__builtin_return_address(0))
#define _THIS_IP_ _RET_IP_
#define do_div(n, base)                                                                            \
	({                                                                                         \
		u32 kmlab_rest_ = (u32)((n) % (u32)(base));                                        \
		(n) = (n) / (u32)(base);                                                           \
		kmlab_rest_;                                                                       \
	})

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}
static inline unsigned long roundup_pow_of_two(unsigned long n)
{
	return n <= 1 ? 1 : 1UL << (64 - __builtin_clzl(n - 1));
}
static inline unsigned long rounddown_pow_of_two(unsigned long n)
{
	return 1UL << (63 - __builtin_clzl(n));
}
static inline int ilog2(unsigned long n)
{
	return 63 - __builtin_clzl(n);
}
static inline unsigned long long div_u64(unsigned long long n, u32 d)
{
	return n / d;
}
static inline unsigned long long div64_u64(unsigned long long n, unsigned long long d)
{
	return n / d;
}

/* ---- text ---- */

static inline int vsnprintf(char *text, size_t room, const char *format, va_list args)
{
	va_list copy;
	int length;

	va_copy(copy, args);
	length = kmlab_api->vsnprintf(text, room, format, &copy);
	va_end(copy);
	return length;
}
static inline int vscnprintf(char *text, size_t room, const char *format, va_list args)
{
	int length = vsnprintf(text, room, format, args);

	return room && (size_t)length >= room ? (int)room - 1 : length;
}
static inline int snprintf(char *text, size_t room, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, room, format, args);
	va_end(args);
	return length;
}
static inline int scnprintf(char *text, size_t room, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vscnprintf(text, room, format, args);
	va_end(args);
	return length;
}
static inline int sprintf(char *text, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, INT_MAX, format, args);
	va_end(args);
	return length;
}

static inline int kmlab_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}
static inline unsigned long long simple_strtoull(const char *text, char **end, unsigned int base)
{
	unsigned long long value = 0;
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x' && kmlab_digit(text[2]) < 16;

	if (!base)
		base = hex ? 16 : text[0] == '0' ? 8 : 10;
	if (base == 16 && hex)
		text += 2;
	while (kmlab_digit(*text) < (int)base)
		value = value * base + kmlab_digit(*text++);
	if (end)
		*end = (char *)text;
	return value;
}
static inline long simple_strtol(const char *text, char **end, unsigned int base)
{
	return *text == '-' ? -(long)simple_strtoull(text + 1, end, base)
			    : (long)simple_strtoull(text, end, base);
}
#define simple_strtoul(text, end, base) ((unsigned long)simple_strtoull(text, end, base))
static inline int kstrtoll(const char *text, unsigned int base, long long *value)
{
	bool minus = *text == '-';
	unsigned long long number;
	char *end;

	text += *text == '-' || *text == '+';
	if (kmlab_digit(*text) > 35)
		return -EINVAL;
	number = simple_strtoull(text, &end, base);
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	*value = minus ? -(long long)number : (long long)number;
	return 0;
}
#define KMLAB_KSTRTO(name, type)                                                                   \
	static inline int name(const char *text, unsigned int base, type *value)                   \
	{                                                                                          \
		long long number;                                                                  \
		int ret = kstrtoll(text, base, &number);                                           \
		if (ret)                                                                           \
			return ret;                                                                \
		if ((long long)(type)number != number)                                             \
			return -ERANGE;                                                            \
		*value = (type)number;                                                             \
		return 0;                                                                          \
	}
KMLAB_KSTRTO(kstrtoint, int)
KMLAB_KSTRTO(kstrtouint, unsigned int)
KMLAB_KSTRTO(kstrtol, long)
KMLAB_KSTRTO(kstrtoul, unsigned long)
KMLAB_KSTRTO(kstrtoull, unsigned long long)
KMLAB_KSTRTO(kstrtou8, u8)
KMLAB_KSTRTO(kstrtou16, u16)

/* A number as %d %i %u %x %o take it; false: there is none. `left`: characters it may have. */
static inline bool kmlab_scan_number(const char **text, unsigned int base, unsigned int left,
				     unsigned long long *value)
{
	const char *at = *text, *first;
	bool minus = left && *at == '-';

	if (left && (*at == '-' || *at == '+')) {
		at++;
		left--;
	}
	if (left > 2 && (base == 16 || !base) && at[0] == '0' && (at[1] | 0x20) == 'x' &&
	    kmlab_digit(at[2]) < 16) {
		base = 16;
		at += 2;
		left -= 2;
	}
	if (!base)
		base = *at == '0' ? 8 : 10;
	*value = 0;
	for (first = at; left && kmlab_digit(*at) < (int)base; at++, left--)
		*value = *value * base + kmlab_digit(*at);
	if (at == first)
		return false;
	if (minus)
		*value = -*value;
	*text = at;
	return true;
}
/* size: -2 hh, -1 h, 0, 1 l, 2 ll */
static inline void kmlab_scan_store(void *to, int size, unsigned long long value)
{
	switch (size) {
	case -2:
		*(u8 *)to = (u8)value;
		break;
	case -1:
		*(u16 *)to = (u16)value;
		break;
	case 0:
		*(u32 *)to = (u32)value;
		break;
	default:
		*(u64 *)to = value;
	}
}
static inline bool kmlab_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}
/* Text as %s and %c take it. */
static inline bool kmlab_scan_text(const char **text, char *to, unsigned int left, bool word)
{
	const char *first = *text;

	for (; left && **text && !(word && kmlab_is_space(**text)); left--, ++*text)
		*to++ = **text;
	if (word)
		*to = 0;
	return *text != first;
}
/* How many of the arguments were set (lib/vsprintf.c; without sets, %[). */
static inline int vsscanf(const char *text, const char *format, va_list args)
{
	const char *start = text;
	int set = 0;

	for (; *format; format++) {
		unsigned int width = 0;
		unsigned long long value;
		int size = 0;
		bool skip;

		if (kmlab_is_space(*format)) {
			while (kmlab_is_space(*text))
				text++;
			continue;
		}
		if (*format != '%' || *++format == '%') {
			if (*text++ != *format)
				return set;
			continue;
		}
		skip = *format == '*';
		format += skip;
		while (*format >= '0' && *format <= '9')
			width = width * 10 + (unsigned int)(*format++ - '0');
		for (; *format == 'h' || *format == 'l' || *format == 'L' || *format == 'z';
		     format++)
			size += *format == 'h' ? -1 : *format == 'L' ? 2 : 1;
		if (*format == 'n') {
			*va_arg(args, int *) = (int)(text - start);
			continue;
		}
		while (*format != 'c' && kmlab_is_space(*text))
			text++;
		if (!*text)
			return set;
		if (*format == 's' || *format == 'c') {
			char none[2], *to = skip ? none : va_arg(args, char *);

			if (!width)
				width = *format == 'c' ? 1 : INT_MAX;
			while (skip && width-- && *text && !kmlab_is_space(*text))
				text++;
			if (!skip && !kmlab_scan_text(&text, to, width, *format == 's'))
				return set;
			set += !skip;
			continue;
		}
		if (!kmlab_scan_number(&text,
				       *format == 'x' || *format == 'X' || *format == 'p' ? 16
				       : *format == 'o'                                   ? 8
				       : *format == 'i'                                   ? 0
											  : 10,
				       width ? width : INT_MAX, &value))
			return set;
		if (!skip)
			kmlab_scan_store(va_arg(args, void *), *format == 'p' ? 2 : size, value);
		set += !skip;
	}
	return set;
}
static inline __attribute__((format(scanf, 2, 3))) int sscanf(const char *text, const char *format,
							      ...)
{
	va_list args;
	int set;

	va_start(args, format);
	set = vsscanf(text, format, args);
	va_end(args);
	return set;
}

#define might_sleep() kmlab_api->do_might_sleep(KMLAB_SITE("might_sleep"))
#define might_sleep_if(condition)                                                                  \
	do {                                                                                       \
		if (condition)                                                                     \
			might_sleep();                                                             \
	} while (0)

#endif
