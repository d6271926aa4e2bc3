// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mempool keeps a few objects back, so that the one who must not fail has some when memory is
 * short (mm/mempool.c). It takes 72 bytes, an array of pointers and all its objects at once; what
 * is freed fills the reserve first.
 */
#include <linux/mempool.h>
#include <linux/module.h>

static struct kmem_cache *cache;
static mempool_t *pool, *of_cache;
static void *element, *object;

static int __init example_init(void)
{
	cache = kmem_cache_create("example_pool", 200, 0, SLAB_NO_MERGE, NULL);
	pool = mempool_create_kmalloc_pool(4, 256);
	of_cache = mempool_create_slab_pool(2, cache);
	if (!cache || !pool || !of_cache)
		return -ENOMEM;
	element = mempool_alloc(pool, GFP_NOIO);
	object = mempool_alloc(of_cache, GFP_ATOMIC);
	pr_info("kept back: %d and %d\n", pool->curr_nr, of_cache->curr_nr);
	return 0;
}

static void __exit example_exit(void)
{
	mempool_free(object, of_cache);
	mempool_free(element, pool);
	mempool_destroy(of_cache);
	mempool_destroy(pool);
	kmem_cache_destroy(cache);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_mempool");
