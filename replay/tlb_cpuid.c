/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the processor says of its data TLBs. Intel: leaf 0x18 (deterministic address translation
 * parameters); before it, descriptors of leaf 2. AMD: 0x80000005, 0x80000006. A hypervisor may hide
 * them, and errata exist (SKL148), so that this is compared with what was measured, never instead.
 */
#include <stdio.h>
#include <string.h>

#include "replay/host.h"
#include "replay/tlb_calibration.h"

#if defined(__x86_64__)
#include <cpuid.h>

static void read_strings(struct km_tlb_cpu *cpu)
{
	unsigned words[12], a, b, c, d, most;

	__cpuid(0, a, b, c, d);
	memcpy(words, (unsigned[]){b, d, c}, 12);
	memcpy(cpu->vendor, words, 12);
	__cpuid(1, a, b, c, d);
	cpu->stepping = a & 0xf;
	cpu->model = (a >> 4 & 0xf) | (a >> 12 & 0xf0);
	cpu->family = a >> 8 & 0xf;
	if (cpu->family == 0xf)
		cpu->family += a >> 20 & 0xff;
	if (c >> 31) {
		__cpuid(0x40000000, a, b, c, d);
		memcpy(words, (unsigned[]){b, c, d}, 12);
		memcpy(cpu->hypervisor, words, 12);
		if (!cpu->hypervisor[0])
			strcpy(cpu->hypervisor, "unnamed");
	}
	__cpuid(0x80000000, most, b, c, d);
	for (unsigned i = 0; most >= 0x80000004 && i < 3; i++)
		__cpuid(0x80000002 + i, words[4 * i], words[4 * i + 1], words[4 * i + 2],
			words[4 * i + 3]);
	if (most >= 0x80000004)
		memcpy(cpu->brand, words, 48);
}

/* Leaf 0x18: one subleaf per structure; type 1 data, 3 unified, 4 load only. */
static bool read_intel(struct km_tlb_cpu *cpu)
{
	unsigned a, b, c, d, last;

	if (__get_cpuid_max(0, NULL) < 0x18)
		return false;
	__cpuid_count(0x18, 0, last, b, c, d);
	for (unsigned i = 0; i <= last && i < 64; i++) {
		struct km_tlb_array_spec found = {0};
		unsigned type, level;

		__cpuid_count(0x18, i, a, b, c, d);
		type = d & 0x1f;
		level = d >> 5 & 7;
		if (!(type == 1 || type == 3 || type == 4) || !(b & 1))
			continue;
		found.ways = b >> 16;
		found.entries = found.ways * c;
		if (d >> 8 & 1)
			found.ways = 0;
		if (level == 1)
			cpu->l1 = found;
		else if (level == 2)
			cpu->l2 = found;
	}
	return cpu->l1.entries || cpu->l2.entries;
}

/* 4 KiB data-TLB descriptors of leaf 2 (SDM vol. 2A, table of CPUID leaf 02H descriptors). */
static const struct {
	uint8_t code, level;
	uint16_t entries, ways;
} descriptors[] = {
	{0x03, 1, 64, 4},   {0x56, 1, 16, 4},   {0x57, 1, 16, 4},  {0x59, 1, 16, 0},
	{0xa0, 1, 32, 0},   {0xb3, 1, 128, 4},  {0xb4, 1, 256, 4}, {0xba, 1, 64, 4},
	{0xc1, 2, 1024, 8}, {0xc3, 2, 1536, 6}, {0xc4, 1, 32, 4},  {0xca, 2, 512, 4},
	{0x6b, 1, 256, 8},  {0x6c, 1, 128, 8},
};

static bool read_intel_old(struct km_tlb_cpu *cpu)
{
	unsigned words[4];

	if (__get_cpuid_max(0, NULL) < 2)
		return false;
	__cpuid(2, words[0], words[1], words[2], words[3]);
	for (unsigned i = 1; i < 16; i++) { /* byte 0 counts repetitions */
		if (words[i / 4] >> 31)
			continue;
		for (unsigned k = 0; k < sizeof(descriptors) / sizeof(descriptors[0]); k++) {
			struct km_tlb_array_spec *to =
				descriptors[k].level == 1 ? &cpu->l1 : &cpu->l2;

			if (descriptors[k].code != (words[i / 4] >> i % 4 * 8 & 0xff))
				continue;
			to->entries = descriptors[k].entries;
			to->ways = descriptors[k].ways;
		}
	}
	return cpu->l1.entries || cpu->l2.entries;
}

/* Associativity codes of 0x80000006 (APM vol. 3, E.4.4); 0: fully. */
static uint32_t amd_ways(unsigned code)
{
	static const uint8_t ways[16] = {0, 1, 2, 3, 4, 6, 8, 0, 16, 0, 32, 48, 64, 96, 128, 0};

	return ways[code & 0xf];
}

static bool read_amd(struct km_tlb_cpu *cpu)
{
	unsigned a, b, c, d, most;

	__cpuid(0x80000000, most, b, c, d);
	if (most < 0x80000006)
		return false;
	__cpuid(0x80000005, a, b, c, d);
	cpu->l1.entries = b >> 16 & 0xff;
	cpu->l1.ways = (b >> 24) == 0xff ? 0 : b >> 24;
	__cpuid(0x80000006, a, b, c, d);
	cpu->l2.entries = b >> 16 & 0xfff;
	cpu->l2.ways = amd_ways(b >> 28);
	return cpu->l1.entries || cpu->l2.entries;
}

void km_tlb_cpu_read(struct km_tlb_cpu *cpu)
{
	const char *source = NULL;

	memset(cpu, 0, sizeof(*cpu));
	read_strings(cpu);
	if (!strcmp(cpu->vendor, "AuthenticAMD") || !strcmp(cpu->vendor, "HygonGenuine"))
		source = read_amd(cpu) ? "CPUID leaves 0x80000005 and 0x80000006" : NULL;
	else if (read_intel(cpu))
		source = "CPUID leaf 0x18";
	else
		source = read_intel_old(cpu) ? "CPUID leaf 2" : NULL;
	snprintf(cpu->source, sizeof(cpu->source), "%s",
		 source               ? source
		 : cpu->hypervisor[0] ? "CPUID says nothing of the TLBs: the hypervisor hides it"
				      : "CPUID says nothing of the TLBs");
}

#else

void km_tlb_cpu_read(struct km_tlb_cpu *cpu)
{
	memset(cpu, 0, sizeof(*cpu));
	strcpy(cpu->source, "this architecture does not say");
}

#endif

#define CYCLE_STEPS 6400u
/* A rotation takes a cycle and waits for the one before it; additions are joined by some cores. */
#define STEP                                                                                       \
	x = x >> 1 | x << 63;                                                                      \
	__asm__ volatile("" : "+r"(x));
#define STEP_8 STEP STEP STEP STEP STEP STEP STEP STEP

/* The least of many tries: an interruption only makes one longer. */
double km_tlb_cycle_ns(void)
{
	struct km_timer timer;
	double least = 0;
	uint64_t x = 1;

	km_timer_calibrate(&timer);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t begin = km_tick_begin(), ticks;
		double ns;

		for (unsigned k = 0; k < CYCLE_STEPS; k += 32) {
			STEP_8 STEP_8 STEP_8 STEP_8
		}
		ticks = km_tick_end() - begin;
		ns = (double)ticks * timer.ns_per_tick / CYCLE_STEPS;
		least = !i || ns < least ? ns : least;
	}
	return least;
}
