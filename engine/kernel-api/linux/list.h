/* SPDX-License-Identifier: GPL-2.0-only */
/* Doubly linked lists whose links lie in the objects. */
#ifndef _LINUX_LIST_H
#define _LINUX_LIST_H

#include <linux/kernel.h>
#include <linux/poison.h>

#define LIST_HEAD_INIT(name)                                                                       \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}
static inline void kmlab_link(struct list_head *entry, struct list_head *prev,
			      struct list_head *next)
{
	entry->next = next;
	entry->prev = prev;
	next->prev = entry;
	prev->next = entry;
}
static inline void kmlab_unlink(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
}
static inline void list_add(struct list_head *entry, struct list_head *head)
{
	kmlab_link(entry, head, head->next);
}
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	kmlab_link(entry, head->prev, head);
}
static inline void list_del(struct list_head *entry)
{
	kmlab_unlink(entry);
	entry->next = LIST_POISON1;
	entry->prev = LIST_POISON2;
}
static inline void list_del_init(struct list_head *entry)
{
	kmlab_unlink(entry);
	INIT_LIST_HEAD(entry);
}
static inline void list_replace(struct list_head *old, struct list_head *entry)
{
	kmlab_link(entry, old->prev, old->next);
}
static inline void list_move(struct list_head *entry, struct list_head *head)
{
	kmlab_unlink(entry);
	list_add(entry, head);
}
static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	kmlab_unlink(entry);
	list_add_tail(entry, head);
}
static inline int list_empty(const struct list_head *head)
{
	return head->next == head;
}
#define list_empty_careful list_empty
static inline int list_is_last(const struct list_head *entry, const struct list_head *head)
{
	return entry->next == head;
}
static inline int list_is_singular(const struct list_head *head)
{
	return !list_empty(head) && head->next == head->prev;
}
static inline size_t list_count_nodes(struct list_head *head)
{
	size_t n = 0;

	for (struct list_head *at = head->next; at != head; at = at->next)
		n++;
	return n;
}
static inline void list_splice_tail(struct list_head *list, struct list_head *head)
{
	if (list_empty(list))
		return;
	list->next->prev = head->prev;
	head->prev->next = list->next;
	list->prev->next = head;
	head->prev = list->prev;
}
static inline void list_splice(struct list_head *list, struct list_head *head)
{
	list_splice_tail(list, head->next);
}
static inline void list_splice_init(struct list_head *list, struct list_head *head)
{
	list_splice(list, head);
	INIT_LIST_HEAD(list);
}
static inline void list_splice_tail_init(struct list_head *list, struct list_head *head)
{
	list_splice_tail(list, head);
	INIT_LIST_HEAD(list);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_first_entry_or_null(head, type, member)                                               \
	(list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_next_entry(p, member) list_entry((p)->member.next, __typeof__(*(p)), member)
#define list_prev_entry(p, member) list_entry((p)->member.prev, __typeof__(*(p)), member)
#define list_for_each(p, head) for ((p) = (head)->next; (p) != (head); (p) = (p)->next)
#define list_for_each_prev(p, head) for ((p) = (head)->prev; (p) != (head); (p) = (p)->prev)
#define list_for_each_safe(p, n, head)                                                             \
	for ((p) = (head)->next, (n) = (p)->next; (p) != (head); (p) = (n), (n) = (p)->next)
#define list_for_each_entry(p, head, member)                                                       \
	for ((p) = list_first_entry(head, __typeof__(*(p)), member); &(p)->member != (head);       \
	     (p) = list_next_entry(p, member))
#define list_for_each_entry_reverse(p, head, member)                                               \
	for ((p) = list_last_entry(head, __typeof__(*(p)), member); &(p)->member != (head);        \
	     (p) = list_prev_entry(p, member))
#define list_for_each_entry_safe(p, n, head, member)                                               \
	for ((p) = list_first_entry(head, __typeof__(*(p)), member),                               \
	    (n) = list_next_entry(p, member);                                                      \
	     &(p)->member != (head); (p) = (n), (n) = list_next_entry(n, member))
#define list_for_each_entry_continue(p, head, member)                                              \
	for ((p) = list_next_entry(p, member); &(p)->member != (head);                             \
	     (p) = list_next_entry(p, member))

/* ---- lists with a head of one pointer ---- */

#define HLIST_HEAD_INIT                                                                            \
	{                                                                                          \
		NULL                                                                               \
	}
#define HLIST_HEAD(name) struct hlist_head name = HLIST_HEAD_INIT
#define INIT_HLIST_HEAD(head) ((head)->first = NULL)

static inline void INIT_HLIST_NODE(struct hlist_node *node)
{
	node->next = NULL;
	node->pprev = NULL;
}
static inline int hlist_empty(const struct hlist_head *head)
{
	return !head->first;
}
static inline int hlist_unhashed(const struct hlist_node *node)
{
	return !node->pprev;
}
static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	node->next = head->first;
	node->pprev = &head->first;
	if (head->first)
		head->first->pprev = &node->next;
	head->first = node;
}
static inline void hlist_del(struct hlist_node *node)
{
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
	node->next = LIST_POISON1;
	node->pprev = LIST_POISON2;
}
#define hlist_del_init(node)                                                                       \
	do {                                                                                       \
		hlist_del(node);                                                                   \
		INIT_HLIST_NODE(node);                                                             \
	} while (0)
#define hlist_entry(p, type, member) container_of(p, type, member)
#define hlist_entry_safe(p, type, member)                                                          \
	({                                                                                         \
		struct hlist_node *kmlab_node_ = (p);                                              \
		kmlab_node_ ? hlist_entry(kmlab_node_, type, member) : NULL;                       \
	})
#define hlist_for_each(p, head) for ((p) = (head)->first; (p); (p) = (p)->next)
#define hlist_for_each_entry(p, head, member)                                                      \
	for ((p) = hlist_entry_safe((head)->first, __typeof__(*(p)), member); (p);                 \
	     (p) = hlist_entry_safe((p)->member.next, __typeof__(*(p)), member))
#define hlist_for_each_entry_safe(p, n, head, member)                                              \
	for ((p) = hlist_entry_safe((head)->first, __typeof__(*(p)), member);                      \
	     (p) && ({                                                                             \
		     (n) = (p)->member.next;                                                       \
		     1;                                                                            \
	     });                                                                                   \
	     (p) = hlist_entry_safe(n, __typeof__(*(p)), member))

#define list_add_rcu list_add
#define list_add_tail_rcu list_add_tail
#define list_del_rcu(entry) kmlab_unlink(entry)
#define list_replace_rcu list_replace
#define list_for_each_entry_rcu(p, head, member, ...) list_for_each_entry(p, head, member)
#define hlist_add_head_rcu hlist_add_head
#define hlist_for_each_entry_rcu(p, head, member, ...) hlist_for_each_entry(p, head, member)

#endif
