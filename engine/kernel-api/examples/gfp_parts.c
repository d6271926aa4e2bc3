// SPDX-License-Identifier: GPL-2.0-only
/*
 * What GFP_KERNEL is made of: it may wait for reclaim (__GFP_DIRECT_RECLAIM), wake the thread that
 * reclaims (__GFP_KSWAPD_RECLAIM), start disk I/O (__GFP_IO) and call file systems (__GFP_FS).
 * Without the first a call does not sleep, and so may be made under a spinlock.
 */
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(lock);
static void *put_together, *under_lock;

static int __init example_init(void)
{
	gfp_t parts = __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM | __GFP_IO | __GFP_FS;

	put_together = kmalloc(100, parts);
	spin_lock(&lock);
	under_lock = kmalloc(100, GFP_KERNEL & ~__GFP_DIRECT_RECLAIM);
	spin_unlock(&lock);
	if (!put_together || !under_lock)
		return -ENOMEM;
	pr_info("GFP_KERNEL: %d, __GFP_RECLAIM is both: %d, may sleep: %d and %d\n",
		parts == GFP_KERNEL, (parts & __GFP_RECLAIM) == __GFP_RECLAIM,
		gfpflags_allow_blocking(parts),
		gfpflags_allow_blocking(parts & ~__GFP_DIRECT_RECLAIM));
	return 0;
}

static void __exit example_exit(void)
{
	kfree(under_lock);
	kfree(put_together);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_parts");
