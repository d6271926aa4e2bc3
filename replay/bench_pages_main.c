/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a page costs: the buddy model beside user-space allocators that hand out aligned 4 KiB (2
 * MiB) blocks, in one process, interleaved round by round. Nobody writes to the memory handed out:
 * what is compared is the bookkeeping. Then the model alone on machines from 1 GiB to 1 TiB.
 *
 *	bench_pages [ROUNDS [PAGES]]	15 rounds, 262144 pages held at most
 *
 * repeat: allocate one, free it. bulk: allocate all, free all in the same order. random: free them
 * in random order. array: alloc_pages_bulk() 64 at a time, then as bulk. huge: as bulk, blocks of 2
 * MiB, of which there are so few that each measurement passes over them PASSES times, after once to
 * fetch what the others' turns drove from the caches. Shown: medians of ns per call and of the
 * rounds' ratios to the model, with 95 % intervals (bench_figures.h).
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kmlab/machine.h>

#include "replay/bench_figures.h"
#include "replay/host.h"

#define ARRAY 64u
#define HUGE_ORDER 9u
#define PASSES 32u

enum pattern { REPEAT, BULK, RANDOM, IN_ARRAYS, HUGE, NR_PATTERNS };
static const char *const pattern_names[] = {"repeat", "bulk", "random", "array", "huge"};

struct subject {
	const char *name;
	struct km_machine *machine; /* or NULL: */
	void *(*aligned_alloc)(size_t align, size_t size);
	void (*free)(void *memory);
	struct km_env env;
	double alloc[NR_PATTERNS][KM_BENCH_MAX_VALUES], freed[NR_PATTERNS][KM_BENCH_MAX_VALUES];
};

static unsigned rounds = 15;
static uint32_t pages = 262144, *order_of_frees;
static uint64_t *held;

static void print_figure(struct km_bench_figure figure, int width, const char *format)
{
	char text[KM_BENCH_TEXT];

	printf(" %*s", width, km_bench_text(&figure, format, text));
}

/* ---- one call ---- */

static inline uint64_t take(struct subject *s, unsigned order)
{
	if (s->machine)
		return km_alloc_pages(s->machine, 0, KM_GFP_KERNEL, order).value;
	return (uintptr_t)s->aligned_alloc(KM_PAGE_SIZE << order, KM_PAGE_SIZE << order);
}

static inline void give(struct subject *s, uint64_t block, unsigned order)
{
	if (s->machine)
		km_free_pages(s->machine, 0, (km_pfn){block}, order);
	else
		s->free((void *)(uintptr_t)block);
}

static void must_have(uint64_t block, const struct subject *s)
{
	if (block && block != UINT64_MAX)
		return;
	fprintf(stderr, "bench_pages: %s has no more memory; ask for fewer pages\n", s->name);
	exit(2);
}

/* ---- patterns: ns per allocation and per free ---- */

static void measure_repeat(struct subject *s, double *alloc, double *freed)
{
	double start = km_bench_now_ns(), pair;

	for (uint32_t i = 0; i < pages; i++)
		give(s, take(s, 0), 0);
	pair = (km_bench_now_ns() - start) / pages;
	/* Too short to tell apart: half each. */
	*alloc = *freed = pair / 2;
}

static void fill_arrays(struct subject *s)
{
	km_pfn pfns[ARRAY];

	for (uint32_t i = 0; i < pages;) {
		uint32_t wanted = pages - i < ARRAY ? pages - i : ARRAY;
		uint32_t got = km_alloc_pages_bulk(s->machine, 0, KM_GFP_KERNEL, wanted, pfns);

		if (!got)
			must_have(0, s);
		for (uint32_t k = 0; k < got; k++)
			held[i++] = pfns[k].value;
	}
}

static void measure_held(struct subject *s, enum pattern pattern, double *alloc, double *freed)
{
	unsigned order = pattern == HUGE ? HUGE_ORDER : 0;
	uint32_t count = pages >> order;
	double start = km_bench_now_ns(), middle;

	if (pattern == IN_ARRAYS) {
		fill_arrays(s);
	} else {
		for (uint32_t i = 0; i < count; i++)
			held[i] = take(s, order);
	}
	middle = km_bench_now_ns();
	for (uint32_t i = 0; i < count; i++)
		must_have(held[i], s);
	*alloc = (middle - start) / count;
	start = km_bench_now_ns();
	for (uint32_t i = 0; i < count; i++)
		give(s, held[pattern == RANDOM ? order_of_frees[i] : i], order);
	*freed = (km_bench_now_ns() - start) / count;
}

static void measure_huge(struct subject *s, double *alloc, double *freed)
{
	measure_held(s, HUGE, alloc, freed);
	*alloc = *freed = 0;
	for (unsigned i = 0; i < PASSES; i++) {
		double a, f;

		measure_held(s, HUGE, &a, &f);
		*alloc += a / PASSES;
		*freed += f / PASSES;
	}
}

static void measure(struct subject *s, enum pattern pattern, unsigned round)
{
	double *alloc = &s->alloc[pattern][round], *freed = &s->freed[pattern][round];

	if (pattern == REPEAT)
		measure_repeat(s, alloc, freed);
	else if (pattern == HUGE)
		measure_huge(s, alloc, freed);
	else
		measure_held(s, pattern, alloc, freed);
}

/* ---- subjects ---- */

static void start_machine(struct subject *s, const char *name, const char *profile, uint64_t bytes)
{
	struct km_machine_spec spec = {
		.model = km_model_find("slub"), .cpus = 1, .memory_bytes = bytes, .thp = true};

	memset(s, 0, sizeof(*s));
	s->name = name;
	spec.profile = *km_profile_find(profile);
	km_host_env(&s->env, 1);
	if (km_machine_create(&s->env, &spec, &s->machine)) {
		fprintf(stderr, "bench_pages: no memory for a machine of %llu GiB\n",
			(unsigned long long)(bytes >> 30));
		exit(2);
	}
}

static bool load_library(struct subject *s, const char *name, const char *file)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);

	memset(s, 0, sizeof(*s));
	s->name = name;
	if (!library) {
		printf("%s is left out: %s\n", name, dlerror());
		return false;
	}
	s->aligned_alloc = (void *(*)(size_t, size_t))dlsym(library, "aligned_alloc");
	s->free = (void (*)(void *))dlsym(library, "free");
	return s->aligned_alloc && s->free;
}

/* ---- tables ---- */

static void print_row(const struct subject *s, const struct subject *model, enum pattern pattern)
{
	double pair[2][KM_BENCH_MAX_VALUES];

	printf("%-8s %-10s", pattern_names[pattern], s->name);
	print_figure(km_bench_figure(s->alloc[pattern], rounds), 20, "%.1f");
	print_figure(km_bench_figure(s->freed[pattern], rounds), 20, "%.1f");
	for (unsigned i = 0; i < rounds; i++) {
		pair[0][i] = s->alloc[pattern][i] + s->freed[pattern][i];
		pair[1][i] = model->alloc[pattern][i] + model->freed[pattern][i];
	}
	print_figure(km_bench_ratio(pair[0], pair[1], rounds), 20, "%.2f");
	printf("\n");
}

static void beside_peers(void)
{
	static struct subject subjects[5];
	unsigned count = 2;

	start_machine(&subjects[0], "kmlab 6.1", "6.1", 16ull << 30);
	start_machine(&subjects[1], "kmlab 7.2", "7.2", 16ull << 30);
	count += load_library(&subjects[count], "glibc", "libc.so.6");
	count += load_library(&subjects[count], "jemalloc", "libjemalloc.so.2");
	count += load_library(&subjects[count], "mimalloc", "libmimalloc.so.2");
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned pattern = 0; pattern < NR_PATTERNS; pattern++)
			for (unsigned i = 0; i < count; i++)
				if (pattern != IN_ARRAYS || subjects[i].machine)
					measure(&subjects[i], (enum pattern)pattern, round);
	printf("%u pages, machines of 16 GiB, %u rounds\n%-8s %-10s %20s %20s %20s\n", pages,
	       rounds, "pattern", "allocator", "alloc ns", "free ns", "both / kmlab 6.1");
	for (unsigned pattern = 0; pattern < NR_PATTERNS; pattern++)
		for (unsigned i = 0; i < count; i++)
			if (pattern != IN_ARRAYS || subjects[i].machine)
				print_row(&subjects[i], &subjects[0], (enum pattern)pattern);
	for (unsigned i = 0; i < 2; i++)
		km_machine_destroy(subjects[i].machine);
}

static void by_memory(void)
{
	static const unsigned gib[] = {1, 16, 128, 1024};
	static struct subject subjects[4];
	static char names[4][16];

	if (pages > 131072)
		pages = 131072;
	for (unsigned i = 0; i < 4; i++) {
		snprintf(names[i], sizeof(names[i]), "%u GiB", gib[i]);
		start_machine(&subjects[i], names[i], "6.1", (uint64_t)gib[i] << 30);
	}
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned pattern = 0; pattern < NR_PATTERNS; pattern++)
			for (unsigned i = 0; i < 4; i++)
				measure(&subjects[i], (enum pattern)pattern, round);
	printf("\n%u pages of 6.1, by the machine's memory\n%-8s %-10s %20s %20s %20s\n", pages,
	       "pattern", "memory", "alloc ns", "free ns", "both / 1 GiB");
	for (unsigned pattern = 0; pattern < NR_PATTERNS; pattern++)
		for (unsigned i = 0; i < 4; i++)
			print_row(&subjects[i], &subjects[0], (enum pattern)pattern);
	for (unsigned i = 0; i < 4; i++)
		km_machine_destroy(subjects[i].machine);
}

/* ---- what the model's records take ---- */

static uint64_t asked;

static void *counted_alloc(void *context, size_t bytes)
{
	struct km_env *inner = context;

	asked += bytes;
	return inner->alloc(inner->context, bytes);
}

static void counted_release(void *context, void *memory, size_t bytes)
{
	struct km_env *inner = context;

	inner->release(inner->context, memory, bytes);
}

static void print_state_bytes(void)
{
	struct km_zone_spec zone = {KM_ZONE_NORMAL, 1 << 20, 1ull << 28, 1ull << 28, 1ull << 28};
	struct km_machine machine = {.max_pfn = (1 << 20) + (1ull << 28)};
	const struct km_page_ops *ops = km_model_find("slub")->page;
	struct km_env host,
		env = {.alloc = counted_alloc, .release = counted_release, .context = &host};

	km_host_env(&host, 1);
	machine.env = &env;
	machine.spec = (struct km_machine_spec){
		.profile = *km_profile_find("6.1"), .cpus = 1, .nr_zones = 1, .zones = {zone}};
	if (ops->create(&machine, &machine.page))
		return;
	printf("\nstate: %.2f bytes per modelled page (1 TiB)\n",
	       (double)asked / (double)machine.max_pfn);
	ops->destroy(machine.page);
}

int main(int argc, char **argv)
{
	static const char tunable[] = "glibc.rtld.optional_static_tls=32768";
	uint64_t state = 1;

	/* Allocators loaded late want more thread-local memory than is set aside. */
	if (!getenv("GLIBC_TUNABLES") && !setenv("GLIBC_TUNABLES", tunable, 1))
		execv("/proc/self/exe", argv);
	rounds = argc > 1 ? (unsigned)atoi(argv[1]) : rounds;
	pages = argc > 2 ? (uint32_t)atoi(argv[2]) : pages;
	if (rounds < 1 || rounds > KM_BENCH_MAX_VALUES || pages < 1024 || pages > 2000000) {
		fprintf(stderr, "bench_pages: 1 to %d rounds, 1024 to 2000000 pages\n",
			KM_BENCH_MAX_VALUES);
		return 2;
	}
	held = calloc(pages, sizeof(*held));
	order_of_frees = calloc(pages, sizeof(*order_of_frees));
	if (!held || !order_of_frees)
		return 2;
	for (uint32_t i = 0; i < pages; i++) {
		uint32_t other;

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		other = (uint32_t)((state >> 33) % (i + 1));
		order_of_frees[i] = order_of_frees[other];
		order_of_frees[other] = i;
	}
	beside_peers();
	if (pages > 131072)
		for (uint32_t i = 0, k = 0; i < pages; i++)
			if (order_of_frees[i] < 131072)
				order_of_frees[k++] = order_of_frees[i];
	by_memory();
	print_state_bytes();
	return 0;
}
