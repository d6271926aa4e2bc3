/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call of a scenario on the machine. Each function here stands for kernel functions of one
 * family; a call that breaks a rule of that family is not executed but gets a note.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#include "replay/run_state.h"

#define ZERO_SIZE_PTR 16ull

void km_run_note(struct km_run_row *row, const char *format, ...)
{
	va_list args;

	if (row->note)
		return;
	va_start(args, format);
	if (vasprintf(&row->note, format, args) < 0)
		row->note = NULL;
	va_end(args);
}

static uint64_t argument(const struct executor *run, const struct km_scenario_call *call,
			 unsigned index)
{
	const struct km_scenario_arg *arg = &call->args[index];

	return arg->variable == KM_NO_VARIABLE ? arg->number : run->variables[arg->variable].value;
}

static const char *name_of(const struct executor *run, const struct km_scenario_arg *arg)
{
	return arg->variable == KM_NO_VARIABLE ? "this address"
					       : run->scenario->names[arg->variable];
}

/* ---- live objects ---- */

static struct live *find_live(struct executor *run, uint64_t addr)
{
	uint64_t index;

	return km_addr_map_get(&run->by_addr, addr, &index) ? &run->live[index] : NULL;
}

static struct live *add_live(struct executor *run, const struct live *object)
{
	uint32_t index = run->unused;

	if (index) {
		run->unused = run->live[index].next_unused;
	} else {
		if (run->nr_live + 1 >= run->live_room) {
			uint32_t room = run->live_room ? run->live_room * 2 : 256;
			struct live *bigger = reallocarray(run->live, room, sizeof(*bigger));

			if (!bigger)
				return NULL;
			run->live = bigger;
			run->live_room = room;
		}
		index = ++run->nr_live; /* entry 0 is never used: 0 ends the list */
	}
	run->live[index] = *object;
	km_addr_map_remove(&run->freed, object->addr);
	return km_addr_map_put(&run->by_addr, object->addr, index) ? NULL : &run->live[index];
}

static int remove_live(struct executor *run, struct live *object, unsigned line)
{
	uint64_t addr = object->addr;

	km_check_free(run, object);
	km_addr_map_remove(&run->by_addr, addr);
	object->next_unused = run->unused;
	run->unused = (uint32_t)(object - run->live);
	return km_addr_map_put(&run->freed, addr, line);
}

/* The object at `addr` if it may be freed by this call; otherwise a note says why not. */
static struct live *must_be_live(struct executor *run, const struct km_scenario_call *call,
				 unsigned index, struct km_run_row *row)
{
	uint64_t addr = argument(run, call, index), line;
	const char *name = name_of(run, &call->args[index]);
	struct live *object = find_live(run, addr);

	if (object)
		return object;
	if (km_addr_map_get(&run->freed, addr, &line))
		km_run_note(row, "double free: line %" PRIu64 " freed %s", line, name);
	else
		km_run_note(row, "not allocated here: %s is 0x%" PRIx64, name, addr);
	return NULL;
}

static const char *const kind_names[] = {"a slab object", "a large kmalloc block", "pages",
					 "a vmalloc area"};

/* ---- results ---- */

static void set_target(struct executor *run, const struct km_scenario_call *call, uint64_t value)
{
	if (call->target != KM_NO_VARIABLE) {
		run->variables[call->target].value = value;
		run->variables[call->target].cache = NULL;
	}
}

/* A fresh object, or with addr 0 a failure, becomes the call's result. */
static int finish_alloc(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row, struct live *object)
{
	struct live *live = NULL;

	set_target(run, call, object->addr);
	if (!object->addr) {
		row->kind = KM_RESULT_NULL;
		row->cache = object->cache_name;
		return km_check_result(run, call, row, NULL);
	}
	row->kind = KM_RESULT_ADDRESS;
	row->result = object->addr;
	if (object->addr <= ZERO_SIZE_PTR) {
		row->bytes_alloc = 0;
		return km_check_result(run, call, row, NULL);
	}
	object->line = call->line;
	row->bytes_alloc = object->bytes;
	row->cache = object->cache_name;
	if (call->call == KM_CALL_ALLOC_PAGES || call->call == KM_CALL_ALLOC_PAGE) {
		row->kind = KM_RESULT_PFN;
		row->result = km_addr_to_pfn(object->addr).value;
	}
	live = add_live(run, object);
	return live ? km_check_result(run, call, row, live) : -ENOMEM;
}

static void check_context(const struct executor *run, const struct km_scenario_call *call,
			  struct km_run_row *row, uint32_t gfp)
{
	if (run->atomic && (gfp & KM_GFP_DIRECT_RECLAIM))
		km_run_note(row, "sleeping flag in atomic context: %s may sleep with these flags",
			    km_call_name(call->call));
}

/* ---- pages ---- */

static int call_alloc_pages(struct executor *run, const struct km_scenario_call *call,
			    struct km_run_row *row)
{
	uint32_t gfp = (uint32_t)argument(run, call, 0);
	uint64_t order = argument(run, call, 1);
	struct live object = {.kind = LIVE_PAGES, .order = (unsigned)order};
	km_pfn pfn = KM_PFN_NONE;

	if (call->call == KM_CALL_GET_ZEROED_PAGE)
		gfp |= KM_GFP_ZERO;
	check_context(run, call, row, gfp);
	if ((call->call == KM_CALL_GET_FREE_PAGES || call->call == KM_CALL_GET_FREE_PAGE))
		gfp &= ~KM_GFP_HIGHMEM; /* an address must exist */
	if (order > KM_MAX_ORDER)
		km_run_note(row, "order %" PRIu64 " is above the largest, %d", order, KM_MAX_ORDER);
	else
		pfn = km_alloc_pages(run->machine, call->cpu, gfp, (unsigned)order);
	if (km_pfn_valid(pfn)) {
		object.addr = km_pfn_to_addr(pfn);
		object.bytes = KM_PAGE_SIZE << order;
	}
	return finish_alloc(run, call, row, &object);
}

static int call_free_pages(struct executor *run, const struct km_scenario_call *call,
			   struct km_run_row *row)
{
	uint64_t order = argument(run, call, 1);
	struct live *object;

	if (!argument(run, call, 0))
		return 0;
	object = must_be_live(run, call, 0, row);
	if (!object)
		return 0;
	if (object->kind != LIVE_PAGES) {
		km_run_note(row, "%s frees pages, this is %s of line %u", km_call_name(call->call),
			    kind_names[object->kind], object->line);
		return 0;
	}
	if (order != object->order) {
		km_run_note(row, "wrong order %" PRIu64 ": line %u allocated order %u", order,
			    object->line, object->order);
		return 0;
	}
	km_free_pages(run->machine, call->cpu, km_addr_to_pfn(object->addr), object->order);
	return remove_live(run, object, call->line);
}

/* ---- caches ---- */

static int call_cache_create(struct executor *run, const struct km_scenario_call *call,
			     struct km_run_row *row)
{
	uint64_t size = argument(run, call, 0), align = argument(run, call, 1);
	struct variable *variable = &run->variables[call->target];
	struct km_cache_spec spec = {.flags = (uint32_t)argument(run, call, 2)};

	row->cache = run->scenario->names[call->target];
	spec.name = call->label ? call->label : row->cache;
	if (!size || size > KM_KMALLOC_MAX_SIZE) {
		km_run_note(row, "object size %" PRIu64 " is outside 1..4M", size);
	} else if ((align & (align - 1)) || align > KM_KMALLOC_MAX_SIZE) {
		km_run_note(row, "alignment %" PRIu64 " is not a power of two up to 4M", align);
	} else {
		spec.object_size = (uint32_t)size;
		spec.align = (uint32_t)align;
		variable->cache = km_cache_create(run->machine, &spec);
	}
	if (!variable->cache)
		row->kind = KM_RESULT_NULL;
	else if (run->machine->model->slab->cache_info(run->machine->slab, variable->cache,
						       &variable->info))
		variable->info = (struct km_cache_info){.size = spec.object_size};
	return 0;
}

/* The cache of argument 0, or NULL with a note. */
static struct variable *cache_argument(struct executor *run, const struct km_scenario_call *call,
				       struct km_run_row *row)
{
	struct variable *variable = &run->variables[call->args[0].variable];

	row->cache = run->scenario->names[call->args[0].variable];
	if (variable->cache)
		return variable;
	km_run_note(row, "%s is not a cache", row->cache);
	row->cache = NULL;
	return NULL;
}

static int call_cache_alloc(struct executor *run, const struct km_scenario_call *call,
			    struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);
	uint32_t gfp = (uint32_t)argument(run, call, 1);
	bool on_node = call->call == KM_CALL_CACHE_ALLOC_NODE;
	int node = on_node ? (int)argument(run, call, 2) : -1;
	struct live object = {.kind = LIVE_OBJECT};

	if (cache && node > 0)
		km_run_note(row, "node %d does not exist", node);
	if (!cache || node > 0)
		return finish_alloc(run, call, row, &object);
	check_context(run, call, row, gfp);
	if (call->call == KM_CALL_CACHE_ZALLOC)
		gfp |= KM_GFP_ZERO;
	/* Slab memory is direct-mapped: these two are stripped, with a warning in the log. */
	gfp &= ~(KM_GFP_HIGHMEM | KM_GFP_DMA32);
	object.addr = km_object_alloc(
		run->machine, call->cpu, cache->cache,
		cache->info.object_size ? cache->info.object_size : cache->info.size, gfp, node);
	object.order = cache->info.order;
	object.cache = cache->cache;
	object.cache_name = row->cache;
	object.bytes = cache->info.size;
	return finish_alloc(run, call, row, &object);
}

static int call_cache_free(struct executor *run, const struct km_scenario_call *call,
			   struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);
	struct live *object;

	if (!cache)
		return 0;
	if (!argument(run, call, 1)) {
		km_run_note(row, "kmem_cache_free of NULL");
		return 0;
	}
	object = must_be_live(run, call, 1, row);
	if (!object)
		return 0;
	if (object->kind != LIVE_OBJECT || object->cache != cache->cache) {
		km_run_note(row, "wrong cache: line %u allocated %s%s%s", object->line,
			    kind_names[object->kind], object->cache_name ? " of " : "",
			    object->cache_name ? object->cache_name : "");
		return 0;
	}
	if (km_kfree(run->machine, call->cpu, object->addr))
		km_run_note(row, "the model does not know this object");
	return remove_live(run, object, call->line);
}

static int call_cache_shrink(struct executor *run, const struct km_scenario_call *call,
			     struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);
	const struct km_slab_ops *slab = run->machine->model->slab;

	if (cache && slab->shrink)
		slab->shrink(run->machine->slab, cache->cache, call->cpu);
	return 0;
}

/* ---- kmalloc ---- */

static void kmalloc_object(struct executor *run, unsigned cpu, uint64_t bytes, uint32_t gfp,
			   int node, struct live *object)
{
	gfp &= ~(KM_GFP_HIGHMEM | KM_GFP_DMA32);
	*object = (struct live){.kind = LIVE_OBJECT};
	if (!bytes) {
		object->addr = ZERO_SIZE_PTR;
		return;
	}
	object->addr = km_object_alloc(run->machine, cpu, NULL, bytes, gfp, node);
	object->bytes = km_kmalloc_bytes_alloc(bytes);
	object->order = km_get_order(object->bytes);
	if (bytes > KM_KMALLOC_MAX_CACHE) {
		object->kind = LIVE_LARGE;
	} else {
		enum km_kmalloc_type type = km_kmalloc_type(gfp);
		unsigned index = km_kmalloc_class(bytes);
		struct km_cache_info info;

		object->cache = run->machine->kmalloc_caches[type][index];
		object->cache_name = km_kmalloc_cache_name(type, index);
		if (run->machine->model->slab->cache_info(run->machine->slab, object->cache,
							  &info) == 0)
			object->order = info.order;
	}
}

/* Bytes, flags and node of kmalloc, kzalloc, kmalloc_node, kcalloc, kmalloc_array. */
static int call_kmalloc(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	bool array = call->call == KM_CALL_KCALLOC || call->call == KM_CALL_KMALLOC_ARRAY;
	bool zero = call->call == KM_CALL_KCALLOC || call->call == KM_CALL_KZALLOC;
	uint64_t bytes = argument(run, call, 0);
	uint32_t gfp = (uint32_t)argument(run, call, array ? 2 : 1) | (zero ? KM_GFP_ZERO : 0);
	int node = call->call == KM_CALL_KMALLOC_NODE ? (int)argument(run, call, 2) : -1;
	struct live object = {.kind = LIVE_OBJECT};

	if (array && __builtin_mul_overflow(bytes, argument(run, call, 1), &bytes)) {
		km_run_note(row, "n * size overflows");
		return finish_alloc(run, call, row, &object);
	}
	if (node > 0) {
		km_run_note(row, "node %d does not exist", node);
		return finish_alloc(run, call, row, &object);
	}
	check_context(run, call, row, gfp);
	kmalloc_object(run, call->cpu, bytes, gfp, node, &object);
	return finish_alloc(run, call, row, &object);
}

/* kfree(), kvfree(), vfree(): which kinds each may be given. */
static int call_free(struct executor *run, const struct km_scenario_call *call,
		     struct km_run_row *row)
{
	static const struct {
		enum km_call call;
		unsigned kinds;
	} accepts[] = {
		{KM_CALL_KFREE, 1u << LIVE_OBJECT | 1u << LIVE_LARGE},
		{KM_CALL_KVFREE, 1u << LIVE_OBJECT | 1u << LIVE_LARGE | 1u << LIVE_AREA},
		{KM_CALL_VFREE, 1u << LIVE_AREA},
	};
	struct live *object;
	unsigned i = 0;

	if (argument(run, call, 0) <= ZERO_SIZE_PTR)
		return 0;
	object = must_be_live(run, call, 0, row);
	if (!object)
		return 0;
	while (accepts[i].call != call->call)
		i++;
	if (!(accepts[i].kinds & 1u << object->kind)) {
		km_run_note(row, "%s cannot free %s (line %u)", km_call_name(call->call),
			    kind_names[object->kind], object->line);
		return 0;
	}
	row->cache = object->cache_name;
	if (km_kfree(run->machine, call->cpu, object->addr))
		km_run_note(row, "the model does not know this object");
	return remove_live(run, object, call->line);
}

static int call_krealloc(struct executor *run, const struct km_scenario_call *call,
			 struct km_run_row *row)
{
	uint64_t old_addr = argument(run, call, 0), bytes = argument(run, call, 1);
	uint32_t gfp = (uint32_t)argument(run, call, 2);
	struct live *old = NULL, object;

	if (old_addr > ZERO_SIZE_PTR) {
		old = must_be_live(run, call, 0, row);
		if (!old)
			return 0;
		if (old->kind != LIVE_OBJECT && old->kind != LIVE_LARGE) {
			km_run_note(row, "krealloc cannot take %s (line %u)", kind_names[old->kind],
				    old->line);
			return 0;
		}
	}
	if (old && bytes && bytes <= old->bytes) {
		row->kind = KM_RESULT_ADDRESS;
		row->result = old_addr;
		row->bytes_alloc = old->bytes;
		row->cache = old->cache_name;
		set_target(run, call, old_addr);
		return 0;
	}
	check_context(run, call, row, gfp);
	kmalloc_object(run, call->cpu, bytes, gfp, -1, &object);
	if (old && object.addr) {
		int code;

		km_kfree(run->machine, call->cpu, old_addr);
		code = remove_live(run, old, call->line);
		if (code)
			return code;
	}
	return finish_alloc(run, call, row, &object);
}

static int call_ksize(struct executor *run, const struct km_scenario_call *call,
		      struct km_run_row *row)
{
	struct live *object = NULL;

	row->bytes_alloc = 0;
	if (argument(run, call, 0) > ZERO_SIZE_PTR) {
		object = must_be_live(run, call, 0, row);
		if (!object) {
			row->bytes_alloc = UINT64_MAX;
			return 0;
		}
		row->bytes_alloc = object->bytes;
		row->cache = object->cache_name;
	}
	set_target(run, call, row->bytes_alloc);
	return km_check_result(run, call, row, NULL);
}

/* ---- vmalloc ---- */

static void vmalloc_object(struct executor *run, unsigned cpu, uint64_t bytes, uint32_t gfp,
			   uint32_t flags, struct live *object)
{
	*object = (struct live){.kind = LIVE_AREA};
	object->addr = km_vmalloc(run->machine, cpu, bytes, 0, gfp, flags);
	if (object->addr)
		object->bytes = run->machine->model->vm->size(run->machine->vm, object->addr);
}

static int call_vmalloc(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	bool huge = call->call == KM_CALL_VMALLOC_HUGE;
	uint32_t gfp = huge ? (uint32_t)argument(run, call, 1) : KM_GFP_KERNEL;
	struct live object;

	if (call->call == KM_CALL_VZALLOC)
		gfp |= KM_GFP_ZERO;
	check_context(run, call, row, gfp);
	vmalloc_object(run, call->cpu, argument(run, call, 0), gfp, huge ? KM_VM_ALLOW_HUGE : 0,
		       &object);
	return finish_alloc(run, call, row, &object);
}

/*
 * mm/util.c: kmalloc first, quietly and without trying hard, then vmalloc. 5.15 takes the second
 * way for requests that allow everything GFP_KERNEL does, later kernels for those that may sleep.
 */
static int call_kvmalloc(struct executor *run, const struct km_scenario_call *call,
			 struct km_run_row *row)
{
	const struct km_profile *profile = &run->machine->spec.profile;
	uint64_t bytes = argument(run, call, 0);
	uint32_t gfp = (uint32_t)argument(run, call, 1), first;
	bool old = !profile->vmalloc_bulk, may_fall_back;
	struct live object;

	if (call->call == KM_CALL_KVZALLOC)
		gfp |= KM_GFP_ZERO;
	first = gfp;
	check_context(run, call, row, gfp);
	may_fall_back = bytes > KM_PAGE_SIZE && (old ? (gfp & KM_GFP_KERNEL) == KM_GFP_KERNEL
						     : (gfp & KM_GFP_DIRECT_RECLAIM) != 0);
	if (bytes > KM_PAGE_SIZE && (!old || may_fall_back)) {
		first |= KM_GFP_NOWARN;
		if (!old)
			first &= ~KM_GFP_NOFAIL;
		if (!(gfp & KM_GFP_RETRY_MAYFAIL)) {
			if (profile->pcp_high_order_slack) /* 6.18 and later */
				first &= ~KM_GFP_DIRECT_RECLAIM;
			else
				first |= KM_GFP_NORETRY;
		}
	}
	kmalloc_object(run, call->cpu, bytes, first, -1, &object);
	if (object.addr || !may_fall_back)
		return finish_alloc(run, call, row, &object);
	if (bytes > INT_MAX)
		km_run_note(row, "kvmalloc of more than INT_MAX bytes");
	else
		vmalloc_object(run, call->cpu, bytes, gfp, KM_VM_ALLOW_HUGE, &object);
	return finish_alloc(run, call, row, &object);
}

/* ---- dispatch ---- */

static int call_context(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	(void)row;
	run->atomic = call->args[0].number;
	return 0;
}

int km_run_call(struct executor *run, const struct km_scenario_call *call, struct km_run_row *row)
{
	static int (*const functions[KM_NR_CALLS])(
		struct executor *, const struct km_scenario_call *, struct km_run_row *) = {
		[KM_CALL_CACHE_CREATE] = call_cache_create,
		[KM_CALL_CACHE_ALLOC] = call_cache_alloc,
		[KM_CALL_CACHE_ZALLOC] = call_cache_alloc,
		[KM_CALL_CACHE_ALLOC_NODE] = call_cache_alloc,
		[KM_CALL_CACHE_FREE] = call_cache_free,
		[KM_CALL_CACHE_SHRINK] = call_cache_shrink,
		[KM_CALL_ALLOC_PAGES] = call_alloc_pages,
		[KM_CALL_ALLOC_PAGE] = call_alloc_pages,
		[KM_CALL_GET_FREE_PAGES] = call_alloc_pages,
		[KM_CALL_GET_FREE_PAGE] = call_alloc_pages,
		[KM_CALL_GET_ZEROED_PAGE] = call_alloc_pages,
		[KM_CALL_FREE_PAGES_PAGE] = call_free_pages,
		[KM_CALL_FREE_PAGE_PAGE] = call_free_pages,
		[KM_CALL_FREE_PAGES] = call_free_pages,
		[KM_CALL_FREE_PAGE] = call_free_pages,
		[KM_CALL_KMALLOC] = call_kmalloc,
		[KM_CALL_KZALLOC] = call_kmalloc,
		[KM_CALL_KMALLOC_NODE] = call_kmalloc,
		[KM_CALL_KCALLOC] = call_kmalloc,
		[KM_CALL_KMALLOC_ARRAY] = call_kmalloc,
		[KM_CALL_KREALLOC] = call_krealloc,
		[KM_CALL_KFREE] = call_free,
		[KM_CALL_KSIZE] = call_ksize,
		[KM_CALL_KVMALLOC] = call_kvmalloc,
		[KM_CALL_KVZALLOC] = call_kvmalloc,
		[KM_CALL_KVFREE] = call_free,
		[KM_CALL_VMALLOC] = call_vmalloc,
		[KM_CALL_VZALLOC] = call_vmalloc,
		[KM_CALL_VMALLOC_HUGE] = call_vmalloc,
		[KM_CALL_VFREE] = call_free,
		[KM_CALL_CONTEXT] = call_context,
	};

	*row = (struct km_run_row){.call = call, .bytes_alloc = UINT64_MAX};
	return functions[call->call](run, call, row);
}
