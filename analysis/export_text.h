/* SPDX-License-Identifier: GPL-2.0-only */
/* Traces as text other programs read: a table of events, and Perfetto's JSON. */
#ifndef KMLAB_EXPORT_TEXT_H
#define KMLAB_EXPORT_TEXT_H

#include "traces/trace.h"

/* Columns time_ns … stack with names in place of ids, RFC 4180. *rows: events. 0, -EINTR, or
 * -errno. */
int km_export_csv(struct km_trace *trace, const struct km_trace_filter *filter, FILE *out,
		  uint64_t *rows, struct km_err *err);

/*
 * The Chrome trace event format
 * (https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0 nSsKchNAySU), which
 * Perfetto reads: a track per CPU with events as instants and losses as slices, and a counter per
 * kind of the bytes live of what was allocated since the trace began. 0, -EINTR, or -errno.
 */
int km_export_perfetto(struct km_trace *trace, const struct km_trace_filter *filter, FILE *out,
		       uint64_t *rows, struct km_err *err);

#endif
