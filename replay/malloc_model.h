/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model malloc:LIBRARY.so: a user-space allocator in the place of the slab layer, for scale. It
 * hands out host memory, which nobody reads or writes; so it has latencies and no footprint. What a
 * trace leaves in use stays allocated until kmlab ends.
 */
#ifndef REPLAY_MALLOC_MODEL_H
#define REPLAY_MALLOC_MODEL_H

#include <kmlab/err.h>
#include <kmlab/model.h>

/*
 * The model of a library by file name or path; loaded once, kept to the end. NULL with a sentence:
 * the library is not there, or has no malloc.
 */
const struct km_model *km_malloc_model(const char *library, struct km_err *err);

#endif
