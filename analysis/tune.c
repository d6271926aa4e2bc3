/* SPDX-License-Identifier: GPL-2.0-only */
#include "tune.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP 8u /* sizes of classes: KMALLOC_MIN_SIZE of include/linux/slab.h on x86-64 */
#define SIZES (KM_TUNE_LARGEST / STEP)

static const unsigned linux_classes[] = {8,   16,  32,   64,   96,   128, 192,
					 256, 512, 1024, 2048, 4096, 8192};
#define NR_LINUX_CLASSES (sizeof(linux_classes) / sizeof(linux_classes[0]))

/* ---- what a plan wastes ---- */

static unsigned class_of(const struct km_plan *plan, unsigned bytes)
{
	for (unsigned i = 0; i < plan->nr_classes; i++)
		if (plan->classes[i] >= bytes)
			return plan->classes[i];
	return KM_TUNE_LARGEST;
}

static void weigh(const struct km_demand *demands, size_t count, struct km_plan *plan)
{
	plan->waste_live = plan->waste_calls = 0;
	for (size_t i = 0; i < count; i++) {
		double waste = class_of(plan, demands[i].bytes) - demands[i].bytes;

		plan->waste_live += demands[i].live * waste;
		plan->waste_calls += demands[i].calls * waste;
	}
}

static int compare_classes(const void *a, const void *b)
{
	return (int)(*(const unsigned *)a - *(const unsigned *)b);
}

static int add_class(struct km_plan *plan, unsigned bytes)
{
	for (unsigned i = 0; i < plan->nr_classes; i++)
		if (plan->classes[i] == bytes)
			return 0;
	if (plan->nr_classes == KM_TUNE_CLASSES)
		return -E2BIG;
	plan->classes[plan->nr_classes++] = bytes;
	qsort(plan->classes, plan->nr_classes, sizeof(plan->classes[0]), compare_classes);
	return 0;
}

int km_plan_now(const struct km_demand *demands, size_t count, struct km_plan *plan)
{
	bool of_linux = true;
	int code = 0;

	*plan = (struct km_plan){.nr_classes = NR_LINUX_CLASSES};
	memcpy(plan->classes, linux_classes, sizeof(linux_classes));
	for (size_t i = 0; i < count; i++)
		of_linux &= class_of(plan, demands[i].bytes) == demands[i].bytes_alloc;
	if (!of_linux) {
		plan->nr_classes = 0;
		code = add_class(plan, KM_TUNE_LARGEST);
	}
	for (size_t i = 0; !of_linux && !code && i < count; i++)
		code = add_class(plan, demands[i].bytes_alloc);
	/* As it was: a kernel may have several classes of kinds that overlap. */
	for (size_t i = 0; i < count; i++) {
		double waste = demands[i].bytes_alloc - demands[i].bytes;

		plan->waste_live += demands[i].live * waste;
		plan->waste_calls += demands[i].calls * waste;
	}
	return code;
}

/* ---- the best plan ---- */

/* Sizes in steps: how much is asked for up to each, and how many bytes that is. */
struct search {
	double weight[SIZES + 1], bytes[SIZES + 1]; /* sums up to a step */
	bool kept[SIZES + 1];
	double *least;    /* [added][step]: waste of all up to there, with a class there */
	uint16_t *before; /* the class below */
	unsigned added;
};

static void add_demands(struct search *search, const struct km_demand *demands, size_t count,
			bool by_calls)
{
	for (size_t i = 0; i < count; i++) {
		unsigned step = (demands[i].bytes + STEP - 1) / STEP;
		double weight = by_calls ? demands[i].calls : demands[i].live;

		search->weight[step] += weight;
		search->bytes[step] += weight * demands[i].bytes;
	}
	for (unsigned step = 1; step <= SIZES; step++) {
		search->weight[step] += search->weight[step - 1];
		search->bytes[step] += search->bytes[step - 1];
	}
}

/* All from above `below` up to `step` served from a class there. */
static double waste(const struct search *search, unsigned below, unsigned step)
{
	return step * STEP * (search->weight[step] - search->weight[below]) -
	       (search->bytes[step] - search->bytes[below]);
}

static bool is_candidate(const struct search *search, unsigned step)
{
	return search->kept[step] || search->weight[step] > search->weight[step - 1];
}

/* From each class below that no kept one lies above of; 0 is none. */
static void find_least(struct search *search, unsigned added, unsigned step)
{
	size_t at = (size_t)added * (SIZES + 1) + step;

	search->least[at] = INFINITY;
	if (!search->kept[step] && !added)
		return;
	for (unsigned below = step; below-- > 0;) {
		unsigned rest = search->kept[step] ? added : added - 1;
		double least = search->least[(size_t)rest * (SIZES + 1) + below] +
			       waste(search, below, step);

		if (least < search->least[at]) {
			search->least[at] = least;
			search->before[at] = (uint16_t)below;
		}
		if (search->kept[below])
			return;
	}
}

static int take_path(const struct search *search, struct km_plan *plan)
{
	unsigned added = 0, step = SIZES;
	int code = 0;

	for (unsigned i = 1; i <= search->added; i++)
		if (search->least[(size_t)i * (SIZES + 1) + step] <
		    search->least[(size_t)added * (SIZES + 1) + step])
			added = i;
	while (step && !code) {
		unsigned below = search->before[(size_t)added * (SIZES + 1) + step];

		code = add_class(plan, step * STEP);
		added -= !search->kept[step];
		step = below;
	}
	return code;
}

int km_plan_best(const struct km_demand *demands, size_t count, const struct km_plan *keep,
		 unsigned added, bool by_calls, struct km_plan *plan)
{
	struct search *search = calloc(1, sizeof(*search));
	size_t cells = (size_t)(added + 1) * (SIZES + 1);
	int code = -ENOMEM;

	*plan = (struct km_plan){.nr_classes = 0};
	if (!search)
		return -ENOMEM;
	search->added = added;
	search->least = calloc(cells, sizeof(*search->least));
	search->before = calloc(cells, sizeof(*search->before));
	if (!search->least || !search->before)
		goto out;
	for (unsigned i = 0; keep && i < keep->nr_classes; i++)
		search->kept[keep->classes[i] / STEP] = true;
	search->kept[SIZES] = true;
	add_demands(search, demands, count, by_calls);
	for (unsigned i = 0; i <= added; i++) {
		/* Without a class nothing is served yet, for nothing, and nothing is added. */
		search->least[(size_t)i * (SIZES + 1)] = i ? INFINITY : 0;
		for (unsigned step = 1; step <= SIZES; step++)
			if (is_candidate(search, step))
				find_least(search, i, step);
			else
				search->least[(size_t)i * (SIZES + 1) + step] = INFINITY;
	}
	code = take_path(search, plan);
	if (!code)
		weigh(demands, count, plan);
out:
	free(search->before);
	free(search->least);
	free(search);
	return code;
}
