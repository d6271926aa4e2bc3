/* SPDX-License-Identifier: GPL-2.0-only */
/* The page allocator: blocks of 2^order pages. */
#ifndef _LINUX_GFP_H
#define _LINUX_GFP_H

#include <linux/gfp_types.h>
#include <linux/mm_types.h>
#include <linux/numa.h>

#define MAX_ORDER 10
#define MAX_PAGE_ORDER 10
#define NR_PAGE_ORDERS 11

static inline struct page *kmlab_page_of(unsigned long addr)
{
	return addr ? (struct page *)kmlab_api->memory_map +
			       ((addr - (unsigned long)kmlab_api->direct_map) >> 12)
		    : NULL;
}
static inline unsigned long kmlab_addr_of(const struct page *page)
{
	return page ? (unsigned long)kmlab_api->direct_map +
			       ((unsigned long)(page - (struct page *)kmlab_api->memory_map) << 12)
		    : 0;
}

#define alloc_pages(gfp, order)                                                                    \
	kmlab_page_of(kmlab_api->do_alloc_pages(KMLAB_SITE("alloc_pages"), gfp, order))
#define alloc_page(gfp) kmlab_page_of(kmlab_api->do_alloc_pages(KMLAB_SITE("alloc_page"), gfp, 0))
#define alloc_pages_node(node, gfp, order)                                                         \
	kmlab_page_of(kmlab_api->do_alloc_pages(KMLAB_SITE("alloc_pages_node"), gfp, order))
/* An address must exist: what may lie outside of the direct map is not asked for. */
#define __get_free_pages(gfp, order)                                                               \
	kmlab_api->do_alloc_pages(KMLAB_SITE("__get_free_pages"), (gfp) & ~__GFP_HIGHMEM, order)
#define __get_free_page(gfp)                                                                       \
	kmlab_api->do_alloc_pages(KMLAB_SITE("__get_free_page"), (gfp) & ~__GFP_HIGHMEM, 0)
#define get_zeroed_page(gfp)                                                                       \
	kmlab_api->do_alloc_pages(KMLAB_SITE("get_zeroed_page"),                                   \
				  ((gfp) | __GFP_ZERO) & ~__GFP_HIGHMEM, 0)
#define __get_dma_pages(gfp, order) __get_free_pages((gfp) | GFP_DMA, order)
/* A page goes with its last reference. `_refcount` holds those of get_page(). */
static inline void kmlab_put_pages(const struct kmlab_site *site, struct page *page,
				   unsigned int order)
{
	if (page && page->_refcount.counter > 0)
		page->_refcount.counter--;
	else
		kmlab_api->do_free_pages(site, kmlab_addr_of(page), order);
}
#define get_page(page) ((void)(page)->_refcount.counter++)
#define page_count(page) ((page)->_refcount.counter + 1)
#define __free_pages(page, order) kmlab_put_pages(KMLAB_SITE("__free_pages"), page, order)
#define __free_page(page) kmlab_put_pages(KMLAB_SITE("__free_page"), page, 0)
#define put_page(page) kmlab_put_pages(KMLAB_SITE("put_page"), page, 0)
static inline void kmlab_free_pages_at(const struct kmlab_site *site, unsigned long addr,
				       unsigned int order)
{
	/* What is no page of the direct map is told by the runner. */
	if (addr - (unsigned long)kmlab_api->direct_map < kmlab_api->direct_bytes && !(addr & 4095))
		kmlab_put_pages(site, kmlab_page_of(addr), order);
	else
		kmlab_api->do_free_pages(site, addr, order);
}
#define free_pages(addr, order)                                                                    \
	kmlab_free_pages_at(KMLAB_SITE("free_pages"), (unsigned long)(addr), order)
#define free_page(addr) kmlab_free_pages_at(KMLAB_SITE("free_page"), (unsigned long)(addr), 0)

#endif
