/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gnuplot scripts of plots/, inside the program so that it runs from anywhere; and
 * the report's style sheet.
 */
#ifndef KMLAB_PLOTS_H
#define KMLAB_PLOTS_H

extern const char km_plot_style[], km_plot_latency[], km_plot_footprint[], km_plot_share[];
extern const char km_plot_sizes[], km_plot_lifetimes[], km_plot_classes[], km_plot_bars[];
extern const char km_plot_tlbcurve[], km_plot_tlbwindow[], km_plot_tlbreuse[];
extern const char km_plot_tlbclasses[];
extern const char km_plot_touch[], km_plot_touchclasses[];
extern const char km_report_css[];

#endif
