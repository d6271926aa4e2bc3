/* SPDX-License-Identifier: GPL-2.0-only */
/* A machine that consists of its page layer only, for the tests of the buddy model. */
#ifndef ENGINE_TESTS_PAGE_MACHINE_H
#define ENGINE_TESTS_PAGE_MACHINE_H

#include <kmlab/machine.h>
#include <kmlab/page_state.h>
#include <string.h>

#include "engine/models.h"
#include "engine/tests/host.h"
#include "engine/tests/tap.h"

static const struct km_page_ops *const pages = &km_buddy_page_ops;

struct page_machine {
	struct km_env env;
	struct km_machine machine;
	struct test_host host;
};

/* 0, or what create() said. `low` pages end DMA32; `normal` pages lie from 4 GiB on. */
__attribute__((unused)) static int page_machine_start(struct page_machine *m, const char *profile,
						      unsigned cpus, uint64_t low, uint64_t normal,
						      bool thp)
{
	struct km_machine_spec *spec = &m->machine.spec;

	memset(m, 0, sizeof(*m));
	test_host_env(&m->env, &m->host, 1);
	m->machine.env = &m->env;
	spec->profile = *km_profile_find(profile);
	spec->cpus = spec->possible_cpus = cpus;
	spec->thp = thp;
	spec->zones[spec->nr_zones++] = (struct km_zone_spec){KM_ZONE_DMA, 1, 4095, 3998, 3840};
	if (low > 4096)
		spec->zones[spec->nr_zones++] = (struct km_zone_spec){
			KM_ZONE_DMA32, 4096, low - 4096, low - 4096, low - 4096};
	if (normal)
		spec->zones[spec->nr_zones++] =
			(struct km_zone_spec){KM_ZONE_NORMAL, 1u << 20, normal, normal, normal};
	m->machine.max_pfn = normal ? (1u << 20) + normal : low;
	return pages->create(&m->machine, &m->machine.page);
}

static void page_machine_stop(struct page_machine *m)
{
	pages->destroy(m->machine.page);
	if (m->host.live_blocks)
		TAP_EQ(m->host.live_blocks, 0, "all memory is given back");
}

__attribute__((unused)) static km_pfn take(struct page_machine *m, uint32_t gfp, unsigned order)
{
	return pages->alloc(m->machine.page, 0, gfp, order);
}

__attribute__((unused)) static void give(struct page_machine *m, km_pfn pfn, unsigned order)
{
	pages->free(m->machine.page, 0, pfn, order);
}

__attribute__((unused)) static struct km_page_usage usage_of(struct page_machine *m)
{
	struct km_page_usage usage;

	pages->usage(m->machine.page, &usage);
	return usage;
}

#endif
