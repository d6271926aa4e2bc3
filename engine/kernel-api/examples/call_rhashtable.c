// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hash table that grows (lib/rhashtable.c): it begins with 64 buckets, 576 bytes; three quarters
 * full, a work item makes one twice as large, and an RCU callback frees the old one. Beside it a
 * radix tree, whose nodes are 576 bytes each (lib/radix-tree.c).
 */
#include <linux/module.h>
#include <linux/radix-tree.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

struct entry {
	u32 key;
	struct rhash_head node;
};
static const struct rhashtable_params params = {
	.key_len = sizeof(u32),
	.key_offset = offsetof(struct entry, key),
	.head_offset = offsetof(struct entry, node),
};
static struct rhashtable table;
static struct entry *entries;
static RADIX_TREE(tree, GFP_KERNEL);

static int __init example_init(void)
{
	u32 key = 40;
	int ret = rhashtable_init(&table, &params);

	if (ret)
		return ret;
	entries = kcalloc(60, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	for (int i = 0; i < 60; i++) {
		entries[i].key = i;
		ret = rhashtable_insert_fast(&table, &entries[i].node, params);
		if (ret)
			return ret;
	}
	ret = radix_tree_insert(&tree, 70, &entries[0]);
	pr_info("found %td, %d again, in the tree %d\n",
		(struct entry *)rhashtable_lookup_fast(&table, &key, params) - entries,
		rhashtable_lookup_insert_fast(&table, &entries[40].node, params),
		radix_tree_lookup(&tree, 70) == &entries[0]);
	return ret;
}

static void __exit example_exit(void)
{
	radix_tree_delete(&tree, 70);
	rhashtable_destroy(&table);
	kfree(entries);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_rhashtable");
