/* SPDX-License-Identifier: GPL-2.0-only */
/* Page sizes of a machine's memory: what was asked for, and what the host gave. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/memory.h"

static const char *const leaf_names[KM_NR_LEAVES] = {"4K", "2M", "1G"};

const char *km_leaf_name(enum km_leaf leaf)
{
	return leaf_names[leaf];
}

int km_memory_parse(const char *text, struct km_memory_layout *layout, struct km_err *err)
{
	unsigned percent = 0;
	char rest = 0;

	for (unsigned leaf = 0; leaf < KM_NR_LEAVES; leaf++) {
		if (strcmp(text, leaf_names[leaf]) == 0) {
			layout->direct = (enum km_leaf)leaf;
			layout->split_percent = 0;
			return 0;
		}
	}
	if (sscanf(text, "split:%3u%1[%]%c", &percent, (char[2]){0}, &rest) == 2 &&
	    percent <= 100) {
		layout->direct = KM_LEAF_2M;
		layout->split_percent = percent;
		return 0;
	}
	return km_fail(err, -EINVAL,
		       "'%s' is no page size of a direct map; use 1G, 2M, 4K or split:PERCENT%%",
		       text);
}

/* ---- /proc/self/smaps ---- */

struct region {
	uint64_t start, end; /* host addresses */
	uint64_t page_kb, resident_kb, huge_kb;
};

static bool in_range(const struct region *region, const char *base, uint64_t bytes)
{
	return region->start >= (uintptr_t)base && region->end <= (uintptr_t)base + bytes;
}

static void add_region(const struct km_memory *memory, const struct region *region,
		       struct km_memory_pages *pages)
{
	uint64_t giga = 1ull << 30;
	uint64_t *leaf;

	if (in_range(region, memory->direct, km_round_up(memory->direct_bytes, giga)))
		leaf = pages->direct;
	else if (in_range(region, memory->vmalloc, memory->vmalloc_bytes))
		leaf = pages->vmalloc;
	else
		return;
	pages->mappings++;
	if (region->page_kb >= giga >> 10) {
		leaf[KM_LEAF_1G] += region->huge_kb << 10;
		return;
	}
	leaf[KM_LEAF_2M] += region->huge_kb << 10;
	leaf[KM_LEAF_4K] += (region->resident_kb - region->huge_kb) << 10;
}

static void read_field(const char *line, struct region *region)
{
	uint64_t kb = 0;
	char name[32];

	if (sscanf(line, "%31[^:]: %" SCNu64, name, &kb) != 2)
		return;
	if (strcmp(name, "KernelPageSize") == 0)
		region->page_kb = kb;
	else if (strcmp(name, "Rss") == 0)
		region->resident_kb = kb;
	else if (strcmp(name, "ShmemPmdMapped") == 0 || strcmp(name, "FilePmdMapped") == 0 ||
		 strcmp(name, "Shared_Hugetlb") == 0 || strcmp(name, "Private_Hugetlb") == 0)
		region->huge_kb += kb;
}

int km_memory_pages(const struct km_memory *memory, struct km_memory_pages *pages,
		    struct km_err *err)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	struct region region = {0};
	char *line = NULL;
	size_t room = 0;

	if (!file)
		return km_fail(err, -errno, "/proc/self/smaps: %s", strerror(errno));
	*pages = (struct km_memory_pages){0};
	while (getline(&line, &room, file) > 0) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			add_region(memory, &region, pages);
			region = (struct region){.start = start, .end = end};
		} else {
			read_field(line, &region);
		}
	}
	add_region(memory, &region, pages);
	free(line);
	fclose(file);
	return 0;
}
