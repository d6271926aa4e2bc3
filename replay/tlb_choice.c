/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cores whose data TLBs are published (WikiChip, vendors' optimisation guides, CPUID), for bare
 * metal: walk costs are cache latencies in cycles, nothing of them is calibrated. "host" is the
 * stored calibration where it is of this CPU, else the table's core of the same family and model.
 */
#include "replay/tlb_choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/tlb_calibration.h"

#define SMALL (KM_TLB_HOLDS(KM_TLB_4K))
#define LARGE (KM_TLB_HOLDS(KM_TLB_2M))
#define GIANT (KM_TLB_HOLDS(KM_TLB_1G))

/* Page-table lines: near the share of an L2 cache that walks keep, far that of an L3. */
#define COSTS                                                                                      \
	.structures = {{32, 0, 0, KM_TLB_LRU}, {8, 0, 0, KM_TLB_LRU}, {4, 0, 0, KM_TLB_LRU}},      \
	.lines = {{4096, 16, 0, KM_TLB_LRU}, {65536, 16, 0, KM_TLB_LRU}}, .levels = 4,             \
	.host_size = KM_TLB_1G, .l2_hit_cycles = 7, .line_cycles = {14, 50, 250}

static const struct core {
	const char *name, *text;
	const char *vendor;
	uint8_t family, models[6]; /* as CPUID numbers them; 0: ends */
	struct km_tlb_spec spec;
} cores[] = {
	{"skylake",
	 "Skylake-SP: L1 64/4 (2M 32/4, 1G 4), L2 1536/12, 1G 16/4",
	 "GenuineIntel",
	 6,
	 {85, 94, 78, 0},
	 {.l1 = {{64, 4, SMALL, 0}, {32, 4, LARGE, 0}, {4, 0, GIANT, 0}},
	  .l2 = {{1536, 12, SMALL | LARGE, 0}, {16, 4, GIANT, 0}},
	  COSTS}},
	{"golden-cove",
	 "Golden Cove (Sapphire, Emerald Rapids): L1 96/6 (2M 32/4, 1G 8), L2 2048/16",
	 "GenuineIntel",
	 6,
	 {143, 207, 151, 154, 0},
	 {.l1 = {{96, 6, SMALL, 0}, {32, 4, LARGE, 0}, {8, 0, GIANT, 0}},
	  .l2 = {{2048, 16, KM_TLB_HOLDS_ALL, 0}},
	  COSTS}},
	{"zen3",
	 "Zen 3: L1 64 for all sizes, L2 2048/8 without 1G",
	 "AuthenticAMD",
	 25,
	 {1, 33, 80, 0},
	 {.l1 = {{64, 0, KM_TLB_HOLDS_ALL, 0}}, .l2 = {{2048, 8, SMALL | LARGE, 0}}, COSTS}},
	{"zen4",
	 "Zen 4: L1 72 for all sizes, L2 3072/8 without 1G",
	 "AuthenticAMD",
	 25,
	 {17, 24, 97, 116, 160, 0},
	 {.l1 = {{72, 0, KM_TLB_HOLDS_ALL, 0}}, .l2 = {{3072, 8, SMALL | LARGE, 0}}, COSTS}},
	{"neoverse-n1",
	 "Neoverse N1: L1 48 for all sizes, L2 1280/5",
	 "",
	 0,
	 {0},
	 {.l1 = {{48, 0, KM_TLB_HOLDS_ALL, 0}}, .l2 = {{1280, 5, KM_TLB_HOLDS_ALL, 0}}, COSTS}},
};
#define NR_CORES (sizeof(cores) / sizeof(cores[0]))
#define UNKNOWN_CORE 0 /* what an unknown machine is taken for */

static void take_core(const struct core *core, const char *why, struct km_tlb_choice *choice)
{
	*choice = (struct km_tlb_choice){.spec = core->spec};
	snprintf(choice->text, sizeof(choice->text), "%s", core->text);
	snprintf(choice->why, sizeof(choice->why), "%s", why);
}

static const struct core *core_of(const struct km_tlb_cpu *cpu)
{
	for (size_t i = 0; i < NR_CORES; i++)
		for (unsigned k = 0; !strcmp(cores[i].vendor, cpu->vendor) && cores[i].models[k];
		     k++)
			if (cores[i].family == cpu->family && cores[i].models[k] == cpu->model)
				return &cores[i];
	return NULL;
}

static uint32_t cycles(double ns, const struct km_tlb_calibration *c)
{
	return (uint32_t)(ns / c->cycle_ns + 0.5);
}

/* The fit of the first of two places that has one. */
static const struct km_tlb_place_fit *fit_of(const struct km_tlb_calibration *c,
					     enum km_tlb_place first, enum km_tlb_place second)
{
	return c->fits[first].fitted ? &c->fits[first] : &c->fits[second];
}

/*
 * A walk of 4 KiB pages costs what it cost in vmalloc memory, of larger ones what it cost in the
 * direct map. Where a host backs large pages with small ones their entries are small.
 */
static void take_calibration(const struct km_tlb_calibration *c, struct km_tlb_choice *choice)
{
	const struct km_tlb_place_fit *small = fit_of(c, KM_TLB_VMALLOC, KM_TLB_USER);
	const struct km_tlb_place_fit *large = fit_of(c, KM_TLB_DIRECT, KM_TLB_USER_2M);
	bool splintered = c->huge_real * 2 <= c->huge_pages;

	*choice = (struct km_tlb_choice){
		.calibrated = c->calibrated,
		.overlap = c->overlap,
		.cycle_ns = c->cycle_ns,
	};
	choice->spec.levels = 4;
	choice->spec.host_size = splintered ? KM_TLB_4K : KM_TLB_1G;
	choice->spec.l1[0] = c->l1;
	choice->spec.l2[0] = c->l2;
	choice->spec.l1[0].holds = choice->spec.l2[0].holds = KM_TLB_HOLDS_ALL;
	choice->spec.l2_hit_cycles = cycles(small->l2_hit_ns, c);
	for (unsigned size = 0; size < KM_TLB_SIZES; size++)
		choice->spec.walk_cycles[size] =
			cycles(size < KM_TLB_2M ? small->walk_ns : large->walk_ns, c);
	snprintf(choice->text, sizeof(choice->text),
		 "this machine, %s %s: L1 %u/%u %s, L2 %u/%u %s, entries of %s at most",
		 c->calibrated ? "calibrated" : "measured", c->date, c->l1.entries,
		 c->l1.ways ? c->l1.ways : c->l1.entries, km_tlb_policy_names[c->l1.policy],
		 c->l2.entries, c->l2.ways ? c->l2.ways : c->l2.entries,
		 km_tlb_policy_names[c->l2.policy], splintered ? "4K" : "1G");
	snprintf(choice->why, sizeof(choice->why), "%s", c->calibrated ? "" : c->verdict);
}

static int choose_host(struct km_tlb_choice *choice)
{
	struct km_tlb_calibration *c = calloc(1, sizeof(*c));
	char *path = km_tlb_default_path();
	const struct core *core;
	struct km_tlb_cpu cpu;
	struct km_err err = {""};
	int code;

	if (!c || !path) {
		free(path);
		free(c);
		return -ENOMEM;
	}
	km_tlb_cpu_read(&cpu);
	core = core_of(&cpu);
	code = km_tlb_read_file(c, path, &err);
	if (!code && (strcmp(c->cpu.vendor, cpu.vendor) || c->cpu.family != cpu.family ||
		      c->cpu.model != cpu.model))
		code = km_fail(&err, -EXDEV,
			       "the calibration in %s is of another CPU; make one here with "
			       "'kmlab tlb calibrate'",
			       path);
	if (!code && (c->fits[KM_TLB_USER].fitted || c->fits[KM_TLB_VMALLOC].fitted))
		take_calibration(c, choice);
	else
		take_core(core ? core : &cores[UNKNOWN_CORE],
			  code ? err.text : "the calibration holds no fit", choice);
	free(path);
	free(c);
	return 0;
}

double km_tlb_overlapped_walk_cycles(const struct km_tlb_choice *choice,
				     const struct km_tlb_counts *counts)
{
	return km_tlb_overlap_walk_ns(&choice->overlap, KM_TLB_OVERLAPPED, counts) /
	       choice->cycle_ns;
}

int km_tlb_choose(const char *name, struct km_tlb_choice *choice, struct km_err *err)
{
	char names[128] = "host";

	if (!strcmp(name, "host"))
		return choose_host(choice) ? km_fail(err, -ENOMEM, "no memory for a TLB") : 0;
	for (size_t i = 0; i < NR_CORES; i++) {
		if (!strcmp(name, cores[i].name)) {
			take_core(&cores[i], "its geometry is from a table, its costs are assumed",
				  choice);
			return 0;
		}
		strcat(strcat(names, " "), cores[i].name);
	}
	return km_fail(err, -EINVAL, "there is no TLB '%s'; there are: %s", name, names);
}
