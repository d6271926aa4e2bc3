/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which way each call went: exact counts, kept by the models, named as in results ("paths").
 * One list serves the struct, the names and the sum.
 */
#ifndef KMLAB_COUNTERS_H
#define KMLAB_COUNTERS_H

#include <kmlab/types.h>

/* X(field, meaning) */
#define KM_COUNTERS(X)                                                                             \
	X(slab_fast, "object from the CPU's own free list or main sheaf")                          \
	X(slab_refill, "CPU slab's own free list taken over")                                      \
	X(slab_cpu_partial, "CPU partial slab taken")                                              \
	X(slab_node_partial, "node partial slabs taken")                                           \
	X(slab_new, "new slab allocated")                                                          \
	X(slab_fallback_order, "new slab at the minimum order because the preferred failed")       \
	X(slab_fail, "slab allocation failed")                                                     \
	X(slab_free_fast, "freed to the CPU slab or main sheaf")                                   \
	X(slab_free_slow, "freed to another slab")                                                 \
	X(slab_put_cpu_partial, "slab put on the CPU partial chain")                               \
	X(slab_unfreeze, "CPU partial chain moved to the node")                                    \
	X(slab_discard, "empty slab released")                                                     \
	X(sheaf_refill, "sheaf filled from slabs")                                                 \
	X(sheaf_flush, "sheaf flushed to slabs")                                                   \
	X(sheaf_barn_get, "sheaf exchanged with the barn")                                         \
	X(slab_own_alloc, "kmalloc of the slab layer's own: sheaf, barn, accounting vector")       \
	X(slab_own_free, "kfree of one of these")                                                  \
	X(array_shared, "slab: CPU array refilled from the shared array")                          \
	X(array_refill, "slab: CPU array refilled from listed slabs")                              \
	X(array_flush, "slab: full CPU array gave a batch back")                                   \
	X(array_reap, "slab: idle array reaped")                                                   \
	X(slob_pages_searched, "slob: partly free pages looked at")                                \
	X(kmalloc_large, "kmalloc served by pages")                                                \
	X(pcp_hit, "page from a nonempty per-CPU list")                                            \
	X(pcp_refill, "per-CPU list refilled from the buddy")                                      \
	X(pcp_free, "page freed to a per-CPU list")                                                \
	X(pcp_drain, "per-CPU list drained to the buddy")                                          \
	X(buddy_take, "block taken from a free list")                                              \
	X(buddy_split, "block split in two")                                                       \
	X(buddy_free, "block given to the free lists")                                             \
	X(buddy_merge, "two buddies merged")                                                       \
	X(fallback_claim, "pageblock claimed for another migratetype")                             \
	X(fallback_steal, "block stolen from another migratetype")                                 \
	X(extfrag, "events a kernel would report as mm_page_alloc_extfrag")                        \
	X(page_slowpath, "requests that left the fast pass")                                       \
	X(page_fail, "page allocation failed")                                                     \
	X(page_reclaim, "pages that reclaim freed")                                                \
	X(page_oom, "requests for which Linux would kill a task")                                  \
	X(vm_search, "address found in the free-area tree")                                        \
	X(vm_pool, "address taken from a per-node pool")                                           \
	X(vm_purge, "lazy areas purged")                                                           \
	X(vm_fail, "no address space or pages for vmalloc")                                        \
	X(vm_block, "parts of a block given by vm_map_ram")                                        \
	X(tlb_flush, "kernel TLB flushes, each on every CPU")                                      \
	X(tlb_flush_full, "of these, of more than 33 pages: whole TLBs")                           \
	X(tlb_flush_cpu, "kernel TLB flushes counted on each CPU")                                 \
	X(pte_set, "page-table entries written")                                                   \
	X(pte_clear, "page-table entries cleared")                                                 \
	X(bump_alloc, "object from the bump pointer")

struct km_counters {
#define X(field, meaning) uint64_t field;
	KM_COUNTERS(X)
#undef X
};

#define KM_NR_COUNTERS (sizeof(struct km_counters) / sizeof(uint64_t))

/* index < KM_NR_COUNTERS */
static inline const char *km_counter_name(unsigned index)
{
	static const char *const names[] = {
#define X(field, meaning) #field,
		KM_COUNTERS(X)
#undef X
	};
	return names[index];
}

static inline uint64_t km_counter_value(const struct km_counters *counters, unsigned index)
{
	return ((const uint64_t *)counters)[index];
}

#endif
