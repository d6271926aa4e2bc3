/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory and text. What is read and written is looked at before it is. */
#ifndef _LINUX_STRING_H
#define _LINUX_STRING_H

#include <linux/errno.h>
#include <linux/gfp_types.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/types.h>

#define KMLAB_READS(p, n) kmlab_api->access(p, n, 0, __builtin_return_address(0))
#define KMLAB_WRITES(p, n) kmlab_api->access(p, n, 1, __builtin_return_address(0))
/* Not inlined, so that the return address is the caller's. */
#define KMLAB_TEXT static __attribute__((__noinline__, __unused__, __no_sanitize_address__))

KMLAB_TEXT void *kmlab_memcpy(void *to, const void *from, size_t n)
{
	KMLAB_READS(from, n);
	KMLAB_WRITES(to, n);
	return __builtin_memcpy(to, from, n);
}
KMLAB_TEXT void *kmlab_memmove(void *to, const void *from, size_t n)
{
	KMLAB_READS(from, n);
	KMLAB_WRITES(to, n);
	return __builtin_memmove(to, from, n);
}
KMLAB_TEXT void *kmlab_memset(void *to, int byte, size_t n)
{
	KMLAB_WRITES(to, n);
	return __builtin_memset(to, byte, n);
}
KMLAB_TEXT int kmlab_memcmp(const void *a, const void *b, size_t n)
{
	KMLAB_READS(a, n);
	KMLAB_READS(b, n);
	return __builtin_memcmp(a, b, n);
}
#define memcpy(to, from, n) kmlab_memcpy(to, from, n)
#define memmove(to, from, n) kmlab_memmove(to, from, n)
#define memset(to, byte, n) kmlab_memset(to, byte, n)
#define memcmp(a, b, n) kmlab_memcmp(a, b, n)
#define memzero_explicit(p, n) memset(p, 0, n)

KMLAB_TEXT size_t strnlen(const char *text, size_t most)
{
	size_t n = 0;

	while (n < most && (KMLAB_READS(text + n, 1), text[n]))
		n++;
	return n;
}
KMLAB_TEXT size_t strlen(const char *text)
{
	size_t n = 0;

	while (KMLAB_READS(text + n, 1), text[n])
		n++;
	return n;
}
KMLAB_TEXT char *strcpy(char *to, const char *from)
{
	size_t n = strlen(from) + 1;

	KMLAB_WRITES(to, n);
	return __builtin_memcpy(to, from, n);
}
KMLAB_TEXT char *strncpy(char *to, const char *from, size_t room)
{
	size_t n = strnlen(from, room);

	KMLAB_WRITES(to, room);
	__builtin_memcpy(to, from, n);
	__builtin_memset(to + n, 0, room - n);
	return to;
}
KMLAB_TEXT ssize_t kmlab_strscpy(char *to, const char *from, size_t room)
{
	size_t n = strnlen(from, room);

	if (!room)
		return -E2BIG;
	KMLAB_WRITES(to, n < room ? n + 1 : room);
	__builtin_memcpy(to, from, n < room ? n : room - 1);
	to[n < room ? n : room - 1] = 0;
	return n < room ? (ssize_t)n : -E2BIG;
}
/* Two arguments where `to` is an array (6.9 and later). */
#define KMLAB_STRSCPY_2(to, from) kmlab_strscpy(to, from, sizeof(to))
#define KMLAB_STRSCPY_3(to, from, room) kmlab_strscpy(to, from, room)
#define KMLAB_STRSCPY(a, b, c, name, ...) name
#define strscpy(...) KMLAB_STRSCPY(__VA_ARGS__, KMLAB_STRSCPY_3, KMLAB_STRSCPY_2, )(__VA_ARGS__)
#define strscpy_pad(to, from, room) (memset(to, 0, room), kmlab_strscpy(to, from, room))
KMLAB_TEXT size_t strlcpy(char *to, const char *from, size_t room)
{
	kmlab_strscpy(to, from, room);
	return strlen(from);
}
KMLAB_TEXT char *strcat(char *to, const char *from)
{
	size_t at = strlen(to), n = strlen(from) + 1;

	KMLAB_WRITES(to + at, n);
	__builtin_memcpy(to + at, from, n);
	return to;
}
KMLAB_TEXT char *strncat(char *to, const char *from, size_t most)
{
	size_t at = strlen(to), n = strnlen(from, most);

	KMLAB_WRITES(to + at, n + 1);
	__builtin_memcpy(to + at, from, n);
	to[at + n] = 0;
	return to;
}
KMLAB_TEXT int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--) {
		KMLAB_READS(a, 1);
		KMLAB_READS(b, 1);
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}
KMLAB_TEXT int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, ~(size_t)0);
}
KMLAB_TEXT int strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--) {
		int x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a;
		int y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b;

		if (x != y || !x)
			return x - y;
	}
	return 0;
}
#define strcasecmp(a, b) strncasecmp(a, b, ~(size_t)0)
KMLAB_TEXT char *strchr(const char *text, int c)
{
	for (;; text++) {
		KMLAB_READS(text, 1);
		if (*text == (char)c)
			return (char *)text;
		if (!*text)
			return NULL;
	}
}
KMLAB_TEXT char *strrchr(const char *text, int c)
{
	const char *last = NULL;

	do {
		if (*text == (char)c)
			last = text;
	} while (*text++);
	return (char *)last;
}
KMLAB_TEXT char *strstr(const char *text, const char *what)
{
	size_t n = strlen(what);

	for (; strlen(text) >= n; text++)
		if (strncmp(text, what, n) == 0)
			return (char *)text;
	return NULL;
}
KMLAB_TEXT char *strsep(char **text, const char *ends)
{
	char *start = *text, *at;

	if (!start)
		return NULL;
	for (at = start; *at && !strchr(ends, *at); at++)
		;
	*text = *at ? at + 1 : NULL;
	*at = 0;
	return start;
}
KMLAB_TEXT char *skip_spaces(const char *text)
{
	while (*text == ' ' || (*text >= 9 && *text <= 13))
		text++;
	return (char *)text;
}
KMLAB_TEXT char *strim(char *text)
{
	size_t n = strlen(text);

	while (n && (text[n - 1] == ' ' || (text[n - 1] >= 9 && text[n - 1] <= 13)))
		text[--n] = 0;
	return skip_spaces(text);
}
#define strstrip strim
KMLAB_TEXT void *memchr(const void *from, int byte, size_t n)
{
	const unsigned char *at = from;

	for (; n; n--, at++)
		if (*at == (unsigned char)byte)
			return (void *)at;
	return NULL;
}
static inline bool sysfs_streq(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	n -= n && a[n - 1] == '\n';
	m -= m && b[m - 1] == '\n';
	return n == m && strncmp(a, b, n) == 0;
}

/* ---- copies ---- */

KMLAB_TEXT void *kmlab_dup(const struct kmlab_site *site, const void *from, size_t n, gfp_t gfp,
			   bool end)
{
	char *copy = kmlab_api->do_kmalloc(site, n + end, gfp, -1);

	if (!copy)
		return NULL;
	KMLAB_READS(from, n);
	__builtin_memcpy(copy, from, n);
	if (end)
		copy[n] = 0;
	return copy;
}
#define kmemdup(from, bytes, gfp) kmlab_dup(KMLAB_SITE("kmemdup"), from, bytes, gfp, false)
#define kmemdup_nul(from, bytes, gfp)                                                              \
	((char *)kmlab_dup(KMLAB_SITE("kmemdup_nul"), from, bytes, gfp, true))
#define kstrdup(text, gfp)                                                                         \
	({                                                                                         \
		const char *kmlab_text_ = (text);                                                  \
		kmlab_text_ ? (char *)kmlab_dup(KMLAB_SITE("kstrdup"), kmlab_text_,                \
						strlen(kmlab_text_), gfp, true)                    \
			    : NULL;                                                                \
	})
#define kstrndup(text, most, gfp)                                                                  \
	((char *)kmlab_dup(KMLAB_SITE("kstrndup"), text, strnlen(text, most), gfp, true))
/* What lies in the kernel's own constants is not copied; a module's constants are. */
#define kstrdup_const(text, gfp)                                                                   \
	({                                                                                         \
		const char *kmlab_text_ = (text);                                                  \
		kmlab_text_ ? (const char *)kmlab_dup(KMLAB_SITE("kstrdup_const"), kmlab_text_,    \
						      strlen(kmlab_text_), gfp, true)              \
			    : NULL;                                                                \
	})
#define kfree_const(p) kmlab_api->do_kfree(KMLAB_SITE("kfree_const"), p, 0)
KMLAB_TEXT void *kmlab_kvdup(const struct kmlab_site *site, const void *from, size_t n, gfp_t gfp)
{
	void *copy = kmlab_api->do_kvmalloc(site, n, gfp, -1);

	if (copy)
		kmlab_memcpy(copy, from, n);
	return copy;
}
#define kvmemdup(from, bytes, gfp) kmlab_kvdup(KMLAB_SITE("kvmemdup"), from, bytes, gfp)
#define kmemdup_array(from, n, bytes, gfp)                                                         \
	kmlab_dup(KMLAB_SITE("kmemdup_array"), from, size_mul(n, bytes), gfp, false)
#define kmemdup_noprof kmemdup

KMLAB_TEXT char *kmlab_vasprintf(const struct kmlab_site *site, gfp_t gfp, const char *format,
				 va_list args)
{
	va_list copy;
	char *text;
	int n;

	va_copy(copy, args);
	n = kmlab_api->vsnprintf(NULL, 0, format, &copy);
	va_end(copy);
	text = kmlab_api->do_kmalloc(site, n + 1, gfp, -1);
	va_copy(copy, args);
	if (text)
		kmlab_api->vsnprintf(text, n + 1, format, &copy);
	va_end(copy);
	return text;
}
KMLAB_TEXT char *kmlab_asprintf(const struct kmlab_site *site, gfp_t gfp, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = kmlab_vasprintf(site, gfp, format, args);
	va_end(args);
	return text;
}
#define kasprintf(gfp, format, ...)                                                                \
	kmlab_asprintf(KMLAB_SITE("kasprintf"), gfp, format, ##__VA_ARGS__)
#define kvasprintf(gfp, format, args) kmlab_vasprintf(KMLAB_SITE("kvasprintf"), gfp, format, args)
#define kvasprintf_const(gfp, format, args)                                                        \
	((const char *)kmlab_vasprintf(KMLAB_SITE("kvasprintf_const"), gfp, format, args))
/* Comparisons and parts that are rarer. */
KMLAB_TEXT char *strpbrk(const char *text, const char *any)
{
	for (; *text; text++)
		if (strchr(any, *text))
			return (char *)text;
	return NULL;
}
KMLAB_TEXT size_t strspn(const char *text, const char *accept)
{
	size_t n = 0;

	while (text[n] && strchr(accept, text[n]))
		n++;
	return n;
}
KMLAB_TEXT size_t strcspn(const char *text, const char *reject)
{
	size_t n = 0;

	while (text[n] && !strchr(reject, text[n]))
		n++;
	return n;
}
KMLAB_TEXT char *strnstr(const char *text, const char *what, size_t most)
{
	size_t n = strlen(what);

	for (; most >= n; text++, most--)
		if (strncmp(text, what, n) == 0)
			return (char *)text;
	return NULL;
}
KMLAB_TEXT char *strreplace(char *text, char old, char with)
{
	for (char *at = text; *at; at++)
		if (*at == old)
			*at = with;
	return text;
}
static inline bool strstarts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}
static inline int match_string(const char *const *array, size_t n, const char *text)
{
	for (size_t i = 0; i < n && array[i]; i++)
		if (strcmp(array[i], text) == 0)
			return (int)i;
	return -EINVAL;
}
#define memset_io memset
#define memcpy_fromio memcpy
#define memcpy_toio memcpy
#define memchr_inv(p, byte, n)                                                                     \
	({                                                                                         \
		const unsigned char *kmlab_at_ = (const void *)(p);                                \
		size_t kmlab_left_ = (n);                                                          \
		while (kmlab_left_ && *kmlab_at_ == (unsigned char)(byte)) {                       \
			kmlab_at_++;                                                               \
			kmlab_left_--;                                                             \
		}                                                                                  \
		kmlab_left_ ? (void *)kmlab_at_ : NULL;                                            \
	})

#endif
