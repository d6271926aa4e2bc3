// SPDX-License-Identifier: GPL-2.0-only
/*
 * Above 8 KiB kmalloc takes a power-of-two block of pages: 20000 bytes cost 32768. The largest is
 * 4 MiB; beyond it is NULL.
 */
#include <linux/module.h>
#include <linux/slab.h>

static void *block;

static int __init example_init(void)
{
	void *too_large = kmalloc(5 << 20, GFP_KERNEL | __GFP_NOWARN);

	block = kmalloc(20000, GFP_KERNEL);
	pr_info("%zu bytes, aligned to its size: %d, 5 MiB: %s\n", ksize(block),
		IS_ALIGNED((unsigned long)block, 32768), too_large ? "there" : "NULL");
	return block ? 0 : -ENOMEM;
}

static void __exit example_exit(void)
{
	kfree(block);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_large");
