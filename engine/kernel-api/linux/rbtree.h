/* SPDX-License-Identifier: GPL-2.0-only */
/* A red-black tree's interface (lib/rbtree.c); nothing is balanced here: order is what counts. */
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
#define RB_EMPTY_NODE(node) (rb_parent(node) == (node))
#define RB_CLEAR_NODE(node) ((void)((node)->parent = (node)))
struct rb_root_cached {
	struct rb_root rb_root;
	struct rb_node *rb_leftmost;
};
#define RB_ROOT_CACHED                                                                             \
	(struct rb_root_cached)                                                                    \
	{                                                                                          \
		{NULL}, NULL                                                                       \
	}

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

static inline struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *node = root->rb_node;

	while (node && node->rb_right)
		node = node->rb_right;
	return node;
}
static inline struct rb_node *rb_prev(const struct rb_node *node)
{
	if (node->rb_left) {
		node = node->rb_left;
		while (node->rb_right)
			node = node->rb_right;
		return (struct rb_node *)node;
	}
	while (node->parent && node == node->parent->rb_left)
		node = node->parent;
	return node->parent;
}
static inline void rb_replace_node(struct rb_node *old, struct rb_node *node, struct rb_root *root)
{
	*node = *old;
	kmlab_rb_replace(root, old, node);
	if (node->rb_left)
		node->rb_left->parent = node;
	if (node->rb_right)
		node->rb_right->parent = node;
}
#define rb_link_node_rcu rb_link_node

/* Children before their parents, as a tree is freed. */
static inline struct rb_node *kmlab_rb_deepest(struct rb_node *node)
{
	while (node && (node->rb_left || node->rb_right))
		node = node->rb_left ? node->rb_left : node->rb_right;
	return node;
}
#define rb_first_postorder(root) kmlab_rb_deepest((root)->rb_node)
static inline struct rb_node *rb_next_postorder(const struct rb_node *node)
{
	struct rb_node *parent = node ? node->parent : NULL;

	return parent && node == parent->rb_left && parent->rb_right
		       ? kmlab_rb_deepest(parent->rb_right)
		       : parent;
}
#define rbtree_postorder_for_each_entry_safe(p, n, root, member)                                   \
	for ((p) = rb_entry_safe(rb_first_postorder(root), __typeof__(*(p)), member);              \
	     (p) && ({                                                                             \
		     (n) = rb_entry_safe(rb_next_postorder(&(p)->member), __typeof__(*(p)),        \
					 member);                                                  \
		     1;                                                                            \
	     });                                                                                   \
	     (p) = (n))

/* ---- with the first one known ---- */

#define rb_first_cached(root) ((root)->rb_leftmost)
#define rb_insert_color_cached(node, root, leftmost)                                               \
	((void)((leftmost) && ((root)->rb_leftmost = (node), 1)))
static inline struct rb_node *rb_erase_cached(struct rb_node *node, struct rb_root_cached *root)
{
	if (root->rb_leftmost == node)
		root->rb_leftmost = rb_next(node);
	rb_erase(node, &root->rb_root);
	return root->rb_leftmost;
}

/* ---- with a comparison ---- */

static inline bool kmlab_rb_add(struct rb_node *node, struct rb_root *root,
				bool (*less)(struct rb_node *, const struct rb_node *))
{
	struct rb_node **link = &root->rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (less(node, parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(node, parent, link);
	return leftmost;
}
#define rb_add(node, root, less) ((void)kmlab_rb_add(node, root, less))
static inline struct rb_node *rb_add_cached(struct rb_node *node, struct rb_root_cached *root,
					    bool (*less)(struct rb_node *, const struct rb_node *))
{
	bool leftmost = kmlab_rb_add(node, &root->rb_root, less);

	rb_insert_color_cached(node, root, leftmost);
	return leftmost ? node : NULL;
}
static inline struct rb_node *rb_find(const void *key, const struct rb_root *root,
				      int (*cmp)(const void *, const struct rb_node *))
{
	struct rb_node *node = root->rb_node;

	while (node) {
		int order = cmp(key, node);

		if (!order)
			break;
		node = order < 0 ? node->rb_left : node->rb_right;
	}
	return node;
}

#endif
