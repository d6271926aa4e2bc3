/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A calibration as text: "kmlab-tlb VERSION", then a line per fact, a word that names it first.
 * Unknown words are left out, so that later versions may add some.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/tlb_calibration.h"

#define VERSION 1

char *km_tlb_default_path(void)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *path = NULL;

	if (data && *data)
		return asprintf(&path, "%s/kmlab/tlb", data) < 0 ? NULL : path;
	return asprintf(&path, "%s/.local/share/kmlab/tlb", home ? home : "") < 0 ? NULL : path;
}

/* ---- writing ---- */

static void print_array(FILE *out, const char *word, const struct km_tlb_array_spec *array)
{
	fprintf(out, "%s%s%u %u %s\n", word, *word ? " " : "", array->entries, array->ways,
		km_tlb_policy_names[array->policy]);
}

static const char *const overlap_sizes[2] = {"4K", "2M"};

static void print_overlap(const struct km_tlb_overlap *overlap, FILE *out)
{
	if (!overlap->cache.entries)
		return;
	print_array(out, "cache", &overlap->cache);
	for (unsigned i = 0; i < 2 * KM_TLB_LOADS; i++) {
		const struct km_tlb_load_costs *costs =
			&overlap->costs[i / KM_TLB_LOADS][i % KM_TLB_LOADS];
		const struct km_bench_figure *figures[3] = {&costs->l2_hit, &costs->walk,
							    &costs->line};

		if (!costs->measured)
			continue;
		fprintf(out, "loads %s %s", overlap_sizes[i / KM_TLB_LOADS],
			km_tlb_loads_names[i % KM_TLB_LOADS]);
		for (unsigned k = 0; k < 3; k++)
			fprintf(out, " %.6f %.6f %.6f", figures[k]->median, figures[k]->low,
				figures[k]->high);
		fprintf(out, "\n");
	}
}

static void print_calibration(const struct km_tlb_calibration *c, FILE *out)
{
	fprintf(out, "kmlab-tlb %d\nvendor %s\nfamily %u %u %u\nbrand %s\nhypervisor %s\n", VERSION,
		c->cpu.vendor, c->cpu.family, c->cpu.model, c->cpu.stepping, c->cpu.brand,
		c->cpu.hypervisor);
	print_array(out, "cpuid-l1", &c->cpu.l1);
	print_array(out, "cpuid-l2", &c->cpu.l2);
	fprintf(out, "cpuid-source %s\nkernel %s\ndate %s\ncycle-ns %.6f\nhuge %u %u\n",
		c->cpu.source, c->kernel, c->date, c->cycle_ns, c->huge_pages, c->huge_real);
	print_array(out, "l1", &c->l1);
	print_array(out, "l2", &c->l2);
	fprintf(out, "kernel-why %s\npmu %s\ncalibrated %d\nverdict %s\n", c->kernel_why, c->pmu,
		c->calibrated, c->verdict);
	for (unsigned i = 0; i < 2 * KM_TLB_CANDIDATES; i++) {
		const struct km_tlb_candidate *candidate =
			&c->candidates[i / KM_TLB_CANDIDATES][i % KM_TLB_CANDIDATES];

		fprintf(out, "candidate l%u %.6f ", i / KM_TLB_CANDIDATES + 1, candidate->error);
		print_array(out, "", &candidate->array);
	}
	for (unsigned place = 0; place < KM_TLB_PLACES; place++) {
		const struct km_tlb_place_fit *fit = &c->fits[place];

		if (fit->fitted)
			fprintf(out, "fit %s %.6f %.6f %.6f %u %.6f %.6f %.6f %u %u\n",
				km_tlb_place_names[place], fit->l2_hit_ns, fit->walk_ns,
				fit->far_ns, fit->near_lines, fit->fit_error, fit->held_out_error,
				fit->worst, fit->nr_fitted, fit->nr_held_out);
	}
	print_overlap(&c->overlap, out);
	for (unsigned i = 0; i < c->nr_points; i++) {
		const struct km_tlb_point *point = &c->points[i];

		fprintf(out, "point %s %u %u %.4f %.4f %.4f %.4f %d\n",
			km_tlb_place_names[point->place], point->pages, point->rounds, point->ns,
			point->low, point->high, isnan(point->fitted) ? -1 : point->fitted,
			point->held_out);
	}
	for (unsigned i = 0; i < c->nr_counted; i++) {
		const struct km_tlb_counted *counted = &c->counted[i];

		fprintf(out, "counted %s %u %g %g %g %g %g %d\n",
			km_tlb_place_names[counted->place], counted->pages, counted->l1_misses,
			counted->walks, counted->walk_cycles, counted->model_l1_misses,
			counted->model_walks, counted->multiplexed);
	}
}

/* Every folder of the path but the last part. */
static void make_folders(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(path, 0777);
		*at = '/';
	}
}

int km_tlb_write(const struct km_tlb_calibration *calibration, const char *path, struct km_err *err)
{
	char *temporary = NULL;
	int code = 0;
	FILE *out;

	if (asprintf(&temporary, "%s.tmp", path) < 0)
		return km_fail(err, -ENOMEM, "no memory to write %s", path);
	make_folders(temporary);
	out = fopen(temporary, "w");
	if (out) {
		print_calibration(calibration, out);
		code = ferror(out) ? -EIO : 0;
		if (fclose(out) && !code)
			code = -errno;
		if (!code && rename(temporary, path))
			code = -errno;
		if (code)
			unlink(temporary);
	} else {
		code = -errno;
	}
	free(temporary);
	return code ? km_fail(err, code, "%s cannot be written: %s; name another file with -o",
			      path, strerror(-code))
		    : 0;
}

/* ---- reading ---- */

/* The rest of a line, cut to the field. */
static void take_text(char *field, size_t size, const char *rest)
{
	snprintf(field, size, "%s", rest);
}

static bool take_array(struct km_tlb_array_spec *array, const char *rest)
{
	char policy[16];

	if (sscanf(rest, "%u %u %15s", &array->entries, &array->ways, policy) != 3 ||
	    array->entries > 1u << 24 || array->ways > array->entries ||
	    (array->ways && array->entries % array->ways))
		return false;
	array->holds = KM_TLB_HOLDS_ALL;
	for (unsigned i = 0; i < KM_TLB_POLICIES; i++)
		if (!strcmp(policy, km_tlb_policy_names[i])) {
			array->policy = (uint8_t)i;
			return true;
		}
	return false;
}

static int find_place(const char *name)
{
	for (int place = 0; place < KM_TLB_PLACES; place++)
		if (!strcmp(name, km_tlb_place_names[place]))
			return place;
	return -1;
}

static bool take_fit(struct km_tlb_calibration *c, const char *rest)
{
	struct km_tlb_place_fit fit = {.fitted = true};
	char name[16];
	int place;

	if (sscanf(rest, "%15s %lf %lf %lf %u %lf %lf %lf %u %u", name, &fit.l2_hit_ns,
		   &fit.walk_ns, &fit.far_ns, &fit.near_lines, &fit.fit_error, &fit.held_out_error,
		   &fit.worst, &fit.nr_fitted, &fit.nr_held_out) != 10)
		return false;
	place = find_place(name);
	if (place >= 0)
		c->fits[place] = fit;
	return place >= 0;
}

static bool take_point(struct km_tlb_calibration *c, const char *rest)
{
	struct km_tlb_point *point = &c->points[c->nr_points];
	int place, held_out;
	char name[16];

	if (c->nr_points == KM_TLB_MOST_POINTS ||
	    sscanf(rest, "%15s %u %u %lf %lf %lf %lf %d", name, &point->pages, &point->rounds,
		   &point->ns, &point->low, &point->high, &point->fitted, &held_out) != 8)
		return false;
	place = find_place(name);
	point->place = (uint8_t)place;
	point->held_out = held_out;
	if (point->fitted < 0)
		point->fitted = NAN;
	c->nr_points += place >= 0;
	return place >= 0;
}

static bool take_candidate(struct km_tlb_calibration *c, const char *rest)
{
	struct km_tlb_candidate candidate, *list;
	int level, used;

	if (sscanf(rest, "l%d %lf %n", &level, &candidate.error, &used) != 2 || level < 1 ||
	    level > 2 || !take_array(&candidate.array, rest + used))
		return false;
	list = c->candidates[level - 1];
	for (unsigned i = 0; i < KM_TLB_CANDIDATES; i++)
		if (!list[i].array.entries) {
			list[i] = candidate;
			break;
		}
	return true;
}

static bool take_counted(struct km_tlb_calibration *c, const char *rest)
{
	struct km_tlb_counted counted = {0};
	char place[32];
	int multiplexed;

	if (c->nr_counted == KM_TLB_MOST_COUNTED ||
	    sscanf(rest, "%31s %u %lf %lf %lf %lf %lf %d", place, &counted.pages,
		   &counted.l1_misses, &counted.walks, &counted.walk_cycles,
		   &counted.model_l1_misses, &counted.model_walks, &multiplexed) != 8)
		return false;
	counted.multiplexed = multiplexed;
	for (unsigned i = 0; i < KM_TLB_PLACES; i++) {
		if (strcmp(place, km_tlb_place_names[i]))
			continue;
		counted.place = (uint8_t)i;
		c->counted[c->nr_counted++] = counted;
		return true;
	}
	return false;
}

static bool take_loads(struct km_tlb_overlap *overlap, const char *rest)
{
	struct km_tlb_load_costs costs = {.measured = true};
	struct km_bench_figure *hit = &costs.l2_hit, *walk = &costs.walk, *line = &costs.line;
	char size[8], name[16];

	if (sscanf(rest, "%7s %15s %lf %lf %lf %lf %lf %lf %lf %lf %lf", size, name, &hit->median,
		   &hit->low, &hit->high, &walk->median, &walk->low, &walk->high, &line->median,
		   &line->low, &line->high) != 11)
		return false;
	for (unsigned i = 0; i < 2 * KM_TLB_LOADS; i++) {
		if (strcmp(size, overlap_sizes[i / KM_TLB_LOADS]) ||
		    strcmp(name, km_tlb_loads_names[i % KM_TLB_LOADS]))
			continue;
		overlap->costs[i / KM_TLB_LOADS][i % KM_TLB_LOADS] = costs;
		return true;
	}
	return false;
}

static bool take_line(struct km_tlb_calibration *c, const char *word, const char *rest)
{
	int truth;

#define TEXT(name, field)                                                                          \
	if (!strcmp(word, name))                                                                   \
	return take_text(field, sizeof(field), rest), true
	TEXT("vendor", c->cpu.vendor);
	TEXT("brand", c->cpu.brand);
	TEXT("hypervisor", c->cpu.hypervisor);
	TEXT("cpuid-source", c->cpu.source);
	TEXT("kernel", c->kernel);
	TEXT("date", c->date);
	TEXT("kernel-why", c->kernel_why);
	TEXT("pmu", c->pmu);
	TEXT("verdict", c->verdict);
#undef TEXT
	if (!strcmp(word, "cpuid-l1"))
		return take_array(&c->cpu.l1, rest);
	if (!strcmp(word, "cpuid-l2"))
		return take_array(&c->cpu.l2, rest);
	if (!strcmp(word, "l1"))
		return take_array(&c->l1, rest);
	if (!strcmp(word, "l2"))
		return take_array(&c->l2, rest);
	if (!strcmp(word, "family"))
		return sscanf(rest, "%u %u %u", &c->cpu.family, &c->cpu.model, &c->cpu.stepping) ==
		       3;
	if (!strcmp(word, "cycle-ns"))
		return sscanf(rest, "%lf", &c->cycle_ns) == 1 && c->cycle_ns > 0;
	if (!strcmp(word, "huge"))
		return sscanf(rest, "%u %u", &c->huge_pages, &c->huge_real) == 2;
	if (!strcmp(word, "calibrated")) {
		c->calibrated = sscanf(rest, "%d", &truth) == 1 && truth == 1;
		return true;
	}
	if (!strcmp(word, "candidate"))
		return take_candidate(c, rest);
	if (!strcmp(word, "fit"))
		return take_fit(c, rest);
	if (!strcmp(word, "cache"))
		return take_array(&c->overlap.cache, rest);
	if (!strcmp(word, "loads"))
		return take_loads(&c->overlap, rest);
	if (!strcmp(word, "counted"))
		return take_counted(c, rest);
	return strcmp(word, "point") || take_point(c, rest);
}

int km_tlb_read_file(struct km_tlb_calibration *calibration, const char *path, struct km_err *err)
{
	FILE *in = fopen(path, "r");
	char line[512];
	unsigned number = 0, version = 0;
	bool sound = true;

	memset(calibration, 0, sizeof(*calibration));
	if (!in)
		return km_fail(
			err, -errno,
			"there is no calibration in %s (%s); 'kmlab tlb calibrate' makes one", path,
			strerror(errno));
	while (sound && fgets(line, sizeof(line), in)) {
		char *rest = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		number++;
		if (number == 1) {
			sound = sscanf(line, "kmlab-tlb %u", &version) == 1 && version == VERSION;
			continue;
		}
		if (!rest)
			rest = line + strlen(line);
		else
			*rest++ = '\0';
		sound = take_line(calibration, line, rest);
	}
	fclose(in);
	if (version > VERSION)
		return km_fail(err, -EPROTO, "%s was made by a newer kmlab (version %u)", path,
			       version);
	if (!sound || !calibration->l1.entries || calibration->cycle_ns <= 0)
		return km_fail(err, -EPROTO,
			       "%s is no calibration (line %u); make it anew with 'kmlab tlb "
			       "calibrate'",
			       path, number);
	return 0;
}
