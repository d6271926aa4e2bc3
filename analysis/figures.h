/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that build figures share. */
#ifndef KMLAB_FIGURES_H
#define KMLAB_FIGURES_H

#include "figure.h"

int km_figure_no_memory(struct km_err *err); /* -ENOMEM with its sentence */

/* Between which values the runs' quantiles lie; NAN for fewer than two runs. */
void km_figure_quantiles(const struct km_hist *runs, size_t count, double q, double *low,
			 double *high);

/* A point of so many runs, with its interval if they are more than one. 0, -ENOMEM. */
int km_figure_quantile(struct km_curve *curve, double x, double y, double low, double high,
		       size_t runs);

int km_build_mapping_latency(const struct km_figure_context *context, struct km_figure *figure,
			     struct km_err *err);
int km_build_mapping_memory(const struct km_figure_context *context, struct km_figure *figure,
			    struct km_err *err);

/* figures_tlb.c */
int km_build_tlb_misses(const struct km_figure_context *context, struct km_figure *figure,
			struct km_err *err);
int km_build_tlb_curve(const struct km_figure_context *context, struct km_figure *figure,
		       struct km_err *err);
int km_build_tlb_windows(const struct km_figure_context *context, struct km_figure *figure,
			 struct km_err *err);
int km_build_tlb_reuse(const struct km_figure_context *context, struct km_figure *figure,
		       struct km_err *err);
int km_build_tlb_classes(const struct km_figure_context *context, struct km_figure *figure,
			 struct km_err *err);

/* figures_touch.c */
int km_build_touch(const struct km_figure_context *context, struct km_figure *figure,
		   struct km_err *err);
int km_build_touch_classes(const struct km_figure_context *context, struct km_figure *figure,
			   struct km_err *err);

#endif
