/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a trace's objects do to a TLB, under each access model (access.h). The direct map is taken
 * in pages of 1 GiB, 2 MiB and 4 KiB, and in a mixture if one is asked for; vmalloc memory as it is
 * mapped. Each CPU has its own TLB; a flush of the vmalloc range empties all.
 */
#ifndef REPLAY_TLB_ACCESS_H
#define REPLAY_TLB_ACCESS_H

#include "replay/access.h"
#include "replay/measure.h"
#include "replay/memory.h"
#include "replay/tlb_choice.h"

/* Pages of the direct map: 1G, 2M, 4K, and 2M of which a share is split into 4K. */
enum { KM_TLB_MAP_1G, KM_TLB_MAP_2M, KM_TLB_MAP_4K, KM_TLB_SPLIT, KM_TLB_MAPS };
const char *km_tlb_map_name(unsigned map); /* "1G" "2M" "4K" "split" */
/* The map in pages of that size, none of them split. */
unsigned km_tlb_map_of(enum km_leaf leaf);
/* "1G" "2M" "4K" or "split:25%", which sets *split_percent. 0, or -EINVAL with a sentence. */
int km_tlb_map_parse(const char *text, unsigned *map, unsigned *split_percent, struct km_err *err);

#define KM_TLB_WINDOWS 4
extern const uint32_t km_tlb_windows[KM_TLB_WINDOWS]; /* operations on objects */
#define KM_TLB_CAPACITIES 12
extern const uint32_t km_tlb_capacities[KM_TLB_CAPACITIES]; /* entries */

/* Of the references to objects of one kind: a size class, or a call site. */
struct km_tlb_share {
	struct km_tlb_counts counts;     /* refs, l1_misses, l2_misses, walks */
	uint64_t objects, asked, placed; /* bytes */
};

struct km_tlb_measures {
	char why[160];    /* nothing was measured; "" it was */
	unsigned nr_maps; /* KM_TLB_SPLIT, or KM_TLB_MAPS where the pass names a share */
	struct km_tlb_counts lanes[KM_ACCESSES][KM_TLB_MAPS];
	/* Distinct pages that A0 touches in a window, mean over the trace; NAN: shorter than one.
	 */
	double working_set[KM_TLB_MAPS][KM_TLB_WINDOWS];
	/* Misses per reference of A0 in a fully associative LRU TLB. */
	double miss_ratio[KM_TLB_MAPS][KM_TLB_CAPACITIES];
	/* Of the pass's share_access, by size class and map. */
	struct km_tlb_share classes[KM_SIZE_CLASSES][KM_TLB_MAPS];
	/* The same with its site_map, by site id; NULL: not asked for. */
	struct km_tlb_share *sites;
	uint32_t nr_sites;
	double pages_peak, page_table_peak; /* pages; bytes */
};

/* A pass of its own. */
struct km_tlb_pass {
	const struct km_program *program;
	struct km_trace *trace;
	const struct km_start *start;
	const struct km_model_choice *model;
	const struct km_tlb_choice *tlb;
	const struct km_access_spec *access;
	unsigned split_percent; /* of the 2 MiB blocks are mapped in 4 KiB pages; 0: no such map */
	uint64_t seed;
	bool by_site;
	unsigned site_map, share_access; /* what shares of sites, and all shares, are of */
	uint32_t site_to_vmalloc;        /* objects of that site become areas; UINT32_MAX: none */
};

/* 0, -EINTR, or -errno with a sentence. *measures is malloc'd: km_tlb_measures_free(). */
int km_tlb_measure(const struct km_tlb_pass *pass, struct km_tlb_measures **measures,
		   struct km_err *err);
void km_tlb_measures_free(struct km_tlb_measures *measures);

/* Per thousand references. */
double km_tlb_per_kref(uint64_t count, const struct km_tlb_counts *counts);

#endif
