/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The model "kernel": what Linux itself did, read back from the recorded pointers. Pages whose
 * allocation was traced and that turned out to hold a slab count from that event to their free, as
 * a model's would. A slab older than the trace counts while a traced object in it is live: Linux
 * used memory there that it held anyway, and a model starts without. External fragmentation comes
 * from buddyinfo as sampled during the capture. Nothing is executed, so there is no latency.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/measure.h"

#define BACKED (1u << 31)  /* its page_alloc was traced: counted until its page_free */
#define COUNTED (1u << 30) /* counted because an object in it is live */
#define FLAGS (BACKED | COUNTED)

/* Pages begin or cease to be held. */
struct edge {
	uint64_t time_ns;
	const struct km_backing *backing;
	bool begins;
};

struct observer {
	const struct km_program *program;
	struct km_measures *measures;
	const struct km_trace_cache *caches;
	uint32_t nr_caches;
	uint32_t class_order[KM_KMALLOC_CLASSES];
	uint32_t class_size[KM_KMALLOC_CLASSES];
	struct km_live *live;
	uint32_t *slab_live; /* per first page of a slab: live traced objects, and the two flags */
	struct edge *edges;  /* of program->backing, by time */
	size_t nr_edges, next_edge;
	uint64_t max_pfn;
	uint64_t *slot_addr;
	uint64_t slab_pages, slab_bytes, other_pages, object_pages_peak;
	uint64_t bytes_asked, bytes_placed;
};

/* ---- where an object lies ---- */

struct placement {
	uint64_t addr;   /* as if the direct map began where the models put it */
	uint64_t placed; /* bytes */
	uint64_t pages;  /* of its slab, or of its own block */
	uint64_t base;   /* first pfn of the slab; UINT64_MAX: not in a slab */
};

static uint64_t normalise(const struct observer *observer, uint64_t addr)
{
	uint64_t base = observer->program->direct_map_base;

	return addr >= base ? addr - base + KM_DIRECT_MAP_BASE : addr;
}

static void place(const struct observer *observer, const struct km_request *request, uint64_t addr,
		  struct placement *at)
{
	uint32_t order;

	at->addr = normalise(observer, addr);
	at->base = UINT64_MAX;
	if (request->cache) {
		const struct km_trace_cache *cache = &observer->caches[request->cache];

		at->placed = cache->size;
		order = cache->has_geometry ? cache->order : km_get_order(cache->size);
	} else if (request->size <= KM_KMALLOC_MAX_CACHE) {
		unsigned class = km_kmalloc_class(request->size ? request->size : 1);

		at->placed = observer->class_size[class];
		order = observer->class_order[class];
	} else {
		at->placed = km_kmalloc_bytes_alloc(request->size);
		order = km_get_order(at->placed);
	}
	at->pages = 1ull << order;
	at->base = km_addr_to_pfn(at->addr).value & ~(at->pages - 1);
	if (at->base >= observer->max_pfn)
		at->base = UINT64_MAX;
}

static void hold(struct observer *observer, const struct placement *at)
{
	uint32_t *live;

	if (at->base == UINT64_MAX) {
		observer->other_pages += at->pages;
		return;
	}
	live = &observer->slab_live[at->base];
	observer->slab_bytes += at->placed;
	if (!(*live & FLAGS)) {
		*live |= COUNTED;
		observer->slab_pages += at->pages;
	}
	++*live;
}

static void drop(struct observer *observer, const struct placement *at)
{
	uint32_t *live;

	if (at->base == UINT64_MAX) {
		observer->other_pages -= at->pages;
		return;
	}
	live = &observer->slab_live[at->base];
	observer->slab_bytes -= at->placed;
	if ((--*live & ~FLAGS) == 0 && (*live & COUNTED)) {
		*live &= ~COUNTED;
		observer->slab_pages -= at->pages;
	}
}

/* ---- pages whose whole life was traced ---- */

static int by_time(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return (x->begins > y->begins) - (x->begins < y->begins); /* ends before begins */
}

static int list_edges(struct observer *observer)
{
	const struct km_program *program = observer->program;

	observer->edges = calloc(2 * program->nr_backing + 1, sizeof(*observer->edges));
	if (!observer->edges)
		return -ENOMEM;
	for (size_t i = 0; i < program->nr_backing; i++) {
		const struct km_backing *backing = &program->backing[i];

		observer->edges[observer->nr_edges++] =
			(struct edge){backing->from_ns, backing, true};
		observer->edges[observer->nr_edges++] =
			(struct edge){backing->to_ns, backing, false};
	}
	qsort(observer->edges, observer->nr_edges, sizeof(*observer->edges), by_time);
	return 0;
}

static void cross_edge(struct observer *observer, const struct edge *edge)
{
	uint64_t pages = 1ull << edge->backing->order;
	uint32_t *live;

	if (edge->backing->pfn >= observer->max_pfn || edge->backing->order > KM_MAX_ORDER)
		return;
	live = &observer->slab_live[edge->backing->pfn];
	if (!edge->begins) {
		*live &= ~BACKED;
		observer->slab_pages -= pages;
		return;
	}
	/* Objects of the slab that was here before were freed unseen, with their pages. */
	if (*live & COUNTED)
		observer->slab_pages -= pages;
	*live = (*live & ~COUNTED) | BACKED;
	observer->slab_pages += pages;
}

static void cross_edges(struct observer *observer, uint64_t until_ns)
{
	while (observer->next_edge < observer->nr_edges &&
	       observer->edges[observer->next_edge].time_ns <= until_ns)
		cross_edge(observer, &observer->edges[observer->next_edge++]);
}

static void observe(struct observer *observer, size_t index)
{
	const struct km_op *op = &observer->program->ops[index];
	const struct km_request *request = km_op_request(observer->program, op);
	enum km_op_kind kind = km_op_kind(observer->program, op);
	struct placement at;

	km_live_advance(observer->live, op->time_ns);
	cross_edges(observer, op->time_ns);
	if (kind == KM_OP_OBJECT_ALLOC) {
		uint64_t addr = observer->program->kernel_addr[index];

		observer->slot_addr[op->slot] = addr;
		place(observer, request, addr, &at);
		hold(observer, &at);
		km_live_add(observer->live, at.addr, request->size, at.placed);
		observer->bytes_asked += request->size;
		observer->bytes_placed += at.placed;
	} else if (kind == KM_OP_OBJECT_FREE) {
		place(observer, request, observer->slot_addr[op->slot], &at);
		drop(observer, &at);
		km_live_remove(observer->live, at.addr, request->size, at.placed);
	}
	if (observer->slab_pages + observer->other_pages > observer->object_pages_peak)
		observer->object_pages_peak = observer->slab_pages + observer->other_pages;
}

/* ---- the curves ---- */

static void sample(struct observer *observer, uint64_t time_ns)
{
	struct km_series *series = &observer->measures->series;
	struct km_live_now live;
	size_t i = series->n++;

	km_live_advance(observer->live, time_ns);
	cross_edges(observer, time_ns);
	km_live_read(observer->live, &live);
	series->time_ns[i] = time_ns;
	series->pages[i] = observer->measures->has_objects
				   ? (double)(observer->slab_pages + observer->other_pages)
				   : NAN;
	series->pages_all[i] = NAN;
	series->live_req[i] = live.asked;
	series->live_alloc[i] = live.placed;
	series->internal[i] = live.placed > 0 ? 1 - live.asked / live.placed : NAN;
	series->utilisation[i] = observer->slab_pages
					 ? (double)observer->slab_bytes /
						   (double)(observer->slab_pages << KM_PAGE_SHIFT)
					 : NAN;
	series->unusable[i] = series->unmovable[i] = series->page_table[i] = NAN;
	series->mixed[i] = series->huge_free[i] = NAN;
	series->tlb_4k[i] = live.tlb_4k;
	series->tlb_2m[i] = live.tlb_2m;
}

/* A buddyinfo sample belongs to the nearest point of the series at or before it. */
static int visit_buddyinfo(void *context, uint64_t time_ns, const char *text)
{
	struct km_series *series = context;
	size_t i = 0;

	while (i + 1 < series->n && series->time_ns[i + 1] <= time_ns)
		i++;
	if (series->n)
		series->unusable[i] = km_buddyinfo_unusable(text, KM_PAGEBLOCK_ORDER);
	return 0;
}

static void observe_all(struct observer *observer)
{
	const struct km_program *program = observer->program;
	uint64_t step = program->duration_ns / KM_SERIES_POINTS + 1, next = 0;

	for (size_t i = 0; i < program->nr_ops; i++) {
		while (program->ops[i].time_ns >= next &&
		       observer->measures->series.n < KM_SERIES_POINTS) {
			sample(observer, next);
			next += step;
		}
		observe(observer, i);
	}
	sample(observer, program->duration_ns);
}

static void read_classes(struct observer *observer, const struct km_start *start)
{
	for (unsigned i = 1; i < KM_KMALLOC_CLASSES; i++) {
		struct km_cache_spec spec = {
			.object_size = km_kmalloc_class_size(i),
			.flags = KM_SLAB_KMALLOC,
		};
		struct km_cache_geometry geometry;

		observer->class_size[i] = spec.object_size;
		if (km_cache_geometry(start->profile, start->present_cpus, &spec, &geometry) == 0)
			observer->class_order[i] = geometry.order;
	}
}

static void summarise(struct observer *observer)
{
	struct km_measures *measures = observer->measures;
	struct km_live_now live;

	km_live_read(observer->live, &live);
	measures->internal_event =
		observer->bytes_placed
			? 1 - (double)observer->bytes_asked / (double)observer->bytes_placed
			: NAN;
	measures->internal_time =
		live.placed_time > 0 ? 1 - live.asked_time / live.placed_time : NAN;
	km_measures_summarise(measures);
	if (measures->has_objects)
		measures->pages_peak = (double)observer->object_pages_peak;
	measures->page_table_peak = NAN;
}

int km_measure_kernel(const struct km_program *program, struct km_trace *trace,
		      const struct km_start *start, struct km_measures **out, struct km_err *err)
{
	struct km_measures *measures = calloc(1, sizeof(*measures));
	struct observer observer = {.program = program, .measures = measures};
	int code = -ENOMEM;

	observer.max_pfn = start->memory_bytes / KM_PAGE_SIZE * 2 + (4ull << 30) / KM_PAGE_SIZE;
	observer.caches = km_trace_caches(trace, &observer.nr_caches);
	observer.live = km_live_new(observer.max_pfn);
	observer.slot_addr = calloc(program->nr_slots + 1, sizeof(uint64_t));
	observer.slab_live = mmap(NULL, observer.max_pfn * sizeof(uint32_t), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!measures || !observer.live || !observer.slot_addr ||
	    observer.slab_live == MAP_FAILED || list_edges(&observer)) {
		km_fail(err, code, "no memory to read back what the kernel did");
		goto out;
	}
	measures->offline_only = true;
	measures->places_objects = true;
	measures->fills_slabs = true;
	measures->has_objects = program->size_req.total != 0;
	measures->ops = program->nr_ops;
	measures->coverage = km_coverage(trace, program);
	read_classes(&observer, start);
	observe_all(&observer);
	code = km_trace_each_snapshot(trace, "sample", "/proc/buddyinfo", visit_buddyinfo,
				      &measures->series);
	if (code)
		km_fail(err, code, "%s: a /proc/buddyinfo sample cannot be read; record it again",
			km_trace_path(trace));
	summarise(&observer);
	snprintf(measures->why_no_latency, sizeof(measures->why_no_latency),
		 "read back from recorded pointers: nothing was executed, so nothing was timed");
	snprintf(measures->start_state, sizeof(measures->start_state), "the live machine");
	snprintf(measures->method, sizeof(measures->method),
		 "placement from recorded pointers; slab pages from their page_alloc to their "
		 "page_free, older slabs while a traced object in them is live; buddyinfo as "
		 "sampled");
	if (!code)
		*out = measures;
out:
	km_live_free(observer.live);
	free(observer.slot_addr);
	free(observer.edges);
	if (observer.slab_live != MAP_FAILED)
		munmap(observer.slab_live, observer.max_pfn * sizeof(uint32_t));
	if (code)
		km_measures_free(measures);
	return code;
}
