/* SPDX-License-Identifier: GPL-2.0-only */
/* From events to operations: repair decides what an event means, this file what replay does. */
#include "replay/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/addr_map.h"

#define BATCH 4096
#define PROGRESS_EVERY (1u << 16)

/* What the compiler remembers of a live slot. */
struct slot_state {
	size_t alloc_op; /* index + 1 in ops; 0: not replayed */
};

struct compiler {
	struct km_trace *trace;
	struct km_program *program;
	struct km_repair *repair;
	struct slot_state *slots;
	uint32_t slot_capacity;
	size_t op_capacity, backing_capacity, request_capacity;
	struct km_addr_map request_of_hash;
	uint8_t *site_internal; /* per site id: an allocator's own bookkeeping */
	uint32_t nr_sites;
	uint8_t *cache_internal;
	uint32_t nr_caches;
};

/* ---- growing tables ---- */

static int grow(void **table, size_t element, size_t used, size_t *capacity)
{
	size_t wanted = *capacity ? *capacity * 2 : 1 << 16;
	void *larger;

	if (used < *capacity)
		return 0;
	while (wanted <= used)
		wanted *= 2;
	larger = realloc(*table, wanted * element);
	if (!larger)
		return -ENOMEM;
	*table = larger;
	*capacity = wanted;
	return 0;
}

/* The number of a request. -E2BIG: there is none left. */
static int find_request(struct compiler *compiler, const struct km_request *wanted, uint32_t *index)
{
	struct km_program *program = compiler->program;
	uint64_t at, hash = ((uint64_t)wanted->gfp << 32 | wanted->size) * 0x9e3779b97f4a7c15ull;

	hash ^= (uint64_t)wanted->cache << 16 | (uint64_t)wanted->kind << 8 | wanted->node_given;
	for (; km_addr_map_get(&compiler->request_of_hash, hash, &at); hash++) {
		const struct km_request *known = &program->requests[at];

		if (known->size == wanted->size && known->gfp == wanted->gfp &&
		    known->cache == wanted->cache && known->kind == wanted->kind &&
		    known->node_given == wanted->node_given) {
			*index = (uint32_t)at;
			return 0;
		}
	}
	if (program->nr_requests == KM_MAX_REQUESTS)
		return -E2BIG;
	if (grow((void **)&program->requests, sizeof(*wanted), program->nr_requests,
		 &compiler->request_capacity) ||
	    km_addr_map_put(&compiler->request_of_hash, hash, program->nr_requests))
		return -ENOMEM;
	program->requests[program->nr_requests] = *wanted;
	*index = program->nr_requests++;
	return 0;
}

static int add_op(struct compiler *compiler, const struct km_op *op, uint64_t kernel_addr,
		  uint32_t site)
{
	struct km_program *program = compiler->program;
	size_t capacity = compiler->op_capacity, site_capacity = capacity;

	if (grow((void **)&program->kernel_addr, sizeof(uint64_t), program->nr_ops, &capacity) ||
	    grow((void **)&program->site, sizeof(uint32_t), program->nr_ops, &site_capacity))
		return -ENOMEM;
	if (grow((void **)&program->ops, sizeof(struct km_op), program->nr_ops,
		 &compiler->op_capacity))
		return -ENOMEM;
	program->kernel_addr[program->nr_ops] = kernel_addr;
	program->site[program->nr_ops] = site;
	program->ops[program->nr_ops++] = *op;
	return 0;
}

/* The page operation at `index` turned out to hold a slab or a large kmalloc: not for replay. */
static int drop_backing(struct compiler *compiler, size_t index, uint64_t to_ns)
{
	struct km_program *program = compiler->program;
	struct km_op *op = &program->ops[index];

	if (grow((void **)&program->backing, sizeof(struct km_backing), program->nr_backing,
		 &compiler->backing_capacity))
		return -ENOMEM;
	program->backing[program->nr_backing++] =
		(struct km_backing){.pfn = program->kernel_addr[index],
				    .from_ns = op->time_ns,
				    .to_ns = to_ns,
				    .order = (uint8_t)km_op_request(program, op)->size};
	op->request = 0;
	program->counts.replayed--;
	program->counts.backing++;
	return 0;
}

static int have_slot(struct compiler *compiler, uint32_t slot)
{
	size_t capacity = compiler->slot_capacity;

	if (slot >= capacity) {
		if (grow((void **)&compiler->slots, sizeof(struct slot_state), slot, &capacity))
			return -ENOMEM;
		memset(compiler->slots + compiler->slot_capacity, 0,
		       (capacity - compiler->slot_capacity) * sizeof(struct slot_state));
		compiler->slot_capacity = (uint32_t)capacity;
	}
	if (slot >= compiler->program->nr_slots)
		compiler->program->nr_slots = slot + 1;
	return 0;
}

/* ---- which objects are an allocator's own records ---- */

/*
 * A model makes these itself when it serves the request they belong to; replaying them too would
 * count them twice. Call sites by the start of their symbol in mm/vmalloc.c and, for sheaves and
 * the vectors of memory cgroups, mm/slub.c and mm/memcontrol.c (5.15 - 7.2).
 */
static bool site_is_internal(const char *symbol)
{
	static const char *const names[] = {
		"__get_vm_area_node",       "__vmalloc_area_node",          "__vmalloc_node_range",
		"alloc_empty_sheaf",        "__alloc_empty_sheaf",          "alloc_slab_obj_exts",
		"memcg_alloc_slab_cgroups", "memcg_alloc_page_obj_cgroups",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(symbol, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static int mark_internal(struct compiler *compiler)
{
	const struct km_trace_site *sites =
		km_trace_site_table(compiler->trace, &compiler->nr_sites);
	const struct km_trace_cache *caches =
		km_trace_caches(compiler->trace, &compiler->nr_caches);

	compiler->site_internal = calloc(compiler->nr_sites + 1, 1);
	compiler->cache_internal = calloc(compiler->nr_caches + 1, 1);
	if (!compiler->site_internal || !compiler->cache_internal)
		return -ENOMEM;
	for (uint32_t i = 0; i < compiler->nr_sites; i++)
		compiler->site_internal[i] = site_is_internal(sites[i].symbol);
	for (uint32_t i = 0; i < compiler->nr_caches; i++)
		compiler->cache_internal[i] = strcmp(caches[i].name, "vmap_area") == 0;
	return 0;
}

static bool is_internal(const struct compiler *compiler, const struct km_event *event)
{
	return (event->site < compiler->nr_sites && compiler->site_internal[event->site]) ||
	       (event->cache < compiler->nr_caches && compiler->cache_internal[event->cache]);
}

/* ---- one event ---- */

/* No model of per-CPU memory: its events are dropped before they get here. */
static const uint8_t alloc_op_of_space[KM_NR_SPACES] = {[KM_SPACE_SLAB] = KM_OP_OBJECT_ALLOC,
							[KM_SPACE_PAGE] = KM_OP_PAGE_ALLOC,
							[KM_SPACE_VMAP] = KM_OP_VMAP_ALLOC};

static uint32_t op_size(const struct km_event *event, enum km_object_space space)
{
	uint64_t pages;

	switch (space) {
	case KM_SPACE_PAGE:
		return event->order;
	case KM_SPACE_VMAP:
		pages = event->bytes_alloc >> KM_PAGE_SHIFT;
		return pages > 1 ? (uint32_t)(pages - 1) : 1;
	default:
		return event->bytes_req > UINT32_MAX ? UINT32_MAX : (uint32_t)event->bytes_req;
	}
}

static int end_object(struct compiler *compiler, const struct km_event *event,
		      const struct km_repair_step *step, bool implied)
{
	struct km_program *program = compiler->program;
	struct slot_state *slot = &compiler->slots[step->slot];
	const struct km_object *gone = &step->gone;
	uint32_t site;
	struct km_op op = {.time_ns = event->time_ns,
			   .slot = step->slot,
			   .cpu = event->cpu & 1023,
			   .is_free = true,
			   .implied = implied};

	if (!slot->alloc_op) { /* the alloc was not replayed, so neither is the free */
		program->counts.internal += !implied;
		return 0;
	}
	if (gone->space == KM_SPACE_PAGE && gone->backing) {
		size_t index = slot->alloc_op - 1;

		program->counts.backing += !implied;
		slot->alloc_op = 0;
		return drop_backing(compiler, index, event->time_ns);
	}
	op.request = program->ops[slot->alloc_op - 1].request;
	site = program->site[slot->alloc_op - 1];
	slot->alloc_op = 0;
	if (!implied) {
		program->counts.replayed++;
		km_hist_add(gone->space == KM_SPACE_SLAB ? &program->lifetime_ns
							 : &program->lifetime_page_ns,
			    event->time_ns - gone->alloc_ns);
	}
	return add_op(compiler, &op, 0, site);
}

static int begin_object(struct compiler *compiler, const struct km_event *event, uint32_t slot)
{
	struct km_program *program = compiler->program;
	enum km_object_space space = km_event_space(event->kind);
	bool of_cache = event->kind == KM_EV_CACHE_ALLOC || event->kind == KM_EV_BULK_ALLOC;
	struct km_op op = {.time_ns = event->time_ns, .slot = slot, .cpu = event->cpu & 1023};
	struct km_request request = {
		.size = op_size(event, space),
		.gfp = event->gfp,
		.cache = of_cache ? event->cache : KM_NO_CACHE,
		.kind = alloc_op_of_space[space],
		.node_given = event->node >= 0,
	};
	uint32_t index;
	int code;

	if (have_slot(compiler, slot))
		return -ENOMEM;
	compiler->slots[slot].alloc_op = 0;
	if (is_internal(compiler, event)) {
		program->counts.internal++;
		return 0;
	}
	code = find_request(compiler, &request, &index);
	if (code)
		return code;
	op.request = index & (KM_MAX_REQUESTS - 1);
	program->counts.replayed++;
	compiler->slots[slot].alloc_op = program->nr_ops + 1;
	if (space == KM_SPACE_SLAB) {
		km_hist_add(&program->size_req, event->bytes_req);
		km_hist_add(&program->size_alloc, event->bytes_alloc);
		program->bytes_req_total += event->bytes_req;
		program->bytes_alloc_total += event->bytes_alloc;
	}
	return add_op(compiler, &op, event->ptr, event->site);
}

static int compile_step(struct compiler *compiler, const struct km_event *event,
			const struct km_repair_step *step)
{
	struct km_compile_counts *counts = &compiler->program->counts;
	int code;

	counts->events++;
	switch (step->action) {
	case KM_REPAIR_DROP:
	case KM_REPAIR_NOTE:
		counts->dropped++;
		return 0;
	case KM_REPAIR_FREE_OLD:
		counts->preexisting++;
		return 0;
	case KM_REPAIR_FREE:
		return end_object(compiler, event, step, false);
	case KM_REPAIR_REALLOC:
		code = end_object(compiler, event, step, true);
		if (code)
			return code;
		/* fall through */
	case KM_REPAIR_ALLOC:
		return begin_object(compiler, event, step->slot);
	}
	return -EINVAL;
}

static int compile_event(struct compiler *compiler, const struct km_event *event)
{
	struct km_repair_step step;
	int code = km_repair_feed(compiler->repair, event, &step);

	if (!code && km_event_space(event->kind) == KM_SPACE_PERCPU)
		step.action = KM_REPAIR_NOTE; /* counted, but no model has per-CPU memory */
	if (!code)
		code = compile_step(compiler, event, &step);
	while (!code && km_repair_next_gone(compiler->repair, &step))
		code = end_object(compiler, event, &step, true);
	return code;
}

/* ---- the whole trace ---- */

/* Page blocks still live at the end that back slabs are the model's business too. */
static int drop_open_backing(struct compiler *compiler)
{
	uint32_t count;
	const struct km_object *objects = km_repair_objects(compiler->repair, &count);
	int code = 0;

	for (uint32_t i = 0; i < count && i < compiler->slot_capacity && !code; i++) {
		size_t alloc_op = compiler->slots[i].alloc_op;

		if (!alloc_op || objects[i].space != KM_SPACE_PAGE || !objects[i].backing)
			continue;
		code = drop_backing(compiler, alloc_op - 1, UINT64_MAX);
	}
	return code;
}

static void squeeze(struct km_program *program)
{
	size_t kept = 0;

	for (size_t i = 0; i < program->nr_ops; i++) {
		if (!program->ops[i].request)
			continue;
		program->kernel_addr[kept] = program->kernel_addr[i];
		program->site[kept] = program->site[i];
		program->ops[kept++] = program->ops[i];
	}
	program->nr_ops = kept;
}

static int compile_all(struct compiler *compiler, struct km_trace_cursor *cursor,
		       km_compile_progress progress, void *context, struct km_err *err)
{
	struct km_event *events = malloc(BATCH * sizeof(*events));
	size_t got;
	uint64_t done = 0;
	int code = events ? 0 : -ENOMEM;

	while (!code) {
		code = km_trace_next(cursor, events, BATCH, &got, err);
		if (code || !got)
			break;
		for (size_t i = 0; i < got && !code; i++)
			code = compile_event(compiler, &events[i]);
		done += got;
		if (!code && progress && done % PROGRESS_EVERY < BATCH && progress(context, done))
			code = -EINTR;
	}
	free(events);
	if (code == -ENOMEM)
		km_fail(err, code, "no memory to compile %s; cut it to a shorter time",
			km_trace_path(compiler->trace));
	if (code == -E2BIG)
		km_fail(err, code,
			"%s asks in more than %u different ways; cut it to a shorter time",
			km_trace_path(compiler->trace), KM_MAX_REQUESTS - 1);
	return code;
}

int km_compile(struct km_trace *trace, km_compile_progress progress, void *context,
	       struct km_program **out, struct km_err *err)
{
	struct km_trace_filter everything = {.cpu = -1};
	struct compiler compiler = {.trace = trace};
	const struct km_request nothing = {.kind = KM_OP_NONE};
	struct km_trace_cursor *cursor = NULL;
	uint32_t none;
	int code = -ENOMEM;

	compiler.program = calloc(1, sizeof(*compiler.program));
	if (!compiler.program || mark_internal(&compiler) || km_repair_new(&compiler.repair) ||
	    find_request(&compiler, &nothing, &none)) {
		km_fail(err, code, "no memory to compile %s", km_trace_path(trace));
		goto out;
	}
	compiler.program->duration_ns = km_trace_duration_ns(trace);
	compiler.program->direct_map_base = km_trace_direct_map(trace);
	km_repair_set_direct_map(compiler.repair, compiler.program->direct_map_base);
	code = km_trace_cursor_open(trace, &everything, &cursor, err);
	if (!code)
		code = compile_all(&compiler, cursor, progress, context, err);
	km_trace_cursor_close(cursor);
	if (!code && drop_open_backing(&compiler))
		code = km_fail(err, -ENOMEM, "no memory to compile %s", km_trace_path(trace));
	if (code)
		goto out;
	squeeze(compiler.program);
	km_repair_counts(compiler.repair, &compiler.program->repair);
	*out = compiler.program;
	compiler.program = NULL;
out:
	km_program_free(compiler.program);
	if (compiler.repair)
		km_repair_delete(compiler.repair);
	km_addr_map_free(&compiler.request_of_hash);
	free(compiler.slots);
	free(compiler.site_internal);
	free(compiler.cache_internal);
	return code;
}

void km_program_free(struct km_program *program)
{
	if (!program)
		return;
	free(program->ops);
	free(program->requests);
	free(program->kernel_addr);
	free(program->site);
	free(program->backing);
	free(program);
}
