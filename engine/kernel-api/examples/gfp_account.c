// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_KERNEL_ACCOUNT charges the memory to the memory cgroup of the task: for what user space can
 * cause without limit. kmalloc has caches of their own for it (kmalloc-cg-N).
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	p = kmalloc(100, GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	pr_info("GFP_KERNEL_ACCOUNT: physical address below 16 MiB: %d, below 4 GiB: %d\n",
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
MODULE_DESCRIPTION("gfp_account");
