/* SPDX-License-Identifier: GPL-2.0-only */
/* The repair pass over a whole trace: run it, or read what finishing the trace stored of it. */
#include "reader.h"
#include "repair.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 256

static int feed_all(struct km_repair *repair, struct km_trace_cursor *cursor, const char *path,
		    struct km_err *err)
{
	struct km_repair_step step;
	struct km_event events[BATCH];
	size_t got;
	int code;

	do {
		code = km_trace_next(cursor, events, BATCH, &got, err);
		if (code)
			return code;
		for (size_t i = 0; i < got; i++)
			if (km_repair_feed(repair, &events[i], &step))
				return km_fail(err, -ENOMEM,
					       "cannot pair the events of %s: not enough memory",
					       path);
	} while (got);
	return 0;
}

int km_repair_trace(struct km_trace *trace, struct km_repair_counts *counts, struct km_err *err)
{
	struct km_trace_cursor *cursor;
	struct km_repair *repair;
	int code = km_trace_cursor_open(trace, NULL, &cursor, err);

	if (code)
		return code;
	code = km_repair_new(&repair);
	if (code) {
		km_fail(err, code, "cannot pair the events of %s: not enough memory", trace->path);
		goto close;
	}
	km_repair_set_direct_map(repair, km_trace_direct_map(trace));
	code = feed_all(repair, cursor, trace->path, err);
	if (!code)
		km_repair_counts(repair, counts);
	km_repair_delete(repair);
close:
	km_trace_cursor_close(cursor);
	return code;
}

int km_trace_repair(struct km_trace *trace, struct km_repair_counts *counts)
{
	const char *rules = km_trace_meta(trace, "repair_rules");
	struct km_repair_counts stored = {0};
	sqlite3_stmt *row;
	int step, code, missing = 0;

	if (!rules || strtol(rules, NULL, 10) != KM_REPAIR_RULES)
		return -ENOENT;
	/* Where its pages lead to one another it has no end; there are far fewer names. */
	code = km_prepare(trace, "SELECT name,count FROM repair LIMIT 1000", &row, NULL);
	if (code)
		return code;
#define X(field, meaning) missing++;
	KM_REPAIR_COUNTERS(X)
#undef X
	while ((step = sqlite3_step(row)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(row, 0);

#define X(field, meaning)                                                                          \
	if (name && !strcmp(name, #field)) {                                                       \
		stored.field = (uint64_t)sqlite3_column_int64(row, 1);                             \
		missing--;                                                                         \
	}
		KM_REPAIR_COUNTERS(X)
#undef X
	}
	if (step != SQLITE_DONE)
		code = km_sql_errno(trace->db);
	else if (missing)
		code = -ENOENT;
	sqlite3_finalize(row);
	if (!code)
		*counts = stored;
	return code;
}
