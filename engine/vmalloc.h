/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vmalloc layer's own parts: areas, the trees they lie in, page tables, lazy purge. Models
 * mm/vmalloc.c and arch/x86/mm/pgtable.c, 5.15 - 7.2 (kernel-facts: D).
 */
#ifndef ENGINE_VMALLOC_H
#define ENGINE_VMALLOC_H

#include <kmlab/machine.h>
#include <kmlab/vm_state.h>

/* ---- areas and trees (vm_space.c, vm_tree.c) ---- */

/* One range of addresses: free, handed out, or parked. Only in one tree or list at a time. */
struct vm_area {
	uint64_t start, end; /* end is one past, guard included */
	struct vm_area *parent, *child[2];
	struct vm_area *next;       /* in lists */
	uint64_t max;               /* largest range of this subtree, bytes */
	uint64_t object;            /* the vmap_area on the machine; 0: older than the machine */
	uint64_t descriptor, array; /* vm_struct and page-pointer array on the machine, or 0 */
	uint64_t pages;             /* data pages; 0 for address space only */
	uint64_t bytes;             /* handed out, guard not included */
	uint16_t tag;               /* pool node + 1, 0 = none */
	uint8_t depth;              /* wanted in a tree of given shape (km_vm_space_build) */
	bool red;
	bool mapped;
};

/* A balanced tree of disjoint ranges by address; each node knows the largest range below it. */
struct vm_space {
	struct vm_area *root;
	size_t count;
};

/* vm_tree.c: links, balance, maxima; no other than these functions know of them. */
bool km_vm_tree_insert(struct vm_space *space, struct vm_area *area); /* false: it overlaps */
void km_vm_tree_remove(struct vm_space *space, struct vm_area *area);
/* The maximum of a node from its children; of it and those above, after its size has changed. */
void km_vm_tree_pull(struct vm_area *area);
void km_vm_tree_pull_up(struct vm_area *area);

/*
 * The lowest address >= from that is aligned and starts `bytes` free bytes, ending at or before
 * `limit`; the area it lies in. NULL if there is none. With an alignment above a page only areas
 * that hold bytes + align - 1 are searched for, as Linux does.
 */
struct vm_area *km_vm_space_search(const struct vm_space *space, uint64_t bytes, uint64_t align,
				   uint64_t from, uint64_t limit, uint64_t *addr);
/*
 * Cut [addr, addr + bytes) out of `area`. A cut from the middle needs a second node and takes
 * *spare (set to NULL then). Returns the area's record if nothing of it is left, else NULL.
 */
struct vm_area *km_vm_space_cut(struct vm_space *space, struct vm_area *area, uint64_t addr,
				uint64_t bytes, struct vm_area **spare);
/* Where a cut would leave free space on both sides. */
static inline bool vm_cut_splits(const struct vm_area *area, uint64_t addr, uint64_t bytes)
{
	return addr > area->start && addr + bytes < area->end;
}
/* No merging. False if it overlaps another range. */
bool km_vm_space_insert(struct vm_space *space, struct vm_area *area);
/*
 * Insert and merge with both neighbours. Records no longer needed (0, 1 or 2) come back as a chain
 * by `next`. False if it overlaps.
 */
bool km_vm_space_merge(struct vm_space *space, struct vm_area *area, struct vm_area **unused);
void km_vm_space_remove(struct vm_space *space, struct vm_area *area);
/* The area that starts at `start`, or NULL. */
struct vm_area *km_vm_space_find(const struct vm_space *space, uint64_t start);
/* Ascending; NULL at the end. */
struct vm_area *km_vm_space_first(const struct vm_space *space);
struct vm_area *km_vm_space_next(const struct vm_area *area);
/* Steps from the root; 0 is the root. */
unsigned km_vm_space_depth(const struct vm_area *area);
/*
 * A tree of the shape that the ascending areas' `depth` and `red` say. False when they describe
 * none that is balanced; the areas are linked then, but not owned by the space.
 */
bool km_vm_space_build(struct vm_space *space, struct vm_area **areas, size_t count);
/* All areas ascending as a list by `next`; the space is empty afterwards. */
struct vm_area *km_vm_space_drain(struct vm_space *space);
void km_vm_space_each(const struct vm_space *space, void (*visit)(void *, struct vm_area *),
		      void *context);
/* 0, or -EINVAL when order, colours or a maximum are wrong. */
int km_vm_space_validate(const struct vm_space *space);

/* ---- page tables (page_table.c) ---- */

#define VM_HUGE_PAGES 512u /* 4 KiB pages of a 2 MiB leaf */
#define VM_HUGE_BYTES ((uint64_t)VM_HUGE_PAGES << KM_PAGE_SHIFT)

struct page_table;

int km_page_table_create(struct km_machine *machine, struct page_table **table);
void km_page_table_destroy(struct page_table *table);
/* Map `count` pages from addr on. 0 or -ENOMEM; what was mapped by then stays mapped. */
int km_page_table_map(struct page_table *table, unsigned cpu, uint64_t addr, const km_pfn *pfns,
		      uint64_t count);
/* One 2 MiB leaf; a page of 4 KiB entries that lay there is given back. */
int km_page_table_map_huge(struct page_table *table, unsigned cpu, uint64_t addr, km_pfn pfn);
/*
 * Clear what is mapped in `count` pages from addr on; tables stay. How many pages were mapped;
 * which, into pfns unless it is NULL.
 */
uint64_t km_page_table_unmap(struct page_table *table, uint64_t addr, uint64_t count, km_pfn *pfns);
/* Page behind addr, KM_PFN_NONE if none. */
km_pfn km_page_table_lookup(const struct page_table *table, uint64_t addr, bool *huge);
uint64_t km_page_table_pages(const struct page_table *table);
/* Leaves of the whole table by counting its entries. */
void km_page_table_count(const struct page_table *table, uint64_t *leaf_4k, uint64_t *leaf_2m);
/* Leaves as kept up to date by map and unmap. */
void km_page_table_leaves(const struct page_table *table, uint64_t *leaf_4k, uint64_t *leaf_2m);

/* ---- the layer ---- */

#define VM_POOL_LISTS 256u /* areas up to 1 MiB, by pages */

struct vm_pool_list {
	struct vm_area *head, *tail;
	uint32_t count;
};

/* Address space is spread over nodes by 64 KiB (6.9 and later), one node before. */
struct vm_node {
	struct vm_space busy, parked;
	struct vm_pool_list *pool; /* [VM_POOL_LISTS]; NULL with a single node */
};

struct vm_layer {
	struct km_machine *machine;
	struct vm_space free;
	struct vm_node *nodes;
	unsigned nr_nodes;
	uint64_t lazy_pages, lazy_max;
	bool held;               /* the purging worker waits */
	struct vm_area *records; /* unused */
	struct vm_chunk *chunks;
	void *area_cache;  /* "vmap_area" on the machine */
	uint64_t *preload; /* per CPU: a vmap_area kept for a split, or 0 */
	struct page_table *table;
	km_pfn *pfns; /* one call's pages */
	uint64_t pfns_room;
	struct km_vm_usage usage;
};

static inline struct vm_node *vm_node_of(struct vm_layer *vm, uint64_t addr)
{
	return &vm->nodes[(addr >> 16) % vm->nr_nodes];
}

/* vm_record.c: host records, with the vmap_area that stands for each on the machine. */
struct vm_area *km_vm_record_get(struct vm_layer *vm);
/* Free the chain of records and their objects. */
void km_vm_record_put(struct vm_layer *vm, unsigned cpu, struct vm_area *chain);
uint64_t km_vm_object_get(struct vm_layer *vm, unsigned cpu, uint32_t gfp);
void km_vm_object_put(struct vm_layer *vm, unsigned cpu, uint64_t object);
void km_vm_record_destroy(struct vm_layer *vm);

/* vm_lazy.c: parking, purge, pools. */
/* Address space for bytes (guard included); purges and retries once. NULL when there is none. */
struct vm_area *km_vm_range_get(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
				uint32_t gfp);
/* The area leaves the busy tree and waits; over the limit everything that waits is purged. */
void km_vm_range_park(struct vm_layer *vm, unsigned cpu, struct vm_area *area);
/* Newest first on its size's list. False when the node has no pool or the area is too large. */
bool km_vm_pool_put(struct vm_node *node, struct vm_area *area);
/* everything: pools are emptied too. False when nothing was waiting. */
bool km_vm_purge(struct vm_layer *vm, unsigned cpu, bool everything);

#endif
