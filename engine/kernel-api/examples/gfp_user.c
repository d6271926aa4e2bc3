// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_USER is for memory that user space asked for and the kernel reads too: it obeys the cpuset
 * of the task (__GFP_HARDWALL). Otherwise it is GFP_KERNEL.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	p = kmalloc(100, GFP_USER);
	if (!p)
		return -ENOMEM;
	pr_info("GFP_USER: physical address below 16 MiB: %d, below 4 GiB: %d\n",
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
MODULE_DESCRIPTION("gfp_user");
