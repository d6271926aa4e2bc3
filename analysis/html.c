/* SPDX-License-Identifier: GPL-2.0-only */
/* HTML escaping, and making gnuplot's SVG fit to stand beside others in one page. */
#include "html.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void km_html_text(FILE *out, const char *text)
{
	for (; text && *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			if ((unsigned char)*text >= 0x20 || *text == '\n' || *text == '\t')
				fputc(*text, out);
		}
	}
}

void km_html_textf(FILE *out, const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	km_html_text(out, text);
	free(text);
}

/* After which of these does a name of the drawing follow? Length of the match, or 0. */
static size_t name_follows(const char *at, const char *start)
{
	static const char *const marks[] = {"id='", "id=\"", "href='#", "href=\"#", "url(#"};

	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		size_t length = strlen(marks[i]);

		if (strncmp(at, marks[i], length))
			continue;
		if (*at == 'i' && at > start && at[-1] != ' ' && at[-1] != '\t')
			continue;
		return length;
	}
	return 0;
}

static const char *skip_element(const char *at, const char *opening, const char *closing)
{
	const char *found = strstr(at, opening), *end = found ? strstr(found, closing) : NULL;

	return end ? end + strlen(closing) : at;
}

int km_html_svg(FILE *out, const char *svg, const char *name, const char *title,
		const char *description)
{
	const char *at = strstr(svg, "<svg"), *inside = at ? strchr(at, '>') : NULL;

	if (!inside)
		return -EPROTO;
	fprintf(out, "<svg role=\"img\" aria-labelledby=\"%s-title %s-desc\"", name, name);
	fwrite(at + 4, 1, (size_t)(inside + 1 - at) - 4, out);
	fprintf(out, "\n<title id=\"%s-title\">", name);
	km_html_text(out, title);
	fprintf(out, "</title>\n<desc id=\"%s-desc\">", name);
	km_html_text(out, description);
	fputs("</desc>", out);
	at = skip_element(inside + 1, "<title>Gnuplot", "</title>");
	at = skip_element(at, "<desc>Produced by", "</desc>");
	while (*at) {
		size_t length = name_follows(at, svg);

		if (length) {
			fwrite(at, 1, length, out);
			fprintf(out, "%s-", name);
			at += length;
		} else {
			fputc(*at++, out);
		}
	}
	return 0;
}
