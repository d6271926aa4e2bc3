/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the recorded kernel mapped all memory. With CONFIG_RANDOMIZE_MEMORY that differs from boot
 * to boot, and foreign traces do not say. But a slab that needs memory takes a page and soon hands
 * out objects in it, on the same CPU: address - pfn * 4096 is the base, and the kernel aligns that
 * to 1 GiB (arch/x86/mm/kaslr.c), which chance does once in 262144 pairs.
 */
#include "importer.h"

#define BASE_ALIGN ((uint64_t)1 << 30)
#define BASE_LOWEST                                                                                \
	0xff00000000000000ull /* 5-level paging: Documentation/arch/x86/x86_64/mm.rst              \
			       */
#define VOTES_NEEDED 3

/* The candidate gets a vote; a new one takes an empty place, or weakens the others. */
static void vote(struct km_map_votes *votes, uint64_t base)
{
	size_t n = sizeof(votes->candidate) / sizeof(votes->candidate[0]), empty = n;

	for (size_t i = 0; i < n; i++) {
		if (votes->candidate[i].votes && votes->candidate[i].base == base) {
			votes->candidate[i].votes += votes->candidate[i].votes < UINT32_MAX;
			return;
		}
		if (!votes->candidate[i].votes)
			empty = i;
	}
	if (empty < n) {
		votes->candidate[empty].base = base;
		votes->candidate[empty].votes = 1;
		return;
	}
	for (size_t i = 0; i < n; i++)
		votes->candidate[i].votes--;
}

void km_map_vote(struct km_importer *importer, uint32_t cpu, const struct km_event *event)
{
	struct km_import_cpu *here = &importer->cpus[cpu];
	unsigned n = sizeof(here->page) / sizeof(here->page[0]);

	if (event->kind == KM_EV_PAGE_ALLOC && event->ptr != UINT64_MAX &&
	    event->order <= KM_MAX_ORDER) {
		here->page[here->next_page].pfn = event->ptr;
		here->page[here->next_page].order = event->order;
		here->next_page = (uint8_t)((here->next_page + 1) % n);
		return;
	}
	if ((event->kind != KM_EV_KMALLOC && event->kind != KM_EV_CACHE_ALLOC) ||
	    event->ptr < BASE_LOWEST)
		return;
	for (unsigned i = 0; i < n; i++) {
		uint64_t block = KM_PAGE_SIZE << here->page[i].order;
		uint64_t base = (event->ptr & ~(block - 1)) - here->page[i].pfn * KM_PAGE_SIZE;

		if (here->page[i].pfn && base >= BASE_LOWEST && base % BASE_ALIGN == 0)
			vote(&importer->votes, base);
	}
}

uint64_t km_map_base(const struct km_map_votes *votes)
{
	uint64_t base = 0;
	uint32_t most = VOTES_NEEDED - 1;

	for (size_t i = 0; i < sizeof(votes->candidate) / sizeof(votes->candidate[0]); i++) {
		if (votes->candidate[i].votes <= most)
			continue;
		most = votes->candidate[i].votes;
		base = votes->candidate[i].base;
	}
	return base;
}
