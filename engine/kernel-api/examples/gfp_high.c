// SPDX-License-Identifier: GPL-2.0-only
/*
 * __GFP_HIGH may use the reserve that other requests leave alone; with no flag to sleep it makes
 * what GFP_ATOMIC is. It says that the request is important, not that memory is high.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	p = kmalloc(100, GFP_NOWAIT | __GFP_HIGH);
	if (!p)
		return -ENOMEM;
	pr_info("GFP_NOWAIT | __GFP_HIGH: physical address below 16 MiB: %d, below 4 GiB: %d\n",
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
MODULE_DESCRIPTION("gfp_high");
