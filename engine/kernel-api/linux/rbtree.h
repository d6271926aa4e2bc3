/* SPDX-License-Identifier: GPL-2.0-only */
/* A red-black tree's declarations; the balance is of an unbalanced tree: order is what counts. */
#ifndef _LINUX_RBTREE_H
#define _LINUX_RBTREE_H

#include <linux/kernel.h>

struct rb_node {
	struct rb_node *parent, *rb_right, *rb_left;
};
struct rb_root {
	struct rb_node *rb_node;
};
#define RB_ROOT                                                                                    \
	(struct rb_root)                                                                           \
	{                                                                                          \
		NULL                                                                               \
	}
#define rb_entry(p, type, member) container_of(p, type, member)
#define rb_entry_safe(p, type, member) ((p) ? rb_entry(p, type, member) : NULL)
#define rb_parent(node) ((node)->parent)
#define RB_EMPTY_ROOT(root) (!(root)->rb_node)

static inline void rb_link_node(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	*node = (struct rb_node){.parent = parent};
	*link = node;
}
#define rb_insert_color(node, root) ((void)(root))
static inline struct rb_node *kmlab_rb_left(struct rb_node *node)
{
	while (node && node->rb_left)
		node = node->rb_left;
	return node;
}
#define rb_first(root) kmlab_rb_left((root)->rb_node)
static inline struct rb_node *rb_next(const struct rb_node *node)
{
	if (node->rb_right)
		return kmlab_rb_left(node->rb_right);
	while (node->parent && node == node->parent->rb_right)
		node = node->parent;
	return node->parent;
}
static inline void kmlab_rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *node)
{
	if (!old->parent)
		root->rb_node = node;
	else if (old->parent->rb_left == old)
		old->parent->rb_left = node;
	else
		old->parent->rb_right = node;
	if (node)
		node->parent = old->parent;
}
static inline void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *next;

	if (!node->rb_left || !node->rb_right) {
		kmlab_rb_replace(root, node, node->rb_left ? node->rb_left : node->rb_right);
		return;
	}
	next = kmlab_rb_left(node->rb_right);
	if (next->parent != node) {
		kmlab_rb_replace(root, next, next->rb_right);
		next->rb_right = node->rb_right;
		next->rb_right->parent = next;
	}
	kmlab_rb_replace(root, node, next);
	next->rb_left = node->rb_left;
	next->rb_left->parent = next;
}

#endif
