// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_DMA32 asks for the first 4 GiB: for devices with 32 address lines. Slab memory has no such
 * caches: ask for pages, or use dma_alloc_coherent() with a mask.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static struct page *page;

static int __init example_init(void)
{
	page = alloc_pages(GFP_KERNEL | GFP_DMA32, 2);
	if (!page)
		return -ENOMEM;
	pr_info("below 4 GiB: %d\n", page_to_phys(page) < (4ULL << 30));
	return 0;
}

static void __exit example_exit(void)
{
	__free_pages(page, 2);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_dma32");
