/* SPDX-License-Identifier: GPL-2.0-only */
/* The older interface to the xarray's nodes (lib/radix-tree.c): radix_tree_node, 576 bytes. */
#ifndef _LINUX_RADIX_TREE_H
#define _LINUX_RADIX_TREE_H

#include <linux/xarray.h>

#define radix_tree_root xarray
#define radix_tree_node xa_node
#define RADIX_TREE_MAP_SHIFT XA_CHUNK_SHIFT
#define RADIX_TREE_MAP_SIZE XA_CHUNK_SIZE
#define RADIX_TREE_INIT(name, gfp) XARRAY_INIT(name, gfp)
#define RADIX_TREE(name, gfp) struct radix_tree_root name = RADIX_TREE_INIT(name, gfp)
#define INIT_RADIX_TREE(root, gfp) xa_init_flags(root, gfp)

struct radix_tree_iter {
	unsigned long index;
	void *entry;
};

/* The tree is asked with its own flags; radix_tree_preload() has made sure of the nodes. */
static inline int kmlab_radix_insert(const struct kmlab_site *site, struct xarray *root,
				     unsigned long index, void *item)
{
	if (xa_load(root, index))
		return -EEXIST;
	return xa_err(kmlab_xa_store(site, root, index, item, root->xa_flags & ~GFP_ZONEMASK));
}
#define radix_tree_insert(root, index, item)                                                       \
	kmlab_radix_insert(KMLAB_SITE("radix_tree_insert"), root, index, item)
#define radix_tree_lookup(root, index) xa_load((struct xarray *)(root), index)
#define radix_tree_delete(root, index)                                                             \
	kmlab_xa_store(KMLAB_SITE("radix_tree_delete"), root, index, NULL, 0)
static inline void *kmlab_radix_delete_item(const struct kmlab_site *site, struct xarray *root,
					    unsigned long index, const void *item)
{
	if (item && xa_load(root, index) != item)
		return NULL;
	return kmlab_xa_store(site, root, index, NULL, 0);
}
#define radix_tree_delete_item(root, index, item)                                                  \
	kmlab_radix_delete_item(KMLAB_SITE("radix_tree_delete_item"), root, index, item)
#define radix_tree_empty(root) xa_empty(root)
#define radix_tree_preload(gfp) (preempt_disable(), (void)(gfp), 0)
#define radix_tree_maybe_preload radix_tree_preload
#define radix_tree_preload_end() preempt_enable()
static inline unsigned int radix_tree_gang_lookup(const struct xarray *root, void **results,
						  unsigned long first, unsigned int most)
{
	struct xarray *xa = (struct xarray *)root;
	unsigned int found = 0;
	unsigned long index;
	void *entry;

	xa_for_each_start(xa, index, entry, first)
	{
		if (found == most)
			break;
		results[found++] = entry;
	}
	return found;
}
static inline bool kmlab_radix_next(const struct xarray *root, struct radix_tree_iter *iter,
				    unsigned long from)
{
	iter->index = from;
	iter->entry = xa_find((struct xarray *)root, &iter->index, ~0UL, XA_PRESENT);
	return iter->entry != NULL;
}
#define radix_tree_for_each_slot(slot, root, iter, start)                                          \
	for (bool kmlab_more_ = kmlab_radix_next(root, iter, start);                               \
	     kmlab_more_ && ((slot) = (void *)&(iter)->entry, true);                               \
	     kmlab_more_ = kmlab_radix_next(root, iter, (iter)->index + 1))
#define radix_tree_deref_slot(slot) (*(slot))
#define radix_tree_iter_delete(root, iter, slot)                                                   \
	((void)kmlab_xa_store(KMLAB_SITE("radix_tree_iter_delete"), root, (iter)->index, NULL, 0))

#endif
