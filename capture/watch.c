/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware watchpoints on the words in which the kernel counts the events it skipped. A CPU has
 * four (debug registers 0-3), as many as there are slab tracepoints. They need CAP_SYS_ADMIN,
 * since they are within the kernel: kernel/events/hw_breakpoint.c hw_breakpoint_parse(), 6.1 - 7.2.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu_list.h"
#include "watch.h"

static struct bpf_program *program_of(const struct km_recorder *recorder, unsigned kind)
{
	struct record_bpf *skel = recorder->skel;
	struct bpf_program *programs[KM_WATCHED_KINDS] = {
		skel->progs.kmalloc_missed, skel->progs.kfree_missed,
		skel->progs.kmem_cache_alloc_missed, skel->progs.kmem_cache_free_missed};

	return programs[kind];
}

static int open_event(uint64_t address, int pid, int cpu)
{
	struct perf_event_attr attributes = {.type = PERF_TYPE_BREAKPOINT,
					     .size = sizeof(attributes),
					     .bp_type = HW_BREAKPOINT_W,
					     .bp_addr = address,
					     .bp_len = HW_BREAKPOINT_LEN_8,
					     .sample_period = 1,
					     .pinned = 1};
	long event = syscall(__NR_perf_event_open, &attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return event < 0 ? -errno : (int)event;
}

/* The event is the link's from then on. */
static int watch_cpu(struct km_recorder *recorder, unsigned kind, unsigned cpu)
{
	uint64_t misses = recorder->skel->bss->watch.misses[kind];
	uint64_t offset = recorder->states[cpu].percpu_offset;
	int event;

	if (!misses || !offset)
		return -ENOENT;
	event = open_event(misses + offset, -1, (int)cpu);
	if (event < 0)
		return event;
	recorder->watches[kind][cpu] =
		bpf_program__attach_perf_event(program_of(recorder, kind), event);
	if (recorder->watches[kind][cpu])
		return 0;
	close(event);
	return -EINVAL;
}

static void read_online(char *list, size_t size)
{
	if (!km_cpu_list_read(KM_CPUS_ONLINE, list, size))
		snprintf(list, size, "0-%u", UINT16_MAX); /* all: those that are not will refuse */
}

static void end_cpu(struct km_recorder *recorder, unsigned kind, unsigned cpu)
{
	bpf_link__destroy(recorder->watches[kind][cpu]);
	recorder->watches[kind][cpu] = NULL;
}

void km_watch_end(struct km_recorder *recorder, unsigned kind)
{
	if (kind >= KM_WATCHED_KINDS || !recorder->watches[kind])
		return;
	for (unsigned cpu = 0; cpu < recorder->nr_rings; cpu++)
		end_cpu(recorder, kind, cpu);
	free(recorder->watches[kind]);
	recorder->watches[kind] = NULL;
}

/* Where each CPU's copies of per-CPU variables are, and the misses of each kind's program. */
static int find_words(struct km_recorder *recorder)
{
	struct record_bpf *skel = recorder->skel;
	struct bpf_prog_info info;
	struct bpf_link *link;
	uint32_t size;
	char byte;
	int reader;

	for (unsigned kind = 0; kind < KM_WATCHED_KINDS; kind++) {
		const struct bpf_program *program = recorder->programs[KM_COPY_FIRST][kind];

		memset(&info, 0, sizeof(info));
		size = sizeof(info);
		if (program && !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			skel->bss->watch.program[kind] = info.id;
	}
	link = bpf_program__attach(skel->progs.find_misses);
	if (!link)
		return -errno;
	reader = bpf_iter_create(bpf_link__fd(link));
	while (reader >= 0 && read(reader, &byte, 1) > 0)
		;
	if (reader >= 0)
		close(reader);
	bpf_link__destroy(link);
	return reader < 0 ? reader : 0;
}

/* A CPU that went away took its watchpoints with it. */
static int set_all(struct km_recorder *recorder, unsigned kind)
{
	int ret = 0, one;

	for (unsigned cpu = 0; cpu < recorder->nr_rings; cpu++) {
		if (!km_cpu_list_has(recorder->online, cpu)) {
			end_cpu(recorder, kind, cpu);
			continue;
		}
		if (!recorder->states[cpu].percpu_offset)
			km_probe_cpu(recorder->skel->progs.find_percpu_offset, cpu);
		one = recorder->watches[kind][cpu] ? 0 : watch_cpu(recorder, kind, cpu);
		ret = ret ? ret : one;
	}
	return ret;
}

void km_watch_open(struct km_recorder *recorder)
{
	if (!recorder->may_watch || find_words(recorder))
		return;
	read_online(recorder->online, sizeof(recorder->online));
	for (unsigned kind = 0; kind < KM_WATCHED_KINDS; kind++) {
		if (!recorder->programs[KM_COPY_FIRST][kind])
			continue;
		recorder->watches[kind] =
			calloc(recorder->nr_rings, sizeof(*recorder->watches[kind]));
		if (recorder->watches[kind] && set_all(recorder, kind))
			km_watch_end(recorder, kind);
	}
}

void km_watch_refresh(struct km_recorder *recorder)
{
	char online[sizeof(recorder->online)];

	for (unsigned kind = 0; kind < KM_WATCHED_KINDS; kind++) {
		if (!recorder->watches[kind])
			continue;
		read_online(online, sizeof(online));
		if (strcmp(online, recorder->online) == 0)
			return;
		memcpy(recorder->online, online, sizeof(online));
		for (; kind < KM_WATCHED_KINDS; kind++)
			if (recorder->watches[kind])
				set_all(recorder, kind);
	}
}

void km_watch_close(struct km_recorder *recorder)
{
	for (unsigned kind = 0; kind < KM_WATCHED_KINDS; kind++)
		km_watch_end(recorder, kind);
}

int km_watch_try(void)
{
	static uint64_t word;
	int event = open_event((uint64_t)(uintptr_t)&word, 0, -1);

	if (event >= 0)
		close(event);
	return event < 0 ? event : 0;
}
