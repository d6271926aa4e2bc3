/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cost of recording has two parts. Every event is seen: the tracepoint calls the programs,
 * which is measured as what they add to a system call of our own that makes events. What is
 * recorded costs the rest of the program (the kernel's own measure, bpf_enable_stats()) and the
 * recorder's time for encoding it. Only the second part shrinks with sampling.
 */
#include "budget.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dictionary.h"
#include "drain.h"
#include "results/term.h"

#define ROUNDS 9
#define DESCRIPTORS 64 /* enough for poll() to allocate its table */
#define MAPPED_PAGES 64
#define REHEARSAL_NS 1000000000ull
#define POLL_NS 2000000
#define MAX_SAMPLING 65536

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A kmalloc() and a kfree(). */
static void poll_many(void)
{
	struct pollfd watched[DESCRIPTORS];

	for (int i = 0; i < DESCRIPTORS; i++)
		watched[i] = (struct pollfd){.fd = -1};
	poll(watched, DESCRIPTORS, 0);
}

/* Each page allocated and freed. */
static void map_pages(void)
{
	const size_t size = MAPPED_PAGES * KM_PAGE_SIZE;
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (pages != MAP_FAILED)
		munmap(pages, size);
}

static const struct {
	enum km_event_group group;
	void (*call)(void);
	unsigned calls, events; /* in a round; of the group, per call */
} makers[] = {{KM_GROUP_SLAB, poll_many, 4000, 2},
	      {KM_GROUP_PAGE, map_pages, 100, 2 * MAPPED_PAGES}};

double km_budget_event_ns(unsigned groups)
{
	uint64_t best = UINT64_MAX, took;
	size_t maker = 0;

	while (maker < sizeof(makers) / sizeof(makers[0]) && !(groups & 1u << makers[maker].group))
		maker++;
	if (maker == sizeof(makers) / sizeof(makers[0]))
		return 0;
	for (int round = 0; round < ROUNDS; round++) {
		took = cpu_ns();
		for (unsigned i = 0; i < makers[maker].calls; i++)
			makers[maker].call();
		took = cpu_ns() - took;
		if (took < best)
			best = took;
	}
	return (double)best / makers[maker].calls / makers[maker].events;
}

/* ---- a sink that does the work of a trace, and forgets it ---- */

struct nowhere {
	struct km_encoder *encoder;
	const struct km_dictionary *dictionary;
	struct km_event *events; /* KM_CHUNK_EVENTS */
	uint32_t count;
	uint64_t taken;
};

static int forget(void *context, unsigned cpu, const struct km_event *events, size_t n,
		  struct km_err *err)
{
	struct nowhere *nowhere = context;
	struct km_chunk_limits limits = km_dictionary_limits(nowhere->dictionary);
	struct km_chunk chunk = {.cpu = (uint16_t)cpu};
	const void *bytes;
	size_t size;

	nowhere->taken += n;
	for (size_t i = 0; i < n; i++) {
		nowhere->events[nowhere->count++] = events[i];
		if (nowhere->count < KM_CHUNK_EVENTS)
			continue;
		chunk.events = nowhere->count;
		nowhere->count = 0;
		if (km_chunk_encode(nowhere->encoder, nowhere->events, &limits, &chunk, &bytes,
				    &size))
			return km_fail(err, -EINVAL, "the rehearsal could not encode its events");
	}
	return 0;
}

static int forget_gap(void *context, const struct km_trace_gap *gap, struct km_err *err)
{
	(void)context;
	(void)gap;
	(void)err;
	return 0;
}

/* ---- the rehearsal ---- */

struct load {
	double seconds;
	double seen, recorded; /* events per second */
	double program_ns;     /* of the programs, per event recorded */
	double recorder_ns;    /* of this thread, per event recorded */
};

static int rehearse_into(struct nowhere *nowhere, struct km_recorder *recorder,
			 struct km_drain *drain, struct load *load, struct km_err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	struct km_sink sink = {forget, forget_gap, nowhere};
	struct km_recorder_totals totals;
	uint64_t start_ns, end_ns, began_cpu_ns = cpu_ns(), seen = 0;
	size_t moved;
	bool more;
	int ret = 0;

	km_recorder_start(recorder, &start_ns);
	km_drain_target(drain, &sink, start_ns);
	do {
		ret = km_drain_some(drain, &moved, &more, err);
		if (!more)
			clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		end_ns = km_clock_ns();
	} while (!ret && end_ns - start_ns < REHEARSAL_NS && !km_interrupted());
	km_recorder_pause(recorder);
	if (!ret)
		ret = km_drain_until(drain, UINT64_MAX, &moved, err);
	km_recorder_totals(recorder, &totals);
	for (unsigned kind = 0; kind < KM_NR_EVENT_KINDS; kind++)
		seen += totals.counts.fired[kind];
	load->seconds = (double)(end_ns - start_ns) / 1e9;
	load->seen = (double)seen / load->seconds;
	load->recorded = (double)nowhere->taken / load->seconds;
	if (nowhere->taken)
		load->recorder_ns = (double)(cpu_ns() - began_cpu_ns) / (double)nowhere->taken;
	return ret;
}

static int rehearse(struct km_recorder *recorder, struct km_drain *drain,
		    const struct km_dictionary *dictionary, struct load *load, struct km_err *err)
{
	struct nowhere nowhere = {.encoder = km_encoder_new(),
				  .dictionary = dictionary,
				  .events = malloc(KM_CHUNK_EVENTS * sizeof(struct km_event))};
	int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), ret;
	uint64_t run_ns, run_count;

	if (!nowhere.encoder || !nowhere.events)
		ret = km_fail(err, -ENOMEM, "no memory to measure the load");
	else
		ret = rehearse_into(&nowhere, recorder, drain, load, err);
	km_recorder_run_time(recorder, &run_ns, &run_count);
	load->program_ns = run_count ? (double)run_ns / (double)run_count : 0;
	if (stats >= 0)
		close(stats);
	km_encoder_delete(nowhere.encoder);
	free(nowhere.events);
	km_recorder_forget(recorder);
	km_drain_forget(drain);
	return ret;
}

/* Percent of the machine when one of n addresses is recorded. */
static double share(const struct load *load, double seen_ns, double cpus, double n)
{
	double recorded = load->recorded / n * (load->program_ns + load->recorder_ns);

	return (load->seen * seen_ns + recorded) / cpus / 1e9 * 100;
}

static void tell_choice(const struct km_budget *budget, const struct load *load, double seen_ns,
			double cpus, uint32_t n)
{
	char chosen[80] = "all are recorded", seen[16] = "?";

	if (n > 1)
		snprintf(chosen, sizeof(chosen), "one address in %u is recorded", n);
	if (budget->bare_ns > 0)
		snprintf(seen, sizeof(seen), "%.0f", seen_ns);
	else
		km_warn("what it takes to see an event is only measured with slab or page among "
			"the groups; here it is left out of account");
	km_note("budget %.3g%%: of %.3g M events a second %s, which takes about %.2g%% of the "
		"machine (all: %.3g%%; %s ns to see an event, %.0f + %.0f ns to record it)",
		budget->percent, load->seen / 1e6, chosen, share(load, seen_ns, cpus, n),
		share(load, seen_ns, cpus, 1), seen, load->program_ns, load->recorder_ns);
}

int km_budget_choose(const struct km_budget *budget, struct km_recorder *recorder,
		     struct km_drain *drain, struct km_dictionary *dictionary, struct km_err *err)
{
	double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN), seen_ns;
	struct load load = {0};
	uint32_t n = 1;
	int ret;

	km_recorder_sample(recorder, 1);
	ret = rehearse(recorder, drain, dictionary, &load, err);
	if (ret)
		return ret;
	seen_ns = budget->attached_ns - budget->bare_ns;
	if (seen_ns < 0)
		seen_ns = 0;
	if (share(&load, seen_ns, cpus, MAX_SAMPLING) > budget->percent)
		return km_fail(err, -EDQUOT,
			       "a budget of %.3g%% cannot be kept: seeing %.3g M events a second "
			       "takes %.1f%% of this machine, recorded or not; record fewer groups "
			       "(-e), or allow more",
			       budget->percent, load.seen / 1e6,
			       share(&load, seen_ns, cpus, MAX_SAMPLING));
	while (share(&load, seen_ns, cpus, n) > budget->percent)
		n++;
	km_recorder_sample(recorder, n);
	tell_choice(budget, &load, seen_ns, cpus, n);
	return 0;
}
