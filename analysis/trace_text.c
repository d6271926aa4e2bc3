/* SPDX-License-Identifier: GPL-2.0-only */
#include "trace_text.h"

#include <ctype.h>
#include <stdlib.h>

const char *km_task_text(const struct km_trace *trace, uint32_t id, char text[KM_TASK_TEXT])
{
	uint32_t count;
	const struct km_trace_task *tasks = km_trace_tasks(trace, &count);

	if (id && id < count)
		snprintf(text, KM_TASK_TEXT, "%s/%u", tasks[id].comm, tasks[id].tid);
	else
		snprintf(text, KM_TASK_TEXT, "unknown");
	return text;
}

uint64_t km_parse_seconds(struct argp_state *state, const char *what, const char **text)
{
	const char *from = *text;
	char *end = (char *)from;
	double seconds = isdigit((unsigned char)*from) || *from == '.' ? strtod(from, &end) : 0;

	if (end == from || !(seconds < 9e9)) /* fits in 64 bits of nanoseconds; not NaN */
		argp_error(state, "%s takes seconds such as 1.5, not '%s'", what, from);
	*text = end;
	return (uint64_t)(seconds * 1e9 + 0.5);
}
