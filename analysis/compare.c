/* SPDX-License-Identifier: GPL-2.0-only */
/* Ratios of runs, with percentile bootstrap intervals (B. Efron, 1979). */
#include "compare.h"

#include "results/result.h"
#include "results/sorted.h"

#include <kmlab/env.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 2000

static double divide(double value, double base)
{
	return value == base ? 1 : base != 0 ? value / base : NAN;
}

/* ---- the values of a side ---- */

struct values {
	double *of;
	char **where; /* it was timed; NULL: not known */
	size_t *runs; /* which of the machine's */
	size_t count;
	bool timed;
};

static void free_values(struct values *values)
{
	for (size_t i = 0; values->where && i < values->count; i++)
		free(values->where[i]);
	free(values->where);
	free(values->runs);
	free(values->of);
}

static int read_values(const struct km_side *side, const char *metric, struct values *values,
		       char unit[24])
{
	const struct km_machine_runs *machine = side->machine;
	struct km_measure measure;

	*values = (struct values){.of = calloc(machine->count, sizeof(double)),
				  .where = calloc(machine->count, sizeof(char *)),
				  .runs = calloc(machine->count, sizeof(size_t))};
	if (!values->of || !values->where || !values->runs)
		return -ENOMEM;
	for (size_t i = 0; i < machine->count; i++) {
		if (km_result_get_measure(side->dataset->result, machine->runs[i], metric,
					  &measure))
			continue;
		if (measure.timed)
			values->where[values->count] =
				km_dataset_where(side->dataset, machine->runs[i]);
		values->runs[values->count] = i;
		values->of[values->count++] = measure.value;
		values->timed |= measure.timed;
		memcpy(unit, measure.unit, sizeof(measure.unit));
	}
	return values->count ? 0 : -ENOENT;
}

/* Did the runs take turns, all of them? */
static bool are_pairs(const struct km_side *side, const struct values *of_side,
		      const struct km_side *base, const struct values *of_base)
{
	bool pairs = side->dataset == base->dataset && of_side->count == of_base->count;

	for (size_t i = 0; pairs && i < of_side->count; i++)
		pairs = km_machine_turn(side->machine, of_side->runs[i], base->machine,
					of_base->runs[i]);
	return pairs;
}

static bool differ(const char *where, const char *other)
{
	return where && other && strcmp(where, other);
}

/* Of pairs both must be of one place; of medians all runs. */
static bool timed_elsewhere(const struct values *side, const struct values *base, bool paired)
{
	for (size_t i = 0; i < side->count; i++)
		for (size_t k = paired ? i : 0; k < (paired ? i + 1 : base->count); k++)
			if (differ(side->where[i], base->where[k]))
				return true;
	return false;
}

/* ---- intervals ---- */

/* Of n values as many, each drawn from all. */
static double resampled_median(struct km_env *env, const double *values, size_t n, double *room)
{
	for (size_t i = 0; i < n; i++)
		room[i] = values[km_env_random(env) % n];
	return km_median(room, n);
}

static int interval(const struct values *side, const struct values *base, bool paired,
		    struct km_ratio *ratio)
{
	size_t most = side->count > base->count ? side->count : base->count;
	double *ratios = calloc(RESAMPLES, sizeof(double)), *room = calloc(most, sizeof(double));
	double *pairs = calloc(most, sizeof(double));
	struct km_env env = {.random_state = 1};
	int code = ratios && room && pairs ? 0 : -ENOMEM;

	for (size_t i = 0; !code && i < ratio->runs; i++) {
		pairs[i] = divide(side->of[i], base->of[i]);
		if (isnan(pairs[i]))
			goto out;
	}
	for (size_t i = 0; !code && i < RESAMPLES; i++)
		ratios[i] = paired ? resampled_median(&env, pairs, ratio->runs, room)
				   : divide(resampled_median(&env, side->of, side->count, room),
					    resampled_median(&env, base->of, base->count, room));
	if (!code) {
		km_sort(ratios, RESAMPLES);
		ratio->low = ratios[RESAMPLES / 40];
		ratio->high = ratios[RESAMPLES - 1 - RESAMPLES / 40];
		if (paired)
			ratio->ratio = km_median(pairs, ratio->runs);
	}
out:
	free(pairs);
	free(room);
	free(ratios);
	return code;
}

int km_compare(const struct km_side *side, const struct km_side *base, const char *metric,
	       bool across, struct km_ratio *ratio)
{
	struct values of_side = {.of = NULL}, of_base = {.of = NULL};
	bool paired;
	int code = read_values(side, metric, &of_side, ratio->unit);

	if (!code)
		code = read_values(base, metric, &of_base, ratio->unit);
	if (code)
		goto out;
	paired = are_pairs(side, &of_side, base, &of_base);
	ratio->runs = of_side.count < of_base.count ? of_side.count : of_base.count;
	ratio->ratio = ratio->low = ratio->high = NAN;
	ratio->elsewhere = !across && timed_elsewhere(&of_side, &of_base, paired);
	/* In their order first: medians sort. */
	if (ratio->runs > 1 || !(of_side.timed || of_base.timed))
		code = interval(&of_side, &of_base, paired, ratio);
	ratio->value = km_median(of_side.of, of_side.count);
	ratio->base = km_median(of_base.of, of_base.count);
	if (!paired || ratio->runs < 2)
		ratio->ratio = divide(ratio->value, ratio->base);
	/* Nothing can be drawn from what is divided by nothing, or by another machine's. */
	if (isnan(ratio->ratio) || ratio->elsewhere)
		ratio->low = ratio->high = NAN;
out:
	free_values(&of_side);
	free_values(&of_base);
	return code;
}

/* ---- conditions ---- */

int km_metric_name(const char *word, char *name, size_t size)
{
	static const char *const quantiles[] = {"p50", "p90", "p99", "p999", "max"};
	bool frees = !strncmp(word, "free.", 5), allocs = !strncmp(word, "alloc.", 6);
	const char *rest = word + (frees ? 5 : allocs ? 6 : 0);
	int used = -1;

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]) && used < 0; i++)
		if (!strcmp(rest, quantiles[i]))
			used = snprintf(name, size, "latency_ns.%s.%s", frees ? "free" : "alloc",
					rest);
	if (used < 0)
		used = snprintf(name, size, "%s", strcmp(word, "pages") ? word : "pages.peak");
	return *word && used < (int)size ? 0 : -EINVAL;
}

int km_condition_parse(const char *text, struct km_condition *condition)
{
	size_t length = strcspn(text, "<>");
	char word[64], *end;
	double percent;

	if (!text[length] || length >= sizeof(word))
		return -EINVAL;
	memcpy(word, text, length);
	word[length] = '\0';
	percent = strtod(text + length + 1, &end);
	if (end == text + length + 1 || strcmp(end, "%") || !(percent > -100 && percent < 1e6))
		return -EINVAL;
	condition->text = text;
	condition->above = text[length] == '>';
	condition->limit = 1 + percent / 100;
	return km_metric_name(word, condition->metric, sizeof(condition->metric));
}

bool km_condition_met(const struct km_condition *condition, const struct km_ratio *ratio)
{
	double low = isnan(ratio->low) ? ratio->ratio : ratio->low;
	double high = isnan(ratio->high) ? ratio->ratio : ratio->high;

	return condition->above ? low > condition->limit : high < condition->limit;
}
