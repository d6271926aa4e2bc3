/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Curves, their look and their table rows. Colours are those of Okabe and Ito (2008), chosen to be
 * told apart with any colour vision; every curve has a dash type too, so colour is never alone.
 */
#include "figure.h"

#include "results/emit.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *km_value_text(enum km_unit unit, double value, char buf[KM_VALUE_BYTES])
{
	if (isnan(value)) {
		snprintf(buf, KM_VALUE_BYTES, "not measured");
		return buf;
	}
	switch (unit) {
	case KM_UNIT_NS:
		return km_human_ns(value, buf);
	case KM_UNIT_MIB:
		return km_human_bytes(value * 1048576, buf);
	case KM_UNIT_KIB:
		return km_human_bytes(value * 1024, buf);
	case KM_UNIT_SHARE:
		snprintf(buf, KM_VALUE_BYTES, "%.2f %%", 100 * value);
		return buf;
	case KM_UNIT_COUNT:
		break;
	}
	return km_human_count(value, buf);
}

/* ---- look ---- */

/* The kernel's line is wide and light, so that a model that agrees with it lies on it, not over it.
 */
static const struct {
	const char *model;
	struct km_style style;
} known_styles[] = {
	{"kernel", {"#B3B3B3", 1, 6.0}},   {"slub", {"#0072B2", 1, 2.0}},
	{"vmalloc", {"#D55E00", 2, 2.2}},  {"buddy", {"#E69F00", 4, 2.2}},
	{"bump", {"#009E73", 3, 2.6}},     {"null", {"#8C8C8C", 3, 2.0}},
	{"kvmalloc", {"#CC79A7", 5, 2.2}}, {"slab", {"#56B4E9", 2, 2.2}},
	{"slob", {"#B8A500", 4, 2.2}},     {"vmalloc_huge", {"#8C3A00", 3, 2.2}},
};
#define NR_STYLES (sizeof(known_styles) / sizeof(known_styles[0]))

/* The style of the model's own name: "slub@6.1" and "slub" both want slub's. */
static unsigned wanted_style(const char *model)
{
	size_t length = strcspn(model, "@:");

	for (unsigned i = 0; i < NR_STYLES; i++)
		if (strlen(known_styles[i].model) == length &&
		    !strncmp(known_styles[i].model, model, length))
			return i;
	return NR_STYLES;
}

void km_style_machines(const struct km_trace_results *trace, struct km_style *styles)
{
	bool used[NR_STYLES] = {false};

	/* Names first, so that a variant never takes the colour of a model that is present. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < trace->machine_count; i++) {
			unsigned style = wanted_style(trace->machines[i].model);

			if (!pass && style < NR_STYLES && !used[style]) {
				styles[i] = known_styles[style].style;
				used[style] = true;
			} else if (!pass) {
				styles[i].colour = NULL;
			} else if (!styles[i].colour) {
				for (style = 0; style < NR_STYLES && used[style];)
					style++;
				if (style < NR_STYLES)
					used[style] = true;
				styles[i] = known_styles[style % NR_STYLES].style;
				styles[i].dash = 1 + (unsigned)i % 5;
			}
		}
	}
}

/* ---- building ---- */

struct km_curve *km_figure_curve(struct km_figure *figure, unsigned panel, struct km_style style,
				 const char *label)
{
	struct km_curve *curve, *grown;
	char *copy = strdup(label);

	grown = copy ? realloc(figure->curves, (figure->curve_count + 1) * sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		return NULL;
	}
	figure->curves = grown;
	curve = &grown[figure->curve_count++];
	*curve = (struct km_curve){.label = copy, .style = style, .panel = panel};
	return curve;
}

int km_curve_point(struct km_curve *curve, double x, double y)
{
	if (curve->count == curve->room) {
		size_t room = curve->room ? 2 * curve->room : 64;
		double *grown_x = realloc(curve->x, room * sizeof(double)), *grown_y;

		if (!grown_x)
			return -ENOMEM;
		curve->x = grown_x;
		grown_y = realloc(curve->y, room * sizeof(double));
		if (!grown_y)
			return -ENOMEM;
		curve->y = grown_y;
		curve->room = room;
	}
	curve->x[curve->count] = x;
	curve->y[curve->count++] = y;
	return 0;
}

int km_curve_interval(struct km_curve *curve, double x, double y, double low, double high)
{
	size_t at = curve->count;
	int code = km_curve_point(curve, x, y);
	double *grown;

	if (code)
		return code;
	grown = realloc(curve->low, curve->room * sizeof(double));
	if (!grown)
		return -ENOMEM;
	curve->low = grown;
	grown = realloc(curve->high, curve->room * sizeof(double));
	if (!grown)
		return -ENOMEM;
	curve->high = grown;
	curve->low[at] = low;
	curve->high[at] = high;
	return 0;
}

void km_figure_row(struct km_figure *figure, double x, const char *format, ...)
{
	struct km_figure_row *row = &figure->rows[figure->row_count];
	va_list args;

	if (figure->row_count == KM_FIGURE_ROWS)
		return;
	figure->row_count++;
	row->x = x;
	row->note[0] = '\0';
	va_start(args, format);
	vsnprintf(row->text, sizeof(row->text), format, args);
	va_end(args);
}

double km_curve_at(const struct km_curve *curve, double x)
{
	double found = NAN;

	for (size_t i = 0; i < curve->count && curve->x[i] <= x * (1 + 1e-9); i++)
		found = curve->y[i];
	return found;
}

void km_figure_free(struct km_figure *figure)
{
	for (size_t i = 0; i < figure->curve_count; i++) {
		free(figure->curves[i].label);
		free(figure->curves[i].x);
		free(figure->curves[i].y);
		free(figure->curves[i].low);
		free(figure->curves[i].high);
	}
	free(figure->curves);
	figure->curves = NULL;
	figure->curve_count = 0;
}

/* ---- what is not there, and why ---- */

/* Notes "METRIC.why" and those of its prefixes: latency_ns.alloc.p50.why ... latency_ns.why. */
static const char *noted_reason(const struct km_dataset *dataset,
				const struct km_machine_runs *machine, const char *metric)
{
	char name[128];
	size_t length = strlen(metric);

	while (length) {
		const char *text;

		snprintf(name, sizeof(name), "%.*s.why", (int)length, metric);
		text = km_dataset_note(dataset, machine, name);
		if (text)
			return text;
		while (length && metric[--length] != '.')
			;
	}
	return NULL;
}

const char *km_missing_reason(const struct km_dataset *dataset,
			      const struct km_machine_runs *machine, const char *metric)
{
	const char *reason = noted_reason(dataset, machine, metric);
	bool timing = !strncmp(metric, "latency", 7) || !strcmp(metric, "ops_per_s");

	/* One cause takes all times, or all places, with it. */
	if (!reason)
		reason = noted_reason(dataset, machine, timing ? "latency_ns" : "pages");
	if (!reason && !strcmp(machine->model, "kernel"))
		reason = "the trace does not show it";
	if (!reason && strstr(metric, "slab_utilisation"))
		reason = "the model has no slabs";
	return reason ? reason : "the run did not record it";
}

/* Whether the machine is noted to be left out of the whole figure. */
static bool left_out(const struct km_figure *figure, const char *label)
{
	char start[160];

	snprintf(start, sizeof(start), "%.150s (", label);
	return strstr(figure->missing, start) != NULL;
}

void km_figure_leave_out(const struct km_figure_context *context, struct km_figure *figure,
			 unsigned panel, const struct km_machine_runs *machine, const char *metric)
{
	size_t used = strlen(figure->missing), room = sizeof(figure->missing) - used;
	const char *reason = km_missing_reason(context->dataset, machine, metric);
	const char *between = used ? "; " : "";

	if (left_out(figure, machine->label))
		return;
	if (panel)
		snprintf(figure->missing + used, room, "%s%s in \"%s\" (%s)", between,
			 machine->label, figure->panel_titles[panel], reason);
	else
		snprintf(figure->missing + used, room, "%s%s (%s)", between, machine->label,
			 reason);
}
