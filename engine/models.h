/* SPDX-License-Identifier: GPL-2.0-only */
/* Every layer implementation, for engine/registry.c. */
#ifndef ENGINE_MODELS_H
#define ENGINE_MODELS_H

#include <kmlab/model.h>

extern const struct km_page_ops km_buddy_page_ops, km_bump_page_ops, km_null_page_ops;
extern const struct km_slab_ops km_slub_slab_ops, km_slab_slab_ops, km_slob_slab_ops;
extern const struct km_slab_ops km_bump_slab_ops, km_null_slab_ops;
extern const struct km_vm_ops km_vmalloc_vm_ops, km_bump_vm_ops, km_null_vm_ops;

#endif
