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

const uint32_t km_tlb_windows[KM_TLB_WINDOWS] = {100, 1000, 10000, 100000};
const uint32_t km_tlb_capacities[KM_TLB_CAPACITIES] = {1,   4,   16,  32,   64,   96,
						       128, 256, 512, 1024, 2048, 4096};

const char *km_tlb_map_name(unsigned map)
{
	static const char *const names[KM_TLB_MAPS] = {"1G", "2M", "4K", "split"};

	return names[map];
}

unsigned km_tlb_map_of(enum km_leaf leaf)
{
	static const unsigned maps[KM_NR_LEAVES] = {KM_TLB_MAP_4K, KM_TLB_MAP_2M, KM_TLB_MAP_1G};

	return maps[leaf];
}

int km_tlb_map_parse(const char *text, unsigned *map, unsigned *split_percent, struct km_err *err)
{
	struct km_memory_layout layout = {0};
	int code = km_memory_parse(text, &layout, err);

	if (code)
		return code;
	*split_percent = layout.split_percent;
	*map = layout.split_percent ? KM_TLB_SPLIT : km_tlb_map_of(layout.direct);
	return 0;
}

struct access_run {
	const struct km_tlb_pass *pass;
	struct km_tlb_measures *measures;
	struct km_access access;
	struct km_tlb_stream *stream;
	uint64_t flushes, free_at_start;
};

/* ---- shares ---- */

static struct km_tlb_share *share_of(struct access_run *run, size_t index)
{
	const struct km_program *program = run->pass->program;
	uint32_t site = program->site[index];

	if (run->measures->sites)
		return site < run->measures->nr_sites ? &run->measures->sites[site] : NULL;
	return run->measures
		->classes[km_size_class(km_op_request(program, &program->ops[index])->size)];
}

static void on_touch(void *to, unsigned cpu, unsigned mask, uint64_t addr, size_t op)
{
	struct access_run *run = to;

	km_tlb_stream_touch(run->stream, cpu, mask, addr,
			    op == SIZE_MAX ? NULL : share_of(run, op));
}

/* A size class has a share per map, a site one. */
static void count_object(struct access_run *run, size_t index)
{
	const struct km_op *op = &run->pass->program->ops[index];
	const struct km_request *request = km_op_request(run->pass->program, op);
	struct km_replayer *replayer = run->access.replayer;
	const struct km_machine *machine = replayer->machine;
	uint64_t addr = replayer->addr[op->slot];
	uint64_t placed = km_is_vmalloc_addr(addr) ? machine->model->vm->size(machine->vm, addr)
						   : km_replayer_placed_bytes(replayer, request);
	struct km_tlb_share *share = share_of(run, index);

	for (unsigned map = 0; share && map < (run->measures->sites ? 1 : run->measures->nr_maps);
	     map++) {
		share[map].objects++;
		share[map].asked += request->size;
		share[map].placed += placed;
	}
}

/* ---- operations ---- */

static void look_at_peaks(struct access_run *run)
{
	const struct km_machine *machine = run->access.replayer->machine;
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
	const uint64_t *flushes = &run->access.replayer->env.count.tlb_flush;

	for (size_t i = 0; i < program->nr_ops; i++) {
		if (km_access_step(&run->access, i))
			count_object(run, i);
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

static int prepare(struct access_run *run, struct km_err *err)
{
	const struct km_tlb_pass *pass = run->pass;
	struct km_access *access = &run->access;
	struct km_page_usage usage;
	struct km_machine *machine;
	int code = km_replayer_create(pass->program, pass->trace, pass->start, pass->model,
				      pass->seed, &access->replayer, err);

	if (code)
		return code;
	machine = access->replayer->machine;
	access->spec = pass->access;
	access->site_to_vmalloc = pass->site_to_vmalloc;
	access->touch = on_touch;
	access->to = run;
	code = km_access_begin(access, pass->seed);
	if (!code)
		run->stream = km_tlb_stream_new(pass, access->frames, machine->spec.cpus);
	if (code || !run->stream)
		return km_fail(err, -ENOMEM, "no memory to simulate a TLB");
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
	if (run.measures)
		run.measures->nr_maps = pass->split_percent ? KM_TLB_MAPS : KM_TLB_SPLIT;
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
	km_access_end(&run.access);
	km_replayer_destroy(run.access.replayer);
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
