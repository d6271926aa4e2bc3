// SPDX-License-Identifier: GPL-2.0-only
/*
 * Init that fails must undo what it has done: the module is not loaded then, and its exit never
 * runs.
 */
#include <linux/module.h>
#include <linux/slab.h>

static void *first, *second;

static int __init example_init(void)
{
	first = kmalloc(100, GFP_KERNEL);
	if (!first)
		return -ENOMEM;
	second = kmalloc(8 << 20, GFP_KERNEL | __GFP_NOWARN); /* more than there can be */
	if (!second)
		return -ENOMEM;
	return 0;
}

static void __exit example_exit(void)
{
	kfree(second);
	kfree(first);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_error_path");
