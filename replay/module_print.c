/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * printk and the kernel's formats (Documentation/core-api/printk-formats.rst). Addresses are shown
 * as the machine's, also where a module prints one as a number: what it computes with is where the
 * memory lies in this process.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/module_kernel.h"

struct out {
	char *text;
	size_t room, used;
};

static void put(struct out *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++, out->used++)
		if (out->used + 1 < out->room)
			out->text[out->used] = text[i];
}

struct spec {
	bool left, plus, space, hash, zero;
	int width, precision; /* -1: none */
	char length;          /* 'H' hh, 'h', 'l', 'L' ll, 'z', 't' */
};

static void put_padded(struct out *out, const struct spec *spec, const char *text, size_t length)
{
	size_t width = spec->width > 0 ? (size_t)spec->width : 0;

	for (size_t i = length; !spec->left && i < width; i++)
		put(out, " ", 1);
	put(out, text, length);
	for (size_t i = length; spec->left && i < width; i++)
		put(out, " ", 1);
}

static void put_number(struct out *out, const struct spec *spec, char type, uint64_t value,
		       bool negative)
{
	char digits[32], whole[160];
	size_t n = 0, used = 0, width = spec->width > 0 ? (size_t)spec->width : 0;
	unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : 10;
	const char *letters = type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	size_t least = spec->precision > 0 ? (size_t)spec->precision : 1;

	do {
		digits[n++] = letters[value % base];
		value /= base;
	} while (value);
	if (negative)
		whole[used++] = '-';
	else if (spec->plus || spec->space)
		whole[used++] = spec->plus ? '+' : ' ';
	if (spec->hash && base == 16) {
		whole[used++] = '0';
		whole[used++] = type;
	}
	if (spec->zero && !spec->left && spec->precision < 0 && width > used + least)
		least = width - used;
	for (size_t i = n; i < least && used < 120; i++)
		whole[used++] = '0';
	while (n)
		whole[used++] = digits[--n];
	put_padded(out, spec, whole, used);
}

/* ---- pointers ---- */

static const char *error_name(long error)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {{1, "EPERM"},   {2, "ENOENT"},  {5, "EIO"},        {11, "EAGAIN"},
		     {12, "ENOMEM"}, {13, "EACCES"}, {14, "EFAULT"},    {16, "EBUSY"},
		     {17, "EEXIST"}, {19, "ENODEV"}, {22, "EINVAL"},    {28, "ENOSPC"},
		     {34, "ERANGE"}, {38, "ENOSYS"}, {110, "ETIMEDOUT"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (-error == names[i].number)
			return names[i].name;
	return NULL;
}

static void put_symbol(struct out *out, const struct spec *spec, const void *p, bool offset)
{
	Dl_info info;
	char text[160];

	if (!dladdr(p, &info) || !info.dli_sname)
		snprintf(text, sizeof(text), "0x%" PRIx64, km_shown((uintptr_t)p));
	else if (offset)
		snprintf(text, sizeof(text), "%s+0x%zx", info.dli_sname,
			 (size_t)((const char *)p - (const char *)info.dli_saddr));
	else
		snprintf(text, sizeof(text), "%s", info.dli_sname);
	put_padded(out, spec, text, strlen(text));
}

static void put_bytes(struct out *out, const unsigned char *bytes, size_t count, char between)
{
	char text[4];

	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%02x%c", bytes[i], between);
		put(out, text, between && i + 1 < count ? 3 : 2);
	}
}

/* What stands behind %p decides; the kernel's other letters show the address. */
static const char *put_pointer(struct out *out, struct spec *spec, const char *at, const void *p)
{
	char text[24];
	const char *name;

	switch (*at) {
	case 'S':
	case 's':
	case 'F':
	case 'f':
	case 'B':
		put_symbol(out, spec, p, *at == 'S' || *at == 'B');
		return at + 1;
	case 'e':
		name = error_name((intptr_t)p);
		if (!name)
			break;
		snprintf(text, sizeof(text), "-%s", name);
		put_padded(out, spec, text, strlen(text));
		return at + 1;
	case 'a':
		snprintf(text, sizeof(text), "0x%016" PRIx64, *(const uint64_t *)p);
		put_padded(out, spec, text, strlen(text));
		return at + (at[1] == 'p' || at[1] == 'd' ? 2 : 1);
	case 'M':
	case 'm':
		put_bytes(out, p, 6, *at == 'M' ? ':' : 0);
		return at + 1;
	case 'h':
		put_bytes(out, p, spec->width > 0 ? (size_t)spec->width : 1,
			  at[1] == 'C'   ? ':'
			  : at[1] == 'N' ? 0
					 : ' ');
		return at + (at[1] == 'C' || at[1] == 'D' || at[1] == 'N' ? 2 : 1);
	}
	if (!p && *at != 'x')
		snprintf(text, sizeof(text), "%16s", "(null)");
	else
		snprintf(text, sizeof(text), "%s%016" PRIx64, spec->hash ? "0x" : "",
			 km_shown((uintptr_t)p));
	put_padded(out, spec, text, strlen(text));
	return at + (*at == 'x' || *at == 'K' || *at == 'e');
}

/* ---- one conversion ---- */

static const char *parse_spec(const char *at, struct spec *spec, va_list *args)
{
	*spec = (struct spec){.precision = -1};
	for (;; at++) {
		if (*at == '-')
			spec->left = true;
		else if (*at == '+')
			spec->plus = true;
		else if (*at == ' ')
			spec->space = true;
		else if (*at == '#')
			spec->hash = true;
		else if (*at == '0')
			spec->zero = true;
		else
			break;
	}
	if (*at == '*') {
		spec->width = va_arg(*args, int);
		if (spec->width < 0) {
			spec->left = true;
			spec->width = -spec->width;
		}
		at++;
	}
	for (; *at >= '0' && *at <= '9'; at++)
		spec->width = spec->width * 10 + (*at - '0');
	if (*at == '.') {
		spec->precision = 0;
		if (*++at == '*') {
			spec->precision = va_arg(*args, int);
			at++;
		}
		for (; *at >= '0' && *at <= '9'; at++)
			spec->precision = spec->precision * 10 + (*at - '0');
	}
	for (; *at == 'h' || *at == 'l' || *at == 'L' || *at == 'z' || *at == 'Z' || *at == 't' ||
	       *at == 'j' || *at == 'q';
	     at++)
		spec->length = *at == 'h'   ? (spec->length == 'h' ? 'H' : 'h')
			       : *at == 'l' ? (spec->length == 'l' ? 'L' : 'l')
					    : 'L';
	return at;
}

static void put_integer(struct out *out, const struct spec *spec, char type, va_list *args)
{
	bool is_signed = type == 'd' || type == 'i',
	     wide = spec->length == 'l' || spec->length == 'L';
	uint64_t value = wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
	int64_t number;

	if (wide) {
		value = km_shown(value);
		number = (int64_t)value;
	} else if (is_signed) {
		number = spec->length == 'H'   ? (signed char)value
			 : spec->length == 'h' ? (short)value
					       : (int)value;
	} else {
		value = spec->length == 'H'   ? (unsigned char)value
			: spec->length == 'h' ? (unsigned short)value
					      : value;
		number = 0;
	}
	if (is_signed && number < 0)
		put_number(out, spec, type, 0 - (uint64_t)number, true);
	else
		put_number(out, spec, type, is_signed ? (uint64_t)number : value, false);
}

static void put_string(struct out *out, const struct spec *spec, const char *text)
{
	size_t length = 0;

	if (!text)
		text = "(null)";
	/* Byte by byte: what lies behind the end may not be there. */
	while ((spec->precision < 0 || length < (size_t)spec->precision) &&
	       (km_access(text + length, 1, 0, NULL), text[length]))
		length++;
	put_padded(out, spec, text, length);
}

int km_format(char *text, size_t room, const char *format, va_list *args)
{
	struct out out = {text, room, 0};
	struct spec spec;
	char c;

	while (*format) {
		if (*format != '%') {
			put(&out, format++, 1);
			continue;
		}
		format = parse_spec(format + 1, &spec, args);
		switch (*format) {
		case 0:
			break;
		case '%':
			put(&out, "%", 1);
			format++;
			break;
		case 'c':
			c = (char)va_arg(*args, int);
			put_padded(&out, &spec, &c, 1);
			format++;
			break;
		case 's':
			put_string(&out, &spec, va_arg(*args, const char *));
			format++;
			break;
		case 'p':
			format = put_pointer(&out, &spec, format + 1, va_arg(*args, const void *));
			break;
		default:
			put_integer(&out, &spec, *format, args);
			format++;
		}
	}
	if (room)
		text[out.used < room ? out.used : room - 1] = 0;
	return (int)out.used;
}

/* ---- the log ---- */

#define LINE_BYTES 1024

static int api_vprintk(const char *format, void *args)
{
	char text[LINE_BYTES], *at = text;
	int length = km_format(text, sizeof(text), format, (va_list *)args), level = 4;

	if (text[0] == 1 && text[1]) {
		level = text[1] >= '0' && text[1] <= '7' ? text[1] - '0' : level;
		at += 2;
	}
	/* One line of the log per line of text. */
	while (*at) {
		size_t n = strcspn(at, "\n");

		km_log(level, at, n);
		at += n + (at[n] != 0);
	}
	return length;
}

static int api_vsnprintf(char *text, unsigned long room, const char *format, void *args)
{
	int length = km_format(text, room < INT32_MAX ? room : INT32_MAX, format, (va_list *)args);

	if (room)
		km_access(text, (unsigned long)length < room ? (unsigned long)length + 1 : room, 1,
			  NULL);
	return length;
}

void km_api_text(struct kmlab_api *api)
{
	api->vprintk = api_vprintk;
	api->vsnprintf = api_vsnprintf;
}
