// SPDX-License-Identifier: GPL-2.0-only
/*
 * A NULL pointer is followed: the module crashes, the report does not.
 */
#include <linux/module.h>
#include <linux/slab.h>

struct thing {
	int first, second;
};

static int __init example_init(void)
{
	struct thing *thing = NULL;

	pr_info("about to crash\n");
	thing->second = 1;
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_oops");
