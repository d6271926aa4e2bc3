/* SPDX-License-Identifier: GPL-2.0-only */
/* All figures of a result file: built, named, captioned and drawn. */
#include "plot.h"
#include "results/term.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an earlier report left under the figure's name would pass for this one's. */
static void forget_old(const struct km_figure *figure, const char *directory)
{
	static const char *const suffixes[] = {"dat", "gp", "svg"};
	char *path;

	for (unsigned i = 0; i < 3; i++) {
		if (asprintf(&path, "%s/%s.%s", directory, figure->file, suffixes[i]) < 0)
			return;
		unlink(path);
		free(path);
	}
}

/* Seeds and repetitions of the trace's runs, as "seed 1 · 3 repetitions". */
static void describe_runs(const struct km_trace_results *trace, char *text, size_t size)
{
	size_t least = SIZE_MAX, most = 0;
	uint64_t seed = trace->machines[0].seeds[0];
	bool one_seed = true;

	for (size_t i = 0; i < trace->machine_count; i++) {
		const struct km_machine_runs *machine = &trace->machines[i];

		least = machine->count < least ? machine->count : least;
		most = machine->count > most ? machine->count : most;
		for (size_t k = 0; k < machine->count; k++)
			one_seed &= machine->seeds[k] == seed;
	}
	if (one_seed)
		snprintf(text, size, "seed %llu · ", (unsigned long long)seed);
	else
		snprintf(text, size, "several seeds · ");
	text += strlen(text);
	size -= strlen(text);
	if (least == most)
		snprintf(text, size, "%zu run%s each", most, most == 1 ? "" : "s");
	else
		snprintf(text, size, "%zu to %zu runs each", least, most);
}

static void write_caption(const struct km_trace_results *trace, bool recorded, char *caption,
			  size_t size)
{
	const char *kernel = km_dataset_fact(trace, "kernel"), *name = strrchr(trace->path, '/');
	double coverage = km_dataset_fact_number(trace, "coverage");
	double lost = km_dataset_fact_number(trace, "lost_total");
	char runs[80];
	int used;

	describe_runs(trace, runs, sizeof(runs));
	used = snprintf(caption, size, "trace %.60s · kernel %.60s%s%s",
			name ? name + 1 : trace->path, kernel ? kernel : "not known",
			recorded ? "" : " · ", recorded ? "" : runs);
	if (!isnan(coverage) && used < (int)size)
		used += snprintf(caption + used, size - (size_t)used, " · coverage %.2f %%",
				 100 * coverage);
	if (!isnan(lost) && used < (int)size)
		snprintf(caption + used, size - (size_t)used, " · %.0f events lost", lost);
}

static int build_one(const struct km_figure_context *context, const struct km_figure_spec *spec,
		     size_t trace_number, const char *directory, struct km_figure *figure,
		     struct km_err *err)
{
	bool measured = false;
	int code;

	*figure = spec->figure;
	if (trace_number)
		snprintf(figure->file, sizeof(figure->file), "%.40s-%zu", figure->name,
			 trace_number + 1);
	else
		snprintf(figure->file, sizeof(figure->file), "%s", figure->name);
	forget_old(figure, directory);
	write_caption(context->trace, figure->recorded, figure->caption, sizeof(figure->caption));
	code = spec->build(context, figure, err);
	for (size_t i = 0; i < figure->curve_count; i++)
		measured |= figure->curves[i].count > 0;
	if (!measured)
		km_figure_free(figure);
	if (!code && measured)
		code = km_plot_figure(figure, directory, err);
	if (code)
		km_figure_free(figure);
	return code;
}

static int plot_trace(const struct km_dataset *dataset, size_t number, const char *directory,
		      struct km_figure_set *set, struct km_err *err)
{
	struct km_figure_context context = {.dataset = dataset, .trace = &dataset->traces[number]};
	int code = 0;

	context.styles = calloc(context.trace->machine_count, sizeof(*context.styles));
	if (!context.styles)
		return km_fail(err, -ENOMEM, "no memory to build the figures");
	km_style_machines(context.trace, context.styles);
	for (size_t i = 0; i < km_figure_count && !code; i++) {
		if (km_interrupted())
			code = -EINTR;
		else
			code = build_one(&context, &km_figures[i], number, directory,
					 &set->figures[set->count], err);
		if (!code)
			set->traces[set->count++] = context.trace;
	}
	free(context.styles);
	/* Ctrl-C reaches gnuplot too: what it then complains of is not what went wrong. */
	if (code && km_interrupted())
		code = km_fail(err, -EINTR, "interrupted; %zu figures are in %s", set->count,
			       directory);
	return code;
}

int km_plot_all(const struct km_dataset *dataset, const char *directory, struct km_figure_set *set,
		struct km_err *err)
{
	struct km_figure_set made = {0};
	size_t room = dataset->count * km_figure_count;
	int code = km_make_directory(directory, err);

	if (code)
		return code;
	made.figures = calloc(room, sizeof(*made.figures));
	made.traces = calloc(room, sizeof(*made.traces));
	if (!made.figures || !made.traces)
		code = km_fail(err, -ENOMEM, "no memory to build the figures");
	for (size_t i = 0; i < dataset->count && !code; i++)
		code = plot_trace(dataset, i, directory, &made, err);
	if (code) {
		km_plot_free(&made);
		return code;
	}
	*set = made;
	return 0;
}

void km_plot_free(struct km_figure_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		km_figure_free(&set->figures[i]);
	free(set->figures);
	free(set->traces);
	memset(set, 0, sizeof(*set));
}
