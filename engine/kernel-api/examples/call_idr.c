// SPDX-License-Identifier: GPL-2.0-only
/*
 * idr_alloc() gives a pointer the smallest free number, xa_store() files one under a number of the
 * caller's. Both keep trees of nodes with 64 slots, from the kernel's cache radix_tree_node: a
 * single entry at 0 needs none. What is filed is the caller's to free; idr_destroy() and
 * xa_destroy() free the nodes only.
 */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

static DEFINE_IDR(sessions);
static DEFINE_IDA(minors);
static DEFINE_XARRAY(pages);

static int __init example_init(void)
{
	char *session;
	int id;

	for (int i = 0; i < 3; i++) {
		session = kmalloc(40, GFP_KERNEL);
		id = session ? idr_alloc(&sessions, session, 1, 0, GFP_KERNEL) : -ENOMEM;
		if (id < 0) {
			kfree(session);
			return id;
		}
	}
	kfree(idr_remove(&sessions, 2));
	id = idr_alloc(&sessions, kmalloc(40, GFP_KERNEL), 1, 0, GFP_KERNEL);
	pr_info("the number that was free: %d\n", id);
	pr_info("minors %d and %d\n", ida_alloc(&minors, GFP_KERNEL),
		ida_alloc_min(&minors, 10, GFP_KERNEL));
	if (xa_err(xa_store(&pages, 5000, xa_mk_value(7), GFP_KERNEL)))
		return -ENOMEM;
	pr_info("at 5000: %lu, at 4: %d\n", xa_to_value(xa_load(&pages, 5000)),
		xa_load(&pages, 4) != NULL);
	return 0;
}

static void __exit example_exit(void)
{
	char *session;
	int id;

	idr_for_each_entry(&sessions, session, id) kfree(session);
	idr_destroy(&sessions);
	ida_free(&minors, 0);
	ida_destroy(&minors);
	xa_erase(&pages, 5000);
	pr_info("empty: %d\n", xa_empty(&pages));
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_idr");
