/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/kernel.h>

#include "oracle.h"

void oracle_print(struct oracle_text *text, const char *format, ...)
{
	unsigned long left = text->room - text->used;
	va_list args;
	int wanted;

	va_start(args, format);
	wanted = vsnprintf(text->bytes + text->used, left, format, args);
	va_end(args);
	text->used += min_t(unsigned long, wanted, left);
}
