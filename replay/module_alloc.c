/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kmalloc, kvmalloc and vmalloc families, as a module calls them: the machine says where, the
 * memory behind it is made and checked, and each call becomes a row.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/module_kernel.h"

#define ZERO_SIZE_PTR 16u
#define NOT_FOR_SLAB (KM_GFP_HIGHMEM | KM_GFP_DMA32)
#define CPU 0

/* ---- rules ---- */

void km_check_gfp(const struct kmlab_site *site, uint32_t gfp)
{
	char text[160];

	km_kernel->machine->caller = (uintptr_t)site;
	if ((gfp & KM_GFP_DIRECT_RECLAIM) && km_atomic())
		km_find(KM_RULE_SLEEPING_FLAG, site,
			"sleeping flag in atomic context: %s may sleep with these flags, and %s",
			site->call, km_context_text(text));
}

static void check_slab_gfp(const struct kmlab_site *site, uint64_t bytes, uint32_t gfp)
{
	km_check_gfp(site, gfp);
	if (bytes && (gfp & NOT_FOR_SLAB))
		km_find(KM_RULE_SLAB_FLAGS, site,
			"slab memory cannot be high or 32-bit memory: Linux warns when %s needs "
			"new pages, and drops the flag",
			site->call);
}

/* ---- rows ---- */

static void physical_runs(struct km_module_call *row, const struct object *object)
{
	struct km_module_report *report = km_kernel->report;
	uint64_t first = (object->addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT;

	row->first_run = (uint32_t)report->nr_runs;
	for (uint64_t i = 0; i < object->capacity >> KM_PAGE_SHIFT; i++) {
		uint64_t pfn = km_kernel->area_pfns[first + i];
		struct km_module_run *end = &report->runs[report->nr_runs];

		if (row->nr_runs && end[-1].pfn + end[-1].pages == pfn) {
			end[-1].pages++;
			continue;
		}
		if (report->nr_runs == KM_MODULE_RUNS)
			return;
		report->runs[report->nr_runs++] = (struct km_module_run){pfn, 1};
		row->nr_runs++;
	}
}

static void place(struct km_module_call *row, const struct object *object)
{
	const struct km_slab_ops *slab = km_kernel->machine->model->slab;
	void *cache = object->kind == KM_OBJECT_SLAB && slab->cache_of
			      ? slab->cache_of(km_kernel->machine->slab, object->addr)
			      : NULL;
	struct km_cache_info info;

	row->kind = (uint8_t)object->kind;
	row->bytes_alloc = object->capacity;
	if (object->kind == KM_OBJECT_AREA)
		physical_runs(row, object);
	if (!cache || slab->cache_info(km_kernel->machine->slab, cache, &info))
		return;
	snprintf(row->cache, sizeof(row->cache), "%s",
		 object->cache ? object->cache->name : info.name);
	row->slab = object->addr & ~((KM_PAGE_SIZE << info.order) - 1);
	row->slab_index = (uint32_t)((object->addr - row->slab) / info.size);
	row->slab_objects = info.objects_per_slab;
	row->bytes_alloc = info.size;
}

/* Fill in what the address says. */
static void describe(struct object *object)
{
	struct km_machine *machine = km_kernel->machine;
	const struct km_slab_ops *slab = machine->model->slab;
	struct km_cache_info info;
	void *cache;

	if (km_is_vmalloc_addr(object->addr)) {
		object->kind = KM_OBJECT_AREA;
		object->capacity = machine->model->vm->size(machine->vm, object->addr);
		return;
	}
	object->capacity = km_kmalloc_large_size(machine, object->addr);
	object->kind = object->capacity ? KM_OBJECT_LARGE : KM_OBJECT_SLAB;
	cache = object->capacity || !slab->cache_of ? NULL
						    : slab->cache_of(machine->slab, object->addr);
	if (cache && slab->cache_info(machine->slab, cache, &info) == 0)
		object->capacity = info.object_size;
	else if (!object->capacity)
		object->capacity = km_kmalloc_bytes_alloc(object->bytes);
}

void *km_given(const struct kmlab_site *site, struct object *object, uint32_t gfp)
{
	struct km_module_call *row = km_record(site);

	row->bytes = object->bytes;
	row->gfp = gfp;
	row->addr = object->addr;
	row->failed = !object->addr;
	if (object->addr <= ZERO_SIZE_PTR)
		return (void *)(uintptr_t)object->addr;
	object->site = site;
	if (object->kind == KM_OBJECT_NONE)
		describe(object);
	place(row, object);
	return km_object_add(object, gfp) ? km_host(object->addr) : NULL;
}

/* A live object that may be freed so; NULL, with a finding, if there is none. */
struct object *km_taken(const struct kmlab_site *site, const void *p, unsigned kinds)
{
	static const char *const names[] = {"",      "a slab object",  "a large kmalloc block",
					    "pages", "a vmalloc area", "per-CPU memory"};
	uint64_t addr = km_addr(p);
	struct object *object = addr ? km_object_live(addr) : NULL;
	const struct object *other;
	char text[160], where[60];

	if (object && (kinds & 1u << object->kind))
		return object;
	if (object) {
		km_find(KM_RULE_WRONG_FREE, site, "%s cannot take %s: %s", site->call,
			names[object->kind], km_object_text(object, text));
		return NULL;
	}
	other = addr ? km_object_freed(addr) : NULL;
	if (other) {
		km_where(where, other->freed_at);
		km_find(KM_RULE_DOUBLE_FREE, site,
			"double free: %s of 0x%" PRIx64 ", %s, which %s freed at %s", site->call,
			addr, km_object_text(other, text), other->freed_at->call, where);
		return NULL;
	}
	other = addr ? km_object_near(addr) : NULL;
	if (other && addr < other->addr + other->capacity)
		km_find(KM_RULE_INTERIOR_FREE, site,
			"%s of a pointer into a live object: 0x%" PRIx64 " is byte %" PRIu64
			" of %s",
			site->call, addr, addr - other->addr, km_object_text(other, text));
	else
		km_find(KM_RULE_INVALID_FREE, site,
			"%s of a pointer that no allocation returned: 0x%" PRIx64 "%s", site->call,
			addr ? addr : (uint64_t)(uintptr_t)p,
			addr                               ? ""
			: (uintptr_t)p >= (uintptr_t)-4095 ? ", an error number (ERR_PTR)"
							   : ", outside of the kernel's memory");
	return NULL;
}

struct km_module_call *km_free_row(const struct kmlab_site *site, const void *p)
{
	struct km_module_call *row = km_record(site);

	row->frees = true;
	row->addr = km_addr(p);
	return row;
}

void km_freed(const struct kmlab_site *site, struct object *object)
{
	struct km_module_call *row = km_free_row(site, km_host(object->addr));

	row->bytes = object->bytes;
	place(row, object);
	km_object_remove(object, site);
}

/* ---- kmalloc ---- */

static void *api_kmalloc(const struct kmlab_site *site, unsigned long bytes, unsigned gfp, int node)
{
	struct object object = {.bytes = bytes};

	check_slab_gfp(site, bytes, gfp);
	object.addr = km_kmalloc(km_kernel->machine, CPU, bytes, gfp, node > 0 ? -1 : node);
	return km_given(site, &object, gfp);
}

static void *api_memdup_user(const struct kmlab_site *site, unsigned long bytes, unsigned gfp)
{
	struct object object = {.bytes = bytes};

	check_slab_gfp(site, bytes, gfp);
	object.addr = km_kmalloc_bucket(km_kernel->machine, CPU, km_kernel->machine->memdup_user,
					bytes, gfp);
	return km_given(site, &object, gfp);
}

/* After krealloc() or kvrealloc(): contents and books. `old` may be NULL. */
static void *finish_resize(const struct kmlab_site *site, struct object *old,
			   const struct km_realloc *request, uint64_t addr)
{
	struct object object = {.addr = addr, .bytes = request->bytes};
	struct km_module_call *row;
	const void *from;
	void *to;

	if (old && addr == old->addr) {
		km_object_resize(old, request->bytes);
		if (request->zero_to > request->zero_from && old->kind != KM_OBJECT_SLAB)
			memset((char *)km_host(addr) + request->zero_from, 0,
			       request->zero_to - request->zero_from);
		row = km_record(site);
		row->addr = addr;
		row->bytes = request->bytes;
		row->gfp = request->gfp;
		place(row, old);
		snprintf(row->note, sizeof(row->note), "in place");
		return km_host(addr);
	}
	if (!old || !addr)
		return km_given(site, &object, request->gfp);
	from = km_host(old->addr);
	if (addr > ZERO_SIZE_PTR) {
		uint64_t copied = old->bytes < request->bytes ? old->bytes : request->bytes;
		uint32_t index = (uint32_t)(old - km_kernel->objects);

		to = km_given(site, &object, request->gfp);
		old = &km_kernel->objects[index]; /* the array may have moved */
		if (to)
			memcpy(to, from, copied);
		row = &km_kernel->report->calls[km_kernel->report->nr_calls - 1];
		row->moved_from = old->addr;
		snprintf(row->note, sizeof(row->note), "moved from 0x%" PRIx64, old->addr);
		km_object_remove(old, site);
		return to;
	}
	km_freed(site, old);
	return (void *)(uintptr_t)addr;
}

/*
 * The machine gives the old place back before the module's memory is copied: the contents of an
 * area would be gone, so what moves out of one is kept aside.
 */
static void *resize(const struct kmlab_site *site, struct km_realloc *request, const void *p,
		    bool kv)
{
	struct object *old = NULL;

	request->addr = km_addr(p);
	if ((uintptr_t)p > ZERO_SIZE_PTR) {
		old = km_taken(site, p,
			       1u << KM_OBJECT_SLAB | 1u << KM_OBJECT_LARGE |
				       (kv ? 1u << KM_OBJECT_AREA : 0));
		if (!old)
			return NULL;
		if (!kv || old->kind != KM_OBJECT_AREA)
			km_object_check(old);
	}
	if (request->bytes && old && old->kind == KM_OBJECT_AREA &&
	    (request->bytes > old->capacity ||
	     !km_kernel->machine->spec.profile.kvrealloc_by_size)) {
		void *to;

		if (!km_kernel->machine->spec.profile.kvrealloc_by_size &&
		    request->old_bytes >= request->bytes)
			return (void *)p;
		to = km_kernel->machine->spec.profile.kvrealloc_by_size
			     ? km_kernel->api.do_vmalloc(site, request->bytes, 1, request->gfp, 0)
			     : km_kernel->api.do_kvmalloc(site, request->bytes, request->gfp, -1);
		if (!to)
			return NULL;
		old = km_object_live(request->addr);
		memcpy(to, p, old->bytes < request->bytes ? old->bytes : request->bytes);
		km_kernel->api.do_kvfree(site, p, 0);
		return to;
	}
	return finish_resize(site, old, request,
			     kv ? km_kvrealloc(km_kernel->machine, CPU, request)
				: km_krealloc(km_kernel->machine, CPU, request));
}

static void *api_krealloc(const struct kmlab_site *site, const void *p, unsigned long bytes,
			  unsigned long align, unsigned gfp, int node)
{
	struct km_realloc request = {
		.bytes = bytes, .align = align, .gfp = gfp, .node = node > 0 ? -1 : node};

	check_slab_gfp(site, bytes, gfp);
	return resize(site, &request, p, false);
}

static void release(const struct kmlab_site *site, const void *p, unsigned kinds, bool sensitive)
{
	struct object *object;
	uint64_t addr;
	char text[160];

	if ((uintptr_t)p <= ZERO_SIZE_PTR) {
		km_free_row(site, p);
		return;
	}
	object = km_taken(site, p, kinds);
	if (!object)
		return;
	if (object->kind == KM_OBJECT_AREA && km_atomic() && !km_kernel->depth[KMLAB_HARDIRQ] &&
	    !km_kernel->depth[KMLAB_SOFTIRQ])
		km_find(KM_RULE_SLEEPING_CALL, site,
			"sleeping function in atomic context: %s of an area may sleep, and %s",
			site->call, km_context_text(text));
	if (sensitive)
		memset(km_host(object->addr), 0, object->bytes);
	addr = object->addr;
	km_freed(site, object);
	km_kfree(km_kernel->machine, CPU, addr);
}

static void api_kfree(const struct kmlab_site *site, const void *p, int sensitive)
{
	release(site, p, 1u << KM_OBJECT_SLAB | 1u << KM_OBJECT_LARGE, sensitive);
}

static unsigned long api_ksize(const struct kmlab_site *site, const void *p)
{
	struct object *object;
	uint64_t bytes;

	if ((uintptr_t)p <= ZERO_SIZE_PTR)
		return 0;
	object = km_taken(site, p, 1u << KM_OBJECT_SLAB | 1u << KM_OBJECT_LARGE);
	if (!object)
		return 0;
	/* Who asks means to use all of it. */
	bytes = km_ksize(km_kernel->machine, object->addr);
	if (bytes < object->capacity || !bytes)
		bytes = object->capacity;
	km_object_resize(object, object->capacity);
	return bytes;
}

static unsigned long api_size_roundup(unsigned long bytes)
{
	return km_kmalloc_size_roundup(km_kernel->machine, bytes);
}

/* ---- kvmalloc, vmalloc ---- */

static bool in_interrupt(const struct kmlab_site *site)
{
	char text[160];

	if (!km_kernel->depth[KMLAB_HARDIRQ] && !km_kernel->depth[KMLAB_SOFTIRQ])
		return false;
	km_find(KM_RULE_IN_INTERRUPT, site, "%s is not allowed in an interrupt, and %s", site->call,
		km_context_text(text));
	return true;
}

static void *api_kvmalloc(const struct kmlab_site *site, unsigned long bytes, unsigned gfp,
			  int node)
{
	struct object object = {.bytes = bytes};

	km_check_gfp(site, gfp);
	object.addr = km_kvmalloc(km_kernel->machine, CPU, bytes, gfp, node > 0 ? -1 : node);
	return km_given(site, &object, gfp);
}

static void *api_kvrealloc(const struct kmlab_site *site, const void *p, unsigned long old_bytes,
			   unsigned long bytes, unsigned gfp)
{
	struct km_realloc request = {.bytes = bytes, .gfp = gfp, .node = -1};
	const struct object *old = km_object_live(km_addr(p));

	/* Written for 6.12, run on an older kernel. */
	request.old_bytes = old_bytes ? old_bytes : old ? old->bytes : 0;
	km_check_gfp(site, gfp);
	return resize(site, &request, p, true);
}

static void api_kvfree(const struct kmlab_site *site, const void *p, int sensitive)
{
	release(site, p, 1u << KM_OBJECT_SLAB | 1u << KM_OBJECT_LARGE | 1u << KM_OBJECT_AREA,
		sensitive);
}

static void *api_vmalloc(const struct kmlab_site *site, unsigned long bytes, unsigned long align,
			 unsigned gfp, int huge)
{
	struct object object = {.bytes = bytes};

	if (!in_interrupt(site))
		km_check_gfp(site, gfp);
	object.addr =
		km_vmalloc(km_kernel->machine, CPU, bytes, align, gfp, huge ? KM_VM_ALLOW_HUGE : 0);
	return km_given(site, &object, gfp);
}

static void api_vfree(const struct kmlab_site *site, const void *p)
{
	release(site, p, 1u << KM_OBJECT_AREA, false);
}

static void *api_vmap(const struct kmlab_site *site, const unsigned long *pfns, unsigned count)
{
	struct object object = {.bytes = (uint64_t)count << KM_PAGE_SHIFT, .borrowed = true};
	struct kernel *kernel = km_kernel;
	km_pfn one;

	km_might_sleep(site);
	object.addr =
		km_vmalloc(kernel->machine, CPU, object.bytes, 0, KM_GFP_KERNEL, KM_VM_NO_PAGES);
	if (!object.addr)
		return km_given(site, &object, KM_GFP_KERNEL);
	for (unsigned i = 0; i < count; i++) {
		one = (km_pfn){pfns[i]};
		kernel->env.mapped(kernel, object.addr + ((uint64_t)i << KM_PAGE_SHIFT), &one, 1,
				   false);
	}
	object.kind = KM_OBJECT_AREA;
	object.capacity = object.bytes;
	return km_given(site, &object, KM_GFP_KERNEL);
}

static unsigned long api_vmalloc_pfn(const void *p)
{
	uint64_t addr = km_addr(p);

	if (!km_is_vmalloc_addr(addr))
		return (addr - KM_DIRECT_MAP_BASE) >> KM_PAGE_SHIFT;
	return km_kernel->area_pfns[(addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT];
}

void km_api_memory(struct kmlab_api *api)
{
	api->do_kmalloc = api_kmalloc;
	api->do_memdup_user = api_memdup_user;
	api->do_krealloc = api_krealloc;
	api->do_kfree = api_kfree;
	api->do_ksize = api_ksize;
	api->size_roundup = api_size_roundup;
	api->do_kvmalloc = api_kvmalloc;
	api->do_kvrealloc = api_kvrealloc;
	api->do_kvfree = api_kvfree;
	api->do_vmalloc = api_vmalloc;
	api->do_vfree = api_vfree;
	api->do_vmap = api_vmap;
	api->vmalloc_pfn = api_vmalloc_pfn;
	api->access = km_access;
}
