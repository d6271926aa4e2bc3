// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_NOWAIT never sleeps and leaves the reserve alone: for requests that have a second way when
 * memory is low. It only wakes kswapd.
 */
#include <linux/module.h>
#include <linux/slab.h>

static void *p;

static int __init example_init(void)
{
	preempt_disable();
	p = kmalloc(500, GFP_NOWAIT);
	preempt_enable();
	pr_info("allocated %zu bytes\n", ksize(p));
	return 0;
}

static void __exit example_exit(void)
{
	kfree(p);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_nowait");
