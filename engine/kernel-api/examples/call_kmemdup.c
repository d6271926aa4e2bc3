// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies: kmemdup() of bytes, kstrdup() of text, kasprintf() of what printf would write.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

static char *copy, *name, *bytes;

static int __init example_init(void)
{
	static const char source[] = {1, 2, 3};

	bytes = kmemdup(source, sizeof(source), GFP_KERNEL);
	copy = kstrdup("a text", GFP_KERNEL);
	name = kasprintf(GFP_KERNEL, "disk%d", 4);
	if (!bytes || !copy || !name)
		return -ENOMEM;
	pr_info("%*ph, %s, %s\n", 3, bytes, copy, name);
	return 0;
}

static void __exit example_exit(void)
{
	kfree(bytes);
	kfree(copy);
	kfree(name);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kmemdup");
