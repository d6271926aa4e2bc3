/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Red-black trees (lib/rbtree.c): a node is red or black, no red one has a red child, and every way
 * down passes as many black ones, so that none is longer than twice another. The caller searches
 * and links; balance is kept here. Without augmented trees.
 */
#ifndef _LINUX_RBTREE_H
#define _LINUX_RBTREE_H

#include <linux/kernel.h>

struct rb_node {
	unsigned long __rb_parent_color; /* the parent's address; bit 0 is set in a black node */
	struct rb_node *rb_right, *rb_left;
} __attribute__((aligned(sizeof(long))));
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
#define rb_parent(node) ((struct rb_node *)((node)->__rb_parent_color & ~3UL))
#define RB_EMPTY_ROOT(root) (!(root)->rb_node)
#define RB_EMPTY_NODE(node) ((node)->__rb_parent_color == (unsigned long)(node))
#define RB_CLEAR_NODE(node) ((void)((node)->__rb_parent_color = (unsigned long)(node)))
struct rb_root_cached {
	struct rb_root rb_root;
	struct rb_node *rb_leftmost;
};
#define RB_ROOT_CACHED                                                                             \
	(struct rb_root_cached)                                                                    \
	{                                                                                          \
		{NULL}, NULL                                                                       \
	}

/* ---- parts ---- */

#define KMLAB_RB_BLACK 1UL

static inline bool kmlab_rb_is_red(const struct rb_node *node)
{
	return node && !(node->__rb_parent_color & KMLAB_RB_BLACK);
}
static inline void kmlab_rb_paint(struct rb_node *node, bool black)
{
	node->__rb_parent_color = (node->__rb_parent_color & ~KMLAB_RB_BLACK) | black;
}
static inline void kmlab_rb_set_parent(struct rb_node *node, const struct rb_node *parent)
{
	if (node)
		node->__rb_parent_color =
			(unsigned long)parent | (node->__rb_parent_color & KMLAB_RB_BLACK);
}
static inline struct rb_node **kmlab_rb_side(struct rb_node *node, bool right)
{
	return right ? &node->rb_right : &node->rb_left;
}
static inline struct rb_node *kmlab_rb_left(struct rb_node *node)
{
	while (node && node->rb_left)
		node = node->rb_left;
	return node;
}
/* Where `old` hung `node` hangs, which may be NULL. */
static inline void kmlab_rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *node)
{
	struct rb_node *parent = rb_parent(old);

	if (!parent)
		root->rb_node = node;
	else
		*kmlab_rb_side(parent, parent->rb_right == old) = node;
	kmlab_rb_set_parent(node, parent);
}
/* `top` sinks to the right (or left); its child of the other side takes its place. */
static inline void kmlab_rb_rotate(struct rb_root *root, struct rb_node *top, bool right)
{
	struct rb_node *up = *kmlab_rb_side(top, !right), *between = *kmlab_rb_side(up, right);

	*kmlab_rb_side(top, !right) = between;
	kmlab_rb_set_parent(between, top);
	kmlab_rb_replace(root, top, up);
	*kmlab_rb_side(up, right) = top;
	kmlab_rb_set_parent(top, up);
}

/* ---- insertion and removal ---- */

/* A new node is red. */
static inline void rb_link_node(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	*node = (struct rb_node){.__rb_parent_color = (unsigned long)parent};
	*link = node;
}
static inline void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *parent, *grand, *uncle;
	bool right;

	/* A red parent is not the root, so there is one above it. */
	while (kmlab_rb_is_red(parent = rb_parent(node)) && (grand = rb_parent(parent)) != NULL) {
		right = grand->rb_right == parent;
		uncle = *kmlab_rb_side(grand, !right);
		kmlab_rb_paint(grand, false);
		if (kmlab_rb_is_red(uncle)) {
			kmlab_rb_paint(parent, true);
			kmlab_rb_paint(uncle, true);
			node = grand;
			continue;
		}
		if (*kmlab_rb_side(parent, !right) == node) {
			kmlab_rb_rotate(root, parent, right);
			parent = node;
		}
		kmlab_rb_paint(parent, true);
		kmlab_rb_rotate(root, grand, !right);
		break;
	}
	kmlab_rb_paint(root->rb_node, true);
}
/* The ways through `node`, a child of `parent` (and perhaps NULL), are one black node short. */
static inline void kmlab_rb_refill(struct rb_root *root, struct rb_node *node,
				   struct rb_node *parent)
{
	while (parent && !kmlab_rb_is_red(node)) {
		bool right = parent->rb_right == node;
		struct rb_node *sibling = *kmlab_rb_side(parent, !right), *far;

		if (kmlab_rb_is_red(sibling)) {
			kmlab_rb_paint(sibling, true);
			kmlab_rb_paint(parent, false);
			kmlab_rb_rotate(root, parent, right);
			sibling = *kmlab_rb_side(parent, !right);
		}
		far = *kmlab_rb_side(sibling, !right);
		if (!kmlab_rb_is_red(sibling->rb_left) && !kmlab_rb_is_red(sibling->rb_right)) {
			kmlab_rb_paint(sibling, false);
			node = parent;
			parent = rb_parent(node);
			continue;
		}
		if (!kmlab_rb_is_red(far)) {
			far = sibling;
			sibling = *kmlab_rb_side(sibling, right);
			kmlab_rb_rotate(root, far, !right);
		}
		kmlab_rb_paint(sibling, !kmlab_rb_is_red(parent));
		kmlab_rb_paint(parent, true);
		kmlab_rb_paint(far, true);
		kmlab_rb_rotate(root, parent, right);
		return;
	}
	if (node)
		kmlab_rb_paint(node, true);
}
static inline void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *next = node, *child, *parent = rb_parent(node);
	bool was_black;

	/* Between two children the next node in order takes the place. */
	if (node->rb_left && node->rb_right)
		next = kmlab_rb_left(node->rb_right);
	child = next->rb_left ? next->rb_left : next->rb_right;
	was_black = !kmlab_rb_is_red(next);
	if (next != node) {
		parent = rb_parent(next) == node ? next : rb_parent(next);
		kmlab_rb_replace(root, next, child);
		kmlab_rb_replace(root, node, next);
		*next = *node;
		kmlab_rb_set_parent(next->rb_left, next);
		kmlab_rb_set_parent(next->rb_right, next);
	} else {
		kmlab_rb_replace(root, node, child);
	}
	if (was_black)
		kmlab_rb_refill(root, child, parent);
}

/* ---- in order ---- */

#define rb_first(root) kmlab_rb_left((root)->rb_node)
static inline struct rb_node *rb_next(const struct rb_node *node)
{
	const struct rb_node *parent = rb_parent(node);

	if (RB_EMPTY_NODE(node))
		return NULL;
	if (node->rb_right)
		return kmlab_rb_left(node->rb_right);
	while (parent && node == parent->rb_right) {
		node = parent;
		parent = rb_parent(node);
	}
	return (struct rb_node *)parent;
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
	const struct rb_node *parent = rb_parent(node);

	if (RB_EMPTY_NODE(node))
		return NULL;
	if (node->rb_left) {
		node = node->rb_left;
		while (node->rb_right)
			node = node->rb_right;
		return (struct rb_node *)node;
	}
	while (parent && node == parent->rb_left) {
		node = parent;
		parent = rb_parent(node);
	}
	return (struct rb_node *)parent;
}
static inline void rb_replace_node(struct rb_node *old, struct rb_node *node, struct rb_root *root)
{
	*node = *old;
	kmlab_rb_replace(root, old, node);
	kmlab_rb_set_parent(node->rb_left, node);
	kmlab_rb_set_parent(node->rb_right, node);
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
	struct rb_node *parent = node ? rb_parent(node) : NULL;

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
static inline void rb_insert_color_cached(struct rb_node *node, struct rb_root_cached *root,
					  bool leftmost)
{
	if (leftmost)
		root->rb_leftmost = node;
	rb_insert_color(node, &root->rb_root);
}
/* The new first one, if it is another. */
static inline struct rb_node *rb_erase_cached(struct rb_node *node, struct rb_root_cached *root)
{
	struct rb_node *first = NULL;

	if (root->rb_leftmost == node)
		first = root->rb_leftmost = rb_next(node);
	rb_erase(node, &root->rb_root);
	return first;
}
static inline void rb_replace_node_cached(struct rb_node *old, struct rb_node *node,
					  struct rb_root_cached *root)
{
	if (root->rb_leftmost == old)
		root->rb_leftmost = node;
	rb_replace_node(old, node, &root->rb_root);
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
static inline void rb_add(struct rb_node *node, struct rb_root *root,
			  bool (*less)(struct rb_node *, const struct rb_node *))
{
	kmlab_rb_add(node, root, less);
	rb_insert_color(node, root);
}
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
