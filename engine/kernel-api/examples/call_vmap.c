// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmap shows pages one already has, in the order one wants, at one run of addresses.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static struct page *pages[3];
static char *area;

static int __init example_init(void)
{
	for (int i = 0; i < 3; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (!pages[i])
			return -ENOMEM;
		*(char *)page_address(pages[i]) = 'x' + i;
	}
	area = vmap(pages, 3, VM_MAP, PAGE_KERNEL);
	if (!area)
		return -ENOMEM;
	pr_info("%c%c%c\n", area[0], area[PAGE_SIZE], area[2 * PAGE_SIZE]);
	return 0;
}

static void __exit example_exit(void)
{
	vunmap(area);
	for (int i = 0; i < 3; i++)
		__free_page(pages[i]);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_vmap");
