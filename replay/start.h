/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine a trace was recorded on, read back from its start snapshot. */
#ifndef REPLAY_START_H
#define REPLAY_START_H

#include <kmlab/machine.h>
#include <kmlab/page_state.h>

#include "traces/trace.h"

struct km_start_zone {
	uint64_t free_blocks[KM_NR_ORDERS][KM_NR_MIGRATETYPES]; /* /proc/pagetypeinfo */
	uint64_t pageblocks[KM_NR_MIGRATETYPES];
	unsigned nr_pcp; /* CPUs whose lists /proc/zoneinfo tells of */
	struct km_pcp_seed pcp[KM_MAX_CPUS];
};

struct km_start {
	unsigned cpus;         /* online, or seen in an event */
	unsigned present_cpus; /* at least cpus: slabs are sized for those that are off, too */
	uint64_t memory_bytes;
	uint64_t min_free_kbytes; /* 0 unknown */
	bool thp;
	unsigned nr_zones;
	struct km_zone_spec zones[KM_NR_ZONES];
	struct km_start_zone state[KM_NR_ZONES]; /* by position in zones[] */
	bool have_free;                          /* free blocks and pageblock types are known */
	const struct km_profile *profile;
	char describe[128]; /* for results: what the start state is made of */
};

/* Missing snapshots leave an empty machine of the recorded size. 0, or -EINVAL with a sentence. */
int km_start_read(struct km_trace *trace, struct km_start *start, struct km_err *err);

/*
 * Give a fresh machine the recorded free blocks; its page model can be seeded. 0, -ENOMEM, or
 * -ENOSPC and -EINVAL when the counts do not fit the zones: all memory is free then.
 */
int km_start_seed(const struct km_start *start, struct km_machine *machine);

/* /proc/buddyinfo of node 0: free blocks by zone and order. */
struct km_buddyinfo {
	bool present[KM_NR_ZONES];
	uint64_t blocks[KM_NR_ZONES][KM_NR_ORDERS];
};
void km_buddyinfo_read(const char *text, struct km_buddyinfo *info);

/* Unusable free space index of order `order` from buddyinfo text, all zones; NAN if unreadable. */
double km_buddyinfo_unusable(const char *text, unsigned order);

#endif
