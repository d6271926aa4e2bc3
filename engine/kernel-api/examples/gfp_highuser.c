// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_HIGHUSER is for pages of user space: they may lie where the kernel has no direct mapping (on
 * 32-bit machines), so kmap() makes an address when one is needed. With __GFP_MOVABLE the page may
 * also be moved. Slab memory cannot be high.
 */
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/string.h>

static struct page *page, *movable;

static int __init example_init(void)
{
	char *at;

	page = alloc_page(GFP_HIGHUSER);
	movable = alloc_page(GFP_HIGHUSER_MOVABLE);
	if (!page || !movable)
		return -ENOMEM;
	at = kmap_local_page(page);
	strscpy(at, "a page of user space", PAGE_SIZE);
	pr_info("%s\n", at);
	kunmap_local(at);
	return 0;
}

static void __exit example_exit(void)
{
	__free_page(page);
	__free_page(movable);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_highuser");
