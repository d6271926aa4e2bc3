/* SPDX-License-Identifier: GPL-2.0-only */
/* What touching the same objects took on real memory, placed by kmalloc or by vmalloc. */
#include "figures.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const maps[] = {"1G", "2M", "4K", "split"};
#define NR_MAPS (sizeof(maps) / sizeof(maps[0]))
#define NR_ROWS 5

static double value_of(const struct km_figure_context *context, size_t index, unsigned map,
		       const char *what)
{
	char name[96];

	snprintf(name, sizeof(name), "touch.%s.%s", maps[map], what);
	return km_dataset_metric(context->dataset, &context->trace->machines[index], name).median;
}

static bool is_timed(const struct km_figure_context *context, size_t index)
{
	for (unsigned map = 0; map < NR_MAPS; map++)
		if (!isnan(value_of(context, index, map, "touches")))
			return true;
	return false;
}

/* "slub 2M"; areas lie in 4 KiB pages whatever the direct map is. */
static struct km_curve *map_curve(const struct km_figure_context *context, struct km_figure *figure,
				  size_t index, unsigned panel, unsigned map)
{
	const char *model = context->trace->machines[index].label;
	struct km_style style = context->styles[index];
	char label[96];

	style.dash = map + 1;
	if (!strncmp(model, "vmalloc", 7))
		snprintf(label, sizeof(label), "%s", model);
	else
		snprintf(label, sizeof(label), "%s %s", model, maps[map]);
	return km_figure_curve(figure, panel, style, label);
}

/* Access model and memory: said under every figure. */
static void stamp(const struct km_figure_context *context, struct km_figure *figure)
{
	for (size_t i = 0; i < context->trace->machine_count && !figure->stamp[0]; i++) {
		const struct km_machine_runs *machine = &context->trace->machines[i];
		const char *access = km_dataset_note(context->dataset, machine, "touch.access");
		double share;
		size_t used;

		if (!access)
			continue;
		used = (size_t)snprintf(figure->stamp, sizeof(figure->stamp),
					"timed on the machine of the replay · median and 95 %% "
					"interval · access %.24s · ",
					access);
		access = km_dataset_note(context->dataset, machine, "touch.2M.memory");
		used += (size_t)snprintf(figure->stamp + used, sizeof(figure->stamp) - used,
					 "%.120s", access ? access : "");
		share = km_dataset_metric(context->dataset, machine, "touch.coverage").median;
		if (share < 1)
			used += (size_t)snprintf(figure->stamp + used, sizeof(figure->stamp) - used,
						 " · the first %.0f %% of the trace", 100 * share);
		access = km_dataset_note(context->dataset, machine, "tlb.name");
		if (access && strstr(access, "4K at most"))
			snprintf(figure->stamp + used, sizeof(figure->stamp) - used,
				 " (split by the hypervisor)");
	}
}

/* Pages that the host does not have: the reason, once. */
static void note_missing_maps(const struct km_figure_context *context, struct km_figure *figure)
{
	for (unsigned map = 0; map < NR_MAPS; map++)
		for (size_t i = 0; i < context->trace->machine_count; i++) {
			size_t used = strlen(figure->missing);
			const char *why;
			char name[32];

			snprintf(name, sizeof(name), "touch.%s.memory", maps[map]);
			why = km_dataset_note(context->dataset, &context->trace->machines[i], name);
			if (!why || strncmp(why, "the host has no", 15))
				continue;
			snprintf(figure->missing + used, sizeof(figure->missing) - used,
				 "%s%s direct map (%s)", used ? "; " : "", maps[map], why);
			break;
		}
}

static void leave_out(const struct km_figure_context *context, struct km_figure *figure,
		      size_t index)
{
	for (unsigned panel = 0; panel < figure->panels; panel++)
		km_figure_leave_out(context, figure, panel, &context->trace->machines[index],
				    "touch");
}

static int add_bar(const struct km_figure_context *context, struct km_figure *figure, size_t index,
		   unsigned panel, unsigned map)
{
	static const char *const rows[2][NR_ROWS] = {{"ns", "ns_low", "ns_high", NULL},
						     {"translation_ns", "translation_ns_low",
						      "translation_ns_high", "predicted_ns",
						      "predicted_overlapped_ns"}};
	struct km_curve *curve = map_curve(context, figure, index, panel, map);
	int code = curve ? 0 : -ENOMEM;

	for (unsigned i = 0; i < NR_ROWS && !code && rows[panel][i]; i++)
		code = km_curve_point(curve, i + 1, value_of(context, index, map, rows[panel][i]));
	return code;
}

int km_build_touch(const struct km_figure_context *context, struct km_figure *figure,
		   struct km_err *err)
{
	static const char *const rows[NR_ROWS] = {"median", "interval from", "interval to",
						  "TLB model, dependent loads",
						  "TLB model, overlapped loads"};
	int code = 0;

	for (unsigned panel = 0; panel < 2; panel++)
		for (size_t i = 0; i < context->trace->machine_count && !code; i++) {
			for (unsigned map = 0; map < NR_MAPS && !code; map++)
				if (!isnan(value_of(context, i, map, "touches")))
					code = add_bar(context, figure, i, panel, map);
			if (!panel && !is_timed(context, i))
				leave_out(context, figure, i);
		}
	for (unsigned i = 0; i < NR_ROWS; i++)
		km_figure_row(figure, i + 1, "%s", rows[i]);
	stamp(context, figure);
	note_missing_maps(context, figure);
	return code ? km_figure_no_memory(err) : 0;
}

/* Touches of one size class: the median, and its 95 % interval. */
static int class_point(const struct km_figure_context *context, size_t index,
		       struct km_curve *curve, double x, const char *map, const char *class)
{
	static const char *const ends[] = {"", "_low", "_high"};
	double value[3];
	char name[96];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "touch.class.%s.%s.ns%s", map, class, ends[i]);
		value[i] =
			km_dataset_metric(context->dataset, &context->trace->machines[index], name)
				.median;
	}
	return km_curve_interval(curve, x, value[0], value[1], value[2]);
}

int km_build_touch_classes(const struct km_figure_context *context, struct km_figure *figure,
			   struct km_err *err)
{
	static const char *const classes[] = {"le64", "le256", "le1k", "le4k", "le16k", "gt16k"};
	static const char *const names[] = {"≤ 64 B",  "≤ 256 B",  "≤ 1 KiB",
					    "≤ 4 KiB", "≤ 16 KiB", "> 16 KiB"};
	int code = 0;

	for (size_t i = 0; i < context->trace->machine_count && !code; i++) {
		for (unsigned map = 0; map < NR_MAPS && !code; map++) {
			struct km_curve *curve;

			if (isnan(value_of(context, i, map, "touches")))
				continue;
			curve = map_curve(context, figure, i, 0, map);
			code = curve ? 0 : -ENOMEM;
			for (unsigned k = 0; k < 6 && !code; k++)
				code = class_point(context, i, curve, k + 1, maps[map], classes[k]);
		}
		if (!is_timed(context, i))
			leave_out(context, figure, i);
	}
	for (unsigned i = 0; i < 6; i++)
		km_figure_row(figure, i + 1, "%s", names[i]);
	stamp(context, figure);
	note_missing_maps(context, figure);
	return code ? km_figure_no_memory(err) : 0;
}
