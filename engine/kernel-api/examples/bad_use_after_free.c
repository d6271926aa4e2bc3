// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory used after it was freed: it may be somebody else's by then. What was in it is poisoned
 * with 0x6b.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init example_init(void)
{
	int *p = kmalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	*p = 1;
	kfree(p);
	pr_info("0x%x\n", *p);
	*p = 2;
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_use_after_free");
