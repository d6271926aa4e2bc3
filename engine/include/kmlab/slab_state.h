/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Starting the SLUB model from a live system's state: slabs that exist before the first call, and
 * the later freeing of objects that were in use then.
 */
#ifndef KMLAB_SLAB_STATE_H
#define KMLAB_SLAB_STATE_H

#include <kmlab/types.h>

/* Where a seeded slab is: the kind, and the CPU for the two kinds that belong to one. */
#define KM_SEED_KIND(place) ((place) >> 16)
#define KM_SEED_CPU(place) ((place)&0xffffu)
#define KM_SEED_CPU_SLAB(cpu) (0u << 16 | (cpu))
#define KM_SEED_CPU_PARTIAL(cpu) (1u << 16 | (cpu))
#define KM_SEED_NODE_PARTIAL (2u << 16)
#define KM_SEED_FULL (3u << 16)

struct km_seed_slab {
	uint32_t free;  /* free objects: 0 for KM_SEED_FULL, at least 1 on a partial list */
	uint32_t place; /* KM_SEED_* */
};

struct km_slab_seed {
	unsigned nr;
	/* [nr]; slabs of one list stand in list order, the one that is used next first */
	const struct km_seed_slab *slabs;
};

/*
 * Create these slabs in a cache of the "slub" slab layer (`self`), with pages of the page layer;
 * base addresses into slab_addrs_out[nr]. Their other objects are in use and count as live. The
 * CPU places exist only under the CPU slab front, one current slab per CPU.
 * 0; -EINVAL for a place or count that cannot be, -ENOMEM; on failure nothing has changed.
 */
int km_slub_seed(void *self, void *cache, const struct km_slab_seed *seed,
		 uint64_t *slab_addrs_out);

/* One object of a seeded slab that was in use at the start is freed. -EFAULT if none is left. */
int km_slub_free_seeded(void *self, unsigned cpu, uint64_t slab_base);

#endif
