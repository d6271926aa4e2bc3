// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page allocator gives blocks of 2^order pages: alloc_pages() their struct page,
 * __get_free_pages() their address. A block is freed with the order it was allocated with.
 * alloc_pages_exact() gives what a power of two has too much back.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

static struct page *block;
static unsigned long addr, zeroed;
static void *exact;

static int __init example_init(void)
{
	block = alloc_pages(GFP_KERNEL, 2);
	addr = __get_free_pages(GFP_KERNEL, 1);
	zeroed = get_zeroed_page(GFP_KERNEL);
	exact = alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL);
	if (!block || !addr || !zeroed || !exact)
		return -ENOMEM;
	pr_info("there and back: %d, order of 20000 bytes: %d\n",
		virt_to_page(page_address(block)) == block, get_order(20000));
	return 0;
}

static void __exit example_exit(void)
{
	__free_pages(block, 2);
	free_pages(addr, 1);
	free_page(zeroed);
	free_pages_exact(exact, 5 * PAGE_SIZE);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_pages");
