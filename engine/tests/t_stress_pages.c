/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random operations on the page allocator: every call, all flags, several CPUs, machines from 20
 *MiB to 1 GiB, from plenty to exhaustion, on every profile. A shadow byte for each page says
 *whether it is held: no page is ever handed out twice, none is lost, wrong frees are refused and
 *change nothing. Now and then all records are walked.
 *
 *	t_stress_pages [OPERATIONS [SEED]]	3 million, seed 1; make stress-pages OPS=n: under
 *sanitizers
 */
#include "engine/tests/page_machine.h"

#define MAX_LIVE 65536u
#define OPS_PER_MACHINE 250000ull
#define OPS_PER_WALK 62500ull
#define NO_BLOCK UINT32_MAX

struct block {
	uint32_t pfn;
	uint8_t order;
};

static struct {
	struct page_machine m;
	uint8_t *held; /* by frame */
	uint64_t nr_held, total;
	struct block live[MAX_LIVE];
	uint32_t nr_live;
	uint64_t rng;
	unsigned cpus;
	uint64_t failed_requests, refused, walks;
	const char *broken; /* the first thing found wrong */
} s;

static uint64_t below(uint64_t limit)
{
	s.rng = s.rng * 6364136223846793005ull + 1442695040888963407ull;
	return ((s.rng >> 33) * limit) >> 31;
}

static void wrong(const char *what)
{
	if (!s.broken)
		s.broken = what;
}

/* ---- the shadow ---- */

static void hold(uint64_t pfn, uint64_t count)
{
	if (pfn + count > s.m.machine.max_pfn) {
		wrong("a block reaches beyond memory");
		return;
	}
	for (uint64_t i = pfn; i < pfn + count; i++) {
		if (s.held[i])
			wrong("a page was handed out twice");
		s.held[i] = 1;
	}
	s.nr_held += count;
}

static void drop(uint64_t pfn, uint64_t count)
{
	memset(s.held + pfn, 0, count);
	s.nr_held -= count;
}

static void keep(uint64_t pfn, unsigned order)
{
	s.live[s.nr_live++] = (struct block){(uint32_t)pfn, (uint8_t)order};
}

/* ---- operations ---- */

static uint32_t some_gfp(void)
{
	static const uint32_t bases[] = {KM_GFP_KERNEL,
					 KM_GFP_NOWAIT,
					 KM_GFP_ATOMIC,
					 KM_GFP_HIGHUSER_MOVABLE,
					 KM_GFP_HIGH,
					 KM_GFP_KERNEL | KM_GFP_NORETRY,
					 KM_GFP_ATOMIC_BIT | KM_GFP_ATOMIC};
	static const uint32_t more[] = {0,
					0,
					0,
					KM_GFP_RECLAIMABLE,
					KM_GFP_MOVABLE,
					KM_GFP_DMA,
					KM_GFP_DMA32,
					KM_GFP_ZERO,
					KM_GFP_COMP,
					KM_GFP_NOMEMALLOC};
	uint32_t gfp = bases[below(sizeof(bases) / sizeof(*bases))] |
		       more[below(sizeof(more) / sizeof(*more))];

	return below(500) ? gfp : gfp | KM_GFP_MEMALLOC;
}

static unsigned some_order(void)
{
	uint64_t lot = below(100);

	return (unsigned)(lot < 60 ? 0 : lot < 85 ? below(4) : below(KM_NR_ORDERS));
}

static void do_alloc(void)
{
	unsigned order = some_order();
	km_pfn pfn = pages->alloc(s.m.machine.page, (unsigned)below(s.cpus), some_gfp(), order);

	if (!km_pfn_valid(pfn)) {
		s.failed_requests++;
		return;
	}
	if (pfn.value & ((1ull << order) - 1))
		wrong("a block is not aligned");
	hold(pfn.value, 1ull << order);
	keep(pfn.value, order);
}

static void do_exact(void)
{
	unsigned order = 1 + (unsigned)below(6);
	uint64_t count = (1ull << (order - 1)) + 1 + below(1ull << (order - 1));
	km_pfn pfn;

	if (s.nr_live + count > MAX_LIVE)
		return;
	pfn = pages->alloc_exact(s.m.machine.page, (unsigned)below(s.cpus), some_gfp(), order,
				 count);
	if (!km_pfn_valid(pfn)) {
		s.failed_requests++;
		return;
	}
	hold(pfn.value, count);
	for (uint64_t i = 0; i < count; i++)
		keep(pfn.value + i, 0);
}

static void do_bulk(void)
{
	km_pfn pfns[100];
	unsigned wanted = 1 + (unsigned)below(100), got;

	if (s.nr_live + wanted > MAX_LIVE)
		return;
	got = pages->alloc_bulk(s.m.machine.page, (unsigned)below(s.cpus), some_gfp(), wanted,
				pfns);
	if (got > wanted)
		wrong("more pages than asked for");
	for (unsigned i = 0; i < got; i++) {
		hold(pfns[i].value, 1);
		keep(pfns[i].value, 0);
	}
}

static void do_free(void)
{
	uint32_t lot = (uint32_t)below(s.nr_live);
	struct block *block = &s.live[lot];
	unsigned cpu = (unsigned)below(s.cpus);

	/* In halves, of which one stays for later. */
	if (block->order && !below(4) && s.nr_live < MAX_LIVE) {
		block->order--;
		keep(block->pfn + (1u << block->order), block->order);
	}
	drop(block->pfn, 1ull << block->order);
	if (pages->free(s.m.machine.page, cpu, (km_pfn){block->pfn}, block->order))
		wrong("a held block is refused");
	*block = s.live[--s.nr_live];
}

/* Pages that nobody holds, and places that are none. */
static void do_wrong_free(void)
{
	uint64_t pfn = below(s.m.machine.max_pfn + 1000);
	unsigned order = (unsigned)below(KM_NR_ORDERS + 2);

	bool all = order < KM_NR_ORDERS && pfn + (1ull << order) <= s.m.machine.max_pfn &&
		   !(pfn & ((1ull << order) - 1));

	for (uint64_t i = 0; all && i < 1ull << order; i++)
		all = s.held[pfn + i];
	if (all)
		return;
	s.refused++;
	if (!pages->free(s.m.machine.page, 0, (km_pfn){pfn}, order))
		wrong("a page that nobody holds was freed");
}

static void operate(uint64_t grows)
{
	uint64_t lot = below(1000);

	if (lot == 0)
		pages->drain(s.m.machine.page, below(2) ? -1 : (int)below(s.cpus));
	else if (lot < 4)
		do_wrong_free();
	else if ((s.nr_live && below(100) >= grows) || s.nr_live == MAX_LIVE)
		do_free();
	else if (lot < 8)
		do_exact();
	else if (lot < 10)
		do_bulk();
	else
		do_alloc();
}

/* ---- machines ---- */

static void walk(void)
{
	struct km_page_usage usage = usage_of(&s.m);

	s.walks++;
	if (usage.free + s.nr_held != s.total)
		wrong("pages were lost or made");
	if (pages->validate(s.m.machine.page))
		wrong("records disagree");
}

static bool start(uint64_t number)
{
	static const uint64_t low[] = {5000, 16384, 30011, 65536}, normal[] = {0, 0, 4096, 196608};
	const char *const *names = km_profile_names();
	unsigned nr_profiles = 0, size = (unsigned)(number / 2 % 4);

	while (names[nr_profiles])
		nr_profiles++;
	s.cpus = 1 + (unsigned)(number % 4);
	if (page_machine_start(&s.m, names[number % nr_profiles], s.cpus, low[size],
			       normal[number / 3 % 4], number % 5))
		return false;
	s.held = calloc(s.m.machine.max_pfn, 1);
	s.nr_live = 0;
	s.nr_held = 0;
	s.total = usage_of(&s.m).free;
	return s.held;
}

static void stop(void)
{
	while (s.nr_live)
		do_free();
	pages->drain(s.m.machine.page, -1);
	walk();
	free(s.held);
	page_machine_stop(&s.m);
}

int main(int argc, char **argv)
{
	uint64_t operations = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000000, done = 0;
	uint64_t machines = 0, grows = 60;

	s.rng = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	while (done < operations && !s.broken) {
		if (!start(machines++)) {
			TAP_OK(false, "machine %llu starts", (unsigned long long)machines);
			return tap_done();
		}
		for (uint64_t i = 0; i < OPS_PER_MACHINE && done < operations && !s.broken;
		     i++, done++) {
			if (i % 10000 == 0)
				grows = 35 + below(40);
			operate(grows);
			if (i % OPS_PER_WALK == OPS_PER_WALK - 1)
				walk();
		}
		stop();
	}
	TAP_OK(!s.broken,
	       "%llu operations on %llu machines, %llu requests without a page, %llu wrong "
	       "frees refused, all records walked %llu times%s%s",
	       (unsigned long long)done, (unsigned long long)machines,
	       (unsigned long long)s.failed_requests, (unsigned long long)s.refused,
	       (unsigned long long)s.walks, s.broken ? ": " : "", s.broken ? s.broken : "");
	TAP_OK(s.failed_requests > 0 && s.refused > 0,
	       "memory ran out, and wrong frees were tried");
	return tap_done();
}
