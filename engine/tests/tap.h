/* SPDX-License-Identifier: GPL-2.0-only */
/* Test Anything Protocol, as `prove` reads it. Each test program: TAP_OK(…) …; return tap_done();
 */
#ifndef KMLAB_TAP_H
#define KMLAB_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned tap_run, tap_failed;

__attribute__((format(printf, 4, 5), unused)) static bool tap_ok(bool passed, const char *file,
								 int line, const char *format, ...)
{
	va_list args;

	printf("%sok %u - ", passed ? "" : "not ", ++tap_run);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (!passed) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return passed;
}

/* TAP_OK(condition, "what holds", …) */
#define TAP_OK(condition, ...) tap_ok((condition), __FILE__, __LINE__, __VA_ARGS__)

/* TAP_EQ(got, want, "what") compares integers and shows both on failure. */
#define TAP_EQ(got, want, ...)                                                                     \
	do {                                                                                       \
		long long tap_got_ = (long long)(got), tap_want_ = (long long)(want);              \
		if (!tap_ok(tap_got_ == tap_want_, __FILE__, __LINE__, __VA_ARGS__))               \
			printf("# got %lld, want %lld\n", tap_got_, tap_want_);                    \
	} while (0)

/* The whole program is skipped, with the reason. */
#define TAP_SKIP_ALL(reason)                                                                       \
	do {                                                                                       \
		printf("1..0 # SKIP %s\n", (reason));                                              \
		exit(0);                                                                           \
	} while (0)

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%u\n", tap_run);
	return tap_failed ? 1 : 0;
}

#endif
