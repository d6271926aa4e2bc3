// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmalloc gives memory that is contiguous for the kernel only: its pages lie where they were
 * found, and each needs an entry in the page tables. kmalloc memory is contiguous in both. Run
 * with --map to see it.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static char *area, *block;

static int __init example_init(void)
{
	area = vzalloc(20000);
	block = kmalloc(16384, GFP_KERNEL);
	if (!area || !block)
		return -ENOMEM;
	for (int page = 0; page < 5; page++)
		area[page * PAGE_SIZE] = 'a' + page;
	/* The same byte through the direct map. */
	pr_info("%c, in the fourth page\n",
		*(char *)page_address(vmalloc_to_page(area + 3 * PAGE_SIZE)));
	pr_info("kmalloc in one piece: %d\n",
		virt_to_phys(block + 8192) == virt_to_phys(block) + 8192);
	return 0;
}

static void __exit example_exit(void)
{
	vfree(area);
	kfree(block);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_vmalloc");
