/* SPDX-License-Identifier: GPL-2.0-only */
/* What the importers share (private to import*.c): from foreign events to a trace of ours. */
#ifndef KMLAB_TRACES_IMPORTER_H
#define KMLAB_TRACES_IMPORTER_H

#include "import.h"
#include "import_parse.h"
#include "intern.h"

#define KM_IMPORT_LOST_MAX (1ull << 48) /* lost at one place; more cannot be */
#define KM_IMPORT_STACK_FRAMES 127      /* as perf records, kernel.perf_event_max_stack */

/* Where the direct map begins, from pages that slabs are seen to take (import_map.c). */
struct km_map_votes {
	struct {
		uint64_t base;
		uint32_t votes;
	} candidate[8];
};

struct km_import_cpu {
	uint64_t last_ns; /* of its last event, since the start of the trace */
	uint64_t lost;    /* before its next event */
	bool seen;
	uint8_t next_page;
	struct {
		uint64_t pfn;
		uint8_t order;
	} page[8]; /* last taken */
};

struct km_importer {
	struct km_trace_writer *writer;
	struct km_import_report *report;
	const char *name; /* of the file */
	uint64_t line;
	bool (*stop)(void);
	char kernel[65];
	const struct km_profile *profile; /* NULL: the kernel is not known yet */
	struct km_intern symbols, caches, tasks;
	struct km_import_cpu cpus[KM_MAX_CPUS];
	uint32_t nr_cpus;   /* highest seen + 1 */
	uint32_t told_cpus; /* of the machine, as the file says; 0: it does not */
	struct km_map_votes votes;
	bool begun;
	uint64_t origin_ns, parsed_ns, given_ns;
	struct km_trace_counts counts;
	uint64_t overwritten; /* ftrace: older than what its buffers hold */
	uint64_t digest[2];   /* of what was read */
	/* An event that waits for the frames of its stack. */
	bool waiting;
	uint32_t waiting_cpu;
	struct km_event event;
	struct km_fields fields;
	char text[1024]; /* what its fields refer to */
	uint64_t frames[KM_IMPORT_STACK_FRAMES];
	unsigned nr_frames;
	bool site_found;
};

/* "<name>: line 12: <why>", -EPROTO. */
int km_import_bad(const struct km_importer *importer, struct km_err *err, const char *why);
/* -EINTR if it is to stop; asked every 1024 lines. */
int km_import_stopped(const struct km_importer *importer, struct km_err *err);
int km_import_kernel(struct km_importer *importer, const char *release, struct km_err *err);
__attribute__((format(printf, 4, 5))) int km_import_meta(struct km_importer *importer,
							 struct km_err *err, const char *key,
							 const char *format, ...);
/* A time of the file on our scale. */
uint64_t km_import_time(struct km_importer *importer, uint64_t time_ns, uint32_t unit_ns);
/* Id of a task; 0 without memory, which the next append reports. */
uint32_t km_import_task(struct km_importer *importer, uint32_t tid, uint32_t tgid,
			struct km_text comm);
/* Something happened on the CPU: losses before it get their place. */
int km_import_tick(struct km_importer *importer, uint32_t cpu, uint64_t time_ns,
		   struct km_err *err);
/* Append, count, and learn from it where the direct map is. */
int km_import_append(struct km_importer *importer, uint32_t cpu, const struct km_event *event,
		     struct km_err *err);

/* Give the event of a line to the importer, or its losses, or a frame of its stack. */
int km_import_line(struct km_importer *importer, const struct km_line *line, struct km_err *err);
/* The event that waits for its stack is complete. */
int km_import_settle(struct km_importer *importer, struct km_err *err);

void km_map_vote(struct km_importer *importer, uint32_t cpu, const struct km_event *event);
/* 0: there were too few pages to tell. */
uint64_t km_map_base(const struct km_map_votes *votes);

int km_import_text(struct km_importer *importer, enum km_import_format format, FILE *in,
		   struct km_err *err);
int km_import_llfree(struct km_importer *importer, FILE *in, struct km_err *err);

#endif
