/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists that are added to at the head, and taken whole. */
#ifndef _LINUX_LLIST_H
#define _LINUX_LLIST_H

#include <linux/container_of.h>
#include <linux/types.h>

struct llist_node {
	struct llist_node *next;
};
struct llist_head {
	struct llist_node *first;
};
#define LLIST_HEAD_INIT(name)                                                                      \
	{                                                                                          \
		NULL                                                                               \
	}
#define LLIST_HEAD(name) struct llist_head name = LLIST_HEAD_INIT(name)
static inline void init_llist_head(struct llist_head *list)
{
	list->first = NULL;
}
static inline bool llist_empty(const struct llist_head *list)
{
	return !list->first;
}
static inline bool llist_add(struct llist_node *node, struct llist_head *list)
{
	node->next = list->first;
	list->first = node;
	return !node->next;
}
static inline struct llist_node *llist_del_all(struct llist_head *list)
{
	struct llist_node *first = list->first;

	list->first = NULL;
	return first;
}
static inline struct llist_node *llist_del_first(struct llist_head *list)
{
	struct llist_node *first = list->first;

	if (first)
		list->first = first->next;
	return first;
}
static inline struct llist_node *llist_reverse_order(struct llist_node *node)
{
	struct llist_node *reversed = NULL;

	while (node) {
		struct llist_node *next = node->next;

		node->next = reversed;
		reversed = node;
		node = next;
	}
	return reversed;
}
#define llist_entry(node, type, member) container_of(node, type, member)
#define llist_for_each(position, node)                                                             \
	for ((position) = (node); position; (position) = (position)->next)
#define KMLAB_LLIST(position, node, member)                                                        \
	({                                                                                         \
		struct llist_node *kmlab_node_ = (node);                                           \
		kmlab_node_ ? llist_entry(kmlab_node_, __typeof__(*(position)), member) : NULL;    \
	})
#define llist_for_each_entry(position, node, member)                                               \
	for ((position) = KMLAB_LLIST(position, node, member); position;                           \
	     (position) = KMLAB_LLIST(position, (position)->member.next, member))
#define llist_for_each_entry_safe(position, n, node, member)                                       \
	for ((position) = KMLAB_LLIST(position, node, member);                                     \
	     (position) && ((n) = KMLAB_LLIST(n, (position)->member.next, member), true);          \
	     (position) = (n))

#endif
