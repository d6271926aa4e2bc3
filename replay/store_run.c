/* SPDX-License-Identifier: GPL-2.0-only */
/* One list of metrics serves the result file and the JSON document. */
#include "replay/store_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct metric {
	const char *name, *unit;
	double value; /* NAN: not measured, not stored */
	bool timing;
};

#define MAX_METRICS 64

static void add(struct metric *metrics, unsigned *n, const char *name, const char *unit,
		double value, bool timing)
{
	metrics[(*n)++] = (struct metric){name, unit, value, timing};
}

static double ops_per_second(const struct km_measures *measures)
{
	return measures->wall_ns ? (double)measures->ops * 1e9 / (double)measures->wall_ns : NAN;
}

static unsigned list_timing(const struct km_measures *measures, struct metric *metrics)
{
	const struct km_latency *latency = measures->latency;
	unsigned n = 0;

	if (!latency)
		return 0;
	add(metrics, &n, "wall_ns", "ns", (double)measures->wall_ns, true);
	add(metrics, &n, "ops_per_s", "1/s", ops_per_second(measures), true);
	add(metrics, &n, "timer_cost_ns", "ns", latency->timer_cost_ns, true);
#define QUANTILES(side)                                                                            \
	add(metrics, &n, "latency_ns." #side ".p50", "ns",                                         \
	    (double)km_hist_quantile(&latency->side, 0.5), true);                                  \
	add(metrics, &n, "latency_ns." #side ".p90", "ns",                                         \
	    (double)km_hist_quantile(&latency->side, 0.9), true);                                  \
	add(metrics, &n, "latency_ns." #side ".p99", "ns",                                         \
	    (double)km_hist_quantile(&latency->side, 0.99), true);                                 \
	add(metrics, &n, "latency_ns." #side ".p999", "ns",                                        \
	    (double)km_hist_quantile(&latency->side, 0.999), true);                                \
	add(metrics, &n, "latency_ns." #side ".max", "ns", (double)latency->side.max, true)
	if (latency->alloc.total) {
		QUANTILES(alloc);
	}
	if (latency->free.total) {
		QUANTILES(free);
	}
#undef QUANTILES
	return n;
}

static unsigned list_metrics(const struct km_measures *measures, struct metric *metrics)
{
	unsigned n = list_timing(measures, metrics);

	add(metrics, &n, "ops", "operations", (double)measures->ops, false);
	add(metrics, &n, "failed", "operations", (double)measures->failed, false);
	add(metrics, &n, "pages.peak", "pages", measures->pages_peak, false);
	add(metrics, &n, "pages.mean", "pages", measures->pages_mean, false);
	add(metrics, &n, "pages.end", "pages", measures->pages_end, false);
	add(metrics, &n, "fragmentation.internal_event", "share", measures->internal_event, false);
	add(metrics, &n, "fragmentation.internal_time", "share", measures->internal_time, false);
	add(metrics, &n, "fragmentation.slab_utilisation", "share", measures->utilisation, false);
	add(metrics, &n, "fragmentation.unusable_order9", "share", measures->unusable, false);
	add(metrics, &n, "fragmentation.unmovable_2m_share", "share", measures->unmovable, false);
	add(metrics, &n, "fragmentation.mixed_2m_share", "share", measures->mixed, false);
	add(metrics, &n, "fragmentation.free_2m_of_optimal", "share", measures->huge_free, false);
	add(metrics, &n, "page_table_bytes.peak", "bytes", measures->page_table_peak, false);
	add(metrics, &n, "tlb_entries_4k.peak", "entries", measures->tlb_4k_peak, false);
	add(metrics, &n, "tlb_entries_2m.peak", "entries", measures->tlb_2m_peak, false);
	add(metrics, &n, "coverage", "share", measures->coverage, false);
	return n;
}

/* ---- JSON ---- */

static void emit_quantiles(struct km_json *json, const char *key, const struct km_hist *hist)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
	bool measured = hist && hist->total;

	km_json_object(json, key);
	for (unsigned i = 0; i < 4; i++)
		km_json_f64(json, quantiles[i].name,
			    measured ? (double)km_hist_quantile(hist, quantiles[i].q) : NAN);
	km_json_f64(json, "max", measured ? (double)hist->max : NAN);
	km_json_close(json);
}

static void emit_fragmentation(struct km_json *json, const struct km_measures *measures)
{
	km_json_object(json, "fragmentation");
	km_json_f64(json, "internal_event", measures->internal_event);
	km_json_f64(json, "internal_time", measures->internal_time);
	km_json_f64(json, "slab_utilisation", measures->utilisation);
	km_json_f64(json, "unusable_order9", measures->unusable);
	km_json_f64(json, "unmovable_2m_share", measures->unmovable);
	km_json_f64(json, "mixed_2m_share", measures->mixed);
	km_json_f64(json, "free_2m_of_optimal", measures->huge_free);
	km_json_close(json);
}

/* The policy of a run on a model; NULL for what the kernel itself did. */
static const char *reclaim_of(const struct km_run *run, char text[24])
{
	return run->choice->model
		       ? km_profile_text("reclaim", run->choice->profile->reclaim, text, false)
		       : NULL;
}

void km_emit_run(struct km_json *json, const struct km_run *run)
{
	const struct km_measures *measures = run->measures;
	const struct km_latency *latency = measures->latency;

	km_json_object(json, NULL);
	km_json_str(json, "model", run->choice->text);
	km_json_raw(json, "params", run->params);
	km_json_u64(json, "seed", run->seed);
	km_json_u64(json, "rep", run->rep);
	km_json_u64(json, "ops", measures->ops);
	km_json_u64(json, "failed", measures->failed);
	km_json_f64(json, "wall_ns", latency ? (double)measures->wall_ns : NAN);
	km_json_f64(json, "ops_per_s", latency ? ops_per_second(measures) : NAN);
	km_json_object(json, "pages");
	km_json_f64(json, "peak", measures->pages_peak);
	km_json_f64(json, "mean", measures->pages_mean);
	km_json_f64(json, "end", measures->pages_end);
	km_json_close(json);
	km_json_object(json, "latency_ns");
	emit_quantiles(json, "alloc", latency ? &latency->alloc : NULL);
	emit_quantiles(json, "free", latency ? &latency->free : NULL);
	km_json_f64(json, "timer_cost", latency ? latency->timer_cost_ns : NAN);
	km_json_str(json, "not_measured", latency ? NULL : measures->why_no_latency);
	km_json_close(json);
	km_json_object(json, "paths");
	for (unsigned i = 0; i < KM_NR_COUNTERS; i++)
		if (km_counter_value(&measures->paths, i))
			km_json_u64(json, km_counter_name(i),
				    km_counter_value(&measures->paths, i));
	km_json_close(json);
	emit_fragmentation(json, measures);
	km_emit_tlb(json, run);
	km_emit_touch(json, run);
	km_json_f64(json, "coverage", measures->coverage);
	km_json_close(json);
}

/* ---- result file ---- */

static int store_latency(struct km_result *result, int64_t id, const struct km_latency *latency,
			 struct km_err *err)
{
	const struct {
		const char *name;
		const struct km_hist *hist;
	} hists[] = {
		{"latency_ns.alloc", &latency->alloc},
		{"latency_ns.free", &latency->free},
		{"latency_ns.page_alloc", &latency->page_alloc},
		{"latency_ns.page_free", &latency->page_free},
		{"latency_ns.vmap_alloc", &latency->vmap_alloc},
		{"latency_ns.vmap_free", &latency->vmap_free},
	};
	char name[64];
	int code = 0;

	for (unsigned i = 0; i < sizeof(hists) / sizeof(hists[0]) && !code; i++)
		if (hists[i].hist->total)
			code = km_result_hist(result, id, hists[i].name, "ns", hists[i].hist, err);
	for (unsigned i = 0; i < KM_SIZE_CLASSES && !code; i++) {
		snprintf(name, sizeof(name), "latency_ns.alloc.%s", km_size_class_names[i]);
		if (latency->alloc_by_size[i].total)
			code = km_result_hist(result, id, name, "ns", &latency->alloc_by_size[i],
					      err);
	}
	return code;
}

static int store_series(struct km_result *result, int64_t id, const struct km_series *series,
			struct km_err *err)
{
	int code = 0;

#define X(field, name, unit, what)                                                                 \
	if (!code)                                                                                 \
		code = km_result_series(result, id, name, unit, series->n, series->time_ns,        \
					series->field, err);
	KM_SERIES(X)
#undef X
	return code;
}

static int store_notes(struct km_result *result, int64_t id, const struct km_run *run,
		       struct km_err *err)
{
	const struct km_measures *measures = run->measures;
	const struct km_host *host = km_host_describe();
	char text[24], workers[16];
	const char *reclaim = reclaim_of(run, text);
	const struct {
		const char *name, *text;
	} notes[] = {
		{"host.name", measures->latency ? host->name : ""},
		{"host.cpu", measures->latency ? host->cpu : ""},
		{"host.kernel", measures->latency ? host->kernel : ""},
		{"workers", measures->latency ? workers : ""},
		{"reclaim", reclaim ? reclaim : ""},
		{"method", measures->method},
		{"start_state", measures->start_state},
		{"latency_ns.why", measures->why_no_latency},
		{"timer", measures->latency ? measures->latency->method : ""},
		{"pages.why", !measures->places_objects ? "the model places nothing"
			      : measures->has_objects   ? ""
							: "the trace holds no slab events"},
		{"fragmentation.slab_utilisation.why",
		 measures->fills_slabs || !measures->places_objects
			 ? ""
			 : "the model puts no object in a slab"},
		{"fragmentation.unusable_order9.why",
		 isnan(measures->unusable) && measures->places_objects
			 ? "the model keeps no free lists"
			 : ""},
	};
	int code = 0;

	snprintf(workers, sizeof(workers), "%u", run->workers);
	for (unsigned i = 0; i < sizeof(notes) / sizeof(notes[0]) && !code; i++)
		if (notes[i].text[0])
			code = km_result_note(result, id, notes[i].name, notes[i].text, err);
	return code;
}

static int store_all(struct km_result *result, int64_t trace, const struct km_run *run,
		     struct km_err *err)
{
	const struct km_run_key key = {trace, run->choice->text, run->params, run->seed, run->rep};
	const struct km_measures *measures = run->measures;
	struct metric metrics[MAX_METRICS];
	unsigned n = list_metrics(measures, metrics);
	int64_t id;
	int code = km_result_add_run(result, &key, &id, err);

	for (unsigned i = 0; i < n && !code; i++)
		if (!isnan(metrics[i].value))
			code = km_result_metric(result, id, metrics[i].name, metrics[i].unit,
						metrics[i].value, metrics[i].timing, err);
	if (!code)
		code = store_notes(result, id, run, err);
	if (!code)
		code = km_store_tlb(result, id, run, err);
	if (!code)
		code = km_store_touch(result, id, run, err);
	if (!code && measures->latency)
		code = store_latency(result, id, measures->latency, err);
	if (!code)
		code = store_series(result, id, &measures->series, err);
	for (unsigned i = 0; i < KM_NR_COUNTERS && !code; i++)
		if (km_counter_value(&measures->paths, i))
			code = km_result_path(result, id, km_counter_name(i),
					      km_counter_value(&measures->paths, i), err);
	return code;
}

int km_store_run(struct km_result *result, int64_t trace, const struct km_run *run,
		 struct km_err *err)
{
	int code = km_result_begin(result, err);

	if (code)
		return code;
	code = store_all(result, trace, run, err);
	if (!code)
		code = km_result_commit(result, err);
	if (code)
		km_result_rollback(result);
	return code;
}

/* ---- the trace ---- */

struct facts {
	struct km_result *result;
	int64_t trace;
	int code;
	struct km_err *err;
};

static void fact(struct facts *facts, const char *key, const char *value)
{
	if (!facts->code && value)
		facts->code =
			km_result_trace_fact(facts->result, facts->trace, key, value, facts->err);
}

static void fact_u64(struct facts *facts, const char *key, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	fact(facts, key, text);
}

static void store_ledger(struct facts *facts, struct km_trace *trace)
{
	struct km_trace_counts counts;
	uint64_t fired = 0, lost = 0;
	char key[32];

	if (km_trace_counts(trace, &counts))
		return;
	for (unsigned i = 0; i < KM_NR_EVENT_KINDS; i++)
		fired += counts.fired[i];
	for (unsigned i = 0; i < KM_NR_LOSS_CAUSES; i++) {
		lost += counts.lost[i];
		snprintf(key, sizeof(key), "lost_%s", km_loss_cause_names[i]);
		fact_u64(facts, key, counts.lost[i]);
	}
	fact_u64(facts, "events_total", km_trace_events(trace));
	fact_u64(facts, "lost_total", lost);
	if (!km_trace_complete(trace))
		return; /* never measured */
	fact_u64(facts, "fired", fired);
#define X(reason, meaning) fact_u64(facts, "filtered_" #reason, counts.filtered_##reason);
	KM_FILTER_REASONS(X)
#undef X
}

static void store_decisions(struct facts *facts, const struct km_program *program)
{
	const struct km_compile_counts *compiled = &program->counts;
	const struct km_repair_counts *repair = &program->repair;
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
		{"repair_implied_frees", repair->implied_frees},
		{"repair_cross_api_frees", repair->cross_api_frees},
		{"repair_preexisting_frees", repair->preexisting_frees},
		{"repair_double_large", repair->double_large},
		{"repair_open", repair->open},
		{"replayed_events", compiled->replayed},
		{"dropped_events", compiled->dropped},
		{"backing_events", compiled->backing},
		{"internal_events", compiled->internal},
		{"preexisting_events", compiled->preexisting},
		{"operations", program->nr_ops},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fact_u64(facts, rows[i].key, rows[i].value);
}

static void store_score(struct facts *facts, const char *name, const struct km_score *score)
{
	char key[64];

	snprintf(key, sizeof(key), "fidelity_%s_checked", name);
	fact_u64(facts, key, score->checked);
	snprintf(key, sizeof(key), "fidelity_%s_matched", name);
	fact_u64(facts, key, score->matched);
}

static void store_hists(struct facts *facts, const struct km_program *program)
{
	const struct {
		const char *name, *unit;
		const struct km_hist *hist;
	} hists[] = {
		{"size_req", "bytes", &program->size_req},
		{"size_alloc", "bytes", &program->size_alloc},
		{"lifetime_ns", "ns", &program->lifetime_ns},
		{"lifetime_page_ns", "ns", &program->lifetime_page_ns},
	};

	for (unsigned i = 0; i < sizeof(hists) / sizeof(hists[0]) && !facts->code; i++)
		if (hists[i].hist->total)
			facts->code =
				km_result_trace_hist(facts->result, facts->trace, hists[i].name,
						     hists[i].unit, hists[i].hist, facts->err);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int km_store_trace(struct km_result *result, struct km_trace *trace,
		   const struct km_program *program, const struct km_fidelity *fidelity,
		   const char *command, int64_t *id, struct km_err *err)
{
	static const char *const copied[] = {"kernel",       "kernel_version", "machine", "cpus",
					     "memory_bytes", "command",        "started", "profile",
					     "start",        "version"};
	struct facts facts = {.result = result, .err = err};
	const char *uuid = km_trace_meta(trace, "uuid");
	char coverage[32];

	facts.code = km_result_begin(result, err);
	if (facts.code)
		return facts.code;
	facts.code = km_result_add_trace(result, uuid ? uuid : km_trace_path(trace),
					 base_name(km_trace_path(trace)), &facts.trace, err);
	for (unsigned i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		fact(&facts, copied[i], km_trace_meta(trace, copied[i]));
	fact(&facts, "sample", base_name(km_trace_path(trace)));
	fact(&facts, "replay_command", command);
	fact_u64(&facts, "duration_ns", program->duration_ns);
	snprintf(coverage, sizeof(coverage), "%.6f", km_coverage(trace, program));
	fact(&facts, "coverage", coverage);
	store_ledger(&facts, trace);
	store_decisions(&facts, program);
	store_score(&facts, "bytes_alloc", &fidelity->bytes_alloc);
	store_score(&facts, "geometry", &fidelity->geometry);
	store_score(&facts, "slab_choice", &fidelity->slab_choice);
	store_score(&facts, "switches", &fidelity->switches);
	store_score(&facts, "slab_choice_sheaves", &fidelity->slab_choice_sheaves);
	store_hists(&facts, program);
	if (!facts.code)
		facts.code = km_result_commit(result, err);
	if (facts.code)
		km_result_rollback(result);
	else
		*id = facts.trace;
	return facts.code;
}
