// SPDX-License-Identifier: GPL-2.0-only
/*
 * A scatterlist says which pieces of memory a device is to treat as one. sg_alloc_table() takes 128
 * entries in a page of their own, fewer by kmalloc(), and more in arrays that are chained: 127 and
 * a link, and the rest. What vmalloc() gave is one piece for the CPU alone, and goes in by the
 * page; pages that lie side by side become one entry.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define PIECES 200
#define AREA_PAGES 4

static struct sg_table pieces, area;
static char *buffer, *scattered;

static int show_area(void)
{
	struct page *pages[AREA_PAGES], *block;
	struct sg_table one;
	int ret;

	scattered = vzalloc(AREA_PAGES * PAGE_SIZE);
	block = alloc_pages(GFP_KERNEL, 2);
	if (!scattered || !block)
		return -ENOMEM;
	for (int i = 0; i < AREA_PAGES; i++)
		pages[i] = vmalloc_to_page(scattered + i * PAGE_SIZE);
	ret = sg_alloc_table_from_pages(&area, pages, AREA_PAGES, 100, AREA_PAGES * PAGE_SIZE - 100,
					GFP_KERNEL);
	for (int i = 0; i < AREA_PAGES; i++)
		pages[i] = block + i;
	if (!ret)
		ret = sg_alloc_table_from_pages(&one, pages, AREA_PAGES, 0, AREA_PAGES * PAGE_SIZE,
						GFP_KERNEL);
	if (!ret) {
		sg_pcopy_from_buffer(area.sgl, area.orig_nents, "text", 5, PAGE_SIZE - 102);
		pr_info("across two pages: %s; the block of 4 pages: %u entry of %u bytes\n",
			scattered + PAGE_SIZE - 2, one.orig_nents, one.sgl->length);
		sg_free_table(&one);
	}
	__free_pages(block, 2);
	return ret;
}

static int __init example_init(void)
{
	struct scatterlist *sg;
	unsigned long bytes = 0;
	int i, mapped;

	if (sg_alloc_table(&pieces, PIECES, GFP_KERNEL))
		return -ENOMEM;
	buffer = kmalloc(PIECES * 64, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	for_each_sg(pieces.sgl, sg, PIECES, i) sg_set_buf(sg, buffer + 64 * i, 64);
	mapped = dma_map_sg(NULL, pieces.sgl, PIECES, DMA_TO_DEVICE);
	for_each_sg(pieces.sgl, sg, mapped, i) bytes +=
		sg_dma_address(sg) == virt_to_phys(buffer + 64 * i) ? sg_dma_len(sg) : 0;
	pr_info("%d entries, %lu bytes, the last is the last: %d\n", mapped, bytes,
		sg_next(sg_last(pieces.sgl, PIECES)) == NULL);
	dma_unmap_sg(NULL, pieces.sgl, PIECES, DMA_TO_DEVICE);
	return show_area();
}

static void __exit example_exit(void)
{
	kfree(buffer);
	sg_free_table(&pieces);
	sg_free_table(&area);
	vfree(scattered);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_scatterlist");
