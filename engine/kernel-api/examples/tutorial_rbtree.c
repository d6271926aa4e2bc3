// SPDX-License-Identifier: GPL-2.0-only
/*
 * Red-black trees: the caller searches, links a node where it belongs and lets rb_insert_color()
 * balance, so that 4096 numbers in order hang no deeper than 24. rb_root_cached knows its first.
 */
#include <linux/module.h>
#include <linux/rbtree.h>
#include <linux/slab.h>

#define COUNT 4096

struct item {
	struct rb_node node;
	unsigned int number;
};

static struct rb_root tree = RB_ROOT;
static struct rb_root_cached queue = RB_ROOT_CACHED;
static struct item *items;

static void insert(struct item *item, unsigned int number)
{
	struct rb_node **link = &tree.rb_node, *parent = NULL;

	item->number = number;
	while (*link) {
		parent = *link;
		link = number < rb_entry(parent, struct item, node)->number ? &parent->rb_left
									    : &parent->rb_right;
	}
	rb_link_node(&item->node, parent, link);
	rb_insert_color(&item->node, &tree);
}

static struct item *find(unsigned int number, unsigned int *steps)
{
	struct rb_node *node = tree.rb_node;

	for (*steps = 0; node; ++*steps) {
		struct item *item = rb_entry(node, struct item, node);

		if (item->number == number)
			return item;
		node = number < item->number ? node->rb_left : node->rb_right;
	}
	return NULL;
}

static bool later(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct item, node)->number < rb_entry(b, struct item, node)->number;
}

static int __init example_init(void)
{
	unsigned int steps, most = 0, before = 0, count = 0;
	struct item three = {.number = 3}, one = {.number = 1}, two = {.number = 2};
	struct rb_node *node;

	items = kvcalloc(COUNT, sizeof(*items), GFP_KERNEL);
	if (!items)
		return -ENOMEM;
	for (unsigned int i = 1; i <= COUNT; i++)
		insert(&items[i - 1], i);
	for (unsigned int i = 1; i <= COUNT; i++) {
		find(i, &steps);
		most = max(most, steps);
	}
	pr_info("%d numbers, none deeper than 24: %d\n", COUNT, most <= 24);
	for (unsigned int i = 1; i <= COUNT; i++)
		if (i % 4)
			rb_erase(&items[i - 1].node, &tree);
	for (node = rb_first(&tree); node; node = rb_next(node), count++)
		if (rb_entry(node, struct item, node)->number != before + 4)
			return -EINVAL;
		else
			before += 4;
	pr_info("%u are left, in order, up to %u\n", count, before);

	rb_add_cached(&three.node, &queue, later);
	rb_add_cached(&one.node, &queue, later);
	rb_add_cached(&two.node, &queue, later);
	rb_erase_cached(&one.node, &queue);
	pr_info("first of the queue: %u\n",
		rb_entry(rb_first_cached(&queue), struct item, node)->number);
	return 0;
}

static void __exit example_exit(void)
{
	struct item *item, *next;

	unsigned int freed = 0;

	/* Children before their parents: each could be freed here. */
	rbtree_postorder_for_each_entry_safe(item, next, &tree, node) freed++;
	pr_info("visited %u\n", freed);
	kvfree(items);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("tutorial_rbtree");
