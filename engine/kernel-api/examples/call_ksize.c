// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc_size_roundup() tells before the allocation what kmalloc would make of a size; who wants
 * to use all of it asks for that much. Since 6.2 memory beyond the size asked for is not to be
 * used, whatever ksize() says.
 */
#include <linux/module.h>
#include <linux/slab.h>

static char *buffer;

static int __init example_init(void)
{
	size_t bytes = kmalloc_size_roundup(1500);

	buffer = kmalloc(bytes, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	buffer[bytes - 1] = 1;
	pr_info("1500 becomes %zu, 5000 becomes %zu, 10000 becomes %zu\n", bytes,
		kmalloc_size_roundup(5000), kmalloc_size_roundup(10000));
	return 0;
}

static void __exit example_exit(void)
{
	kfree(buffer);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_ksize");
