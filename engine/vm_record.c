/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host records of address ranges, and the vmap_area each stands for: Linux takes one from the cache
 * "vmap_area" per area and per hole, so the slab layer sees the same traffic.
 */
#include "vmalloc.h"

#define CHUNK_RECORDS 255u

struct vm_chunk {
	struct vm_chunk *next;
	struct vm_area records[CHUNK_RECORDS];
};

struct vm_area *km_vm_record_get(struct vm_layer *vm)
{
	struct vm_area *record = vm->records;
	struct vm_chunk *chunk;

	if (!record) {
		chunk = km_env_alloc(vm->machine->env, sizeof(*chunk));
		if (!chunk)
			return NULL;
		chunk->next = vm->chunks;
		vm->chunks = chunk;
		for (unsigned i = CHUNK_RECORDS; i-- > 0;) {
			chunk->records[i].next = record;
			record = &chunk->records[i];
		}
	}
	vm->records = record->next;
	*record = (struct vm_area){0};
	return record;
}

void km_vm_record_put(struct vm_layer *vm, unsigned cpu, struct vm_area *chain)
{
	while (chain) {
		struct vm_area *next = chain->next;

		km_vm_object_put(vm, cpu, chain->object);
		chain->next = vm->records;
		vm->records = chain;
		chain = next;
	}
}

void km_vm_record_destroy(struct vm_layer *vm)
{
	while (vm->chunks) {
		struct vm_chunk *next = vm->chunks->next;

		km_env_release(vm->machine->env, vm->chunks, sizeof(*vm->chunks));
		vm->chunks = next;
	}
}

uint64_t km_vm_object_get(struct vm_layer *vm, unsigned cpu, uint32_t gfp)
{
	return vm->machine->model->slab->alloc(vm->machine->slab, vm->area_cache, cpu, gfp, -1);
}

void km_vm_object_put(struct vm_layer *vm, unsigned cpu, uint64_t object)
{
	if (object)
		vm->machine->model->slab->free(vm->machine->slab, cpu, object);
}
