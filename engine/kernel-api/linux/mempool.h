/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A reserve of objects in front of an allocator, so that a few always are there (mm/mempool.c):
 * 72 bytes, an array of pointers, and the objects, all at once.
 */
#ifndef _LINUX_MEMPOOL_H
#define _LINUX_MEMPOOL_H

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

typedef void *(mempool_alloc_t)(gfp_t gfp, void *data);
typedef void(mempool_free_t)(void *element, void *data);
typedef struct mempool_s {
	spinlock_t lock;
	int min_nr, curr_nr;
	void **elements, *pool_data;
	mempool_alloc_t *alloc;
	mempool_free_t *free;
	void *kmlab_wait[3];
} mempool_t;

/* Who asked the pool: a pool's functions are told only what to allocate. */
__attribute__((weak)) const struct kmlab_site *kmlab_pool_site;
#define KMLAB_POOL_SITE(name) (kmlab_pool_site ? kmlab_pool_site : KMLAB_SITE(name))

static inline void *mempool_alloc_slab(gfp_t gfp, void *cache)
{
	return kmlab_api->cache_alloc(KMLAB_POOL_SITE("mempool_alloc_slab"), cache, gfp, -1);
}
static inline void mempool_free_slab(void *element, void *cache)
{
	kmlab_api->cache_free(KMLAB_POOL_SITE("mempool_free_slab"), cache, element);
}
static inline void *mempool_kmalloc(gfp_t gfp, void *bytes)
{
	return kmlab_api->do_kmalloc(KMLAB_POOL_SITE("mempool_kmalloc"), (size_t)bytes, gfp, -1);
}
static inline void mempool_kfree(void *element, void *bytes)
{
	kmlab_api->do_kfree(KMLAB_POOL_SITE("mempool_kfree"), element, 0);
}
static inline void *mempool_alloc_pages(gfp_t gfp, void *order)
{
	return kmlab_page_of(kmlab_api->do_alloc_pages(KMLAB_POOL_SITE("mempool_alloc_pages"), gfp,
						       (unsigned long)order));
}
static inline void mempool_free_pages(void *element, void *order)
{
	kmlab_api->do_free_pages(KMLAB_POOL_SITE("mempool_free_pages"),
				 kmlab_addr_of((struct page *)element), (unsigned long)order);
}
static inline void *kmlab_pool_take(const struct kmlab_site *site, mempool_t *pool, gfp_t gfp)
{
	const struct kmlab_site *outer = kmlab_pool_site;
	void *element;

	kmlab_pool_site = site;
	element = pool->alloc(gfp, pool->pool_data);
	kmlab_pool_site = outer;
	return element;
}
static inline void kmlab_pool_give(const struct kmlab_site *site, mempool_t *pool, void *element)
{
	const struct kmlab_site *outer = kmlab_pool_site;

	kmlab_pool_site = site;
	pool->free(element, pool->pool_data);
	kmlab_pool_site = outer;
}
static inline void kmlab_pool_exit(const struct kmlab_site *site, mempool_t *pool)
{
	while (pool->curr_nr)
		kmlab_pool_give(site, pool, pool->elements[--pool->curr_nr]);
	kmlab_api->do_kfree(site, pool->elements, 0);
	pool->elements = NULL;
}
static inline int kmlab_pool_init(const struct kmlab_site *site, mempool_t *pool, int min_nr,
				  mempool_alloc_t *alloc, mempool_free_t *free, void *data)
{
	*pool = (mempool_t){.min_nr = min_nr, .pool_data = data, .alloc = alloc, .free = free};
	pool->elements = kmlab_array(site, max(1, min_nr), sizeof(void *), GFP_KERNEL, -1);
	if (!pool->elements)
		return -ENOMEM;
	while (pool->curr_nr < min_nr) {
		void *element = kmlab_pool_take(site, pool, GFP_KERNEL);

		if (!element) {
			kmlab_pool_exit(site, pool);
			return -ENOMEM;
		}
		pool->elements[pool->curr_nr++] = element;
	}
	return 0;
}
static inline mempool_t *kmlab_pool_create(const struct kmlab_site *site, int min_nr,
					   mempool_alloc_t *alloc, mempool_free_t *free, void *data)
{
	mempool_t *pool = kmlab_api->do_kmalloc(site, sizeof(*pool), GFP_KERNEL | __GFP_ZERO, -1);

	if (pool && kmlab_pool_init(site, pool, min_nr, alloc, free, data)) {
		kmlab_api->do_kfree(site, pool, 0);
		return NULL;
	}
	return pool;
}
static inline void kmlab_pool_destroy(const struct kmlab_site *site, mempool_t *pool)
{
	if (!pool)
		return;
	kmlab_pool_exit(site, pool);
	kmlab_api->do_kfree(site, pool, 0);
}
#define mempool_create(min_nr, alloc, free, data)                                                  \
	kmlab_pool_create(KMLAB_SITE("mempool_create"), min_nr, alloc, free, data)
#define mempool_create_node(min_nr, alloc, free, data, gfp, node)                                  \
	kmlab_pool_create(KMLAB_SITE("mempool_create_node"), min_nr, alloc, free, data)
#define mempool_create_slab_pool(min_nr, cache)                                                    \
	kmlab_pool_create(KMLAB_SITE("mempool_create_slab_pool"), min_nr, mempool_alloc_slab,      \
			  mempool_free_slab, (void *)(cache))
#define mempool_create_kmalloc_pool(min_nr, bytes)                                                 \
	kmlab_pool_create(KMLAB_SITE("mempool_create_kmalloc_pool"), min_nr, mempool_kmalloc,      \
			  mempool_kfree, (void *)(unsigned long)(bytes))
#define mempool_create_page_pool(min_nr, order)                                                    \
	kmlab_pool_create(KMLAB_SITE("mempool_create_page_pool"), min_nr, mempool_alloc_pages,     \
			  mempool_free_pages, (void *)(unsigned long)(order))
#define mempool_destroy(pool) kmlab_pool_destroy(KMLAB_SITE("mempool_destroy"), pool)
#define mempool_init(pool, min_nr, alloc, free, data)                                              \
	kmlab_pool_init(KMLAB_SITE("mempool_init"), pool, min_nr, alloc, free, data)
#define mempool_init_slab_pool(pool, min_nr, cache)                                                \
	kmlab_pool_init(KMLAB_SITE("mempool_init_slab_pool"), pool, min_nr, mempool_alloc_slab,    \
			mempool_free_slab, (void *)(cache))
#define mempool_init_kmalloc_pool(pool, min_nr, bytes)                                             \
	kmlab_pool_init(KMLAB_SITE("mempool_init_kmalloc_pool"), pool, min_nr, mempool_kmalloc,    \
			mempool_kfree, (void *)(unsigned long)(bytes))
#define mempool_exit(pool) kmlab_pool_exit(KMLAB_SITE("mempool_exit"), pool)
#define mempool_initialized(pool) ((pool)->elements != NULL)

/* The allocator first, without waiting for memory; then the reserve. */
static inline void *kmlab_pool_alloc(const struct kmlab_site *site, mempool_t *pool, gfp_t gfp)
{
	void *element;

	if (gfp & __GFP_DIRECT_RECLAIM)
		kmlab_api->do_might_sleep(site);
	gfp |= __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
	element = kmlab_pool_take(site, pool, gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_IO));
	if (element)
		return element;
	if (pool->curr_nr)
		return pool->elements[--pool->curr_nr];
	return gfp & __GFP_DIRECT_RECLAIM ? kmlab_pool_take(site, pool, gfp) : NULL;
}
#define mempool_alloc(pool, gfp) kmlab_pool_alloc(KMLAB_SITE("mempool_alloc"), pool, gfp)
static inline void kmlab_pool_free(const struct kmlab_site *site, void *element, mempool_t *pool)
{
	if (!element)
		return;
	if (pool->curr_nr < pool->min_nr)
		pool->elements[pool->curr_nr++] = element;
	else
		kmlab_pool_give(site, pool, element);
}
#define mempool_free(element, pool) kmlab_pool_free(KMLAB_SITE("mempool_free"), element, pool)

#endif
