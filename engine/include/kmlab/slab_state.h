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

/*
 * Make exactly `free` objects of a seeded slab free, as if it had been seeded so; what was handed
 * out since stays handed out. -EFAULT: no seeded slab begins there; -EINVAL: its place or its
 * handed-out objects do not allow that count, and nothing has changed.
 */
int km_slub_seed_count(void *self, uint64_t slab_base, unsigned free);

/* One object of a seeded slab that was in use at the start is freed. -EFAULT if none is left. */
int km_slub_free_seeded(void *self, unsigned cpu, uint64_t slab_base);

/*
 * From now on the object at `addr` is one of those that were in use at the start: which of a slab's
 * objects is freed does not matter to the slab. -EFAULT: no object that was handed out is there.
 */
int km_slub_make_seeded(void *self, uint64_t addr);

/* Has the slab at `slab_base` a free object, wherever it lies? False also when there is no slab. */
bool km_slub_has_free(void *self, uint64_t slab_base);

/*
 * Following a live kernel (CPU slab front only, caches without sheaves). The slab the next
 * allocation on this CPU would come from: its base address, 0 = a new one.
 */
uint64_t km_slub_next_slab(void *self, void *cache, unsigned cpu);

/*
 * The slabs that exist now, in the order in which this CPU would use them up if nothing was freed
 * and no other CPU took any: base addresses of the first `room` into bases[room]; how many.
 */
unsigned km_slub_coming_slabs(void *self, void *cache, unsigned cpu, uint64_t *bases,
			      unsigned room);

/*
 * Bring it about that the next allocation on this CPU comes from the slab at `slab_base` (0: a new
 * one). What the search would have found before it goes to the partial chain of CPU `other`. Free
 * objects of the slab the CPU leaves were freed to it afterwards by `other` (freed_late), or else
 * have come into use unseen. 0; -EINVAL: no such slab in this cache, it has no free object, or
 * other == cpu.
 */
int km_slub_switch_slab(void *self, void *cache, unsigned cpu, uint64_t slab_base, unsigned other,
			bool freed_late);

/* The kernel gave this slab back: so does the model. -EINVAL: no such slab, or objects are live. */
int km_slub_drop_slab(void *self, unsigned cpu, uint64_t slab_base);

#endif
