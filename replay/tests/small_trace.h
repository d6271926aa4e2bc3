/* SPDX-License-Identifier: GPL-2.0-only */
/* A small trace written by hand, event by event, for tests of replay. */
#ifndef REPLAY_TESTS_SMALL_TRACE_H
#define REPLAY_TESTS_SMALL_TRACE_H

#include <kmlab/gfp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/trace.h"

struct small_trace {
	struct km_trace_writer *writer;
	struct km_trace_counts counts;
	uint64_t now_ns;
	char path[64];
};

static inline uint64_t page_addr(uint64_t pfn)
{
	return km_pfn_to_addr((km_pfn){pfn});
}

/* A machine of 64 MiB and two CPUs, kernel 6.18, without snapshots. False: no file can be made. */
static inline bool small_trace_begin(struct small_trace *trace)
{
	static const char *const facts[][2] = {{"kernel", "6.18.1"},
					       {"cpus", "2"},
					       {"memory_bytes", "67108864"},
					       {"uuid", "small"}};
	struct km_err err = {""};
	int fd;

	memset(trace, 0, sizeof(*trace));
	strcpy(trace->path, "/tmp/kmlab-small-XXXXXX");
	fd = mkstemp(trace->path);
	if (fd < 0)
		return false;
	fclose(fdopen(fd, "w"));
	if (km_trace_create(trace->path, &trace->writer, &err))
		return false;
	for (unsigned i = 0; i < 4; i++)
		km_trace_set_meta(trace->writer, facts[i][0], facts[i][1], &err);
	return true;
}

/* Append one event 1000 ns after the last. */
static inline void small_trace_add(struct small_trace *trace, unsigned cpu, struct km_event event)
{
	event.time_ns = trace->now_ns += 1000;
	if (!event.node)
		event.node = -1;
	trace->counts.fired[event.kind]++;
	trace->counts.recorded[event.kind]++;
	km_trace_append(trace->writer, cpu, &event, 1, NULL);
}

static inline struct km_event kmalloc_event(uint64_t addr, uint64_t bytes, uint64_t placed)
{
	return (struct km_event){.kind = KM_EV_KMALLOC,
				 .ptr = addr,
				 .bytes_req = bytes,
				 .bytes_alloc = placed,
				 .gfp = KM_GFP_KERNEL};
}

static inline struct km_event kfree_event(uint64_t addr)
{
	return (struct km_event){.kind = KM_EV_KFREE, .ptr = addr};
}

static inline struct km_event page_event(enum km_event_kind kind, uint64_t pfn, uint8_t order)
{
	return (struct km_event){.kind = (uint8_t)kind,
				 .ptr = pfn,
				 .bytes_req = KM_PAGE_SIZE << order,
				 .bytes_alloc = KM_PAGE_SIZE << order,
				 .gfp = kind == KM_EV_PAGE_ALLOC ? KM_GFP_HIGHUSER_MOVABLE : 0,
				 .order = order};
}

/* Finish and open for reading; NULL on failure. The file is removed once open. */
static inline struct km_trace *small_trace_end(struct small_trace *trace)
{
	struct km_trace *opened = NULL;
	struct km_err err = {""};

	km_trace_set_counts(trace->writer, &trace->counts, &err);
	if (km_trace_finish(trace->writer, trace->now_ns + 1000, &err) ||
	    km_trace_open(trace->path, &opened, &err))
		fprintf(stderr, "%s\n", err.text);
	remove(trace->path);
	return opened;
}

#endif
