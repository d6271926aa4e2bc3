/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A profile: the behaviours that differ between kernel generations, one switch each, so that a
 * machine can be set to what a capture found ("features, not version numbers": stable kernels
 * carry backports). The table of named profiles is engine/profile.c.
 */
#ifndef KMLAB_PROFILE_H
#define KMLAB_PROFILE_H

#include <kmlab/types.h>

enum km_slab_front {
	KM_FRONT_CPU_SLAB, /* 5.15 - 6.18: CPU slab, CPU partial slabs */
	KM_FRONT_SHEAVES,  /* 7.x: sheaves on every cache */
};

enum km_fallback { KM_FALLBACK_STEAL, KM_FALLBACK_CLAIM }; /* mm/page_alloc.c up to 6.10; later */

/* X(type, field, "switch=value" name, meaning) */
#define KM_PROFILE_SWITCHES(X)                                                                     \
	/* slab */                                                                                 \
	X(uint8_t, slab_front, "slab_front", "0: slabs of a CPU, 1: sheaves on every cache (7.x)") \
	X(bool, order_old, "order_old", "calculate_order() before 6.8")                            \
	X(bool, cpu_partial_objects, "cpu_partial_objects",                                        \
	  "5.15: CPU partials limited in objects")                                                 \
	X(bool, sheaves_opt_in, "sheaves_opt_in", "6.18: sheaves where the cache asks for them")   \
	X(bool, try_node_first, "try_node_first",                                                  \
	  "6.12+: explicit node is tried with NOWAIT first")                                       \
	X(bool, comp_always, "comp_always", "6.12+: __GFP_COMP on order-0 slabs too")              \
	X(bool, kmalloc_align, "kmalloc_align",                                                    \
	  "6.12+: classes aligned to their power-of-two factor")                                   \
	X(bool, kmalloc_cg, "kmalloc_cg",                                                          \
	  "accounted requests have classes of their own (0: cgroup.memory=nokmem)")                \
	X(bool, own_kmallocs, "own_kmallocs",                                                      \
	  "sheaves and accounting vectors are kmallocs (0: the calls executed contain them)")      \
	X(uint8_t, memcg, "memcg",                                                                 \
	  "memory cgroups: 0 none or nokmem, 1 there are some, 2 and callers are in one")          \
	X(bool, vector_may_fail, "vector_may_fail",                                                \
	  "6.1+: accounting vectors are asked for without __GFP_NOFAIL")                           \
	X(bool, vector_in_slab, "vector_in_slab",                                                  \
	  "7.x: accounting vectors lie in the slab where they find room")                          \
	X(bool, vector_no_comp, "vector_no_comp",                                                  \
	  "7.x: accounting vectors are asked for without __GFP_COMP")                              \
	X(bool, kmalloc_random, "kmalloc_random",                                                  \
	  "6.6+: CONFIG_RANDOM_KMALLOC_CACHES, 16 copies of each class")                           \
	X(bool, kmalloc_buckets, "kmalloc_buckets",                                                \
	  "6.12+: CONFIG_SLAB_BUCKETS, memdup_user and msg_msg have classes of their own")         \
	X(bool, krealloc_exact, "krealloc_exact",                                                  \
	  "6.18+: krealloc() stays within the object's size, and minds alignment")                 \
	X(bool, krealloc_zeroes, "krealloc_zeroes",                                                \
	  "6.1+: krealloc(__GFP_ZERO) in place clears the tail")                                   \
	X(bool, roundup_limited, "roundup_limited",                                                \
	  "6.6+: kmalloc_size_roundup() stops at KMALLOC_MAX_SIZE")                                \
	X(bool, kvmalloc_any_gfp, "kvmalloc_any_gfp",                                              \
	  "6.1+: kvmalloc() falls back for all flags that may sleep")                              \
	X(bool, kvmalloc_no_reclaim, "kvmalloc_no_reclaim",                                        \
	  "6.18+: kvmalloc() tries kmalloc without direct reclaim")                                \
	X(bool, kvmalloc_atomic, "kvmalloc_atomic",                                                \
	  "7.x: kvmalloc() falls back without sleeping, too")                                      \
	X(bool, kvrealloc_by_size, "kvrealloc_by_size",                                            \
	  "6.12+: kvrealloc() finds the old size, and works in place")                             \
	X(bool, partial_count_sampled, "partial_count_sampled",                                    \
	  "6.12+: slabinfo samples long partial lists")                                            \
	X(bool, random_freelist, "random_freelist", "CONFIG_SLAB_FREELIST_RANDOM")                 \
	X(bool, hardened_freelist, "hardened_freelist",                                            \
	  "CONFIG_SLAB_FREELIST_HARDENED: free pointers are encoded, and none names itself")       \
	X(bool, merge, "merge", "caches of one geometry are merged")                               \
	X(uint8_t, debug_track, "debug_track", "user tracking: bytes of one record")               \
	X(uint8_t, debug_orig_size, "debug_orig_size",                                             \
	  "user tracking: bytes for the size asked of kmalloc")                                    \
	X(uint8_t, debug_outside, "debug_outside",                                                 \
	  "where that is kept the free pointer lies outside: 1 always, 2 with red zones")          \
	X(bool, slab_large_classes, "slab_large_classes",                                          \
	  "5.15: model slab has kmalloc classes up to 4 MiB")                                      \
	/* pages */                                                                                \
	X(uint8_t, fallback, "fallback",                                                           \
	  "from other migratetypes, 0: steal (up to 6.10), 1: claim blocks")                       \
	X(uint8_t, pcp_generation, "pcp_generation", "0: 5.15, 1: 6.1-6.6, 2: 6.7+")               \
	X(bool, pcp_high_order_slack, "pcp_high_order_slack",                                      \
	  "6.18+: free_high needs batch+high_min/2")                                               \
	X(bool, pcp_drain_chunks, "pcp_drain_chunks", "7.x: drains in chunks of batch")            \
	X(bool, pcp_thp_two, "pcp_thp_two", "6.1+: two order-9 lists (5.15: three)")               \
	X(bool, freelist_hygiene, "freelist_hygiene",                                              \
	  "6.10+: free pages lie on their block's list")                                           \
	X(bool, highatomic_from_buddy, "highatomic_from_buddy",                                    \
	  "7.x: reserve only from the buddy")                                                      \
	X(bool, highatomic_rounded, "highatomic_rounded",                                          \
	  "6.12+: limit rounded up, none if small")                                                \
	X(bool, highatomic_free_only, "highatomic_free_only",                                      \
	  "6.12+: of the reserve only free pages are kept back")                                   \
	X(bool, highatomic_nonblock, "highatomic_nonblock",                                        \
	  "6.6: rights to it without __GFP_HIGH")                                                  \
	X(bool, highatomic_last_resort, "highatomic_last_resort",                                  \
	  "6.1+: taken from when all else failed")                                                 \
	X(bool, reserve_harder, "reserve_harder", "5.15: reserve rights come from __GFP_ATOMIC")   \
	X(bool, nofragment_any_order, "nofragment_any_order",                                      \
	  "5.15: no mixing holds above pageblocks too")                                            \
	X(bool, slowpath_single, "slowpath_single", "7.x: one slow walk unless rights improve")    \
	X(bool, exact_to_tail, "exact_to_tail",                                                    \
	  "6.1+: alloc_pages_exact() gives its rest to the buddy, not to the CPU")                 \
	X(bool, gfp_atomic_bit, "gfp_atomic_bit", "5.15, 6.1: __GFP_ATOMIC exists")                \
	X(bool, watermark_movable_small, "watermark_movable_small",                                \
	  "6.6+: MOVABLE's min mark is 32-128 pages")                                              \
	X(uint8_t, reclaim, "reclaim",                                                             \
	  "what a request that must reclaim finds: none, oom, or N% of the movable pages of the "  \
	  "start")                                                                                 \
	/* vmalloc */                                                                              \
	X(bool, vmap_nodes, "vmap_nodes", "6.9+: per-node pools and trees")                        \
	X(bool, vmalloc_bulk, "vmalloc_bulk", "6.1+: data pages from the bulk allocator")          \
	X(bool, vmalloc_high_orders, "vmalloc_high_orders", "7.x: data pages in blocks, split")    \
	X(bool, vmalloc_huge, "vmalloc_huge", "6.1+ on x86_64: 2 MiB mappings where allowed")      \
	X(bool, vmap_block_sparing, "vmap_block_sparing",                                          \
	  "6.5+: vm_unmap_aliases leaves blocks with a quarter free")                              \
	X(uint8_t, vmap_block_order, "vmap_block_order",                                           \
	  "log2 of a vm_map_ram block's pages, from NR_CPUS: 10 up to 512, 8 (Debian) from 2048")  \
	X(bool, la57, "la57", "five levels of page tables: vmalloc elsewhere, one table more")     \
	X(bool, vrealloc_frees, "vrealloc_frees", "7.x: shrinking in place gives pages back")      \
	X(bool, vm_requested_size, "vm_requested_size", "6.18+: vm_struct keeps the size asked for")

/*
 * Reclaim is a policy of the machine, not of a kernel generation; every profile begins with none.
 * none: the request fails where reclaim would begin. oom: reclaim finds nothing; the request goes
 * the rest of the kernel's way and fails where a task would be killed. 1 to 100: so many percent of
 * the movable pages that were in use at the start can be reclaimed, 32 at a time.
 */
enum km_reclaim { KM_RECLAIM_NONE = 0, KM_RECLAIM_ALL = 100, KM_RECLAIM_OOM = 101 };

/* The switch memcg: is there any memory cgroup but the root, and are the callers in one? */
enum km_memcg { KM_MEMCG_NONE, KM_MEMCG_ROOT, KM_MEMCG_CHARGED };

struct km_profile {
	const char *name; /* "6.1" */
#define X(type, field, text, meaning) type field;
	KM_PROFILE_SWITCHES(X)
#undef X
};

/* The profile of that exact name ("5.15" "6.1" "6.6" "6.12" "6.18" "7.2"), or NULL. */
const struct km_profile *km_profile_find(const char *name);

/* The newest profile not newer than a `uname -r` string; the oldest for older kernels. */
const struct km_profile *km_profile_for_release(const char *release);

/* The largest value a switch takes; 0 for an unknown one. */
uint64_t km_profile_max(const char *name);

/* Set one switch by its text name. 0, -ENOENT for an unknown switch, -ERANGE above its maximum. */
int km_profile_set(struct km_profile *profile, const char *name, uint64_t value);

/*
 * A switch's value as people write it: reclaim takes none, oom and N%, all others numbers. 0, or
 * -ENOENT: it is no such word, but may be a number.
 */
int km_profile_word(const char *name, const char *text, uint64_t *value);
/* The other way round; quoted words are what JSON wants for those of `reclaim`. */
const char *km_profile_text(const char *name, uint64_t value, char text[24], bool quoted);

/* Names in order, NULL-terminated. */
const char *const *km_profile_names(void);

#endif
