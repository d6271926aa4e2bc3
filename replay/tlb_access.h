/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a trace's objects do to a TLB. A trace holds allocations and frees, not loads: which memory
 * is touched is a model, named wherever its numbers are shown.
 *	A0	the allocator and the call itself, exact: the free pointer within a slab object, the
 *		page structures of pages handed out or given back, the object's first and last line
 *	A1	A0, and every line of the object once after its allocation (once more where zeroed)
 *	A2:L	A0, and L touches of live objects per allocation, Zipf-distributed over them
 * The direct map is taken in pages of 1 GiB, 2 MiB and 4 KiB; vmalloc memory as it is mapped. Each
 * CPU has its own TLB; a flush of the vmalloc range empties all.
 */
#ifndef REPLAY_TLB_ACCESS_H
#define REPLAY_TLB_ACCESS_H

#include "replay/measure.h"
#include "replay/tlb_choice.h"

#define KM_TLB_ACCESSES 5
extern const char *const km_tlb_access_names[KM_TLB_ACCESSES]; /* A0 A1 A2:1 A2:4 A2:16 */

/* Pages of the direct map: 1G, 2M, 4K. */
#define KM_TLB_MAPS 3
extern const uint8_t km_tlb_maps[KM_TLB_MAPS]; /* enum km_tlb_size */

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
	char why[160]; /* nothing was measured; "" it was */
	struct km_tlb_counts lanes[KM_TLB_ACCESSES][KM_TLB_MAPS];
	/* Distinct pages that A0 touches in a window, mean over the trace; NAN: shorter than one.
	 */
	double working_set[KM_TLB_MAPS][KM_TLB_WINDOWS];
	/* Misses per reference of A0 in a fully associative LRU TLB. */
	double miss_ratio[KM_TLB_MAPS][KM_TLB_CAPACITIES];
	/* A0, by size class and map. */
	struct km_tlb_share classes[KM_SIZE_CLASSES][KM_TLB_MAPS];
	/* A0 with a direct map of 1 GiB pages, by site id; NULL: not asked for. */
	struct km_tlb_share *sites;
	uint32_t nr_sites;
	double pages_peak, page_table_peak; /* pages; bytes */
};

/* A pass of its own. site_to_vmalloc: objects of that site become areas; UINT32_MAX: none. */
struct km_tlb_pass {
	const struct km_program *program;
	struct km_trace *trace;
	const struct km_start *start;
	const struct km_model_choice *model;
	const struct km_tlb_choice *tlb;
	uint64_t seed;
	bool by_site;
	uint32_t site_to_vmalloc;
};

/* 0, -EINTR, or -errno with a sentence. *measures is malloc'd: km_tlb_measures_free(). */
int km_tlb_measure(const struct km_tlb_pass *pass, struct km_tlb_measures **measures,
		   struct km_err *err);
void km_tlb_measures_free(struct km_tlb_measures *measures);

/* Per thousand references. */
double km_tlb_per_kref(uint64_t count, const struct km_tlb_counts *counts);

#endif
