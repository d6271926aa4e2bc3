/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of the vmalloc layer ask of a machine. */
#ifndef ENGINE_TESTS_VM_PAGES_H
#define ENGINE_TESTS_VM_PAGES_H

#include <kmlab/machine.h>

/* Pages in use that neither slabs nor page tables hold: data pages. */
static inline uint64_t data_pages(struct km_machine *machine)
{
	struct km_page_usage pages;
	struct km_vm_usage vm;
	uint64_t slab_pages, live;

	machine->model->page->usage(machine->page, &pages);
	machine->model->slab->usage(machine->slab, &slab_pages, &live);
	machine->model->vm->usage(machine->vm, &vm);
	return pages.managed - pages.free - slab_pages - vm.page_table_pages;
}

#endif
