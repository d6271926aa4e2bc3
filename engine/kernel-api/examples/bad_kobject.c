// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three mistakes with kobjects: a reference given back twice, one never given back, and kfree() of
 * what a reference still holds. A kobject's memory is its references' alone: kobject_put() once for
 * the creation and once for each kobject_get(), and never kfree()
 * (Documentation/core-api/kobject.rst).
 */
#include <linux/kobject.h>
#include <linux/module.h>

static int __init example_init(void)
{
	struct kobject *twice = kobject_create_and_add("twice", kernel_kobj);
	struct kobject *never = kobject_create_and_add("never", kernel_kobj);
	struct kobject *freed = kobject_create_and_add("freed", kernel_kobj);

	if (!twice || !never || !freed)
		return -ENOMEM;
	kobject_put(twice);
	kobject_put(twice);
	kfree(freed);
	kobject_put(freed);
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("References to kobjects that do not balance");
