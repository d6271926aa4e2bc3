/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lists of pieces of memory that a device reads or writes as one (lib/scatterlist.c): arrays of
 * 32-byte entries, at most a page each; the last entry of a full array that is not the last one
 * leads to the next. Arrays of a whole page are pages, shorter ones are kmalloc'd.
 */
#ifndef _LINUX_SCATTERLIST_H
#define _LINUX_SCATTERLIST_H

#include <linux/mm.h>
#include <linux/slab.h>

struct scatterlist {
	unsigned long page_link; /* a struct page, or the next array; the low bits say which */
	unsigned int offset, length;
	dma_addr_t dma_address;
	unsigned int dma_length, dma_flags;
};
struct sg_table {
	struct scatterlist *sgl;
	unsigned int nents, orig_nents; /* mapped for the device; in the list */
};
_Static_assert(sizeof(struct scatterlist) == 32, "128 entries to a page, as on x86-64");

#define SG_CHAIN 1UL
#define SG_END 2UL
#define SG_PAGE_LINK_MASK (SG_CHAIN | SG_END)
#define SG_MAX_SINGLE_ALLOC (PAGE_SIZE / sizeof(struct scatterlist))
#define sg_is_chain(sg) ((sg)->page_link & SG_CHAIN)
#define sg_is_last(sg) ((sg)->page_link & SG_END)
#define sg_chain_ptr(sg) ((struct scatterlist *)((sg)->page_link & ~SG_PAGE_LINK_MASK))
#define sg_dma_address(sg) ((sg)->dma_address)
#define sg_dma_len(sg) ((sg)->dma_length)

static inline struct page *sg_page(const struct scatterlist *sg)
{
	return (struct page *)(sg->page_link & ~SG_PAGE_LINK_MASK);
}
static inline void sg_assign_page(struct scatterlist *sg, struct page *page)
{
	sg->page_link = (sg->page_link & SG_PAGE_LINK_MASK) | (unsigned long)page;
}
static inline void sg_set_page(struct scatterlist *sg, struct page *page, unsigned int length,
			       unsigned int offset)
{
	sg_assign_page(sg, page);
	sg->offset = offset;
	sg->length = length;
}
/* One piece is contiguous for the device: what vmalloc gave is so only within a page. */
static inline void kmlab_sg_set_buf(const struct kmlab_site *site, struct scatterlist *sg,
				    const void *p, unsigned int length)
{
	if (!virt_addr_valid(p)) {
		kmlab_api->complain(
			site, KMLAB_FAULT_ARGUMENT,
			"%s of 0x%lx, which is not in the direct map: a device would reach other "
			"memory; for vmalloc's, sg_set_page() of vmalloc_to_page(), page by page",
			site->call, (unsigned long)p);
		return;
	}
	sg_set_page(sg, virt_to_page(p), length, offset_in_page(p));
}
#define sg_set_buf(sg, p, length) kmlab_sg_set_buf(KMLAB_SITE("sg_set_buf"), sg, p, length)
#define sg_phys(sg) (page_to_phys(sg_page(sg)) + (sg)->offset)
static inline void *sg_virt(const struct scatterlist *sg)
{
	return (char *)page_address(sg_page(sg)) + sg->offset;
}

static inline void sg_mark_end(struct scatterlist *sg)
{
	sg->page_link = (sg->page_link | SG_END) & ~SG_CHAIN;
}
static inline void sg_unmark_end(struct scatterlist *sg)
{
	sg->page_link &= ~SG_END;
}
static inline void sg_init_table(struct scatterlist *sg, unsigned int entries)
{
	memset(sg, 0, sizeof(*sg) * entries);
	sg_mark_end(&sg[entries - 1]);
}
static inline void kmlab_sg_init_one(const struct kmlab_site *site, struct scatterlist *sg,
				     const void *p, unsigned int length)
{
	sg_init_table(sg, 1);
	kmlab_sg_set_buf(site, sg, p, length);
}
#define sg_init_one(sg, p, length) kmlab_sg_init_one(KMLAB_SITE("sg_init_one"), sg, p, length)
/* The last of `entries` leads to another array. */
static inline void sg_chain(struct scatterlist *sg, unsigned int entries, struct scatterlist *next)
{
	sg[entries - 1] = (struct scatterlist){.page_link = (unsigned long)next | SG_CHAIN};
}
static inline struct scatterlist *sg_next(struct scatterlist *sg)
{
	if (sg_is_last(sg))
		return NULL;
	sg++;
	return sg_is_chain(sg) ? sg_chain_ptr(sg) : sg;
}
#define for_each_sg(list, sg, entries, i)                                                          \
	for ((i) = 0, (sg) = (list); (i) < (entries); (i)++, (sg) = sg_next(sg))
#define for_each_sgtable_sg(table, sg, i) for_each_sg((table)->sgl, sg, (table)->orig_nents, i)
#define for_each_sgtable_dma_sg(table, sg, i) for_each_sg((table)->sgl, sg, (table)->nents, i)
static inline int sg_nents(struct scatterlist *sg)
{
	int entries = 0;

	for (; sg; sg = sg_next(sg))
		entries++;
	return entries;
}
static inline struct scatterlist *sg_last(struct scatterlist *sg, unsigned int entries)
{
	while (--entries && !sg_is_last(sg))
		sg = sg_next(sg);
	return sg;
}

/* ---- tables ---- */

static inline struct scatterlist *kmlab_sg_array(const struct kmlab_site *site,
						 unsigned int entries, gfp_t gfp)
{
	struct scatterlist *sg =
		entries == SG_MAX_SINGLE_ALLOC
			? (void *)kmlab_api->do_alloc_pages(site, gfp & ~__GFP_HIGHMEM, 0)
			: kmlab_api->do_kmalloc(site, entries * sizeof(*sg), gfp, -1);

	if (sg)
		sg_init_table(sg, entries);
	return sg;
}
static inline void kmlab_sg_free(const struct kmlab_site *site, struct sg_table *table)
{
	struct scatterlist *sg = table->sgl, *next;

	while (table->orig_nents) {
		bool full = table->orig_nents >= SG_MAX_SINGLE_ALLOC;
		bool chained = table->orig_nents > SG_MAX_SINGLE_ALLOC;

		next = chained ? sg_chain_ptr(&sg[SG_MAX_SINGLE_ALLOC - 1]) : NULL;
		table->orig_nents -= chained ? SG_MAX_SINGLE_ALLOC - 1 : table->orig_nents;
		if (full)
			kmlab_api->do_free_pages(site, (unsigned long)sg, 0);
		else
			kmlab_api->do_kfree(site, sg, 0);
		sg = next;
	}
	*table = (struct sg_table){.sgl = NULL};
}
#define sg_free_table(table) kmlab_sg_free(KMLAB_SITE("sg_free_table"), table)
static inline int kmlab_sg_alloc(const struct kmlab_site *site, struct sg_table *table,
				 unsigned int entries, gfp_t gfp)
{
	struct scatterlist *before = NULL, *sg;
	unsigned int room, used;

	*table = (struct sg_table){.sgl = NULL};
	if (!entries)
		return -EINVAL;
	for (; entries; entries -= used, before = sg) {
		room = entries < SG_MAX_SINGLE_ALLOC ? entries : (unsigned int)SG_MAX_SINGLE_ALLOC;
		used = entries > room ? room - 1 : room;
		sg = kmlab_sg_array(site, room, gfp);
		if (!sg) {
			/* The entry that would have led on counts, so that the array is whole. */
			table->orig_nents += before != NULL;
			kmlab_sg_free(site, table);
			return -ENOMEM;
		}
		table->nents = table->orig_nents += used;
		if (before) {
			sg_unmark_end(&before[SG_MAX_SINGLE_ALLOC - 1]);
			sg_chain(before, SG_MAX_SINGLE_ALLOC, sg);
		} else {
			table->sgl = sg;
		}
	}
	return 0;
}
#define sg_alloc_table(table, entries, gfp)                                                        \
	kmlab_sg_alloc(KMLAB_SITE("sg_alloc_table"), table, entries, gfp)

/* Pages that follow one another in memory are one entry. */
static inline int kmlab_sg_from_pages(const struct kmlab_site *site, struct sg_table *table,
				      struct page **pages, unsigned int count, unsigned int offset,
				      unsigned long bytes, gfp_t gfp)
{
	unsigned int entries = 1, at = 0, i, end;
	struct scatterlist *sg;
	int ret;

	for (i = 1; i < count; i++)
		entries += pages[i] != pages[i - 1] + 1;
	ret = kmlab_sg_alloc(site, table, count ? entries : 0, gfp);
	if (ret)
		return ret;
	for_each_sg(table->sgl, sg, table->orig_nents, i)
	{
		unsigned long length;

		for (end = at + 1; end < count && pages[end] == pages[end - 1] + 1;)
			end++;
		length = ((unsigned long)(end - at) << PAGE_SHIFT) - offset;
		length = length < bytes ? length : bytes;
		sg_set_page(sg, pages[at], (unsigned int)length, offset);
		bytes -= length;
		offset = 0;
		at = end;
	}
	return 0;
}
#define sg_alloc_table_from_pages(table, pages, count, offset, bytes, gfp)                         \
	kmlab_sg_from_pages(KMLAB_SITE("sg_alloc_table_from_pages"), table, pages, count, offset,  \
			    bytes, gfp)

/* ---- contents ---- */

/* Bytes copied between a buffer and what lies from `skip` on. */
static inline size_t kmlab_sg_copy(struct scatterlist *sg, unsigned int entries, char *buffer,
				   size_t bytes, off_t skip, bool to_buffer)
{
	size_t done = 0;

	for (; sg && entries-- && done < bytes; sg = sg_next(sg)) {
		size_t length = sg->length > skip ? sg->length - skip : 0;
		char *at = (char *)sg_virt(sg) + skip;

		length = length < bytes - done ? length : bytes - done;
		if (length && to_buffer)
			memcpy(buffer + done, at, length);
		else if (length)
			memcpy(at, buffer + done, length);
		skip = length ? 0 : skip - sg->length;
		done += length;
	}
	return done;
}
#define sg_copy_from_buffer(list, entries, buffer, bytes)                                          \
	kmlab_sg_copy(list, entries, (char *)(buffer), bytes, 0, false)
#define sg_copy_to_buffer(list, entries, buffer, bytes)                                            \
	kmlab_sg_copy(list, entries, buffer, bytes, 0, true)
#define sg_pcopy_from_buffer(list, entries, buffer, bytes, skip)                                   \
	kmlab_sg_copy(list, entries, (char *)(buffer), bytes, skip, false)
#define sg_pcopy_to_buffer(list, entries, buffer, bytes, skip)                                     \
	kmlab_sg_copy(list, entries, buffer, bytes, skip, true)

#endif
