/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of which every CPU has a copy (mm/percpu.c): an allocation is a place in a unit, and each
 * CPU has a unit in the kernel's chunk. The chunk lies in the vmalloc range, as Linux's second and
 * later ones do, and is the kernel's; places are found first fit, in steps of 8 bytes, and chunks
 * after the first are not modelled. Static variables are of CPU 0 where they lie; the other CPUs'
 * copies are made when somebody first asks for one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/module_kernel.h"

#define CPU 0
#define UNIT_BYTES (256u << 10)
#define STEP 8u
#define LARGEST (32u << 10) /* PCPU_MIN_UNIT_SIZE */

struct static_copy {
	struct static_copy *next;
	const void *first;
	unsigned cpu;
	uint64_t bytes[];
};

static struct {
	uint64_t base; /* of CPU 0's unit; 0: there is no chunk yet */
	uint8_t used[UNIT_BYTES / STEP];
	struct static_copy *copies;
} percpu;

static bool have_chunk(void)
{
	uint64_t bytes = (uint64_t)UNIT_BYTES * km_kernel->options->spec.cpus;

	if (!percpu.base)
		percpu.base = km_vmalloc(km_kernel->machine, CPU, bytes, KM_PAGE_SIZE,
					 KM_GFP_KERNEL | KM_GFP_ZERO, 0);
	return percpu.base != 0;
}

/* The first free place of so many bytes, from the unit's beginning; UNIT_BYTES: none. */
static uint64_t find_place(uint64_t bytes, uint64_t align)
{
	uint64_t steps = (bytes + STEP - 1) / STEP;

	for (uint64_t at = 0; at + bytes <= UNIT_BYTES; at += align)
		if (!memchr(percpu.used + at / STEP, 1, steps))
			return at;
	return UNIT_BYTES;
}

static void *api_percpu_alloc(const struct kmlab_site *site, unsigned long bytes,
			      unsigned long align, unsigned gfp)
{
	struct object object = {.bytes = bytes, .kind = KM_OBJECT_PERCPU};
	uint64_t place = UNIT_BYTES;

	km_check_gfp(site, gfp);
	if (align < STEP)
		align = STEP;
	if (!bytes || bytes > LARGEST || align > KM_PAGE_SIZE || (align & (align - 1)))
		km_find(KM_RULE_BAD_ARGUMENT, site,
			"%s of %lu bytes, aligned to %lu: it gives 1 to %u bytes, aligned to a "
			"power of two up to a page",
			site->call, bytes, align, LARGEST);
	else if (have_chunk())
		place = find_place(bytes, align);
	object.capacity = (bytes + STEP - 1) / STEP * STEP;
	if (place < UNIT_BYTES) {
		memset(percpu.used + place / STEP, 1, object.capacity / STEP);
		object.addr = percpu.base + place;
		object.copies = km_kernel->options->spec.cpus;
		object.copy_stride = UNIT_BYTES;
	}
	return km_given(site, &object, gfp | KM_GFP_ZERO);
}

static void api_percpu_free(const struct kmlab_site *site, const void *p)
{
	struct object *object;

	if (!p)
		return;
	object = km_taken(site, p, 1u << KM_OBJECT_PERCPU);
	if (!object)
		return;
	memset(percpu.used + (object->addr - percpu.base) / STEP, 0, object->capacity / STEP);
	km_freed(site, object);
}

/* Static variables of the module, from `first` on: a copy of what they were when it was made. */
static void *static_copy(const char *p, const char *first, const char *end, unsigned cpu)
{
	struct static_copy *copy = percpu.copies;

	while (copy && (copy->first != first || copy->cpu != cpu))
		copy = copy->next;
	if (!copy) {
		copy = calloc(1, sizeof(*copy) + (size_t)(end - first));
		if (!copy)
			abort();
		memcpy(copy->bytes, first, (size_t)(end - first));
		copy->first = first;
		copy->cpu = cpu;
		copy->next = percpu.copies;
		percpu.copies = copy;
	}
	return (char *)copy->bytes + (p - first);
}

static void *api_percpu_copy(const void *p, unsigned cpu)
{
	const char *first = km_kernel->percpu_first, *end = km_kernel->percpu_end;
	uint64_t offset = km_addr(p) - percpu.base;

	if (!cpu || cpu >= km_kernel->options->spec.cpus)
		return (void *)p;
	if (percpu.base && offset < UNIT_BYTES)
		return km_host(percpu.base + (uint64_t)cpu * UNIT_BYTES + offset);
	if ((const char *)p >= first && (const char *)p < end)
		return static_copy(p, first, end, cpu);
	return (void *)p;
}

uint64_t km_percpu_own(uint64_t addr)
{
	uint64_t offset = addr - percpu.base;

	if (!percpu.base || offset >= (uint64_t)UNIT_BYTES * km_kernel->options->spec.cpus)
		return addr;
	return percpu.base + offset % UNIT_BYTES;
}

void km_api_percpu(struct kmlab_api *api)
{
	api->percpu_alloc = api_percpu_alloc;
	api->percpu_free = api_percpu_free;
	api->percpu_copy = api_percpu_copy;
}
