// SPDX-License-Identifier: GPL-2.0-only
/*
 * GFP_TRANSHUGE asks for the 512 pages of a huge page that a process sees: movable, one compound
 * page. GFP_TRANSHUGE_LIGHT does not even wake reclaim: a page fault has small pages to go on with.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>

#define HUGE_ORDER 9

static struct page *patient, *light;

static int __init example_init(void)
{
	patient = alloc_pages(GFP_TRANSHUGE, HUGE_ORDER);
	light = alloc_pages(GFP_TRANSHUGE_LIGHT, HUGE_ORDER);
	if (!patient || !light)
		return -ENOMEM;
	pr_info("order %u, its last page belongs to its first: %d, aligned to 2 MiB: %d\n",
		compound_order(patient), compound_head(patient + 511) == patient,
		IS_ALIGNED(page_to_phys(patient), 2 << 20));
	pr_info("may wait: %d and %d\n", gfpflags_allow_blocking(GFP_TRANSHUGE),
		gfpflags_allow_blocking(GFP_TRANSHUGE_LIGHT));
	return 0;
}

static void __exit example_exit(void)
{
	put_page(patient + 511); /* the reference of the allocation is the whole page's */
	__free_pages(light, HUGE_ORDER);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_transhuge");
