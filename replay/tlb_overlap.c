/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/tlb_overlap.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay/host.h"
#include "results/term.h"

#define LINE 64u
#define LEAST_LOADS 4096u
#define TRIES 4u        /* of which the shortest counts: what disturbs only ever makes it longer */
#define LEAST_RATIO 0.1 /* of misses per load: fewer tell nothing of their cost */

enum { HIT, WALK, FAR, COSTS };
enum { SMALL, LARGE, DENSE, PLACES };
enum { SHUFFLED, IN_ORDER, ORDERS };

const char *const km_tlb_loads_names[KM_TLB_LOADS] = {
#define X(constant, name, what) name,
	KM_TLB_LOADS_LIST(X)
#undef X
};

const char *const km_tlb_loads_what[KM_TLB_LOADS] = {
#define X(constant, name, what) what,
	KM_TLB_LOADS_LIST(X)
#undef X
};

/* ---- use ---- */

struct km_tlb_spec km_tlb_overlap_spec(const struct km_tlb_overlap *overlap,
				       const struct km_tlb_spec *spec)
{
	struct km_tlb_spec with_cache = *spec;

	if (!overlap->cache.entries)
		return with_cache;
	memset(with_cache.lines, 0, sizeof(with_cache.lines));
	with_cache.lines[0] = overlap->cache;
	with_cache.data_lines = true;
	return with_cache;
}

static const struct km_tlb_load_costs *costs_of(const struct km_tlb_overlap *overlap,
						enum km_tlb_size size, enum km_tlb_loads loads)
{
	bool large = size >= KM_TLB_2M && overlap->costs[LARGE][loads].measured;

	return &overlap->costs[large ? LARGE : SMALL][loads];
}

double km_tlb_overlap_walk_ns(const struct km_tlb_overlap *overlap, enum km_tlb_loads loads,
			      const struct km_tlb_counts *counts)
{
	double ns = 0;

	if (!overlap->costs[SMALL][loads].measured)
		return NAN;
	for (unsigned size = 0; size < KM_TLB_SIZES; size++)
		ns += (double)counts->walks[size] * costs_of(overlap, size, loads)->walk.median;
	return ns;
}

double km_tlb_overlap_ns(const struct km_tlb_overlap *overlap, enum km_tlb_loads loads,
			 const struct km_tlb_counts *counts)
{
	const struct km_tlb_load_costs *small = &overlap->costs[SMALL][loads];
	uint64_t far = 0;

	for (unsigned i = 1; i < KM_TLB_LINE_LEVELS; i++)
		far += counts->lines[i];
	return km_tlb_overlap_walk_ns(overlap, loads, counts) +
	       (double)(counts->l1_misses - counts->l2_misses) * small->l2_hit.median +
	       (double)far * small->line.median;
}

/* ---- the arithmetic of a round ---- */

static double mean_hit(const struct km_tlb_overlap_point *points)
{
	double sum = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < KM_TLB_OVERLAP_HITS * ORDERS; i++) {
		const struct km_tlb_overlap_point *point = &points[i / ORDERS];

		if (point->hits[i % ORDERS] < LEAST_RATIO)
			continue;
		sum += point->ns[i % ORDERS] / point->hits[i % ORDERS];
		n++;
	}
	return n ? fmax(sum / n, 0) : NAN;
}

/* Of an order, per walk: ns without L2 hits, and far lines. False: nothing is walked. */
static bool mean_walk(const struct km_tlb_overlap_point *points, unsigned order, double hit,
		      double *ns, double *far)
{
	unsigned n = 0;

	*ns = *far = 0;
	for (unsigned i = KM_TLB_OVERLAP_HITS; i < KM_TLB_OVERLAP_POINTS; i++) {
		const struct km_tlb_overlap_point *point = &points[i];

		if (point->walks[order] < LEAST_RATIO)
			continue;
		*ns += (point->ns[order] - point->hits[order] * hit) / point->walks[order];
		*far += point->far[order] / point->walks[order];
		n++;
	}
	*ns = fmax(*ns / n, 0);
	*far /= n;
	return n;
}

bool km_tlb_overlap_solve(const struct km_tlb_overlap_point points[KM_TLB_OVERLAP_POINTS],
			  double costs[3])
{
	double hit = mean_hit(points), ns[ORDERS], far[ORDERS], line = 0;

	if (isnan(hit) || !mean_walk(points, SHUFFLED, hit, &ns[SHUFFLED], &far[SHUFFLED]) ||
	    !mean_walk(points, IN_ORDER, hit, &ns[IN_ORDER], &far[IN_ORDER]))
		return false;
	costs[HIT] = hit;
	/* No line is far in either order: a walk is what it is where pages are shuffled. */
	costs[WALK] = ns[SHUFFLED];
	if (far[SHUFFLED] - far[IN_ORDER] >= LEAST_RATIO) {
		line = fmax((ns[SHUFFLED] - ns[IN_ORDER]) / (far[SHUFFLED] - far[IN_ORDER]), 0);
		costs[WALK] = fmax(ns[IN_ORDER] - far[IN_ORDER] * line, 0);
	}
	costs[FAR] = line;
	return true;
}

/* ---- streams ---- */

struct measuring {
	struct km_tlb_overlap *overlap;
	struct km_tlb_spec spec;
	struct km_timer timer;
	uint32_t pages[KM_TLB_OVERLAP_POINTS];
	uint64_t bytes[PLACES];
	uint8_t *base[PLACES];
	uint8_t **at;
	uint32_t *order;
	uint64_t random;
	struct km_tlb_overlap_point points[2][KM_TLB_LOADS][KM_TLB_OVERLAP_POINTS];
	double *rounds[2][KM_TLB_LOADS][COSTS]; /* [round] */
};

static void make_order(struct measuring *m, uint32_t n, unsigned order)
{
	for (uint32_t i = 0; i < n; i++)
		m->order[i] = i;
	for (uint32_t i = n - 1; i > 0 && order == SHUFFLED; i--) {
		uint32_t other, kept = m->order[i];

		m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
		other = (uint32_t)((m->random >> 33) % (i + 1));
		m->order[i] = m->order[other];
		m->order[other] = kept;
	}
}

/* Lines of neighbouring pages lie at different offsets: all sets of the caches are used alike. */
static uint64_t offset_of(unsigned place, uint32_t i)
{
	return place == DENSE ? (uint64_t)i * LINE : (uint64_t)i * KM_PAGE_SIZE + i % LINE * LINE;
}

/* All bytes are zero, `last` too: each address needs the load before. */
static __attribute__((noinline)) uint64_t load_dependent(uint8_t *const *at, size_t count,
							 uint64_t last)
{
	for (size_t i = 0; i < count; i++)
		last = *(const volatile uint8_t *)(at[i] + last);
	return last;
}

static __attribute__((noinline)) uint64_t load_overlapped(uint8_t *const *at, size_t count,
							  uint64_t sum)
{
	for (size_t i = 0; i < count; i++)
		sum += *(const volatile uint8_t *)at[i];
	return sum;
}

static double time_stream(struct measuring *m, unsigned place, uint32_t n, unsigned loads)
{
	uint64_t (*load)(uint8_t *const *, size_t, uint64_t) =
		loads == KM_TLB_DEPENDENT ? load_dependent : load_overlapped;
	unsigned times = (LEAST_LOADS + n - 1) / n;
	uint64_t begin, ticks, least = UINT64_MAX, last;

	for (uint32_t i = 0; i < n; i++)
		m->at[i] = m->base[place] + offset_of(place, m->order[i]);
	last = load(m->at, n, 0);
	for (unsigned try = 0; try < TRIES; try++) {
		begin = km_tick_begin();
		for (unsigned i = 0; i < times; i++)
			last = load(m->at, n, last);
		ticks = km_tick_end() - begin;
		least = ticks < least ? ticks : least;
	}
	return (double)least * m->timer.ns_per_tick / ((double)times * n);
}

/*
 * Lines side by side are shuffled for both orders: in order they would be fetched ahead, which one
 * line in each page is not.
 */
static void measure_point(struct measuring *m, unsigned i)
{
	uint32_t n = m->pages[i];
	double dense[KM_TLB_LOADS];

	for (unsigned order = 0; order < ORDERS; order++) {
		make_order(m, n, order);
		for (unsigned loads = 0; loads < KM_TLB_LOADS; loads++) {
			if (order == SHUFFLED)
				dense[loads] = time_stream(m, DENSE, n, loads);
			for (unsigned place = 0; place < DENSE; place++)
				m->points[place][loads][i].ns[order] =
					time_stream(m, place, n, loads) - dense[loads];
		}
	}
}

/* What the TLB makes of the same streams. */
static int simulate_point(struct measuring *m, unsigned place, unsigned i, unsigned order)
{
	enum km_tlb_size size = place == LARGE ? KM_TLB_2M : KM_TLB_4K;
	struct km_tlb_overlap_point *point = &m->points[place][0][i];
	struct km_tlb_counts counts;
	struct km_tlb *tlb;
	struct km_env env;
	int code;

	km_host_env(&env, 1);
	code = km_tlb_create(&env, &m->spec, &tlb);
	if (code)
		return code;
	make_order(m, m->pages[i], order);
	for (unsigned cycle = 0; cycle < 6; cycle++) {
		if (cycle == 3)
			km_tlb_reset_counts(tlb);
		for (uint32_t k = 0; k < m->pages[i]; k++)
			km_tlb_access(tlb, offset_of(place, m->order[k]), size);
	}
	km_tlb_read(tlb, &counts);
	km_tlb_destroy(tlb);
	point->hits[order] = (double)(counts.l1_misses - counts.l2_misses) / (double)counts.refs;
	point->walks[order] = (double)counts.l2_misses / (double)counts.refs;
	point->far[order] = (double)(counts.lines[1] + counts.lines[2]) / (double)counts.refs;
	return 0;
}

static int simulate(struct measuring *m)
{
	int code = 0;

	for (unsigned place = 0; place < DENSE; place++) {
		for (unsigned k = 0; k < KM_TLB_OVERLAP_POINTS * ORDERS && !code; k++)
			code = simulate_point(m, place, k / ORDERS, k % ORDERS);
		memcpy(m->points[place][1], m->points[place][0], sizeof(m->points[place][0]));
	}
	return code;
}

/* ---- rounds ---- */

/* A round's costs, if this place's pages miss at all. */
static void keep_round(struct measuring *m, unsigned place, unsigned loads, unsigned round)
{
	struct km_tlb_load_costs *out = &m->overlap->costs[place][loads];
	double costs[COSTS];

	out->measured = km_tlb_overlap_solve(m->points[place][loads], costs);
	for (unsigned i = 0; out->measured && i < COSTS; i++)
		m->rounds[place][loads][i][round] = costs[i];
}

static int measure_rounds(struct measuring *m, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < KM_TLB_OVERLAP_POINTS; i++) {
			measure_point(m, i);
			if (km_interrupted())
				return -EINTR;
		}
		for (unsigned k = 0; k < 2 * KM_TLB_LOADS; k++)
			keep_round(m, k / KM_TLB_LOADS, k % KM_TLB_LOADS, round);
	}
	for (unsigned k = 0; k < 2 * KM_TLB_LOADS; k++) {
		unsigned place = k / KM_TLB_LOADS, loads = k % KM_TLB_LOADS;
		struct km_tlb_load_costs *out = &m->overlap->costs[place][loads];

		if (!out->measured)
			continue;
		out->l2_hit = km_bench_figure(m->rounds[place][loads][HIT], rounds);
		out->walk = km_bench_figure(m->rounds[place][loads][WALK], rounds);
		out->line = km_bench_figure(m->rounds[place][loads][FAR], rounds);
	}
	return 0;
}

/* ---- beginning and end ---- */

/* The L1 data cache of this machine, or the least that x86-64 and arm64 machines have. */
static struct km_tlb_array_spec read_cache(void)
{
	long bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE), ways = sysconf(_SC_LEVEL1_DCACHE_ASSOC);
	struct km_tlb_array_spec cache = {512, 8, 0, KM_TLB_LRU};

	if (bytes < 8192 || bytes > 1 << 20 || ways < 1 || bytes / LINE % ways)
		return cache;
	cache.entries = (uint32_t)(bytes / LINE);
	cache.ways = (uint32_t)ways;
	return cache;
}

static uint8_t *map_zeros(uint64_t bytes, int advice)
{
	uint8_t *at = km_host_map(bytes, advice);

	for (uint64_t i = 0; at && i < bytes; i += KM_PAGE_SIZE)
		*(volatile uint8_t *)(at + i) = 0; /* a page of its own, not the zero page */
	return at;
}

static int prepare(struct measuring *m, unsigned rounds)
{
	const struct km_tlb_spec *spec = &m->spec;
	uint32_t l1 = spec->l1[0].entries, l2 = spec->l2[0].entries, most = 5 * l2;
	const uint32_t pages[KM_TLB_OVERLAP_POINTS] = {2 * l1, 3 * l1, 3 * l2, 4 * l2, most};
	bool complete = true;

	memcpy(m->pages, pages, sizeof(pages));
	m->at = calloc(most, sizeof(*m->at));
	m->order = calloc(most, sizeof(*m->order));
	for (unsigned place = 0; place < PLACES; place++) {
		m->bytes[place] = most * (uint64_t)(place == DENSE ? LINE : KM_PAGE_SIZE);
		m->base[place] = map_zeros(m->bytes[place],
					   place == LARGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		complete &= m->base[place] != NULL;
	}
	for (unsigned k = 0; k < 2 * KM_TLB_LOADS * COSTS; k++) {
		double **kept =
			&m->rounds[k / COSTS / KM_TLB_LOADS][k / COSTS % KM_TLB_LOADS][k % COSTS];

		*kept = calloc(rounds, sizeof(**kept));
		complete &= *kept != NULL;
	}
	return complete && m->at && m->order ? 0 : -ENOMEM;
}

static void release(struct measuring *m)
{
	for (unsigned place = 0; place < PLACES; place++)
		if (m->base[place])
			munmap(m->base[place], m->bytes[place]);
	for (unsigned k = 0; k < 2 * KM_TLB_LOADS * COSTS; k++)
		free(m->rounds[k / COSTS / KM_TLB_LOADS][k / COSTS % KM_TLB_LOADS][k % COSTS]);
	free(m->at);
	free(m->order);
	free(m);
}

int km_tlb_overlap_measure(struct km_tlb_overlap *overlap, const struct km_tlb_spec *spec,
			   unsigned rounds, struct km_err *err)
{
	struct measuring *m = calloc(1, sizeof(*m));
	int code;

	if (!m)
		return km_fail(err, -ENOMEM, "no memory to measure streams of loads");
	rounds = rounds < KM_BENCH_MAX_VALUES ? rounds : KM_BENCH_MAX_VALUES;
	memset(overlap, 0, sizeof(*overlap));
	overlap->cache = read_cache();
	m->overlap = overlap;
	m->random = 7;
	m->spec = km_tlb_overlap_spec(overlap, spec);
	km_timer_calibrate(&m->timer);
	code = prepare(m, rounds);
	if (!code)
		code = simulate(m);
	if (!code)
		code = measure_rounds(m, rounds);
	release(m);
	return code && code != -EINTR ? km_fail(err, code, "no memory to measure streams of loads")
				      : code;
}
