/* SPDX-License-Identifier: GPL-2.0-only */
/* The sections of a report, each printed to `out` as HTML. */
#ifndef KMLAB_REPORT_H
#define KMLAB_REPORT_H

#include "plot.h"

struct km_report {
	FILE *out;
	const struct km_dataset *dataset;
	const struct km_trace_results *trace;
	size_t number;         /* of the trace, from 0: keeps anchors apart */
	const char *directory; /* where the figures are */
};

/* report_trace.c: what is known of the recording. */
void km_report_fidelity(const struct km_report *report);
void km_report_losses(const struct km_report *report);
int km_report_provenance(const struct km_report *report, struct km_err *err);

/* report_runs.c: what the replays measured. */
void km_report_headline(const struct km_report *report);
int km_report_numbers(const struct km_report *report, struct km_err *err);
int km_report_paths(const struct km_report *report, struct km_err *err);

/* report.c: the whole page, as directory/index.html. */
int km_report_write(const struct km_dataset *dataset, const struct km_figure_set *set,
		    const char *directory, struct km_err *err);

/* A count with thin spaces between thousands: "2 412 345". NAN: "not measured". */
#define KM_GROUPED_BYTES 40
const char *km_grouped(double count, char buf[KM_GROUPED_BYTES]);
/* File name without folders. */
const char *km_base_name(const char *path);

#endif
