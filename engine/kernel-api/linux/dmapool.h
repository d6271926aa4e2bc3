/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_DMAPOOL_H
#define _LINUX_DMAPOOL_H

#include <linux/dma-mapping.h>

struct dma_pool;
#define dma_pool_create(name, device, size, align, boundary)                                       \
	((struct dma_pool *)kmem_cache_create(name, size, align, 0, NULL))
#define dma_pool_destroy(pool) kmem_cache_destroy((void *)(pool))
static inline void *dma_pool_alloc(struct dma_pool *pool, gfp_t gfp, dma_addr_t *handle)
{
	void *p = kmem_cache_alloc((void *)pool, gfp);

	*handle = p ? __pa(p) : DMA_MAPPING_ERROR;
	return p;
}
#define dma_pool_free(pool, p, handle) kmem_cache_free((void *)(pool), p)

#endif
