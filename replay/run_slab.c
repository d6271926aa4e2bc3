/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of a scenario on slab caches: kmem_cache_* (mm/slab_common.c, mm/slub.c). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "replay/run_state.h"

int km_run_cache_create(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	uint64_t size = km_run_argument(run, call, 0), align = km_run_argument(run, call, 1);
	uint64_t from = km_run_argument(run, call, 3), bytes = km_run_argument(run, call, 4);
	struct variable *variable = &run->variables[call->target];
	struct km_cache_spec spec = {.flags = (uint32_t)km_run_argument(run, call, 2)};

	km_run_check_sleep(run, call, row);
	row->cache = run->scenario->names[call->target];
	spec.name = call->label ? call->label : row->cache;
	*variable = (struct variable){0};
	/* Nobody else's objects may lie where user space is copied to. */
	if (call->call == KM_CALL_CACHE_CREATE_USERCOPY && bytes)
		spec.flags |= KM_SLAB_NO_MERGE;
	if (!size || size > KM_KMALLOC_MAX_SIZE) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT, "object size %" PRIu64 " is outside 1..4M",
			    size);
	} else if ((align & (align - 1)) || align > KM_KMALLOC_MAX_SIZE) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "alignment %" PRIu64 " is not a power of two up to 4M", align);
	} else if (from > size || bytes > size - from) {
		km_run_note(row, KM_RULE_BAD_ARGUMENT,
			    "the region for user space, %" PRIu64 " bytes from %" PRIu64
			    ", is not inside the object",
			    bytes, from);
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
	km_run_note(row, KM_RULE_BAD_ARGUMENT, "%s is not a cache", row->cache);
	row->cache = NULL;
	return NULL;
}

static struct live object_of(const struct variable *cache, const char *name, uint64_t addr)
{
	return (struct live){.kind = LIVE_OBJECT,
			     .addr = addr,
			     .order = cache->info.order,
			     .cache = cache->cache,
			     .cache_name = name,
			     .bytes = cache->info.size};
}

int km_run_cache_alloc(struct executor *run, const struct km_scenario_call *call,
		       struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);
	uint32_t gfp = (uint32_t)km_run_argument(run, call, 1);
	bool on_node = call->call == KM_CALL_CACHE_ALLOC_NODE;
	int node = on_node ? (int)km_run_argument(run, call, 2) : -1;
	struct live object = {.kind = LIVE_OBJECT};
	uint64_t addr;

	if (cache && node > 0)
		km_run_note(row, KM_RULE_BAD_ARGUMENT, "node %d does not exist", node);
	if (!cache || node > 0)
		return km_run_finish_alloc(run, call, row, &object);
	km_run_check_flags(run, call, row, gfp);
	if (call->call == KM_CALL_CACHE_ZALLOC)
		gfp |= KM_GFP_ZERO;
	addr = km_object_alloc(
		run->machine, call->cpu, cache->cache,
		cache->info.object_size ? cache->info.object_size : cache->info.size,
		/* Slab memory is direct-mapped: these two are stripped, with a warning. */
		gfp & ~(KM_GFP_HIGHMEM | KM_GFP_DMA32), node);
	object = object_of(cache, row->cache, addr);
	return km_run_finish_alloc(run, call, row, &object);
}

/* The live object at `addr` if it is one of the cache's; else NULL, and a note says why not. */
static struct live *own_object(struct executor *run, uint64_t addr, const char *name,
			       const struct variable *cache, struct km_run_row *row)
{
	struct live *object = km_run_must_be_live(run, addr, name, row);

	if (!object || (object->kind == LIVE_OBJECT && (!cache || object->cache == cache->cache)))
		return object;
	km_run_note(row, object->kind == LIVE_OBJECT ? KM_RULE_WRONG_CACHE : KM_RULE_WRONG_FREE,
		    "wrong cache: line %u allocated %s%s%s", object->line,
		    km_run_kind_name(object->kind), object->cache_name ? " of " : "",
		    object->cache_name ? object->cache_name : "");
	return NULL;
}

int km_run_cache_free(struct executor *run, const struct km_scenario_call *call,
		      struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);
	uint64_t addr = km_run_argument(run, call, 1);
	struct live *object;

	if (!cache)
		return 0;
	if (!addr) {
		km_run_note(row, KM_RULE_INVALID_FREE, "kmem_cache_free of NULL");
		return 0;
	}
	object = own_object(run, addr, km_run_argument_name(run, call, 1), cache, row);
	if (!object)
		return 0;
	if (km_kfree(run->machine, call->cpu, object->addr))
		km_run_note(row, KM_RULE_NONE, "the model does not know this object");
	return km_run_remove_live(run, object, call->line);
}

/* ---- many at once ---- */

int km_run_cache_bulk(struct executor *run, const struct km_scenario_call *call,
		      struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);
	uint32_t gfp = (uint32_t)km_run_argument(run, call, 1);
	unsigned n = (unsigned)km_run_argument(run, call, 2);
	struct variable *array = &run->variables[call->args[3].variable];
	uint64_t addrs[KM_BULK_MAX];
	int code = 0;

	if (!cache)
		return 0;
	km_run_check_flags(run, call, row, gfp);
	if (km_cache_alloc_bulk(run->machine, cache->cache, call->cpu,
				gfp & ~(KM_GFP_HIGHMEM | KM_GFP_DMA32), n, addrs) != n)
		n = 0;
	for (unsigned i = 0; i < n && !code; i++) {
		struct live object = object_of(cache, row->cache, addrs[i]);

		object.line = call->line;
		array[i] = (struct variable){.value = addrs[i]};
		code = km_run_add_live(run, &object);
	}
	return code ? code : km_run_finish_number(run, call, row, n);
}

/* kmem_cache_free_bulk(cache, n, array), kfree_bulk(n, array): all or, if one may not be, none. */
int km_run_free_bulk(struct executor *run, const struct km_scenario_call *call,
		     struct km_run_row *row)
{
	bool plain = call->call == KM_CALL_KFREE_BULK;
	struct variable *cache = plain ? NULL : cache_argument(run, call, row);
	unsigned at = plain ? 0 : 1, n = (unsigned)km_run_argument(run, call, at);
	uint32_t first = call->args[at + 1].variable;
	const struct variable *array = &run->variables[first];
	uint64_t addrs[KM_BULK_MAX];
	int code = 0;

	if (!plain && !cache)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		addrs[i] = array[i].value;
		if (!own_object(run, addrs[i], run->scenario->names[first + i], cache, row))
			return 0;
		for (unsigned j = 0; j < i; j++) {
			if (addrs[j] != addrs[i])
				continue;
			km_run_note(row, KM_RULE_DOUBLE_FREE,
				    "double free: elements %u and %u are the same object", j, i);
			return 0;
		}
	}
	for (unsigned i = 0; i < n && !code; i++)
		code = km_run_remove_live(run, km_run_must_be_live(run, addrs[i], "", row),
					  call->line);
	km_cache_free_bulk(run->machine, call->cpu, n, addrs);
	return code;
}

/* ---- the cache itself ---- */

int km_run_cache_shrink(struct executor *run, const struct km_scenario_call *call,
			struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);

	km_run_check_sleep(run, call, row);
	if (!cache)
		return 0;
	for (uint32_t i = 0; i < call->nr_flushed && run->options->check; i++)
		km_cache_flush_cpu(run->machine, cache->cache, call->flushed[i]);
	km_cache_shrink(run->machine, cache->cache, call->cpu);
	return 0;
}

int km_run_cache_destroy(struct executor *run, const struct km_scenario_call *call,
			 struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);
	unsigned first = 0, in_use = 0;
	int code;

	if (!cache)
		return 0;
	km_run_check_sleep(run, call, row);
	for (uint32_t i = 1; i <= run->nr_live; i++) {
		const struct live *object = &run->live[i];

		if (!object->addr || object->cache != cache->cache ||
		    object->cache_name != row->cache)
			continue;
		in_use++;
		if (!first || object->line < first)
			first = object->line;
	}
	if (in_use) {
		km_run_note(row, KM_RULE_CACHE_BUSY,
			    "%u object%s of the cache still in use, the first from line %u: the "
			    "cache stays",
			    in_use, in_use == 1 ? "" : "s", first);
		return 0;
	}
	code = km_cache_destroy(run->machine, cache->cache, call->cpu);
	if (code == -EBUSY)
		km_run_note(row, KM_RULE_CACHE_BUSY, "objects are still in use: the cache stays");
	else if (code)
		km_run_note(row, KM_RULE_NONE, "the model cannot destroy caches");
	else
		cache->cache = NULL;
	return 0;
}

int km_run_cache_size(struct executor *run, const struct km_scenario_call *call,
		      struct km_run_row *row)
{
	struct variable *cache = cache_argument(run, call, row);

	if (!cache)
		return 0;
	return km_run_finish_number(run, call, row, cache->info.object_size);
}
