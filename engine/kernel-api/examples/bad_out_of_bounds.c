// SPDX-License-Identifier: GPL-2.0-only
/*
 * One byte too far, and a text that is longer than its place. 100 bytes asked for are 100 bytes,
 * though the class has 128.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init example_init(void)
{
	char *p = kmalloc(100, GFP_KERNEL), *q = kmalloc(8, GFP_KERNEL);

	if (!p || !q)
		return -ENOMEM;
	p[100] = 0;
	strcpy(q, "too long");
	kfree(p);
	kfree(q);
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_out_of_bounds");
