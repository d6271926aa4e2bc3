// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same object freed twice: the second free would hand it to two owners. Caught, with both
 * places.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init example_init(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kfree(p);
	kfree(p);
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_double_free");
