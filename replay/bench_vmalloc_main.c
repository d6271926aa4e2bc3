/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vmalloc+vfree of 16 KiB costs in the model, and of what parts the cost is made; beside
 * kmalloc+kfree of the same size; then what finding an address costs when many areas live.
 *
 *	bench_vmalloc [ROUNDS [AREAS]]	31 rounds, up to 1000000 live areas
 *
 * Everything of a round is measured one after the other in one process, so that a busy machine
 * slows all of it alike; parts are computed within the round. Shown: the median of the rounds and
 * its 95 % interval (bench_figures.h).
 */
#include <kmlab/machine.h>
#include <kmlab/vm_state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/bench_figures.h"
#include "replay/host.h"

#define BYTES 16384u
#define PAGES (BYTES >> KM_PAGE_SHIFT)
#define PAIRS 1600u /* of a measurement; so many areas wait for one purge on one CPU */

/* Linux's own number: measurement with test_vmalloc, fix_size_alloc_test, on AMD Milan (LKML). */
#define LINUX_NS_LOW 910.0
#define LINUX_NS_HIGH 1160.0

/* X(constant, name, how it is got) */
#define PARTS(X)                                                                                   \
	X(ALL, "vmalloc + vfree", "measured whole, with its purges")                               \
	X(ADDRESS, "address search",                                                               \
	  "area without pages, less its descriptor; vmap_area included")                           \
	X(PURGE, "purge share", "one purge of all that waits, by area")                            \
	X(PAGE, "page allocation", "the four pages as this kernel takes and frees them")           \
	X(TABLE, "page-table writes", "vmap + vunmap of four pages, less the area")                \
	X(RECORDS, "vm_struct, page array", "kmalloc + kfree of both")                             \
	X(SUM, "sum of the parts", "")                                                             \
	X(KMALLOC, "kmalloc + kfree", "order-2 block")                                             \
	X(RATIO, "vmalloc / kmalloc", "")                                                          \
	X(LINUX, "model / Linux, low", "of 910 to 1160 ns")

enum part {
#define X(constant, name, how) PART_##constant,
	PARTS(X)
#undef X
		NR_PARTS
};

static const struct {
	const char *name, *how;
} parts[] = {
#define X(constant, name, how) {name, how},
	PARTS(X)
#undef X
};

static unsigned rounds = 31;

/* ---- a machine ---- */

struct subject {
	struct km_env env;
	struct km_machine *machine;
	bool blocks; /* pages in blocks, as 7.x takes them */
	km_pfn frames[PAGES];
	double ns[NR_PARTS][KM_BENCH_MAX_VALUES];
};

static void start(struct subject *s, const char *profile, uint64_t memory)
{
	struct km_machine_spec spec = {.model = km_model_find("slub"),
				       .profile = *km_profile_find(profile),
				       .cpus = 1,
				       .memory_bytes = memory};

	memset(s, 0, sizeof(*s));
	km_host_env(&s->env, 1);
	s->blocks = spec.profile.vmalloc_high_orders;
	if (km_machine_create(&s->env, &spec, &s->machine)) {
		fprintf(stderr, "bench_vmalloc: no memory for a machine of %llu GiB\n",
			(unsigned long long)(memory >> 30));
		exit(2);
	}
	for (unsigned i = 0; i < PAGES; i++)
		s->frames[i] = km_alloc_pages(s->machine, 0, KM_GFP_KERNEL, 0);
}

static void must_have(uint64_t addr)
{
	if (addr)
		return;
	fprintf(stderr, "bench_vmalloc: the machine has no more memory\n");
	exit(2);
}

/* ---- pairs of calls: ns each ---- */

static double time_vmalloc(struct subject *s, uint32_t flags)
{
	double begin = km_bench_now_ns();

	for (unsigned i = 0; i < PAIRS; i++) {
		uint64_t addr = km_vmalloc(s->machine, 0, BYTES, 0, KM_GFP_KERNEL, flags);

		must_have(addr);
		km_vfree(s->machine, 0, addr);
	}
	return (km_bench_now_ns() - begin) / PAIRS;
}

static double time_vmap(struct subject *s)
{
	double begin = km_bench_now_ns();

	for (unsigned i = 0; i < PAIRS; i++) {
		uint64_t addr = km_vmap(s->machine, 0, s->frames, PAGES);

		must_have(addr);
		km_vfree(s->machine, 0, addr);
	}
	return (km_bench_now_ns() - begin) / PAIRS;
}

static double time_purge(struct subject *s)
{
	double begin = km_bench_now_ns();

	km_vmalloc_purge(s->machine->vm, 0);
	return (km_bench_now_ns() - begin) / PAIRS;
}

static double time_kmalloc(struct subject *s, uint64_t bytes, uint32_t gfp)
{
	double begin = km_bench_now_ns();

	for (unsigned i = 0; i < PAIRS; i++)
		km_kfree(s->machine, 0, km_kmalloc(s->machine, 0, bytes, gfp, -1));
	return (km_bench_now_ns() - begin) / PAIRS;
}

static double time_pages(struct subject *s)
{
	uint32_t gfp = KM_GFP_KERNEL | KM_GFP_NOWARN | KM_GFP_HIGHMEM;
	const struct km_page_ops *ops = s->machine->model->page;
	double begin = km_bench_now_ns();
	km_pfn pfns[PAGES];

	for (unsigned i = 0; i < PAIRS; i++) {
		if (s->blocks) {
			pfns[0] = ops->alloc(s->machine->page, 0, gfp, 2);
			ops->free(s->machine->page, 0, pfns[0], 2);
			continue;
		}
		ops->alloc_bulk(s->machine->page, 0, gfp, PAGES, pfns);
		for (unsigned k = 0; k < PAGES; k++)
			ops->free(s->machine->page, 0, pfns[k], 0);
	}
	return (km_bench_now_ns() - begin) / PAIRS;
}

static void measure(struct subject *s, unsigned round)
{
	double space, descriptor, sum = 0;

	s->ns[PART_ALL][round] = time_vmalloc(s, 0);
	s->ns[PART_KMALLOC][round] = time_kmalloc(s, BYTES, KM_GFP_KERNEL);
	km_vmalloc_purge(s->machine->vm, 0);
	km_vmalloc_hold_purges(s->machine->vm, true);
	space = time_vmalloc(s, KM_VM_NO_PAGES);
	s->ns[PART_PURGE][round] = time_purge(s);
	s->ns[PART_TABLE][round] = time_vmap(s) - space;
	km_vmalloc_purge(s->machine->vm, 0);
	km_vmalloc_hold_purges(s->machine->vm, false);
	descriptor = time_kmalloc(s, 64, KM_GFP_KERNEL | KM_GFP_ZERO);
	s->ns[PART_ADDRESS][round] = space - descriptor;
	s->ns[PART_RECORDS][round] =
		descriptor + time_kmalloc(s, PAGES * 8, KM_GFP_KERNEL | KM_GFP_ZERO);
	s->ns[PART_PAGE][round] = time_pages(s);
	for (unsigned part = PART_ADDRESS; part < PART_SUM; part++)
		sum += s->ns[part][round];
	s->ns[PART_SUM][round] = sum;
	s->ns[PART_RATIO][round] = s->ns[PART_ALL][round] / s->ns[PART_KMALLOC][round];
	s->ns[PART_LINUX][round] = s->ns[PART_ALL][round] / LINUX_NS_LOW;
}

/* ---- tables ---- */

static void print_figure(const double *values, const char *format)
{
	struct km_bench_figure figure = km_bench_figure(values, rounds);
	char text[KM_BENCH_TEXT];

	printf(" %22s", km_bench_text(&figure, format, text));
}

static void by_part(void)
{
	static const char *const profiles[] = {"6.1", "6.12", "7.2"};
	static struct subject subjects[3];

	for (unsigned i = 0; i < 3; i++)
		start(&subjects[i], profiles[i], 1ull << 30);
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < 3; i++)
			measure(&subjects[i], round);
	printf("16 KiB, 1 CPU, %u rounds of %u pairs; ns per pair, and ratios\n%-22s", rounds,
	       PAIRS, "");
	for (unsigned i = 0; i < 3; i++)
		printf(" %22s", profiles[i]);
	printf("\n");
	for (unsigned part = 0; part < NR_PARTS; part++) {
		printf("%-22s", parts[part].name);
		for (unsigned i = 0; i < 3; i++)
			print_figure(subjects[i].ns[part], part >= PART_RATIO ? "%.2f" : "%.0f");
		printf("%s%s\n", *parts[part].how ? "  # " : "", parts[part].how);
	}
	for (unsigned i = 0; i < 3; i++)
		km_machine_destroy(subjects[i].machine);
}

/* ---- many areas ---- */

static uint64_t some_bytes(struct km_env *dice)
{
	return (1 + km_env_random(dice) % 16) << KM_PAGE_SHIFT;
}

/* `areas` live ones with as many holes of random sizes between them. */
static struct km_machine *fill(struct subject *s, unsigned areas, struct km_env *dice)
{
	uint64_t *addr = calloc(areas * 2ull, sizeof(*addr));

	start(s, "6.1", 2ull << 30);
	km_vmalloc_hold_purges(s->machine->vm, true);
	for (unsigned i = 0; addr && i < areas * 2; i++) {
		addr[i] = km_vmalloc(s->machine, 0, some_bytes(dice), 0, KM_GFP_KERNEL,
				     KM_VM_NO_PAGES);
		must_have(addr[i]);
	}
	for (unsigned i = 0; addr && i < areas * 2; i += 2)
		km_vfree(s->machine, 0, addr[i]);
	km_vmalloc_purge(s->machine->vm, 0);
	free(addr);
	return s->machine;
}

static void by_areas(unsigned most)
{
	static struct subject subject;
	struct km_env dice = {.random_state = 3};
	double ns[KM_BENCH_MAX_VALUES];

	printf("\naddress search + parking + purge share, 6.1, random sizes of 1 to 16 pages\n"
	       "%-12s %22s %12s\n",
	       "live areas", "ns per pair", "tree height");
	for (unsigned areas = 1000; areas <= most; areas *= 10) {
		struct km_machine *machine = fill(&subject, areas, &dice);
		struct km_vm_state state;
		unsigned height = 0;

		for (unsigned round = 0; round < rounds; round++) {
			double begin = km_bench_now_ns();

			for (unsigned i = 0; i < PAIRS; i++)
				km_vfree(machine, 0,
					 km_vmalloc(machine, 0, some_bytes(&dice), 0, KM_GFP_KERNEL,
						    KM_VM_NO_PAGES));
			km_vmalloc_purge(machine->vm, 0);
			ns[round] = (km_bench_now_ns() - begin) / PAIRS;
		}
		printf("%-12u", areas);
		print_figure(ns, "%.0f");
		if (km_vmalloc_save_state(machine->vm, &state) == 0) {
			for (size_t i = 0; i < state.nr_free; i++)
				height =
					state.free[i].depth > height ? state.free[i].depth : height;
			printf(" %12u", height + 1);
			km_vmalloc_release_state(machine->vm, &state);
		}
		printf("\n");
		km_machine_destroy(machine);
	}
}

static const char discussion[] =
	"\nLinux 5.2-6.x needs 910 to 1160 ns for this pair (test_vmalloc, fix_size_alloc, AMD "
	"Milan; LKML,\n"
	"U. Rezki). The model takes the same decisions and writes the same entries, but it takes "
	"no lock and\n"
	"masks no interrupt, flushes no TLB and interrupts no other CPU for it, clears no page, "
	"keeps no\n"
	"statistics, and calls through no mitigation of speculation; its records lie in a warm "
	"cache. What\n"
	"remains of the kernel's time when the model's is taken away is the price of these.\n";

int main(int argc, char **argv)
{
	unsigned most = argc > 2 ? (unsigned)atoi(argv[2]) : 1000000;

	rounds = argc > 1 ? (unsigned)atoi(argv[1]) : rounds;
	if (rounds < 5 || rounds > KM_BENCH_MAX_VALUES || most < 1000 || most > 4000000) {
		fprintf(stderr, "bench_vmalloc: 5 to %d rounds, 1000 to 4000000 areas\n",
			KM_BENCH_MAX_VALUES);
		return 2;
	}
	by_part();
	by_areas(most);
	fputs(discussion, stdout);
	return 0;
}
