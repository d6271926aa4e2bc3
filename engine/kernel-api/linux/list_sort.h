/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists in order (lib/list_sort.c): stable, without memory. */
#ifndef _LINUX_LIST_SORT_H
#define _LINUX_LIST_SORT_H

#include <linux/list.h>

/* > 0: a belongs behind b. The arguments are const since 5.13. */
typedef int (*list_cmp_func_t)(void *, const struct list_head *, const struct list_head *);

/* Two chains that end with NULL into one; of equals those of a come first. */
static inline struct list_head *kmlab_merge(void *data, list_cmp_func_t cmp, struct list_head *a,
					    struct list_head *b)
{
	struct list_head *first = NULL, **end = &first;

	while (a && b) {
		struct list_head **from = cmp(data, a, b) > 0 ? &b : &a;

		*end = *from;
		end = &(*from)->next;
		*from = (*from)->next;
	}
	*end = a ? a : b;
	return first;
}
static inline void kmlab_list_sort(void *data, struct list_head *head, list_cmp_func_t cmp)
{
	struct list_head *sorted[64] = {NULL}, *rest, *chain = NULL, *last = head;

	if (list_empty(head))
		return;
	head->prev->next = NULL;
	for (struct list_head *entry = head->next; entry; entry = rest) {
		int level = 0;

		rest = entry->next;
		entry->next = NULL;
		/* sorted[n] holds 2^n entries, all older than the ones below it, or none. */
		for (; sorted[level]; level++) {
			entry = kmlab_merge(data, cmp, sorted[level], entry);
			sorted[level] = NULL;
		}
		sorted[level] = entry;
	}
	for (int level = 0; level < 64; level++)
		chain = kmlab_merge(data, cmp, sorted[level], chain);
	for (; chain; chain = chain->next) {
		last->next = chain;
		chain->prev = last;
		last = chain;
	}
	last->next = head;
	head->prev = last;
}
#define list_sort(data, head, cmp) kmlab_list_sort(data, head, (list_cmp_func_t)(cmp))

#endif
