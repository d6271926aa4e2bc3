/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trace as an SQLite file of plain tables, for programs that know nothing of chunks. Addresses
 * are signed 64-bit integers, as in the trace. Tables: event (a row per event, ids), kind, cache,
 * site, task, stack (a row per frame), gap, meta; the view named_event has the names in place of
 * the ids.
 */
#ifndef KMLAB_TRACES_EXPORT_H
#define KMLAB_TRACES_EXPORT_H

#include "trace.h"

/*
 * Write the events the filter passes, and all dictionaries, to `path`, which must not exist. *rows:
 * events written. 0, -EINTR when stop() (or NULL) says so, or -errno; then the file is as far as it
 * came.
 */
int km_export_db(struct km_trace *trace, const struct km_trace_filter *filter, const char *path,
		 bool (*stop)(void), uint64_t *rows, struct km_err *err);

#endif
