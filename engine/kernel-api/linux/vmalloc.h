/* SPDX-License-Identifier: GPL-2.0-only */
/* Virtually contiguous memory from single pages. */
#ifndef _LINUX_VMALLOC_H
#define _LINUX_VMALLOC_H

#include <linux/mm.h>
#include <linux/slab.h>

#define VM_MAP 0x4
#define vmalloc(bytes) kmlab_api->do_vmalloc(KMLAB_SITE("vmalloc"), bytes, 1, GFP_KERNEL, 0)
#define vzalloc(bytes)                                                                             \
	kmlab_api->do_vmalloc(KMLAB_SITE("vzalloc"), bytes, 1, GFP_KERNEL | __GFP_ZERO, 0)
#define vmalloc_node(bytes, node)                                                                  \
	kmlab_api->do_vmalloc(KMLAB_SITE("vmalloc_node"), bytes, 1, GFP_KERNEL, 0)
#define vzalloc_node(bytes, node)                                                                  \
	kmlab_api->do_vmalloc(KMLAB_SITE("vzalloc_node"), bytes, 1, GFP_KERNEL | __GFP_ZERO, 0)
#define vmalloc_user(bytes)                                                                        \
	kmlab_api->do_vmalloc(KMLAB_SITE("vmalloc_user"), bytes, 1, GFP_KERNEL | __GFP_ZERO, 0)
#define vmalloc_32(bytes)                                                                          \
	kmlab_api->do_vmalloc(KMLAB_SITE("vmalloc_32"), bytes, 1, GFP_KERNEL | GFP_DMA32, 0)
#define vmalloc_huge(bytes, gfp) kmlab_api->do_vmalloc(KMLAB_SITE("vmalloc_huge"), bytes, 1, gfp, 1)
/* The third argument, a protection, is gone since 5.8. */
#define __vmalloc(bytes, gfp, ...) kmlab_api->do_vmalloc(KMLAB_SITE("__vmalloc"), bytes, 1, gfp, 0)
#define __vmalloc_node(bytes, align, gfp, node, caller)                                            \
	((void)(caller), kmlab_api->do_vmalloc(KMLAB_SITE("__vmalloc_node"), bytes, align, gfp, 0))
#define vmalloc_array(n, bytes)                                                                    \
	kmlab_api->do_vmalloc(KMLAB_SITE("vmalloc_array"), size_mul(n, bytes), 1, GFP_KERNEL, 0)
#define vcalloc(n, bytes)                                                                          \
	kmlab_api->do_vmalloc(KMLAB_SITE("vcalloc"), size_mul(n, bytes), 1,                        \
			      GFP_KERNEL | __GFP_ZERO, 0)
#define vfree(p) kmlab_api->do_vfree(KMLAB_SITE("vfree"), p)

static inline void *kmlab_vmap(const struct kmlab_site *site, struct page **pages,
			       unsigned int count)
{
	unsigned long *pfns = kvmalloc_array(count, sizeof(*pfns), GFP_KERNEL);
	void *area;

	if (!pfns)
		return NULL;
	for (unsigned int i = 0; i < count; i++)
		pfns[i] = page_to_pfn(pages[i]);
	area = kmlab_api->do_vmap(site, pfns, count);
	kvfree(pfns);
	return area;
}
#define vmap(pages, count, flags, protection) kmlab_vmap(KMLAB_SITE("vmap"), pages, count)
#define vunmap(p) kmlab_api->do_vfree(KMLAB_SITE("vunmap"), p)

#include <linux/cleanup.h>
DEFINE_FREE(vfree, void *, if (_T) vfree(_T))

#endif
