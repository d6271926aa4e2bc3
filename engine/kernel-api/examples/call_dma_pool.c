// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_pool_alloc() cuts small pieces that a device may use from blocks of dma_alloc_coherent()
 * (mm/dmapool.c): the pool is an object of kmalloc-128, and the first piece takes a page and a
 * record of it. No piece lies across the boundary. Blocks go with the pool, not before.
 */
#include <linux/dmapool.h>
#include <linux/module.h>

static struct device device = {.coherent_dma_mask = DMA_BIT_MASK(32)};
static struct dma_pool *pool;
static dma_addr_t handles[3];
static void *pieces[3];

static int __init example_init(void)
{
	pool = dma_pool_create("descriptors", &device, 48, 64, 0);
	if (!pool)
		return -ENOMEM;
	for (int i = 0; i < 3; i++) {
		pieces[i] = dma_pool_zalloc(pool, GFP_KERNEL, &handles[i]);
		if (!pieces[i])
			return -ENOMEM;
	}
	pr_info("one behind the other: %lld %lld\n", handles[1] - handles[0],
		handles[2] - handles[1]);
	return 0;
}

static void __exit example_exit(void)
{
	for (int i = 0; i < 3; i++)
		dma_pool_free(pool, pieces[i], handles[i]);
	dma_pool_destroy(pool);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_dma_pool");
