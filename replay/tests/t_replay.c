/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compiling and replaying: which events become operations, that every event is accounted for, what
 * the models hold for a program whose answer is known by hand, and that a run repeats exactly.
 */
#include <math.h>

#include "engine/tests/tap.h"
#include "replay/measure.h"
#include "replay/tests/small_trace.h"

/* Pfns far apart, as in a machine of 64 MiB. */
#define SLAB_PFN 1024ull
#define LARGE_PFN 2048ull
#define USER_PFN 4096ull

static struct km_trace *write_trace(void)
{
	struct small_trace trace;
	uint64_t slab = page_addr(SLAB_PFN), large = page_addr(LARGE_PFN);

	if (!small_trace_begin(&trace))
		return NULL;
	small_trace_add(&trace, 0, page_event(KM_EV_PAGE_ALLOC, SLAB_PFN, 0)); /* backs the slab */
	small_trace_add(&trace, 0, kmalloc_event(slab, 100, 128));
	small_trace_add(&trace, 1, kmalloc_event(slab + 128, 128, 128));
	small_trace_add(&trace, 0, page_event(KM_EV_PAGE_ALLOC, USER_PFN, 2));
	small_trace_add(&trace, 0, kfree_event(0)); /* nothing */
	small_trace_add(&trace, 0,
			page_event(KM_EV_PAGE_ALLOC, LARGE_PFN, 2)); /* backs the block */
	small_trace_add(&trace, 0, kmalloc_event(large, 10240, 16384));
	small_trace_add(&trace, 0, kmalloc_event(large, 10240, 16384)); /* the doubled event */
	small_trace_add(&trace, 1, kmalloc_event(slab, 120, 128));      /* a free was not seen */
	small_trace_add(&trace, 0, kfree_event(page_addr(512)));        /* older than the trace */
	small_trace_add(&trace, 1, kfree_event(large));
	small_trace_add(&trace, 1, page_event(KM_EV_PAGE_FREE, LARGE_PFN, 2));
	small_trace_add(&trace, 0, page_event(KM_EV_PAGE_FREE, USER_PFN, 2));
	small_trace_add(&trace, 0, kfree_event(slab + 128));
	small_trace_add(&trace, 0, kmalloc_event(0, 4096, 4096)); /* failed */
	return small_trace_end(&trace);
}

static void test_compile(const struct km_program *program)
{
	const struct km_compile_counts *counts = &program->counts;

	TAP_EQ(counts->events, 15, "every event is seen");
	TAP_EQ(counts->replayed + counts->dropped + counts->backing + counts->internal +
		       counts->preexisting,
	       counts->events, "and is in exactly one account");
	TAP_EQ(counts->backing, 3, "pages behind slabs and large blocks are the model's business");
	TAP_EQ(counts->preexisting, 1, "the free of an older object is counted");
	TAP_EQ(counts->dropped, 3, "a NULL free, a doubled event, a failure");
	TAP_EQ(program->repair.implied_frees, 1, "the unseen free is implied by the reuse");
	TAP_EQ(program->nr_ops, counts->replayed + 1, "and becomes an operation");
	TAP_EQ(program->size_req.total, 4, "sizes of four objects");
	TAP_EQ(program->lifetime_ns.total, 2, "lifetimes only where both ends were seen");
}

/* Objects of bulk calls are replayed, what is handed to RCU lives on, per-CPU memory is no model's.
 */
static void test_other_calls(void)
{
	struct km_trace_cache cache = {.name = "skbuff", .object_size = 200, .size = 256};
	struct km_event event = {.bytes_req = 200, .bytes_alloc = 256};
	struct km_program *program = NULL;
	struct small_trace trace;
	const struct km_request *request;
	struct km_err err = {""};
	struct km_trace *opened;

	if (!small_trace_begin(&trace) || km_trace_define_cache(trace.writer, &cache, &err))
		return;
	event.cache = (uint16_t)cache.id;
	event.ptr = page_addr(SLAB_PFN);
	event.kind = KM_EV_BULK_ALLOC;
	small_trace_add(&trace, 0, event);
	event.kind = KM_EV_RCU_FREE;
	small_trace_add(&trace, 0, event);
	event.kind = KM_EV_PERCPU_ALLOC; /* the same number in another space */
	small_trace_add(&trace, 0, event);
	event.kind = KM_EV_PERCPU_FREE;
	small_trace_add(&trace, 0, event);
	event.kind = KM_EV_BULK_FREE;
	small_trace_add(&trace, 1, event);
	opened = small_trace_end(&trace);
	if (!TAP_OK(opened && !km_compile(opened, NULL, NULL, &program, &err), "compiles %s",
		    err.text))
		return;
	TAP_EQ(program->nr_ops, 2, "two operations of five events");
	request = km_op_request(program, &program->ops[0]);
	TAP_OK(km_op_kind(program, &program->ops[0]) == KM_OP_OBJECT_ALLOC &&
		       request->cache == cache.id && request->size == 200,
	       "the bulk allocation, from its cache");
	TAP_OK(km_op_kind(program, &program->ops[1]) == KM_OP_OBJECT_FREE &&
		       !program->ops[1].implied && program->ops[1].cpu == 1,
	       "the bulk free");
	TAP_EQ(program->counts.dropped, 3, "the others are counted");
	km_program_free(program);
	km_trace_close(opened);
}

static struct km_measures *measure(const struct km_program *program, struct km_trace *trace,
				   const char *model, uint64_t seed)
{
	struct km_measures *measures = NULL;
	struct km_model_choice choice;
	struct km_start start;
	struct km_timer timer;
	struct km_err err = {""};

	km_timer_calibrate(&timer);
	if (km_start_read(trace, &start, &err) || km_model_choice_parse(model, &choice, &err))
		return NULL;
	if (choice.model
		    ? km_measure(program, trace, &start, &choice, seed, &timer, &measures, &err)
		    : km_measure_kernel(program, trace, &start, &measures, &err))
		printf("# %s: %s\n", model, err.text);
	return measures;
}

static void test_footprint(const struct km_program *program, struct km_trace *trace)
{
	static const struct {
		const char *model;
		double peak;
	} rows[] = {
		{"kernel", 5}, /* one slab page, one block of four */
		{"slub", 6},   /* a slab page for each CPU, one block of four */
		{"buddy", 6},  /* two single pages, one block of four */
		{"bump", 5},   /* one page of small objects, one block of four */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct km_measures *measures = measure(program, trace, rows[i].model, 1);

		if (!measures) {
			TAP_OK(false, "%s is measured", rows[i].model);
			continue;
		}
		TAP_OK(measures->pages_peak == rows[i].peak, "%s holds %.0f pages, got %.0f",
		       rows[i].model, rows[i].peak, measures->pages_peak);
		TAP_EQ(measures->failed, 0, "%s fails nothing", rows[i].model);
		km_measures_free(measures);
	}
}

static void test_unmeasured(const struct km_program *program, struct km_trace *trace)
{
	struct km_measures *kernel = measure(program, trace, "kernel", 1);
	struct km_measures *null = measure(program, trace, "null", 1);

	TAP_OK(kernel && !kernel->latency && kernel->why_no_latency[0],
	       "the kernel's latency is not measured, and says why");
	TAP_OK(kernel && isnan(kernel->unmovable), "nor what no snapshot shows");
	TAP_OK(null && isnan(null->pages_peak) && isnan(null->internal_time),
	       "null has no footprint, which is not zero");
	TAP_OK(null && null->latency && null->latency->alloc.total == 4,
	       "but the harness was timed on four allocations");
	km_measures_free(kernel);
	km_measures_free(null);
}

/* NAN equals NAN here. */
static bool same(const double *a, const double *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(&a[i], &b[i], sizeof(double)) != 0 && !(isnan(a[i]) && isnan(b[i])))
			return false;
	return true;
}

static void test_repeats(const struct km_program *program, struct km_trace *trace,
			 const char *model)
{
	struct km_measures *a = measure(program, trace, model, 7);
	struct km_measures *b = measure(program, trace, model, 7);

	if (!a || !b) {
		TAP_OK(false, "%s runs twice", model);
		return;
	}
	TAP_OK(memcmp(&a->paths, &b->paths, sizeof(a->paths)) == 0, "%s: equal paths", model);
	TAP_EQ(a->series.n, b->series.n, "%s: equally long series", model);
	TAP_OK(same(a->series.pages, b->series.pages, a->series.n) &&
		       same(a->series.unusable, b->series.unusable, a->series.n) &&
		       same(a->series.tlb_2m, b->series.tlb_2m, a->series.n),
	       "%s: equal curves", model);
	km_measures_free(a);
	km_measures_free(b);
}

static void test_choices(void)
{
	static const char *const good[] = {"kernel",         "slub",        "slub@6.1",
					   "kvmalloc:65536", "vmalloc@7.2", "malloc:libc.so.6"};
	static const char *const bad[] = {"slabby",     "slub@6.2",          "kvmalloc",
					  "kvmalloc:x", "slub:12",           "kernel@6.1",
					  "malloc:",    "malloc:no-such.so", ""};
	struct km_model_choice choice;
	struct km_err err;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		TAP_EQ(km_model_choice_parse(good[i], &choice, &err), 0, "'%s' is a model",
		       good[i]);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		TAP_OK(km_model_choice_parse(bad[i], &choice, &err) && err.text[0], "%s", err.text);
	}
}

int main(void)
{
	struct km_trace *trace = write_trace();
	struct km_program *program;
	struct km_err err = {""};

	if (!trace)
		TAP_SKIP_ALL("no temporary file can be made");
	if (km_compile(trace, NULL, NULL, &program, &err)) {
		TAP_OK(false, "%s", err.text);
		return tap_done();
	}
	test_compile(program);
	test_footprint(program, trace);
	test_unmeasured(program, trace);
	test_repeats(program, trace, "slub");
	test_repeats(program, trace, "slub@7.2");
	test_repeats(program, trace, "vmalloc");
	test_choices();
	test_other_calls();
	km_program_free(program);
	km_trace_close(trace);
	return tap_done();
}
