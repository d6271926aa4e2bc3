/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold of the vmalloc layer at any time: trees, mappings and counts agree. */
#include <errno.h>

#include "vmalloc.h"

struct vm_audit {
	struct vm_layer *vm;
	uint64_t pages, lazy, areas;
	int code;
};

static void audit_busy(void *context, struct vm_area *area)
{
	struct vm_audit *audit = context;
	uint64_t pages = area->mapped ? area->pages : 0;
	bool huge;

	audit->areas++;
	if (area->kind == VM_KIND_BLOCK) {
		audit->pages += km_vm_block_mapped(area->block);
		return;
	}
	audit->pages += pages;
	for (uint64_t i = 0; i < pages; i++)
		if (!km_pfn_valid(km_page_table_lookup(audit->vm->table,
						       area->start + (i << KM_PAGE_SHIFT), &huge)))
			audit->code = -EINVAL;
	if (area->mapped && area->end - area->start > pages << KM_PAGE_SHIFT &&
	    km_pfn_valid(km_page_table_lookup(audit->vm->table, area->end - KM_PAGE_SIZE, &huge)))
		audit->code = -EINVAL; /* a mapped guard page guards nothing */
}

static void audit_parked(void *context, struct vm_area *area)
{
	((struct vm_audit *)context)->lazy += (area->end - area->start) >> KM_PAGE_SHIFT;
}

int km_vm_validate(void *self)
{
	struct vm_layer *vm = self;
	struct vm_audit audit = {.vm = vm};
	uint64_t leaf_4k, leaf_2m, kept_4k, kept_2m;

	if (km_vm_space_validate(&vm->free))
		return -EINVAL;
	for (unsigned i = 0; i < vm->nr_nodes; i++) {
		if (km_vm_space_validate(&vm->nodes[i].busy) ||
		    km_vm_space_validate(&vm->nodes[i].parked))
			return -EINVAL;
		km_vm_space_each(&vm->nodes[i].busy, audit_busy, &audit);
		km_vm_space_each(&vm->nodes[i].parked, audit_parked, &audit);
	}
	km_page_table_count(vm->table, &leaf_4k, &leaf_2m);
	km_page_table_leaves(vm->table, &kept_4k, &kept_2m);
	if (km_vm_blocks_validate(vm))
		return -EINVAL;
	if (audit.code || leaf_4k != kept_4k || leaf_2m != kept_2m ||
	    audit.pages != leaf_4k + leaf_2m * VM_HUGE_PAGES ||
	    audit.pages != vm->usage.mapped_pages || audit.areas != vm->usage.areas ||
	    audit.lazy > vm->lazy_pages)
		return -EINVAL;
	return 0;
}
