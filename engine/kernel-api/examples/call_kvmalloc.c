// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmalloc tries kmalloc and falls back to vmalloc where pages in one piece cannot be had: 8 MiB
 * always are an area. kvrealloc grows either, kvfree frees either.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

static char *small, *large;

static int __init example_init(void)
{
	small = kvzalloc(100, GFP_KERNEL);
	large = kvcalloc(1 << 20, 8, GFP_KERNEL);
	if (!small || !large)
		return -ENOMEM;
	pr_info("areas: small %d, large %d\n", is_vmalloc_addr(small), is_vmalloc_addr(large));
	return 0;
}

static void __exit example_exit(void)
{
	kvfree(small);
	kvfree(large);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kvmalloc");
