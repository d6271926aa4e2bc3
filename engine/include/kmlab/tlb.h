/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data side of address translation: which references find their page in the L1 or L2 TLB, and
 * what the others cost to walk. Any geometry, entries of four sizes mixed or apart, three
 * replacement policies, paging-structure caches, the cache level of each page-table line, and
 * nested paging. Counts are exact for the spec; cycles are counts times the spec's costs.
 *
 * Sources: Intel SDM vol. 3A 4.10 (TLBs, paging-structure caches), AMD APM vol. 2 5.5 and 15.25
 * (nested walks); Bhargava et al., ASPLOS 2008 (two-dimensional walks).
 */
#ifndef KMLAB_TLB_H
#define KMLAB_TLB_H

#include <kmlab/env.h>

/* 16K: four neighbouring 4 KiB pages, contiguous and aligned, that share an entry (coalescing). */
enum km_tlb_size { KM_TLB_4K, KM_TLB_16K, KM_TLB_2M, KM_TLB_1G, KM_TLB_SIZES };
#define KM_TLB_HOLDS(size) (1u << (size))
#define KM_TLB_HOLDS_ALL 0xfu

enum km_tlb_policy { KM_TLB_LRU, KM_TLB_PLRU, KM_TLB_RANDOM, KM_TLB_POLICIES };

/* "4K" … "1G", "lru" "plru" "random"; and log2 of the bytes a size covers. */
extern const char *const km_tlb_size_names[KM_TLB_SIZES];
extern const char *const km_tlb_policy_names[KM_TLB_POLICIES];
extern const uint8_t km_tlb_shift[KM_TLB_SIZES];

struct km_tlb_array_spec {
	uint32_t entries; /* 0: there is none */
	uint32_t ways;    /* divides entries; 0: fully associative. The sets need no power of two */
	uint8_t holds;    /* KM_TLB_HOLDS() of the sizes; TLB levels only */
	uint8_t policy;   /* enum km_tlb_policy */
};

#define KM_TLB_ARRAYS 4 /* of one level: apart by size, or one for several sizes */
/* Paging-structure caches, by what an entry lets the walk skip to: PT, PD, PDPT, PML4. */
#define KM_TLB_STRUCTURES 4
/* Where a page-table line may lie: two cache levels that it can be held in, or memory. */
#define KM_TLB_LINE_LEVELS 3

struct km_tlb_spec {
	struct km_tlb_array_spec l1[KM_TLB_ARRAYS], l2[KM_TLB_ARRAYS];
	struct km_tlb_array_spec structures[KM_TLB_STRUCTURES];
	/* Page-table lines (64 bytes, 8 entries) that the L2 and the L3 cache keep; none: memory.
	 */
	struct km_tlb_array_spec lines[KM_TLB_LINE_LEVELS - 1];
	bool data_lines; /* every reference takes a line there, too: `lines` are whole caches */
	uint8_t levels;  /* 4 or 5; of the guest's and the host's tables */
	/* An entry covers at most the page by which a host backs the guest; KM_TLB_1G: no limit. */
	uint8_t host_size; /* enum km_tlb_size */
	/* Each step of the guest's walk first needs the host's translation. */
	bool nested;
	struct km_tlb_array_spec host_tlb; /* guest-physical translations kept; none: walk each */
	uint32_t l2_hit_cycles;            /* what an L1 miss adds when the L2 TLB has the page */
	/* What a walk to a page of that size adds beside its lines. */
	uint32_t walk_cycles[KM_TLB_SIZES];
	uint32_t line_cycles[KM_TLB_LINE_LEVELS]; /* one page-table line, by where it lies */
};

struct km_tlb_counts {
	uint64_t refs, l1_misses, l2_misses; /* an l2 miss is a walk */
	uint64_t walks[KM_TLB_SIZES];        /* by the size that the guest's tables map */
	uint64_t lines[KM_TLB_LINE_LEVELS];  /* page-table lines that walks read */
	uint64_t host_walks;                 /* nested: host translations that had to be walked */
};

struct km_tlb;

/* 0; -EINVAL: a spec that is no TLB (ways that do not divide, levels, sizes); -ENOMEM. */
int km_tlb_create(struct km_env *env, const struct km_tlb_spec *spec, struct km_tlb **tlb);
void km_tlb_destroy(struct km_tlb *tlb);

/*
 * One reference to an address that the guest maps with a page of that size. A size that no array
 * of a level holds is kept there as the next smaller one that is. Which level had it:
 * 1, 2, or 3 = walked.
 */
int km_tlb_access(struct km_tlb *tlb, uint64_t addr, enum km_tlb_size size);

/* What became of a reference, and the page-table lines that it read. */
struct km_tlb_outcome {
	uint8_t level; /* as km_tlb_access() says */
	uint8_t lines[KM_TLB_LINE_LEVELS];
};

/*
 * n references in order, with the counts of one by one, and faster; to pages of one size, or
 * of sizes[i] (enum km_tlb_size) each. outcomes[n]: filled; NULL: not asked for.
 */
void km_tlb_access_many(struct km_tlb *tlb, const uint64_t *addrs, size_t n, enum km_tlb_size size);
void km_tlb_access_each(struct km_tlb *tlb, const uint64_t *addrs, const uint8_t *sizes, size_t n,
			struct km_tlb_outcome *outcomes);

/* Empty both levels and the paging-structure caches; lines stay in the caches. */
void km_tlb_flush(struct km_tlb *tlb);
/* invlpg for each page of a range: its entries, and all paging-structure entries (SDM 4.10.4.1). */
void km_tlb_invalidate(struct km_tlb *tlb, uint64_t addr, uint64_t bytes);

void km_tlb_read(const struct km_tlb *tlb, struct km_tlb_counts *counts);
void km_tlb_reset_counts(struct km_tlb *tlb);
/* Cycles of all walks so far, and of walks and L2 hits, by the spec's costs. */
uint64_t km_tlb_walk_cycles(const struct km_tlb_spec *spec, const struct km_tlb_counts *counts);
uint64_t km_tlb_cycles(const struct km_tlb_spec *spec, const struct km_tlb_counts *counts);

/* ---- miss-ratio curves: reuse distances of one stream of pages (Mattson et al., 1970) ---- */

#define KM_TLB_CURVE_ENTRIES 65536u

struct km_tlb_curve;

/* Exact for fully associative LRU of every capacity up to KM_TLB_CURVE_ENTRIES, in one pass. */
int km_tlb_curve_create(struct km_env *env, struct km_tlb_curve **curve);
void km_tlb_curve_destroy(struct km_tlb_curve *curve);
/* 0, or -ENOMEM: the reference is not counted. `page` < UINT64_MAX names the page. */
int km_tlb_curve_add(struct km_tlb_curve *curve, uint64_t page);
uint64_t km_tlb_curve_refs(const struct km_tlb_curve *curve);
uint64_t km_tlb_curve_pages(const struct km_tlb_curve *curve); /* distinct ones so far */
/* Misses, first touches included, of an LRU TLB with that many entries (clamped to the limit). */
uint64_t km_tlb_curve_misses(const struct km_tlb_curve *curve, uint32_t entries);

#endif
