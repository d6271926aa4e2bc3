/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The recorder: loads the programs that fit this kernel, gives each CPU its ring, attaches, and
 * keeps the ledger. Recording is a switch inside the attached programs, so that its start and end
 * are one store each and the identity fired = recorded + lost + filtered is exact.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "probe.h"
#include "record.skel.h"

_Static_assert((int)KM_NR_RECORD_KINDS == (int)KM_EV_PAGE_ZONE_LOCKED,
	       "record kinds are event kinds");
_Static_assert((int)KM_REC_VMAP_PURGE == (int)KM_EV_VMAP_PURGE, "record kinds are event kinds");
_Static_assert(sizeof(struct km_record) == 48, "six words a record");

struct km_recorder {
	struct record_bpf *skel;
	struct btf *btf;
	struct km_program_choice choice;
	struct bpf_program *programs[KM_NR_COPIES][KM_NR_RECORD_KINDS];
	struct bpf_link *links[KM_NR_COPIES][KM_NR_RECORD_KINDS];
	struct km_percpu_offsets percpu;
	bool knows_context;
	enum km_recover recover;
	unsigned cpus; /* possible */
	struct km_cpu_state *states;
	struct km_ring *rings;
	unsigned nr_rings;
	uint64_t ring_bytes; /* of one CPU */
	struct km_layout layout;
	/* Misses since attachment, and those that neither copy saw, when recording started. */
	uint64_t base_skipped[KM_NR_RECORD_KINDS], base_missed[KM_NR_RECORD_KINDS];
	uint64_t missed[KM_NR_RECORD_KINDS];
	bool stopped;
};

/* ---- opening ---- */

static int fail_load(struct km_err *err, int code, const char *what)
{
	if (code == -EPERM)
		return km_fail(err, -EPERM,
			       "recording the kernel needs root, or the capabilities CAP_BPF, "
			       "CAP_PERFMON and CAP_SYS_ADMIN; run it with sudo");
	if (code == -ENOMEM)
		return km_fail(err, code, "no memory for the rings; choose a smaller --ring-size");
	return km_fail(err, code, "the kernel refused %s: %s; -v shows its reasons", what,
		       strerror(-code));
}

static bool recovers(const struct km_recorder *recorder, unsigned kind)
{
	return recorder->recover == KM_RECOVER_ALL ||
	       (recorder->recover == KM_RECOVER_FREES && !km_event_is_alloc(kind));
}

/* kmalloc()'s probe is only safe to load where its prototype was recognized. */
static void select_programs(struct km_recorder *recorder)
{
	struct record_bpf *skel = recorder->skel;
	const struct km_probe_program *program;
	struct bpf_program *each;

	bpf_object__for_each_program(each, skel->obj) bpf_program__set_autoload(each, false);
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
		program = recorder->choice.by_kind[kind];
		for (unsigned copy = 0; program && copy < KM_NR_COPIES; copy++) {
			if (copy == KM_COPY_SECOND && !recovers(recorder, kind))
				continue;
			each = bpf_object__find_program_by_name(skel->obj, program->names[copy]);
			recorder->programs[copy][kind] = each;
			bpf_program__set_autoload(each, true);
		}
	}
	bpf_program__set_autoload(skel->progs.probe_cpu, recorder->knows_context);
	if (recorder->choice.by_kind[KM_REC_PAGE_ALLOC]) {
		bpf_program__set_autoload(skel->progs.probe_page, true);
		if (recorder->choice.by_kind[KM_REC_KMALLOC])
			bpf_program__set_autoload(skel->progs.probe_kmalloc, true);
	}
}

static uint64_t ring_bytes_per_cpu(uint64_t total, unsigned cpus)
{
	uint64_t bytes = 65536;

	while (bytes * 2 * cpus <= total)
		bytes *= 2;
	return bytes;
}

static int load(struct km_recorder *recorder, struct km_err *err)
{
	struct record_bpf *skel = recorder->skel;
	int template, ret;

	template = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0,
				  (uint32_t)recorder->ring_bytes, NULL);
	if (template <0)
		return fail_load(err, template, "a ring buffer");
	skel->rodata->own_tgid = (uint32_t)getpid();
	skel->rodata->ring_bytes = recorder->ring_bytes;
	skel->rodata->knows_context = recorder->knows_context;
	skel->rodata->has_rdonly_cast =
		btf__find_by_name_kind(recorder->btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	skel->rodata->offset_runqueues = recorder->percpu.runqueues;
	skel->rodata->offset_cpu_number = recorder->percpu.cpu_number;
	skel->rodata->offset_preempt_count = recorder->percpu.preempt_count;
	ret = bpf_map__set_max_entries(skel->maps.states, recorder->cpus);
	if (!ret)
		ret = bpf_map__set_max_entries(skel->maps.rings, recorder->cpus);
	if (!ret)
		ret = bpf_map__set_inner_map_fd(skel->maps.rings, template);
	if (!ret)
		ret = record_bpf__load(skel);
	close(template);
	return ret ? fail_load(err, ret, "the recording programs") : 0;
}

static int map_ring(struct km_recorder *recorder, unsigned cpu, struct km_err *err)
{
	struct km_ring *ring = &recorder->rings[recorder->nr_rings];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *mapped;
	int fd, ret;

	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, (uint32_t)recorder->ring_bytes,
			    NULL);
	if (fd < 0)
		return fail_load(err, fd, "a ring buffer");
	ring->cpu = cpu;
	ring->bytes = recorder->ring_bytes;
	ring->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mapped = mmap(NULL, page + 2 * recorder->ring_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE,
		      fd, (off_t)page);
	ret = bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.rings), &cpu, &fd, BPF_ANY);
	close(fd); /* the outer map and the mappings hold it */
	if (ring->consumer == MAP_FAILED || mapped == MAP_FAILED || ret) {
		if (ring->consumer != MAP_FAILED)
			munmap(ring->consumer, page);
		if (mapped != MAP_FAILED)
			munmap(mapped, page + 2 * recorder->ring_bytes);
		return fail_load(err, ret ? ret : -ENOMEM, "the ring of a CPU");
	}
	ring->producer = (const uint64_t *)mapped;
	ring->data = mapped + page;
	recorder->nr_rings++;
	return 0;
}

/* The CPUs that are online now; events of one that comes later are counted as lost. */
static int map_rings(struct km_recorder *recorder, struct km_err *err)
{
	FILE *online = fopen("/sys/devices/system/cpu/online", "re");
	char line[4096] = "", *at = line;
	unsigned long from, to;
	int ret = 0;

	if (!online)
		return km_fail(err, -errno, "cannot read /sys/devices/system/cpu/online: %s",
			       strerror(errno));
	if (!fgets(line, sizeof(line), online))
		line[0] = '\0';
	fclose(online);
	while (!ret && *at >= '0' && *at <= '9') {
		from = to = strtoul(at, &at, 10);
		if (*at == '-')
			to = strtoul(at + 1, &at, 10);
		if (*at == ',')
			at++;
		for (; !ret && from <= to && from < recorder->cpus; from++)
			ret = map_ring(recorder, (unsigned)from, err);
	}
	return ret;
}

static int map_states(struct km_recorder *recorder, struct km_err *err)
{
	size_t bytes = (size_t)recorder->cpus * sizeof(struct km_cpu_state);
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(recorder->skel->maps.states), 0);

	if (mapped == MAP_FAILED)
		return fail_load(err, -errno, "the map of per-CPU state");
	recorder->states = mapped;
	for (unsigned cpu = 0; cpu < recorder->cpus; cpu++)
		memset(recorder->states[cpu].token, 0xff, sizeof(recorder->states[cpu].token));
	return 0;
}

static int attach(struct km_recorder *recorder, struct km_err *err)
{
	/* A tracepoint calls its programs in the order they came: all first copies, then second. */
	for (unsigned copy = 0; copy < KM_NR_COPIES; copy++) {
		for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
			if (!recorder->programs[copy][kind])
				continue;
			recorder->links[copy][kind] =
				bpf_program__attach_trace(recorder->programs[copy][kind]);
			if (!recorder->links[copy][kind])
				return fail_load(err, -errno, "to attach a program");
		}
	}
	return 0;
}

/* Without the contexts of all CPUs there are no levels, hence no tokens and no second copy. */
static int measure_contexts(struct km_recorder *recorder, struct km_err *err)
{
	for (unsigned i = 0; recorder->knows_context && i < recorder->nr_rings; i++) {
		unsigned cpu = recorder->rings[i].cpu;

		km_probe_cpu(recorder->skel->progs.probe_cpu, cpu);
		if (!recorder->states[cpu].preempt_count)
			return km_fail(err, -ENOTSUP,
				       "the preemption count of CPU %u could not be found; this "
				       "kernel's per-CPU area is not as its BTF says",
				       cpu);
	}
	return 0;
}

static int measure_layout(struct km_recorder *recorder, struct km_err *err)
{
	struct record_bpf *skel = recorder->skel;
	int id = btf__find_by_name_kind(recorder->btf, "page", BTF_KIND_STRUCT);

	if (!recorder->choice.by_kind[KM_REC_PAGE_ALLOC])
		return 0;
	recorder->layout.page_struct_bytes =
		id > 0 ? (uint32_t)btf__resolve_size(recorder->btf, (uint32_t)id) : 64;
	return km_probe_layout(
		skel->progs.probe_page,
		recorder->choice.by_kind[KM_REC_KMALLOC] ? skel->progs.probe_kmalloc : NULL,
		(volatile struct km_probe *)&skel->bss->probe, &recorder->layout, err);
}

static int prepare(struct km_recorder *recorder, const struct km_recorder_options *options,
		   struct km_err *err)
{
	int cpus = libbpf_num_possible_cpus();
	long online = sysconf(_SC_NPROCESSORS_ONLN), page = sysconf(_SC_PAGESIZE);
	int ret;

	if ((uint64_t)page != KM_PAGE_SIZE)
		return km_fail(err, -ENOTSUP,
			       "this kernel's pages have %ld bytes and traces count pages of %d; "
			       "record on one with %d-byte pages",
			       page, (int)KM_PAGE_SIZE, (int)KM_PAGE_SIZE);
	recorder->btf = btf__load_vmlinux_btf();
	if (!recorder->btf)
		return km_fail(
			err, -ENOTSUP,
			"this kernel does not describe its types (/sys/kernel/btf/vmlinux is "
			"missing); recording needs one built with CONFIG_DEBUG_INFO_BTF");
	ret = km_programs_choose(recorder->btf, options->groups, &recorder->choice, err);
	if (ret)
		return ret;
	if (cpus < 1 || online < 1)
		return km_fail(err, -EINVAL, "cannot tell how many CPUs this machine has");
	recorder->cpus = (unsigned)cpus;
	recorder->ring_bytes = ring_bytes_per_cpu(options->ring_bytes, (unsigned)online);
	recorder->knows_context = !km_probe_offsets(recorder->btf, &recorder->percpu);
	recorder->recover = recorder->knows_context ? options->recover : KM_RECOVER_NONE;
	recorder->rings = calloc(recorder->cpus, sizeof(*recorder->rings));
	recorder->skel = record_bpf__open();
	if (!recorder->rings || !recorder->skel)
		return km_fail(err, -ENOMEM, "no memory to load the recording programs");
	return 0;
}

int km_recorder_open(const struct km_recorder_options *options, struct km_recorder **result,
		     struct km_err *err)
{
	struct km_recorder *recorder = calloc(1, sizeof(*recorder));
	int ret;

	if (!recorder)
		return km_fail(err, -ENOMEM, "no memory to load the recording programs");
	ret = prepare(recorder, options, err);
	if (ret)
		goto fail;
	select_programs(recorder);
	ret = load(recorder, err);
	if (!ret)
		ret = map_rings(recorder, err);
	if (!ret)
		ret = map_states(recorder, err);
	if (!ret)
		ret = measure_contexts(recorder, err);
	if (!ret)
		ret = measure_layout(recorder, err);
	if (!ret)
		ret = attach(recorder, err);
	if (ret)
		goto fail;
	*result = recorder;
	return 0;
fail:
	km_recorder_close(recorder);
	return ret;
}

/* ---- the ledger ---- */

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

/*
 * Events of a kind that both copies missed since attachment. An event between its two copies makes
 * one reading too high, never too low (caught is read first): the lowest of a few is the truth.
 */
static uint64_t missed_by_both(const struct km_recorder *recorder, unsigned kind, uint64_t *skipped)
{
	uint64_t lowest = UINT64_MAX, seen, misses = 0;

	for (int reading = 0; reading < 4; reading++) {
		seen = caught(recorder, kind);
		misses = recursion_misses(recorder->programs[KM_COPY_FIRST][kind]);
		if (misses - seen < lowest)
			lowest = misses - seen;
		if (misses == seen)
			break;
	}
	if (skipped)
		*skipped = misses;
	return lowest;
}

void km_recorder_start(struct km_recorder *recorder, uint64_t *start_ns)
{
	struct timespec now;

	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		recorder->base_missed[kind] =
			missed_by_both(recorder, kind, &recorder->base_skipped[kind]);
	clock_gettime(CLOCK_MONOTONIC, &now);
	*start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	__atomic_store_n(&recorder->skel->bss->switched_on, true, __ATOMIC_SEQ_CST);
}

static uint64_t missed_since_start(const struct km_recorder *recorder, unsigned kind)
{
	uint64_t now = missed_by_both(recorder, kind, NULL);

	return now > recorder->base_missed[kind] ? now - recorder->base_missed[kind] : 0;
}

/* Wait until every program that ran when recording was switched off has ended (an RCU period). */
static void wait_for_programs(void)
{
	struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};

	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&pause, NULL);
}

void km_recorder_stop(struct km_recorder *recorder)
{
	__atomic_store_n(&recorder->skel->bss->switched_on, false, __ATOMIC_SEQ_CST);
	wait_for_programs();
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		recorder->missed[kind] = missed_since_start(recorder, kind);
	recorder->stopped = true;
	for (int copy = KM_NR_COPIES - 1; copy >= 0; copy--) {
		for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
			bpf_link__destroy(recorder->links[copy][kind]);
			recorder->links[copy][kind] = NULL;
		}
	}
}

uint64_t km_recorder_missed(struct km_recorder *recorder)
{
	uint64_t total = 0;

	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		total += recorder->stopped ? recorder->missed[kind]
					   : missed_since_start(recorder, kind);
	return total;
}

void km_recorder_totals(struct km_recorder *recorder, struct km_recorder_totals *totals)
{
	struct km_trace_counts *counts = &totals->counts;
	const struct km_kind_counts *part;

	memset(totals, 0, sizeof(*totals));
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++) {
		counts->fired[kind] = recorder->missed[kind];
		counts->lost[KM_LOSS_RECURSION] += recorder->missed[kind];
		totals->skipped += recursion_misses(recorder->programs[KM_COPY_FIRST][kind]) -
				   recorder->base_skipped[kind];
		for (unsigned cpu = 0; cpu < recorder->cpus; cpu++) {
			for (unsigned copy = 0; copy < KM_NR_COPIES; copy++) {
				part = &recorder->states[cpu].counts[copy][kind];
				counts->fired[kind] += part->fired;
				counts->filtered_null += part->null;
				counts->filtered_self += part->self;
				counts->lost[KM_LOSS_RING_FULL] += part->ring_full;
				counts->lost[KM_LOSS_CONTENDED] += part->contended;
			}
		}
	}
}

/* ---- what others may see ---- */

const struct km_ring *km_recorder_rings(const struct km_recorder *recorder, unsigned *count)
{
	*count = recorder->nr_rings;
	return recorder->rings;
}

const struct km_layout *km_recorder_layout(const struct km_recorder *recorder)
{
	return &recorder->layout;
}

const struct btf *km_recorder_btf(const struct km_recorder *recorder)
{
	return recorder->btf;
}

unsigned km_recorder_groups(const struct km_recorder *recorder)
{
	return recorder->choice.groups;
}

unsigned km_recorder_possible_cpus(const struct km_recorder *recorder)
{
	return recorder->cpus;
}

const struct km_cpu_state *km_recorder_state(const struct km_recorder *recorder, unsigned cpu)
{
	return &recorder->states[cpu];
}

void km_recorder_close(struct km_recorder *recorder)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!recorder)
		return;
	for (int copy = KM_NR_COPIES - 1; copy >= 0; copy--)
		for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
			bpf_link__destroy(recorder->links[copy][kind]);
	for (unsigned i = 0; i < recorder->nr_rings; i++) {
		munmap(recorder->rings[i].consumer, page);
		munmap((void *)recorder->rings[i].producer, page + 2 * recorder->ring_bytes);
	}
	if (recorder->states)
		munmap(recorder->states, (size_t)recorder->cpus * sizeof(struct km_cpu_state));
	free(recorder->rings);
	record_bpf__destroy(recorder->skel);
	btf__free(recorder->btf);
	free(recorder);
}
