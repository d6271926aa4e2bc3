/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLB numbers in result files and documents. Metrics are named tlb.ACCESS.MAP.WHAT ("tlb.A0.1G.
 * l2_miss_per_kref"), tlb.ws.MAP.WINDOW, tlb.mrc.MAP.ENTRIES and tlb.class.MAP.CLASS.WHAT; notes
 * say the source, the TLB, and whether it is calibrated.
 */
#include <math.h>
#include <string.h>

#include "replay/store_run.h"

static double walk_cycles(const struct km_run *run, const struct km_tlb_counts *counts)
{
	return counts->refs ? (double)km_tlb_walk_cycles(&run->tlb_choice->spec, counts) * 1000 /
				      (double)counts->refs
			    : NAN;
}

static double overlapped_walk_cycles(const struct km_run *run, const struct km_tlb_counts *counts)
{
	return counts->refs ? km_tlb_overlapped_walk_cycles(run->tlb_choice, counts) * 1000 /
				      (double)counts->refs
			    : NAN;
}

static bool simulated(const struct km_run *run)
{
	return !run->pmu && run->tlb && !run->tlb->why[0];
}

static const char *why_not(const struct km_run *run)
{
	return run->pmu ? run->pmu->why : run->tlb ? run->tlb->why : run->tlb_why;
}

/* ---- result file ---- */

struct storing {
	struct km_result *result;
	int64_t id;
	struct km_err *err;
	int code;
};

static void put(struct storing *to, const char *unit, double value, const char *format, ...)
{
	char name[80];
	va_list args;

	if (to->code || isnan(value))
		return;
	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	to->code = km_result_metric(to->result, to->id, name, unit, value, false, to->err);
}

static void put_note(struct storing *to, const char *name, const char *text)
{
	if (!to->code && text[0])
		to->code = km_result_note(to->result, to->id, name, text, to->err);
}

static void put_counts(struct storing *to, const struct km_run *run,
		       const struct km_tlb_counts *counts, const char *prefix)
{
	put(to, "references", (double)counts->refs, "%s.refs", prefix);
	put(to, "1/1000 references", km_tlb_per_kref(counts->l1_misses, counts),
	    "%s.l1_miss_per_kref", prefix);
	put(to, "1/1000 references", km_tlb_per_kref(counts->l2_misses, counts),
	    "%s.l2_miss_per_kref", prefix);
	put(to, "cycles/1000 references", walk_cycles(run, counts), "%s.walk_cycles_per_kref",
	    prefix);
	put(to, "cycles/1000 references", overlapped_walk_cycles(run, counts),
	    "%s.overlapped_walk_cycles_per_kref", prefix);
}

static void put_model(struct storing *to, const struct km_run *run)
{
	const struct km_tlb_measures *tlb = run->tlb;
	char prefix[64];

	for (unsigned map = 0; map < tlb->nr_maps; map++) {
		for (unsigned access = 0; access < KM_ACCESSES; access++) {
			snprintf(prefix, sizeof(prefix), "tlb.%s.%s", run->access->names[access],
				 km_tlb_map_name(map));
			put_counts(to, run, &tlb->lanes[access][map], prefix);
		}
		for (unsigned i = 0; i < KM_TLB_WINDOWS; i++)
			put(to, "pages", tlb->working_set[map][i], "tlb.ws.%s.%u",
			    km_tlb_map_name(map), km_tlb_windows[i]);
		for (unsigned i = 0; i < KM_TLB_CAPACITIES; i++)
			put(to, "share", tlb->miss_ratio[map][i], "tlb.mrc.%s.%u",
			    km_tlb_map_name(map), km_tlb_capacities[i]);
		for (unsigned i = 0; i < KM_SIZE_CLASSES; i++) {
			const struct km_tlb_share *share = &tlb->classes[i][map];

			snprintf(prefix, sizeof(prefix), "tlb.class.%s.%s", km_tlb_map_name(map),
				 km_size_class_names[i]);
			if (share->counts.refs)
				put_counts(to, run, &share->counts, prefix);
		}
	}
	put_note(to, "tlb.source", "model");
	for (unsigned i = 0; i < KM_ACCESS_BANDS; i++) {
		snprintf(prefix, sizeof(prefix), "tlb.band.%u", i);
		put_note(to, prefix, run->access->names[2 + i]);
	}
	put_note(to, "tlb.name", run->tlb_choice->text);
	put_note(to, "tlb.calibrated", run->tlb_choice->calibrated ? "yes" : "no");
	put_note(to, "tlb.why", run->tlb_choice->why);
}

static void put_pmu(struct storing *to, const struct km_pmu_reading *pmu)
{
	double kilo = pmu->loads / 1000;

	put_note(to, "tlb.source", pmu->source);
	put_note(to, "tlb.why", pmu->why);
	put(to, "1/1000 loads", pmu->l1_misses / kilo, "tlb.pmu.l1_miss_per_kref");
	put(to, "1/1000 loads", pmu->l2_misses / kilo, "tlb.pmu.l2_miss_per_kref");
	put(to, "cycles/1000 loads", pmu->walk_cycles / kilo, "tlb.pmu.walk_cycles_per_kref");
	if (pmu->multiplexed)
		put_note(to, "tlb.multiplexed", "counters shared the hardware: values are scaled");
}

int km_store_tlb(struct km_result *result, int64_t id, const struct km_run *run, struct km_err *err)
{
	struct storing to = {result, id, err, 0};

	if (run->pmu) {
		put_pmu(&to, run->pmu);
	} else if (simulated(run)) {
		put_model(&to, run);
	} else {
		put_note(&to, "tlb.source", "unavailable");
		put_note(&to, "tlb.why", why_not(run));
	}
	return to.code;
}

/* ---- JSON ---- */

static void emit_counts(struct km_json *json, const struct km_run *run,
			const struct km_tlb_counts *counts)
{
	km_json_f64(json, "l1_miss_per_kref", km_tlb_per_kref(counts->l1_misses, counts));
	km_json_f64(json, "l2_miss_per_kref", km_tlb_per_kref(counts->l2_misses, counts));
	km_json_f64(json, "walk_cycles_per_kref", walk_cycles(run, counts));
	km_json_f64(json, "overlapped_walk_cycles_per_kref", overlapped_walk_cycles(run, counts));
	km_json_u64(json, "refs", counts->refs);
}

static void emit_lanes(struct km_json *json, const struct km_run *run)
{
	km_json_array(json, "lanes");
	for (unsigned i = 0; i < KM_ACCESSES * run->tlb->nr_maps; i++) {
		unsigned access = i / run->tlb->nr_maps, map = i % run->tlb->nr_maps;

		km_json_object(json, NULL);
		km_json_str(json, "access", run->access->names[access]);
		km_json_str(json, "direct_map", km_tlb_map_name(map));
		emit_counts(json, run, &run->tlb->lanes[access][map]);
		km_json_close(json);
	}
	km_json_close(json);
}

static void emit_model(struct km_json *json, const struct km_run *run)
{
	const struct km_tlb_choice *choice = run->tlb_choice;

	km_json_str(json, "source", "model");
	emit_counts(json, run, &run->tlb->lanes[run->access->which][run->tlb_map]);
	km_json_bool(json, "calibrated", choice->calibrated);
	km_json_str(json, "why", choice->why[0] ? choice->why : NULL);
	km_json_str(json, "tlb", choice->text);
	km_json_str(json, "access", run->access->names[run->access->which]);
	km_json_str(json, "direct_map", km_tlb_map_name(run->tlb_map));
	km_json_object(json, "working_set");
	for (unsigned i = 0; i < KM_TLB_WINDOWS; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%u", km_tlb_windows[i]);
		km_json_f64(json, key, run->tlb->working_set[run->tlb_map][i]);
	}
	km_json_close(json);
	emit_lanes(json, run);
}

void km_emit_tlb(struct km_json *json, const struct km_run *run)
{
	const struct km_pmu_reading *pmu = run->pmu;
	bool counted = pmu && !strcmp(pmu->source, "pmu");

	km_json_object(json, "tlb");
	if (simulated(run)) {
		emit_model(json, run);
	} else {
		const char *why = why_not(run);

		km_json_str(json, "source", counted ? "pmu" : "unavailable");
		km_json_f64(json, "l1_miss_per_kref",
			    counted ? pmu->l1_misses * 1000 / pmu->loads : NAN);
		km_json_f64(json, "l2_miss_per_kref",
			    counted ? pmu->l2_misses * 1000 / pmu->loads : NAN);
		km_json_f64(json, "walk_cycles_per_kref",
			    counted ? pmu->walk_cycles * 1000 / pmu->loads : NAN);
		km_json_bool(json, "calibrated", false);
		km_json_str(json, "why", why[0] ? why : NULL);
		if (counted)
			km_json_bool(json, "multiplexed", pmu->multiplexed);
	}
	km_json_close(json);
}
