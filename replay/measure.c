/* SPDX-License-Identifier: GPL-2.0-only */
/* The three passes of a run on a simulated machine. */
#include <kmlab/fragmentation.h>

#include "replay/measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/term.h"

/* Between exact sample points the peak is looked for this often. */
#define PEAK_EVERY_OPS 64
#define INTERRUPT_EVERY_OPS (1u << 16)

const char *const km_size_class_names[KM_SIZE_CLASSES] = {"le64", "le256", "le1k",
							  "le4k", "le16k", "gt16k"};

unsigned km_size_class(uint64_t bytes)
{
	static const uint64_t limits[KM_SIZE_CLASSES - 1] = {64, 256, 1024, 4096, 16384};
	unsigned i = 0;

	while (i < KM_SIZE_CLASSES - 1 && bytes > limits[i])
		i++;
	return i;
}

/* ---- pass 1: footprint, fragmentation, paths ---- */

struct metrics_pass {
	struct km_replayer *replayer;
	struct km_measures *measures;
	struct km_live *live;
	uint64_t free_at_start;             /* pages, after boot and caches */
	uint64_t direct_pages;              /* held by page and vmap operations */
	uint64_t bytes_asked, bytes_placed; /* event-weighted */
	double peak;
};

static uint64_t pages_held(const struct metrics_pass *pass)
{
	const struct km_machine *machine = pass->replayer->machine;
	struct km_page_usage usage;

	machine->model->page->usage(machine->page, &usage);
	return pass->free_at_start > usage.free ? pass->free_at_start - usage.free : 0;
}

static uint64_t object_pages(const struct metrics_pass *pass)
{
	uint64_t held = pages_held(pass);

	return held > pass->direct_pages ? held - pass->direct_pages : 0;
}

/* Free memory not in blocks of 2 MiB or more; NAN for a model without free lists. */
static double unusable_share(const struct km_page_usage *pages)
{
	uint64_t suitable = 0, total = 0;

	for (unsigned order = 0; pages->pageblocks && order < KM_NR_ORDERS; order++) {
		uint64_t in_order = pages->free_blocks[order] << order;

		total += in_order;
		suitable += order >= KM_PAGEBLOCK_ORDER ? in_order : 0;
	}
	return total ? (double)(total - suitable) / (double)total : NAN;
}

/* What objects take: NAN where the model places nothing, or the trace has no objects. */
/* Huge-frame availability, as the LLFree papers measure it. */
static double huge_free_share(const struct km_page_usage *pages)
{
	uint64_t optimal = km_order_optimal(pages->free_blocks, KM_PAGEBLOCK_ORDER);

	return pages->pageblocks && optimal ? (double)pages->pageblocks_free / (double)optimal
					    : NAN;
}

static void sample_objects(struct metrics_pass *pass, size_t i)
{
	const struct km_machine *machine = pass->replayer->machine;
	const struct km_measures *measures = pass->measures;
	struct km_series *series = &pass->measures->series;
	struct km_live_now live;
	struct km_vm_usage areas;
	uint64_t slab_pages, slab_bytes;

	km_live_read(pass->live, &live);
	series->live_req[i] = measures->has_objects ? live.asked : NAN;
	series->pages[i] = series->utilisation[i] = series->page_table[i] = NAN;
	series->tlb_4k[i] = series->tlb_2m[i] = series->live_alloc[i] = series->internal[i] = NAN;
	if (!measures->places_objects || !measures->has_objects)
		return;
	machine->model->slab->usage(machine->slab, &slab_pages, &slab_bytes);
	machine->model->vm->usage(machine->vm, &areas);
	series->pages[i] = (double)object_pages(pass);
	series->live_alloc[i] = live.placed;
	series->internal[i] = live.placed > 0 ? 1 - live.asked / live.placed : NAN;
	if (slab_pages && measures->fills_slabs)
		series->utilisation[i] = (double)slab_bytes / (double)(slab_pages << KM_PAGE_SHIFT);
	series->page_table[i] = (double)(areas.page_table_pages << KM_PAGE_SHIFT);
	series->tlb_4k[i] = live.tlb_4k;
	series->tlb_2m[i] = live.tlb_2m;
	if (series->pages[i] > pass->peak)
		pass->peak = series->pages[i];
}

static void sample(struct metrics_pass *pass, uint64_t time_ns)
{
	const struct km_machine *machine = pass->replayer->machine;
	struct km_series *series = &pass->measures->series;
	struct km_page_usage pages;
	size_t i = series->n++;

	machine->model->page->usage(machine->page, &pages);
	km_live_advance(pass->live, time_ns);
	series->time_ns[i] = time_ns;
	series->pages_all[i] = pass->measures->places_objects ? (double)pages_held(pass) : NAN;
	series->unusable[i] = unusable_share(&pages);
	series->unmovable[i] =
		pages.pageblocks ? (double)pages.pageblocks_unmovable / (double)pages.pageblocks
				 : NAN;
	series->mixed[i] = pages.pageblocks && machine->model->page->mixed
				   ? (double)machine->model->page->mixed(machine->page) /
					     (double)pages.pageblocks
				   : NAN;
	series->huge_free[i] = huge_free_share(&pages);
	sample_objects(pass, i);
}

static void begin_object(struct metrics_pass *pass, const struct km_op *op)
{
	const struct km_request *request = km_op_request(pass->replayer->program, op);
	uint64_t placed = km_replayer_placed_bytes(pass->replayer, request);

	km_replay_op(pass->replayer, op);
	if (!pass->replayer->addr[op->slot])
		return;
	pass->bytes_asked += request->size;
	pass->bytes_placed += placed;
	km_live_add(pass->live, pass->replayer->addr[op->slot], request->size, placed);
}

static void end_object(struct metrics_pass *pass, const struct km_op *op)
{
	const struct km_request *request = km_op_request(pass->replayer->program, op);
	uint64_t addr = pass->replayer->addr[op->slot];

	km_replay_op(pass->replayer, op);
	if (addr)
		km_live_remove(pass->live, addr, request->size,
			       km_replayer_placed_bytes(pass->replayer, request));
}

/* What the page layer gave or took back counts, not what was asked: bump takes nothing back. */
static void direct_operation(struct metrics_pass *pass, const struct km_op *op)
{
	uint64_t before = pages_held(pass);

	km_replay_op(pass->replayer, op);
	pass->direct_pages += pages_held(pass) - before;
}

static void metrics_step(struct metrics_pass *pass, const struct km_op *op)
{
	enum km_op_kind kind = km_op_kind(pass->replayer->program, op);

	km_live_advance(pass->live, op->time_ns);
	pass->replayer->env.time_ns = op->time_ns;
	if (kind == KM_OP_OBJECT_ALLOC)
		begin_object(pass, op);
	else if (kind == KM_OP_OBJECT_FREE)
		end_object(pass, op);
	else
		direct_operation(pass, op);
}

static int metrics_loop(struct metrics_pass *pass)
{
	const struct km_program *program = pass->replayer->program;
	uint64_t step = program->duration_ns / KM_SERIES_POINTS + 1, next = 0;

	for (size_t i = 0; i < program->nr_ops; i++) {
		const struct km_op *op = &program->ops[i];

		while (op->time_ns >= next && pass->measures->series.n < KM_SERIES_POINTS) {
			sample(pass, next);
			next += step;
		}
		metrics_step(pass, op);
		if (i % PEAK_EVERY_OPS == 0) {
			double held = (double)object_pages(pass);

			if (held > pass->peak)
				pass->peak = held;
		}
		if (i % INTERRUPT_EVERY_OPS == 0 && km_interrupted())
			return -EINTR;
	}
	sample(pass, program->duration_ns);
	return 0;
}

static void finish_metrics(struct metrics_pass *pass)
{
	struct km_measures *measures = pass->measures;
	struct km_live_now live;

	km_live_read(pass->live, &live);
	measures->ops = pass->replayer->program->nr_ops;
	measures->failed = pass->replayer->failed;
	measures->internal_event =
		pass->bytes_placed ? 1 - (double)pass->bytes_asked / (double)pass->bytes_placed
				   : NAN;
	measures->internal_time =
		live.placed_time > 0 ? 1 - live.asked_time / live.placed_time : NAN;
	measures->paths = pass->replayer->env.count;
	km_measures_summarise(measures);
	if (measures->places_objects && measures->has_objects)
		measures->pages_peak = pass->peak;
	else
		measures->internal_event = measures->internal_time = NAN;
}

/* Do the model's objects lie in slabs whose geometry it can tell? */
static bool fills_slabs(const struct km_machine *machine)
{
	const struct km_model *model = machine->model;
	struct km_cache_info info;

	return (model->route == KM_ROUTE_SLAB || model->route == KM_ROUTE_KVMALLOC) &&
	       model->slab->cache_info(machine->slab, machine->kmalloc_caches[KM_KMALLOC_NORMAL][3],
				       &info) == 0;
}

static int run_metrics(struct km_replayer *replayer, const struct km_start *start,
		       struct km_measures *measures, struct km_err *err)
{
	struct metrics_pass pass = {.replayer = replayer, .measures = measures};
	struct km_page_usage usage;
	int code;

	pass.live = km_live_new(replayer->machine->max_pfn);
	if (!pass.live)
		return km_fail(err, -ENOMEM, "no memory to follow live objects");
	replayer->machine->model->page->usage(replayer->machine->page, &usage);
	pass.free_at_start = usage.free;
	measures->places_objects = usage.managed != 0;
	measures->fills_slabs = fills_slabs(replayer->machine);
	snprintf(measures->start_state, sizeof(measures->start_state), "%s",
		 !measures->places_objects ? "none"
		 : replayer->seeded        ? start->describe
		 : start->have_free        ? "zones as recorded, all memory free"
					   : start->describe);
	code = metrics_loop(&pass);
	if (!code)
		finish_metrics(&pass);
	if (!code && replayer->refused)
		code = km_fail(err, -EFAULT,
			       "model %s refused %llu frees of objects it had handed out; this "
			       "is a defect of the model, please report it with the trace",
			       replayer->machine->model->name,
			       (unsigned long long)replayer->refused);
	if (!code && km_machine_validate(replayer->machine))
		code = km_fail(err, -EFAULT,
			       "model %s ended in an inconsistent state; this is a defect of the "
			       "model, please report it with the trace",
			       replayer->machine->model->name);
	km_live_free(pass.live);
	return code;
}

/* ---- pass 2: speed ---- */

static int run_speed(struct km_replayer *replayer, struct km_measures *measures)
{
	const struct km_program *program = replayer->program;
	uint64_t start = km_clock_ns();

	km_replay_ops(replayer, program->ops, program->ops + program->nr_ops);
	measures->wall_ns = km_clock_ns() - start;
	return km_interrupted() ? -EINTR : 0;
}

/* ---- pass 3: latency ---- */

static void add_latency(struct km_latency *latency, const struct km_program *program,
			const struct km_op *op, uint64_t ns)
{
	switch (km_op_kind(program, op)) {
	case KM_OP_OBJECT_ALLOC:
		km_hist_add(&latency->alloc, ns);
		km_hist_add(
			&latency->alloc_by_size[km_size_class(km_op_request(program, op)->size)],
			ns);
		break;
	case KM_OP_OBJECT_FREE:
		km_hist_add(&latency->free, ns);
		break;
	case KM_OP_PAGE_ALLOC:
		km_hist_add(&latency->page_alloc, ns);
		break;
	case KM_OP_PAGE_FREE:
		km_hist_add(&latency->page_free, ns);
		break;
	case KM_OP_VMAP_ALLOC:
		km_hist_add(&latency->vmap_alloc, ns);
		break;
	case KM_OP_VMAP_FREE:
		km_hist_add(&latency->vmap_free, ns);
		break;
	default:
		break;
	}
}

static int run_latency(struct km_replayer *replayer, const struct km_timer *timer,
		       struct km_measures *measures, struct km_err *err)
{
	const struct km_program *program = replayer->program;
	struct km_latency *latency = calloc(1, sizeof(*latency));

	if (!latency)
		return km_fail(err, -ENOMEM, "no memory for histograms");
	measures->latency = latency;
	latency->method = timer->method;
	latency->timer_cost_ns = (double)timer->cost_ticks * timer->ns_per_tick;
	for (size_t i = 0; i < program->nr_ops; i++) {
		const struct km_op *op = &program->ops[i];
		uint64_t begin = km_tick_begin(), ticks;

		km_replay_op(replayer, op);
		ticks = km_tick_end() - begin;
		add_latency(latency, program, op,
			    (uint64_t)((double)ticks * timer->ns_per_tick + 0.5));
		if (i % INTERRUPT_EVERY_OPS == 0 && km_interrupted())
			return -EINTR;
	}
	return 0;
}

/* ---- a run ---- */

int km_measure(const struct km_program *program, struct km_trace *trace,
	       const struct km_start *start, const struct km_model_choice *choice, uint64_t seed,
	       const struct km_timer *timer, struct km_measures **out, struct km_err *err)
{
	struct km_measures *measures = calloc(1, sizeof(*measures));
	int code = 0;

	if (!measures)
		return km_fail(err, -ENOMEM, "no memory for the results of a run");
	measures->has_objects = program->size_req.total != 0;
	measures->coverage = km_coverage(trace, program);
	snprintf(measures->method, sizeof(measures->method),
		 "one pass for footprint, one for speed, one timing each operation with %s; "
		 "reclaim and compaction: none",
		 timer->method);
	for (int pass = 0; pass < 3 && !code; pass++) {
		struct km_replayer *replayer;

		code = km_replayer_create(program, trace, start, choice, seed, &replayer, err);
		if (code)
			break;
		if (pass == 0)
			code = run_metrics(replayer, start, measures, err);
		else if (pass == 1)
			code = run_speed(replayer, measures);
		else
			code = run_latency(replayer, timer, measures, err);
		km_replayer_destroy(replayer);
	}
	if (code) {
		km_measures_free(measures);
		return code;
	}
	*out = measures;
	return 0;
}

void km_measures_free(struct km_measures *measures)
{
	if (!measures)
		return;
	free(measures->latency);
	free(measures);
}

/* ---- summaries ---- */

/* Time-weighted mean of a curve: each point holds until the next. NAN points are left out. */
static double curve_mean(const struct km_series *series, const double *curve)
{
	double sum = 0, time = 0;

	for (size_t i = 0; i + 1 < series->n; i++) {
		double width = (double)(series->time_ns[i + 1] - series->time_ns[i]);

		if (isnan(curve[i]))
			continue;
		sum += curve[i] * width;
		time += width;
	}
	return time > 0 ? sum / time : series->n ? curve[series->n - 1] : NAN;
}

static double curve_peak(const struct km_series *series, const double *curve)
{
	double peak = NAN;

	for (size_t i = 0; i < series->n; i++)
		if (!isnan(curve[i]) && !(curve[i] <= peak))
			peak = curve[i];
	return peak;
}

void km_measures_summarise(struct km_measures *measures)
{
	const struct km_series *series = &measures->series;

	measures->pages_peak = curve_peak(series, series->pages);
	measures->pages_mean = curve_mean(series, series->pages);
	measures->pages_end = series->n ? series->pages[series->n - 1] : NAN;
	measures->utilisation = curve_mean(series, series->utilisation);
	measures->unusable = curve_mean(series, series->unusable);
	measures->unmovable = curve_mean(series, series->unmovable);
	measures->mixed = curve_mean(series, series->mixed);
	measures->huge_free = curve_mean(series, series->huge_free);
	measures->page_table_peak = curve_peak(series, series->page_table);
	measures->tlb_4k_peak = curve_peak(series, series->tlb_4k);
	measures->tlb_2m_peak = curve_peak(series, series->tlb_2m);
}

double km_coverage(struct km_trace *trace, const struct km_program *program)
{
	const struct km_compile_counts *counts = &program->counts;
	struct km_trace_counts ledger;
	uint64_t lost = 0;

	if (km_trace_counts(trace, &ledger))
		return NAN;
	for (unsigned i = 0; i < KM_NR_LOSS_CAUSES; i++)
		lost += ledger.lost[i];
	if (!counts->events)
		return NAN;
	return (double)(counts->events - counts->preexisting) / (double)(counts->events + lost);
}
