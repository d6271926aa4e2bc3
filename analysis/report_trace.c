/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a report says about the recording: how well the models reproduce it, what was lost, how
 * incomplete events were read, and where it all comes from.
 */
#include "html.h"
#include "report.h"

#include "results/emit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *km_grouped(double count, char buf[KM_GROUPED_BYTES])
{
	char digits[32];
	size_t length, to = 0;

	if (isnan(count)) {
		snprintf(buf, KM_GROUPED_BYTES, "not measured");
		return buf;
	}
	snprintf(digits, sizeof(digits), "%.0f", fmin(count, 1e18));
	length = strlen(digits);
	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0 && digits[i - 1] != '-')
			buf[to++] = ' ';
		buf[to++] = digits[i];
	}
	buf[to] = '\0';
	return buf;
}

const char *km_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- fidelity ---- */

static void print_score(const struct km_report *report, const char *key, const char *title,
			const char *what)
{
	char name[64], checked_text[KM_GROUPED_BYTES], matched_text[KM_GROUPED_BYTES];
	double checked, matched;

	snprintf(name, sizeof(name), "fidelity_%s_checked", key);
	checked = km_dataset_fact_number(report->trace, name);
	snprintf(name, sizeof(name), "fidelity_%s_matched", key);
	matched = km_dataset_fact_number(report->trace, name);
	fputs("<div class=\"score\">", report->out);
	if (!(checked > 0) || isnan(matched))
		fprintf(report->out,
			"<b>not measured</b><span>%s</span><small>nothing in this "
			"trace to check it against</small>",
			title);
	else
		fprintf(report->out, "<b>%s%.2f %%</b><span>%s</span><small>%s of %s %s</small>",
			/* 99.999 must not read as a perfect score. */
			matched < checked && matched / checked > 0.9999 ? "&lt; " : "",
			matched < checked && matched / checked > 0.9999 ? 99.99
									: 100 * matched / checked,
			title, km_grouped(matched, matched_text), km_grouped(checked, checked_text),
			what);
	fputs("</div>\n", report->out);
}

void km_report_fidelity(const struct km_report *report)
{
	fputs("<p>Before any comparison: how often the model of the recorded kernel gives what "
	      "that "
	      "kernel really gave, checked event by event against the trace.</p>\n"
	      "<div class=\"scores\">\n",
	      report->out);
	print_score(report, "bytes_alloc", "bytes allocated", "requests got the same size");
	print_score(report, "geometry", "slab geometry",
		    "caches have the same object size, order and objects per slab");
	print_score(report, "slab_choice", "slab choice",
		    "allocations came from the slab the kernel chose, the model on its own: one "
		    "divergence counts for as long as it shows");
	print_score(report, "slab_choice_sheaves", "slab choice, caches with sheaves",
		    "allocations: what lies in their sheaves at the start is not traced, so they "
		    "stand apart");
	fputs("</div>\n", report->out);
}

/* ---- losses ---- */

struct counted {
	const char *title, *key; /* of a fact of the trace */
};

static void count_table(const struct km_report *report, const char *heading,
			const struct counted *rows, size_t n)
{
	char text[KM_GROUPED_BYTES];

	fprintf(report->out,
		"<div class=\"wide\"><table>\n<thead><tr><th>%s</th><th>count</th></tr></thead>\n"
		"<tbody>\n",
		heading);
	for (size_t i = 0; i < n; i++)
		fprintf(report->out, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n",
			rows[i].title,
			km_grouped(km_dataset_fact_number(report->trace, rows[i].key), text));
	fputs("</tbody></table></div>\n", report->out);
}

/* fired = recorded + lost + filtered: said only when every part is known. */
static void print_identity(const struct km_report *report)
{
	const struct km_trace_results *trace = report->trace;
	double fired = km_dataset_fact_number(trace, "fired");
	double sum = km_dataset_fact_number(trace, "events_total") +
		     km_dataset_fact_number(trace, "lost_total") +
		     km_dataset_fact_number(trace, "filtered_null") +
		     km_dataset_fact_number(trace, "filtered_self") +
		     km_dataset_fact_number(trace, "filtered_sampled") +
		     /* earlier results have none of these */
		     fmax(km_dataset_fact_number(trace, "filtered_excluded"), 0) +
		     fmax(km_dataset_fact_number(trace, "filtered_aged"), 0);
	char text[KM_GROUPED_BYTES];

	if (isnan(fired) || isnan(sum))
		fputs("<p>The trace does not hold every part of its loss ledger.</p>\n",
		      report->out);
	else if (fired == sum)
		fputs("<p>The ledger adds up: fired = recorded + lost + filtered.</p>\n",
		      report->out);
	else
		fprintf(report->out,
			"<p><strong>The ledger does not add up</strong>: fired and recorded + lost "
			"+ filtered differ by %s events.</p>\n",
			km_grouped(fabs(fired - sum), text));
}

void km_report_losses(const struct km_report *report)
{
	static const struct counted ledger[] = {
		{"fired in the kernel", "fired"},
		{"recorded", "events_total"},
		{"lost", "lost_total"},
		{"lost: ring full", "lost_ring_full"},
		{"lost: ring contended", "lost_contended"},
		{"lost: recursion", "lost_recursion"},
		{"filtered: freeing nothing", "filtered_null"},
		{"filtered: the recorder's own", "filtered_self"},
		{"filtered: sampling", "filtered_sampled"},
		{"filtered: not asked for", "filtered_excluded"},
		{"filtered: older than the recorder's window", "filtered_aged"},
	};
	static const struct counted repair[] = {
		{"frees never seen, implied by reuse of the address", "repair_implied_frees"},
		{"frees through another interface than the allocation", "repair_cross_api_frees"},
		{"frees of objects older than the trace", "repair_preexisting_frees"},
		{"large kmalloc reported twice, merged", "repair_double_large"},
		{"objects alive at the end", "repair_open"},
	};
	static const struct counted uses[] = {
		{"replayed", "replayed_events"},
		{"pages behind slabs and large kmallocs: each model takes its own",
		 "backing_events"},
		{"an allocator's own records: likewise", "internal_events"},
		{"frees of objects older than the trace: left out", "preexisting_events"},
		{"failed, doubled, freeing nothing, moves between lists: no meaning for objects",
		 "dropped_events"},
	};
	double coverage = km_dataset_fact_number(report->trace, "coverage");

	if (!isnan(coverage))
		fprintf(report->out,
			"<p>Coverage: <strong>%.2f %%</strong> of the events recorded or lost. "
			"What is missing: losses, and frees of objects older than the trace. "
			"Filtered events are in neither number.</p>\n",
			100 * coverage);
	print_identity(report);
	count_table(report, "events", ledger, sizeof(ledger) / sizeof(ledger[0]));
	fputs("<p>A kernel's tracepoints are not a complete log. What was decided about events "
	      "that do not pair up:</p>\n",
	      report->out);
	count_table(report, "decision", repair, sizeof(repair) / sizeof(repair[0]));
	fputs("<p>What became of the recorded events; the parts add up to them:</p>\n",
	      report->out);
	count_table(report, "use", uses, sizeof(uses) / sizeof(uses[0]));
}

/* ---- provenance ---- */

static bool told_elsewhere(const char *key)
{
	static const char *const prefixes[] = {"fidelity_", "lost_",        "filtered_", "repair_",
					       "fired",     "events_total", "coverage"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(key, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static void fact_row(const struct km_report *report, const struct km_fact *fact)
{
	double number = km_dataset_fact_number(report->trace, fact->key);
	size_t length = strlen(fact->key);
	char text[KM_HUMAN_BYTES];

	fputs("<tr><th scope=\"row\">", report->out);
	km_html_text(report->out, fact->key);
	fputs("</th><td>", report->out);
	if (length > 6 && !strcmp(fact->key + length - 6, "_bytes") && !isnan(number))
		km_html_textf(report->out, "%s (%s)", km_human_bytes(number, text), fact->value);
	else if (length > 3 && !strcmp(fact->key + length - 3, "_ns") && !isnan(number))
		km_html_textf(report->out, "%s (%s)", km_human_ns(number, text), fact->value);
	else
		km_html_text(report->out, fact->value);
	fputs("</td></tr>\n", report->out);
}

/* A note that all machines share is one row; otherwise one row for each machine that has it. */
static void note_rows(const struct km_report *report, const char *name)
{
	const struct km_trace_results *trace = report->trace;
	char *note, *first = NULL;
	bool shared = true;

	for (size_t i = 0; i < trace->machine_count; i++) {
		note = km_dataset_notes(report->dataset, &trace->machines[i], name);
		shared = shared && note && (!first || !strcmp(note, first));
		if (!first)
			first = note;
		else
			free(note);
	}
	for (size_t i = 0; i < (shared ? 1 : trace->machine_count); i++) {
		note = km_dataset_notes(report->dataset, &trace->machines[i], name);
		if (!note)
			continue;
		fputs("<tr><th scope=\"row\">", report->out);
		km_html_text(report->out, name);
		fputs("</th><td>", report->out);
		km_html_text(report->out, shared ? "all" : trace->machines[i].label);
		fputs("</td><td>", report->out);
		km_html_text(report->out, note);
		fputs("</td></tr>\n", report->out);
		free(note);
	}
	free(first);
}

int km_report_provenance(const struct km_report *report, struct km_err *err)
{
	const struct km_trace_results *trace = report->trace;
	struct km_name *names;
	size_t count;
	int code = km_dataset_names(report->dataset, trace, KM_NAMES_NOTE, &names, &count, err);

	if (code)
		return code;
	fputs("<div class=\"wide\"><table class=\"text\">\n<tbody>\n<tr><th "
	      "scope=\"row\">trace</th>"
	      "<td>",
	      report->out);
	km_html_text(report->out, trace->path);
	fputs("</td></tr>\n", report->out);
	if (strcmp(trace->uuid, trace->path)) {
		fputs("<tr><th scope=\"row\">trace identity</th><td>", report->out);
		km_html_text(report->out, trace->uuid);
		fputs("</td></tr>\n", report->out);
	}
	for (size_t i = 0; i < trace->fact_count; i++)
		if (!told_elsewhere(trace->facts[i].key))
			fact_row(report, &trace->facts[i]);
	fputs("</tbody></table></div>\n", report->out);
	if (count) {
		fputs("<h3>How the runs were made</h3>\n<div class=\"wide\"><table "
		      "class=\"text\">\n"
		      "<thead><tr><th>fact</th><th>model</th><th>is</th></tr></thead>\n<tbody>\n",
		      report->out);
		for (size_t i = 0; i < count; i++)
			note_rows(report, names[i].name);
		fputs("</tbody></table></div>\n", report->out);
	}
	km_names_free(names, count);
	return 0;
}
