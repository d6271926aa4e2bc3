// SPDX-License-Identifier: GPL-2.0-only
/*
 * References to pages. A block asked for with __GFP_COMP is one page of several: get_page() of any
 * part counts at the first, and the block goes with the last put_page(). Without __GFP_COMP the
 * first page's references are the block's: __free_pages() leaves a page that is still referred to
 * and frees the others. split_page() makes single pages of a block.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static int __init example_init(void)
{
	struct page *compound = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	struct page *plain = alloc_pages(GFP_KERNEL, 2);
	struct page *single = alloc_pages(GFP_KERNEL, 1);

	if (!compound || !plain || !single)
		return -ENOMEM;
	get_page(compound + 3);
	pr_info("head %d, order %u, references %d and %d\n",
		compound_head(compound + 3) == compound, compound_order(compound),
		page_count(compound), page_count(compound + 3));
	__free_pages(compound, 2); /* not the last reference */
	pr_info("still there: %d reference\n", page_count(compound));
	put_page(compound + 3);

	get_page(plain);
	pr_info("plain: %d references, %d of the second page\n", page_count(plain),
		page_count(plain + 1));
	__free_pages(plain, 2); /* pages 1 to 3 */
	put_page(plain);

	split_page(single, 1);
	__free_page(single + 1);
	__free_page(single);
	return 0;
}

static void __exit example_exit(void)
{
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_compound");
