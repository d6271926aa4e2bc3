/* SPDX-License-Identifier: GPL-2.0-only */
/* The kmalloc caches of a machine; used by machine.c. */
#ifndef ENGINE_KMALLOC_H
#define ENGINE_KMALLOC_H

#include <kmlab/machine.h>

/* Fill machine->kmalloc_caches through the slab layer. 0 or -ENOMEM. */
int km_kmalloc_create_caches(struct km_machine *machine);

#endif
