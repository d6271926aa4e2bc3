// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many objects at once: kmem_cache_alloc_bulk() gives all or none.
 */
#include <linux/module.h>
#include <linux/slab.h>

static struct kmem_cache *cache;
static void *objects[16];

static int __init example_init(void)
{
	cache = kmem_cache_create("example_bulk", 120, 8, SLAB_NO_MERGE, NULL);
	if (!cache)
		return -ENOMEM;
	pr_info("%d objects\n", kmem_cache_alloc_bulk(cache, GFP_KERNEL, 16, objects));
	return 0;
}

static void __exit example_exit(void)
{
	kmem_cache_free_bulk(cache, 16, objects);
	kmem_cache_shrink(cache);
	kmem_cache_destroy(cache);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kmem_cache_bulk");
