// SPDX-License-Identifier: GPL-2.0-only
/*
 * krealloc resizes: within the size class the object stays where it is, beyond it moves, with its
 * contents. krealloc_array checks the product. With __GFP_ZERO new memory is cleared. On failure
 * the old object is still there, so do not overwrite the only pointer to it.
 */
#include <linux/module.h>
#include <linux/slab.h>

static char *text;

static int __init example_init(void)
{
	char *bigger;

	text = kzalloc(60, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	strcpy(text, "kept");
	bigger = krealloc(text, 64, GFP_KERNEL);
	pr_info("60 to 64 bytes: same place %d\n", bigger == text);
	text = bigger;
	bigger = krealloc_array(text, 40, 5, GFP_KERNEL | __GFP_ZERO);
	if (!bigger)
		return -ENOMEM;
	text = bigger;
	pr_info("to 200 bytes: \"%s\"\n", text);
	return 0;
}

static void __exit example_exit(void)
{
	kfree(text);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_krealloc");
