/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/tlb_stream.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/host.h"
#include "replay/memory.h"

#define FIRST_BITS 12u

#define QUEUE 256u

/* One access model and map of one CPU: a TLB, and references that wait to go to it together. */
struct lane {
	struct km_env env; /* of its own: what others draw is nothing to it */
	struct km_tlb *tlb;
	uint32_t n;
	uint64_t addr[QUEUE];
	uint8_t size[QUEUE];
	struct km_tlb_share *share[QUEUE]; /* of the pass's share_access; NULL: nobody's */
};

struct cpu_tlbs {
	struct lane lanes[KM_ACCESSES][KM_TLB_MAPS];
	struct km_tlb_curve *curve[KM_TLB_MAPS];
};

/* The pages of one map, and in which window of each length each was touched last. */
struct seen_page {
	uint64_t page; /* + 1; 0: free */
	uint32_t window[KM_TLB_WINDOWS];
};

struct page_set {
	struct seen_page *pages;
	unsigned bits;
	uint32_t used;
	uint64_t now[KM_TLB_WINDOWS], sum[KM_TLB_WINDOWS]; /* distinct: this window, all before */
};

struct km_tlb_stream {
	struct km_env env; /* of the curves */
	const struct km_frames *frames;
	struct cpu_tlbs **cpus;
	unsigned nr_cpus;
	unsigned nr_maps;
	struct km_memory_layout split; /* of the last map */
	struct page_set sets[KM_TLB_MAPS];
	uint64_t operations;
	const struct km_tlb_pass *pass;
	int failed;
};

/* ---- making ---- */

struct km_tlb_stream *km_tlb_stream_new(const struct km_tlb_pass *pass,
					const struct km_frames *frames, unsigned cpus)
{
	struct km_tlb_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	km_host_env(&stream->env, pass->seed);
	stream->pass = pass;
	stream->frames = frames;
	stream->nr_maps = pass->split_percent ? KM_TLB_MAPS : KM_TLB_SPLIT;
	stream->split = (struct km_memory_layout){
		.direct = KM_LEAF_2M, .split_percent = pass->split_percent, .seed = pass->seed};
	stream->nr_cpus = cpus;
	stream->cpus = calloc(stream->nr_cpus, sizeof(struct cpu_tlbs *));
	for (unsigned map = 0; map < KM_TLB_MAPS; map++) {
		stream->sets[map].bits = FIRST_BITS;
		stream->sets[map].pages = calloc(1u << FIRST_BITS, sizeof(struct seen_page));
		if (!stream->sets[map].pages)
			stream->failed = -ENOMEM;
	}
	if (!stream->cpus || stream->failed) {
		km_tlb_stream_free(stream);
		return NULL;
	}
	return stream;
}

static void free_cpu(struct cpu_tlbs *cpu)
{
	if (!cpu)
		return;
	for (unsigned map = 0; map < KM_TLB_MAPS; map++) {
		for (unsigned access = 0; access < KM_ACCESSES; access++)
			km_tlb_destroy(cpu->lanes[access][map].tlb);
		km_tlb_curve_destroy(cpu->curve[map]);
	}
	free(cpu);
}

void km_tlb_stream_free(struct km_tlb_stream *stream)
{
	if (!stream)
		return;
	for (unsigned i = 0; stream->cpus && i < stream->nr_cpus; i++)
		free_cpu(stream->cpus[i]);
	free(stream->cpus);
	for (unsigned map = 0; map < KM_TLB_MAPS; map++)
		free(stream->sets[map].pages);
	free(stream);
}

static struct lane *nth_lane(struct cpu_tlbs *cpu, unsigned n)
{
	return &cpu->lanes[n / KM_TLB_MAPS][n % KM_TLB_MAPS];
}

/* A CPU's TLBs are made when it runs first: many a trace names CPUs that hardly do. */
static struct cpu_tlbs *cpu_of(struct km_tlb_stream *stream, unsigned cpu)
{
	struct cpu_tlbs *made = stream->cpus[cpu % stream->nr_cpus];
	int code = 0;

	if (made || stream->failed)
		return made;
	made = calloc(1, sizeof(*made));
	for (unsigned i = 0; made && !code && i < KM_ACCESSES * KM_TLB_MAPS; i++) {
		struct lane *lane = nth_lane(made, i);

		km_host_env(&lane->env, stream->pass->seed);
		code = km_tlb_create(&lane->env, &stream->pass->tlb->spec, &lane->tlb);
	}
	for (unsigned map = 0; made && !code && map < KM_TLB_MAPS; map++)
		code = km_tlb_curve_create(&stream->env, &made->curve[map]);
	if (!made || code) {
		free_cpu(made);
		stream->failed = -ENOMEM;
		return NULL;
	}
	return stream->cpus[cpu % stream->nr_cpus] = made;
}

/* ---- windows ---- */

static struct seen_page *find_page(struct seen_page *pages, unsigned bits, uint64_t key)
{
	uint32_t mask = (1u << bits) - 1;
	uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> (64 - bits));

	while (pages[i].page && pages[i].page != key)
		i = (i + 1) & mask;
	return &pages[i];
}

static bool grow_set(struct page_set *set)
{
	struct seen_page *pages;

	if (set->used < 1u << (set->bits - 1))
		return true;
	pages = calloc(1u << (set->bits + 1), sizeof(*pages));
	if (!pages)
		return false;
	for (uint32_t i = 0; i < 1u << set->bits; i++)
		if (set->pages[i].page)
			*find_page(pages, set->bits + 1, set->pages[i].page) = set->pages[i];
	free(set->pages);
	set->pages = pages;
	set->bits++;
	return true;
}

static void see(struct km_tlb_stream *stream, struct page_set *set, uint64_t page)
{
	struct seen_page *seen;

	if (!grow_set(set)) {
		stream->failed = -ENOMEM;
		return;
	}
	seen = find_page(set->pages, set->bits, page + 1);
	set->used += !seen->page;
	seen->page = page + 1;
	for (unsigned i = 0; i < KM_TLB_WINDOWS; i++) {
		uint32_t window = (uint32_t)(stream->operations / km_tlb_windows[i]) + 1;

		if (seen->window[i] == window)
			continue;
		seen->window[i] = window;
		set->now[i]++;
	}
}

void km_tlb_stream_operation(struct km_tlb_stream *stream)
{
	stream->operations++;
	for (unsigned i = 0; i < KM_TLB_WINDOWS; i++) {
		if (stream->operations % km_tlb_windows[i])
			continue;
		for (unsigned map = 0; map < KM_TLB_MAPS; map++) {
			struct page_set *set = &stream->sets[map];

			set->sum[i] += set->now[i];
			set->now[i] = 0;
		}
	}
}

/* ---- references ---- */

/* How the address is mapped: vmalloc as its leaf is, struct page always by 2 MiB. */
static enum km_tlb_size size_of(const struct km_tlb_stream *stream, uint64_t addr, unsigned map)
{
	static const uint8_t sizes[KM_TLB_SPLIT] = {KM_TLB_1G, KM_TLB_2M, KM_TLB_4K};
	bool huge;

	if (km_is_vmalloc_addr(addr)) {
		km_frames_of(stream->frames, addr, &huge);
		return huge ? KM_TLB_2M : KM_TLB_4K;
	}
	if (addr >= KM_VMEMMAP_BASE)
		return KM_TLB_2M;
	if (map < KM_TLB_SPLIT)
		return sizes[map];
	return km_memory_is_split(&stream->split, addr - KM_DIRECT_MAP_BASE) ? KM_TLB_4K
									     : KM_TLB_2M;
}

/* Sites have one share, of the pass's map; size classes one per map. */
static struct km_tlb_share *share_of(const struct km_tlb_pass *pass, struct km_tlb_share *share,
				     unsigned map)
{
	if (!share || !pass->by_site)
		return share ? &share[map] : NULL;
	return map == pass->site_map ? share : NULL;
}

static void account(struct km_tlb_counts *counts, unsigned size,
		    const struct km_tlb_outcome *outcome)
{
	counts->refs++;
	counts->l1_misses += outcome->level > 1;
	counts->l2_misses += outcome->level > 2;
	counts->walks[size] += outcome->level > 2;
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS; i++)
		counts->lines[i] += outcome->lines[i];
}

/* What waits goes to the TLB. */
static void drain(struct lane *lane)
{
	struct km_tlb_outcome outcomes[QUEUE];

	km_tlb_access_each(lane->tlb, lane->addr, lane->size, lane->n, outcomes);
	for (uint32_t i = 0; i < lane->n; i++)
		if (lane->share[i])
			account(&lane->share[i]->counts, lane->size[i], &outcomes[i]);
	lane->n = 0;
}

static void drain_all(struct km_tlb_stream *stream)
{
	for (unsigned i = 0; i < stream->nr_cpus; i++)
		for (unsigned k = 0; stream->cpus[i] && k < KM_ACCESSES * KM_TLB_MAPS; k++)
			drain(nth_lane(stream->cpus[i], k));
}

static void queue(struct lane *lane, uint64_t addr, enum km_tlb_size size,
		  struct km_tlb_share *share)
{
	lane->addr[lane->n] = addr;
	lane->size[lane->n] = (uint8_t)size;
	lane->share[lane->n++] = share;
	if (lane->n == QUEUE)
		drain(lane);
}

static void see_page(struct km_tlb_stream *stream, struct cpu_tlbs *cpu, unsigned map,
		     enum km_tlb_size size, uint64_t addr)
{
	uint64_t page;

	if (stream->pass->tlb->spec.host_size < size)
		size = stream->pass->tlb->spec.host_size;
	/* The number of the page, and apart from it the size: below 2^54. */
	page = (addr >> km_tlb_shift[size]) << 2 | size;
	if (km_tlb_curve_add(cpu->curve[map], page & (UINT64_MAX >> 1)))
		stream->failed = -ENOMEM;
	see(stream, &stream->sets[map], page);
}

void km_tlb_stream_touch(struct km_tlb_stream *stream, unsigned cpu_number, unsigned mask,
			 uint64_t addr, struct km_tlb_share *share)
{
	struct cpu_tlbs *cpu = cpu_of(stream, cpu_number);

	for (unsigned map = 0; cpu && map < stream->nr_maps; map++) {
		enum km_tlb_size size = size_of(stream, addr, map);

		for (unsigned access = 0; access < KM_ACCESSES; access++) {
			bool shared = access == stream->pass->share_access;

			if (mask >> access & 1)
				queue(&cpu->lanes[access][map], addr, size,
				      shared ? share_of(stream->pass, share, map) : NULL);
		}
		if (mask & 1)
			see_page(stream, cpu, map, size, addr);
	}
}

void km_tlb_stream_flush(struct km_tlb_stream *stream)
{
	drain_all(stream);
	for (unsigned i = 0; i < stream->nr_cpus; i++)
		for (unsigned k = 0; stream->cpus[i] && k < KM_ACCESSES * KM_TLB_MAPS; k++)
			km_tlb_flush(nth_lane(stream->cpus[i], k)->tlb);
}

int km_tlb_stream_failed(const struct km_tlb_stream *stream)
{
	return stream->failed;
}

/* ---- reading ---- */

static void add_counts(struct km_tlb_counts *into, const struct km_tlb_counts *from)
{
	into->refs += from->refs;
	into->l1_misses += from->l1_misses;
	into->l2_misses += from->l2_misses;
	into->host_walks += from->host_walks;
	for (unsigned i = 0; i < KM_TLB_SIZES; i++)
		into->walks[i] += from->walks[i];
	for (unsigned i = 0; i < KM_TLB_LINE_LEVELS; i++)
		into->lines[i] += from->lines[i];
}

static void read_curves(const struct km_tlb_stream *stream, struct km_tlb_measures *measures)
{
	for (unsigned map = 0; map < KM_TLB_MAPS; map++)
		for (unsigned k = 0; k < KM_TLB_CAPACITIES; k++) {
			uint64_t refs = 0, misses = 0;

			for (unsigned i = 0; i < stream->nr_cpus; i++) {
				if (!stream->cpus[i])
					continue;
				refs += km_tlb_curve_refs(stream->cpus[i]->curve[map]);
				misses += km_tlb_curve_misses(stream->cpus[i]->curve[map],
							      km_tlb_capacities[k]);
			}
			measures->miss_ratio[map][k] = refs ? (double)misses / (double)refs : NAN;
		}
}

void km_tlb_stream_read(struct km_tlb_stream *stream, struct km_tlb_measures *measures)
{
	drain_all(stream);
	for (unsigned i = 0; i < stream->nr_cpus; i++)
		for (unsigned k = 0; stream->cpus[i] && k < KM_ACCESSES * KM_TLB_MAPS; k++) {
			struct km_tlb_counts counts;

			km_tlb_read(nth_lane(stream->cpus[i], k)->tlb, &counts);
			add_counts(&measures->lanes[k / KM_TLB_MAPS][k % KM_TLB_MAPS], &counts);
		}
	for (unsigned map = 0; map < KM_TLB_MAPS; map++)
		for (unsigned i = 0; i < KM_TLB_WINDOWS; i++) {
			uint64_t windows = stream->operations / km_tlb_windows[i];

			measures->working_set[map][i] =
				windows ? (double)stream->sets[map].sum[i] / (double)windows : NAN;
		}
	read_curves(stream, measures);
}
