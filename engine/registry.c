/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be replayed: one line per model. */
#include <string.h>

#include "models.h"

/* clang-format off */
const struct km_model km_models[] = {
	{ "slub", "Linux: kmalloc classes and caches on SLUB, pages from the buddy, vmalloc",
	  &km_buddy_page_ops, &km_slub_slab_ops, &km_vmalloc_vm_ops, KM_ROUTE_SLAB },
	{ "slab", "6.1 with CONFIG_SLAB (removed in 6.8): arrays of free objects per CPU and shared",
	  &km_buddy_page_ops, &km_slab_slab_ops, &km_vmalloc_vm_ops, KM_ROUTE_SLAB },
	{ "slob", "6.1 with CONFIG_SLOB (removed in 6.4): first fit within pages, for tiny machines",
	  &km_buddy_page_ops, &km_slob_slab_ops, &km_vmalloc_vm_ops, KM_ROUTE_SLAB },
	{ "buddy", "every object is a power-of-two block of pages",
	  &km_buddy_page_ops, &km_slub_slab_ops, &km_vmalloc_vm_ops, KM_ROUTE_PAGES },
	{ "vmalloc", "every object is a vmalloc area",
	  &km_buddy_page_ops, &km_slub_slab_ops, &km_vmalloc_vm_ops, KM_ROUTE_VMALLOC },
	{ "vmalloc_huge", "every object is an area of vmalloc_huge(): 2 MiB pages from 2 MiB on",
	  &km_buddy_page_ops, &km_slub_slab_ops, &km_vmalloc_vm_ops, KM_ROUTE_VMALLOC_HUGE },
	{ "kvmalloc", "kvmalloc:BYTES, objects of at least BYTES are vmalloc areas, others slub",
	  &km_buddy_page_ops, &km_slub_slab_ops, &km_vmalloc_vm_ops, KM_ROUTE_KVMALLOC },
	{ "bump", "bump pointer, nothing is taken back: the floor of latency",
	  &km_bump_page_ops, &km_bump_slab_ops, &km_bump_vm_ops, KM_ROUTE_SLAB },
	{ "null", "does nothing: the cost of the harness",
	  &km_null_page_ops, &km_null_slab_ops, &km_null_vm_ops, KM_ROUTE_SLAB },
	{ NULL, NULL, NULL, NULL, NULL, KM_ROUTE_SLAB },
};
/* clang-format on */

const struct km_model *km_model_find(const char *name)
{
	for (const struct km_model *model = km_models; model->name; model++)
		if (strcmp(model->name, name) == 0)
			return model;
	return NULL;
}
