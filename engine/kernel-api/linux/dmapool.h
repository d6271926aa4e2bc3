/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small pieces of memory that a device may use (mm/dmapool.c): cut from blocks of
 * dma_alloc_coherent(), a page or what one piece needs, taken when the first is asked for and
 * given back with the pool. A pool is an object of kmalloc-128; each block has a record, of 40
 * bytes up to 6.3, of 32 since.
 */
#ifndef _LINUX_DMAPOOL_H
#define _LINUX_DMAPOOL_H

#include <linux/dma-mapping.h>
#include <linux/version.h>

struct kmlab_dma_block {
	struct kmlab_dma_block *next;
	void *record, *memory; /* memory: of the block; pieces follow one another in it */
	dma_addr_t handle;
	unsigned long used[64]; /* one bit a piece */
};
struct dma_pool {
	struct kmlab_dma_block *blocks;
	struct device *dev;
	size_t size, allocation, boundary;
	char name[32], kmlab_rest[128 - 72 - 16];
	unsigned int nr_used;
};
#define KMLAB_DMA_RECORD (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0) ? 32 : 40)

static inline struct dma_pool *kmlab_dma_pool(const struct kmlab_site *site, const char *name,
					      struct device *dev, size_t size, size_t align,
					      size_t boundary)
{
	struct dma_pool *pool;

	align = align ? align : 1;
	if (align & (align - 1) || !size || size > INT_MAX || (boundary && boundary < size)) {
		kmlab_api->complain(
			site, KMLAB_FAULT_ARGUMENT,
			"%s of %lu bytes, aligned to %lu, not across %lu: sizes are at "
			"least 1, alignments powers of two, and a piece fits before the "
			"boundary",
			site->call, size, align, boundary);
		return NULL;
	}
	pool = kmlab_api->do_kmalloc(site, sizeof(*pool), GFP_KERNEL | __GFP_ZERO, -1);
	if (!pool)
		return NULL;
	size = ALIGN(max(size, (size_t)16), align);
	pool->size = size;
	pool->allocation = max(size, (size_t)PAGE_SIZE);
	pool->boundary = boundary ? min(boundary, pool->allocation) : pool->allocation;
	pool->dev = dev;
	strscpy(pool->name, name, sizeof(pool->name));
	return pool;
}
#define dma_pool_create(name, dev, size, align, boundary)                                          \
	kmlab_dma_pool(KMLAB_SITE("dma_pool_create"), name, dev, size, align, boundary)

/* Where piece n of a block begins, or beyond the block: none goes across a boundary. */
static inline size_t kmlab_dma_piece(const struct dma_pool *pool, unsigned int n)
{
	unsigned int fit = pool->boundary / pool->size;

	return n / fit * pool->boundary + n % fit * pool->size;
}
static inline struct kmlab_dma_block *kmlab_dma_block_new(const struct kmlab_site *site,
							  struct dma_pool *pool, gfp_t gfp)
{
	struct kmlab_dma_block *block = kmlab_api->own_memory(sizeof(*block));

	block->record = kmlab_api->do_kmalloc(site, KMLAB_DMA_RECORD, gfp & ~__GFP_ZERO, -1);
	if (!block->record)
		return NULL;
	block->memory = kmlab_dma_alloc(site, pool->dev, pool->allocation, &block->handle, gfp);
	if (!block->memory) {
		kmlab_api->do_kfree(site, block->record, 0);
		return NULL;
	}
	block->next = pool->blocks;
	pool->blocks = block;
	return block;
}
static inline void *kmlab_dma_pool_alloc(const struct kmlab_site *site, struct dma_pool *pool,
					 gfp_t gfp, dma_addr_t *handle)
{
	struct kmlab_dma_block *block;
	unsigned int n = 0;

	if (gfp & __GFP_DIRECT_RECLAIM)
		kmlab_api->do_might_sleep(site);
	for (block = pool->blocks; block; block = block->next) {
		for (n = 0; kmlab_dma_piece(pool, n) + pool->size <= pool->allocation; n++)
			if (!(block->used[n / 64] >> n % 64 & 1))
				goto found;
	}
	n = 0;
	block = kmlab_dma_block_new(site, pool, gfp);
	if (!block)
		return NULL;
found:
	block->used[n / 64] |= 1UL << n % 64;
	pool->nr_used++;
	*handle = block->handle + kmlab_dma_piece(pool, n);
	if (gfp & __GFP_ZERO)
		memset((char *)block->memory + kmlab_dma_piece(pool, n), 0, pool->size);
	return (char *)block->memory + kmlab_dma_piece(pool, n);
}
#define dma_pool_alloc(pool, gfp, handle)                                                          \
	kmlab_dma_pool_alloc(KMLAB_SITE("dma_pool_alloc"), pool, gfp, handle)
#define dma_pool_zalloc(pool, gfp, handle)                                                         \
	kmlab_dma_pool_alloc(KMLAB_SITE("dma_pool_zalloc"), pool, (gfp) | __GFP_ZERO, handle)
static inline void kmlab_dma_pool_free(const struct kmlab_site *site, struct dma_pool *pool,
				       void *p, dma_addr_t handle)
{
	struct kmlab_dma_block *block;

	for (block = pool->blocks; block; block = block->next)
		for (unsigned int n = 0; kmlab_dma_piece(pool, n) + pool->size <= pool->allocation;
		     n++)
			if ((char *)block->memory + kmlab_dma_piece(pool, n) == p &&
			    block->used[n / 64] >> n % 64 & 1) {
				block->used[n / 64] &= ~(1UL << n % 64);
				pool->nr_used--;
				return;
			}
	kmlab_api->complain(site, KMLAB_FAULT_CHECK,
			    "%s: the pool \"%s\" has not given out %p, or has it back", site->call,
			    pool->name, p);
}
#define dma_pool_free(pool, p, handle)                                                             \
	kmlab_dma_pool_free(KMLAB_SITE("dma_pool_free"), pool, p, handle)
/* What is in use stays, and is lost. */
static inline void kmlab_dma_pool_destroy(const struct kmlab_site *site, struct dma_pool *pool)
{
	if (!pool)
		return;
	if (pool->nr_used)
		kmlab_api->complain(site, KMLAB_FAULT_CHECK,
				    "dma_pool_destroy: %u pieces of \"%s\" are in use",
				    pool->nr_used, pool->name);
	for (struct kmlab_dma_block *block = pool->blocks; block; block = block->next) {
		bool busy = false;

		for (int i = 0; i < 64; i++)
			busy |= block->used[i] != 0;
		if (!busy)
			kmlab_api->do_free_pages(site, (unsigned long)block->memory,
						 get_order(pool->allocation));
		kmlab_api->do_kfree(site, block->record, 0);
	}
	kmlab_api->do_kfree(site, pool, 0);
}
#define dma_pool_destroy(pool) kmlab_dma_pool_destroy(KMLAB_SITE("dma_pool_destroy"), pool)

#endif
