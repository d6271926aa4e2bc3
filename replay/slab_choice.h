/* SPDX-License-Identifier: GPL-2.0-only */
/* Which slab Linux put every object in, against which one the SLUB model chooses: see fidelity.h.
 */
#ifndef REPLAY_SLAB_CHOICE_H
#define REPLAY_SLAB_CHOICE_H

#include "replay/fidelity.h"

/* Adds slab_choice and the caches (with the model's change of slab counts) to *fidelity. */
int km_slab_choice_measure(struct km_trace *trace, const struct km_start *start, uint64_t seed,
			   struct km_fidelity *fidelity, struct km_err *err);

#endif
