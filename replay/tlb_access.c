/* SPDX-License-Identifier: GPL-2.0-only */
/* The pass that turns a trace's objects into references, and counts what a TLB does with them. */
#include "replay/tlb_access.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/tlb_stream.h"
#include "results/term.h"

#define INTERRUPT_EVERY_OPS (1u << 14)
#define PEAK_EVERY_OPS 64
#define MOST_TOUCHES 16 /* of A2: the largest of its three */
#define LINE 64u

const char *const km_tlb_access_names[KM_TLB_ACCESSES] = {"A0", "A1", "A2:1", "A2:4", "A2:16"};
const uint8_t km_tlb_maps[KM_TLB_MAPS] = {KM_TLB_1G, KM_TLB_2M, KM_TLB_4K};
const uint32_t km_tlb_windows[KM_TLB_WINDOWS] = {100, 1000, 10000, 100000};
const uint32_t km_tlb_capacities[KM_TLB_CAPACITIES] = {1,   4,   16,  32,   64,   96,
						       128, 256, 512, 1024, 2048, 4096};

/* Which of the access models a reference belongs to, as bits. */
enum { ALL = 0x1f, ONLY_A1 = 0x02, A2_FROM_1 = 0x1c, A2_FROM_4 = 0x18, A2_FROM_16 = 0x10 };

struct access_run {
	const struct km_tlb_pass *pass;
	struct km_tlb_measures *measures;
	struct km_replayer *replayer;
	struct km_tlb_stream *stream;
	uint32_t *offsets; /* of the free pointer, by trace cache */
	uint32_t kmalloc_offsets[KM_KMALLOC_CLASSES];
	bool has_slabs;
	uint64_t random;
	uint32_t *live, *place; /* slots of live objects; by slot: index in live + 1 */
	uint32_t *size;         /* by slot */
	uint32_t nr_live;
	uint64_t flushes, free_at_start;
};

/* ---- one object ---- */

/* A page's struct page: 64 bytes in the vmemmap (x86_64, 4-level). */
static void touch_frames(struct access_run *run, unsigned cpu, uint64_t first, uint64_t count,
			 struct km_tlb_share *share)
{
	for (uint64_t i = 0; i < count; i++)
		km_tlb_stream_touch(run->stream, cpu, ALL, KM_VMEMMAP_BASE + (first + i) * LINE,
				    share);
}

static void touch_area_frames(struct access_run *run, unsigned cpu, uint64_t addr, uint64_t pages,
			      struct km_tlb_share *share)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t frame = km_tlb_stream_frame(run->stream, addr + (i << KM_PAGE_SHIFT));

		if (frame)
			touch_frames(run, cpu, frame, 1, share);
	}
}

/* Does the object lie in a slab? Then where its free pointer is. */
static bool slab_offset(const struct access_run *run, const struct km_op *op, uint32_t *offset)
{
	const struct km_machine *machine = run->replayer->machine;
	enum km_route route = machine->model->route;

	if (!run->has_slabs || route == KM_ROUTE_PAGES)
		return false;
	if (op->cache && run->replayer->caches[op->cache])
		*offset = run->offsets[op->cache];
	else if (op->size <= KM_KMALLOC_MAX_CACHE && op->size)
		*offset = run->kmalloc_offsets[km_kmalloc_class(op->size)];
	else
		return false;
	return true;
}

/* What the allocator does with its own records, and the object's two ends: A0. */
static void touch_call(struct access_run *run, const struct km_op *op, uint64_t addr, bool frees,
		       struct km_tlb_share *share)
{
	uint64_t pages = (op->size + KM_PAGE_SIZE - 1) >> KM_PAGE_SHIFT;
	uint32_t offset;

	if (km_is_vmalloc_addr(addr)) {
		touch_area_frames(run, op->cpu, addr, pages, share);
	} else if (slab_offset(run, op, &offset)) {
		km_tlb_stream_touch(run->stream, op->cpu, ALL, addr + offset, share);
		if (frees)
			touch_frames(run, op->cpu, km_addr_to_pfn(addr).value, 1, share);
	} else if (run->has_slabs) {
		touch_frames(run, op->cpu, km_addr_to_pfn(addr).value, pages, share);
	}
	km_tlb_stream_touch(run->stream, op->cpu, ALL, addr, share);
	if (op->size > LINE)
		km_tlb_stream_touch(run->stream, op->cpu, ALL, addr + op->size - 1, share);
}

/* Every line once, and once more where the allocator zeroes it: A1. */
static void touch_whole(struct access_run *run, const struct km_op *op, uint64_t addr)
{
	unsigned times = op->gfp & KM_GFP_ZERO ? 2 : 1;

	for (unsigned i = 0; i < times; i++)
		for (uint64_t at = 0; at < op->size; at += LINE)
			km_tlb_stream_touch(run->stream, op->cpu, ONLY_A1, addr + at, NULL);
}

static double next_uniform(struct access_run *run)
{
	run->random = run->random * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(run->random >> 11) * 0x1p-53;
}

/* Touches of live objects, the i-th of n with probability 1 / (i H(n)), any line of each: A2. */
static void touch_again(struct access_run *run, unsigned cpu)
{
	for (unsigned i = 0; i < MOST_TOUCHES && run->nr_live; i++) {
		double rank = exp(next_uniform(run) * log(run->nr_live + 1.0)) - 1;
		uint32_t at = rank < run->nr_live ? (uint32_t)rank : run->nr_live - 1;
		uint32_t slot = run->live[at], lines = (run->size[slot] + LINE - 1) / LINE;
		uint64_t line = (uint64_t)(next_uniform(run) * lines);

		km_tlb_stream_touch(run->stream, cpu,
				    i < 1   ? A2_FROM_1
				    : i < 4 ? A2_FROM_4
					    : A2_FROM_16,
				    run->replayer->addr[slot] + line * LINE, NULL);
	}
}

/* ---- operations ---- */

static void now_live(struct access_run *run, const struct km_op *op)
{
	run->live[run->nr_live++] = op->slot;
	run->place[op->slot] = run->nr_live;
	run->size[op->slot] = op->size;
}

static void no_longer_live(struct access_run *run, uint32_t slot)
{
	uint32_t at = run->place[slot], last = run->live[--run->nr_live];

	run->live[at - 1] = last;
	run->place[last] = at;
	run->place[slot] = 0;
}

static struct km_tlb_share *share_of(struct access_run *run, size_t index)
{
	const struct km_program *program = run->pass->program;
	uint32_t site = program->site[index];

	if (run->measures->sites)
		return site < run->measures->nr_sites ? &run->measures->sites[site] : NULL;
	return run->measures->classes[km_size_class(program->ops[index].size)];
}

/* A size class has a share per map, a site one. */
static void count_object(struct access_run *run, const struct km_op *op, uint64_t addr,
			 struct km_tlb_share *share)
{
	uint64_t placed = km_is_vmalloc_addr(addr) ? km_round_up(op->size, KM_PAGE_SIZE)
						   : km_replayer_placed_bytes(run->replayer, op);

	for (unsigned map = 0; share && map < (run->measures->sites ? 1 : KM_TLB_MAPS); map++) {
		share[map].objects++;
		share[map].asked += op->size;
		share[map].placed += placed;
	}
}

static void begin_object(struct access_run *run, size_t index)
{
	const struct km_op *op = &run->pass->program->ops[index];
	struct km_replayer *replayer = run->replayer;
	struct km_tlb_share *share = share_of(run, index);
	uint64_t addr;

	if (run->pass->program->site[index] == run->pass->site_to_vmalloc && op->size) {
		addr = km_vmalloc(replayer->machine, op->cpu, op->size, 0, op->gfp, 0);
		replayer->addr[op->slot] = addr;
	} else {
		km_replay_op(replayer, op);
		addr = replayer->addr[op->slot];
	}
	if (addr < KM_PAGE_SIZE || !op->size)
		return;
	count_object(run, op, addr, share);
	touch_call(run, op, addr, false, share);
	touch_whole(run, op, addr);
	now_live(run, op);
	touch_again(run, op->cpu);
}

static void end_object(struct access_run *run, size_t index)
{
	const struct km_op *op = &run->pass->program->ops[index];
	uint64_t addr = run->replayer->addr[op->slot];

	if (run->place[op->slot]) {
		no_longer_live(run, op->slot);
		touch_call(run, op, addr, true, share_of(run, index));
	}
	km_replay_op(run->replayer, op);
}

static void look_at_peaks(struct access_run *run)
{
	const struct km_machine *machine = run->replayer->machine;
	struct km_tlb_measures *measures = run->measures;
	struct km_page_usage pages;
	struct km_vm_usage areas;

	machine->model->page->usage(machine->page, &pages);
	machine->model->vm->usage(machine->vm, &areas);
	measures->pages_peak =
		fmax(measures->pages_peak, (double)run->free_at_start - (double)pages.free);
	measures->page_table_peak =
		fmax(measures->page_table_peak, (double)(areas.page_table_pages << KM_PAGE_SHIFT));
}

static int run_operations(struct access_run *run)
{
	const struct km_program *program = run->pass->program;
	const uint64_t *flushes = &run->replayer->env.count.tlb_flush;

	for (size_t i = 0; i < program->nr_ops; i++) {
		const struct km_op *op = &program->ops[i];

		run->replayer->env.time_ns = op->time_ns;
		if (op->kind == KM_OP_OBJECT_ALLOC)
			begin_object(run, i);
		else if (op->kind == KM_OP_OBJECT_FREE)
			end_object(run, i);
		else
			km_replay_op(run->replayer, op);
		if (*flushes != run->flushes)
			km_tlb_stream_flush(run->stream);
		run->flushes = *flushes;
		km_tlb_stream_operation(run->stream);
		if (i % PEAK_EVERY_OPS == 0)
			look_at_peaks(run);
		if (i % INTERRUPT_EVERY_OPS == 0 && km_interrupted())
			return -EINTR;
	}
	return km_tlb_stream_failed(run->stream);
}

/* ---- the pass ---- */

static uint32_t offset_of(const struct km_machine *machine, void *cache)
{
	struct km_cache_info info;

	return machine->model->slab->cache_info(machine->slab, cache, &info) ? 0 : info.offset;
}

static int prepare(struct access_run *run, struct km_err *err)
{
	const struct km_tlb_pass *pass = run->pass;
	struct km_machine *machine;
	struct km_cache_info info;
	struct km_page_usage usage;
	size_t slots = pass->program->nr_slots + 1;
	int code = km_replayer_create(pass->program, pass->trace, pass->start, pass->model,
				      pass->seed, &run->replayer, err);

	if (code)
		return code;
	machine = run->replayer->machine;
	run->random = pass->seed;
	run->live = calloc(slots, sizeof(*run->live));
	run->place = calloc(slots, sizeof(*run->place));
	run->size = calloc(slots, sizeof(*run->size));
	run->offsets = calloc(run->replayer->nr_caches + 1, sizeof(*run->offsets));
	run->stream = km_tlb_stream_new(&pass->tlb->spec, machine, pass->seed);
	if (!run->live || !run->place || !run->size || !run->offsets || !run->stream)
		return km_fail(err, -ENOMEM, "no memory to simulate a TLB");
	if (pass->by_site)
		km_tlb_stream_one_map(run->stream);
	run->has_slabs = !machine->model->slab->cache_info(
		machine->slab, machine->kmalloc_caches[KM_KMALLOC_NORMAL][3], &info);
	for (uint32_t i = 1; i < run->replayer->nr_caches; i++)
		if (run->replayer->caches[i])
			run->offsets[i] = offset_of(machine, run->replayer->caches[i]);
	for (unsigned i = 1; i < KM_KMALLOC_CLASSES; i++)
		run->kmalloc_offsets[i] =
			offset_of(machine, machine->kmalloc_caches[KM_KMALLOC_NORMAL][i]);
	machine->model->page->usage(machine->page, &usage);
	run->free_at_start = usage.free;
	if (!usage.managed)
		strcpy(run->measures->why, "the model places nothing");
	return 0;
}

int km_tlb_measure(const struct km_tlb_pass *pass, struct km_tlb_measures **out, struct km_err *err)
{
	struct access_run run = {.pass = pass, .measures = calloc(1, sizeof(*run.measures))};
	int code = -ENOMEM;

	if (run.measures && pass->by_site) {
		km_trace_site_table(pass->trace, &run.measures->nr_sites);
		run.measures->sites =
			calloc(run.measures->nr_sites + 1, sizeof(*run.measures->sites));
	}
	if (!run.measures || (pass->by_site && !run.measures->sites))
		km_fail(err, code, "no memory for the results of a run");
	else
		code = prepare(&run, err);
	if (!code && !run.measures->why[0]) {
		code = run_operations(&run);
		if (code == -ENOMEM)
			km_fail(err, code, "no memory to simulate a TLB");
		km_tlb_stream_read(run.stream, run.measures);
	}
	km_tlb_stream_free(run.stream);
	km_replayer_destroy(run.replayer);
	free(run.live);
	free(run.place);
	free(run.size);
	free(run.offsets);
	if (code)
		km_tlb_measures_free(run.measures);
	else
		*out = run.measures;
	return code;
}

void km_tlb_measures_free(struct km_tlb_measures *measures)
{
	if (measures)
		free(measures->sites);
	free(measures);
}

double km_tlb_per_kref(uint64_t count, const struct km_tlb_counts *counts)
{
	return counts->refs ? (double)count * 1000 / (double)counts->refs : NAN;
}
