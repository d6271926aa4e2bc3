/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of measurements: the headline, every number, and which way calls went. A number that
 * was not measured says so and points to the reason.
 */
#include "html.h"
#include "report.h"

#include "results/emit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- reasons, numbered in the order they are first needed ---- */

#define MAX_REASONS 32

struct reasons {
	char *text[MAX_REASONS];
	unsigned count;
	size_t trace; /* keeps anchors apart */
};

static unsigned reason_number(struct reasons *reasons, const char *text)
{
	for (unsigned i = 0; i < reasons->count; i++)
		if (!strcmp(reasons->text[i], text))
			return i + 1;
	if (reasons->count == MAX_REASONS || !(reasons->text[reasons->count] = strdup(text)))
		return 0;
	return ++reasons->count;
}

static void print_not_measured(const struct km_report *report, struct reasons *reasons,
			       const char *why)
{
	unsigned number = reason_number(reasons, why);

	fputs("<td class=\"na\">not measured", report->out);
	if (number)
		fprintf(report->out, "<sup><a href=\"#why-%zu-%u\">%u</a></sup>", reasons->trace,
			number, number);
	fputs("</td>", report->out);
}

static void print_reasons(const struct km_report *report, struct reasons *reasons)
{
	if (reasons->count)
		fputs("<ol class=\"why\">\n", report->out);
	for (unsigned i = 0; i < reasons->count; i++) {
		fprintf(report->out, "<li id=\"why-%zu-%u\">", reasons->trace, i + 1);
		km_html_text(report->out, reasons->text[i]);
		fputs("</li>\n", report->out);
		free(reasons->text[i]);
	}
	if (reasons->count)
		fputs("</ol>\n", report->out);
}

/* ---- headline ---- */

static const struct headline {
	const char *metric, *title;
	enum km_unit unit;
	double scale;
} headlines[] = {
	{"latency_ns.alloc.p50", "alloc p50", KM_UNIT_NS, 1},
	{"latency_ns.alloc.p99", "alloc p99", KM_UNIT_NS, 1},
	{"latency_ns.free.p50", "free p50", KM_UNIT_NS, 1},
	{"ops_per_s", "operations per second", KM_UNIT_COUNT, 1},
	{"pages.peak", "peak memory", KM_UNIT_MIB, 4096.0 / 1048576},
	{"fragmentation.internal_time", "internal fragmen&shy;tation", KM_UNIT_SHARE, 1},
	{"fragmentation.unusable_order9", "free memory unusable for 2 MiB", KM_UNIT_SHARE, 1},
	{"fragmentation.slab_utilisation", "slab utilisation", KM_UNIT_SHARE, 1},
};
#define NR_HEADLINES (sizeof(headlines) / sizeof(headlines[0]))

static void headline_cell(const struct km_report *report, struct reasons *reasons,
			  const struct km_machine_runs *machine, const struct headline *headline)
{
	struct km_spread spread = km_dataset_metric(report->dataset, machine, headline->metric);
	char text[KM_VALUE_BYTES], low[KM_VALUE_BYTES], high[KM_VALUE_BYTES];

	if (!spread.count) {
		print_not_measured(report, reasons,
				   km_missing_reason(report->dataset, machine, headline->metric));
		return;
	}
	fputs("<td", report->out);
	if (spread.min < spread.max)
		fprintf(report->out, " title=\"%s to %s in %zu runs\"",
			km_value_text(headline->unit, spread.min * headline->scale, low),
			km_value_text(headline->unit, spread.max * headline->scale, high),
			spread.count);
	fprintf(report->out, ">%s</td>",
		km_value_text(headline->unit, spread.median * headline->scale, text));
}

/* What the others are measured against: slub, else the first model whose calls were timed. */
static const struct km_machine_runs *reference(const struct km_report *report)
{
	const struct km_trace_results *trace = report->trace;

	for (size_t i = 0; i < trace->machine_count; i++)
		if (!strcmp(trace->machines[i].label, "slub"))
			return &trace->machines[i];
	for (size_t i = 0; i < trace->machine_count; i++)
		if (km_dataset_metric(report->dataset, &trace->machines[i], "latency_ns.alloc.p50")
			    .count)
			return &trace->machines[i];
	return NULL;
}

/* "64.01 times (63.20 to 65.11 in 3 runs)" */
static void print_ratio(FILE *out, const struct km_spread *ratio)
{
	fprintf(out, "%.2f times", ratio->median);
	if (ratio->max - ratio->min >= 0.01)
		fprintf(out, " (%.2f to %.2f in %zu runs)", ratio->min, ratio->max, ratio->count);
}

/* "vmalloc: 64 times the median allocation latency of slub, 12 times the peak memory." */
static void print_ratios(const struct km_report *report)
{
	const struct km_machine_runs *base = reference(report);

	if (!base || report->trace->machine_count < 2)
		return;
	fputs("<ul>\n", report->out);
	for (size_t i = 0; i < report->trace->machine_count; i++) {
		const struct km_machine_runs *machine = &report->trace->machines[i];
		struct km_spread latency =
			km_dataset_ratio(report->dataset, machine, base, "latency_ns.alloc.p50");
		struct km_spread memory =
			km_dataset_ratio(report->dataset, machine, base, "pages.peak");

		/* The kernel's memory is measured another way (see below): no ratio of the two. */
		if (machine == base || !strcmp(machine->label, "kernel") ||
		    (!latency.count && !memory.count))
			continue;
		fputs("<li><strong>", report->out);
		km_html_text(report->out, machine->label);
		fputs("</strong>: ", report->out);
		if (latency.count) {
			print_ratio(report->out, &latency);
			fputs(" the median allocation latency of ", report->out);
			km_html_text(report->out, base->label);
		}
		if (memory.count) {
			fputs(latency.count ? ", " : "", report->out);
			print_ratio(report->out, &memory);
			fputs(latency.count ? " its peak memory" : " the peak memory of ",
			      report->out);
		}
		if (memory.count && !latency.count)
			km_html_text(report->out, base->label);
		fputs("</li>\n", report->out);
	}
	fputs("</ul>\n", report->out);
}

static void print_timer_cost(const struct km_report *report)
{
	char text[KM_HUMAN_BYTES];

	for (size_t i = 0; i < report->trace->machine_count; i++) {
		struct km_spread cost = km_dataset_metric(
			report->dataset, &report->trace->machines[i], "timer_cost_ns");

		if (!cost.count)
			continue;
		fprintf(report->out,
			"<p>Reading the timer costs %s; it is part of every latency.</p>\n",
			km_human_ns(cost.median, text));
		return;
	}
}

void km_report_headline(const struct km_report *report)
{
	struct reasons reasons = {.trace = report->number};

	fputs("<div class=\"wide\"><table>\n<thead><tr><th>model</th>", report->out);
	for (size_t i = 0; i < NR_HEADLINES; i++)
		fprintf(report->out, "<th>%s</th>", headlines[i].title);
	fputs("</tr></thead>\n<tbody>\n", report->out);
	for (size_t i = 0; i < report->trace->machine_count; i++) {
		const struct km_machine_runs *machine = &report->trace->machines[i];

		fputs("<tr><th scope=\"row\">", report->out);
		km_html_text(report->out, machine->label);
		fputs("</th>", report->out);
		for (size_t k = 0; k < NR_HEADLINES; k++)
			headline_cell(report, &reasons, machine, &headlines[k]);
		fputs("</tr>\n", report->out);
	}
	fputs("</tbody></table></div>\n", report->out);
	print_reasons(report, &reasons);
	print_ratios(report);
	print_timer_cost(report);
	fputs("<p class=\"soft\">Medians over runs; internal fragmentation and slab utilisation "
	      "are "
	      "means over trace time. Latencies are those of the models in user space and include "
	      "the timer (null is the floor): compare them with each other, not with a "
	      "kernel's. The kernel's memory counts slabs from their page_alloc to their "
	      "page_free, and slabs "
	      "older than the trace while a traced object lies in them; a model starts without "
	      "slabs and "
	      "counts all it makes.</p>\n",
	      report->out);
}

/* ---- every number ---- */

/* Counts whole and grouped, small fractions to four digits. */
static const char *plain_number(double value, char buf[KM_GROUPED_BYTES])
{
	if (value == trunc(value) || fabs(value) >= 1e4)
		return km_grouped(value, buf);
	snprintf(buf, KM_GROUPED_BYTES, "%.4g", value);
	return buf;
}

static void print_number(const struct km_report *report, const struct km_machine_runs *machine,
			 const char *name)
{
	struct km_spread spread = km_dataset_metric(report->dataset, machine, name);
	char text[KM_GROUPED_BYTES];

	if (!spread.count) {
		fputs("<td class=\"na\">not measured</td>", report->out);
		return;
	}
	fprintf(report->out, "<td>%s", plain_number(spread.median, text));
	if (spread.min < spread.max) {
		fprintf(report->out, "<br><small>%s to ", plain_number(spread.min, text));
		fprintf(report->out, "%s</small>", plain_number(spread.max, text));
	}
	fputs("</td>", report->out);
}

static void table_head(const struct km_report *report, const char *first)
{
	fprintf(report->out, "<div class=\"wide\"><table>\n<thead><tr><th>%s</th>", first);
	for (size_t i = 0; i < report->trace->machine_count; i++) {
		fputs("<th>", report->out);
		km_html_text(report->out, report->trace->machines[i].label);
		fputs("</th>", report->out);
	}
	fputs("</tr></thead>\n<tbody>\n", report->out);
}

int km_report_numbers(const struct km_report *report, struct km_err *err)
{
	struct km_name *names;
	size_t count;
	int code = km_dataset_names(report->dataset, report->trace, KM_NAMES_METRIC, &names, &count,
				    err);

	if (code)
		return code;
	fputs("<details><summary>Every number (median, and the range over runs where they differ)"
	      "</summary>\n",
	      report->out);
	table_head(report, "metric, unit");
	for (size_t i = 0; i < count; i++) {
		fputs("<tr><th scope=\"row\">", report->out);
		km_html_textf(report->out, "%s, %s", names[i].name, names[i].unit);
		fputs("</th>", report->out);
		for (size_t k = 0; k < report->trace->machine_count; k++)
			print_number(report, &report->trace->machines[k], names[i].name);
		fputs("</tr>\n", report->out);
	}
	fputs("</tbody></table></div></details>\n", report->out);
	km_names_free(names, count);
	return 0;
}

int km_report_paths(const struct km_report *report, struct km_err *err)
{
	struct km_name *names;
	size_t count;
	char text[KM_GROUPED_BYTES];
	int code = km_dataset_names(report->dataset, report->trace, KM_NAMES_PATH, &names, &count,
				    err);

	if (code)
		return code;
	if (count) {
		fputs("<details><summary>Which way the calls went (exact counts)</summary>\n",
		      report->out);
		table_head(report, "path");
		for (size_t i = 0; i < count; i++) {
			fputs("<tr><th scope=\"row\">", report->out);
			km_html_text(report->out, names[i].name);
			fputs("</th>", report->out);
			for (size_t k = 0; k < report->trace->machine_count; k++) {
				double taken =
					km_dataset_path(report->dataset,
							&report->trace->machines[k], names[i].name);

				fprintf(report->out, "<td>%s</td>",
					isnan(taken) ? "" : km_grouped(taken, text));
			}
			fputs("</tr>\n", report->out);
		}
		fputs("</tbody></table></div></details>\n", report->out);
	}
	km_names_free(names, count);
	return 0;
}
