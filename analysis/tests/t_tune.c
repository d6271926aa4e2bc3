/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Size classes: what is found is as good as the best of all choices, counted out one by one, and
 * what is known by heart comes out.
 */
#include "analysis/tune.h"
#include "engine/tests/tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static unsigned state = 1;

static unsigned drawn(unsigned below)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % below;
}

static const unsigned linux_sizes[] = {8,   16,  32,   64,   96,   128, 192,
				       256, 512, 1024, 2048, 4096, 8192};

static unsigned smallest(const unsigned *classes, unsigned count, unsigned bytes)
{
	unsigned best = KM_TUNE_LARGEST;

	for (unsigned i = 0; i < count; i++)
		if (classes[i] >= bytes && classes[i] < best)
			best = classes[i];
	return best;
}

static double wasted(const struct km_demand *demands, size_t count, const unsigned *classes,
		     unsigned nr_classes, bool by_calls)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (by_calls ? demands[i].calls : demands[i].live) *
		       (smallest(classes, nr_classes, demands[i].bytes) - demands[i].bytes);
	return sum;
}

/* Every choice of at most `added` classes among the sizes that occur, each rounded up to 8. */
static double least_of_all(const struct km_demand *demands, size_t count, const unsigned *kept,
			   unsigned nr_kept, unsigned added, bool by_calls)
{
	double least = INFINITY;

	for (unsigned choice = 0; choice < 1u << count; choice++) {
		unsigned classes[32], nr = nr_kept;

		if ((unsigned)__builtin_popcount(choice) > added)
			continue;
		memcpy(classes, kept, nr_kept * sizeof(*kept));
		for (size_t i = 0; i < count; i++)
			if (choice >> i & 1)
				classes[nr++] = (demands[i].bytes + 7) / 8 * 8;
		least = fmin(least, wasted(demands, count, classes, nr, by_calls));
	}
	return least;
}

static void draw(struct km_demand *demands, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned bytes = 1 + drawn(drawn(3) ? 300 : KM_TUNE_LARGEST);

		demands[i] = (struct km_demand){
			.bytes = bytes,
			.bytes_alloc = smallest(linux_sizes, 13, bytes),
			.calls = 1 + drawn(1000),
			.live = drawn(1000) / 10.0,
		};
	}
}

/* A plan's own sums, and the rules it must keep. */
static bool is_sound(const struct km_plan *plan, const struct km_demand *demands, size_t count)
{
	bool sound = plan->nr_classes && plan->classes[plan->nr_classes - 1] == KM_TUNE_LARGEST;

	for (unsigned i = 0; i < plan->nr_classes; i++)
		sound &= plan->classes[i] % 8 == 0 &&
			 (!i || plan->classes[i] > plan->classes[i - 1]);
	return sound &&
	       fabs(plan->waste_live -
		    wasted(demands, count, plan->classes, plan->nr_classes, false)) < 1e-6 &&
	       fabs(plan->waste_calls -
		    wasted(demands, count, plan->classes, plan->nr_classes, true)) < 1e-6;
}

static void test_best(void)
{
	static const unsigned largest[] = {KM_TUNE_LARGEST};
	unsigned wrong = 0, unsound = 0;

	for (unsigned round = 0; round < 300; round++) {
		struct km_demand demands[9];
		size_t count = 1 + drawn(9);
		unsigned added = 1 + drawn(4);
		bool by_calls = drawn(2);
		struct km_plan now, plan, anew;

		draw(demands, count);
		km_plan_now(demands, count, &now);
		wrong += km_plan_best(demands, count, &now, added, by_calls, &plan) != 0;
		wrong += km_plan_best(demands, count, NULL, added, by_calls, &anew) != 0;
		unsound += !is_sound(&now, demands, count) || !is_sound(&plan, demands, count) ||
			   !is_sound(&anew, demands, count);
		unsound += plan.nr_classes > now.nr_classes + added || anew.nr_classes > 1 + added;
		wrong +=
			fabs((by_calls ? plan.waste_calls : plan.waste_live) -
			     least_of_all(demands, count, linux_sizes, 13, added, by_calls)) > 1e-6;
		wrong += fabs((by_calls ? anew.waste_calls : anew.waste_live) -
			      least_of_all(demands, count, largest, 1, added, by_calls)) > 1e-6;
	}
	TAP_EQ(unsound, 0, "plans rise, in steps of 8, to the largest class, and add up");
	TAP_EQ(wrong, 0, "600 plans, each as good as the best of all choices");
}

static void test_known(void)
{
	const struct km_demand demands[] = {{65, 96, 10, 2}, {72, 96, 100, 1}, {4097, 8192, 1, 1}};
	struct km_plan now, plan;

	TAP_EQ(km_plan_now(demands, 3, &now), 0, "the classes of now");
	TAP_OK(now.nr_classes == 13 && now.waste_calls == 310 + 2400 + 4095 &&
		       now.waste_live == 62 + 24 + 4095,
	       "are Linux's, and waste what was seen");
	TAP_EQ(km_plan_best(demands, 3, &now, 2, true, &plan), 0, "two more");
	TAP_OK(plan.nr_classes == 15 && plan.classes[4] == 72 && plan.classes[13] == 4104,
	       "stand right above the sizes that are asked for most");
	TAP_EQ(km_plan_best(demands, 3, &now, 1, false, &plan), 0, "one more by what lives");
	TAP_OK(plan.nr_classes == 14 && plan.classes[12] == 4104, "is where most is wasted");
	TAP_EQ(km_plan_best(demands, 3, &now, 9, false, &plan), 0, "more than there are sizes");
	TAP_OK(plan.nr_classes == 15 && plan.waste_live < 2 * 7 + 7 + 1e-9, "are not made up");
}

static void test_other_classes(void)
{
	const struct km_demand demands[] = {{20, 48, 1, 1}, {200, 208, 1, 1}};
	struct km_demand many[KM_TUNE_CLASSES + 1];
	struct km_plan now;

	TAP_EQ(km_plan_now(demands, 2, &now), 0, "classes that are not Linux's");
	TAP_OK(now.nr_classes == 3 && now.classes[0] == 48 && now.classes[1] == 208 &&
		       now.waste_calls == 28 + 8,
	       "are those that were seen");
	for (unsigned i = 0; i <= KM_TUNE_CLASSES; i++)
		many[i] = (struct km_demand){8 * i + 1, 8 * i + 24, 1, 1};
	TAP_EQ(km_plan_now(many, KM_TUNE_CLASSES + 1, &now), -7, "too many are refused (-E2BIG)");
}

int main(void)
{
	test_best();
	test_known();
	test_other_classes();
	return tap_done();
}
