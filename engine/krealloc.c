/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an object can hold, and how it grows: ksize, kmalloc_size_roundup, krealloc, kvmalloc,
 * kvrealloc. Models mm/slab_common.c, mm/slub.c and mm/util.c, 5.15 - 7.2 (kernel-facts: A.5).
 */
#include "kmalloc.h"

#define KVMALLOC_MAX 0x7fffffffull /* INT_MAX */

/* ---- capacity ---- */

/* `exact`: the size the cache was made for, else all that can be used of the stride. */
static uint64_t slab_capacity(const struct km_machine *machine, uint64_t addr, bool exact)
{
	const struct km_slab_ops *slab = machine->model->slab;
	void *cache = slab->cache_of ? slab->cache_of(machine->slab, addr) : NULL;
	struct km_cache_info info;

	if (slab->ksize)
		return slab->ksize(machine->slab, addr);
	if (!cache || slab->cache_info(machine->slab, cache, &info))
		return 0;
	if (exact)
		return info.object_size;
	/* The free pointer of an object that RCU readers may still hold lies behind it. */
	return info.flags & KM_SLAB_TYPESAFE_BY_RCU ? info.inuse : info.size;
}

static uint64_t capacity(const struct km_machine *machine, uint64_t addr, bool exact)
{
	uint64_t bytes;

	if (addr <= KM_ZERO_SIZE_PTR)
		return 0;
	if (km_is_vmalloc_addr(addr))
		return machine->model->vm->size(machine->vm, addr);
	bytes = km_kmalloc_large_size(machine, addr);
	return bytes ? bytes : slab_capacity(machine, addr, exact);
}

uint64_t km_ksize(const struct km_machine *machine, uint64_t addr)
{
	return capacity(machine, addr, false);
}

uint64_t km_kmalloc_size_roundup(const struct km_machine *machine, uint64_t bytes)
{
	bool limited = machine->spec.profile.roundup_limited;

	if (!bytes || bytes > (limited ? KM_KMALLOC_MAX_SIZE : UINT64_MAX - KM_PAGE_SIZE))
		return bytes;
	return km_kmalloc_bytes_alloc(bytes);
}

/* ---- krealloc ---- */

static bool stays(const struct km_machine *machine, const struct km_realloc *request,
		  uint64_t holds)
{
	/* One node: no object lies on a wrong one. */
	if (machine->spec.profile.krealloc_exact && request->align > 1 &&
	    request->addr & (request->align - 1))
		return false;
	return request->bytes <= holds;
}

static uint64_t resize(struct km_machine *machine, unsigned cpu, struct km_realloc *request,
		       uint32_t gfp)
{
	bool exact = machine->spec.profile.krealloc_exact;
	uint64_t holds = capacity(machine, request->addr, exact), addr;

	request->copied = request->zero_from = request->zero_to = 0;
	if (!request->bytes) {
		km_kfree(machine, cpu, request->addr);
		return KM_ZERO_SIZE_PTR;
	}
	if (request->addr > KM_ZERO_SIZE_PTR && stays(machine, request, holds)) {
		if ((request->gfp & KM_GFP_ZERO) && machine->spec.profile.krealloc_zeroes) {
			request->zero_from = request->bytes;
			request->zero_to = holds;
		}
		return request->addr;
	}
	addr = km_object_alloc(machine, cpu, NULL, request->bytes, gfp, request->node);
	if (!addr || request->addr <= KM_ZERO_SIZE_PTR)
		return addr;
	request->copied = holds < request->bytes ? holds : request->bytes;
	km_kfree(machine, cpu, request->addr);
	return addr;
}

uint64_t km_krealloc(struct km_machine *machine, unsigned cpu, struct km_realloc *request)
{
	return resize(machine, cpu, request, request->gfp);
}

/* ---- kvmalloc ---- */

/* What the first, physically contiguous try is asked with: quietly, and not trying hard. */
static uint32_t first_try(const struct km_profile *profile, uint64_t bytes, uint32_t gfp)
{
	if (bytes <= KM_PAGE_SIZE)
		return gfp;
	if (!profile->kvmalloc_any_gfp)
		return gfp | KM_GFP_NOWARN | (gfp & KM_GFP_RETRY_MAYFAIL ? 0 : KM_GFP_NORETRY);
	gfp = (gfp | KM_GFP_NOWARN) & ~KM_GFP_NOFAIL;
	if (gfp & KM_GFP_RETRY_MAYFAIL)
		return gfp;
	return profile->kvmalloc_no_reclaim ? gfp & ~KM_GFP_DIRECT_RECLAIM : gfp | KM_GFP_NORETRY;
}

bool km_kvmalloc_may_fall_back(const struct km_machine *machine, uint64_t bytes, uint32_t gfp)
{
	const struct km_profile *profile = &machine->spec.profile;

	if (bytes <= KM_PAGE_SIZE || bytes > KVMALLOC_MAX)
		return false;
	if (!profile->kvmalloc_any_gfp)
		return (gfp & KM_GFP_KERNEL) == KM_GFP_KERNEL;
	return profile->kvmalloc_atomic || (gfp & KM_GFP_DIRECT_RECLAIM);
}

/* 7.x: a request that must not sleep gets no huge mapping. */
static uint32_t area_flags(uint32_t gfp)
{
	return gfp & KM_GFP_DIRECT_RECLAIM ? KM_VM_ALLOW_HUGE : 0;
}

uint64_t km_kvmalloc(struct km_machine *machine, unsigned cpu, uint64_t bytes, uint32_t gfp,
		     int node)
{
	const struct km_profile *profile = &machine->spec.profile;
	bool plain = !profile->kvmalloc_any_gfp && (gfp & KM_GFP_KERNEL) != KM_GFP_KERNEL;
	uint64_t addr;

	if (!bytes)
		return KM_ZERO_SIZE_PTR;
	addr = km_object_alloc(machine, cpu, NULL, bytes,
			       plain ? gfp : first_try(profile, bytes, gfp), node);
	if (addr || !km_kvmalloc_may_fall_back(machine, bytes, gfp))
		return addr;
	return machine->model->vm->alloc(machine->vm, cpu, bytes, 0, gfp, area_flags(gfp));
}

/* ---- kvrealloc ---- */

/* A mapped area is as large as its pages: what fits stays. */
static uint64_t vrealloc(struct km_machine *machine, unsigned cpu, struct km_realloc *request)
{
	uint64_t holds = machine->model->vm->size(machine->vm, request->addr), addr;

	if (!holds)
		return 0;
	if (request->bytes && request->bytes <= holds) {
		if (request->gfp & KM_GFP_ZERO) {
			request->zero_from = request->bytes;
			request->zero_to = holds;
		}
		return request->addr;
	}
	addr = request->bytes ? machine->model->vm->alloc(machine->vm, cpu, request->bytes, 0,
							  request->gfp, 0)
			      : 0;
	if (request->bytes && !addr)
		return 0;
	request->copied = request->bytes ? holds : 0;
	machine->model->vm->free(machine->vm, cpu, request->addr);
	return addr;
}

/* 5.15 - 6.6: told the old size; never in place unless it shrinks. */
static uint64_t kvrealloc_told(struct km_machine *machine, unsigned cpu, struct km_realloc *request)
{
	uint64_t addr;

	if (request->old_bytes >= request->bytes)
		return request->addr;
	addr = km_kvmalloc(machine, cpu, request->bytes, request->gfp, -1);
	if (!addr)
		return 0;
	request->copied = request->addr > KM_ZERO_SIZE_PTR ? request->old_bytes : 0;
	km_kfree(machine, cpu, request->addr);
	return addr;
}

uint64_t km_kvrealloc(struct km_machine *machine, unsigned cpu, struct km_realloc *request)
{
	const struct km_profile *profile = &machine->spec.profile;
	uint64_t addr;

	request->copied = request->zero_from = request->zero_to = 0;
	if (!profile->kvrealloc_by_size)
		return kvrealloc_told(machine, cpu, request);
	if (km_is_vmalloc_addr(request->addr))
		return vrealloc(machine, cpu, request);
	addr = resize(machine, cpu, request, first_try(profile, request->bytes, request->gfp));
	if (addr)
		return addr;
	addr = km_kvmalloc(machine, cpu, request->bytes, request->gfp, request->node);
	if (addr && request->addr > KM_ZERO_SIZE_PTR) {
		request->copied = km_ksize(machine, request->addr);
		km_kfree(machine, cpu, request->addr);
	}
	return addr;
}
