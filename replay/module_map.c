/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A drawing of both address spaces: each object is one piece of virtual memory; kmalloc's and pages
 * are one piece of physical memory, too, an area's pages lie where they were found.
 */
#include "replay/module_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BAR 32 /* columns of the largest piece */

/* A piece of memory of object `name` (its number). */
struct piece {
	uint64_t start, bytes, page, pages; /* page, pages: which of an area; 0 pages: all of it */
	unsigned name;
};

struct map {
	struct piece *virtual, *physical;
	size_t nr_virtual, nr_physical;
	const struct km_module_call **objects;
	size_t nr_objects;
};

static int by_start(const void *a, const void *b)
{
	const struct piece *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

/* What init left allocated: for most modules all they ever hold. */
static bool alive(const struct km_module_report *report, size_t index)
{
	const struct km_module_call *call = &report->calls[index];

	/* Per-CPU memory is in the kernel's chunk. */
	if (call->frees || call->failed || call->kind == KM_OBJECT_NONE ||
	    call->kind == KM_OBJECT_PERCPU || call->addr <= 16)
		return false;
	for (size_t i = index + 1; i < report->nr_calls; i++) {
		const struct km_module_call *later = &report->calls[i];

		if (later->phase != KM_PHASE_INIT)
			break;
		if (later->moved_from == call->addr ||
		    (later->addr == call->addr && later->kind != KM_OBJECT_NONE))
			return false; /* freed, or resized: that row stands for it */
	}
	return call->phase == KM_PHASE_INIT;
}

/* "A" … "Z", then "A1" … */
static const char *name_of(unsigned number, char text[16])
{
	if (number < 26)
		snprintf(text, 16, "%c", 'A' + (int)number);
	else
		snprintf(text, 16, "%c%u", 'A' + (int)(number % 26), number / 26);
	return text;
}

static void add_object(struct map *map, const struct km_module_report *report,
		       const struct km_module_call *call)
{
	unsigned name = (unsigned)map->nr_objects;
	uint64_t page = 0;

	map->objects[map->nr_objects++] = call;
	map->virtual[map->nr_virtual++] = (struct piece){call->addr, call->bytes_alloc, 0, 0, name};
	if (call->kind != KM_OBJECT_AREA) {
		map->physical[map->nr_physical++] = (struct piece){call->addr - KM_DIRECT_MAP_BASE,
								   call->bytes_alloc, 0, 0, name};
		return;
	}
	for (uint32_t i = 0; i < call->nr_runs; i++) {
		const struct km_module_run *run = &report->runs[call->first_run + i];

		map->physical[map->nr_physical++] = (struct piece){
			run->pfn << KM_PAGE_SHIFT, (uint64_t)run->pages << KM_PAGE_SHIFT, page,
			run->pages, name};
		page += run->pages;
	}
}

static unsigned bar_length(uint64_t bytes, uint64_t largest)
{
	/* By its digits: a page and 4 MiB must both be seen. */
	unsigned most = 64 - (unsigned)__builtin_clzll(largest | 1);
	unsigned mine = 64 - (unsigned)__builtin_clzll(bytes | 1);

	return 1 + mine * (BAR - 1) / (most ? most : 1);
}

static void print_pieces(const struct map *map, const struct piece *pieces, size_t count,
			 bool physical, FILE *out)
{
	uint64_t largest = 1;
	char name[16], rest[160];

	for (size_t i = 0; i < count; i++)
		if (pieces[i].bytes > largest)
			largest = pieces[i].bytes;
	for (size_t i = 0; i < count; i++) {
		const struct piece *piece = &pieces[i];
		const struct km_module_call *call = map->objects[piece->name];
		unsigned length = bar_length(piece->bytes, largest);

		if (!physical && piece->start >= KM_VMALLOC_START &&
		    (!i || pieces[i - 1].start < KM_VMALLOC_START))
			fprintf(out,
				"  vmalloc range: every page is mapped by an entry of its own\n");
		if (!physical && !i && piece->start < KM_VMALLOC_START)
			fprintf(out, "  direct map: physical address + 0x%llx\n",
				KM_DIRECT_MAP_BASE);
		if (physical && piece->pages == 1)
			snprintf(rest, sizeof(rest), "page %" PRIu64, piece->page);
		else if (physical && piece->pages)
			snprintf(rest, sizeof(rest), "pages %" PRIu64 "-%" PRIu64, piece->page,
				 piece->page + piece->pages - 1);
		else
			snprintf(rest, sizeof(rest), "%s %s", call->call, call->where);
		fprintf(out, "  0x%0*" PRIx64 " ", physical ? 10 : 16, piece->start);
		for (unsigned column = 0; column < BAR; column++)
			fputc(column < length ? '#' : ' ', out);
		fprintf(out, " %-3s %9" PRIu64 " bytes  %s\n", name_of(piece->name, name),
			piece->bytes, rest);
		if (!physical && call->kind == KM_OBJECT_AREA)
			fprintf(out,
				"  0x%016" PRIx64 " %-*s     %9" PRIu64
				" bytes  guard page: nothing is mapped\n",
				piece->start + piece->bytes, BAR, "-", KM_PAGE_SIZE);
	}
}

static void print_summary(const struct map *map, FILE *out)
{
	char name[16];

	for (size_t i = 0; i < map->nr_objects; i++) {
		const struct km_module_call *call = map->objects[i];
		uint32_t pieces = call->kind == KM_OBJECT_AREA ? call->nr_runs : 1;

		fprintf(out, "  %-3s %-24s virtually 1 piece, physically %u piece%s\n",
			name_of((unsigned)i, name), call->call, pieces, pieces == 1 ? "" : "s");
	}
}

void km_module_print_map(const struct km_module_report *report, FILE *out)
{
	struct map map = {NULL, NULL, 0, 0, NULL, 0};
	size_t calls = report->nr_calls + 1;

	map.virtual = calloc(calls, sizeof(*map.virtual));
	map.physical = calloc(calls + report->nr_runs, sizeof(*map.physical));
	map.objects = calloc(calls, sizeof(*map.objects));
	if (map.virtual && map.physical && map.objects) {
		for (size_t i = 0; i < report->nr_calls; i++)
			if (alive(report, i))
				add_object(&map, report, &report->calls[i]);
		qsort(map.virtual, map.nr_virtual, sizeof(*map.virtual), by_start);
		qsort(map.physical, map.nr_physical, sizeof(*map.physical), by_start);
		fprintf(out, "virtual addresses, at the end of init (bars by powers of two)\n");
		print_pieces(&map, map.virtual, map.nr_virtual, false, out);
		fprintf(out, "physical addresses\n");
		print_pieces(&map, map.physical, map.nr_physical, true, out);
		print_summary(&map, out);
		fputc('\n', out);
	}
	free(map.virtual);
	free(map.physical);
	free(map.objects);
}
