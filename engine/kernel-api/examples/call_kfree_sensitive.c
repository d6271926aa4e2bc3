// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfree_sensitive clears the memory before it is freed: for keys and passwords.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int __init example_init(void)
{
	char *key = kmalloc(32, GFP_KERNEL);

	if (!key)
		return -ENOMEM;
	memset(key, 0x42, 32);
	kfree_sensitive(key);
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kfree_sensitive");
