/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One HTML page that needs nothing else: figures inline, the numbers behind each beside it, and
 * everything a reader needs to judge them. No script; light or dark as the reader's system asks.
 */
#include "report.h"

#include "html.h"
#include "plots.h"
#include "results/emit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a figure ---- */

static void panel_table(const struct km_report *report, const struct km_figure *figure,
			unsigned panel)
{
	char text[KM_VALUE_BYTES];

	fprintf(report->out,
		"<div class=\"wide\"><table>\n<caption>%s</caption>\n<thead><tr><th>%s"
		"</th>",
		figure->panel_titles[panel], figure->x_title);
	for (size_t i = 0; i < figure->curve_count; i++) {
		if (figure->curves[i].panel != panel)
			continue;
		fputs("<th>", report->out);
		km_html_text(report->out, figure->curves[i].label);
		fputs("</th>", report->out);
	}
	fputs("</tr></thead>\n<tbody>\n", report->out);
	for (unsigned row = 0; row < figure->row_count; row++) {
		fputs("<tr><th scope=\"row\">", report->out);
		km_html_text(report->out, figure->rows[row].text);
		fputs("</th>", report->out);
		for (size_t i = 0; i < figure->curve_count; i++) {
			const struct km_curve *curve = &figure->curves[i];
			double y = km_curve_at(curve, figure->rows[row].x);

			if (curve->panel != panel)
				continue;
			fprintf(report->out, "<td%s>%s</td>", isnan(y) ? " class=\"na\"" : "",
				isnan(y) && figure->rows[row].x < curve->x[0]
					? "–"
					: km_value_text(figure->units[panel], y, text));
		}
		fputs("</tr>\n", report->out);
	}
	fputs("</tbody></table></div>\n", report->out);
}

static int print_drawing(const struct km_report *report, const struct km_figure *figure,
			 struct km_err *err)
{
	char name[80];
	char *svg;
	int code;

	snprintf(name, sizeof(name), "%s.svg", figure->file);
	svg = km_read_file(report->directory, name);
	if (!svg)
		return km_fail(err, -EIO, "%s/%s cannot be read back", report->directory, name);
	fputs("<div class=\"plot\">", report->out);
	code = km_html_svg(report->out, svg, figure->file, figure->title, figure->about);
	fputs("</div>\n", report->out);
	free(svg);
	return code ? km_fail(err, code, "%s/%s is not an SVG drawing", report->directory, name)
		    : 0;
}

static int print_figure(const struct km_report *report, const struct km_figure *figure,
			struct km_err *err)
{
	int code = 0;

	fprintf(report->out, "<h3 id=\"figure-%s\">%s</h3>\n", figure->file, figure->title);
	if (!figure->curve_count) {
		fputs("<p class=\"soft\">Not drawn: no run measured it", report->out);
		if (*figure->missing) {
			fputs(" - ", report->out);
			km_html_text(report->out, figure->missing);
		}
		fputs(".</p>\n", report->out);
		return 0;
	}
	fputs("<figure>\n", report->out);
	if (figure->drawn)
		code = print_drawing(report, figure, err);
	else
		fputs("<p>gnuplot was not installed when this report was made, so there is no "
		      "picture; the numbers are in the table.</p>\n",
		      report->out);
	fprintf(report->out, "<figcaption>%s", figure->about);
	if (figure->stamp[0])
		fprintf(report->out, " %s.", figure->stamp);
	if (*figure->missing) {
		fputs(" Not measured, so not drawn: ", report->out);
		km_html_text(report->out, figure->missing);
		fputc('.', report->out);
	}
	fputs("</figcaption>\n</figure>\n<details><summary>Numbers</summary>\n", report->out);
	for (unsigned panel = 0; panel < figure->panels; panel++)
		panel_table(report, figure, panel);
	fprintf(report->out,
		"<p class=\"soft\">All points: <code>%s.dat</code>, drawn by <code>%s.gp</code>, "
		"in "
		"this report's folder.</p>\n</details>\n",
		figure->file, figure->file);
	return code;
}

/* ---- the page ---- */

static void heading(const struct km_report *report, const char *anchor, const char *title)
{
	fprintf(report->out, "<h2 id=\"%s-%zu\">%s</h2>\n", anchor, report->number, title);
}

static void print_summary(const struct km_report *report)
{
	const struct km_trace_results *trace = report->trace;
	const char *kernel = km_dataset_fact(trace, "kernel");
	const char *machine = km_dataset_fact(trace, "machine");
	const char *cpus = km_dataset_fact(trace, "cpus");
	double events = km_dataset_fact_number(trace, "events_total");
	double duration = km_dataset_fact_number(trace, "duration_ns");
	double lost = km_dataset_fact_number(trace, "lost_total");
	char text[KM_GROUPED_BYTES], time[KM_HUMAN_BYTES];

	fputs("<p><strong>", report->out);
	km_html_text(report->out, km_base_name(trace->path));
	fputs("</strong>", report->out);
	if (!isnan(events))
		fprintf(report->out, ": %s events", km_grouped(events, text));
	if (!isnan(duration))
		fprintf(report->out, " in %s", km_human_ns(duration, time));
	if (kernel)
		km_html_textf(report->out, " of Linux %s", kernel);
	if (cpus)
		km_html_textf(report->out, " on %s CPU%s", cpus, strcmp(cpus, "1") ? "s" : "");
	if (machine)
		km_html_textf(report->out, " (%s)", machine);
	if (!isnan(lost))
		fprintf(report->out, ", %s lost", km_grouped(lost, text));
	fputs(".</p>\n", report->out);
}

static int print_trace(const struct km_report *report, const struct km_figure_set *set,
		       struct km_err *err)
{
	int code = 0;

	if (report->dataset->count > 1) {
		fprintf(report->out, "<h1 id=\"trace-%zu\">", report->number);
		km_html_text(report->out, km_base_name(report->trace->path));
		fputs("</h1>\n", report->out);
	}
	print_summary(report);
	heading(report, "fidelity", "How faithful the model is");
	km_report_fidelity(report);
	heading(report, "result", "What each allocator would have cost");
	km_report_headline(report);
	code = km_report_numbers(report, err);
	if (!code)
		code = km_report_paths(report, err);
	heading(report, "figures", "Figures");
	for (size_t i = 0; i < set->count && !code; i++)
		if (set->traces[i] == report->trace)
			code = print_figure(report, &set->figures[i], err);
	heading(report, "losses", "Losses and coverage");
	km_report_losses(report);
	heading(report, "provenance", "Where the numbers come from");
	if (!code)
		code = km_report_provenance(report, err);
	return code;
}

static void print_contents(FILE *out, const struct km_dataset *dataset)
{
	if (dataset->count < 2)
		return;
	fputs("<nav aria-label=\"Traces\"><ul>\n", out);
	for (size_t i = 0; i < dataset->count; i++) {
		fprintf(out, "<li><a href=\"#trace-%zu\">", i);
		km_html_text(out, km_base_name(dataset->traces[i].path));
		fputs("</a></li>\n", out);
	}
	fputs("</ul></nav>\n", out);
}

static int print_page(const struct km_dataset *dataset, const struct km_figure_set *set,
		      const char *directory, FILE *out, struct km_err *err)
{
	int code = 0;

	fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	      "<title>kmlab: ",
	      out);
	km_html_text(out, km_base_name(dataset->traces[0].path));
	fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", km_report_css);
	fputs("<p class=\"soft\">kmlab report</p>\n<h1>What would this kernel's allocations cost "
	      "on "
	      "another allocator?</h1>\n<p>A running kernel's own memory requests were recorded, "
	      "then replayed through models of Linux's allocators. Latency, memory held, "
	      "fragmentation and TLB reach below are those of the same requests in the same "
	      "order.</p>\n",
	      out);
	print_contents(out, dataset);
	for (size_t i = 0; i < dataset->count && !code; i++) {
		const struct km_report report = {out, dataset, &dataset->traces[i], i, directory};

		code = print_trace(&report, set, err);
	}
	fputs("</main>\n</body>\n</html>\n", out);
	return code;
}

int km_report_write(const struct km_dataset *dataset, const struct km_figure_set *set,
		    const char *directory, struct km_err *err)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int code;

	if (!out)
		return km_fail(err, -ENOMEM, "no memory to write the report");
	code = print_page(dataset, set, directory, out, err);
	if (fclose(out) && !code)
		code = km_fail(err, -ENOMEM, "no memory to write the report");
	if (!code)
		code = km_write_file(directory, "index.html", text, length, err);
	free(text);
	return code;
}
