// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_NOIO may sleep, but reclaim must not start I/O: for block drivers, whose own I/O would wait
 * for the memory they are asking for.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	p = kmalloc(100, GFP_NOIO);
	if (!p)
		return -ENOMEM;
	pr_info("GFP_NOIO: physical address below 16 MiB: %d, below 4 GiB: %d\n",
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
MODULE_DESCRIPTION("gfp_noio");
