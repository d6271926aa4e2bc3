/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arrays of pointers as a tree of nodes with 64 slots, which come from the kernel's cache
 * radix_tree_node (lib/xarray.c). An entry at index 0 alone needs no node.
 */
#ifndef _LINUX_XARRAY_H
#define _LINUX_XARRAY_H

#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define XA_CHUNK_SHIFT 6
#define XA_CHUNK_SIZE 64u

struct xa_node {
	unsigned char shift, offset, count, nr_values;
	struct xa_node *parent;
	struct xarray *array;
	void *kmlab_list[2];
	void *slots[XA_CHUNK_SIZE];
	unsigned long marks[3]; /* marks[0]: the children in which no index is free */
};
struct xarray {
	spinlock_t xa_lock;
	gfp_t xa_flags;
	void *xa_head;
};
struct xa_limit {
	u32 max, min;
};
#define XA_LIMIT(min_, max_)                                                                       \
	(struct xa_limit)                                                                          \
	{                                                                                          \
		.max = max_, .min = min_                                                           \
	}
#define xa_limit_32b XA_LIMIT(0, UINT_MAX)
#define xa_limit_31b XA_LIMIT(0, INT_MAX)
#define xa_limit_16b XA_LIMIT(0, 65535)
#define XA_FLAGS_ALLOC ((gfp_t)0x100u)
#define XA_FLAGS_ALLOC1 ((gfp_t)0x300u) /* the first index is 1 */
#define XA_FLAGS_LOCK_IRQ ((gfp_t)1u)
#define XA_FLAGS_LOCK_BH ((gfp_t)2u)
typedef unsigned int xa_mark_t;
#define XA_PRESENT ((xa_mark_t)8u)

#define XARRAY_INIT(name, flags)                                                                   \
	{                                                                                          \
		.xa_lock = __SPIN_LOCK_UNLOCKED(name), .xa_flags = flags                           \
	}
#define DEFINE_XARRAY(name) struct xarray name = XARRAY_INIT(name, 0)
#define DEFINE_XARRAY_FLAGS(name, flags) struct xarray name = XARRAY_INIT(name, flags)
#define DEFINE_XARRAY_ALLOC(name) struct xarray name = XARRAY_INIT(name, XA_FLAGS_ALLOC)
#define DEFINE_XARRAY_ALLOC1(name) struct xarray name = XARRAY_INIT(name, XA_FLAGS_ALLOC1)
static inline void xa_init_flags(struct xarray *xa, gfp_t flags)
{
	*xa = (struct xarray)XARRAY_INIT(xa, flags);
}
#define xa_init(xa) xa_init_flags(xa, 0)
#define xa_lock(xa) spin_lock(&(xa)->xa_lock)
#define xa_unlock(xa) spin_unlock(&(xa)->xa_lock)

/* Small integers as entries; errors as entries that no pointer is. */
#define xa_mk_value(value) ((void *)((unsigned long)(value) << 1 | 1))
#define xa_to_value(entry) ((unsigned long)(entry) >> 1)
#define xa_is_value(entry) ((unsigned long)(entry)&1)
#define KMLAB_XA_ERROR(code) ((void *)((unsigned long)(long)(code) << 2 | 2))
static inline int xa_err(void *entry)
{
	long value = (long)entry;

	return (value & 3) == 2 && value >= (-4095L << 2) && value < 0 ? (int)(value >> 2) : 0;
}
#define xa_is_err(entry) (xa_err(entry) != 0)

static inline bool kmlab_xa_is_node(const void *entry)
{
	return ((unsigned long)entry & 3) == 2 && (unsigned long)entry > 4096 &&
	       !xa_err((void *)entry);
}
#define KMLAB_XA_NODE(entry) ((struct xa_node *)((unsigned long)(entry)-2))
#define KMLAB_XA_ENTRY(node) ((void *)((unsigned long)(node) + 2))

static inline struct kmem_cache *kmlab_node_cache(void)
{
	return kmlab_api->kernel_cache("radix_tree_node", sizeof(struct xa_node),
				       SLAB_PANIC | SLAB_RECLAIM_ACCOUNT);
}
static inline struct xa_node *kmlab_xa_new(const struct kmlab_site *site, struct xarray *xa,
					   struct xa_node *parent, unsigned int shift, gfp_t gfp)
{
	struct xa_node *node = kmlab_api->cache_alloc(site, kmlab_node_cache(),
						      gfp | __GFP_ZERO | __GFP_NOWARN, -1);

	if (node) {
		node->array = xa;
		node->parent = parent;
		node->shift = shift;
	}
	return node;
}
static inline void kmlab_xa_drop(const struct kmlab_site *site, struct xa_node *node)
{
	kmlab_api->cache_free(site, kmlab_node_cache(), node);
}

/* The last index that a tree with this head can hold. */
static inline unsigned long kmlab_xa_last(const void *head)
{
	unsigned int shift =
		kmlab_xa_is_node(head) ? KMLAB_XA_NODE(head)->shift + XA_CHUNK_SHIFT : 0;

	return shift >= BITS_PER_LONG ? ~0UL : (1UL << shift) - 1;
}
static inline void *xa_load(struct xarray *xa, unsigned long index)
{
	void *entry = xa->xa_head;

	if (index > kmlab_xa_last(entry))
		return NULL;
	while (kmlab_xa_is_node(entry)) {
		struct xa_node *node = KMLAB_XA_NODE(entry);

		entry = node->slots[index >> node->shift & (XA_CHUNK_SIZE - 1)];
	}
	return entry;
}

/* What is above a node whose entries became more or fewer learns whether it is full. */
static inline void kmlab_xa_note_full(const struct xa_node *node)
{
	for (; node && node->parent; node = node->parent) {
		bool full = node->shift ? node->marks[0] == ~0UL : node->count == XA_CHUNK_SIZE;
		unsigned long *mark = &node->parent->marks[0];

		if ((*mark >> node->offset & 1) == full)
			return;
		*mark ^= 1UL << node->offset;
	}
}

/* Nodes above the root until the index fits; where nothing is yet, one that is high enough. */
static inline int kmlab_xa_grow(const struct kmlab_site *site, struct xarray *xa,
				unsigned long index, gfp_t gfp)
{
	while (index > kmlab_xa_last(xa->xa_head)) {
		bool has_node = kmlab_xa_is_node(xa->xa_head);
		unsigned int shift =
			has_node ? KMLAB_XA_NODE(xa->xa_head)->shift + XA_CHUNK_SHIFT : 0;
		struct xa_node *node;

		while (!xa->xa_head && index >> shift >= XA_CHUNK_SIZE)
			shift += XA_CHUNK_SHIFT;
		node = kmlab_xa_new(site, xa, NULL, shift, gfp);
		if (!node)
			return -ENOMEM;
		node->slots[0] = xa->xa_head;
		node->count = xa->xa_head != NULL;
		if (has_node) {
			KMLAB_XA_NODE(xa->xa_head)->parent = node;
			kmlab_xa_note_full(KMLAB_XA_NODE(xa->xa_head));
		}
		xa->xa_head = KMLAB_XA_ENTRY(node);
	}
	return 0;
}
/* Nodes that hold nothing go; a root whose only entry is in slot 0 is not needed. */
static inline void kmlab_xa_prune(const struct kmlab_site *site, struct xarray *xa,
				  struct xa_node *node)
{
	while (node && !node->count) {
		struct xa_node *parent = node->parent;

		if (parent) {
			parent->slots[node->offset] = NULL;
			parent->count--;
		} else {
			xa->xa_head = NULL;
		}
		kmlab_xa_drop(site, node);
		node = parent;
	}
	while (kmlab_xa_is_node(xa->xa_head)) {
		node = KMLAB_XA_NODE(xa->xa_head);
		if (node->count != 1 || !node->slots[0])
			return;
		xa->xa_head = node->slots[0];
		if (kmlab_xa_is_node(xa->xa_head))
			KMLAB_XA_NODE(xa->xa_head)->parent = NULL;
		kmlab_xa_drop(site, node);
	}
}
/* What was there before, or an error. */
static inline void *kmlab_xa_store(const struct kmlab_site *site, struct xarray *xa,
				   unsigned long index, void *entry, gfp_t gfp)
{
	struct xa_node *node = NULL, *below;
	void **slot = &xa->xa_head, *before;

	if (!entry && index > kmlab_xa_last(xa->xa_head))
		return NULL;
	if (kmlab_xa_grow(site, xa, index, gfp)) {
		kmlab_xa_prune(site, xa, NULL);
		return KMLAB_XA_ERROR(-ENOMEM);
	}
	while (kmlab_xa_is_node(*slot)) {
		node = KMLAB_XA_NODE(*slot);
		slot = &node->slots[index >> node->shift & (XA_CHUNK_SIZE - 1)];
		if (*slot || !node->shift || !entry)
			continue;
		below = kmlab_xa_new(site, xa, node, node->shift - XA_CHUNK_SHIFT, gfp);
		if (!below) {
			kmlab_xa_prune(site, xa, node);
			return KMLAB_XA_ERROR(-ENOMEM);
		}
		below->offset = slot - node->slots;
		*slot = KMLAB_XA_ENTRY(below);
		node->count++;
	}
	before = *slot;
	*slot = entry;
	if (node)
		node->count += (entry != NULL) - (before != NULL);
	kmlab_xa_note_full(node);
	if (!entry)
		kmlab_xa_prune(site, xa, node);
	return before;
}
#define xa_store(xa, index, entry, gfp)                                                            \
	kmlab_xa_store(KMLAB_SITE("xa_store"), xa, index, entry, gfp)
#define __xa_store(xa, index, entry, gfp)                                                          \
	kmlab_xa_store(KMLAB_SITE("__xa_store"), xa, index, entry, gfp)
#define xa_erase(xa, index) kmlab_xa_store(KMLAB_SITE("xa_erase"), xa, index, NULL, 0)
#define __xa_erase(xa, index) kmlab_xa_store(KMLAB_SITE("__xa_erase"), xa, index, NULL, 0)
#define xa_insert(xa, index, entry, gfp)                                                           \
	(xa_load(xa, index)                                                                        \
		 ? -EBUSY                                                                          \
		 : xa_err(kmlab_xa_store(KMLAB_SITE("xa_insert"), xa, index, entry, gfp)))

/* The first entry from *index to max; what an empty slot spans is passed over at once. */
static inline void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max,
			    xa_mark_t mark)
{
	for (unsigned long at = *index; at <= max && at <= kmlab_xa_last(xa->xa_head);) {
		void *entry = xa->xa_head;
		unsigned int shift = 0;

		while (kmlab_xa_is_node(entry)) {
			shift = KMLAB_XA_NODE(entry)->shift;
			entry = KMLAB_XA_NODE(entry)->slots[at >> shift & (XA_CHUNK_SIZE - 1)];
		}
		if (entry) {
			*index = at;
			return entry;
		}
		at = ((at >> shift) + 1) << shift;
		if (!at)
			break;
	}
	return NULL;
}
/* The first index from `index` on that holds nothing; full nodes are passed over at once. */
static inline unsigned long kmlab_xa_vacant(const struct xarray *xa, unsigned long index)
{
	while (index <= kmlab_xa_last(xa->xa_head)) {
		void *entry = xa->xa_head;
		unsigned int shift = 0;

		while (kmlab_xa_is_node(entry)) {
			const struct xa_node *node = KMLAB_XA_NODE(entry);
			unsigned int slot = index >> node->shift & (XA_CHUNK_SIZE - 1);

			shift = node->shift;
			entry = node->slots[slot];
			if (shift && node->marks[0] >> slot & 1)
				break;
		}
		if (!entry)
			break;
		index = ((index >> shift) + 1) << shift;
	}
	return index;
}
static inline void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max,
				  xa_mark_t mark)
{
	unsigned long next = *index + 1;
	void *entry = next ? xa_find(xa, &next, max, mark) : NULL;

	if (entry)
		*index = next;
	return entry;
}
#define xa_for_each_range(xa, index, entry, start, last)                                           \
	for (index = start, entry = xa_find(xa, &index, last, XA_PRESENT); entry;                  \
	     entry = xa_find_after(xa, &index, last, XA_PRESENT))
#define xa_for_each_start(xa, index, entry, start) xa_for_each_range(xa, index, entry, start, ~0UL)
#define xa_for_each(xa, index, entry) xa_for_each_start(xa, index, entry, 0)
static inline bool xa_empty(const struct xarray *xa)
{
	return !xa->xa_head;
}

static inline int kmlab_xa_alloc(const struct kmlab_site *site, struct xarray *xa, u32 *id,
				 void *entry, struct xa_limit limit, gfp_t gfp)
{
	unsigned long index = limit.min;

	if (!index && (xa->xa_flags & XA_FLAGS_ALLOC1) == XA_FLAGS_ALLOC1)
		index = 1;
	index = kmlab_xa_vacant(xa, index);
	if (index > limit.max)
		return -EBUSY;
	*id = (u32)index;
	return xa_err(kmlab_xa_store(site, xa, index, entry, gfp));
}
#define xa_alloc(xa, id, entry, limit, gfp)                                                        \
	kmlab_xa_alloc(KMLAB_SITE("xa_alloc"), xa, id, entry, limit, gfp)

static inline void kmlab_xa_free(const struct kmlab_site *site, void *entry)
{
	struct xa_node *node;

	if (!kmlab_xa_is_node(entry))
		return;
	node = KMLAB_XA_NODE(entry);
	for (unsigned int i = 0; i < XA_CHUNK_SIZE; i++)
		kmlab_xa_free(site, node->slots[i]);
	kmlab_xa_drop(site, node);
}
#define xa_destroy(xa)                                                                             \
	do {                                                                                       \
		struct xarray *kmlab_xa_ = (xa);                                                   \
		kmlab_xa_free(KMLAB_SITE("xa_destroy"), kmlab_xa_->xa_head);                       \
		kmlab_xa_->xa_head = NULL;                                                         \
	} while (0)

#endif
