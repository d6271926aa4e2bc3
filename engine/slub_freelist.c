/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Linux keeps in a free object, and what that says of an object that is freed twice
 * (mm/slub.c: freelist_ptr, later freelist_ptr_encode, and set_freepointer; 5.15 - 7.2). The model
 * has its chains in the slabs' records: here they are told as words in memory.
 */
#include <errno.h>

#include "slub.h"

/* The slab with an object that begins at addr, and its index; NULL: there is none. */
static const struct km_slab *object_at(const struct km_slub *slub, uint64_t addr, unsigned *index)
{
	const struct km_slab *slab = km_slub_slab_of(slub, addr);
	uint64_t offset, quotient;

	if (!slab)
		return NULL;
	offset = addr - slab->base;
	quotient = km_reciprocal_divide(offset, slab->reciprocal);
	if (quotient >= slab->objects || quotient * slab->size != offset)
		return NULL;
	*index = (unsigned)quotient;
	return slab;
}

static bool is_linked(unsigned mark)
{
	return mark == KM_OBJECT_END || mark < KM_SLAB_MAX_OBJECTS;
}

int km_slub_free_pointer(void *self, uint64_t addr, struct km_free_pointer *pointer)
{
	const struct km_slub *slub = self;
	unsigned index, mark;
	const struct km_slab *slab = object_at(slub, addr, &index);

	if (!slab || !is_linked(slab->chain[index]))
		return -EFAULT;
	mark = slab->chain[index];
	pointer->at = addr + slab->cache->geometry.offset;
	pointer->next = mark == KM_OBJECT_END ? 0 : slab->base + (uint64_t)mark * slab->size;
	pointer->word = pointer->next;
	if (slub->profile->hardened_freelist)
		pointer->word ^= slab->cache->secret ^ __builtin_bswap64(pointer->at);
	return 0;
}

bool km_slub_stops_double_free(void *self, unsigned cpu, uint64_t addr)
{
	const struct km_slub *slub = self;
	const struct km_slub_cpu *c;
	unsigned index;
	const struct km_slab *slab = object_at(slub, addr, &index);

	if (!slab || !slub->profile->hardened_freelist || !is_linked(slab->chain[index]))
		return false;
	if (slab->cache->flags & KM_SLAB_DEBUG) /* reported and ignored before it comes to that */
		return false;
	c = &slab->cache->cpu[cpu];
	if (c->main) /* goes into the sheaf, where nothing points to anything */
		return false;
	return index == (slab == c->slab ? km_cpu_freelist(c) : slab->freelist);
}
