// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mempool keeps a few objects back, so that the one who must not fail has some when memory is
 * short.
 */
#include <linux/mempool.h>
#include <linux/module.h>

static mempool_t *pool;
static void *element;

static int __init example_init(void)
{
	pool = mempool_create_kmalloc_pool(4, 256);
	if (!pool)
		return -ENOMEM;
	element = mempool_alloc(pool, GFP_NOIO);
	pr_info("kept back: %d\n", pool->curr_nr);
	return 0;
}

static void __exit example_exit(void)
{
	mempool_free(element, pool);
	mempool_destroy(pool);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_mempool");
