/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a library tells a user what went wrong: functions return 0 or -errno and, where a person
 * will read it, fill one sentence (subject, fact, next step). Only commands print it.
 * The engine itself returns codes only.
 */
#ifndef KMLAB_ERR_H
#define KMLAB_ERR_H

#include <stdarg.h>
#include <stdio.h>

struct km_err {
	char text[512]; /* one sentence without the trailing newline; "" = none */
};

/* Fill `err` (may be NULL) and return `code` (negative errno), so that callers can return it. */
__attribute__((format(printf, 3, 4))) static inline int km_fail(struct km_err *err, int code,
								const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		vsnprintf(err->text, sizeof(err->text), format, args);
		va_end(args);
	}
	return code;
}

#endif
