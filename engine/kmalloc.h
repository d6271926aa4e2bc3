/* SPDX-License-Identifier: GPL-2.0-only */
/* The kmalloc caches of a machine, and what the files of the kmalloc family share. */
#ifndef ENGINE_KMALLOC_H
#define ENGINE_KMALLOC_H

#include <kmlab/machine.h>

#define KM_ZERO_SIZE_PTR 16ull

/* Slab memory is direct-mapped and below no 4 GiB line: Linux warns and drops these. */
#define KM_GFP_SLAB_BUG (KM_GFP_HIGHMEM | KM_GFP_DMA32)

/* kmalloc_caches.c: fill machine->kmalloc_caches through the slab layer. 0 or -ENOMEM. */
int km_kmalloc_create_caches(struct km_machine *machine);
/* Give back what is not the slab layer's. */
void km_kmalloc_destroy_caches(struct km_machine *machine);

#endif
