/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/zoneinfo, /proc/pagetypeinfo and /proc/buddyinfo as recorded -> a machine to start from. */
#include "replay/start.h"

#include <errno.h>
#include <kmlab/page_state.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY_BYTES (4ull << 30)

/* Next line of a text; NULL at its end. `line` is cut to its buffer. */
static const char *next_line(const char *text, char *line, size_t size)
{
	size_t length;

	if (!text || !*text)
		return NULL;
	length = strcspn(text, "\n");
	if (size) {
		size_t kept = length < size - 1 ? length : size - 1;

		memcpy(line, text, kept);
		line[kept] = '\0';
	}
	return text[length] ? text + length + 1 : text + length;
}

static int zone_index(const char *name)
{
	static const char *const names[KM_NR_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};

	for (int i = 0; i < KM_NR_ZONES; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

/* "Node 0, zone   Normal ..." of node 0: the zone's index, else -1. */
static int zone_of_line(const char *line)
{
	char name[16];
	unsigned node;

	if (sscanf(line, " Node %u, zone %15[A-Za-z0-9]", &node, name) != 2 || node != 0)
		return -1;
	return zone_index(name);
}

/* "cpu: 1", "count: 64521", "high: 85736": the lists of one CPU after the other. */
static void read_pcp(struct km_start_zone *state, unsigned long long *cpu, const char *key,
		     unsigned long long value)
{
	uint32_t pages = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;

	if (strcmp(key, "cpu:") == 0)
		*cpu = value;
	if (*cpu >= KM_MAX_CPUS)
		return;
	if (state->nr_pcp <= *cpu)
		state->nr_pcp = (unsigned)*cpu + 1;
	if (strcmp(key, "count:") == 0)
		state->pcp[*cpu].count = pages;
	else if (strcmp(key, "high:") == 0)
		state->pcp[*cpu].high = pages;
}

/* 0, or -EINVAL: these zones cannot be. */
static int read_zones(const char *text, struct km_start *start)
{
	struct km_zone_spec found[KM_NR_ZONES] = {0};
	unsigned long long value, cpu = KM_MAX_CPUS;
	char line[256], key[32];
	uint64_t last = 0;
	int zone = -1;

	while ((text = next_line(text, line, sizeof(line)))) {
		if (strncmp(line, "Node", 4) == 0) {
			zone = zone_of_line(line);
			cpu = KM_MAX_CPUS;
		}
		if (zone < 0 || sscanf(line, " %31[a-z_:] %llu", key, &value) != 2)
			continue;
		if (strcmp(key, "spanned") == 0)
			found[zone].spanned = value;
		else if (strcmp(key, "present") == 0)
			found[zone].present = value;
		else if (strcmp(key, "managed") == 0)
			found[zone].managed = value;
		else if (strcmp(key, "start_pfn:") == 0)
			found[zone].start = value;
		else
			read_pcp(&start->state[zone], &cpu, key, value);
	}
	for (int i = 0; i < KM_NR_ZONES; i++) {
		if (!found[i].managed)
			continue;
		/* What no kernel reports is damage: the machine would not be the recorded one. */
		if (found[i].managed > found[i].present || found[i].present > found[i].spanned ||
		    found[i].spanned > UINT32_MAX || found[i].start < last ||
		    found[i].start > UINT32_MAX - found[i].spanned)
			return -EINVAL;
		last = found[i].start + found[i].spanned;
		found[i].index = (uint8_t)i;
		memmove(&start->state[start->nr_zones], &start->state[i], sizeof(*start->state));
		start->zones[start->nr_zones++] = found[i];
	}
	return 0;
}

static struct km_start_zone *state_of(struct km_start *start, int zone)
{
	for (unsigned i = 0; i < start->nr_zones; i++)
		if (start->zones[i].index == zone)
			return &start->state[i];
	return NULL;
}

static int type_of(const char *line)
{
	static const char *const names[KM_NR_MIGRATETYPES] = {"Unmovable", "Movable", "Reclaimable",
							      "HighAtomic"};
	const char *type = strstr(line, "type");
	char name[16];

	if (!type || sscanf(type, "type %15s", name) != 1)
		return -1;
	for (int i = 0; i < KM_NR_MIGRATETYPES; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

/* "... type Movable 835 574 ... 445": eleven counts after the type's name; ">100000" is capped. */
static bool read_free_line(const char *line, struct km_start_zone *state, int type)
{
	const char *at = strstr(line, "type") + 4;
	char *end;

	at += strspn(at, " ");
	at += strcspn(at, " ");
	for (unsigned order = 0; order < KM_NR_ORDERS; order++) {
		at += strspn(at, " >");
		state->free_blocks[order][type] = strtoull(at, &end, 10);
		if (end == at)
			return false;
		at = end;
	}
	return true;
}

/* "Node 0, zone Normal 69 1093 54 0 0": pageblocks by type. */
static bool read_blocks_line(const char *line, struct km_start_zone *state)
{
	unsigned long long count[KM_NR_MIGRATETYPES];

	if (sscanf(line, " Node %*u, zone %*s %llu %llu %llu %llu", &count[0], &count[1], &count[2],
		   &count[3]) != KM_NR_MIGRATETYPES)
		return false;
	for (int i = 0; i < KM_NR_MIGRATETYPES; i++)
		state->pageblocks[i] = count[i];
	return true;
}

static bool read_pagetypes(const char *text, struct km_start *start)
{
	bool blocks = false, any_free = false, any_blocks = false;
	char line[512];

	while ((text = next_line(text, line, sizeof(line)))) {
		int zone = zone_of_line(line), type = type_of(line);
		struct km_start_zone *state = zone < 0 ? NULL : state_of(start, zone);

		if (strncmp(line, "Number of blocks", 16) == 0)
			blocks = true;
		if (!state)
			continue;
		if (blocks)
			any_blocks |= read_blocks_line(line, state);
		else if (type >= 0)
			any_free |= read_free_line(line, state, type);
	}
	return any_free && any_blocks;
}

static uint64_t meta_number(const struct km_trace *trace, const char *key)
{
	const char *text = km_trace_meta(trace, key);

	return text ? strtoull(text, NULL, 0) : 0;
}

static const struct km_profile *trace_profile(const struct km_trace *trace)
{
	const char *name = km_trace_meta(trace, "profile"), *kernel;
	const struct km_profile *profile = name ? km_profile_find(name) : NULL;

	kernel = km_trace_meta(trace, "kernel");
	return profile ? profile : km_profile_for_release(kernel ? kernel : "6.1");
}

/* Older traces tell only of possible ones, which matter where one is present (slub_cache.c). */
static unsigned present_cpus(struct km_trace *trace, unsigned cpus)
{
	uint64_t present = meta_number(trace, "present_cpus");

	if (!present && cpus == 1)
		present = meta_number(trace, "possible_cpus");
	return present > cpus && present <= KM_MAX_CPUS ? (unsigned)present : cpus;
}

int km_start_read(struct km_trace *trace, struct km_start *start, struct km_err *err)
{
	const char *text;

	memset(start, 0, sizeof(*start));
	start->profile = trace_profile(trace);
	start->cpus = km_trace_cpus(trace);
	if (!start->cpus || start->cpus > KM_MAX_CPUS)
		return km_fail(err, -EINVAL,
			       "%s says it was recorded on %u CPUs; 1 to %u can be "
			       "replayed",
			       km_trace_path(trace), start->cpus, KM_MAX_CPUS);
	start->present_cpus = present_cpus(trace, start->cpus);
	start->memory_bytes = meta_number(trace, "memory_bytes");
	if (!start->memory_bytes)
		start->memory_bytes = DEFAULT_MEMORY_BYTES;
	text = km_trace_snapshot_text(trace, "start", "/proc/zoneinfo");
	if (text && read_zones(text, start))
		return km_fail(err, -EINVAL,
			       "%s: the zones of its /proc/zoneinfo snapshot cannot be; the file "
			       "is damaged, record again",
			       km_trace_path(trace));
	text = km_trace_snapshot_text(trace, "start", "/proc/sys/vm/min_free_kbytes");
	if (text)
		start->min_free_kbytes = strtoull(text, NULL, 10);
	text = km_trace_snapshot_text(trace, "start",
				      "/sys/kernel/mm/transparent_hugepage/enabled");
	start->thp = text && !strstr(text, "[never]");
	text = km_trace_snapshot_text(trace, "start", "/proc/pagetypeinfo");
	if (text && start->nr_zones)
		start->have_free = read_pagetypes(text, start);
	snprintf(start->describe, sizeof(start->describe), "%s",
		 start->have_free
			 ? "free blocks and pages on CPUs' lists as at the start, at seeded places"
		 : start->nr_zones ? "zones as recorded, all memory free"
				   : "memory size as recorded, all memory free");
	return 0;
}

/* The counts behind a zone's name; how many there were. */
static unsigned read_counts(const char *line, uint64_t counts[KM_NR_ORDERS])
{
	const char *at = strstr(line, "zone") + 4;
	unsigned order = 0;
	char *end;

	at += strspn(at, " ");
	at += strcspn(at, " ");
	for (; order < KM_NR_ORDERS; order++) {
		counts[order] = strtoull(at, &end, 10);
		if (end == at)
			break;
		at = end;
	}
	return order;
}

void km_buddyinfo_read(const char *text, struct km_buddyinfo *info)
{
	char line[512];

	while ((text = next_line(text, line, sizeof(line)))) {
		int zone = zone_of_line(line);

		if (zone >= 0)
			info->present[zone] = read_counts(line, info->blocks[zone]) == KM_NR_ORDERS;
	}
}

double km_buddyinfo_unusable(const char *text, unsigned order)
{
	double free_pages = 0, suitable = 0;
	char line[512];

	while ((text = next_line(text, line, sizeof(line)))) {
		uint64_t counts[KM_NR_ORDERS];
		unsigned orders = zone_of_line(line) < 0 ? 0 : read_counts(line, counts);

		for (unsigned o = 0; o < orders; o++) {
			double pages = (double)counts[o] * (double)(1ull << o);

			free_pages += pages;
			suitable += o >= order ? pages : 0;
		}
	}
	return free_pages > 0 ? (free_pages - suitable) / free_pages : NAN;
}

int km_start_seed(const struct km_start *start, struct km_machine *machine)
{
	struct km_buddy_seed seed = {.nr_zones = start->nr_zones};

	for (unsigned i = 0; i < start->nr_zones; i++) {
		seed.zones[i].index = start->zones[i].index;
		memcpy(seed.zones[i].free_blocks, start->state[i].free_blocks,
		       sizeof(seed.zones[i].free_blocks));
		memcpy(seed.zones[i].pageblocks, start->state[i].pageblocks,
		       sizeof(seed.zones[i].pageblocks));
		seed.zones[i].pcp = start->state[i].pcp;
		seed.zones[i].nr_pcp =
			start->state[i].nr_pcp < start->cpus ? start->state[i].nr_pcp : start->cpus;
	}
	return machine->model->page->seed(machine->page, &seed);
}
