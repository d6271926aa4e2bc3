/* SPDX-License-Identifier: GPL-2.0-only */
/* Text into HTML, and gnuplot's SVG into an HTML page. */
#ifndef KMLAB_HTML_H
#define KMLAB_HTML_H

#include <stdio.h>

/* & < > " ' escaped, control characters dropped. NULL prints nothing. */
void km_html_text(FILE *out, const char *text);
/* printf whose result is escaped. */
__attribute__((format(printf, 2, 3))) void km_html_textf(FILE *out, const char *format, ...);

/*
 * The <svg> element of a gnuplot file, for a page that holds several: every id and every reference
 * to one gets `name` in front, and the drawing says its title and description to those who cannot
 * see it. -EPROTO when there is no <svg> in `svg`.
 */
int km_html_svg(FILE *out, const char *svg, const char *name, const char *title,
		const char *description);

#endif
