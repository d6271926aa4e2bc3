/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address space of the vmalloc layer as plain data, to start a machine where a real kernel was
 * and to compare where both ended. For machines whose vm layer is the full one only (its ops are
 * named "vmalloc"); `self` is machine->vm.
 */
#ifndef KMLAB_VM_STATE_H
#define KMLAB_VM_STATE_H

#include <kmlab/machine.h>

/* Addresses, multiples of the page size but for the ends of the kernel's space (1, ~0). */
struct km_vm_range {
	uint64_t start, end; /* end is one past */
	uint32_t node;       /* of the per-node layer; 0 where there is none */
	/* Of free ranges: where Linux's red-black tree has it, which decides some aligned searches.
	 */
	uint8_t depth; /* 0: the root */
	bool red;
};

struct km_vm_state {
	size_t nr_free, nr_parked, nr_pooled;
	bool has_shape;             /* depth and red of `free` are known */
	struct km_vm_range *free;   /* in the global tree, ascending */
	struct km_vm_range *parked; /* freed, waiting for a purge */
	struct km_vm_range *pooled; /* in per-node pools, by list, next to be reused first */
	/* Pages waiting for a purge, guards included; may exceed what `parked` lists. */
	uint64_t lazy_pages;
};

/*
 * Replace the layer's address space. What is in none of the three is in use and never freed. Areas
 * allocated before must have been freed. 0, -EINVAL (ranges that overlap, are empty or unordered,
 * no tree), -EBUSY (live areas) or -ENOMEM; the layer is unchanged on failure.
 */
int km_vmalloc_load_state(void *self, const struct km_vm_state *state);

/* The state now, in arrays from the machine's env. 0 or -ENOMEM. Release it when done. */
int km_vmalloc_save_state(void *self, struct km_vm_state *state);
void km_vmalloc_release_state(void *self, struct km_vm_state *state);

/*
 * The worker that purges is asynchronous. Held, it waits although the limit is passed; released, it
 * runs at the end of the next call that parks an area over the limit, or at once by
 * km_vmalloc_purge().
 */
void km_vmalloc_hold_purges(void *self, bool held);
/* Whether lazy pages exceed the limit, so that only the hold keeps them. */
bool km_vmalloc_purge_due(void *self);
void km_vmalloc_purge(void *self, unsigned cpu);

#endif
