/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A figure before it is drawn: labelled curves on one or more panels, and the rows of the table
 * that states its numbers. plot.c draws it, report.c prints the table.
 */
#ifndef KMLAB_FIGURE_H
#define KMLAB_FIGURE_H

#include "dataset.h"

enum km_unit {
	KM_UNIT_NS,
	KM_UNIT_MIB,
	KM_UNIT_KIB,
	KM_UNIT_SHARE, /* 0..1, shown as per cent */
	KM_UNIT_COUNT,
};
#define KM_VALUE_BYTES 24
/* "12.3 ns", "4.1 %"; NAN: "not measured". */
const char *km_value_text(enum km_unit unit, double value, char buf[KM_VALUE_BYTES]);

struct km_style {
	const char *colour; /* #rrggbb */
	unsigned dash;      /* gnuplot dash type */
	double width;
};
/* A colour and dash for each machine: the same model looks the same in every figure. */
void km_style_machines(const struct km_trace_results *trace, struct km_style *styles);

struct km_curve {
	char *label;
	struct km_style style;
	unsigned panel; /* from 0 */
	bool sampled;   /* measured now and then only: points, joined by lines */
	double *x, *y;
	double *low, *high; /* interval of y; NULL: the curve has none */
	size_t count, room;
};

struct km_figure_row {
	double x;
	char text[24];
	char note[24]; /* below the row's label where the rows are the tics of x; "" none */
};

#define KM_FIGURE_PANELS 3
#define KM_FIGURE_ROWS 32

struct km_figure {
	const char *name;     /* file stem without a suffix for the trace */
	const char *template; /* gnuplot script after the variables */
	const char *title;
	const char *about;   /* what it shows, a sentence or two */
	const char *x_title; /* first column of the table */
	unsigned panels;
	const char *panel_titles[KM_FIGURE_PANELS];
	enum km_unit units[KM_FIGURE_PANELS];
	bool log_y;
	double y_from;     /* where a log axis begins */
	bool drawn;        /* the .svg was made */
	char file[64];     /* file stem */
	bool recorded;     /* of the trace alone: no model was run */
	char caption[320]; /* trace, kernel, seed, repetitions, coverage */
	char stamp[256];   /* source of the numbers, access model: a line under the picture */
	char missing[640]; /* machines left out, with the reason; "" none */
	struct km_curve *curves;
	size_t curve_count;
	struct km_figure_row rows[KM_FIGURE_ROWS];
	unsigned row_count;
};

/* Everything a figure may draw from. */
struct km_figure_context {
	const struct km_dataset *dataset;
	const struct km_trace_results *trace;
	struct km_style *styles; /* one per machine */
};

/* The figures of a trace, km_figure_count of them; `build` with no curve: nothing was measured. */
struct km_figure_spec {
	struct km_figure figure; /* the constant part */
	int (*build)(const struct km_figure_context *context, struct km_figure *figure,
		     struct km_err *err);
};
extern const struct km_figure_spec km_figures[];
extern const size_t km_figure_count;

/* ---- building ---- */

/* A new curve at the end, or NULL without memory. */
struct km_curve *km_figure_curve(struct km_figure *figure, unsigned panel, struct km_style style,
				 const char *label);
int km_curve_point(struct km_curve *curve, double x, double y); /* 0, -ENOMEM */
/* A point and the interval of its y, NAN where there is none. All of a curve's, or none. */
int km_curve_interval(struct km_curve *curve, double x, double y, double low, double high);
__attribute__((format(printf, 3, 4))) void km_figure_row(struct km_figure *figure, double x,
							 const char *format, ...);
/* Note that this machine is left out of the panel because `metric` was not measured. */
void km_figure_leave_out(const struct km_figure_context *context, struct km_figure *figure,
			 unsigned panel, const struct km_machine_runs *machine, const char *metric);
/* Last y at or before x; NAN before the first point. */
double km_curve_at(const struct km_curve *curve, double x);
void km_figure_free(struct km_figure *figure);

/* Why `metric` of a machine was not measured: from its notes, or a general sentence. */
const char *km_missing_reason(const struct km_dataset *dataset,
			      const struct km_machine_runs *machine, const char *metric);

#endif
