/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Chains of dependent loads in user space: one line in each of n pages in random order, and the
 * same number of lines side by side. The difference is what translation costs ("matched lines").
 * The lines of neighbouring pages lie at different offsets, so that the sets of the caches are as
 * full as those of lines side by side.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/host.h"
#include "replay/pmu.h"
#include "replay/tlb_calibration.h"
#include "replay/tlb_repeat.h"
#include "results/term.h"

#define LINE 64u
#define LEAST_LOADS 16384u
#define COUNTED_TIMES 16 /* as many loads under the counters: their start and stop weigh less */
#define HUGE_BYTES (2ull << 20)
#define SPLINTER_LINES 256u /* of one huge page, 8 KiB apart: more than any L1 TLB has entries */

const char *const km_tlb_place_names[KM_TLB_PLACES] = {
#define X(constant, name, what, dense) name,
	KM_TLB_PLACE_LIST(X)
#undef X
};

const char *const km_tlb_place_what[KM_TLB_PLACES] = {
#define X(constant, name, what, dense) what,
	KM_TLB_PLACE_LIST(X)
#undef X
};

const uint8_t km_tlb_place_dense[KM_TLB_PLACES] = {
#define X(constant, name, what, dense) dense,
	KM_TLB_PLACE_LIST(X)
#undef X
};

/*
 * Close around the knees that L1 (32 to 128) and L2 TLBs (512 to 4096) are known to have; none
 * where as many lines just fill an L1 cache of 32 or 48 KiB.
 */
const uint32_t km_tlb_pages[KM_TLB_SIZES_MEASURED] = {
	16,   32,   48,   64,   72,   80,   96,    104,   112,   128,   160,   192,
	256,  384,  448,  640,  1024, 1152, 1280,  1536,  1792,  2048,  2304,  2560,
	3072, 3584, 4096, 5120, 6144, 8192, 12288, 16384, 20480, 24576, 28672, 32768,
};

struct chain {
	char *base;
	uint64_t stride; /* of nodes: a page, or a line */
	uint32_t *order;
	uint64_t random;
};

static uint64_t next_random(struct chain *chain)
{
	chain->random ^= chain->random << 13;
	chain->random ^= chain->random >> 7;
	return chain->random ^= chain->random << 17;
}

static void **node(const struct chain *chain, uint32_t i)
{
	uint64_t line = i % (chain->stride / LINE);

	return (void **)(chain->base + i * chain->stride + line * LINE);
}

/* One cycle through n nodes in random order (Sattolo). */
static void link_chain(struct chain *chain, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		chain->order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t other = (uint32_t)(next_random(chain) % i), kept = chain->order[i];

		chain->order[i] = chain->order[other];
		chain->order[other] = kept;
	}
	for (uint32_t i = 0; i < n; i++)
		*node(chain, i) = (void *)node(chain, chain->order[i]);
}

static void *volatile chain_end;

/* Whole cycles, enough of them to be timed. */
static uint64_t loads_of(uint32_t n)
{
	return n < LEAST_LOADS ? (LEAST_LOADS + n - 1) / n * n : n;
}

static void walk_chain(const struct chain *chain, uint64_t loads)
{
	void **at = node(chain, 0);

	for (uint64_t i = 0; i < loads; i++)
		at = *at;
	chain_end = (void *)at;
}

static double follow_chain(const struct chain *chain, uint32_t n, const struct km_timer *timer)
{
	uint64_t loads = loads_of(n), begin, ticks;

	walk_chain(chain, n); /* warm up */
	begin = km_tick_begin();
	walk_chain(chain, loads);
	ticks = km_tick_end() - begin;
	return (double)ticks * timer->ns_per_tick / (double)loads;
}

/* ---- user space ---- */

static char *map_pages(uint64_t bytes, int advice)
{
	char *at = km_host_map(bytes, advice); /* without huge pages the result says so */

	return at ? memset(at, 1, bytes) : NULL;
}

#define USER_PLACES 3

struct user {
	struct chain chains[USER_PLACES];
	struct km_timer timer;
};

static int measure_rounds(void *context, struct km_tlb_samples *samples, const bool *wanted,
			  uint32_t rounds, struct km_err *err)
{
	struct user *user = context;

	(void)err;
	for (uint32_t round = 0; round < rounds; round++)
		for (unsigned i = 0; i < KM_TLB_SIZES_MEASURED * USER_PLACES; i++) {
			unsigned place = i % USER_PLACES, size = i / USER_PLACES;
			unsigned point = place * KM_TLB_SIZES_MEASURED + size;

			if (!wanted[point])
				continue;
			link_chain(&user->chains[place], km_tlb_pages[size]);
			km_tlb_samples_add(samples, point,
					   follow_chain(&user->chains[place], km_tlb_pages[size],
							&user->timer));
			if (km_interrupted())
				return -EINTR;
		}
	return 0;
}

/*
 * A huge page has one TLB entry if 256 of its lines, 8 KiB apart, cost no more than side by side;
 * else a hypervisor backs it with small pages. Half way to the cost of an L1 miss decides.
 */
static void count_splinters(struct km_tlb_calibration *calibration, const struct chain *huge,
			    const struct chain *dense, const struct km_timer *timer)
{
	struct chain one = *huge, side = *dense;

	one.stride = HUGE_BYTES / SPLINTER_LINES;
	for (unsigned page = 0; page < KM_TLB_MOST_PAGES * KM_PAGE_SIZE / HUGE_BYTES; page++) {
		double apart = 0, together = 0;

		one.base = huge->base + page * HUGE_BYTES;
		for (unsigned i = 0; i < 7; i++) {
			double ns;

			link_chain(&one, SPLINTER_LINES);
			ns = follow_chain(&one, SPLINTER_LINES, timer);
			apart = !i || ns < apart ? ns : apart;
			link_chain(&side, SPLINTER_LINES);
			ns = follow_chain(&side, SPLINTER_LINES, timer);
			together = !i || ns < together ? ns : together;
		}
		calibration->huge_pages++;
		calibration->huge_real += apart < together + 3 * calibration->cycle_ns;
	}
}

/* The places' memory; *order is malloc'd. 0 or -ENOMEM with a sentence. */
static int open_chains(struct chain *chains, struct km_err *err)
{
	uint32_t *order = calloc(KM_TLB_MOST_PAGES, sizeof(*order));
	int code = order ? 0 : -ENOMEM;

	for (unsigned i = 0; i < USER_PLACES; i++) {
		bool dense = i == KM_TLB_USER_DENSE;

		chains[i].stride = dense ? LINE : KM_PAGE_SIZE;
		chains[i].random = 11 + i;
		chains[i].order = order;
		chains[i].base = map_pages(KM_TLB_MOST_PAGES * chains[i].stride,
					   i == KM_TLB_USER_2M ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		code = chains[i].base ? code : -ENOMEM;
	}
	return code ? km_fail(err, code, "no memory for 256 MiB of pages to measure") : 0;
}

static void close_chains(struct chain *chains)
{
	for (unsigned i = 0; i < USER_PLACES; i++)
		if (chains[i].base)
			munmap(chains[i].base, KM_TLB_MOST_PAGES * chains[i].stride);
	free(chains[0].order);
}

int km_tlb_measure_user(struct km_tlb_calibration *calibration, uint32_t rounds, struct km_err *err)
{
	static const uint8_t places[USER_PLACES] = {KM_TLB_USER, KM_TLB_USER_2M, KM_TLB_USER_DENSE};
	struct user user = {0};
	int code = open_chains(user.chains, err);

	km_timer_calibrate(&user.timer);
	if (!code)
		code = km_tlb_measure_points(calibration, places, USER_PLACES, rounds,
					     measure_rounds, &user, err);
	if (!code)
		count_splinters(calibration, &user.chains[KM_TLB_USER_2M],
				&user.chains[KM_TLB_USER_DENSE], &user.timer);
	close_chains(user.chains);
	return code;
}

/* ---- under the counters ---- */

struct km_tlb_counted km_tlb_counted_of(enum km_tlb_place place, uint32_t pages, double loads,
					const struct km_pmu_reading *reading)
{
	return (struct km_tlb_counted){
		.place = (uint8_t)place,
		.pages = pages,
		.l1_misses = reading->l1_misses / loads,
		.walks = reading->l2_misses / loads,
		.walk_cycles = reading->walk_cycles / loads,
		.model_l1_misses = __builtin_nan(""),
		.model_walks = __builtin_nan(""),
		.multiplexed = reading->multiplexed,
	};
}

int km_tlb_count_user(struct km_tlb_calibration *calibration, struct km_pmu *pmu,
		      struct km_err *err)
{
	struct chain chains[USER_PLACES] = {0};
	int code = open_chains(chains, err);

	for (unsigned i = 0; !code && i < USER_PLACES * KM_TLB_SIZES_MEASURED; i++) {
		uint32_t place = i % USER_PLACES, pages = km_tlb_pages[i / USER_PLACES];
		uint64_t loads = loads_of(pages) * COUNTED_TIMES;
		struct km_pmu_reading reading;

		link_chain(&chains[place], pages);
		walk_chain(&chains[place], pages); /* warm up */
		km_pmu_start(pmu);
		walk_chain(&chains[place], loads);
		km_pmu_stop(pmu, &reading);
		calibration->counted[calibration->nr_counted++] =
			km_tlb_counted_of(place, pages, (double)loads, &reading);
		if (km_interrupted())
			code = -EINTR;
	}
	close_chains(chains);
	return code;
}
