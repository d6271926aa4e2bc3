/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmalloc against vmalloc: what the same requests cost from slabs in the direct map and from areas
 * that page tables map.
 */
#include "figures.h"

#include "results/emit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_model(const struct km_machine_runs *machine, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(machine->model, name, length) &&
	       (!machine->model[length] || strchr("@:", machine->model[length]));
}

static bool maps_areas(const struct km_machine_runs *machine)
{
	return is_model(machine, "vmalloc") || is_model(machine, "vmalloc_huge") ||
	       is_model(machine, "kvmalloc");
}

/* The slub and vmalloc machines; both kinds are needed to compare. */
static bool takes_part(const struct km_figure_context *context, size_t index)
{
	bool slub = false, mapped = false;

	for (size_t i = 0; i < context->trace->machine_count; i++) {
		const struct km_machine_runs *machine = &context->trace->machines[i];

		slub |= is_model(machine, "slub");
		mapped |= maps_areas(machine);
	}
	return slub && mapped &&
	       (is_model(&context->trace->machines[index], "slub") ||
		maps_areas(&context->trace->machines[index]));
}

static const struct {
	const char *hist, *text;
} size_classes[] = {
	{"latency_ns.alloc.le64", "≤ 64 B"},    {"latency_ns.alloc.le256", "≤ 256 B"},
	{"latency_ns.alloc.le1k", "≤ 1 KiB"},   {"latency_ns.alloc.le4k", "≤ 4 KiB"},
	{"latency_ns.alloc.le16k", "≤ 16 KiB"}, {"latency_ns.alloc.gt16k", "> 16 KiB"},
};
#define NR_SIZE_CLASSES (sizeof(size_classes) / sizeof(size_classes[0]))
#define TAIL_CALLS 100 /* of fewer the 99th percentile is the slowest */

/* Median or 99th percentile of one size class and its interval over the runs. */
static int class_point(const struct km_figure_context *context,
		       const struct km_machine_runs *machine, struct km_curve *curve,
		       unsigned class, double q, struct km_hist *hist)
{
	const char *name = size_classes[class].hist;
	double y = NAN, low = NAN, high = NAN;
	struct km_hist *runs = NULL;
	size_t count;

	if (!km_dataset_hist(context->dataset, machine, name, hist)) {
		count = km_dataset_hists(context->dataset, machine, name, &runs);
		if (q < 0.9 || hist->total >= TAIL_CALLS * count) {
			y = (double)km_hist_quantile(hist, q);
			km_figure_quantiles(runs, count, q, &low, &high);
		}
	}
	free(runs);
	return km_figure_quantile(curve, class + 1, y, low, high, machine->count);
}

/* Median and 99th percentile of one machine, one point per size class that occurred. */
static int class_curves(const struct km_figure_context *context, struct km_figure *figure,
			size_t index, struct km_hist *hist)
{
	const struct km_machine_runs *machine = &context->trace->machines[index];

	for (unsigned tail = 0; tail < 2; tail++) {
		struct km_style style = context->styles[index];
		struct km_curve *curve;
		char label[96];
		int code = 0;

		style.dash = tail ? 2 : 1;
		snprintf(label, sizeof(label), "%s %s", machine->label, tail ? "p99" : "p50");
		curve = km_figure_curve(figure, 0, style, label);
		if (!curve)
			return -ENOMEM;
		for (unsigned i = 0; i < NR_SIZE_CLASSES && !code; i++)
			code = class_point(context, machine, curve, i, tail ? 0.99 : 0.5, hist);
		if (code)
			return code;
	}
	return 0;
}

static bool has_classes(const struct km_figure_context *context, size_t index, struct km_hist *hist)
{
	for (unsigned i = 0; i < NR_SIZE_CLASSES; i++)
		if (!km_dataset_hist(context->dataset, &context->trace->machines[index],
				     size_classes[i].hist, hist))
			return true;
	return false;
}

/* Calls of a class in one run: the same in every model. */
static void note_calls(const struct km_figure_context *context, struct km_figure *figure,
		       unsigned class, struct km_hist *hist)
{
	struct km_figure_row *row = &figure->rows[class];
	char text[KM_HUMAN_BYTES];

	for (size_t i = 0; i < context->trace->machine_count && !row->note[0]; i++) {
		const struct km_machine_runs *machine = &context->trace->machines[i];
		struct km_hist *runs;
		size_t timed;

		if (km_dataset_hist(context->dataset, machine, size_classes[class].hist, hist))
			continue;
		timed = km_dataset_hists(context->dataset, machine, size_classes[class].hist,
					 &runs);
		free(runs);
		if (timed)
			snprintf(row->note, sizeof(row->note), "n = %s",
				 km_human_count((double)hist->total / (double)timed, text));
	}
}

int km_build_mapping_latency(const struct km_figure_context *context, struct km_figure *figure,
			     struct km_err *err)
{
	struct km_hist *hist = malloc(sizeof(*hist));
	int code = hist ? 0 : -ENOMEM;

	for (size_t i = 0; !code && i < context->trace->machine_count; i++) {
		if (!takes_part(context, i))
			continue;
		if (has_classes(context, i, hist))
			code = class_curves(context, figure, i, hist);
		else
			km_figure_leave_out(context, figure, 0, &context->trace->machines[i],
					    "latency_ns.alloc");
	}
	for (unsigned i = 0; hist && i < NR_SIZE_CLASSES; i++) {
		km_figure_row(figure, i + 1, "%s", size_classes[i].text);
		note_calls(context, figure, i, hist);
	}
	free(hist);
	snprintf(figure->stamp, sizeof(figure->stamp),
		 "source: host time of each of the model's calls, the clock's cost included · "
		 "whiskers: lowest to highest run · no object is touched");
	return code ? km_figure_no_memory(err) : 0;
}

static int bar(const struct km_figure_context *context, struct km_figure *figure, size_t index,
	       unsigned panel, const char *metric, double scale, const char *suffix)
{
	const struct km_machine_runs *machine = &context->trace->machines[index];
	struct km_spread spread = km_dataset_metric(context->dataset, machine, metric);
	struct km_curve *curve;
	char label[96];

	if (!spread.count) {
		km_figure_leave_out(context, figure, panel, machine, metric);
		return 0;
	}
	snprintf(label, sizeof(label), "%s%s", machine->label, suffix);
	curve = km_figure_curve(figure, panel, context->styles[index], label);
	return curve ? km_curve_point(curve, 1, spread.median * scale) : -ENOMEM;
}

/* A slab may be mapped with large pages; for vmalloc both numbers are those of 4 KiB pages. */
static int tlb_bars(const struct km_figure_context *context, struct km_figure *figure, size_t index)
{
	const struct km_machine_runs *machine = &context->trace->machines[index];
	struct km_spread small =
		km_dataset_metric(context->dataset, machine, "tlb_entries_4k.peak");
	struct km_spread large =
		km_dataset_metric(context->dataset, machine, "tlb_entries_2m.peak");
	int code = bar(context, figure, index, 2, "tlb_entries_4k.peak", 1, " 4K");

	if (!code && large.count && !(small.count && small.median == large.median))
		code = bar(context, figure, index, 2, "tlb_entries_2m.peak", 1, " 2M");
	return code;
}

int km_build_mapping_memory(const struct km_figure_context *context, struct km_figure *figure,
			    struct km_err *err)
{
	static const struct {
		const char *metric;
		double scale;
	} panels[] = {{"pages.peak", 4096.0 / 1048576}, {"page_table_bytes.peak", 1.0 / 1024}};
	int code = 0;

	for (unsigned panel = 0; panel < 3; panel++)
		for (size_t i = 0; !code && i < context->trace->machine_count; i++)
			if (takes_part(context, i))
				code = panel == 2
					       ? tlb_bars(context, figure, i)
					       : bar(context, figure, i, panel,
						     panels[panel].metric, panels[panel].scale, "");
	km_figure_row(figure, 1, "peak");
	snprintf(figure->stamp, sizeof(figure->stamp),
		 "source: counted in the models · TLB entries: to reach every live object once, no "
		 "access model");
	return code ? km_figure_no_memory(err) : 0;
}
