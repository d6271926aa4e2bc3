/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slab choices of small traces whose right answer is worked out by hand: a cache of 1 KiB objects,
 * four to a slab, on two CPUs, by the rules of Linux 6.12
 * unless said otherwise.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/tests/tap.h"
#include "replay/event_order.h"
#include "replay/fidelity.h"
#include "replay/sysfs_slab.h"

#define PATH_SIZE 64
/* First pfn of a slab of the traced kernel. */
#define SLAB(n) (0x4000u + (n))

/* What tells that a kmalloc's slab is a bucket's. */
enum told { BY_SITE, BY_LISTS, BY_NOTHING };

struct maker {
	struct km_trace_writer *writer;
	struct km_event events[2][128];
	size_t nr[2];
	uint64_t now_ns;
	uint16_t cache;
	char path[PATH_SIZE];
};

static const char sysfs_format[] = "name=widget directory=widget object_size=1024 slab_size=1024 "
				   "align=8 order=0 objs_per_slab=4 min_partial=5 cpu_partial=24 "
				   "slabs=%u partial=%u cpu_slabs=0 slabs_cpu_partial=0(0)\n";

static void must(int code, const struct km_err *err)
{
	if (code) {
		printf("Bail out! %s\n", err->text);
		exit(2);
	}
}

/* A trace that starts with `partial` of `slabs` slabs on the node list. */
static void make_on(struct maker *maker, const char *profile, unsigned slabs, unsigned partial)
{
	struct km_trace_cache cache = {.name = "widget",
				       .object_size = 1024,
				       .size = 1024,
				       .objects_per_slab = 4,
				       .min_partial = 5,
				       .cpu_partial = 24,
				       .has_geometry = 1};
	struct km_err err = {""};
	char text[512];
	int fd;

	memset(maker, 0, sizeof(*maker));
	snprintf(maker->path, sizeof(maker->path), "/tmp/kmlab-choice-XXXXXX");
	fd = mkstemp(maker->path);
	if (fd >= 0)
		close(fd);
	unlink(maker->path);
	must(km_trace_create(maker->path, &maker->writer, &err), &err);
	must(km_trace_set_meta(maker->writer, "cpus", "2", &err), &err);
	must(km_trace_set_meta(maker->writer, "profile", profile, &err), &err);
	must(km_trace_set_meta(maker->writer, "memory_bytes", "268435456", &err), &err);
	must(km_trace_define_cache(maker->writer, &cache, &err), &err);
	maker->cache = (uint16_t)cache.id;
	snprintf(text, sizeof(text), sysfs_format, slabs, partial);
	must(km_trace_snapshot(maker->writer, "start", 0, "sysfs slab", text, strlen(text), &err),
	     &err);
}

static void make(struct maker *maker, unsigned slabs, unsigned partial)
{
	make_on(maker, "6.12", slabs, partial);
}

static void event(struct maker *maker, unsigned cpu, uint8_t kind, uint64_t ptr, unsigned after_ns)
{
	maker->now_ns += after_ns;
	maker->events[cpu][maker->nr[cpu]++] = (struct km_event){
		.time_ns = maker->now_ns,
		.ptr = ptr,
		.bytes_req = 1024,
		.bytes_alloc = 1024,
		.gfp = KM_GFP_KERNEL,
		.cache = kind == KM_EV_PAGE_ALLOC || kind == KM_EV_KFREE ? 0 : maker->cache,
		.cpu = (uint16_t)cpu,
		.node = -1,
		.kind = kind,
	};
}

static uint64_t object(unsigned slab, unsigned index)
{
	return KM_DIRECT_MAP_BASE + ((uint64_t)SLAB(slab) << KM_PAGE_SHIFT) + index * 1024u;
}

/* `n` objects of a slab from the index on, 10 us apart. */
static void take(struct maker *maker, unsigned cpu, unsigned slab, unsigned index, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		event(maker, cpu, KM_EV_CACHE_ALLOC, object(slab, index + i), 10000);
}

static void give(struct maker *maker, unsigned cpu, unsigned slab, unsigned index)
{
	event(maker, cpu, KM_EV_CACHE_FREE, object(slab, index), 10000);
}

static void take_new(struct maker *maker, unsigned cpu, unsigned slab, unsigned n)
{
	event(maker, cpu, KM_EV_PAGE_ALLOC, SLAB(slab), 10000);
	take(maker, cpu, slab, 0, n);
}

static void finish(struct maker *maker)
{
	struct km_err err = {""};

	for (unsigned cpu = 0; cpu < 2; cpu++)
		must(km_trace_append(maker->writer, cpu, maker->events[cpu], maker->nr[cpu], &err),
		     &err);
	must(km_trace_finish(maker->writer, maker->now_ns + 1, &err), &err);
}

static void measure_all(struct maker *maker, struct km_fidelity *fidelity)
{
	struct km_trace *trace;
	struct km_start start;
	struct km_err err = {""};

	finish(maker);
	must(km_trace_open(maker->path, &trace, &err), &err);
	must(km_start_read(trace, &start, &err), &err);
	must(km_fidelity_measure(trace, &start, 1, fidelity, &err), &err);
	km_trace_close(trace);
	unlink(maker->path);
}

static void measure(struct maker *maker, struct km_cache_fidelity *row)
{
	struct km_fidelity fidelity;

	measure_all(maker, &fidelity);
	*row = fidelity.nr_caches == 1 ? fidelity.caches[0]
				       : (struct km_cache_fidelity){.name = ""};
	km_fidelity_release(&fidelity);
}

/*
 * Old slabs 1 and 2 lie on the node list with 2 and 1 free objects, 3 is full. CPU 0 uses up 1,
 * then 2 (from its chain, where it came with 1), then makes 10. A free in 3 puts that on the chain;
 * it is taken before another new one.
 */
static void rules(const char *profile, bool wrong)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make_on(&maker, profile, 3, 2);
	take(&maker, 0, 1, 0, 2);
	take(&maker, 0, 2, 0, 1);
	take_new(&maker, 0, 10, 4);
	give(&maker, 0, 3, 3);
	if (wrong) {
		take_new(&maker, 0, 11, 4);
		take(&maker, 0, 3, 3, 1);
	} else {
		take(&maker, 0, 3, 3, 1);
		take_new(&maker, 0, 11, 4);
	}
	measure(&maker, &row);
	TAP_OK(strcmp(row.name, "widget") == 0, "the cache is reported");
	TAP_EQ(row.slab_choice.checked, 12, "twelve allocations are checked");
	TAP_EQ(row.switches.checked, 4, "four times the CPU goes to another slab");
	if (!wrong) {
		TAP_EQ(row.slab_choice.matched, 12, "all as Linux %s chooses", profile);
		TAP_EQ(row.switches.matched, 4, "each of the four");
		TAP_EQ(row.slabs_model, 5, "two slabs more than at the start");
		TAP_EQ(row.partial_model, 0, "the node list is used up");
	} else {
		TAP_OK(row.slab_choice.matched >= 7 && row.slab_choice.matched < 12,
		       "a choice against the rules is seen: %llu of 12",
		       (unsigned long long)row.slab_choice.matched);
		TAP_OK(row.switches.matched < 4, "and a switch is wrong");
	}
	TAP_EQ(row.unseen, 0, "nothing was freed unseen");
}

/*
 * CPU 0 takes the last object of its slab 10 and goes on to 11. CPU 1's free of an object of 10 is
 * recorded before that: so close that the object may not have been free yet, or long before, when
 * CPU 0 should have found it. (No address is reused quickly, so frees are placed 1 us later.)
 */
static void race(unsigned gap_ns, bool right, bool reordered)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make(&maker, 0, 0);
	take_new(&maker, 0, 10, 4);
	event(&maker, 1, KM_EV_CACHE_FREE, object(10, 2), 20000);
	event(&maker, 0, KM_EV_PAGE_ALLOC, SLAB(11), gap_ns);
	event(&maker, 0, KM_EV_CACHE_ALLOC, object(11, 0), 100);
	take(&maker, 1, 10, 2, 1); /* from CPU 1's chain */
	measure(&maker, &row);
	TAP_EQ(row.slab_choice.checked, 6, "six allocations");
	TAP_EQ(row.slab_choice.matched == 6, right, "a free %u ns before is %s", gap_ns,
	       right ? "in either order" : "before");
	TAP_EQ(row.reordered, reordered, "an order taken from the kernel's choice is counted");
}

/* 7.2 has sheaves before every slab: nothing of it counts in the totals. */
static void sheaves(void)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make_on(&maker, "7.2", 0, 0);
	take_new(&maker, 0, 10, 4);
	measure(&maker, &row);
	TAP_OK(row.sheaves, "a cache with sheaves is marked");
	TAP_EQ(row.switches.checked, 0, "and not followed");
}

/* An address handed out twice was freed in between: one call that the model has to guess. */
static void unseen(void)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make(&maker, 0, 0);
	take_new(&maker, 0, 10, 2);
	take(&maker, 0, 10, 1, 1);
	measure(&maker, &row);
	TAP_EQ(row.unseen, 1, "one free was not traced");
	TAP_EQ(row.slab_choice.matched, 3, "all three in one slab");
}

/* Without any old slab used, sysfs still knows of two that come before a new one. */
static void snapshot_counts(void)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make(&maker, 2, 2);
	take_new(&maker, 0, 10, 4);
	measure(&maker, &row);
	TAP_EQ(row.slab_choice.checked, 4, "four allocations");
	TAP_EQ(row.slab_choice.matched, 3,
	       "a new slab while two partial ones are there is wrong, once");
}

/*
 * The cache is shrunk while it is recorded: CPU 0 has no slab any more, and finds the slab that it
 * had last, now behind another one. What was allocated before that was in use at the start.
 */
static void shrunk(bool told)
{
	struct maker maker;
	struct km_cache_fidelity row;
	struct km_err err = {""};
	char text[128];

	make(&maker, 2, 0);
	take(&maker, 0, 1, 1, 1);
	snprintf(text, sizeof(text),
		 "shrunk directory=widget shrunk_ns=%llu slabs=2 partial=2 cpu_slabs=0\n",
		 (unsigned long long)maker.now_ns + 5000);
	if (told)
		must(km_trace_snapshot(maker.writer, "end", 0, "slab shrink", text, strlen(text),
				       &err),
		     &err);
	take(&maker, 0, 2, 3, 1);
	take(&maker, 0, 1, 2, 2);
	take_new(&maker, 0, 10, 4);
	give(&maker, 0, 1, 1);
	take(&maker, 0, 1, 1, 1);
	measure(&maker, &row);
	TAP_EQ(row.slab_choice.checked, told ? 8 : 9, "allocations from the shrink on are checked");
	if (!told) {
		TAP_OK(row.slab_choice.matched < 9, "who does not know of the shrink errs");
		return;
	}
	TAP_EQ(row.slab_choice.matched, 8, "all are as Linux chose");
	TAP_EQ(row.switches.matched, row.switches.checked, "each switch, too");
}

static void note(struct maker *maker, const char *source, const char *format, unsigned long long ns)
{
	struct km_err err = {""};
	char text[512];

	snprintf(text, sizeof(text), format, ns);
	must(km_trace_snapshot(maker->writer, "end", 0, source, text, strlen(text), &err), &err);
}

/*
 * What lay where was written down: 1 and 2 on the node list with 1 and 2 free objects, 3 is CPU 1's
 * with 2, 4 on its chain with 1; 5 was full. So every choice is known from the first on. `wrong`:
 * the kernel takes from 2 before 1, which counts alone would allow.
 */
static void listed(bool wrong)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make(&maker, 5, 2);
	take(&maker, 0, 5, 0, 1); /* before: of no matter */
	note(&maker, "slab shrink",
	     "shrunk directory=widget shrunk_ns=%llu slabs=5 partial=4 "
	     "cpu_slabs=0\n",
	     maker.now_ns + 3000);
	note(&maker, "slab shrink lists",
	     "lists directory=other lists_ns=1 lists_took_ns=1 cpu_lists=1\n"
	     "lists directory=widget lists_ns=%llu lists_took_ns=500 cpu_lists=1 listed_slabs=5 "
	     "listed_partial=2 node_list=4001:1,4002:2 cpu1_slab=4003:2 cpu1_chain=4004:1\n",
	     maker.now_ns + 4000);
	take(&maker, 1, 3, 0, 2);
	take(&maker, 1, 4, 0, 1);
	if (wrong)
		take(&maker, 0, 2, 0, 1);
	take(&maker, 0, 1, 0, 1);
	take(&maker, 0, 2, wrong, 2 - wrong);
	give(&maker, 0, 5, 0);
	take(&maker, 0, 5, 0, 1);
	take_new(&maker, 0, 10, 1);
	note(&maker, "slab lists",
	     "lists directory=widget lists_ns=%llu lists_took_ns=500 cpu_lists=1 listed_slabs=6 "
	     "listed_partial=0 cpu0_slab=400a:3 cpu1_slab=4004:0\n",
	     maker.now_ns + 4000);
	take(&maker, 0, 10, 1, 3);
	take_new(&maker, 0, 11, 1); /* after the counting */
	note(&maker, "sysfs slab",
	     "name=widget directory=widget order=0 slabs=%llu partial=1 cpu_slabs=1\n", 7);
	measure(&maker, &row);
	TAP_EQ(row.slab_choice.checked, 8, "from the lists to those at the end");
	TAP_EQ(row.slab_choice.matched == 8, !wrong, "all as Linux %s",
	       wrong ? "would not" : "chose");
	if (wrong)
		return;
	TAP_EQ(row.switches.matched, row.switches.checked, "each switch, too");
	TAP_OK(row.all_seen, "the lists agree with the calls: %llu unseen",
	       (unsigned long long)row.unseen);
	TAP_OK(row.slabs_model == 6 && row.slabs_kernel == 6, "slabs when they were counted: %lld",
	       (long long)row.slabs_model);
	TAP_OK(row.partial_model == 0 && row.partial_kernel == 0, "none on the node list: %lld",
	       (long long)row.partial_model);
	TAP_OK(row.cpu_slabs_model == 2 && row.cpu_slabs_kernel == 2, "one on each CPU: %lld",
	       (long long)row.cpu_slabs_model);
}

/*
 * 6 and 7 were full. An object of each is freed by kfree(), which names no cache: that 6 is one of
 * this cache, only the lists of the end tell. There it has `free` free objects: with more than one
 * there was a call that no event shows.
 */
static void freed_unnamed(unsigned free)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make(&maker, 2, 0);
	note(&maker, "slab shrink",
	     "shrunk directory=widget shrunk_ns=%llu slabs=2 partial=0 cpu_slabs=0\n", 100);
	note(&maker, "slab shrink lists",
	     "lists directory=widget lists_ns=%llu lists_took_ns=100 cpu_lists=1 listed_slabs=2 "
	     "listed_partial=0\n",
	     200);
	event(&maker, 0, KM_EV_KFREE, object(6, 2), 10000);
	event(&maker, 0, KM_EV_KFREE, object(7, 1), 10000);
	take(&maker, 0, 7, 1, 1);
	note(&maker, "slab lists",
	     free == 1 ? "lists directory=widget lists_ns=%llu lists_took_ns=100 cpu_lists=1 "
			 "listed_slabs=2 listed_partial=0 cpu0_slab=4007:0 cpu0_chain=4006:1\n"
		       : "lists directory=widget lists_ns=%llu lists_took_ns=100 cpu_lists=1 "
			 "listed_slabs=2 listed_partial=0 cpu0_slab=4007:0 cpu0_chain=4006:2\n",
	     maker.now_ns + 1000);
	note(&maker, "sysfs slab",
	     "name=widget directory=widget order=0 slabs=%llu partial=0 cpu_slabs=0\n", 2);
	measure(&maker, &row);
	TAP_EQ(row.slab_choice.matched, 1, "the slab freed to last is taken");
	TAP_OK(row.cpu_slabs_model == 2 && row.cpu_slabs_kernel == 2,
	       "the other lies on the chain: %lld", (long long)row.cpu_slabs_model);
	TAP_EQ(row.unseen, free - 1, "calls that the lists prove and no event shows");
	TAP_EQ(row.all_seen, free == 1, "were all seen or not");
}

/* ---- calls that no event shows, between lists as slab_lists.c reads them ---- */

static void lists(struct maker *maker, const char *source, const char *listed)
{
	char text[400];

	snprintf(text, sizeof(text),
		 "lists directory=widget lists_ns=%%llu lists_took_ns=100 cpu_lists=1 %s\n",
		 listed);
	note(maker, source, text, maker->now_ns + 1000);
	maker->now_ns += 2000;
}

static void begin_unseen(struct maker *maker, const char *listed)
{
	make(maker, 9, 0);
	note(maker, "slab shrink",
	     "shrunk directory=widget shrunk_ns=%llu slabs=9 partial=0 cpu_slabs=0\n", 100);
	lists(maker, "slab shrink lists", listed);
}

static void end_unseen(struct maker *maker, const char *listed, struct km_cache_fidelity *row)
{
	lists(maker, "slab lists", listed);
	note(maker, "sysfs slab",
	     "name=widget directory=widget order=0 slabs=%llu partial=0 cpu_slabs=0\n", 10);
	measure(maker, row);
}

/* Two objects of 2, which was full, are freed unseen: so CPU 0 finds it when 1 is used up. With
 * `again` one of them is handed out twice: the free in between is another. */
static void unseen_frees(bool again)
{
	struct maker maker;
	struct km_cache_fidelity row;

	begin_unseen(&maker, "listed_slabs=9 listed_partial=0 cpu0_slab=4001:1");
	take(&maker, 0, 1, 0, 1);
	take(&maker, 0, 2, 1, 2);
	if (again)
		take(&maker, 0, 2, 2, 1);
	take_new(&maker, 0, 10, 1);
	end_unseen(&maker, "listed_slabs=10 listed_partial=0 cpu0_slab=400a:3", &row);
	TAP_EQ(row.slab_choice.checked, 4 + again, "each allocation is checked");
	TAP_EQ(row.slab_choice.matched, 4 + again, "and as it was chosen");
	TAP_EQ(row.switches.matched, row.switches.checked, "each switch, too");
	TAP_EQ(row.unseen, 2 + again, "so many frees are proven");
	TAP_OK(row.placed >= 2, "those the kernel's choice needed are made: %llu",
	       (unsigned long long)row.placed);
	TAP_OK(row.cpu_slabs_model == 1 && row.slabs_model == 10, "and nothing is left of them");
}

/* CPU 0 takes from 2, which lies behind 1: because the object free in 1 was allocated unseen; or
 * against the rules, where the lists of the end have it still free. */
static void unseen_alloc(bool proven)
{
	struct maker maker;
	struct km_cache_fidelity row;

	begin_unseen(&maker, "listed_slabs=9 listed_partial=2 node_list=4001:1,4002:2");
	take(&maker, 0, 2, 0, 2);
	take_new(&maker, 0, 10, 1);
	end_unseen(&maker,
		   proven ? "listed_slabs=10 listed_partial=0 cpu0_slab=400a:3"
			  : "listed_slabs=10 listed_partial=1 node_list=4001:1 cpu0_slab=400a:3",
		   &row);
	TAP_EQ(row.unseen, proven, "an allocation is proven or not");
	TAP_EQ(row.placed, proven, "and made or not");
	TAP_EQ(row.slab_choice.matched == 3, proven, "which decides about three: %llu right",
	       (unsigned long long)row.slab_choice.matched);
}

/* CPU 1 allocated from 1, and took the next seven to its chain: CPU 0 begins with 9. */
static void unseen_elsewhere(void)
{
	struct maker maker;
	struct km_cache_fidelity row;

	begin_unseen(&maker,
		     "listed_slabs=9 listed_partial=9 node_list=4001:1,4002:1,4003:1,4004:1,"
		     "4005:1,4006:1,4007:1,4008:1,4009:1");
	take(&maker, 0, 9, 0, 1);
	take_new(&maker, 0, 10, 1);
	end_unseen(&maker,
		   "listed_slabs=10 listed_partial=0 cpu0_slab=400a:3 cpu1_slab=4001:0 "
		   "cpu1_chain=4008:1,4007:1,4006:1,4005:1,4004:1,4003:1,4002:1",
		   &row);
	TAP_EQ(row.placed, 1, "one call, on the CPU that must have made it");
	TAP_EQ(row.slab_choice.matched, 2, "both choices are right");
	TAP_OK(row.cpu_slabs_model == 9 && row.cpu_slabs_kernel == 9,
	       "each CPU has its slabs: %lld", (long long)row.cpu_slabs_model);
}

/*
 * CPU 0 allocates from 1, 3 and 2 in turn, as it comes to them, one object of each. That of 3 is
 * freed by CPU 1, to whose chain the slab goes, for it was full. CPU 0 goes on in 2.
 */
static void unseen_row(void)
{
	struct maker maker;
	struct km_cache_fidelity row;

	begin_unseen(&maker, "listed_slabs=9 listed_partial=3 node_list=4001:1,4002:2,4003:1");
	give(&maker, 1, 3, 0);
	take(&maker, 1, 3, 0, 1);
	take(&maker, 0, 2, 0, 1);
	end_unseen(&maker, "listed_slabs=9 listed_partial=0 cpu0_slab=4002:0 cpu1_slab=4003:0",
		   &row);
	TAP_EQ(row.unseen, 3, "three allocations are proven");
	TAP_EQ(row.placed, 3, "and made before the object is freed");
	TAP_EQ(row.slab_choice.matched, 2, "so that each CPU finds its slab");
}

/* The last object of 10 is allocated unseen, and its free is shown. */
static void unseen_object_freed(void)
{
	struct maker maker;
	struct km_cache_fidelity row;

	begin_unseen(&maker, "listed_slabs=9 listed_partial=0");
	take_new(&maker, 0, 10, 3);
	take_new(&maker, 0, 11, 1);
	give(&maker, 0, 10, 3);
	take(&maker, 0, 11, 1, 3);
	take(&maker, 0, 10, 3, 1);
	end_unseen(&maker, "listed_slabs=11 listed_partial=0 cpu0_slab=400a:0", &row);
	TAP_EQ(row.unseen, 1, "one allocation is proven");
	TAP_EQ(row.placed, 1, "and made before the CPU left that slab");
	TAP_EQ(row.slab_choice.matched, 8, "so that the free finds its object");
}

/*
 * Of kmallocs of 1 KiB some are msg_msg's, from a slab of its own: what is allocated in turn lies
 * in two slabs, side by side. `told`: one object's call site says so, or the lists of the end do,
 * or nothing.
 */
static void buckets(enum told told)
{
	static const char sysfs[] =
		"name=msg_msg-1k directory=msg_msg-1k object_size=1024 slab_size=1024 align=8 "
		"order=0 objs_per_slab=4 min_partial=5 cpu_partial=24 slabs=0 partial=0\n"
		"name=other-1k directory=other-1k object_size=1024 slab_size=1024 align=8 order=0\n"
		"name=msg_msg-2k directory=msg_msg-2k object_size=1024 slab_size=1024 order=0\n";
	struct km_trace_site site = {.address = 1, .symbol = "load_msg"};
	struct maker maker;
	struct km_fidelity fidelity;
	struct km_err err = {""};
	uint64_t bucket = 0, plain = 0, other = 0;

	make(&maker, 0, 0);
	site.id = km_trace_site_id(maker.writer, site.address);
	must(km_trace_define_site(maker.writer, &site, &err), &err);
	must(km_trace_snapshot(maker.writer, "start", 0, "sysfs slab", sysfs, strlen(sysfs), &err),
	     &err);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned slab = 10; slab <= 11; slab++) {
			if (!i)
				event(&maker, 0, KM_EV_PAGE_ALLOC, SLAB(slab), 10000);
			event(&maker, 0, KM_EV_KMALLOC, object(slab, i), 10000);
			if (told == BY_SITE && slab == 11 && i == 1)
				maker.events[0][maker.nr[0] - 1].site = site.id;
		}
	if (told == BY_LISTS)
		note(&maker, "slab lists",
		     "lists directory=msg_msg-1k lists_ns=%llu lists_took_ns=100 cpu_lists=1 "
		     "listed_slabs=1 listed_partial=0 cpu0_slab=400b:0\n",
		     maker.now_ns + 1000);
	measure_all(&maker, &fidelity);
	for (size_t i = 0; i < fidelity.nr_caches; i++) {
		const struct km_cache_fidelity *row = &fidelity.caches[i];
		uint64_t matched = row->slab_choice.matched;

		*(strcmp(row->name, "msg_msg-1k") == 0   ? &bucket
		  : strcmp(row->name, "kmalloc-1k") == 0 ? &plain
							 : &other) += matched;
	}
	TAP_EQ(other, 0, "no other cache has any");
	TAP_EQ(bucket, told == BY_NOTHING ? 0 : 4, "msg_msg's objects are those of its slab");
	TAP_OK(told == BY_NOTHING ? plain < 8 : plain == 4, "kmalloc's are the others: %llu",
	       (unsigned long long)plain);
	km_fidelity_release(&fidelity);
}

/* What cannot be understood is refused. */
static void damaged_lists(void)
{
	struct maker maker;
	struct km_trace *trace;
	struct km_fidelity fidelity;
	struct km_start start;
	struct km_err err = {""};

	make(&maker, 2, 0);
	take(&maker, 0, 1, 0, 1);
	note(&maker, "slab shrink",
	     "shrunk directory=widget shrunk_ns=%llu slabs=2 partial=2 cpu_slabs=0\n", 1);
	note(&maker, "slab shrink lists",
	     "lists directory=widget lists_ns=%llu lists_took_ns=5 cpu_lists=1 listed_slabs=2 "
	     "listed_partial=1 node_list=4001;4\n",
	     2);
	finish(&maker);
	must(km_trace_open(maker.path, &trace, &err), &err);
	must(km_start_read(trace, &start, &err), &err);
	TAP_EQ(km_fidelity_measure(trace, &start, 1, &fidelity, &err), -EINVAL,
	       "lists that are none are refused");
	TAP_OK(strstr(err.text, "slab shrink lists") != NULL, "with the snapshot's name: %s",
	       err.text);
	km_trace_close(trace);
	unlink(maker.path);
}

/* Slabs are sized for the CPUs that are present: one is switched off here. */
static unsigned present(const char *key, const char *value)
{
	struct maker maker;
	struct km_trace *trace;
	struct km_start start;
	struct km_err err = {""};

	make(&maker, 0, 0);
	must(km_trace_set_meta(maker.writer, "cpus", "1", &err), &err);
	must(km_trace_set_meta(maker.writer, key, value, &err), &err);
	take(&maker, 0, 1, 0, 1);
	finish(&maker);
	must(km_trace_open(maker.path, &trace, &err), &err);
	must(km_start_read(trace, &start, &err), &err);
	TAP_EQ(start.cpus, 1, "one CPU is there");
	km_trace_close(trace);
	unlink(maker.path);
	return start.present_cpus;
}

static void geometry(void)
{
	struct km_start start = {.cpus = 1, .profile = km_profile_find("6.18")};
	struct km_score score = {0, 0};
	/* Four objects a CPU's bit: 2048 bytes are 8 in order 2 for one CPU, and 16 for two. */
	static const char two[] = "name=k directory=k object_size=2048 slab_size=2048 align=2048 "
				  "order=3 objs_per_slab=16 min_partial=5 cpu_partial=24\n";

	TAP_EQ(present("present_cpus", "2"), 2, "and another is present");
	TAP_EQ(present("possible_cpus", "2"), 2, "of an older trace: where one is there, possible");
	TAP_EQ(present("present_cpus", "0"), 1, "never fewer than there are");
	start.present_cpus = 2;
	km_fidelity_geometry(two, &start, &score);
	TAP_EQ(score.matched, 1, "a slab sized for both");
	start.present_cpus = 1;
	km_fidelity_geometry(two, &start, &score);
	TAP_OK(score.checked == 2 && score.matched == 1, "is none that one would have");
}

/* One CPU: a wrong choice is put right with another's chain, though there is no other CPU. */
static void single_cpu(void)
{
	struct maker maker;
	struct km_cache_fidelity row;
	struct km_err err = {""};

	make(&maker, 4, 0);
	must(km_trace_set_meta(maker.writer, "cpus", "1", &err), &err);
	must(km_trace_set_meta(maker.writer, "present_cpus", "2", &err), &err);
	for (unsigned slab = 1; slab <= 4; slab++) /* all full: they come to CPU 0's chain */
		give(&maker, 0, slab, 0);
	take_new(&maker, 0, 10, 4);
	take(&maker, 0, 2, 0, 1);
	take_new(&maker, 0, 11, 2);
	measure(&maker, &row);
	TAP_EQ(row.switches.checked, 2, "after the first slab two others");
	TAP_EQ(row.switches.matched, 1, "the wrong one is put right");
}

/*
 * The kernel passes over two slabs of CPU 0's chain and comes to them after the rest: they had been
 * drained to the node's list. One wrong choice, and the model is right from then on.
 */
static void passed_over(void)
{
	struct maker maker;
	struct km_cache_fidelity row;

	make(&maker, 4, 0);
	for (unsigned slab = 1; slab <= 4; slab++) /* all full: they come to CPU 0's chain */
		give(&maker, 0, slab, 0);
	take(&maker, 0, 2, 0, 1);
	take(&maker, 0, 1, 0, 1);
	take(&maker, 0, 4, 0, 1);
	take(&maker, 0, 3, 0, 1);
	measure(&maker, &row);
	TAP_EQ(row.switches.checked, 3, "four slabs one after another");
	TAP_EQ(row.switches.matched, 2, "the one that was passed over is wrong");
}

static void order(void)
{
	struct maker maker;
	struct km_trace *trace;
	struct km_event_order *sorted;
	struct km_err err = {""};
	const struct km_event *next;
	uint64_t delay = 0, ptr[4] = {0};
	unsigned n = 0;
	int code;

	make(&maker, 0, 0);
	event(&maker, 1, KM_EV_CACHE_FREE, object(1, 0), 1000);
	event(&maker, 0, KM_EV_CACHE_ALLOC, object(2, 0), 200);
	event(&maker, 1, KM_EV_CACHE_ALLOC, object(1, 0), 200);
	event(&maker, 0, KM_EV_CACHE_FREE, object(2, 0), 900);
	finish(&maker);
	must(km_trace_open(maker.path, &trace, &err), &err);
	TAP_EQ(km_event_order_delay(trace, &delay, &err), 0, "the delay is found");
	TAP_EQ(delay, 400, "by the quickest reuse of an address");
	must(km_event_order_open(trace, delay, &sorted, &err), &err);
	while ((next = km_event_order_next(sorted, &code, &err)) && n < 4)
		ptr[n++] = next->ptr;
	TAP_OK(!code && n == 4 && ptr[0] == object(2, 0) && ptr[1] == object(1, 0) &&
		       ptr[2] == object(1, 0),
	       "the free comes after the other CPU's allocation, before its own");
	km_event_order_close(sorted);
	km_trace_close(trace);
	unlink(maker.path);
}

static void sysfs(void)
{
	static const char text[] =
		"name=aa x=1 slabs=7,N0=7 slabs_cpu_partial=9(6),C0=5(4),C1=4(2)\n"
		"name=a slabs=3 slabs_cpu_partial=0(0)\nname=b slabs=4";
	static const char listed[] =
		"lists directory=b cpu_lists=0 cpu0_slab=1:1\n"
		"lists directory=bc cpu_lists=1 cpu0_slab=1:1 cpu1_chain=2:1,3:1,4:1\n";
	size_t length;
	const char *line = km_sysfs_slab_line(text, "aa", &length);

	TAP_EQ(km_sysfs_slab_count(text, "a", "slabs"), 3, "caches are told apart by whole names");
	TAP_EQ(km_sysfs_slab_count(text, "b", "slabs"), 4, "the last line needs no end");
	TAP_EQ(km_sysfs_slab_count(text, "a", "x"), -1, "an attribute of another line is absent");
	TAP_EQ(km_sysfs_slab_count(NULL, "a", "x"), -1, "so is all without a snapshot");
	TAP_OK(line && km_sysfs_slab_chain(line, length, 0) == 4 &&
		       km_sysfs_slab_chain(line, length, 1) == 2 &&
		       km_sysfs_slab_chain(line, length, 2) == 0,
	       "the length of each CPU's chain");
	line = km_sysfs_slab_line(text, "a", &length);
	TAP_EQ(line ? km_sysfs_slab_chain(line, length, 0) : 99, 0, "no chain");
	line = km_sysfs_slab_directory(listed, "bc", 2, &length);
	TAP_EQ(line ? km_sysfs_slab_on_cpus(line, length, 2) : 99, 4, "slabs that CPUs had");
	TAP_EQ(line ? km_sysfs_slab_on_cpus(line, length, 1) : 99, 1, "of one CPU");
	line = km_sysfs_slab_directory(listed, "b", 1, &length);
	TAP_EQ(line ? km_sysfs_slab_on_cpus(line, length, 2) : 99, -1, "not told is not none");
	TAP_OK(!km_sysfs_slab_directory(listed, "c", 1, &length), "there is no such directory");
}

int main(void)
{
	static const char *const profiles[] = {"5.15", "6.1", "6.6", "6.12", "6.18"};

	for (unsigned i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		rules(profiles[i], false);
		rules(profiles[i], true);
	}
	sheaves();
	race(500, true, false);
	race(2000, true, true);
	race(200000, false, false);
	unseen();
	snapshot_counts();
	shrunk(true);
	shrunk(false);
	listed(false);
	listed(true);
	freed_unnamed(1);
	freed_unnamed(2);
	unseen_frees(false);
	unseen_frees(true);
	unseen_alloc(true);
	unseen_alloc(false);
	unseen_elsewhere();
	unseen_row();
	unseen_object_freed();
	buckets(BY_SITE);
	buckets(BY_LISTS);
	buckets(BY_NOTHING);
	damaged_lists();
	geometry();
	single_cpu();
	passed_over();
	order();
	sysfs();
	return tap_done();
}
