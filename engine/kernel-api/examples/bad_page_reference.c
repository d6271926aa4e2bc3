// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page handler that gives pages of one block to a process: without __GFP_COMP its second page
 * has no reference that the mapping could hold. At the end a reference is kept.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static struct page *block, *kept;

static int __init example_init(void)
{
	block = alloc_pages(GFP_KERNEL, 1);
	kept = alloc_pages(GFP_KERNEL | __GFP_COMP, 1);
	if (!block || !kept)
		return -ENOMEM;
	get_page(block + 1);
	put_page(block + 1);
	get_page(kept);
	split_page(kept, 1);
	return 0;
}

static void __exit example_exit(void)
{
	put_page(block); /* of order 1: it is no order-0 page */
	__free_pages(block, 1);
	__free_pages(kept, 1);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("bad_page_reference");
