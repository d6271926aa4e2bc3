// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that nobody frees: reported by the place that allocated it.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init example_init(void)
{
	for (int i = 0; i < 3; i++)
		if (!kmalloc(100, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_leak");
