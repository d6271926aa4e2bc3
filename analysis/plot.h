/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Drawing: NAME.dat (the numbers), NAME.gp (the script, self-standing) and NAME.svg, each written
 * to a temporary name and renamed. The same result file gives the same bytes.
 */
#ifndef KMLAB_PLOT_H
#define KMLAB_PLOT_H

#include "figure.h"

/* mkdir -p; -errno with a sentence when it cannot be made or written to. */
int km_make_directory(const char *directory, struct km_err *err);
/* Write text to directory/name through a temporary file. */
int km_write_file(const char *directory, const char *name, const char *text, size_t bytes,
		  struct km_err *err);
/* Whole file as a string (caller frees), or NULL. */
char *km_read_file(const char *directory, const char *name);

/* gnuplot is on PATH. */
bool km_plot_possible(void);
/* Write .dat and .gp; draw .svg when gnuplot is there (then figure->drawn). */
int km_plot_figure(struct km_figure *figure, const char *directory, struct km_err *err);

/* Build and draw all figures of all traces. figures: *count of them, traces in order; those
 * without curves were not drawn. Free with km_plot_free(). */
struct km_figure_set {
	struct km_figure *figures;
	const struct km_trace_results **traces; /* of each figure */
	size_t count;
};
int km_plot_all(const struct km_dataset *dataset, const char *directory, struct km_figure_set *set,
		struct km_err *err);
void km_plot_free(struct km_figure_set *set);

#endif
