/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/frames.h"

#include <stdlib.h>
#include <sys/mman.h>

#define AREA_PAGES (1ull << 24) /* of the vmalloc range are followed: 64 GiB */
#define HUGE_LEAF (1u << 31)

struct km_frames {
	uint32_t *entries; /* by page of the vmalloc range: frame, HUGE_LEAF */
	struct km_env *env;
};

static void on_mapped(void *self, uint64_t addr, const km_pfn *pfns, uint64_t count, bool huge)
{
	struct km_frames *frames = self;
	uint64_t first = (addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT;

	for (uint64_t i = 0; i < count && first + i < AREA_PAGES; i++)
		frames->entries[first + i] = (uint32_t)(huge ? pfns[0].value + i : pfns[i].value) |
					     (huge ? HUGE_LEAF : 0);
}

/* Frames stay known: the area's pages are given back after it was unmapped. */
static void on_unmapped(void *self, uint64_t addr, uint64_t count)
{
	(void)self, (void)addr, (void)count;
}

struct km_frames *km_frames_follow(struct km_machine *machine)
{
	struct km_frames *frames = calloc(1, sizeof(*frames));

	if (!frames)
		return NULL;
	frames->entries = mmap(NULL, AREA_PAGES * sizeof(uint32_t), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (frames->entries == MAP_FAILED) {
		free(frames);
		return NULL;
	}
	frames->env = machine->env;
	machine->env->memory = frames;
	machine->env->mapped = on_mapped;
	machine->env->unmapped = on_unmapped;
	return frames;
}

void km_frames_release(struct km_frames *frames)
{
	if (!frames)
		return;
	frames->env->mapped = NULL;
	frames->env->unmapped = NULL;
	munmap(frames->entries, AREA_PAGES * sizeof(uint32_t));
	free(frames);
}

uint64_t km_frames_of(const struct km_frames *frames, uint64_t addr, bool *huge)
{
	uint64_t page = (addr - KM_VMALLOC_START) >> KM_PAGE_SHIFT;
	uint32_t entry = page < AREA_PAGES ? frames->entries[page] : 0;

	if (huge)
		*huge = (entry & HUGE_LEAF) != 0;
	return entry & ~HUGE_LEAF;
}
