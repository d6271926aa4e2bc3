/* SPDX-License-Identifier: GPL-2.0-only */
/* A row per event, names written out, so that one file is all there is to read. */
#include "export_text.h"

#include "results/emit.h"
#include "results/term.h"

#include <errno.h>
#include <inttypes.h>

static const char *const contexts[] = {"process", "softirq", "hardirq", "nmi", "unknown"};

static void put_row(struct km_trace *trace, const struct km_event *event, FILE *out)
{
	uint32_t count;
	const struct km_trace_cache *cache = &km_trace_caches(trace, &count)[event->cache];
	const struct km_trace_site *site = &km_trace_site_table(trace, &count)[event->site];
	const struct km_trace_task *task = &km_trace_tasks(trace, &count)[event->task];
	char text[KM_SITE_TEXT], comm[sizeof(task->comm) + 1];

	fprintf(out, "%" PRIu64 ",%u,%u,%s,0x%" PRIx64 ",%" PRIu64 ",%" PRIu64 ",0x%x,%d,",
		event->time_ns, event->cpu, event->seq, km_event_name(event->kind), event->ptr,
		event->bytes_req, event->bytes_alloc, event->gfp, event->node);
	km_emit_field(out, KM_FORMAT_CSV, cache->name);
	fputc(',', out);
	km_emit_field(out, KM_FORMAT_CSV, event->site ? km_trace_site_text(site, text) : "");
	fprintf(out, ",%u,", task->tid);
	snprintf(comm, sizeof(comm), "%.*s", (int)sizeof(task->comm), task->comm);
	km_emit_field(out, KM_FORMAT_CSV, comm);
	fprintf(out, ",%s,%u,%u,%u\r\n", contexts[event->context], event->order, event->migratetype,
		event->stack);
}

int km_export_csv(struct km_trace *trace, const struct km_trace_filter *filter, FILE *out,
		  uint64_t *rows, struct km_err *err)
{
	struct km_trace_cursor *cursor;
	const struct km_event *events;
	size_t got;
	int code = km_trace_cursor_open(trace, filter, &cursor, err);

	if (code)
		return code;
	*rows = 0;
	fputs("time_ns,cpu,seq,kind,ptr,bytes_req,bytes_alloc,gfp,node,cache,site,tid,comm,context,"
	      "page_order,migratetype,stack\r\n",
	      out);
	while (!code && !(code = km_trace_next_run(cursor, &events, &got, err)) && got) {
		if (km_interrupted())
			code = -EINTR;
		for (size_t i = 0; i < got; i++)
			put_row(trace, &events[i], out);
		*rows += got;
	}
	km_trace_cursor_close(cursor);
	return code;
}
