// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc cannot give high memory: there is no address for it. Linux warns and drops __GFP_HIGHMEM
 * when it needs new pages, and so the mistake shows only now and then. Caught here each time.
 */
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	p = kmalloc(100, GFP_HIGHUSER);
	return p ? 0 : -ENOMEM;
}

static void __exit example_exit(void)
{
	kfree(p);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_highmem_slab");
