// SPDX-License-Identifier: GPL-2.0-only
/*
 * __GFP_MEMALLOC may take the last pages, which are kept for who frees more: a request that memory
 * is written out with. Who must not, though all he is called from may, says __GFP_NOMEMALLOC.
 * __GFP_WRITE: the page will be dirtied.
 */
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/slab.h>

static void *to_free_more, *ordinary;
static struct page *dirtied;

static int __init example_init(void)
{
	to_free_more = kmalloc(100, GFP_NOIO | __GFP_MEMALLOC);
	ordinary = kmalloc(100, GFP_NOIO | __GFP_NOMEMALLOC);
	dirtied = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_WRITE);
	if (!to_free_more || !ordinary || !dirtied)
		return -ENOMEM;
	return 0;
}

static void __exit example_exit(void)
{
	__free_page(dirtied);
	kfree(ordinary);
	kfree(to_free_more);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("gfp_memalloc");
