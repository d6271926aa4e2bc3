/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the same objects do to a TLB, placed by kmalloc in a direct map of 1 GiB, 2 MiB or 4 KiB
 * pages, or by vmalloc: the TLB model's counts, under the access model that each figure names.
 */
#include "figures.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const maps[] = {"1G", "2M", "4K", "split"};
#define NR_MAPS (sizeof(maps) / sizeof(maps[0]))

/* WHAT of a machine under tlb.PREFIX.MAP; PREFIX "ws", "mrc", "A0" ...: NAN when not measured. */
static double value_of(const struct km_figure_context *context, size_t index, const char *prefix,
		       unsigned map, const char *what)
{
	char name[96];

	snprintf(name, sizeof(name), "tlb.%s.%s.%s", prefix, maps[map], what);
	return km_dataset_metric(context->dataset, &context->trace->machines[index], name).median;
}

static bool simulated(const struct km_figure_context *context, size_t index)
{
	return !isnan(value_of(context, index, "A0", 0, "refs"));
}

/* Where the pages of the direct map make no difference, one curve stands for the three. */
static bool maps_differ(const struct km_figure_context *context, size_t index)
{
	double first = value_of(context, index, "A0", 0, "l1_miss_per_kref");

	for (unsigned map = 1; map < NR_MAPS; map++)
		if (fabs(value_of(context, index, "A0", map, "l1_miss_per_kref") - first) >
		    0.01 * first)
			return true;
	return false;
}

/* Of kvmalloc one is enough beside slub's three: what differs is what slub's differ by. */
static unsigned maps_shown(const struct km_figure_context *context, size_t index)
{
	bool kvmalloc = !strncmp(context->trace->machines[index].model, "kvmalloc", 8);

	return maps_differ(context, index) && !kvmalloc ? NR_MAPS : 1;
}

/* Which TLB: said under every figure. */
static void stamp(const struct km_figure_context *context, struct km_figure *figure)
{
	for (size_t i = 0; i < context->trace->machine_count && !figure->stamp[0]; i++) {
		const struct km_machine_runs *machine = &context->trace->machines[i];
		const char *name = km_dataset_note(context->dataset, machine, "tlb.name");
		const char *calibrated;
		size_t used;

		if (!name)
			continue;
		used = (size_t)snprintf(figure->stamp, sizeof(figure->stamp), "TLB model · %.150s",
					name);
		calibrated = km_dataset_note(context->dataset, machine, "tlb.calibrated");
		if (calibrated && strcmp(calibrated, "yes"))
			snprintf(figure->stamp + used, sizeof(figure->stamp) - used,
				 " · not calibrated");
	}
}

/* A curve of one machine and map on a panel; "MACHINE 2M" where the maps differ. */
static struct km_curve *map_curve(const struct km_figure_context *context, struct km_figure *figure,
				  size_t index, unsigned panel, unsigned map)
{
	struct km_style style = context->styles[index];
	char label[96];

	if (maps_differ(context, index)) {
		style.dash = map + 1;
		snprintf(label, sizeof(label), "%s %s", context->trace->machines[index].label,
			 maps[map]);
	} else {
		snprintf(label, sizeof(label), "%s", context->trace->machines[index].label);
	}
	return km_figure_curve(figure, panel, style, label);
}

/* One point per entry of `x`, named by `what` after the map. */
static int map_points(const struct km_figure_context *context, struct km_figure *figure,
		      size_t index, const char *prefix, const char *const *what, const double *x,
		      unsigned n)
{
	unsigned nr_maps = maps_shown(context, index);
	int code = 0;

	for (unsigned map = 0; map < nr_maps && !code; map++) {
		struct km_curve *curve;

		if (isnan(value_of(context, index, "A0", map, "refs")))
			continue;
		curve = map_curve(context, figure, index, 0, map);
		code = curve ? 0 : -ENOMEM;
		for (unsigned i = 0; i < n && !code; i++) {
			double y = value_of(context, index, prefix, map, what[i]);

			if (!isnan(y))
				code = km_curve_point(curve, x[i], y);
		}
	}
	return code;
}

static int all_points(const struct km_figure_context *context, struct km_figure *figure,
		      const char *prefix, const char *const *what, const double *x, unsigned n,
		      struct km_err *err)
{
	int code = 0;

	for (size_t i = 0; i < context->trace->machine_count && !code; i++) {
		if (simulated(context, i))
			code = map_points(context, figure, i, prefix, what, x, n);
		else
			km_figure_leave_out(context, figure, 0, &context->trace->machines[i],
					    "tlb");
	}
	stamp(context, figure);
	return code ? km_figure_no_memory(err) : 0;
}

static int add_bar(const struct km_figure_context *context, struct km_figure *figure, size_t index,
		   unsigned panel, unsigned map, const char *what)
{
	double value = value_of(context, index, "A0", map, what);
	struct km_curve *curve;

	if (isnan(value))
		return 0;
	curve = map_curve(context, figure, index, panel, map);
	return curve ? km_curve_point(curve, 1, value) : -ENOMEM;
}

int km_build_tlb_misses(const struct km_figure_context *context, struct km_figure *figure,
			struct km_err *err)
{
	static const char *const panels[] = {"l1_miss_per_kref", "l2_miss_per_kref",
					     "walk_cycles_per_kref"};
	int code = 0;

	for (unsigned panel = 0; panel < 3; panel++)
		for (size_t i = 0; i < context->trace->machine_count && !code; i++) {
			unsigned nr_maps = maps_shown(context, i);

			if (!simulated(context, i)) {
				km_figure_leave_out(context, figure, panel,
						    &context->trace->machines[i], "tlb");
				continue;
			}
			for (unsigned map = 0; map < nr_maps && !code; map++)
				code = add_bar(context, figure, i, panel, map, panels[panel]);
		}
	km_figure_row(figure, 1, "A0");
	stamp(context, figure);
	return code ? km_figure_no_memory(err) : 0;
}

int km_build_tlb_curve(const struct km_figure_context *context, struct km_figure *figure,
		       struct km_err *err)
{
	static const char *const entries[] = {"1",   "4",   "16",  "32",   "64",   "96",
					      "128", "256", "512", "1024", "2048", "4096"};
	double x[sizeof(entries) / sizeof(entries[0])];

	for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		x[i] = atof(entries[i]);
		km_figure_row(figure, x[i], "%s entries", entries[i]);
	}
	return all_points(context, figure, "mrc", entries, x, sizeof(x) / sizeof(x[0]), err);
}

int km_build_tlb_windows(const struct km_figure_context *context, struct km_figure *figure,
			 struct km_err *err)
{
	static const char *const windows[] = {"100", "1000", "10000", "100000"};
	static const double x[] = {100, 1000, 10000, 100000};

	for (unsigned i = 0; i < 4; i++)
		km_figure_row(figure, x[i], "%s operations", windows[i]);
	return all_points(context, figure, "ws", windows, x, 4, err);
}

/* The access models A2 of the trace's runs: a name, and its touches per allocation. */
#define MOST_BANDS 16
struct bands {
	char names[MOST_BANDS][24];
	double lambda[MOST_BANDS];
	unsigned n;
};

static void add_band(struct bands *bands, const char *name)
{
	for (unsigned i = 0; i < bands->n; i++)
		if (!strcmp(bands->names[i], name))
			return;
	if (bands->n == MOST_BANDS)
		return;
	snprintf(bands->names[bands->n], sizeof(bands->names[0]), "%.23s", name);
	bands->lambda[bands->n++] = strncmp(name, "A2:", 3) ? 0 : atof(name + 3);
}

static void read_bands(const struct km_figure_context *context, struct bands *bands)
{
	add_band(bands, "A0");
	for (size_t i = 0; i < context->trace->machine_count; i++)
		for (unsigned k = 0; k < 3; k++) {
			char note[16];
			const char *name;

			snprintf(note, sizeof(note), "tlb.band.%u", k);
			name = km_dataset_note(context->dataset, &context->trace->machines[i],
					       note);
			if (name)
				add_band(bands, name);
		}
}

static int reuse_curve(const struct km_figure_context *context, struct km_figure *figure,
		       size_t index, unsigned map, const struct bands *bands)
{
	struct km_curve *curve;
	int code;

	if (isnan(value_of(context, index, "A0", map, "l2_miss_per_kref")))
		return 0;
	curve = map_curve(context, figure, index, 0, map);
	code = curve ? 0 : -ENOMEM;
	for (unsigned i = 0; i < bands->n && !code; i++) {
		double y = value_of(context, index, bands->names[i], map, "l2_miss_per_kref");

		if (!isnan(y))
			code = km_curve_point(curve, bands->lambda[i], y);
	}
	return code;
}

/* L2 misses as touches per object rise: how much of the picture is the access model's. */
int km_build_tlb_reuse(const struct km_figure_context *context, struct km_figure *figure,
		       struct km_err *err)
{
	struct bands bands = {.n = 0};
	int code = 0;

	read_bands(context, &bands);
	for (size_t i = 0; i < context->trace->machine_count && !code; i++) {
		unsigned nr_maps = maps_shown(context, i);

		if (!simulated(context, i)) {
			km_figure_leave_out(context, figure, 0, &context->trace->machines[i],
					    "tlb");
			continue;
		}
		for (unsigned map = 0; map < nr_maps && !code; map++)
			code = reuse_curve(context, figure, i, map, &bands);
	}
	for (unsigned i = 0; i < bands.n; i++)
		km_figure_row(figure, bands.lambda[i], "%s", bands.names[i]);
	stamp(context, figure);
	return code ? km_figure_no_memory(err) : 0;
}

int km_build_tlb_classes(const struct km_figure_context *context, struct km_figure *figure,
			 struct km_err *err)
{
	static const char *const classes[] = {"le64.l2_miss_per_kref",  "le256.l2_miss_per_kref",
					      "le1k.l2_miss_per_kref",  "le4k.l2_miss_per_kref",
					      "le16k.l2_miss_per_kref", "gt16k.l2_miss_per_kref"};
	static const char *const names[] = {"≤ 64 B",  "≤ 256 B",  "≤ 1 KiB",
					    "≤ 4 KiB", "≤ 16 KiB", "> 16 KiB"};
	static const double x[] = {1, 2, 3, 4, 5, 6};

	for (unsigned i = 0; i < 6; i++)
		km_figure_row(figure, x[i], "%s", names[i]);
	return all_points(context, figure, "class", classes, x, 6, err);
}
