/* SPDX-License-Identifier: GPL-2.0-only */
/* What `kmlab replay` prints: every run as JSON, or one line per model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/session.h"
#include "results/sorted.h"

static void emit_json(const struct km_session *session)
{
	const struct km_replay_options *options = &session->options;
	struct km_json json;
	char text[24];

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_str(&json, "trace", options->trace);
	km_json_str(&json, "kernel", km_trace_meta(session->workload.trace, "kernel"));
	km_json_str(&json, "profile", session->workload.start.profile->name);
	km_json_str(&json, "start_state", session->workload.start.describe);
	km_json_str(&json, "reclaim",
		    km_profile_text("reclaim", session->profiles[0].reclaim, text, false));
	km_json_array(&json, "runs");
	for (unsigned i = 0; i < session->nr_done; i++) {
		struct km_run run;

		km_session_describe_run(session, i, &run);
		km_emit_run(&json, &run);
	}
	km_json_close(&json);
	km_json_end(&json);
}

/* ---- one line per model: medians over the repetitions ---- */

typedef double (*figure)(const struct km_measures *measures);

static double alloc_p50(const struct km_measures *measures)
{
	return measures->latency && measures->latency->alloc.total
		       ? (double)km_hist_quantile(&measures->latency->alloc, 0.5)
		       : NAN;
}

static double alloc_p99(const struct km_measures *measures)
{
	return measures->latency && measures->latency->alloc.total
		       ? (double)km_hist_quantile(&measures->latency->alloc, 0.99)
		       : NAN;
}

static double free_p50(const struct km_measures *measures)
{
	return measures->latency && measures->latency->free.total
		       ? (double)km_hist_quantile(&measures->latency->free, 0.5)
		       : NAN;
}

static double mega_ops_per_s(const struct km_measures *measures)
{
	return measures->latency && measures->wall_ns
		       ? (double)measures->ops * 1e3 / (double)measures->wall_ns
		       : NAN;
}

static double pages_peak(const struct km_measures *measures)
{
	return measures->places_objects ? measures->pages_peak : NAN;
}

static double internal_time(const struct km_measures *measures)
{
	return measures->internal_time * 100;
}

static double unusable(const struct km_measures *measures)
{
	return measures->unusable * 100;
}

static double utilisation(const struct km_measures *measures)
{
	return measures->utilisation * 100;
}

static double median(const struct km_session *session, unsigned choice, figure of)
{
	double values[KM_MAX_REPS];
	size_t n = 0;

	for (unsigned i = choice; i < session->nr_done; i += session->options.nr_choices) {
		double value = of(session->measures[i]);

		if (!isnan(value))
			values[n++] = value;
	}
	if (!n)
		return NAN;
	return km_median(values, n);
}

static const struct {
	const char *title, *format;
	figure of;
} columns[] = {
	{"alloc p50 ns>", "%.0f", alloc_p50}, {"alloc p99 ns>", "%.0f", alloc_p99},
	{"free p50 ns>", "%.0f", free_p50},   {"Mops/s>", "%.1f", mega_ops_per_s},
	{"peak pages>", "%.0f", pages_peak},  {"internal %>", "%.2f", internal_time},
	{"unusable %>", "%.2f", unusable},    {"slab util %>", "%.1f", utilisation},
};

#define NR_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void print_table(const struct km_session *session)
{
	const char *titles[NR_COLUMNS + 1] = {"model"};
	struct km_table *table;

	for (size_t i = 0; i < NR_COLUMNS; i++)
		titles[i + 1] = columns[i].title;
	table = km_table_new(NR_COLUMNS + 1, titles);
	if (!table)
		return;
	for (unsigned choice = 0; choice < session->options.nr_choices; choice++) {
		km_table_cell(table, session->options.choices[choice].text);
		for (size_t i = 0; i < NR_COLUMNS; i++) {
			double value = median(session, choice, columns[i].of);

			if (isnan(value))
				km_table_cell(table, "-");
			else
				km_table_cellf(table, columns[i].format, value);
		}
	}
	km_table_print(table, stdout, session->options.format);
	km_table_free(table);
}

static void print_footer(const struct km_session *session)
{
	const struct km_fidelity *fidelity = &session->workload.fidelity;
	char bytes[16], geometry[16], choice[16], sheaves[16];

	printf("\nfidelity of slub@%s to the traced kernel: bytes_alloc %s, geometry %s, "
	       "slab choice %s (caches with sheaves, apart: %s)\n",
	       session->workload.start.profile->name, km_score_text(&fidelity->bytes_alloc, bytes),
	       km_score_text(&fidelity->geometry, geometry),
	       km_score_text(&fidelity->slab_choice, choice),
	       km_score_text(&fidelity->slab_choice_sheaves, sheaves));
	printf("coverage %.2f %%: of the events recorded or lost, all but losses and %llu frees of "
	       "objects older than the trace\n",
	       km_coverage(session->workload.trace, session->workload.program) * 100,
	       (unsigned long long)session->workload.program->counts.preexisting);
	printf("%u rep%s, timer cost %.0f ns included in each latency; '-' = not measured\n",
	       session->options.reps, session->options.reps == 1 ? "" : "s",
	       (double)session->timer.cost_ticks * session->timer.ns_per_tick);
}

void km_session_print(const struct km_session *session)
{
	if (session->options.format == KM_FORMAT_JSON) {
		emit_json(session);
		return;
	}
	print_table(session);
	if (session->options.format == KM_FORMAT_TABLE)
		print_footer(session);
}
