/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The timed touch replay in result files and documents. Metrics are named touch.MAP.WHAT
 * ("touch.2M.ns", with ns_low and ns_high its interval) and touch.class.MAP.CLASS.WHAT; notes say
 * the access model, the rounds, and which pages the host gave.
 */
#include <math.h>

#include "replay/store_run.h"

static const struct km_touch_figures *figures_of(const struct km_run *run, unsigned map,
						 unsigned subset)
{
	const struct km_touch_figures *figures;

	if (!run->touches || run->touch_placement >= KM_PLACEMENTS)
		return NULL;
	figures = &run->touches->figures[run->touch_placement][map][subset];
	return figures->touches ? figures : NULL;
}

/* ---- result file ---- */

struct storing {
	struct km_result *result;
	int64_t id;
	struct km_err *err;
	int code;
};

static void put(struct storing *to, const char *prefix, const char *what, const char *unit,
		double value)
{
	char name[96];

	if (to->code || isnan(value))
		return;
	snprintf(name, sizeof(name), "%s.%s", prefix, what);
	to->code = km_result_metric(to->result, to->id, name, unit, value, true, to->err);
}

static void put_interval(struct storing *to, const char *prefix, const char *what,
			 const struct km_bench_figure *figure)
{
	char name[48];

	put(to, prefix, what, "ns", figure->median);
	snprintf(name, sizeof(name), "%s_low", what);
	put(to, prefix, name, "ns", figure->low);
	snprintf(name, sizeof(name), "%s_high", what);
	put(to, prefix, name, "ns", figure->high);
}

static void put_figures(struct storing *to, const char *prefix,
			const struct km_touch_figures *figures)
{
	if (!figures)
		return;
	put(to, prefix, "touches", "touches", (double)figures->touches);
	put_interval(to, prefix, "ns", &figures->ns);
	put_interval(to, prefix, "flat_ns", &figures->flat_ns);
	put_interval(to, prefix, "translation_ns", &figures->translation_ns);
	put(to, prefix, "predicted_ns", "ns", figures->predicted_ns[KM_TLB_DEPENDENT]);
	put(to, prefix, "predicted_overlapped_ns", "ns", figures->predicted_ns[KM_TLB_OVERLAPPED]);
}

static void put_note(struct storing *to, const char *name, const char *text)
{
	if (!to->code && text[0])
		to->code = km_result_note(to->result, to->id, name, text, to->err);
}

int km_store_touch(struct km_result *result, int64_t id, const struct km_run *run,
		   struct km_err *err)
{
	struct storing to = {result, id, err, 0};
	char name[64];

	if (!run->touches) {
		put_note(&to, "touch.why", run->touch_why);
		return to.code;
	}
	if (run->touch_placement >= KM_PLACEMENTS) {
		put_note(&to, "touch.why", "the model places nothing that can be touched");
		return to.code;
	}
	if (!to.code)
		to.code = km_result_metric(result, id, "touch.coverage", "share",
					   run->touches->coverage, false, err);
	put_note(&to, "touch.access", run->access->names[run->access->which]);
	for (unsigned map = 0; map < KM_TLB_MAPS; map++) {
		snprintf(name, sizeof(name), "touch.%s", km_tlb_map_name(map));
		put_figures(&to, name, figures_of(run, map, 0));
		snprintf(name, sizeof(name), "touch.%s.memory", km_tlb_map_name(map));
		put_note(&to, name,
			 run->touches->why[map][0] ? run->touches->why[map]
						   : run->touches->gives[map]);
		for (unsigned class = 0; class < KM_SIZE_CLASSES; class ++) {
			snprintf(name, sizeof(name), "touch.class.%s.%s", km_tlb_map_name(map),
				 km_size_class_names[class]);
			put_figures(&to, name, figures_of(run, map, 1 + class));
		}
	}
	return to.code;
}

/* ---- JSON ---- */

static void emit_interval(struct km_json *json, const char *key,
			  const struct km_bench_figure *figure)
{
	km_json_object(json, key);
	km_json_f64(json, "median", figure->median);
	km_json_f64(json, "low", figure->low);
	km_json_f64(json, "high", figure->high);
	km_json_close(json);
}

static void emit_map(struct km_json *json, const struct km_run *run, unsigned map)
{
	const struct km_touch_figures *figures = figures_of(run, map, 0);
	const char *why = run->touches->why[map];

	if (!figures && !why[0])
		return;
	km_json_object(json, NULL);
	km_json_str(json, "direct_map", km_tlb_map_name(map));
	if (figures) {
		km_json_u64(json, "touches", figures->touches);
		emit_interval(json, "ns", &figures->ns);
		emit_interval(json, "flat_ns", &figures->flat_ns);
		emit_interval(json, "translation_ns", &figures->translation_ns);
		km_json_f64(json, "predicted_ns", figures->predicted_ns[KM_TLB_DEPENDENT]);
		km_json_f64(json, "predicted_overlapped_ns",
			    figures->predicted_ns[KM_TLB_OVERLAPPED]);
	}
	km_json_str(json, "memory", why[0] ? why : run->touches->gives[map]);
	km_json_close(json);
}

void km_emit_touch(struct km_json *json, const struct km_run *run)
{
	if (!run->touches || run->touch_placement >= KM_PLACEMENTS) {
		km_json_null(json, "touch");
		return;
	}
	km_json_object(json, "touch");
	km_json_str(json, "access", run->access->names[run->access->which]);
	km_json_f64(json, "coverage", run->touches->coverage);
	km_json_array(json, "maps");
	for (unsigned map = 0; map < KM_TLB_MAPS; map++)
		emit_map(json, run, map);
	km_json_close(json);
	km_json_close(json);
}
