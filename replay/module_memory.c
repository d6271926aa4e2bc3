/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of the machine's memory belongs to the module: objects, live and freed, and a shadow byte
 * for every eight bytes, as KASAN keeps it (Documentation/dev-tools/kasan.rst), so that each access
 * can be judged. Freed slab objects are poisoned and the rest of a class is a red zone, as with
 * slab_debug=ZP (Documentation/mm/slub.rst); both are looked at again when it is freed or reused.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/module_kernel.h"

#define MEMORY_MAP_BASE 0xffffea0000000000ull
#define PAGE_STRUCT 64u
#define NEAR_BYTES 4096u

static void *reserve(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* ---- areas: which page lies where ---- */

static void mapped(void *context, uint64_t addr, const km_pfn *pfns, uint64_t count, bool huge)
{
	struct kernel *kernel = context;
	uint64_t first = (addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT;

	for (uint64_t i = 0; i < count && (first + i) << KM_PAGE_SHIFT < kernel->vmalloc_bytes; i++)
		kernel->area_pfns[first + i] =
			(uint32_t)(huge ? pfns[i / KM_PAGEBLOCK_PAGES].value +
						   i % KM_PAGEBLOCK_PAGES
					: pfns[i].value);
	kernel->follow_mapped(kernel->memory, addr, pfns, count, huge);
}

static void unmapped(void *context, uint64_t addr, uint64_t count)
{
	struct kernel *kernel = context;

	kernel->follow_unmapped(kernel->memory, addr, count);
}

int km_memory_setup(struct kernel *kernel, struct km_err *err)
{
	const struct km_machine_spec *spec = &kernel->options->spec;
	struct km_memory_layout layout = {.direct = KM_LEAF_4K};
	/* Memory above 3 GiB begins at 4 GiB. */
	uint64_t max_pfn = (spec->memory_bytes + (1ull << 30)) >> KM_PAGE_SHIFT;
	int code = km_memory_open(max_pfn, &layout, &kernel->memory, err);

	if (code)
		return code;
	kernel->vmalloc_bytes = kernel->memory->vmalloc_bytes;
	kernel->direct_shadow = reserve(kernel->memory->direct_bytes / 8);
	kernel->vmalloc_shadow = reserve(kernel->vmalloc_bytes / 8);
	kernel->area_pfns = reserve((kernel->vmalloc_bytes >> KM_PAGE_SHIFT) * sizeof(uint32_t));
	kernel->memory_map = reserve(max_pfn * PAGE_STRUCT);
	if (!kernel->direct_shadow || !kernel->vmalloc_shadow || !kernel->area_pfns ||
	    !kernel->memory_map)
		return km_fail(err, -ENOMEM, "no address space for a machine of %" PRIu64 " MiB",
			       spec->memory_bytes >> 20);
	km_memory_follow(kernel->memory, &kernel->env);
	kernel->follow_mapped = kernel->env.mapped;
	kernel->follow_unmapped = kernel->env.unmapped;
	kernel->env.mapped = mapped;
	kernel->env.unmapped = unmapped;
	kernel->env.memory = kernel;
	return 0;
}

void km_memory_tear_down(struct kernel *kernel)
{
	uint64_t direct = kernel->memory->direct_bytes;

	km_machine_destroy(kernel->machine);
	while (kernel->caches) {
		struct cache *next = kernel->caches->next;

		km_addr_map_free(&kernel->caches->constructed);
		free(kernel->caches);
		kernel->caches = next;
	}
	munmap(kernel->direct_shadow, direct / 8);
	munmap(kernel->vmalloc_shadow, kernel->vmalloc_bytes / 8);
	munmap(kernel->area_pfns,
	       (kernel->vmalloc_bytes >> KM_PAGE_SHIFT) * sizeof(*kernel->area_pfns));
	munmap(kernel->memory_map, (direct >> KM_PAGE_SHIFT) * PAGE_STRUCT);
	km_memory_close(kernel->memory);
	km_addr_map_free(&kernel->live);
	km_addr_map_free(&kernel->freed);
	km_addr_map_free(&kernel->locks);
	km_addr_map_free(&kernel->owners);
	free(kernel->objects);
}

uint64_t km_addr(const void *p)
{
	return (uintptr_t)p <= 16 ? (uintptr_t)p : km_memory_address(km_kernel->memory, p);
}

uint64_t km_shown(uint64_t value)
{
	const struct kernel *kernel = km_kernel;
	uint64_t addr, offset = value - (uintptr_t)kernel->memory_map;

	if (value < 4096)
		return value;
	if (offset < kernel->memory->direct_bytes / KM_PAGE_SIZE * PAGE_STRUCT)
		return MEMORY_MAP_BASE + offset;
	addr = km_memory_address(kernel->memory, (const void *)(uintptr_t)value);
	return addr ? addr : value;
}

/* ---- shadow ---- */

/* The shadow of an address, NULL outside of both ranges. */
static uint8_t *shadow_of(uint64_t addr)
{
	const struct kernel *kernel = km_kernel;
	uint64_t offset = addr - KM_DIRECT_MAP_BASE;

	if (offset < kernel->memory->direct_bytes)
		return kernel->direct_shadow + offset / 8;
	offset = addr - KM_VMALLOC_START;
	return offset < kernel->vmalloc_bytes ? kernel->vmalloc_shadow + offset / 8 : NULL;
}

/* Of `capacity` bytes the first `bytes` may be used, the others not, because of `why`. */
static void set_shadow(uint64_t addr, uint64_t bytes, uint64_t capacity, uint8_t why)
{
	uint8_t *shadow = shadow_of(addr);

	if (!shadow)
		return;
	memset(shadow, 8, bytes / 8);
	memset(shadow + bytes / 8, why, (capacity + 7) / 8 - bytes / 8);
	if (bytes % 8)
		shadow[bytes / 8] = (uint8_t)(bytes % 8);
}

/* The pages of an area are also seen through the direct map. */
static void shadow_frames(const struct object *object, bool in_use)
{
	uint64_t first = (object->addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT;

	if (object->kind != KM_OBJECT_AREA || object->borrowed)
		return;
	for (uint64_t i = 0; i < object->capacity >> KM_PAGE_SHIFT; i++)
		set_shadow(km_pfn_to_addr((km_pfn){km_kernel->area_pfns[first + i]}),
			   in_use ? KM_PAGE_SIZE : 0, KM_PAGE_SIZE, SHADOW_FREED);
}

/* The other CPUs' copies are as CPU 0's. */
static void shadow_copies(const struct object *object, bool in_use)
{
	for (unsigned cpu = 1; cpu < object->copies; cpu++)
		set_shadow(object->addr + cpu * object->copy_stride, in_use ? object->bytes : 0,
			   object->capacity, in_use ? SHADOW_RED : SHADOW_FREED);
}

uint64_t km_bad_byte(uint64_t addr, uint64_t bytes)
{
	uint64_t end = addr + bytes;

	while (addr < end) {
		const uint8_t *shadow = shadow_of(addr);
		uint64_t granule = addr & ~7ull, stop = granule + 8 < end ? granule + 8 : end;

		if (!shadow || *shadow > 8 || granule + *shadow < stop)
			return shadow && *shadow <= 8 && addr < granule + *shadow
				       ? granule + *shadow
				       : addr;
		addr = stop;
	}
	return 0;
}

/* ---- objects ---- */

struct object *km_object_live(uint64_t addr)
{
	uint64_t index;

	return km_addr_map_get(&km_kernel->live, addr, &index) ? &km_kernel->objects[index] : NULL;
}

const struct object *km_object_freed(uint64_t addr)
{
	uint64_t index;

	return km_addr_map_get(&km_kernel->freed, addr, &index) ? &km_kernel->objects[index] : NULL;
}

struct object *km_object_near(uint64_t addr)
{
	struct object *freed = NULL, *before = NULL;

	addr = km_percpu_own(addr);
	for (uint32_t i = 1; i <= km_kernel->nr_objects; i++) {
		struct object *object = &km_kernel->objects[i];
		uint64_t end = object->addr + object->capacity;

		if (!object->addr)
			continue;
		if (addr >= object->addr && addr < end) {
			if (!object->freed_at)
				return object;
			freed = object;
		}
		if (!object->freed_at && addr >= end && addr - end < NEAR_BYTES &&
		    (!before || end > before->addr + before->capacity))
			before = object;
	}
	return freed ? freed : before;
}

const struct object *km_object_within(uint64_t addr, uint64_t bytes)
{
	for (uint32_t i = 1; i <= km_kernel->nr_objects; i++) {
		const struct object *object = &km_kernel->objects[i];

		if (object->addr && !object->freed_at && object->addr < addr + bytes &&
		    addr < object->addr + object->capacity)
			return object;
	}
	return NULL;
}

static uint32_t new_index(struct kernel *kernel)
{
	struct object *grown;
	uint32_t index = kernel->unused, room;

	if (index) {
		kernel->unused = kernel->objects[index].next_unused;
		return index;
	}
	if (kernel->nr_objects + 1 >= kernel->objects_room) {
		room = kernel->objects_room ? 2 * kernel->objects_room : 256;
		grown = reallocarray(kernel->objects, room, sizeof(*grown));
		if (!grown)
			return 0;
		kernel->objects = grown;
		kernel->objects_room = room;
	}
	return ++kernel->nr_objects;
}

/* Objects of a cache with a constructor stay as they are while they are free. */
static bool keeps_contents(const struct object *object)
{
	return object->cache && object->cache->ctor;
}

/* Was a freed slab object written to since? Only if nobody else had its place. */
static void check_poison(const struct object *fresh)
{
	const struct object *old = km_object_freed(fresh->addr);
	const uint8_t *bytes = km_host(fresh->addr);
	const uint8_t *first = shadow_of(fresh->addr);
	char text[160];

	if (!old || old->damaged || keeps_contents(old) || old->kind != KM_OBJECT_SLAB ||
	    old->capacity != fresh->capacity || first[0] != SHADOW_FREED ||
	    first[(fresh->capacity - 1) / 8] != SHADOW_FREED)
		return;
	for (uint64_t i = 0; i < old->capacity; i++) {
		if (bytes[i] == (i + 1 < old->capacity ? POISON_FREE : POISON_END))
			continue;
		km_find(KM_RULE_USE_AFTER_FREE, old->freed_at,
			"use after free: byte %" PRIu64 " of %s was overwritten (0x%02x) after it "
			"was freed here",
			i, km_object_text(old, text), bytes[i]);
		return;
	}
}

static void forget_freed(uint64_t addr)
{
	uint64_t index;

	if (!km_addr_map_get(&km_kernel->freed, addr, &index))
		return;
	km_addr_map_remove(&km_kernel->freed, addr);
	km_kernel->objects[index] = (struct object){.next_unused = km_kernel->unused};
	km_kernel->unused = (uint32_t)index;
}

static void fill(const struct object *object, uint32_t gfp)
{
	uint8_t *bytes = km_host(object->addr);

	if (object->kind == KM_OBJECT_SLAB) {
		if ((gfp & KM_GFP_ZERO) || !keeps_contents(object))
			memset(bytes, gfp & KM_GFP_ZERO ? 0 : POISON_FREE, object->bytes);
		memset(bytes + object->bytes, RED_ACTIVE, object->capacity - object->bytes);
	} else if (gfp & KM_GFP_ZERO) {
		memset(bytes, 0, object->capacity);
		for (unsigned cpu = 1; cpu < object->copies; cpu++)
			memset(bytes + cpu * object->copy_stride, 0, object->capacity);
	}
}

struct object *km_object_add(const struct object *object, uint32_t gfp)
{
	struct kernel *kernel = km_kernel;
	uint32_t index;

	if (object->kind == KM_OBJECT_SLAB)
		check_poison(object);
	forget_freed(object->addr);
	index = new_index(kernel);
	if (!index || km_addr_map_put(&kernel->live, object->addr, index))
		return NULL;
	kernel->objects[index] = *object;
	set_shadow(object->addr, object->bytes, object->capacity, SHADOW_RED);
	shadow_frames(object, true);
	shadow_copies(object, true);
	if (!object->borrowed)
		fill(object, gfp);
	return &kernel->objects[index];
}

void km_object_remove(struct object *object, const struct kmlab_site *site)
{
	struct kernel *kernel = km_kernel;
	uint8_t *bytes = km_host(object->addr);

	km_object_check(object);
	object->freed_at = site;
	km_addr_map_remove(&kernel->live, object->addr);
	km_addr_map_put(&kernel->freed, object->addr, (uint64_t)(object - kernel->objects));
	set_shadow(object->addr, 0, object->capacity, SHADOW_FREED);
	shadow_frames(object, false);
	shadow_copies(object, false);
	if (object->kind != KM_OBJECT_SLAB || keeps_contents(object))
		return;
	memset(bytes, POISON_FREE, object->capacity - 1);
	bytes[object->capacity - 1] = POISON_END;
}

void km_object_resize(struct object *object, uint64_t bytes)
{
	uint8_t *host = km_host(object->addr);

	km_object_check(object);
	if (object->kind == KM_OBJECT_SLAB)
		memset(host + bytes, RED_ACTIVE, object->capacity - bytes);
	object->bytes = bytes;
	set_shadow(object->addr, bytes, object->capacity, SHADOW_RED);
}

void km_object_check(const struct object *object)
{
	const uint8_t *bytes = km_host(object->addr);
	char text[160];

	if (object->kind != KM_OBJECT_SLAB || object->damaged)
		return;
	for (uint64_t i = object->bytes; i < object->capacity; i++) {
		if (bytes[i] == RED_ACTIVE)
			continue;
		km_find(KM_RULE_OUT_OF_BOUNDS, object->site,
			"out of bounds: the red zone behind %s was overwritten at byte %" PRIu64
			" (0x%02x)",
			km_object_text(object, text), i, bytes[i]);
		return;
	}
}

void km_object_check_all(void)
{
	for (uint32_t i = 1; i <= km_kernel->nr_objects; i++)
		if (km_kernel->objects[i].addr && !km_kernel->objects[i].freed_at)
			km_object_check(&km_kernel->objects[i]);
}

const char *km_object_text(const struct object *object, char text[160])
{
	char where[60];

	km_where(where, object->site);
	snprintf(text, 160, "%" PRIu64 " bytes of %s at %s", object->bytes,
		 object->site ? object->site->call : "the kernel", where);
	return text;
}

/* ---- accesses ---- */

static void report_access(uint64_t bad, bool write, const void *from)
{
	struct object *object = km_object_near(bad);
	uint64_t offset = object ? km_percpu_own(bad) - object->addr : 0;
	const char *did = write ? "wrote" : "read";
	uint64_t code = km_code(from);
	char text[160], where[60];

	if (!object) {
		km_find_at(KM_RULE_OUT_OF_BOUNDS, code,
			   "out of bounds: %s 0x%" PRIx64 ", which nobody has allocated", did, bad);
		return;
	}
	km_object_text(object, text);
	object->damaged |= write;
	if (object->freed_at) {
		km_where(where, object->freed_at);
		km_find_at(KM_RULE_USE_AFTER_FREE, code,
			   "use after free: %s byte %" PRIu64 " of %s, freed at %s", did, offset,
			   text, where);
		return;
	}
	km_find_at(KM_RULE_OUT_OF_BOUNDS, code,
		   "out of bounds: %s byte %" PRIu64 " of %s: it has bytes 0 to %" PRIu64, did,
		   offset, text, object->bytes - 1);
}

void km_access(const void *p, unsigned long bytes, int write, const void *from)
{
	const struct kernel *kernel = km_kernel;
	uint64_t addr, bad, offset = (uint64_t)((const char *)p - kernel->memory->direct);

	/* The module's own variables and its stack are its business. */
	if (kernel->constructing)
		return;
	if (offset >= kernel->memory->direct_bytes &&
	    (uint64_t)((const char *)p - kernel->memory->vmalloc) >= kernel->vmalloc_bytes)
		return;
	addr = km_memory_address(kernel->memory, p);
	bad = bytes ? km_bad_byte(addr, bytes) : 0;
	if (bad)
		report_access(bad, write, from);
}
