/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points are measured until their rounds agree. Whose do not is measured again, a bounded number of
 * times. That is decided by the spread alone, before anything is fitted, and nothing measured is
 * left out: so it favours no model, and no point that is held out.
 */
#include "replay/tlb_repeat.h"
#include "results/sorted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t clamp_rank(double rank, uint32_t rounds)
{
	return rank < 0 ? 0 : rank > rounds - 1 ? rounds - 1 : (uint32_t)rank;
}

struct km_tlb_point km_tlb_point_of(enum km_tlb_place place, uint32_t pages, double *ns,
				    uint32_t rounds)
{
	const double quantile = 0.1;
	double middle = quantile * rounds, half = 1.96 * __builtin_sqrt(middle * (1 - quantile));

	km_sort(ns, rounds);
	return (struct km_tlb_point){
		.place = (uint8_t)place,
		.pages = pages,
		.rounds = rounds,
		.ns = ns[clamp_rank(middle, rounds)],
		.low = ns[clamp_rank(middle - half, rounds)],
		.high = ns[clamp_rank(middle + half, rounds)],
		.fitted = __builtin_nan(""),
	};
}

bool km_tlb_point_agrees(const struct km_tlb_point *point)
{
	return point->high - point->low <= KM_TLB_SPREAD_LIMIT * point->ns;
}

static struct km_tlb_point point_of(const struct km_tlb_samples *samples, unsigned i)
{
	return km_tlb_point_of(samples->places[i / KM_TLB_SIZES_MEASURED],
			       km_tlb_pages[i % KM_TLB_SIZES_MEASURED],
			       samples->ns + (size_t)i * samples->room, samples->count[i]);
}

void km_tlb_samples_add(struct km_tlb_samples *samples, unsigned point, double ns)
{
	if (samples->count[point] < samples->room)
		samples->ns[(size_t)point * samples->room + samples->count[point]++] = ns;
}

/* All points, or the wanted ones again; then those are wanted whose rounds are apart. How many. */
static int measure_wanted(struct km_tlb_samples *samples, bool *wanted, uint32_t rounds,
			  km_tlb_meter measure, void *context, struct km_err *err)
{
	unsigned n = samples->nr_places * KM_TLB_SIZES_MEASURED;
	uint32_t due[KM_TLB_MOST_POINTS];
	int code, apart = 0;

	for (unsigned i = 0; i < n; i++)
		due[i] = samples->count[i] + (wanted[i] ? rounds : 0);
	code = measure(context, samples, wanted, rounds, err);
	for (unsigned i = 0; i < n && !code; i++) {
		struct km_tlb_point point;

		if (samples->count[i] < due[i])
			return -ENODATA;
		point = point_of(samples, i);
		wanted[i] = !km_tlb_point_agrees(&point);
		apart += wanted[i];
	}
	return code ? code : apart;
}

int km_tlb_measure_points(struct km_tlb_calibration *calibration, const uint8_t *places,
			  unsigned nr_places, uint32_t rounds, km_tlb_meter measure, void *context,
			  struct km_err *err)
{
	const size_t n = nr_places * KM_TLB_SIZES_MEASURED;
	struct km_tlb_samples samples = {
		.places = places,
		.nr_places = nr_places,
		.room = rounds * (1 + KM_TLB_TIMES_AGAIN),
		.count = calloc(n, sizeof(uint32_t)),
	};
	bool wanted[KM_TLB_MOST_POINTS];
	int code = 1;

	memset(wanted, true, sizeof(wanted));
	samples.ns = calloc(n * samples.room, sizeof(double));
	if (!samples.ns || !samples.count)
		code = km_fail(err, -ENOMEM, "no memory for %u rounds", rounds);
	for (unsigned time = 0; code > 0 && time <= KM_TLB_TIMES_AGAIN; time++)
		code = measure_wanted(&samples, wanted, rounds, measure, context, err);
	for (unsigned i = 0; code >= 0 && i < n; i++)
		calibration->points[calibration->nr_points++] = point_of(&samples, i);
	free(samples.count);
	free(samples.ns);
	return code < 0 ? code : 0;
}

/* Those with more rounds than others were. */
void km_tlb_count_again(const struct km_tlb_calibration *calibration, unsigned *again,
			unsigned *apart)
{
	uint32_t least = UINT32_MAX;

	*again = *apart = 0;
	for (unsigned i = 0; i < calibration->nr_points; i++)
		if (calibration->points[i].rounds < least)
			least = calibration->points[i].rounds;
	for (unsigned i = 0; i < calibration->nr_points; i++) {
		*again += calibration->points[i].rounds > least;
		*apart += !km_tlb_point_agrees(&calibration->points[i]);
	}
}
