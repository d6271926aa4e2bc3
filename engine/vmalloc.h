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

struct vm_block;

/* What an area is there for. */
enum vm_kind {
	VM_KIND_PAGES, /* vmalloc: the pages are its own */
	VM_KIND_SPACE, /* address space without anything behind it */
	VM_KIND_MAP,   /* vmap, ioremap: the caller's */
	VM_KIND_RAM,   /* vm_map_ram of more than a block gives: no descriptor, no guard */
	VM_KIND_BLOCK, /* of which vm_map_ram gives parts */
};

/* One range of addresses: free, handed out, or parked. Only in one tree or list at a time. */
struct vm_area {
	uint64_t start, end; /* end is one past, guard included */
	struct vm_area *parent, *child[2];
	struct vm_area *next;       /* in lists */
	uint64_t max;               /* largest range of this subtree, bytes */
	uint64_t object;            /* the vmap_area on the machine; 0: older than the machine */
	uint64_t descriptor, array; /* vm_struct and page-pointer array on the machine, or 0 */
	uint64_t pages;             /* mapped; 0 for address space only and for blocks */
	uint64_t array_pages;       /* pages the array has room for */
	uint64_t bytes;             /* handed out, guard not included */
	uint16_t tag;               /* pool node + 1, 0 = none */
	uint8_t depth;              /* wanted in a tree of given shape (km_vm_space_build) */
	bool red;
	uint8_t kind; /* enum vm_kind, while handed out */
	bool mapped, huge;
	struct vm_block *block;
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

/* Of [start, end), multiples of 512 GiB. */
int km_page_table_create(struct km_machine *machine, uint64_t start, uint64_t end,
			 struct page_table **table);
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
	uint64_t start, end; /* of the range */
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
	struct vm_block *blocks;       /* of vm_map_ram, all */
	struct vm_block_queue *queues; /* per CPU: those with space left */
	struct km_vm_usage usage;
};

static inline unsigned vm_node_index(const struct vm_layer *vm, uint64_t addr)
{
	return (unsigned)((addr >> 16) % vm->nr_nodes);
}

static inline struct vm_node *vm_node_of(struct vm_layer *vm, uint64_t addr)
{
	return &vm->nodes[vm_node_index(vm, addr)];
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
/* The processor forgets [start, end) on every CPU. */
void km_vm_flush(struct vm_layer *vm, uint64_t start, uint64_t end);
/* everything: pools are emptied too. False when nothing was waiting. */
bool km_vm_purge(struct vm_layer *vm, unsigned cpu, bool everything);

/* vm_area.c: an area with its descriptor. */
/* NULL without memory or address space. */
struct vm_area *km_vm_area_get(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
			       uint32_t gfp, enum vm_kind kind, bool guard);
/* Without descriptor and guard. */
struct vm_area *km_vm_area_bare(struct vm_layer *vm, unsigned cpu, uint64_t bytes, uint64_t align,
				enum vm_kind kind);
/* The page-pointer array of area->pages; more than a page of pointers is itself vmalloced. */
bool km_vm_array_get(struct vm_layer *vm, unsigned cpu, struct vm_area *area, uint32_t gfp);
/* Everything an area holds goes back; `loose` pages in vm->pfns that were not mapped yet, too. */
void km_vm_area_release(struct vm_layer *vm, unsigned cpu, struct vm_area *area, uint64_t loose);
/* The one handed out that starts there, or NULL. */
struct vm_area *km_vm_area_find(const struct vm_layer *vm, uint64_t addr);

/* vm_pages.c: data pages, into vm->pfns, which must have room. */
bool km_vm_pages_room(struct vm_layer *vm, uint64_t pages);
/* How many of `wanted` (a multiple of 1 << order) are there now. */
uint64_t km_vm_pages_take(struct vm_layer *vm, unsigned cpu, uint32_t gfp, unsigned order,
			  uint64_t wanted, bool on_node);
void km_vm_pages_give(struct vm_layer *vm, unsigned cpu, const km_pfn *pfns, uint64_t count);

/* vm_map.c: mappings of pages that are there already, and areas that change their size. */
uint64_t km_vmalloc_map(void *self, unsigned cpu, const km_pfn *pfns, uint64_t count);
uint64_t km_vmalloc_map_io(void *self, unsigned cpu, uint64_t phys, uint64_t bytes);
/* Frames into an area that is there; on failure it is released. Its start, or 0. */
uint64_t km_vm_map_pages(struct vm_layer *vm, unsigned cpu, struct vm_area *area,
			 const km_pfn *pfns, uint64_t count);
int km_vmalloc_resize(void *self, unsigned cpu, uint64_t *addr, uint64_t bytes, uint32_t gfp);

/* vm_block.c: vm_map_ram and what it keeps. */
uint64_t km_vmalloc_map_ram(void *self, unsigned cpu, const km_pfn *pfns, uint64_t count);
int km_vmalloc_unmap_ram(void *self, unsigned cpu, uint64_t addr, uint64_t count);
void km_vmalloc_unmap_aliases(void *self, unsigned cpu);
/* Blocks of which nothing is in use and not all was used go; without `force` nearly used up ones.
 */
void km_vm_blocks_purge(struct vm_layer *vm, unsigned cpu, bool force);
/* Pages mapped in a block now. */
uint64_t km_vm_block_mapped(const struct vm_block *block);
void km_vm_blocks_destroy(struct vm_layer *vm);
int km_vm_blocks_validate(const struct vm_layer *vm);
struct vm_block_queue {
	struct vm_block *head, *tail;
};

/* vmalloc.c: of all zones. */
uint64_t km_vm_managed_pages(const struct vm_layer *vm);

/* vm_check.c */
int km_vm_validate(void *self);

#endif
