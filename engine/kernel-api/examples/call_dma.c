// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma_alloc_coherent() gives memory that the CPU and a device see alike, and its bus address,
 * within the mask of the device.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>

static struct device device = {.coherent_dma_mask = DMA_BIT_MASK(24)};
static dma_addr_t handle;
static void *ring;

static int __init example_init(void)
{
	ring = dma_alloc_coherent(&device, 6000, &handle, GFP_KERNEL);
	if (!ring)
		return -ENOMEM;
	pr_info("bus address within 24 bits: %d\n", handle < (1 << 24));
	return 0;
}

static void __exit example_exit(void)
{
	dma_free_coherent(&device, 6000, ring, handle);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("call_dma");
