// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc(0) is no error: it gives ZERO_SIZE_PTR, which is not NULL, can be freed, and must not be
 * followed.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init example_init(void)
{
	void *nothing = kmalloc(0, GFP_KERNEL);

	pr_info("%px, zero or NULL: %d, size %zu\n", nothing, ZERO_OR_NULL_PTR(nothing),
		ksize(nothing));
	kfree(nothing);
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_zero_size");
