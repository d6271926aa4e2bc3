/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab plot R.kmr -o DIR: the figures alone, as data, script and SVG. */
#include "analysis.h"

#include "output_args.h"
#include "plot.h"
#include "results/term.h"

#include <stdlib.h>

static const char *figure_state(const struct km_figure *figure)
{
	return figure->drawn ? "drawn" : figure->curve_count ? "gnuplot missing" : "not measured";
}

static void print_json(const struct km_figure_set *set, const char *directory)
{
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "directory", directory);
	km_json_array(&json, "figures");
	for (size_t i = 0; i < set->count; i++) {
		const struct km_figure *figure = &set->figures[i];

		km_json_object(&json, NULL);
		km_json_str(&json, "name", figure->file);
		km_json_str(&json, "title", figure->title);
		km_json_str(&json, "trace", set->traces[i]->path);
		km_json_str(&json, "state", figure_state(figure));
		km_json_u64(&json, "curves", figure->curve_count);
		km_json_str(&json, "left_out", *figure->missing ? figure->missing : NULL);
		km_json_close(&json);
	}
	km_json_end(&json);
}

static void print_table(const struct km_figure_set *set, enum km_format format)
{
	static const char *const titles[] = {"figure", "state", "curves>", "shows"};
	struct km_table *table = km_table_new(4, titles);

	for (size_t i = 0; i < set->count; i++) {
		const struct km_figure *figure = &set->figures[i];

		km_table_cell(table, figure->file);
		km_table_cell(table, figure_state(figure));
		km_table_cellf(table, "%zu", figure->curve_count);
		km_table_cell(table, figure->title);
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

int km_cmd_plot(int argc, char **argv)
{
	static const char doc[] =
		"Draw the figures of a result file.\v"
		"Each figure is three files in DIR: NAME.dat holds the numbers, NAME.gp the "
		"gnuplot "
		"script (change it and run 'gnuplot NAME.gp' in DIR), NAME.svg the picture.\n\n"
		"EXAMPLES\n"
		"  kmlab plot r.kmr -o figures";
	struct km_output_args args = {0};
	struct km_dataset dataset;
	struct km_figure_set set;
	struct km_err err = {""};
	int code = km_output_parse(doc, argc, argv, "-figures", &args);

	if (code)
		return code;
	if (km_dataset_open(args.file, &dataset, &err)) {
		code = km_error("%s", err.text);
		goto out_args;
	}
	km_catch_interrupts();
	if (km_plot_all(&dataset, args.directory, &set, &err)) {
		code = km_error("%s", err.text);
		if (km_interrupted())
			code = KM_EXIT_INTERRUPTED;
		goto out_dataset;
	}
	if (args.common.format == KM_FORMAT_JSON)
		print_json(&set, args.directory);
	else
		print_table(&set, args.common.format);
	if (!km_plot_possible())
		code = km_error("gnuplot is not installed, so %s holds the data and scripts but no "
				"pictures; install gnuplot-nox and run this again",
				args.directory);
	km_plot_free(&set);
out_dataset:
	km_dataset_close(&dataset);
out_args:
	free(args.directory);
	return code;
}
