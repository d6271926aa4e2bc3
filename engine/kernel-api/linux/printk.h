/* SPDX-License-Identifier: GPL-2.0-only */
/* printk and its short forms. %p shows addresses as a kernel booted with no_hash_pointers does. */
#ifndef _LINUX_PRINTK_H
#define _LINUX_PRINTK_H

#include <linux/kern_levels.h>
#include <linux/stdarg.h>
#include <linux/types.h>

/* The kernel's formats (%pK %px %pe …) are not what a compiler's check knows. */
static inline int vprintk(const char *format, va_list args)
{
	va_list copy;
	int length;

	va_copy(copy, args);
	length = kmlab_api->vprintk(format, &copy);
	va_end(copy);
	return length;
}

static inline int printk(const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vprintk(format, args);
	va_end(args);
	return length;
}
#define _printk printk

#ifndef pr_fmt
#define pr_fmt(format) format
#endif
#define pr_emerg(format, ...) printk(KERN_EMERG pr_fmt(format), ##__VA_ARGS__)
#define pr_alert(format, ...) printk(KERN_ALERT pr_fmt(format), ##__VA_ARGS__)
#define pr_crit(format, ...) printk(KERN_CRIT pr_fmt(format), ##__VA_ARGS__)
#define pr_err(format, ...) printk(KERN_ERR pr_fmt(format), ##__VA_ARGS__)
#define pr_warn(format, ...) printk(KERN_WARNING pr_fmt(format), ##__VA_ARGS__)
#define pr_warning pr_warn
#define pr_notice(format, ...) printk(KERN_NOTICE pr_fmt(format), ##__VA_ARGS__)
#define pr_info(format, ...) printk(KERN_INFO pr_fmt(format), ##__VA_ARGS__)
#define pr_cont(format, ...) printk(KERN_CONT format, ##__VA_ARGS__)
#ifdef DEBUG
#define pr_debug(format, ...) printk(KERN_DEBUG pr_fmt(format), ##__VA_ARGS__)
#else
#define pr_debug(format, ...)                                                                      \
	do {                                                                                       \
		if (0)                                                                             \
			printk(KERN_DEBUG pr_fmt(format), ##__VA_ARGS__);                          \
	} while (0)
#endif
#define pr_devel pr_debug
#define printk_once(format, ...)                                                                   \
	do {                                                                                       \
		static bool kmlab_once_;                                                           \
		if (!kmlab_once_)                                                                  \
			printk(format, ##__VA_ARGS__);                                             \
		kmlab_once_ = true;                                                                \
	} while (0)
#define pr_info_once(format, ...) printk_once(KERN_INFO pr_fmt(format), ##__VA_ARGS__)
#define pr_warn_once(format, ...) printk_once(KERN_WARNING pr_fmt(format), ##__VA_ARGS__)
#define pr_err_once(format, ...) printk_once(KERN_ERR pr_fmt(format), ##__VA_ARGS__)
#define printk_ratelimited printk
#define pr_info_ratelimited pr_info
#define pr_err_ratelimited pr_err
#define pr_warn_ratelimited pr_warn
#define printk_ratelimit() 1

enum { DUMP_PREFIX_NONE, DUMP_PREFIX_ADDRESS, DUMP_PREFIX_OFFSET };

static inline void print_hex_dump(const char *level, const char *prefix, int prefix_type,
				  int row_bytes, int group, const void *buffer, size_t bytes,
				  bool ascii)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = buffer;
	char text[160];

	for (size_t at = 0; at < bytes; at += row_bytes) {
		size_t n = bytes - at < (size_t)row_bytes ? bytes - at : (size_t)row_bytes,
		       used = 0;

		for (size_t i = 0; i < n; i++) {
			/* Groups are numbers: little endian within each. */
			size_t in_group = i % group, byte = i - in_group + (group - 1 - in_group);

			byte = byte < n ? byte : i;
			text[used++] = digits[from[at + byte] >> 4];
			text[used++] = digits[from[at + byte] & 15];
			if (in_group == (size_t)group - 1 && i + 1 < n)
				text[used++] = ' ';
		}
		if (ascii) {
			while (used < (size_t)row_bytes * 2 + row_bytes / group + 1)
				text[used++] = ' ';
			for (size_t i = 0; i < n; i++)
				text[used++] = from[at + i] >= 32 && from[at + i] < 127
						       ? (char)from[at + i]
						       : '.';
		}
		text[used] = 0;
		if (prefix_type == DUMP_PREFIX_ADDRESS)
			printk("%s%s%px: %s\n", level, prefix, from + at, text);
		else if (prefix_type == DUMP_PREFIX_OFFSET)
			printk("%s%s%.8lx: %s\n", level, prefix, (unsigned long)at, text);
		else
			printk("%s%s%s\n", level, prefix, text);
	}
}
#define print_hex_dump_bytes(prefix, type, buffer, bytes)                                          \
	print_hex_dump(KERN_DEBUG, prefix, type, 16, 1, buffer, bytes, true)
#define print_hex_dump_debug(prefix, type, row, group, buffer, bytes, ascii)                       \
	print_hex_dump(KERN_DEBUG, prefix, type, row, group, buffer, bytes, ascii)
#define dump_stack() printk(KERN_INFO "Call Trace: %s\n", __func__)

#endif
