// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_KERNEL is the flag for process context: the allocation may reclaim memory, start I/O, call
 * into file systems, and so sleep. Use it unless something forbids.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	p = kmalloc(100, GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	pr_info("GFP_KERNEL: physical address below 16 MiB: %d, below 4 GiB: %d\n",
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
MODULE_DESCRIPTION("gfp_kernel");
