// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfree_rcu frees when every reader that may still see the object is done.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

struct entry {
	int value;
	struct rcu_head rcu;
};
static struct entry __rcu *current_entry;

static int __init example_init(void)
{
	struct entry *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);

	if (!fresh)
		return -ENOMEM;
	fresh->value = 5;
	rcu_assign_pointer(current_entry, fresh);
	rcu_read_lock();
	pr_info("value %d\n", rcu_dereference(current_entry)->value);
	rcu_read_unlock();
	return 0;
}

static void __exit example_exit(void)
{
	struct entry *old = current_entry;

	rcu_assign_pointer(current_entry, NULL);
	kfree_rcu(old, rcu);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kfree_rcu");
