// SPDX-License-Identifier: GPL-2.0-only
/*
 * kzalloc is kmalloc with the memory cleared: the usual way to make a structure.
 */
#include <linux/module.h>
#include <linux/slab.h>

struct state {
	int count;
	char name[40];
	struct state *next;
};
static struct state *state;

static int __init example_init(void)
{
	state = kzalloc(sizeof(*state), GFP_KERNEL);
	if (!state)
		return -ENOMEM;
	pr_info("count %d, name \"%s\", next %s\n", state->count, state->name,
		state->next ? "set" : "not set");
	return 0;
}

static void __exit example_exit(void)
{
	kfree(state);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kzalloc");
