/* SPDX-License-Identifier: GPL-2.0-only */
/* Building the machine a program runs on, from the trace's start state and the asked model. */
#include "replay/replayer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/host.h"
#include "replay/malloc_model.h"

#define HUGE_BYTES (2ull << 20)
#define HOST_LINE 64u /* a cache line of this host */

/* ---- --model ---- */

static int unknown_model(const char *text, struct km_err *err)
{
	char names[256] = "kernel";

	for (const struct km_model *model = km_models; model->name; model++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, " %s", model->name);
	}
	return km_fail(err, -EINVAL, "unknown model '%s'; there are: %s (see 'kmlab models')", text,
		       names);
}

static int parse_profile(const char *name, struct km_model_choice *choice, struct km_err *err)
{
	char names[128] = "";

	choice->profile = km_profile_find(name);
	if (choice->profile)
		return 0;
	for (const char *const *known = km_profile_names(); *known; known++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, " %s", *known);
	}
	return km_fail(err, -EINVAL, "model '%s' names the profile '%s'; there are:%s",
		       choice->text, name, names);
}

int km_model_choice_parse(const char *text, struct km_model_choice *choice, struct km_err *err)
{
	char *at, *colon, *end, name[64];

	memset(choice, 0, sizeof(*choice));
	if (strlen(text) >= sizeof(choice->text))
		return unknown_model(text, err);
	strcpy(choice->text, text);
	if (strncmp(text, "malloc:", 7) == 0) { /* the rest is a file name */
		choice->model = km_malloc_model(text + 7, err);
		return choice->model ? 0 : -EINVAL;
	}
	strcpy(name, text);
	at = strchr(name, '@');
	colon = strchr(name, ':');
	if (at)
		*at = '\0';
	if (colon)
		*colon = '\0';
	if (strcmp(name, "kernel") == 0)
		return at || colon ? unknown_model(text, err) : 0;
	choice->model = km_model_find(name);
	if (!choice->model)
		return unknown_model(text, err);
	if (choice->model->route == KM_ROUTE_KVMALLOC) {
		choice->threshold = colon ? strtoull(colon + 1, &end, 0) : 0;
		if (!choice->threshold || *end || colon[1] == '-')
			return km_fail(err, -EINVAL,
				       "model 'kvmalloc' needs a size in bytes; write "
				       "'kvmalloc:65536'");
	} else if (colon) {
		return unknown_model(text, err);
	}
	return at ? parse_profile(at + 1, choice, err) : 0;
}

int km_model_choices_parse(char *list, struct km_model_choice *choices, unsigned most, unsigned *nr,
			   struct km_err *err)
{
	char *rest = NULL;

	*nr = 0;
	for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		if (*nr == most)
			return km_fail(err, -E2BIG, "at most %u models at once", most);
		if (km_model_choice_parse(name, &choices[*nr], err))
			return -EINVAL;
		for (unsigned i = 0; i < *nr; i++)
			if (!strcmp(choices[i].text, name))
				return km_fail(err, -EINVAL, "the model '%s' is named twice", name);
		++*nr;
	}
	return *nr ? 0 : km_fail(err, -EINVAL, "--model names no model; 'kmlab models' lists them");
}

/* ---- caches of the trace on the machine ---- */

static void cache_spec(const struct km_trace_cache *cache, bool own_profile,
		       struct km_cache_spec *spec)
{
	*spec = (struct km_cache_spec){
		.name = cache->name,
		.object_size = cache->object_size ? cache->object_size : cache->size,
		.align = cache->align,
		/* Events carry the name of the merged cache: merging has been done already. */
		.flags = KM_SLAB_NO_MERGE | (cache->has_ctor ? KM_SLAB_CTOR : 0) |
			 (cache->typesafe_by_rcu ? KM_SLAB_TYPESAFE_BY_RCU : 0) |
			 (cache->reclaim_account ? KM_SLAB_RECLAIM_ACCOUNT : 0) |
			 (cache->account ? KM_SLAB_ACCOUNT : 0) |
			 (cache->cache_dma ? KM_SLAB_CACHE_DMA : 0),
		.sheaf_capacity = cache->sheaf_capacity,
	};
	if (!own_profile)
		return;
	/* What this kernel really used, also where its inputs are not visible from outside. */
	spec->size_known = cache->size;
	if (cache->has_geometry)
		spec->order_known_plus_one = (uint8_t)(cache->order + 1);
}

/* Bytes one object takes; a model without slabs takes what is asked. */
static uint32_t stride_of(struct km_machine *machine, void *cache, uint32_t object_size)
{
	struct km_cache_info info;

	if (machine->model->slab->cache_info(machine->slab, cache, &info) == 0)
		return info.size;
	return (uint32_t)km_round_up(object_size, 8);
}

static int create_caches(struct km_replayer *replayer, struct km_trace *trace, bool own_profile)
{
	const struct km_trace_cache *caches = km_trace_caches(trace, &replayer->nr_caches);

	replayer->caches = calloc(replayer->nr_caches + 1, sizeof(void *));
	replayer->strides = calloc(replayer->nr_caches + 1, sizeof(uint32_t));
	if (!replayer->caches || !replayer->strides)
		return -ENOMEM;
	for (unsigned i = 1; i < KM_KMALLOC_CLASSES; i++)
		replayer->kmalloc_strides[i] = stride_of(
			replayer->machine, replayer->machine->kmalloc_caches[KM_KMALLOC_NORMAL][i],
			km_kmalloc_class_size(i));
	for (uint32_t i = 1; i < replayer->nr_caches; i++) {
		struct km_machine *machine = replayer->machine;
		struct km_cache_spec spec;

		cache_spec(&caches[i], own_profile, &spec);
		if (!spec.object_size)
			continue;
		replayer->caches[i] = km_cache_create(machine, &spec);
		if (!replayer->caches[i])
			return -ENOMEM;
		replayer->strides[i] = stride_of(machine, replayer->caches[i], spec.object_size);
	}
	return 0;
}

/* ---- requests ---- */

static bool is_slab_object(const struct km_machine *machine, const struct km_request *request)
{
	enum km_route route = machine->model->route;

	if (request->kind != KM_OP_OBJECT_ALLOC)
		return false;
	return route == KM_ROUTE_SLAB ||
	       (route == KM_ROUTE_KVMALLOC && request->size < machine->spec.kvmalloc_threshold);
}

static int resolve_requests(struct km_replayer *replayer)
{
	const struct km_program *program = replayer->program;
	const struct km_machine *machine = replayer->machine;

	replayer->slab = machine->slab;
	replayer->slab_run = machine->model->slab->run;
	replayer->slab_alloc = machine->model->slab->alloc;
	replayer->slab_free = machine->model->slab->free;
	replayer->servings = aligned_alloc(
		HOST_LINE,
		km_round_up(program->nr_requests * sizeof(struct km_serving), HOST_LINE));
	if (!replayer->servings)
		return -ENOMEM;
	for (uint32_t i = 0; i < program->nr_requests; i++) {
		const struct km_request *request = &program->requests[i];
		struct km_serving *serving = &replayer->servings[i];

		*serving = (struct km_serving){.size = request->size,
					       .gfp = request->gfp,
					       .node = request->node_given ? 0 : -1,
					       .kind = request->kind};
		if (!is_slab_object(machine, request))
			continue;
		serving->cache = replayer->caches[request->cache];
		if (!serving->cache)
			serving->cache = km_kmalloc_cache(machine, request->size, request->gfp);
	}
	return 0;
}

/* ---- creation ---- */

static int create_machine(struct km_replayer *replayer, const struct km_start *start,
			  const struct km_model_choice *choice)
{
	struct km_machine_spec spec = {
		.model = choice->model,
		.profile = choice->profile ? *choice->profile : *start->profile,
		.cpus = start->cpus,
		.present_cpus = start->present_cpus,
		.nr_zones = start->nr_zones,
		.memory_bytes = start->memory_bytes,
		.min_free_kbytes = start->min_free_kbytes,
		.thp = start->thp,
		.kvmalloc_threshold = choice->threshold,
	};
	int code;

	memcpy(spec.zones, start->zones, sizeof(spec.zones));
	code = km_machine_create(&replayer->env, &spec, &replayer->machine);
	if (code || !start->have_free || !replayer->machine->model->page->seed)
		return code;
	/*
	 * /proc/zoneinfo and /proc/pagetypeinfo were read one after the other: counts that do not
	 * fit together leave the machine with all its memory free, and the results say so.
	 */
	code = km_start_seed(start, replayer->machine);
	replayer->seeded = !code;
	return code == -ENOMEM ? code : 0;
}

int km_replayer_create(const struct km_program *program, struct km_trace *trace,
		       const struct km_start *start, const struct km_model_choice *choice,
		       uint64_t seed, struct km_replayer **out, struct km_err *err)
{
	struct km_replayer *replayer = calloc(1, sizeof(*replayer));
	bool own = !choice->profile || strcmp(choice->profile->name, start->profile->name) == 0;
	int code = -ENOMEM;

	if (!replayer)
		return km_fail(err, -ENOMEM, "no memory for a machine");
	replayer->program = program;
	km_host_env(&replayer->env, seed);
	replayer->addr = calloc(program->nr_slots + 1, sizeof(uint64_t));
	if (replayer->addr)
		code = create_machine(replayer, start, choice);
	if (!code) {
		/* The trace's caches are older than its start. */
		replayer->machine->booted = false;
		code = create_caches(replayer, trace, own);
		replayer->machine->booted = true;
	}
	if (!code)
		code = resolve_requests(replayer);
	if (code) {
		km_replayer_destroy(replayer);
		return km_fail(err, code, "model %s cannot be built on the recorded machine: %s",
			       choice->text, strerror(-code));
	}
	memset(&replayer->env.count, 0, sizeof(replayer->env.count));
	*out = replayer;
	return 0;
}

void km_replayer_destroy(struct km_replayer *replayer)
{
	if (!replayer)
		return;
	km_machine_destroy(replayer->machine);
	free(replayer->caches);
	free(replayer->strides);
	free(replayer->servings);
	free(replayer->addr);
	free(replayer);
}

uint64_t km_replayer_placed_bytes(const struct km_replayer *replayer,
				  const struct km_request *request)
{
	const struct km_machine *machine = replayer->machine;
	enum km_route route = machine->model->route;
	uint32_t size = request->size;

	if (route == KM_ROUTE_KVMALLOC)
		route = size >= machine->spec.kvmalloc_threshold ? KM_ROUTE_VMALLOC : KM_ROUTE_SLAB;
	switch (route) {
	case KM_ROUTE_PAGES:
		return KM_PAGE_SIZE << km_get_order(size);
	case KM_ROUTE_VMALLOC_HUGE:
		if (size >= HUGE_BYTES && machine->spec.profile.vmalloc_huge)
			return km_round_up(size, HUGE_BYTES);
		/* fall through */
	case KM_ROUTE_VMALLOC:
		return km_round_up(size, KM_PAGE_SIZE);
	default:
		if (request->cache)
			return replayer->strides[request->cache];
		if (machine->model->slab->kmalloc_bytes || size > KM_KMALLOC_MAX_CACHE)
			return km_kmalloc_placed_bytes(machine, size);
		return size ? replayer->kmalloc_strides[km_kmalloc_class(size)] : 0;
	}
}

/* ---- operations out of the ordinary ---- */

static void replay_alloc(struct km_replayer *replayer, const struct km_serving *serving,
			 uint64_t *addr, unsigned cpu)
{
	struct km_machine *machine = replayer->machine;
	km_pfn pfn;

	switch (serving->kind) {
	case KM_OP_OBJECT_ALLOC:
		*addr = km_object_alloc(machine, cpu, NULL, serving->size, serving->gfp,
					serving->node);
		replayer->failed += !*addr;
		break;
	case KM_OP_PAGE_ALLOC:
		pfn = km_alloc_pages(machine, cpu, serving->gfp, (unsigned)serving->size);
		*addr = pfn.value;
		replayer->failed += !km_pfn_valid(pfn);
		break;
	case KM_OP_VMAP_ALLOC:
		*addr = km_vmalloc(machine, cpu, serving->size << KM_PAGE_SHIFT, 0, KM_GFP_KERNEL,
				   0);
		replayer->failed += !*addr;
		break;
	default:
		break;
	}
}

static int replay_free(struct km_machine *machine, const struct km_serving *serving, uint64_t addr,
		       unsigned cpu)
{
	switch (serving->kind) {
	case KM_OP_OBJECT_ALLOC:
		return km_kfree(machine, cpu, addr);
	case KM_OP_PAGE_ALLOC:
		return km_pfn_valid((km_pfn){addr}) ? km_free_pages(machine, cpu, (km_pfn){addr},
								    (unsigned)serving->size)
						    : 0;
	case KM_OP_VMAP_ALLOC:
		return addr ? km_vfree(machine, cpu, addr) : 0;
	default:
		return 0;
	}
}

void km_replay_other(struct km_replayer *replayer, const struct km_op *op, unsigned cpu)
{
	const struct km_serving *serving = &replayer->servings[op->request];
	uint64_t *addr = &replayer->addr[op->slot];

	if (!op->is_free)
		replay_alloc(replayer, serving, addr, cpu);
	else if (replay_free(replayer->machine, serving, *addr, cpu))
		replayer->refused++;
}

void km_replay_ops(struct km_replayer *replayer, const struct km_op *op, const struct km_op *end)
{
	struct km_calls calls = {
		.env = &replayer->env, .servings = replayer->servings, .addr = replayer->addr};

	while (op < end) {
		if (replayer->slab_run)
			op = replayer->slab_run(replayer->slab, &calls, op, end);
		if (op == end)
			break;
		replayer->env.time_ns = op->time_ns;
		km_replay_op(replayer, op++);
	}
	replayer->failed += calls.failed;
	replayer->refused += calls.refused;
}
