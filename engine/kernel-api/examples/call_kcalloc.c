// SPDX-License-Identifier: GPL-2.0-only
/*
 * kcalloc and kmalloc_array make arrays, and return NULL when n * size does not fit a size_t: a
 * product written by hand would wrap and give too little. kcalloc clears.
 */
#include <linux/module.h>
#include <linux/slab.h>

static int *zeros, *numbers;

static int __init example_init(void)
{
	void *too_many = kcalloc(SIZE_MAX / 2, 4, GFP_KERNEL);
	int sum = 0;

	zeros = kcalloc(25, sizeof(*zeros), GFP_KERNEL);
	numbers = kmalloc_array(25, sizeof(*numbers), GFP_KERNEL);
	if (!zeros || !numbers)
		return -ENOMEM;
	for (int i = 0; i < 25; i++) {
		numbers[i] = i;
		sum += numbers[i] + zeros[i];
	}
	pr_info("sum %d, too many: %d\n", sum, too_many != NULL);
	return 0;
}

static void __exit example_exit(void)
{
	kfree(zeros);
	kfree(numbers);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kcalloc");
