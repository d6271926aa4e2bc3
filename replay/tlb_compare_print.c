/* SPDX-License-Identifier: GPL-2.0-only */
/* The document of `kmlab tlb compare`: two tables to be read, one for programs. */
#include <math.h>
#include <string.h>

#include "replay/tlb_compare.h"

static const struct {
	const char *key, *title, *format;
	bool timed, interval;
} columns[KM_COMPARE_NR_COLUMNS] = {
#define X(constant, key, title, format, timed, interval) {key, title, format, timed, interval},
	KM_COMPARE_COLUMNS(X)
#undef X
};

#define MOST_CELLS (2 + 3 * KM_COMPARE_NR_COLUMNS)

static const char *first_title(const struct km_compare_document *document)
{
	return document->asked->by_site ? "call site" : "size";
}

/* ---- JSON ---- */

static void emit_value(struct km_json *json, unsigned column, const struct km_bench_figure *value)
{
	if (!columns[column].interval) {
		km_json_f64(json, columns[column].key, value->median);
		return;
	}
	if (isnan(value->median)) {
		km_json_null(json, columns[column].key);
		return;
	}
	km_json_object(json, columns[column].key);
	km_json_f64(json, "median", value->median);
	km_json_f64(json, "low", value->low);
	km_json_f64(json, "high", value->high);
	km_json_close(json);
}

static void emit_memory(struct km_json *json, const struct km_compare_document *document)
{
	km_json_array(json, "touch_memory");
	for (unsigned map = 0; map < KM_TLB_MAPS; map++) {
		if (!document->gives[map][0] && !document->why[map][0])
			continue;
		km_json_object(json, NULL);
		km_json_str(json, "direct_map", km_tlb_map_name(map));
		km_json_bool(json, "available", !document->why[map][0]);
		km_json_str(json, "what",
			    document->why[map][0] ? document->why[map] : document->gives[map]);
		km_json_close(json);
	}
	km_json_close(json);
	km_json_str(json, "huge_page_entries", document->splinters[0] ? document->splinters : NULL);
}

static void print_json(const struct km_compare_document *document)
{
	const struct km_tlb_comparison *asked = document->asked;
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "trace", asked->trace);
	km_json_str(&json, "tlb", document->tlb->text);
	km_json_bool(&json, "calibrated", document->tlb->calibrated);
	km_json_str(&json, "why", document->tlb->why[0] ? document->tlb->why : NULL);
	km_json_str(&json, "access", asked->access.names[asked->access.which]);
	km_json_u64(&json, "rounds", asked->rounds);
	km_json_array(&json, "rows");
	for (size_t i = 0; i < document->nr_rows; i++) {
		const struct km_compare_row *row = &document->rows[i];

		km_json_object(&json, NULL);
		km_json_str(&json, asked->by_site ? "site" : "size", row->what);
		km_json_str(&json, "placement", row->placement);
		for (unsigned column = 0; column < KM_COMPARE_NR_COLUMNS; column++)
			emit_value(&json, column, &row->values[column]);
		km_json_close(&json);
	}
	km_json_close(&json);
	emit_memory(&json, document);
	km_json_f64(&json, "coverage", document->trace_coverage);
	km_json_f64(&json, "touch_coverage", asked->rounds ? document->coverage : NAN);
	km_json_end(&json);
}

/* ---- tables ---- */

static void number_cell(struct km_table *table, unsigned column, double value)
{
	char text[32];

	if (isnan(value)) {
		km_table_cell(table, "-");
		return;
	}
	snprintf(text, sizeof(text), columns[column].format, value);
	km_table_cell(table, text);
}

static void interval_cell(struct km_table *table, unsigned column,
			  const struct km_bench_figure *value)
{
	char median[32], low[32], high[32];

	if (isnan(value->median)) {
		km_table_cell(table, "-");
		return;
	}
	snprintf(median, sizeof(median), columns[column].format, value->median);
	snprintf(low, sizeof(low), columns[column].format, value->low);
	snprintf(high, sizeof(high), columns[column].format, value->high);
	km_table_cellf(table, "%s [%s, %s]", median, low, high);
}

/* Columns that were timed, or the others; to be read. */
static void print_part(const struct km_compare_document *document, bool timed)
{
	const char *titles[MOST_CELLS];
	char with_mark[KM_COMPARE_NR_COLUMNS][48];
	struct km_table *table;
	unsigned n = 0;

	titles[n++] = first_title(document);
	titles[n++] = "placement";
	for (unsigned i = 0; i < KM_COMPARE_NR_COLUMNS; i++) {
		if (columns[i].timed != timed)
			continue;
		snprintf(with_mark[i], sizeof(with_mark[i]), "%s>", columns[i].title);
		titles[n++] = with_mark[i];
	}
	table = km_table_new(n, titles);
	for (size_t row = 0; table && row < document->nr_rows; row++) {
		km_table_cell(table, document->rows[row].what);
		km_table_cell(table, document->rows[row].placement);
		for (unsigned i = 0; i < KM_COMPARE_NR_COLUMNS; i++) {
			const struct km_bench_figure *value = &document->rows[row].values[i];

			if (columns[i].timed != timed)
				continue;
			if (columns[i].interval)
				interval_cell(table, i, value);
			else
				number_cell(table, i, value->median);
		}
	}
	km_table_print(table, stdout, KM_FORMAT_TABLE);
	km_table_free(table);
}

/* One table, an interval in three columns. */
static void print_rows(const struct km_compare_document *document)
{
	const char *titles[MOST_CELLS];
	char names[KM_COMPARE_NR_COLUMNS][2][48];
	struct km_table *table;
	unsigned n = 0;

	titles[n++] = first_title(document);
	titles[n++] = "placement";
	for (unsigned i = 0; i < KM_COMPARE_NR_COLUMNS; i++) {
		titles[n++] = columns[i].title;
		if (!columns[i].interval)
			continue;
		snprintf(names[i][0], sizeof(names[i][0]), "%s low", columns[i].title);
		snprintf(names[i][1], sizeof(names[i][1]), "%s high", columns[i].title);
		titles[n++] = names[i][0];
		titles[n++] = names[i][1];
	}
	table = km_table_new(n, titles);
	for (size_t row = 0; table && row < document->nr_rows; row++) {
		km_table_cell(table, document->rows[row].what);
		km_table_cell(table, document->rows[row].placement);
		for (unsigned i = 0; i < KM_COMPARE_NR_COLUMNS; i++) {
			const struct km_bench_figure *value = &document->rows[row].values[i];

			number_cell(table, i, value->median);
			if (!columns[i].interval)
				continue;
			number_cell(table, i, value->low);
			number_cell(table, i, value->high);
		}
	}
	km_table_print(table, stdout, document->asked->format);
	km_table_free(table);
}

/* ---- what stands below ---- */

static void print_host(const struct km_compare_document *document)
{
	printf("\nTimed on this machine, %u rounds in turn, medians and their 95 %% intervals:\n"
	       "alloc+free: host time of the model's calls. touch: a load that waits for the one "
	       "before, of the\nobject's touches by %s; areas lie in 4 KiB pages. same bytes in "
	       "2M: "
	       "the same lines in the same order\nthrough a direct map of 2 MiB pages; what is "
	       "more "
	       "is translation. Beside it the model's, by the costs of\nstreams: of loads that "
	       "overlap, the least it takes, and of loads that wait for one another, the most.\n",
	       document->asked->rounds,
	       document->asked->access.names[document->asked->access.which]);
	if (document->coverage < 1)
		printf("touches are of the first %.1f %% of the trace's operations\n",
		       100 * document->coverage);
	for (unsigned map = 0; map < KM_TLB_MAPS; map++) {
		if (document->why[map][0])
			printf("%s direct map: not timed: %s\n", km_tlb_map_name(map),
			       document->why[map]);
		else if (document->gives[map][0])
			printf("%s direct map: %s\n", km_tlb_map_name(map), document->gives[map]);
	}
	if (document->splinters[0])
		printf("%s\n", document->splinters);
}

static void print_tables(const struct km_compare_document *document)
{
	const struct km_tlb_comparison *asked = document->asked;
	const struct km_tlb_choice *tlb = document->tlb;

	print_part(document, false);
	printf("\nTLB model, access %s: %s%s%s\n", asked->access.names[asked->access.which],
	       tlb->text, tlb->calibrated ? "" : "; not calibrated: ", tlb->why);
	if (document->trace_coverage < 1)
		printf("coverage %.2f %% of the trace's events: the others were lost, or never "
		       "seen\n",
		       100 * document->trace_coverage);
	if (!isnan(km_tlb_overlapped_walk_cycles(tlb, &(struct km_tlb_counts){0})))
		printf("walk cycles: of a chain of loads through shuffled pages, the most walks "
		       "take; overlapped: of independent loads, page-table lines near, the least "
		       "('kmlab tlb show')\n");
	if (asked->by_site)
		printf("Shares of a call site are of its own objects, the direct map in 2 MiB "
		       "pages; pages and page tables are the machine's.\n");
	if (!asked->rounds)
		return;
	printf("\n");
	print_part(document, true);
	print_host(document);
}

void km_compare_print(const struct km_compare_document *document)
{
	if (document->asked->format == KM_FORMAT_JSON)
		print_json(document);
	else if (document->asked->format == KM_FORMAT_TABLE)
		print_tables(document);
	else
		print_rows(document);
}
