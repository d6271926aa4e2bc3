/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recorder's ledger: what fired, what was recorded, left out, or lost. Recording is a switch
 * inside the attached programs, so that its start and end are one store each and the identity
 * fired = recorded + lost + filtered is exact.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "recorder.h"
#include "results/term.h"
#include "watch.h"

static uint64_t recursion_misses(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (!program || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return info.recursion_misses;
}

static uint64_t caught(const struct km_recorder *recorder, unsigned kind)
{
	uint64_t total = 0;

	for (unsigned cpu = 0; cpu < recorder->cpus; cpu++)
		total += __atomic_load_n(&recorder->states[cpu].counts[KM_COPY_SECOND][kind].caught,
					 __ATOMIC_ACQUIRE);
	return total;
}

/* 11 ms in all. */
#define READINGS 12
#define SHORTEST_PAUSE_NS 50000
#define LONGEST_PAUSE_NS 1600000

/* Else all that is missed is lost, and no reading is too high. */
static bool may_catch(const struct km_recorder *recorder, unsigned kind)
{
	return recorder->links[KM_COPY_SECOND][kind] || km_is_watched(recorder, kind);
}

/*
 * Events of a kind that both copies missed since attachment. A reading is never too low (caught is
 * read before misses), but too high by the events that are between their two copies just then, as
 * one often is where interrupts free in batches, for milliseconds where a hypervisor takes the CPU.
 * Those pass while what is lost stays, so the lowest of readings some time apart is closest, and
 * one that is not above what was known needs no other.
 */
static uint64_t missed_by_both(const struct km_recorder *recorder, unsigned kind, uint64_t known,
			       uint64_t *skipped)
{
	const struct bpf_program *program = recorder->programs[KM_COPY_FIRST][kind];
	struct timespec pause = {.tv_nsec = SHORTEST_PAUSE_NS};
	const int readings = may_catch(recorder, kind) ? READINGS : 1;
	uint64_t lowest = UINT64_MAX, seen, misses = 0, both;

	for (int reading = 0; reading < readings && lowest > known; reading++) {
		if (reading) {
			nanosleep(&pause, NULL);
			pause.tv_nsec *= pause.tv_nsec < LONGEST_PAUSE_NS ? 2 : 1;
		}
		seen = caught(recorder, kind);
		misses = recursion_misses(program);
		/* Below only where an event was taken for missed that was not (record.bpf.c). */
		both = misses > seen ? misses - seen : 0;
		lowest = both < lowest ? both : lowest;
	}
	if (skipped)
		*skipped = misses;
	return lowest;
}

void km_recorder_start(struct km_recorder *recorder, uint64_t *start_ns)
{
	struct timespec now;

	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
		recorder->base_missed[kind] =
			missed_by_both(recorder, kind, 0, &recorder->base_skipped[kind]);
		recorder->missed[kind] = 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	*start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	__atomic_store_n(&recorder->skel->bss->switched_on, true, __ATOMIC_SEQ_CST);
}

static void read_missed(struct km_recorder *recorder, unsigned kind)
{
	uint64_t base = recorder->base_missed[kind];
	uint64_t now = missed_by_both(recorder, kind, base + recorder->missed[kind], NULL);

	recorder->missed[kind] = now > base ? now - base : 0;
}

void km_recorder_wait(void)
{
	struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};

	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&pause, NULL);
}

/* Programs under way still record: nothing that begins later than the time returned. */
static uint64_t switch_off(struct km_recorder *recorder)
{
	__atomic_store_n(&recorder->skel->bss->switched_on, false, __ATOMIC_SEQ_CST);
	return km_clock_ns();
}

void km_recorder_pause(struct km_recorder *recorder)
{
	switch_off(recorder);
	km_recorder_wait();
}

/* Only while paused: the programs write none of it then. What is defined stays defined. */
void km_recorder_forget(struct km_recorder *recorder)
{
	for (unsigned cpu = 0; cpu < recorder->cpus; cpu++) {
		struct km_cpu_state *state = &recorder->states[cpu];

		for (unsigned copy = 0; copy < KM_NR_COPIES; copy++) {
			for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
				uint64_t caught = state->counts[copy][kind].caught;

				memset(&state->counts[copy][kind], 0,
				       sizeof(state->counts[copy][kind]));
				state->counts[copy][kind].caught = caught;
			}
		}
		state->lost = state->no_stack = state->not_followed = 0;
	}
}

void km_recorder_run_time(const struct km_recorder *recorder, uint64_t *ns, uint64_t *count)
{
	struct bpf_prog_info info;
	uint32_t size;

	*ns = *count = 0;
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
		if (!recorder->programs[KM_COPY_FIRST][kind])
			continue;
		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		if (bpf_obj_get_info_by_fd(bpf_program__fd(recorder->programs[KM_COPY_FIRST][kind]),
					   &info, &size))
			continue;
		*ns += info.run_time_ns;
		*count += info.run_cnt;
	}
}

void km_recorder_stop(struct km_recorder *recorder, uint64_t *end_ns)
{
	*end_ns = switch_off(recorder);
	km_recorder_wait();
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		read_missed(recorder, kind);
	recorder->stopped = true;
	km_watch_close(recorder);
	for (int copy = KM_NR_COPIES - 1; copy >= 0; copy--) {
		for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
			bpf_link__destroy(recorder->links[copy][kind]);
			recorder->links[copy][kind] = NULL;
		}
	}
}

uint64_t km_recorder_missed_kind(struct km_recorder *recorder, unsigned kind)
{
	if (!recorder->stopped)
		read_missed(recorder, kind);
	return recorder->missed[kind];
}

void km_recorder_kind(const struct km_recorder *recorder, unsigned kind, struct km_kind_counts *sum)
{
	const struct km_kind_counts *part;

	memset(sum, 0, sizeof(*sum));
	for (unsigned cpu = 0; cpu < recorder->cpus; cpu++) {
		for (unsigned copy = 0; copy < KM_NR_COPIES; copy++) {
			part = &recorder->states[cpu].counts[copy][kind];
			sum->fired += part->fired;
			sum->null += part->null;
			sum->self += part->self;
			sum->excluded += part->excluded;
			sum->sampled += part->sampled;
			sum->ring_full += part->ring_full;
			sum->caught += part->caught;
		}
	}
}

void km_recorder_totals(const struct km_recorder *recorder, struct km_recorder_totals *totals)
{
	struct km_trace_counts *counts = &totals->counts;
	struct km_kind_counts sum;

	memset(totals, 0, sizeof(*totals));
	for (unsigned cpu = 0; cpu < recorder->cpus; cpu++) {
		totals->no_stack += recorder->states[cpu].no_stack;
		totals->not_followed += recorder->states[cpu].not_followed;
	}
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
		km_recorder_kind(recorder, kind, &sum);
		counts->fired[kind] = recorder->missed[kind] + sum.fired;
		counts->lost[KM_LOSS_RECURSION] += recorder->missed[kind];
		counts->lost[KM_LOSS_RING_FULL] += sum.ring_full;
		counts->filtered_null += sum.null;
		counts->filtered_self += sum.self;
		counts->filtered_excluded += sum.excluded;
		counts->filtered_sampled += sum.sampled;
		totals->skipped += recursion_misses(recorder->programs[KM_COPY_FIRST][kind]) -
				   recorder->base_skipped[kind];
	}
}
