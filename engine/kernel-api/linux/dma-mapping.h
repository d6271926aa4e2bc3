/* SPDX-License-Identifier: GPL-2.0-only */
/* Without an IOMMU: a device sees physical addresses. */
#ifndef _LINUX_DMA_MAPPING_H
#define _LINUX_DMA_MAPPING_H

#include <linux/device.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>

#define DMA_BIT_MASK(n) ((n) == 64 ? ~0ULL : (1ULL << (n)) - 1)
#define DMA_MAPPING_ERROR (~(dma_addr_t)0)
enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };

static inline void *kmlab_dma_alloc(const struct kmlab_site *site, struct device *device,
				    size_t bytes, dma_addr_t *handle, gfp_t gfp)
{
	u64 mask =
		device && device->coherent_dma_mask ? device->coherent_dma_mask : DMA_BIT_MASK(32);
	unsigned long addr;

	if (mask <= DMA_BIT_MASK(24))
		gfp |= GFP_DMA;
	else if (mask <= DMA_BIT_MASK(32))
		gfp |= GFP_DMA32;
	addr = kmlab_api->do_alloc_pages(site, gfp | __GFP_ZERO, get_order(bytes));
	*handle = addr ? __pa(addr) : DMA_MAPPING_ERROR;
	return (void *)addr;
}
#define dma_alloc_coherent(device, bytes, handle, gfp)                                             \
	kmlab_dma_alloc(KMLAB_SITE("dma_alloc_coherent"), device, bytes, handle, gfp)
#define dma_free_coherent(device, bytes, p, handle)                                                \
	((void)(device), (void)(handle),                                                           \
	 kmlab_api->do_free_pages(KMLAB_SITE("dma_free_coherent"), (unsigned long)(p),             \
				  get_order(bytes)))
#define dma_map_single(device, p, bytes, direction) ((void)(device), (dma_addr_t)__pa(p))
#define dma_unmap_single(device, handle, bytes, direction) ((void)(handle))
#define dma_map_page(device, page, offset, bytes, direction) (page_to_phys(page) + (offset))
#define dma_unmap_page dma_unmap_single
#define dma_mapping_error(device, handle) ((handle) == DMA_MAPPING_ERROR)
#define dma_set_mask(device, mask) ((void)(device), (void)(mask), 0)
#define dma_set_coherent_mask(device, mask) ((device)->coherent_dma_mask = (mask), 0)
#define dma_set_mask_and_coherent dma_set_coherent_mask
#define dma_sync_single_for_cpu(device, handle, bytes, direction) ((void)(handle))
#define dma_sync_single_for_device dma_sync_single_for_cpu
/* Each entry is one for the device, too. */
static inline int kmlab_dma_map_sg(struct scatterlist *list, int entries)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(list, sg, entries, i)
	{
		sg->dma_address = sg_phys(sg);
		sg->dma_length = sg->length;
	}
	return entries;
}
#define dma_map_sg(device, list, entries, direction)                                               \
	((void)(device), (void)(direction), kmlab_dma_map_sg(list, entries))
#define dma_unmap_sg(device, list, entries, direction) ((void)(list))
#define dma_map_sgtable(device, table, direction, attrs)                                           \
	((void)(device), (table)->nents = kmlab_dma_map_sg((table)->sgl, (table)->orig_nents), 0)
#define dma_unmap_sgtable(device, table, direction, attrs) ((void)(table))
#define dma_sync_sg_for_cpu(device, list, entries, direction) ((void)(list))
#define dma_sync_sg_for_device dma_sync_sg_for_cpu

#endif
