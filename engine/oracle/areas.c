/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmalloc's address space: free ranges with their place in the tree, how many pages wait for a
 * purge, and what lies in the pools of each node (6.9 and later).
 */
#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/rbtree_augmented.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "oracle.h"

/* Variables of mm/vmalloc.c that are not exported; the guest finds them in /proc/kallsyms. */
static unsigned long vmap_free, vmap_lazy, vmap_nodes_at, vmap_nr_nodes, vmap_drain;
module_param(vmap_free, ulong, 0);
module_param(vmap_lazy, ulong, 0);
module_param(vmap_nodes_at, ulong, 0);
module_param(vmap_nr_nodes, ulong, 0);
module_param(vmap_drain, ulong, 0);

/* "DEPTH" and the colour */
static void print_place(struct oracle_text *text, struct rb_node *node)
{
	unsigned int depth = 0;
	struct rb_node *up = node;

	while ((up = rb_parent(up)))
		depth++;
	oracle_print(text, " %u%c", depth, rb_is_red(node) ? 'r' : 'b');
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
#define POOL_LISTS 256

/* A node begins with its pools; what follows differs between kernels. */
struct pools {
	struct {
		struct list_head head;
		unsigned long count;
	} list[POOL_LISTS];
};

static int looks_like_pools(const struct pools *pools)
{
	for (unsigned int i = 0; i < POOL_LISTS; i++)
		if (!pools->list[i].head.next ||
		    pools->list[i].head.next->prev != &pools->list[i].head)
			return 0;
	return 1;
}

/* Bytes from one node to the next: something is locked, listed and queued behind the pools. */
static unsigned long node_stride(const char *first)
{
	unsigned long least = sizeof(struct pools) + sizeof(struct work_struct);

	for (unsigned long stride = least; stride < least + 1024; stride += 8) {
		const struct pools *second = (const void *)(first + stride);

		/* Only where a list is would its address be told by its own first word. */
		if (second->list[0].head.next &&
		    (second->list[POOL_LISTS - 1].head.next ==
		     &second->list[POOL_LISTS - 1].head) &&
		    looks_like_pools(second))
			return stride;
	}
	return 0;
}

static void print_pools(struct oracle_text *text)
{
	unsigned int nodes = vmap_nr_nodes ? *(unsigned int *)vmap_nr_nodes : 1;
	const char *first = vmap_nodes_at ? *(char **)vmap_nodes_at : NULL;
	unsigned long stride = first && nodes > 1 ? node_stride(first) : 0;

	for (unsigned int node = 0; stride && node < nodes; node++) {
		const struct pools *pools = (const void *)(first + node * stride);
		unsigned int any = 0;

		for (unsigned int i = 0; i < POOL_LISTS; i++) {
			struct vmap_area *area;

			list_for_each_entry(area, &pools->list[i].head, list)
			{
				if (!any++)
					oracle_print(text, "vpool %u", node);
				oracle_print(text, " %lx-%lx", area->va_start, area->va_end);
			}
		}
		if (any)
			oracle_print(text, "\n");
	}
	if (nodes > 1 && !stride)
		pr_warn("kmlab_oracle: the pools of vmalloc's nodes were not found\n");
}
#else
static void print_pools(struct oracle_text *text)
{
}
#endif

void oracle_print_areas(struct oracle_text *text)
{
	struct list_head *list = (struct list_head *)vmap_free;
	struct vmap_area *area;

	if (!vmap_free || !vmap_lazy)
		return;
	oracle_print(text, "vfree");
	list_for_each_entry(area, list, list)
		oracle_print(text, " %lx-%lx", area->va_start, area->va_end);
	oracle_print(text, "\nvtree");
	list_for_each_entry(area, list, list) print_place(text, &area->rb_node);
	oracle_print(text, "\nvlazy %ld\n", oracle_lazy_pages());
	print_pools(text);
}

long oracle_lazy_pages(void)
{
	return vmap_lazy ? atomic_long_read((atomic_long_t *)vmap_lazy) : 0;
}

void oracle_wait_for_purge(void)
{
	if (vmap_drain)
		flush_work((struct work_struct *)vmap_drain);
}
