/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of a scenario of the kmalloc and kvmalloc families (kernel-facts: A.5). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "replay/run_state.h"

#define ZERO_SIZE_PTR 16ull
#define NOT_FOR_SLAB (KM_GFP_HIGHMEM | KM_GFP_DMA32)

/* How each call is written: where its numbers stand (-1: it has none). */
struct shape {
	enum km_call call;
	int8_t pointer, count, size, gfp, node;
	bool zero, kv;
};

static const struct shape shapes[] = {
	{KM_CALL_KMALLOC, -1, -1, 0, 1, -1, false, false},
	{KM_CALL_KZALLOC, -1, -1, 0, 1, -1, true, false},
	{KM_CALL_KMALLOC_NODE, -1, -1, 0, 1, 2, false, false},
	{KM_CALL_KZALLOC_NODE, -1, -1, 0, 1, 2, true, false},
	{KM_CALL_KCALLOC, -1, 0, 1, 2, -1, true, false},
	{KM_CALL_KCALLOC_NODE, -1, 0, 1, 2, 3, true, false},
	{KM_CALL_KMALLOC_ARRAY, -1, 0, 1, 2, -1, false, false},
	{KM_CALL_KMALLOC_ARRAY_NODE, -1, 0, 1, 2, 3, false, false},
	{KM_CALL_KVMALLOC, -1, -1, 0, 1, -1, false, true},
	{KM_CALL_KVZALLOC, -1, -1, 0, 1, -1, true, true},
	{KM_CALL_KVMALLOC_NODE, -1, -1, 0, 1, 2, false, true},
	{KM_CALL_KVCALLOC, -1, 0, 1, 2, -1, true, true},
	{KM_CALL_KVMALLOC_ARRAY, -1, 0, 1, 2, -1, false, true},
	{KM_CALL_KREALLOC, 0, -1, 1, 2, -1, false, false},
	{KM_CALL_KREALLOC_ARRAY, 0, 1, 2, 3, -1, false, false},
	{KM_CALL_KREALLOC_NODE_ALIGN, 0, -1, 1, 3, 4, false, false},
	{KM_CALL_KVREALLOC, 0, -1, 2, 3, -1, false, true},
};

/* What a call asks for. */
struct request {
	uint64_t bytes;
	uint32_t gfp;
	int node;
};

/* False, with a note where a rule is broken: the answer is NULL. */
static bool take_request(struct executor *run, const struct km_scenario_call *call,
			 struct km_run_row *row, struct request *request)
{
	const struct shape *shape = shapes;

	while (shape->call != call->call)
		shape++;
	request->bytes = km_run_argument(run, call, (unsigned)shape->size);
	request->gfp = (uint32_t)km_run_argument(run, call, (unsigned)shape->gfp);
	request->gfp |= shape->zero ? KM_GFP_ZERO : 0;
	request->node =
		shape->node < 0 ? -1 : (int)km_run_argument(run, call, (unsigned)shape->node);
	if (shape->count >= 0 &&
	    __builtin_mul_overflow(request->bytes,
				   km_run_argument(run, call, (unsigned)shape->count),
				   &request->bytes)) {
		km_run_note(row, KM_RULE_NONE, "n * size overflows");
		return false;
	}
	if (request->node > 0) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT, "node %d does not exist", request->node);
		return false;
	}
	km_run_check_flags(run, call, row, request->gfp);
	if (request->bytes && !shape->kv && (request->gfp & NOT_FOR_SLAB))
		km_run_note(row, KM_RULE_SLAB_FLAGS,
			    "slab memory cannot be high or 32-bit memory: Linux warns when it "
			    "needs new pages, and drops the flag");
	if (request->bytes > KM_KMALLOC_MAX_SIZE && !shape->kv)
		km_run_note(row, KM_RULE_NONE, "larger than KMALLOC_MAX_SIZE, 4M");
	return true;
}

/* What lies at `addr`, allocated by this call with `bytes` asked for. */
static struct live describe(struct executor *run, uint64_t addr, uint64_t bytes, uint32_t gfp)
{
	const struct km_slab_ops *slab = run->machine->model->slab;
	struct live object = {.addr = addr, .kind = LIVE_OBJECT};
	struct km_cache_info info;

	if (addr && km_is_vmalloc_addr(addr)) {
		object.kind = LIVE_AREA;
		object.bytes = run->machine->model->vm->size(run->machine->vm, addr);
		return object;
	}
	if (addr <= ZERO_SIZE_PTR && addr)
		return object;
	object.bytes = km_kmalloc_bytes_alloc(bytes);
	object.order = km_get_order(object.bytes);
	if (bytes > KM_KMALLOC_MAX_CACHE) {
		object.kind = LIVE_LARGE;
		return object;
	}
	object.cache = km_kmalloc_cache(run->machine, bytes, gfp);
	object.cache_name = km_kmalloc_cache_name(km_kmalloc_type(gfp), km_kmalloc_class(bytes));
	if (addr && slab->cache_of)
		object.cache = slab->cache_of(run->machine->slab, addr);
	if (object.cache && slab->cache_info(run->machine->slab, object.cache, &info) == 0) {
		object.order = info.order;
		if (strcmp(object.cache_name, info.name) != 0)
			object.cache_name = km_run_name(run, info.name);
	}
	return object;
}

int km_run_kmalloc(struct executor *run, const struct km_scenario_call *call,
		   struct km_run_row *row)
{
	struct live object = {.kind = LIVE_OBJECT};
	struct request request;
	uint64_t addr = ZERO_SIZE_PTR;

	if (!take_request(run, call, row, &request))
		return km_run_finish_alloc(run, call, row, &object);
	if (request.bytes)
		addr = km_object_alloc(run->machine, call->cpu, NULL, request.bytes,
				       request.gfp & ~NOT_FOR_SLAB, request.node);
	object = describe(run, addr, request.bytes, request.gfp);
	return km_run_finish_alloc(run, call, row, &object);
}

/* kmemdup(), kstrdup(), memdup_user(): the copy; the last has buckets of its own. */
int km_run_kmemdup(struct executor *run, const struct km_scenario_call *call,
		   struct km_run_row *row)
{
	struct live object;
	uint64_t bytes = km_run_argument(run, call, 1), addr;
	uint32_t gfp = (uint32_t)km_run_argument(run, call, 2);
	const struct km_buckets *buckets = NULL;

	if (call->call == KM_CALL_KSTRDUP) {
		bytes = strlen(call->label) + 1;
		gfp = (uint32_t)km_run_argument(run, call, 0);
	} else if (call->call == KM_CALL_MEMDUP_USER) {
		gfp = KM_GFP_USER | KM_GFP_NOWARN;
		buckets = run->machine->memdup_user;
	}
	km_run_check_flags(run, call, row, gfp);
	addr = km_kmalloc_bucket(run->machine, call->cpu, buckets, bytes, gfp);
	object = describe(run, addr, bytes, gfp);
	return km_run_finish_alloc(run, call, row, &object);
}

int km_run_kvmalloc(struct executor *run, const struct km_scenario_call *call,
		    struct km_run_row *row)
{
	struct live object = {.kind = LIVE_OBJECT};
	struct request request;
	uint64_t addr;

	if (!take_request(run, call, row, &request))
		return km_run_finish_alloc(run, call, row, &object);
	addr = km_kvmalloc(run->machine, call->cpu, request.bytes, request.gfp, request.node);
	if (!addr && request.bytes > 0x7fffffff)
		km_run_note(row, KM_RULE_NONE, "kvmalloc of more than INT_MAX bytes");
	object = describe(run, addr, request.bytes, request.gfp);
	return km_run_finish_alloc(run, call, row, &object);
}

/* ---- resizing ---- */

/* The object where it is now, after a resize from `old` (NULL: there was none). */
static int finish_resize(struct executor *run, const struct km_scenario_call *call,
			 struct km_run_row *row, struct live *old, const struct km_realloc *request,
			 uint64_t addr)
{
	struct live object;
	int code = 0;

	run->resized_model = old ? old->addr : 0;
	run->resized_kernel = old ? old->kernel_addr : 0;
	if (old && addr == old->addr) {
		row->kind = KM_RESULT_ADDRESS;
		row->result = addr;
		row->bytes_alloc = old->bytes;
		row->cache = old->cache_name;
		km_run_set_target(run, call, addr);
		return km_check_result(run, call, row, old);
	}
	if (old && (addr || !request->bytes))
		code = km_run_remove_live(run, old, call->line);
	if (code)
		return code;
	object = describe(run, addr, request->bytes, request->gfp);
	return km_run_finish_alloc(run, call, row, &object);
}

static int resize(struct executor *run, const struct km_scenario_call *call, struct km_run_row *row,
		  struct km_realloc *realloc)
{
	bool kv = call->call == KM_CALL_KVREALLOC;
	struct live *old = NULL, nothing = {.kind = LIVE_OBJECT};
	struct request request;
	uint64_t addr;

	realloc->addr = km_run_argument(run, call, 0);
	if (realloc->addr > ZERO_SIZE_PTR) {
		old = km_run_must_be_live(run, realloc->addr, km_run_argument_name(run, call, 0),
					  row);
		if (!old)
			return 0;
		if (old->kind == LIVE_PAGES || (old->kind == LIVE_AREA && !kv)) {
			km_run_note(row, KM_RULE_WRONG_FREE, "%s cannot take %s (line %u)",
				    km_call_name(call->call), km_run_kind_name(old->kind),
				    old->line);
			return 0;
		}
	}
	if (!take_request(run, call, row, &request))
		return km_run_finish_alloc(run, call, row, &nothing);
	realloc->bytes = request.bytes;
	realloc->gfp = kv ? request.gfp : request.gfp & ~NOT_FOR_SLAB;
	realloc->node = request.node;
	addr = kv ? km_kvrealloc(run->machine, call->cpu, realloc)
		  : km_krealloc(run->machine, call->cpu, realloc);
	return finish_resize(run, call, row, old, realloc, addr);
}

int km_run_krealloc(struct executor *run, const struct km_scenario_call *call,
		    struct km_run_row *row)
{
	struct km_realloc request = {0};

	if (call->call == KM_CALL_KREALLOC_NODE_ALIGN) {
		request.align = km_run_argument(run, call, 2);
		if (request.align & (request.align - 1)) {
			km_run_note(row, KM_RULE_BAD_ARGUMENT,
				    "alignment %" PRIu64 " is not a power of two", request.align);
			return 0;
		}
	}
	return resize(run, call, row, &request);
}

int km_run_kvrealloc(struct executor *run, const struct km_scenario_call *call,
		     struct km_run_row *row)
{
	struct km_realloc request = {.old_bytes = km_run_argument(run, call, 1)};

	return resize(run, call, row, &request);
}

/* ---- freeing, and what an object holds ---- */

/* kfree(), kvfree(), vfree() and their kin: which kinds each may be given. */
int km_run_free(struct executor *run, const struct km_scenario_call *call, struct km_run_row *row)
{
	static const struct {
		enum km_call call;
		unsigned kinds;
	} accepts[] = {
		{KM_CALL_KFREE, 1u << LIVE_OBJECT | 1u << LIVE_LARGE},
		{KM_CALL_KFREE_SENSITIVE, 1u << LIVE_OBJECT | 1u << LIVE_LARGE},
		{KM_CALL_KVFREE, 1u << LIVE_OBJECT | 1u << LIVE_LARGE | 1u << LIVE_AREA},
		{KM_CALL_KVFREE_SENSITIVE, 1u << LIVE_OBJECT | 1u << LIVE_LARGE | 1u << LIVE_AREA},
		{KM_CALL_VFREE, 1u << LIVE_AREA},
	};
	uint64_t addr = km_run_argument(run, call, 0);
	struct live *object;
	unsigned i = 0;

	if (addr <= ZERO_SIZE_PTR)
		return 0;
	object = km_run_must_be_live(run, addr, km_run_argument_name(run, call, 0), row);
	if (!object)
		return 0;
	while (accepts[i].call != call->call)
		i++;
	if (!(accepts[i].kinds & 1u << object->kind)) {
		km_run_note(row, KM_RULE_WRONG_FREE, "%s cannot free %s (line %u)",
			    km_call_name(call->call), km_run_kind_name(object->kind), object->line);
		return 0;
	}
	/* In an interrupt the area is given to a worker; with a lock held vfree() may sleep. */
	if (object->kind == LIVE_AREA && run->context == KM_IN_ATOMIC)
		km_run_check_sleep(run, call, row);
	row->cache = object->cache_name;
	if (km_kfree(run->machine, call->cpu, object->addr))
		km_run_note(row, KM_RULE_NONE, "the model does not know this object");
	return km_run_remove_live(run, object, call->line);
}

int km_run_ksize(struct executor *run, const struct km_scenario_call *call, struct km_run_row *row)
{
	uint64_t addr = km_run_argument(run, call, 0), bytes = 0;
	struct live *object;

	if (addr > ZERO_SIZE_PTR) {
		object = km_run_must_be_live(run, addr, km_run_argument_name(run, call, 0), row);
		if (!object)
			return 0;
		row->cache = object->cache_name;
		if (object->kind == LIVE_PAGES || object->kind == LIVE_AREA) {
			km_run_note(row, KM_RULE_WRONG_FREE, "ksize cannot take %s (line %u)",
				    km_run_kind_name(object->kind), object->line);
			return 0;
		}
		bytes = km_ksize(run->machine, addr);
		bytes = bytes ? bytes : object->bytes;
	}
	return km_run_finish_number(run, call, row, bytes);
}

int km_run_size_roundup(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	return km_run_finish_number(
		run, call, row,
		km_kmalloc_size_roundup(run->machine, km_run_argument(run, call, 0)));
}
