/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The figures of a report: which measurements each draws. Percentiles are taken from whole
 * histograms, on the axis 1/(1-q) that shows tails (G. Tene's HdrHistogram plots); fragmentation
 * measures are those of mm/vmstat.c (unusable index) and Contiguitas (ISCA 2023, unmovable share).
 */
#include "figures.h"

#include "plots.h"
#include "results/result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct km_style reference_style = {"#777777", 3, 1.6};

int km_figure_no_memory(struct km_err *err)
{
	return km_fail(err, -ENOMEM, "no memory to build a figure; close other programs");
}

static struct km_hist *new_hist(void)
{
	return malloc(sizeof(struct km_hist));
}

/* ---- latency percentiles ---- */

void km_figure_quantiles(const struct km_hist *runs, size_t count, double q, double *low,
			 double *high)
{
	*low = *high = NAN;
	for (size_t i = 0; count > 1 && i < count; i++) {
		double value = (double)km_hist_quantile(&runs[i], q);

		*low = fmin(*low, value);
		*high = fmax(*high, value);
	}
}

/* One run has no interval. */
int km_figure_quantile(struct km_curve *curve, double x, double y, double low, double high,
		       size_t runs)
{
	return runs > 1 ? km_curve_interval(curve, x, y, low, high) : km_curve_point(curve, x, y);
}

/*
 * 20 points per factor of ten in 1/(1-q), up to the largest value; between which values the runs
 * lie, as far as each has enough calls to tell.
 */
static int percentile_points(struct km_curve *curve, const struct km_hist *hist,
			     const struct km_hist *runs, size_t count)
{
	double total = (double)hist->total, told = total, low, high;
	int code = 0;

	for (size_t i = 0; i < count; i++)
		told = fmin(told, (double)runs[i].total);
	for (unsigned i = 0; !code; i++) {
		double x = pow(10, i / 20.0);

		if (x >= total)
			break;
		km_figure_quantiles(runs, x < told ? count : 0, 1 - 1 / x, &low, &high);
		code = km_figure_quantile(curve, x, (double)km_hist_quantile(hist, 1 - 1 / x), low,
					  high, count);
	}
	return code ? code : km_figure_quantile(curve, total, (double)hist->max, NAN, NAN, count);
}

static int build_latency(const struct km_figure_context *context, struct km_figure *figure,
			 const char *metric, struct km_err *err)
{
	struct km_hist *hist = new_hist();
	int code = hist ? 0 : km_figure_no_memory(err);

	for (size_t i = 0; !code && i < context->trace->machine_count; i++) {
		const struct km_machine_runs *machine = &context->trace->machines[i];
		struct km_hist *runs;
		struct km_curve *curve;
		size_t count;

		if (km_dataset_hist(context->dataset, machine, metric, hist)) {
			km_figure_leave_out(context, figure, 0, machine, metric);
			continue;
		}
		count = km_dataset_hists(context->dataset, machine, metric, &runs);
		curve = km_figure_curve(figure, 0, context->styles[i], machine->label);
		if (!curve || percentile_points(curve, hist, runs, count))
			code = km_figure_no_memory(err);
		free(runs);
	}
	free(hist);
	km_figure_row(figure, 1, "min");
	km_figure_row(figure, 2, "p50");
	km_figure_row(figure, 10, "p90");
	km_figure_row(figure, 100, "p99");
	km_figure_row(figure, 1e3, "p99.9");
	km_figure_row(figure, 1e4, "p99.99");
	km_figure_row(figure, INFINITY, "max");
	return code;
}

static int build_latency_alloc(const struct km_figure_context *context, struct km_figure *figure,
			       struct km_err *err)
{
	return build_latency(context, figure, "latency_ns.alloc", err);
}

static int build_latency_free(const struct km_figure_context *context, struct km_figure *figure,
			      struct km_err *err)
{
	return build_latency(context, figure, "latency_ns.free", err);
}

/* ---- curves over trace time ---- */

/*
 * A kernel's free lists are read a few times a second, far less often than a model's: such points
 * stand apart, and the gaps between them are no gaps in what was measured.
 */
static bool is_sampled(const struct km_points *points)
{
	size_t measured = 0;

	for (size_t i = 0; i < points->count; i++)
		measured += !isnan(points->y[i]);
	return measured * 4 < points->count;
}

static int series_curve(const struct km_figure_context *context, struct km_figure *figure,
			size_t machine, unsigned panel, const char *series, double scale,
			struct km_err *err)
{
	struct km_points points;
	struct km_curve *curve;
	int code = km_dataset_series(context->dataset, &context->trace->machines[machine], series,
				     &points, err);

	if (code)
		return code;
	curve = km_figure_curve(figure, panel, context->styles[machine],
				context->trace->machines[machine].label);
	code = curve ? 0 : -ENOMEM;
	if (curve)
		curve->sampled = is_sampled(&points);
	for (size_t i = 0; !code && i < points.count; i++)
		if (!curve->sampled || !isnan(points.y[i]))
			code = km_curve_point(curve, points.x[i], points.y[i] * scale);
	km_points_free(&points);
	return code ? km_figure_no_memory(err) : 0;
}

static int series_panel(const struct km_figure_context *context, struct km_figure *figure,
			unsigned panel, const char *series, double scale, struct km_err *err)
{
	for (size_t i = 0; i < context->trace->machine_count; i++) {
		int code = series_curve(context, figure, i, panel, series, scale, err);

		if (code == -ENOENT)
			km_figure_leave_out(context, figure, panel, &context->trace->machines[i],
					    series);
		else if (code)
			return code;
	}
	return 0;
}

/* Sixteen steps of the common time span. */
static void time_rows(struct km_figure *figure)
{
	double from = INFINITY, to = -INFINITY;

	for (size_t i = 0; i < figure->curve_count; i++) {
		const struct km_curve *curve = &figure->curves[i];

		from = fmin(from, curve->x[0]);
		to = fmax(to, curve->x[curve->count - 1]);
	}
	for (unsigned i = 0; figure->curve_count && i <= 16; i++) {
		double x = from + (to - from) * i / 16;

		km_figure_row(figure, x, to - from < 10 ? "%.3f s" : "%.1f s", x);
	}
}

static double curve_peak(const struct km_curve *curve)
{
	double peak = 0;

	for (size_t i = 0; i < curve->count; i++)
		if (curve->y[i] > peak)
			peak = curve->y[i];
	return peak;
}

/* A page per object next to packed slabs: on a linear axis the lower curves would be one line. */
static void choose_axis(struct km_figure *figure)
{
	double low = INFINITY, high = 0;

	for (size_t i = 0; i < figure->curve_count; i++) {
		double peak = curve_peak(&figure->curves[i]);

		low = peak > 0 ? fmin(low, peak) : low;
		high = fmax(high, peak);
	}
	figure->log_y = high > 10 * low;
	if (figure->log_y)
		figure->y_from = pow(10, floor(log10(low)) - 1);
}

static int build_footprint(const struct km_figure_context *context, struct km_figure *figure,
			   struct km_err *err)
{
	int code = series_panel(context, figure, 0, "pages", 4096.0 / 1048576, err);
	size_t machines = figure->curve_count;

	/* What is alive does not depend on the model: once is enough. */
	for (size_t i = 0; machines && !code && i < context->trace->machine_count; i++) {
		code = series_curve(context, figure, i, 0, "live_bytes_req", 1.0 / 1048576, err);
		if (code == -ENOENT) {
			code = 0;
			continue;
		}
		if (!code) {
			struct km_curve *curve = &figure->curves[figure->curve_count - 1];

			free(curve->label);
			curve->label = strdup("live bytes requested");
			curve->style = reference_style;
			code = curve->label ? 0 : km_figure_no_memory(err);
			break;
		}
	}
	choose_axis(figure);
	time_rows(figure);
	return code;
}

static int build_internal(const struct km_figure_context *context, struct km_figure *figure,
			  struct km_err *err)
{
	int code = series_panel(context, figure, 0, "internal_frag", 1, err);

	time_rows(figure);
	return code;
}

static int build_external(const struct km_figure_context *context, struct km_figure *figure,
			  struct km_err *err)
{
	int code = series_panel(context, figure, 0, "unusable_order9", 1, err);

	if (!code)
		code = series_panel(context, figure, 1, "unmovable_2m_share", 1, err);
	time_rows(figure);
	return code;
}

static int build_utilisation(const struct km_figure_context *context, struct km_figure *figure,
			     struct km_err *err)
{
	int code = series_panel(context, figure, 0, "slab_utilisation", 1, err);

	time_rows(figure);
	return code;
}

/* ---- distributions of the trace ---- */

/* Share of values (or of their sum) up to x, one point where it grew by a thousandth. */
static int cumulative_points(struct km_curve *curve, const struct km_hist *hist, bool by_sum)
{
	double total = 0, seen = 0, shown = -1;
	int code = 0;

	for (unsigned i = 0; i < KM_HIST_BUCKETS; i++)
		total += (double)hist->bucket[i] * (by_sum ? (double)km_hist_value(i) : 1);
	for (unsigned i = 0; total > 0 && i < KM_HIST_BUCKETS && !code; i++) {
		double value = (double)km_hist_value(i);

		seen += (double)hist->bucket[i] * (by_sum ? value : 1);
		if (!hist->bucket[i] || (seen / total < shown + 0.001 && seen < total))
			continue;
		shown = seen / total;
		code = km_curve_point(curve, value < 1 ? 1 : value, shown);
	}
	return code;
}

static int trace_cdf(const struct km_figure_context *context, struct km_figure *figure,
		     const char *name, bool by_sum, struct km_style style, const char *label,
		     struct km_err *err)
{
	struct km_hist *hist = new_hist();
	struct km_curve *curve;
	int code = hist ? 0 : km_figure_no_memory(err);

	if (!code &&
	    !km_result_get_trace_hist(context->dataset->result, context->trace->id, name, hist) &&
	    hist->total) {
		curve = km_figure_curve(figure, 0, style, label);
		if (!curve || cumulative_points(curve, hist, by_sum))
			code = km_figure_no_memory(err);
	}
	free(hist);
	return code;
}

static int build_sizes(const struct km_figure_context *context, struct km_figure *figure,
		       struct km_err *err)
{
	static const struct {
		const char *hist, *label;
		bool by_sum;
		struct km_style style;
	} curves[] = {
		{"size_req", "objects, by requested size", false, {"#0072B2", 1, 2.2}},
		{"size_alloc", "objects, by allocated size", false, {"#56B4E9", 2, 2.2}},
		{"size_req", "bytes, by requested size", true, {"#D55E00", 1, 2.2}},
		{"size_alloc", "bytes, by allocated size", true, {"#E69F00", 2, 2.2}},
	};
	int code = 0;

	for (unsigned i = 0; i < 4 && !code; i++)
		code = trace_cdf(context, figure, curves[i].hist, curves[i].by_sum, curves[i].style,
				 curves[i].label, err);
	for (double size = 8; size <= 8388608; size *= 2) {
		if (size < 1024)
			km_figure_row(figure, size, "up to %.0f B", size);
		else if (size < 1048576)
			km_figure_row(figure, size, "up to %.0f KiB", size / 1024);
		else
			km_figure_row(figure, size, "up to %.0f MiB", size / 1048576);
	}
	return code;
}

static int build_lifetimes(const struct km_figure_context *context, struct km_figure *figure,
			   struct km_err *err)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	int code = trace_cdf(context, figure, "lifetime_ns", false,
			     (struct km_style){"#0072B2", 1, 2.4}, "slab objects", err);

	if (!code)
		code = trace_cdf(context, figure, "lifetime_page_ns", false,
				 (struct km_style){"#D55E00", 2, 2.4}, "page blocks", err);
	for (unsigned power = 2; power <= 11; power++)
		km_figure_row(figure, pow(10, power), "up to %.0f %s", pow(10, power % 3),
			      units[power / 3]);
	return code;
}

/* ---- the list ---- */

#define SOURCE_TIMED                                                                               \
	"source: host time of each of the model's calls, the clock's cost included · shaded: "    \
	"lowest to highest run · no object is touched"
#define SOURCE_COUNTED                                                                             \
	"source: counted in the models; of the kernel: recorded pointers, page events and start "  \
	"state"
#define SOURCE_RECORDED "source: recorded events, before any model"

const struct km_figure_spec km_figures[] = {
	{{.name = "latency-alloc",
	  .stamp = SOURCE_TIMED,
	  .template = km_plot_latency,
	  .title = "Allocation latency by percentile",
	  .about =
		  "How long an allocation takes, from the median to the slowest: each curve is the "
		  "histogram of all runs of one model. The null model is the floor: the cost of "
		  "the "
		  "harness and of the timer itself.",
	  .x_title = "percentile",
	  .panels = 1,
	  .panel_titles = {"allocation latency"},
	  .units = {KM_UNIT_NS}},
	 build_latency_alloc},
	{{.name = "latency-free",
	  .stamp = SOURCE_TIMED,
	  .template = km_plot_latency,
	  .title = "Free latency by percentile",
	  .about = "How long giving memory back takes, from the median to the slowest.",
	  .x_title = "percentile",
	  .panels = 1,
	  .panel_titles = {"free latency"},
	  .units = {KM_UNIT_NS}},
	 build_latency_free},
	{{.name = "footprint",
	  .stamp = SOURCE_COUNTED,
	  .template = km_plot_footprint,
	  .title = "Memory held over trace time",
	  .about = "Pages each model holds for the recorded objects, against the bytes that are "
		   "alive. The gap between a curve and the live bytes is what the allocator costs "
		   "in memory.",
	  .x_title = "trace time",
	  .panels = 1,
	  .panel_titles = {"memory held (MiB)"},
	  .units = {KM_UNIT_MIB}},
	 build_footprint},
	{{.name = "internal-fragmentation",
	  .stamp = SOURCE_COUNTED,
	  .template = km_plot_share,
	  .title = "Internal fragmentation over trace time",
	  .about =
		  "Share of the bytes handed out that nobody asked for: 1 - live requested bytes / "
		  "live allocated bytes.",
	  .x_title = "trace time",
	  .panels = 1,
	  .panel_titles = {"internal fragmentation"},
	  .units = {KM_UNIT_SHARE}},
	 build_internal},
	{{.name = "external-fragmentation",
	  .stamp = SOURCE_COUNTED,
	  .template = km_plot_share,
	  .title = "External fragmentation over trace time",
	  .about =
		  "Left: share of the free memory that cannot serve a 2 MiB request (unusable free "
		  "space index, order 9). Right: share of 2 MiB blocks that hold at least one "
		  "unmovable page, and so can never become a huge page. Where it starts is taken "
		  "from the "
		  "block types of pagetypeinfo: blocks typed unmovable or reclaimable hold one, "
		  "movable "
		  "blocks none.",
	  .x_title = "trace time",
	  .panels = 2,
	  .panel_titles = {"unusable for order 9", "2 MiB blocks with unmovable pages"},
	  .units = {KM_UNIT_SHARE, KM_UNIT_SHARE}},
	 build_external},
	{{.name = "slab-utilisation",
	  .stamp = SOURCE_COUNTED,
	  .template = km_plot_share,
	  .title = "Slab utilisation over trace time",
	  .about = "Share of the bytes in slab pages that hold live objects.",
	  .x_title = "trace time",
	  .panels = 1,
	  .panel_titles = {"slab utilisation"},
	  .units = {KM_UNIT_SHARE}},
	 build_utilisation},
	{{.name = "sizes",
	  .stamp = SOURCE_RECORDED,
	  .recorded = true,
	  .template = km_plot_sizes,
	  .title = "Sizes requested and allocated",
	  .about = "Which sizes the recorded kernel asked for and what it was given, counted by "
		   "objects and by bytes.",
	  .x_title = "size",
	  .panels = 1,
	  .panel_titles = {"share up to this size"},
	  .units = {KM_UNIT_SHARE}},
	 build_sizes},
	{{.name = "lifetimes",
	  .stamp = SOURCE_RECORDED,
	  .recorded = true,
	  .template = km_plot_lifetimes,
	  .title = "Lifetimes",
	  .about = "How long objects lived, for those whose allocation and free both lie in the "
		   "trace.",
	  .x_title = "lifetime",
	  .panels = 1,
	  .panel_titles = {"share up to this lifetime"},
	  .units = {KM_UNIT_SHARE}},
	 build_lifetimes},
	{{.name = "kmalloc-vmalloc-latency",
	  .template = km_plot_classes,
	  .title = "kmalloc against vmalloc: allocation latency by size",
	  .about = "The same requests from slabs in the direct map and from page-table mapped "
		   "areas: median and, where a run makes at least 100 such calls, 99th percentile "
		   "in "
		   "each size class; below it, how many calls a run makes.",
	  .x_title = "size class",
	  .panels = 1,
	  .panel_titles = {"allocation latency"},
	  .units = {KM_UNIT_NS}},
	 km_build_mapping_latency},
	{{.name = "kmalloc-vmalloc-memory",
	  .template = km_plot_bars,
	  .title = "kmalloc against vmalloc: peak memory, page tables, TLB reach",
	  .about = "What mapping costs beside time: pages held, bytes of page tables, and TLB "
		   "entries "
		   "needed to reach all live memory at the peak, with the direct map in 4 KiB (4K) "
		   "or "
		   "2 MiB (2M) pages. Counted from where the models put the objects, not read from "
		   "hardware.",
	  .x_title = "at",
	  .panels = 3,
	  .panel_titles = {"memory held (MiB)", "page tables (KiB)", "TLB entries needed"},
	  .units = {KM_UNIT_MIB, KM_UNIT_KIB, KM_UNIT_COUNT}},
	 km_build_mapping_memory},
	{{.name = "touch",
	  .template = km_plot_touch,
	  .title = "What touching the same objects takes, timed on real memory",
	  .about = "Each touch is a load that waits for the one before it. slub with 1G, 2M and 4K "
		   "is "
		   "the direct map in pages of that size, areas lie in 4 KiB pages. Right: what is "
		   "left when the time of the same bytes in the same order through 2 MiB pages is "
		   "taken off, so that caches cancel. Whiskers: 95 % intervals; diamonds: what "
		   "the TLB model says of the same touches (only for this machine's own TLB), as "
		   "loads that overlap (the least) and as loads that wait for one another.",
	  .x_title = "",
	  .panels = 2,
	  .panel_titles = {"time per touch (ns)", "of it translation (ns) · ◆ TLB model"},
	  .units = {KM_UNIT_NS, KM_UNIT_NS}},
	 km_build_touch},
	{{.name = "touch-classes",
	  .template = km_plot_touchclasses,
	  .title = "Time per touch by size of the object, timed on real memory",
	  .about =
		  "The touches of the objects of each size replayed on their own. A size with less "
		  "than 1000 touches is not measured.",
	  .x_title = "size class",
	  .panels = 1,
	  .panel_titles = {"ns per touch"},
	  .units = {KM_UNIT_NS}},
	 km_build_touch_classes},
	{{.name = "tlb-misses",
	  .template = km_plot_bars,
	  .title = "TLB misses and walks per 1000 references (TLB model, access A0)",
	  .about = "References of the allocator and of the call itself: free pointers, page "
		   "structures, first and last line of each object. slub with 1G, 2M and 4K is "
		   "the direct map in pages of that size; one bar where a host splinters them "
		   "all.",
	  .x_title = "access",
	  .panels = 3,
	  .panel_titles = {"L1 misses / 1000 refs", "L2 misses / 1000 refs",
			   "walk cycles / 1000 refs"},
	  .units = {KM_UNIT_COUNT, KM_UNIT_COUNT, KM_UNIT_COUNT}},
	 km_build_tlb_misses},
	{{.name = "tlb-classes",
	  .template = km_plot_tlbclasses,
	  .title = "Page walks by size of the object (TLB model, access A0)",
	  .about = "L2 TLB misses, each of them a page walk, per 1000 references to objects of "
		   "each size class.",
	  .x_title = "size class",
	  .panels = 1,
	  .panel_titles = {"page walks per 1000 references"},
	  .units = {KM_UNIT_COUNT}},
	 km_build_tlb_classes},
	{{.name = "tlb-working-set",
	  .template = km_plot_tlbwindow,
	  .title = "Distinct pages touched within a window (access A0)",
	  .about = "TLB entries that would be needed to miss nothing within so many operations. It "
		   "depends on where objects lie and how their pages are mapped, on no TLB and "
		   "no reuse.",
	  .x_title = "window",
	  .panels = 1,
	  .panel_titles = {"distinct pages"},
	  .units = {KM_UNIT_COUNT}},
	 km_build_tlb_windows},
	{{.name = "tlb-miss-ratio",
	  .template = km_plot_tlbcurve,
	  .title = "Miss ratio by number of TLB entries (Mattson, access A0)",
	  .about = "Exact for a fully associative LRU TLB of every size, from reuse distances; the "
		   "CPUs' streams apart.",
	  .x_title = "entries",
	  .panels = 1,
	  .panel_titles = {"misses per reference"},
	  .units = {KM_UNIT_SHARE}},
	 km_build_tlb_curve},
	{{.name = "tlb-reuse",
	  .template = km_plot_tlbreuse,
	  .title = "L2 TLB misses as objects are reused (TLB model, access A2)",
	  .about = "A trace holds no loads. With λ touches of live objects for each allocation, "
		   "Zipf-distributed over them, this is how far the misses per reference move: the "
		   "band within which any statement about them holds.",
	  .x_title = "access",
	  .panels = 1,
	  .panel_titles = {"L2 misses per 1000 references"},
	  .units = {KM_UNIT_COUNT}},
	 km_build_tlb_reuse},
};
const size_t km_figure_count = sizeof(km_figures) / sizeof(km_figures[0]);
