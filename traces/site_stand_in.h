/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses for call sites whose own are not known, or not to be told. Of the upper bits only 62 is
 * set: no machine has such addresses, they are not canonical.
 */
#ifndef KMLAB_TRACES_SITE_STAND_IN_H
#define KMLAB_TRACES_SITE_STAND_IN_H

#include <kmlab/types.h>

/* A symbol by number, from 1 on, and the offset in it. */
static inline uint64_t km_site_stand_in(uint64_t symbol, uint32_t offset)
{
	return ((uint64_t)1 << 62) + (symbol << 24) + (offset & 0xffffff);
}

static inline bool km_site_is_stand_in(uint64_t address)
{
	return address >> 60 == 4;
}

#endif
