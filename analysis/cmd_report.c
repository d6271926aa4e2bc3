/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab report R.kmr -o DIR: DIR/index.html, with the figures inside and beside it. */
#include "analysis.h"

#include "output_args.h"
#include "report.h"
#include "results/term.h"

#include <stdlib.h>

static void print_answer(const struct km_output_args *args, const struct km_figure_set *set)
{
	static const char *const titles[] = {"report"};
	struct km_table *table;
	struct km_json json;
	char path[4200];

	if (args->common.format == KM_FORMAT_TABLE) {
		printf("%s/index.html\n", args->directory);
		return;
	}
	if (args->common.format != KM_FORMAT_JSON) {
		table = km_table_new(1, titles);
		km_table_cellf(table, "%s/index.html", args->directory);
		km_table_print(table, stdout, args->common.format);
		km_table_free(table);
		return;
	}
	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	snprintf(path, sizeof(path), "%s/index.html", args->directory);
	km_json_str(&json, "report", path);
	km_json_array(&json, "figures");
	for (size_t i = 0; i < set->count; i++)
		if (set->figures[i].drawn)
			km_json_str(&json, NULL, set->figures[i].file);
	km_json_end(&json);
}

int km_cmd_report(int argc, char **argv)
{
	static const char doc[] =
		"Turn a result file into one self-contained web page.\v"
		"DIR/index.html holds every figure, the numbers behind it, how faithful the models "
		"are to the recorded kernel, what was lost, and where the numbers come from. Its "
		"path is printed. The figures also lie in DIR as NAME.svg, NAME.gp and "
		"NAME.dat.\n\n"
		"EXAMPLES\n"
		"  kmlab report r.kmr -o out && xdg-open out/index.html";
	struct km_output_args args = {0};
	struct km_dataset dataset;
	struct km_figure_set set;
	struct km_err err = {""};
	int code = km_output_parse(doc, argc, argv, "-report", &args);

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
	if (km_report_write(&dataset, &set, args.directory, &err)) {
		code = km_error("%s", err.text);
		goto out_set;
	}
	if (!km_plot_possible())
		km_note("gnuplot is not installed: the report has its tables but no pictures; "
			"install gnuplot-nox and run this again");
	print_answer(&args, &set);
out_set:
	km_plot_free(&set);
out_dataset:
	km_dataset_close(&dataset);
out_args:
	free(args.directory);
	return code;
}
