/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab-capture --chase: what a dependent load costs in the kernel's direct map and in its vmalloc
 * memory, by the number of pages that the chain visits. "page I NUMBER" says where in the direct
 * map (within 1 GiB) node I lies; then a line per measurement, "PLACE PAGES NS". For `kmlab tlb
 * calibrate`, which makes curves and fits of them.
 */
#include "chase.h"

#include <argp.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "chase.skel.h"
#include "privilege.h"
#include "results/options.h"
#include "results/term.h"

#define LINE 64u
#define PAGE 4096u
#define PAGE_NUMBER_BITS 18 /* below 1 GiB: what KASLR leaves as it is */
#define MOST_SIZES 64
#define LEAST_HOPS 16384u

static const char *const place_names[KM_CHASE_PLACES] = {"direct", "vmalloc", "dense"};

struct chase {
	struct chase_bpf *skel;
	struct km_chase_node *nodes; /* mapped */
	uint32_t sizes[MOST_SIZES], nr_sizes, most;
	uint32_t rounds;
	uint64_t random;
	uint32_t *order;
};

static uint64_t next_random(struct chase *chase)
{
	chase->random ^= chase->random << 13;
	chase->random ^= chase->random >> 7;
	return chase->random ^= chase->random << 17;
}

static int call(struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int code = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	return code ? code : opts.retval ? -EIO : 0;
}

/* ---- the chain ---- */

/*
 * A node stays in the page where its value begins, and the lines of neighbours lie at different
 * offsets, so that the sets of the caches are as full as those of lines side by side.
 */
static uint64_t node_offset(enum km_chase_place place, uint64_t address, uint32_t i)
{
	uint64_t room = PAGE - address % PAGE, lines;

	if (place == KM_CHASE_DENSE)
		return 0;
	lines = (room < KM_CHASE_DIRECT_BYTES ? room : KM_CHASE_DIRECT_BYTES) / LINE;
	return lines ? i % lines * LINE : 0;
}

/* One cycle through nodes 0 .. n - 1 in random order (Sattolo). */
static int link_chain(struct chase *chase, enum km_chase_place place, uint32_t n)
{
	struct km_chase_node *nodes = chase->nodes;
	int code;

	chase->skel->bss->place = place;
	chase->skel->bss->count = n;
	code = call(chase->skel->progs.locate);
	for (uint32_t i = 0; i < n; i++)
		chase->order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t other = (uint32_t)(next_random(chase) % i), kept = chase->order[i];

		chase->order[i] = chase->order[other];
		chase->order[other] = kept;
	}
	for (uint32_t i = 0; i < n; i++)
		nodes[i].offset = node_offset(place, nodes[i].address, i);
	for (uint32_t i = 0; i < n; i++) {
		const struct km_chase_node *to = &nodes[chase->order[i]];

		nodes[i].next = to->address + to->offset;
	}
	return code ? code : call(chase->skel->progs.link);
}

/* Nanoseconds per load: whole cycles, after one to warm up. */
static int follow_chain(struct chase *chase, uint32_t n, double *ns)
{
	uint32_t cycles = n < LEAST_HOPS ? (LEAST_HOPS + n - 1) / n : 1;
	int code;

	chase->skel->bss->start = chase->nodes[0].address + chase->nodes[0].offset;
	chase->skel->bss->hops = n;
	code = call(chase->skel->progs.chase);
	chase->skel->bss->hops = (uint64_t)cycles * n;
	if (!code)
		code = call(chase->skel->progs.chase);
	if (!code && !chase->skel->bss->end)
		code = -EFAULT; /* a load failed: the chain is broken */
	*ns = (double)chase->skel->bss->took_ns / (double)((chase->skel->bss->hops + 63) / 64 * 64);
	return code;
}

/* Sets of a TLB are chosen by these bits, and objects lie where the allocator put them. */
static int print_pages(struct chase *chase)
{
	int code;

	chase->skel->bss->place = KM_CHASE_DIRECT;
	chase->skel->bss->count = chase->most;
	code = call(chase->skel->progs.locate);
	for (uint32_t i = 0; i < chase->most && !code; i++)
		printf("page %u %llu\n", i,
		       chase->nodes[i].address / PAGE & ((1u << PAGE_NUMBER_BITS) - 1));
	return code;
}

static int measure(struct chase *chase)
{
	int code = print_pages(chase);

	for (uint32_t round = 0; round < chase->rounds && !code; round++)
		for (uint32_t i = 0; i < chase->nr_sizes && !code; i++)
			for (unsigned place = 0; place < KM_CHASE_PLACES && !code; place++) {
				double ns;

				code = link_chain(chase, place, chase->sizes[i]);
				if (!code)
					code = follow_chain(chase, chase->sizes[i], &ns);
				if (!code)
					printf("%s %u %.4f\n", place_names[place], chase->sizes[i],
					       ns);
				if (km_interrupted())
					code = -EINTR;
			}
	return code;
}

/* ---- programs and maps ---- */

/* The hash map allocates an object per element; it must hold them before the programs look. */
static int fill_direct(struct chase *chase)
{
	static const char value[KM_CHASE_DIRECT_BYTES];
	int map = bpf_map__fd(chase->skel->maps.direct), code = 0;

	for (uint32_t i = 0; i < chase->most && !code; i++)
		code = bpf_map_update_elem(map, &i, value, BPF_ANY);
	return code;
}

static int load(struct chase *chase)
{
	struct bpf_map *maps[4];
	int code = 0;

	chase->skel = chase_bpf__open();
	if (!chase->skel)
		return -errno;
	maps[0] = chase->skel->maps.direct;
	maps[1] = chase->skel->maps.vmalloc;
	maps[2] = chase->skel->maps.dense;
	maps[3] = chase->skel->maps.nodes;
	for (unsigned i = 0; i < 4 && !code; i++)
		code = bpf_map__set_max_entries(maps[i], chase->most);
	return code ? code : chase_bpf__load(chase->skel);
}

/* Why the kernel did not take the programs. */
static void say_why(int code)
{
	unsigned major = 0, minor = 0;
	struct utsname names;

	if (!uname(&names) && sscanf(names.release, "%u.%u", &major, &minor) == 2 &&
	    (major < 6 || (major == 6 && minor < 2)))
		km_error("the pointer-chasing programs need Linux 6.2 or newer, and this is %s; "
			 "without them 'kmlab tlb calibrate' measures user space",
			 names.release);
	else
		km_error("the pointer-chasing programs cannot be loaded: %s; they need Linux 6.2 "
			 "or newer with BTF, and cap_bpf and cap_perfmon (%s)",
			 strerror(-code), km_setcap_command());
}

static int prepare(struct chase *chase)
{
	int code = load(chase);

	if (code) {
		say_why(code);
		return code;
	}
	chase->order = calloc(chase->most, sizeof(*chase->order));
	chase->nodes = mmap(NULL, chase->most * sizeof(*chase->nodes), PROT_READ | PROT_WRITE,
			    MAP_SHARED, bpf_map__fd(chase->skel->maps.nodes), 0);
	if (chase->nodes == MAP_FAILED)
		chase->nodes = NULL;
	code = chase->order && chase->nodes ? fill_direct(chase) : -ENOMEM;
	if (code)
		km_error("%u pages of kernel memory cannot be had: %s", chase->most,
			 strerror(-code));
	return code;
}

/* ---- the command line ---- */

enum { OPT_ROUNDS = 256 };

static const char doc[] =
	"Time dependent loads in the kernel's direct map and vmalloc memory: PAGES is a list like "
	"64,128,4096. Prints 'page I NUMBER' for each object of the direct map, then "
	"'direct|vmalloc|dense PAGES NANOSECONDS', a line per measurement.";

static const struct argp_option argp_options[] = {
	{"rounds", OPT_ROUNDS, "N", 0, "Measure every size so many times (default 9)", 0},
	{0},
};

static void parse_sizes(struct chase *chase, char *list, struct argp_state *state)
{
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		uint32_t n =
			(uint32_t)km_parse_number(state, "PAGES", word, 2, KM_CHASE_MOST_PAGES);

		if (chase->nr_sizes == MOST_SIZES)
			argp_error(state, "at most %d numbers of pages", MOST_SIZES);
		chase->sizes[chase->nr_sizes++] = n;
		if (n > chase->most)
			chase->most = n;
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct chase *chase = state->input;

	switch (key) {
	case OPT_ROUNDS:
		chase->rounds = (uint32_t)km_parse_number(state, "--rounds", arg, 1, 100000);
		return 0;
	case ARGP_KEY_ARG:
		parse_sizes(chase, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no numbers of pages are given");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int km_chase(int argc, char **argv)
{
	static const struct argp argp = {.options = argp_options,
					 .parser = parse_option,
					 .args_doc = "PAGES[,PAGES…]",
					 .doc = doc};
	struct chase chase = {.rounds = 9, .random = 88172645463325252ull};
	int code;

	argp_err_exit_status = KM_EXIT_ERROR;
	if (argp_parse(&argp, argc, argv, 0, NULL, &chase))
		return KM_EXIT_ERROR;
	km_catch_interrupts();
	code = prepare(&chase);
	if (!code) {
		code = measure(&chase);
		if (code && code != -EINTR)
			km_error("the kernel's memory could not be measured: %s", strerror(-code));
	}
	if (chase.nodes)
		munmap(chase.nodes, chase.most * sizeof(*chase.nodes));
	free(chase.order);
	chase_bpf__destroy(chase.skel);
	return !code ? KM_EXIT_OK : code == -EINTR ? KM_EXIT_INTERRUPTED : KM_EXIT_ERROR;
}
