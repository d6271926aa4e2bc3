// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc gives physically contiguous memory of a size class: 100 bytes come from kmalloc-128, and
 * ksize() says so. The contents are what was there before.
 */
#include <linux/module.h>
#include <linux/slab.h>

static char *text;

static int __init example_init(void)
{
	text = kmalloc(100, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	strcpy(text, "hello");
	pr_info("%s, in %zu bytes\n", text, ksize(text));
	return 0;
}

static void __exit example_exit(void)
{
	kfree(text);
	kfree(NULL); /* allowed: does nothing */
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kmalloc");
