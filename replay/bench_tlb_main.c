/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast the TLB model is and whether it keeps to the closed forms: make bench-tlb. References
 * per second of one core, median of rounds in which all streams take turns, and the range that 9
 * of 10 lie in. First the references that the lab itself makes: those of the samples' objects, all
 * of them, under A0 and A1, in kmalloc memory mapped by 4 KiB and by 2 MiB, and in vmalloc memory,
 * each CPU's in a TLB of its own. Then streams of which all hit, all walk, and between.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/access.h"
#include "replay/host.h"
#include "replay/tlb_choice.h"
#include "results/sorted.h"
#include "results/term.h"

#define REFS (1u << 18)
#define ROUNDS 21
#define MOST_CPUS 64
#define MOST_STREAMS 128

static const char *const cores[] = {"golden-cove", "zen4"};
#define NR_CORES 2

/* What one CPU refers to. */
struct refs {
	uint64_t *addrs;
	uint8_t *sizes; /* NULL: 4 KiB */
	size_t n, room;
};

struct stream {
	char what[64];
	struct refs refs[MOST_CPUS];
	struct km_tlb *tlb[NR_CORES][MOST_CPUS];
	double rates[NR_CORES][ROUNDS];
};

static struct stream *streams;
static unsigned nr_streams, nr_sampled; /* these come first */
static struct km_env env;

static struct stream *new_stream(void)
{
	return nr_streams < MOST_STREAMS ? &streams[nr_streams++] : NULL;
}

static void add_ref(struct refs *refs, uint64_t addr, enum km_tlb_size size)
{
	if (refs->n == refs->room) {
		refs->room = refs->room ? 2 * refs->room : 4096;
		refs->addrs = realloc(refs->addrs, refs->room * sizeof(*refs->addrs));
		refs->sizes = realloc(refs->sizes, refs->room);
		if (!refs->addrs || !refs->sizes)
			exit(KM_EXIT_ERROR);
	}
	refs->addrs[refs->n] = addr;
	refs->sizes[refs->n++] = (uint8_t)size;
}

/* ---- the samples' references ---- */

static const struct {
	const char *what, *model;
	enum km_tlb_size direct;
} placements[] = {
	{"kmalloc 4K", "slub", KM_TLB_4K},
	{"kmalloc 2M", "slub", KM_TLB_2M},
	{"vmalloc", "vmalloc", KM_TLB_2M},
};

struct sampling {
	struct km_access access;
	enum km_tlb_size direct;
	struct stream *to[2]; /* A0, A1 */
};

static void on_touch(void *to, unsigned cpu, unsigned mask, uint64_t addr, size_t op)
{
	struct sampling *sampling = to;
	enum km_tlb_size size = addr >= KM_VMEMMAP_BASE ? KM_TLB_2M : sampling->direct;
	bool huge;

	(void)op;
	if (km_is_vmalloc_addr(addr)) {
		km_frames_of(sampling->access.frames, addr, &huge);
		size = huge ? KM_TLB_2M : KM_TLB_4K;
	}
	for (unsigned i = 0; i < 2; i++)
		if (mask >> i & 1)
			add_ref(&sampling->to[i]->refs[cpu % MOST_CPUS], addr, size);
}

static void sample_placement(const char *name, struct km_trace *trace,
			     const struct km_program *program, const struct km_start *start,
			     unsigned which)
{
	struct sampling sampling = {.direct = placements[which].direct};
	struct km_access_spec spec;
	struct km_model_choice choice;
	struct km_err err = {""};

	for (unsigned i = 0; i < 2; i++) {
		sampling.to[i] = new_stream();
		if (!sampling.to[i])
			exit(KM_EXIT_ERROR);
		snprintf(sampling.to[i]->what, sizeof(sampling.to[i]->what), "%s A%u, %s", name, i,
			 placements[which].what);
	}
	sampling.access = (struct km_access){
		.spec = &spec, .site_to_vmalloc = UINT32_MAX, .touch = on_touch, .to = &sampling};
	if (km_access_parse("A1", &spec, &err) ||
	    km_model_choice_parse(placements[which].model, &choice, &err) ||
	    km_replayer_create(program, trace, start, &choice, 1, &sampling.access.replayer,
			       &err) ||
	    km_access_begin(&sampling.access, 1)) {
		fprintf(stderr, "kmlab: %s: %s\n", name, err.text[0] ? err.text : "no memory");
		exit(KM_EXIT_ERROR);
	}
	for (size_t i = 0; i < program->nr_ops; i++)
		km_access_step(&sampling.access, i);
	km_access_end(&sampling.access);
	km_replayer_destroy(sampling.access.replayer);
}

static void sample(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct km_program *program;
	struct km_trace *trace;
	struct km_start start;
	struct km_err err = {""};
	char text[24];

	if (km_trace_open(path, &trace, &err) || km_start_read(trace, &start, &err) ||
	    km_compile(trace, NULL, NULL, &program, &err)) {
		fprintf(stderr, "kmlab: %s\n", err.text);
		exit(KM_EXIT_ERROR);
	}
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(name, "."), name);
	for (unsigned i = 0; i < sizeof(placements) / sizeof(placements[0]); i++)
		sample_placement(text, trace, program, &start, i);
	km_program_free(program);
	km_trace_close(trace);
}

/* ---- made up ---- */

static uint64_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((random_state >> 33) % below);
}

/* Objects of 256 bytes anywhere in so many pages, each line in turn, every fourth again. */
static void make_objects(const char *what, uint32_t pages)
{
	struct stream *stream = new_stream();
	uint64_t object = 0;

	snprintf(stream->what, sizeof(stream->what), "%s", what);
	for (uint32_t i = 0; i < REFS; i++) {
		if (i % 4 == 0 && next_random(4))
			object = KM_DIRECT_MAP_BASE + (uint64_t)next_random(pages * 16) * 256;
		add_ref(&stream->refs[0], object + i % 4 * 64, KM_TLB_4K);
	}
}

static void make_uniform(const char *what, uint32_t pages)
{
	struct stream *stream = new_stream();

	snprintf(stream->what, sizeof(stream->what), "%s", what);
	for (uint32_t i = 0; i < REFS; i++)
		add_ref(&stream->refs[0],
			KM_DIRECT_MAP_BASE + ((uint64_t)next_random(pages) << KM_PAGE_SHIFT),
			KM_TLB_4K);
}

/* ---- measuring ---- */

/* M/s. */
static double run_stream(const struct stream *stream, unsigned core, unsigned passes)
{
	uint64_t begin = km_clock_ns();
	size_t refs = 0;

	for (unsigned pass = 0; pass < passes; pass++)
		for (unsigned cpu = 0; cpu < MOST_CPUS; cpu++) {
			const struct refs *to = &stream->refs[cpu];

			if (to->n)
				km_tlb_access_each(stream->tlb[core][cpu], to->addrs, to->sizes,
						   to->n, NULL);
			refs += to->n;
		}
	return (double)refs * 1e3 / (double)(km_clock_ns() - begin);
}

static void make_tlbs(struct stream *stream)
{
	struct km_tlb_choice choice;

	for (unsigned core = 0; core < NR_CORES; core++)
		for (unsigned cpu = 0; cpu < MOST_CPUS; cpu++)
			if (stream->refs[cpu].n &&
			    (km_tlb_choose(cores[core], &choice, NULL) ||
			     km_tlb_create(&env, &choice.spec, &stream->tlb[core][cpu])))
				exit(KM_EXIT_ERROR);
}

static size_t refs_of(const struct stream *stream)
{
	size_t refs = 0;

	for (unsigned cpu = 0; cpu < MOST_CPUS; cpu++)
		refs += stream->refs[cpu].n;
	return refs;
}

static void measure_all(void)
{
	for (unsigned i = 0; i < nr_streams; i++) {
		make_tlbs(&streams[i]);
		for (unsigned core = 0; core < NR_CORES; core++)
			run_stream(&streams[i], core, 1);
	}
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < NR_CORES * nr_streams; i++) {
			struct stream *stream = &streams[i / NR_CORES];
			size_t refs = refs_of(stream);

			stream->rates[i % NR_CORES][round] =
				run_stream(stream, i % NR_CORES,
					   refs && refs < REFS ? (unsigned)(REFS / refs) : 1);
		}
}

/* What the lab takes for the samples' references of one placement and model, or for all of them. */
static void print_sampled(const char *what, const char *suffix, unsigned core)
{
	double rates[ROUNDS];
	size_t refs = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		double us = 0;

		refs = 0;
		for (unsigned i = 0; i < nr_sampled; i++) {
			const char *name = streams[i].what;
			size_t n = refs_of(&streams[i]);

			if (strlen(name) < strlen(suffix) ||
			    strcmp(name + strlen(name) - strlen(suffix), suffix))
				continue;
			refs += n;
			us += (double)n / streams[i].rates[core][round];
		}
		rates[round] = (double)refs / us;
	}
	km_sort(rates, ROUNDS);
	printf("%-12s %-38s %8zu %5.0f  [%.0f, %.0f]\n", cores[core], what, refs, rates[ROUNDS / 2],
	       rates[ROUNDS / 20], rates[ROUNDS - 1 - ROUNDS / 20]);
}

/* Misses of a cold and some warm passes. */
static void print_stream(struct stream *stream, unsigned core)
{
	double *rates = stream->rates[core], l1 = 0, l2 = 0, refs = 0;

	for (unsigned cpu = 0; cpu < MOST_CPUS; cpu++) {
		struct km_tlb_counts counts;

		if (!stream->refs[cpu].n)
			continue;
		km_tlb_read(stream->tlb[core][cpu], &counts);
		refs += (double)counts.refs;
		l1 += (double)counts.l1_misses;
		l2 += (double)counts.l2_misses;
		km_tlb_destroy(stream->tlb[core][cpu]);
	}
	km_sort(rates, ROUNDS);
	printf("%-12s %-38s %8zu %5.0f  [%.0f, %.0f]  %8.1f %8.1f\n", cores[core], stream->what,
	       refs_of(stream), rates[ROUNDS / 2], rates[ROUNDS / 20],
	       rates[ROUNDS - 1 - ROUNDS / 20], l1 * 1e3 / refs, l2 * 1e3 / refs);
}

/* ---- closed forms ---- */

static double miss_ratio(enum km_tlb_policy policy, uint32_t entries, uint32_t pages, bool cyclic)
{
	const struct km_tlb_spec spec = {
		.l1 = {{entries, 0, KM_TLB_HOLDS_ALL, (uint8_t)policy}},
		.levels = 4,
		.host_size = KM_TLB_1G,
	};
	struct km_tlb_counts counts;
	struct km_tlb *tlb;

	km_host_env(&env, 7);
	if (km_tlb_create(&env, &spec, &tlb))
		exit(KM_EXIT_ERROR);
	for (uint32_t i = 0; i < 400 * pages; i++) {
		if (i == 100 * pages)
			km_tlb_reset_counts(tlb);
		km_tlb_access(tlb,
			      (uint64_t)(cyclic ? i % pages : next_random(pages)) << KM_PAGE_SHIFT,
			      KM_TLB_4K);
	}
	km_tlb_read(tlb, &counts);
	km_tlb_destroy(tlb);
	return (double)counts.l1_misses / (double)counts.refs;
}

static bool compare_form(const char *what, double got, double want)
{
	double off = want > 0 ? fabs(got / want - 1) : got;

	printf("%-58s %.4f  %.4f  %.2f %%\n", what, got, want, off * 100);
	return off <= 0.01;
}

/* m = 1 - exp(-m n / C) */
static double random_cycle(double n, double c)
{
	double m = 1;

	for (unsigned i = 0; i < 300; i++)
		m = 1 - exp(-m * n / c);
	return m;
}

static bool closed_forms(void)
{
	bool all = true;

	printf("\n%-58s %-7s %-7s off\n", "closed form", "model", "form");
	for (unsigned policy = 0; policy < KM_TLB_POLICIES; policy++) {
		char what[80];

		snprintf(what, sizeof(what), "uniform over 4096 pages, 3072 entries, %s: 1 - C/n",
			 km_tlb_policy_names[policy]);
		all &= compare_form(what, miss_ratio(policy, 3072, 4096, false), 0.25);
	}
	all &= compare_form("cyclic over 72 pages, 72 entries, lru: 0",
			    miss_ratio(KM_TLB_LRU, 72, 72, true), 0);
	all &= compare_form("cyclic over 73 pages, 72 entries, lru: 1",
			    miss_ratio(KM_TLB_LRU, 72, 73, true), 1);
	all &= compare_form("cyclic over 4096 pages, 3072 entries, random: 1-exp(-mn/C)",
			    miss_ratio(KM_TLB_RANDOM, 3072, 4096, true), random_cycle(4096, 3072));
	all &= compare_form("cyclic over 8192 pages, 3072 entries, random: 1-exp(-mn/C)",
			    miss_ratio(KM_TLB_RANDOM, 3072, 8192, true), random_cycle(8192, 3072));
	return all;
}

/* Samples to take references from: the bundled ones, unless others are named. */
int main(int argc, char **argv)
{
	static const char *const bundled[] = {"fork", "messages", "compile", "walk"};
	char path[64];

	km_host_env(&env, 1);
	streams = calloc(MOST_STREAMS, sizeof(*streams));
	if (!streams)
		return KM_EXIT_ERROR;
	for (int i = 1; i < argc; i++)
		sample(argv[i]);
	for (unsigned i = 0; argc < 2 && i < sizeof(bundled) / sizeof(bundled[0]); i++) {
		snprintf(path, sizeof(path), "traces/samples/%s.kmt", bundled[i]);
		sample(path);
	}
	nr_sampled = nr_streams;
	if (nr_streams + 6 > MOST_STREAMS)
		return KM_EXIT_ERROR;
	make_objects("every line of random objects, 16 MiB", 4096);
	make_objects("every line of random objects, 2 MiB", 512);
	make_uniform("uniform over 64 pages (L1 hits)", 64);
	make_uniform("uniform over 104 pages (some L1 hits)", 104);
	make_uniform("uniform over 1024 pages (L2 hits)", 1024);
	make_uniform("uniform over 65536 pages (walks)", 65536);
	measure_all();
	printf("%-12s %-38s %8s %5s  %-12s %8s %8s\n", "TLB", "references", "number", "M/s",
	       "[5 %, 95 %]", "L1/kref", "L2/kref");
	for (unsigned core = 0; core < NR_CORES; core++) {
		print_sampled("all of the samples'", "", core);
		print_sampled("  A0, vmalloc", "A0, vmalloc", core);
		for (unsigned i = 0; i < nr_streams; i++)
			print_stream(&streams[i], core);
	}
	return closed_forms() ? KM_EXIT_OK : KM_EXIT_NO;
}
