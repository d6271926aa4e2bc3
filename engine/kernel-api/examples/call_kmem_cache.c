// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cache holds objects of one kind: packed for their size, and constructed once. It is destroyed
 * when it is empty.
 */
#include <linux/module.h>
#include <linux/slab.h>

struct item {
	int number;
	char name[50];
};
static struct kmem_cache *cache;
static struct item *item;

static void construct(void *object)
{
	struct item *fresh = object;

	fresh->number = 7;
}

static int __init example_init(void)
{
	cache = kmem_cache_create("example_item", sizeof(struct item), 0,
				  SLAB_HWCACHE_ALIGN | SLAB_NO_MERGE, construct);
	if (!cache)
		return -ENOMEM;
	item = kmem_cache_alloc(cache, GFP_KERNEL);
	if (!item) {
		kmem_cache_destroy(cache);
		return -ENOMEM;
	}
	pr_info("number %d, objects of %u bytes\n", item->number, kmem_cache_size(cache));
	return 0;
}

static void __exit example_exit(void)
{
	kmem_cache_free(cache, item);
	kmem_cache_destroy(cache);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_kmem_cache");
