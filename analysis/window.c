/* SPDX-License-Identifier: GPL-2.0-only */
#include "window.h"

#include "analysis/trace_text.h"

void km_parse_window(struct argp_state *state, const char *text, struct km_window *window)
{
	const char *at = text;

	*window = (struct km_window){0};
	if (*at != ',')
		window->from_ns = km_parse_seconds(state, "--time", &at);
	if (*at++ != ',') {
		argp_error(state, "--time takes two times with a comma, as 1.5,2; not '%s'", text);
		return;
	}
	if (!*at)
		return;
	window->to_ns = km_parse_seconds(state, "--time", &at);
	if (*at || window->to_ns <= window->from_ns)
		argp_error(state, "--time takes two times, the later one last; not '%s'", text);
}
