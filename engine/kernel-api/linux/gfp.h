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

/* ---- references ---- */

/*
 * `_refcount` holds those of get_page(); the allocation's own comes to it. In a compound page all
 * are the first page's. In a block without __GFP_COMP there are only those of the first page: the
 * others have none that could be given back.
 */
struct kmlab_page_block {
	struct page *head;
	unsigned int order;
	enum kmlab_block kind;
};
static inline struct kmlab_page_block kmlab_block_of(const struct page *page)
{
	struct kmlab_page_block block = {.head = (struct page *)page};
	unsigned long addr;

	block.kind = kmlab_api->page_block((void *)kmlab_addr_of(page), &addr, &block.order);
	if (block.kind != KMLAB_BLOCK_NONE)
		block.head = kmlab_page_of(addr);
	return block;
}
static inline struct page *compound_head(const struct page *page)
{
	struct kmlab_page_block block = kmlab_block_of(page);

	return block.kind == KMLAB_BLOCK_COMPOUND ? block.head : (struct page *)page;
}
static inline unsigned int compound_order(const struct page *page)
{
	struct kmlab_page_block block = kmlab_block_of(page);

	return block.kind == KMLAB_BLOCK_COMPOUND && block.head == page ? block.order : 0;
}
#define compound_nr(page) (1UL << compound_order(page))
#define page_size(page) (4096UL << compound_order(page))
static inline bool PageTail(const struct page *page)
{
	return compound_head(page) != page;
}
#define PageHead(page) (compound_order(page) > 0)
#define PageCompound(page) (compound_order(compound_head(page)) > 0)

static inline int page_count(const struct page *page)
{
	struct kmlab_page_block block = kmlab_block_of(page);
	bool tail = block.kind == KMLAB_BLOCK_PLAIN && block.head != page;

	return (tail ? page : block.head)->_refcount.counter + !tail;
}
#define page_ref_count(page) (PageTail(page) ? 0 : page_count(page))
static inline void kmlab_get_page(const struct kmlab_site *site, struct page *page)
{
	struct kmlab_page_block block = kmlab_block_of(page);

	if (block.kind == KMLAB_BLOCK_PLAIN && block.head != page && !page->_refcount.counter)
		kmlab_api->complain(
			site, KMLAB_FAULT_REFERENCE,
			"%s of page %u of %u: in a block without __GFP_COMP only the first page is "
			"counted, and the put_page() of another frees that page while the block is "
			"in use: ask with __GFP_COMP, or split_page() it first",
			site->call, (unsigned int)(page - block.head), 1u << block.order);
	if (block.kind == KMLAB_BLOCK_COMPOUND)
		page = block.head;
	page->_refcount.counter++;
}
#define get_page(page) kmlab_get_page(KMLAB_SITE("get_page"), page)
static inline bool kmlab_try_get_page(const struct kmlab_site *site, struct page *page)
{
	if (!page_count(page))
		return false;
	kmlab_get_page(site, page);
	return true;
}
#define try_get_page(page) kmlab_try_get_page(KMLAB_SITE("try_get_page"), page)
#define get_page_unless_zero(page) kmlab_try_get_page(KMLAB_SITE("get_page_unless_zero"), page)

/* A block goes with its last reference; what __free_pages() is told is the order of it. */
static inline void kmlab_put_pages(const struct kmlab_site *site, struct page *page,
				   unsigned int order)
{
	if (!page || !page->_refcount.counter) {
		kmlab_api->do_free_pages(site, kmlab_addr_of(page), order);
		return;
	}
	page->_refcount.counter--;
	if (order && kmlab_block_of(page).kind == KMLAB_BLOCK_PLAIN)
		kmlab_api->do_free_rest(site, kmlab_addr_of(page), order);
}
static inline void kmlab_put_page(const struct kmlab_site *site, struct page *page)
{
	struct kmlab_page_block block = kmlab_block_of(page);

	if (block.kind == KMLAB_BLOCK_COMPOUND)
		kmlab_put_pages(site, block.head, block.order);
	else
		kmlab_put_pages(site, page, 0);
}
#define __free_pages(page, order) kmlab_put_pages(KMLAB_SITE("__free_pages"), page, order)
#define __free_page(page) kmlab_put_pages(KMLAB_SITE("__free_page"), page, 0)
#define put_page(page) kmlab_put_page(KMLAB_SITE("put_page"), page)
#define split_page(page, order)                                                                    \
	kmlab_api->do_split_page(KMLAB_SITE("split_page"), kmlab_addr_of(page), order)
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
