/* SPDX-License-Identifier: GPL-2.0-only */
/* A reserve of objects in front of an allocator, so that a few always are there. */
#ifndef _LINUX_MEMPOOL_H
#define _LINUX_MEMPOOL_H

#include <linux/kernel.h>
#include <linux/slab.h>

typedef void *(mempool_alloc_t)(gfp_t gfp, void *data);
typedef void(mempool_free_t)(void *element, void *data);
typedef struct mempool_s {
	int min_nr, curr_nr;
	void **elements, *pool_data;
	mempool_alloc_t *alloc;
	mempool_free_t *free;
} mempool_t;

static inline void *mempool_alloc_slab(gfp_t gfp, void *cache)
{
	return kmem_cache_alloc((struct kmem_cache *)cache, gfp);
}
static inline void mempool_free_slab(void *element, void *cache)
{
	kmem_cache_free((struct kmem_cache *)cache, element);
}
static inline void *mempool_kmalloc(gfp_t gfp, void *bytes)
{
	return kmalloc((size_t)bytes, gfp);
}
static inline void mempool_kfree(void *element, void *bytes)
{
	kfree(element);
}
static inline void *mempool_alloc_pages(gfp_t gfp, void *order)
{
	return alloc_pages(gfp, (unsigned long)order);
}
static inline void mempool_free_pages(void *element, void *order)
{
	__free_pages((struct page *)element, (unsigned long)order);
}
static inline void mempool_destroy(mempool_t *pool)
{
	if (!pool)
		return;
	while (pool->curr_nr)
		pool->free(pool->elements[--pool->curr_nr], pool->pool_data);
	kfree(pool->elements);
	kfree(pool);
}
static inline mempool_t *mempool_create(int min_nr, mempool_alloc_t *alloc, mempool_free_t *free,
					void *data)
{
	mempool_t *pool = kzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	*pool = (mempool_t){.min_nr = min_nr, .pool_data = data, .alloc = alloc, .free = free};
	pool->elements = kmalloc_array(max(1, min_nr), sizeof(void *), GFP_KERNEL);
	if (!pool->elements) {
		kfree(pool);
		return NULL;
	}
	while (pool->curr_nr < min_nr) {
		void *element = alloc(GFP_KERNEL, data);

		if (!element) {
			mempool_destroy(pool);
			return NULL;
		}
		pool->elements[pool->curr_nr++] = element;
	}
	return pool;
}
#define mempool_create_slab_pool(min_nr, cache)                                                    \
	mempool_create(min_nr, mempool_alloc_slab, mempool_free_slab, (void *)(cache))
#define mempool_create_kmalloc_pool(min_nr, bytes)                                                 \
	mempool_create(min_nr, mempool_kmalloc, mempool_kfree, (void *)(unsigned long)(bytes))
#define mempool_create_page_pool(min_nr, order)                                                    \
	mempool_create(min_nr, mempool_alloc_pages, mempool_free_pages,                            \
		       (void *)(unsigned long)(order))
static inline void *mempool_alloc(mempool_t *pool, gfp_t gfp)
{
	void *element =
		pool->alloc(gfp | __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN, pool->pool_data);

	if (element || !pool->curr_nr)
		return element;
	return pool->elements[--pool->curr_nr];
}
static inline void mempool_free(void *element, mempool_t *pool)
{
	if (!element)
		return;
	if (pool->curr_nr < pool->min_nr)
		pool->elements[pool->curr_nr++] = element;
	else
		pool->free(element, pool->pool_data);
}

#endif
