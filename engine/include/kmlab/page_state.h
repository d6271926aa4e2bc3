/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of the buddy page layer as plain data, to start a machine where a real kernel was and
 * to compare where both ended. For machines whose page layer is the buddy only (its ops are named
 * "buddy"); `self` is machine->page.
 */
#ifndef KMLAB_PAGE_STATE_H
#define KMLAB_PAGE_STATE_H

#include <kmlab/machine.h>

/* Per-CPU lists: 3 * order + migratetype for orders 0-3, then order 9 (two lists; 5.15: three). */
#define KM_PCP_LISTS 15

/* First frames of blocks, head of the list first. */
struct km_pfn_list {
	uint32_t count;
	uint32_t *pfns;
};

/* From this frame on, up to the next entry: a pageblock's migratetype, or its movable pages. */
struct km_pageblock_run {
	uint64_t pfn;
	uint32_t value;
};

struct km_pcp_state {
	uint32_t cpu;
	int32_t count, high, batch;                           /* pages */
	int32_t free_factor;                                  /* up to 6.6 */
	int32_t high_min, high_max, alloc_factor, free_count; /* 6.7+ */
	uint32_t flags; /* bit 0: previous free was of order 1-3, bit 1: large cache slice */
	int32_t diff;   /* pages not yet in the zone's counter ("zx diff") */
	struct km_pfn_list lists[KM_PCP_LISTS];
};

struct km_zone_state {
	struct km_zone_spec spec;
	uint64_t mark[3]; /* min, low, high, without boost; all 0 on load: as computed */
	uint64_t boost, highatomic;
	uint64_t reserve[KM_NR_ZONES]; /* lowmem_reserve by highest zone of a request */
	/* The "zx" line; without it the counter is the sum of the free lists. */
	bool has_counter;
	int64_t nr_free;
	int32_t threshold;
	uint32_t flags; /* bit 0: boosted, 1: kswapd reclaims, 2: below high */
	uint64_t drift_mark;
	struct km_pfn_list free[KM_NR_ORDERS][KM_NR_MIGRATETYPES];
	unsigned nr_pcp;
	struct km_pcp_state *pcp;
	/* Migratetypes run-length; ascending. None: all MOVABLE. */
	unsigned nr_types;
	struct km_pageblock_run *types;
	/* Movable (LRU) pages in use, one entry per pageblock that has any. */
	unsigned nr_lru;
	struct km_pageblock_run *lru;
};

struct km_page_state {
	unsigned nr_zones;
	struct km_zone_state zones[KM_NR_ZONES];
};

/*
 * Replace the layer's whole state. Zones take the geometry given, which must lie within the
 * machine's frames; a zone not named becomes empty. Pages on no list are in use: movable in MOVABLE
 * pageblocks, unmovable elsewhere. 0, or -EINVAL for a state that contradicts itself (a block
 * twice, misaligned, outside its zone, an unknown type or CPU); the machine is then as at creation.
 */
int km_buddy_load_state(void *self, const struct km_page_state *state);

/* The state now, in arrays from the machine's env. 0 or -ENOMEM. Release it when done. */
int km_buddy_save_state(void *self, struct km_page_state *state);
void km_buddy_release_state(void *self, struct km_page_state *state);

/* What /proc/zoneinfo tells of one CPU's lists, in pages. */
struct km_pcp_seed {
	uint32_t count, high;
};

/* What /proc/pagetypeinfo and /proc/zoneinfo tell of one zone. */
struct km_zone_seed {
	uint8_t index; /* enum km_zone_index */
	uint64_t free_blocks[KM_NR_ORDERS][KM_NR_MIGRATETYPES];
	uint64_t pageblocks[KM_NR_MIGRATETYPES];
	unsigned nr_pcp; /* by CPU; those beyond have empty lists */
	const struct km_pcp_seed *pcp;
};

struct km_buddy_seed {
	unsigned nr_zones;
	struct km_zone_seed zones[KM_NR_ZONES];
};

/*
 * Start with exactly these free blocks, at places drawn from the machine's random state, in
 * pageblocks of their type, no two of them mergeable. All other memory of the zones named is in use
 * and never freed; movable (and counted as LRU pages) in MOVABLE pageblocks, unmovable elsewhere.
 * Pageblock counts are followed as far as the free blocks leave room. Per-CPU lists get
 * their number of pages, in short runs at drawn places, all of order 0: nobody tells of which they
 * are. Zones not named keep all their memory free. 0, -EINVAL (unknown zone or CPU), or -ENOSPC
 * (more pages than the zone can hold, or blocks unmerged); the machine is then as at creation.
 */
int km_buddy_seed_free(void *self, const struct km_buddy_seed *seed);

/*
 * What a CPU's vmstat work does every vm.stat_interval (1 s) of time that the layer itself does not
 * know: its counter differences are folded, and from 6.7 on its lists' limits decay (mm/vmstat.c:
 * refresh_cpu_vm_stats; mm/page_alloc.c: decay_pcp_high).
 */
void km_buddy_refresh(void *self, unsigned cpu);

#endif
