/* SPDX-License-Identifier: GPL-2.0-only */
/* Rounds of measurements and the points they make: measured again where rounds do not agree. */
#ifndef REPLAY_TLB_REPEAT_H
#define REPLAY_TLB_REPEAT_H

#include "replay/tlb_calibration.h"

/* A point whose interval is wider than this part of it tells no more than a refused model does. */
#define KM_TLB_SPREAD_LIMIT KM_TLB_HELD_OUT_LIMIT
#define KM_TLB_TIMES_AGAIN 3 /* at most; as many rounds each time */

/* All rounds of some places' points, point = place's number * KM_TLB_SIZES_MEASURED + size's. */
struct km_tlb_samples {
	const uint8_t *places; /* enum km_tlb_place */
	unsigned nr_places;
	uint32_t room, *count; /* rounds of a point: at most, and of each so far */
	double *ns;            /* [point][room] */
};

/* One more round of a point; what has no room is left out. */
void km_tlb_samples_add(struct km_tlb_samples *samples, unsigned point, double ns);

/*
 * Adds `rounds` rounds of every wanted[point], in turn, so that a disturbance hits all alike; more
 * points than wanted may be measured. 0, -EINTR, or -errno with a sentence.
 */
typedef int (*km_tlb_meter)(void *context, struct km_tlb_samples *samples, const bool *wanted,
			    uint32_t rounds, struct km_err *err);

/*
 * Adds the points of all sizes of the places. 0; -ENODATA: a point was not measured; or the
 * meter's code.
 */
int km_tlb_measure_points(struct km_tlb_calibration *calibration, const uint8_t *places,
			  unsigned nr_places, uint32_t rounds, km_tlb_meter measure, void *context,
			  struct km_err *err);

/* Is the interval narrow enough? */
bool km_tlb_point_agrees(const struct km_tlb_point *point);
/* How many points were measured again, and how many rounds still do not agree. */
void km_tlb_count_again(const struct km_tlb_calibration *calibration, unsigned *again,
			unsigned *apart);

#endif
