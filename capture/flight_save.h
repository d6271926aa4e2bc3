/* SPDX-License-Identifier: GPL-2.0-only */
/* A trace of what the flight recorder holds (flight_save.c). */
#ifndef KMLAB_CAPTURE_FLIGHT_SAVE_H
#define KMLAB_CAPTURE_FLIGHT_SAVE_H

#include "dictionary.h"
#include "flight_queue.h"
#include "trace_file.h"

struct km_save {
	const struct km_options *options;
	const struct km_recorder *recorder;
	unsigned number;    /* of the trace */
	const char *reason; /* its meta key "flight" */
	uint64_t start_ns;  /* of recording (CLOCK_MONOTONIC) */
	/* The window, since then: a snapshot of the machine, if there is one, and on. */
	uint64_t begin_ns, end_ns;
	struct km_kept_range kept[KM_NR_KEPT]; /* used up; KM_KEPT_MACHINE: begins the window */
	/* Its ledger is that of the whole flight until now, of which the window is a part. */
	struct km_trace_end end;
	bool ended; /* end.snapshot is there; else it is taken first of all */
	struct km_trace_file file;
};

/* A job (job.h): context is a struct km_save. */
int km_save_run(void *context, struct km_err *err);
void km_save_close(struct km_save *save);

#endif
