// SPDX-License-Identifier: GPL-2.0-only
/*
 * __GFP_ZERO clears the memory; kzalloc(n, flags) is kmalloc(n, flags | __GFP_ZERO).
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	p = kmalloc(100, GFP_KERNEL | __GFP_ZERO);
	if (!p)
		return -ENOMEM;
	pr_info("GFP_KERNEL | __GFP_ZERO: physical address below 16 MiB: %d, below 4 GiB: %d\n",
		virt_to_phys(p) < (16 << 20), virt_to_phys(p) < (4ULL << 30));
	return 0;
}

static void __exit example_exit(void)
{
	kfree(p);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_zero");
