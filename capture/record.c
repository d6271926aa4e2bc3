/* SPDX-License-Identifier: GPL-2.0-only */
/* The recorder: loads the programs that fit this kernel, gives each CPU its ring, attaches. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "cpu_list.h"
#include "privilege.h"
#include "recorder.h"
#include "watch.h"

_Static_assert((int)KM_NR_RECORD_KINDS == (int)KM_NR_EVENT_KINDS, "record kinds are event kinds");
_Static_assert((int)KM_REC_PAGE_EXTFRAG == (int)KM_EV_PAGE_EXTFRAG, "in their order");
_Static_assert(sizeof(struct km_record) == KM_SLOT_BYTES &&
		       sizeof(struct km_record_task) == KM_SLOT_BYTES &&
		       sizeof(struct km_record_cache_part) == KM_SLOT_BYTES,
	       "whatever is recorded fills one slot");
_Static_assert(offsetof(struct km_record, kind) == offsetof(struct km_record_task, kind) &&
		       offsetof(struct km_record, kind) ==
			       offsetof(struct km_record_cache_part, kind),
	       "the kind is told before what it is of");
_Static_assert(sizeof(struct km_cache_facts) == KM_CACHE_PARTS * KM_PART_BYTES, "in whole parts");

/* ---- opening ---- */

static int fail_load(struct km_err *err, int code, const char *what)
{
	if (code == -EPERM)
		return km_fail(err, -EPERM,
			       "recording the kernel needs root or capabilities; run it with "
			       "sudo, or once: %s",
			       km_setcap_command());
	if (code == -ENOMEM)
		return km_fail(err, code, "no memory for the rings; choose a smaller --ring-size");
	return km_fail(err, code, "the kernel refused %s: %s; -v shows its reasons", what,
		       strerror(-code));
}

/* Does the second copy of a kind's program have its part from the beginning? */
static bool recovers(const struct km_recorder *recorder, unsigned kind)
{
	if (km_is_watched(recorder, kind))
		return false;
	return recorder->recover == KM_RECOVER_ALL ||
	       (recorder->recover != KM_RECOVER_NONE && !km_event_is_alloc(kind));
}

/* May it get one? */
static bool may_recover(const struct km_recorder *recorder, unsigned kind)
{
	return recorder->recover == KM_RECOVER_AUTO || recovers(recorder, kind);
}

/* Those of the slab kinds that are recorded. */
static void select_watches(struct km_recorder *recorder)
{
	struct record_bpf *skel = recorder->skel;
	struct bpf_program *programs[] = {skel->progs.kmalloc_missed,
					  skel->progs.kfree_missed,
					  skel->progs.kmem_cache_alloc_missed,
					  skel->progs.kmem_cache_free_missed,
					  skel->progs.find_misses,
					  skel->progs.find_percpu_offset};

	recorder->may_watch = recorder->may_watch && recorder->choice.by_kind[KM_REC_KMALLOC];
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		bpf_program__set_autoload(programs[i], recorder->may_watch);
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
			if (!program->names[copy] ||
			    (copy == KM_COPY_SECOND && !may_recover(recorder, kind)))
				continue;
			each = bpf_object__find_program_by_name(skel->obj, program->names[copy]);
			if (program->function)
				bpf_program__set_attach_target(each, 0, program->function);
			recorder->programs[copy][kind] = each;
			bpf_program__set_autoload(each, true);
		}
	}
	bpf_program__set_autoload(skel->progs.probe_self, true);
	bpf_program__set_autoload(skel->progs.probe_cpu, recorder->knows_percpu);
	select_watches(recorder);
	if (recorder->choice.by_kind[KM_REC_PAGE_ALLOC]) {
		bpf_program__set_autoload(skel->progs.probe_page, true);
		bpf_program__set_autoload(skel->progs.probe_table, true);
		if (recorder->choice.by_kind[KM_REC_KMALLOC])
			bpf_program__set_autoload(skel->progs.probe_kmalloc, true);
	}
}

/* ---- the rings ---- */

static uint32_t ring_slots(uint64_t total_bytes, unsigned cpus)
{
	uint32_t slots = 4096; /* a multiple of a page, whatever the slot's size */

	while ((uint64_t)slots * 2 * KM_SLOT_BYTES * cpus <= total_bytes)
		slots *= 2;
	return slots;
}

/*
 * A ring for each CPU up to the last that is here, also for those switched off now: they may come
 * back while recording. Events of one that is plugged in later find no ring, and are counted as
 * lost.
 */
static int count_rings(unsigned possible, unsigned *count, struct km_err *err)
{
	char list[4096];

	if (!km_cpu_list_read(KM_CPUS_PRESENT, list, sizeof(list)))
		return km_fail(err, -EIO, KM_CPUS_PRESENT " cannot be read");
	*count = km_cpu_list_end(list);
	if (*count && *count <= possible)
		return 0;
	return km_fail(err, -EINVAL, "cannot tell how many CPUs this machine has");
}

static void place_rings(struct km_recorder *recorder)
{
	for (unsigned cpu = 0; cpu < recorder->nr_rings; cpu++)
		recorder->rings[cpu] = (struct km_ring){
			.slots = recorder->ring_slots,
			.data = recorder->ring_memory +
				(size_t)cpu * recorder->ring_slots * KM_SLOT_BYTES,
			.tail = (uint64_t *)&recorder->states[cpu].tail,
		};
}

/* ---- loading ---- */

/* On AMD processors each return may go through a thunk that takes some nanoseconds. */
static bool returns_are_guarded(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/vulnerabilities/spec_rstack_overflow", "re");
	char line[128] = "";

	if (file) {
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
		fclose(file);
	}
	return strstr(line, "Mitigation: ") && strstr(line, "afe RET");
}

static void set_constants(struct km_recorder *recorder, const struct km_recorder_options *options)
{
	struct record_bpf *skel = recorder->skel;
	int id = btf__find_by_name_kind(recorder->btf, "page", BTF_KIND_STRUCT);

	recorder->layout.page_struct_bytes =
		id > 0 ? (uint32_t)btf__resolve_size(recorder->btf, (uint32_t)id) : 64;
	skel->rodata->slot_mask = recorder->ring_slots - 1;
	skel->rodata->page_struct_bytes = recorder->layout.page_struct_bytes;
	skel->rodata->knows_percpu = recorder->knows_percpu;
	skel->rodata->has_rdonly_cast =
		btf__find_by_name_kind(recorder->btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	skel->rodata->calls_are_dear = recorder->knows_percpu && returns_are_guarded();
	skel->rodata->offset_runqueues = recorder->percpu.runqueues;
	skel->rodata->offset_cpu_number = recorder->percpu.cpu_number;
	skel->rodata->offset_preempt_count = recorder->percpu.preempt_count;
	skel->rodata->offset_current = recorder->percpu.current_task;
	skel->rodata->takes_stacks = options->stacks;
	skel->rodata->may_sample = options->may_sample;
	if (options->filter) {
		skel->rodata->filters = true;
		memcpy((void *)&skel->rodata->filter, options->filter, sizeof(*options->filter));
	}
}

static int set_sizes(struct km_recorder *recorder, const struct km_recorder_options *options)
{
	struct record_bpf *skel = recorder->skel;
	int ret = bpf_map__set_max_entries(skel->maps.states, recorder->cpus);

	if (!ret)
		ret = bpf_map__set_max_entries(skel->maps.rings, recorder->nr_rings);
	if (!ret)
		ret = bpf_map__set_value_size(skel->maps.rings,
					      recorder->ring_slots * KM_SLOT_BYTES);
	if (!ret && options->stacks)
		ret = bpf_map__set_max_entries(skel->maps.stacks, KM_STACKS);
	if (!ret && options->filter)
		ret = bpf_map__set_max_entries(skel->maps.followed, KM_FOLLOWED);
	return ret;
}

/*
 * What the kernel image lacks, libbpf looks for in modules, which takes CAP_SYS_ADMIN; being
 * refused ends the loading. It looks once, so whoever may not is refused here, where that ends
 * nothing. Nothing that is recorded lies in a module.
 */
static void do_without_modules(struct km_recorder *recorder)
{
	if (!km_has_capability(CAP_SYS_ADMIN))
		bpf_program__set_attach_target(recorder->skel->progs.probe_page, 0,
					       "no function has this name");
}

static int load(struct km_recorder *recorder, const struct km_recorder_options *options,
		struct km_err *err)
{
	int ret;

	set_constants(recorder, options);
	ret = set_sizes(recorder, options);
	do_without_modules(recorder);
	if (!ret)
		ret = record_bpf__load(recorder->skel);
	if (!ret && options->filter && options->filter->cgroup) {
		uint32_t zero = 0;

		ret = bpf_map_update_elem(bpf_map__fd(recorder->skel->maps.cgroup), &zero,
					  &options->cgroup_fd, BPF_ANY);
	}
	return ret ? fail_load(err, ret, "the recording programs") : 0;
}

static void *map_shared(size_t bytes, const struct bpf_map *map)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			    bpf_map__fd(map), 0);

	return mapped == MAP_FAILED ? NULL : mapped;
}

static size_t ring_memory_bytes(const struct km_recorder *recorder)
{
	return (size_t)recorder->nr_rings * recorder->ring_slots * KM_SLOT_BYTES;
}

static int map_memory(struct km_recorder *recorder, struct km_err *err)
{
	size_t token_bytes = KM_TOKEN_SLOTS * sizeof(struct km_task_tokens);
	void *tokens;

	recorder->states = map_shared((size_t)recorder->cpus * sizeof(struct km_cpu_state),
				      recorder->skel->maps.states);
	if (!recorder->states)
		return fail_load(err, -errno, "the map of per-CPU state");
	recorder->ring_memory = map_shared(ring_memory_bytes(recorder), recorder->skel->maps.rings);
	if (!recorder->ring_memory)
		return fail_load(err, -errno, "the map of the rings");
	for (unsigned cpu = 0; cpu < recorder->cpus; cpu++)
		memset(recorder->states[cpu].token, 0xff, sizeof(recorder->states[cpu].token));
	tokens = map_shared(token_bytes, recorder->skel->maps.task_tokens);
	if (!tokens)
		return fail_load(err, -errno, "the map of tokens");
	memset(tokens, 0xff, token_bytes); /* KM_TOKEN_NONE */
	munmap(tokens, token_bytes);
	place_rings(recorder);
	return 0;
}

static int attach_one(struct km_recorder *recorder, unsigned copy, unsigned kind)
{
	struct bpf_program *program = recorder->programs[copy][kind];

	if (program && !recorder->links[copy][kind])
		recorder->links[copy][kind] = bpf_program__attach(program);
	return program && !recorder->links[copy][kind] ? -errno : 0;
}

/*
 * The first copies, and watchpoints, leave no tokens unless there is a second copy: it comes when
 * they all do, and only then the watchpoints go, so that nothing is hidden from both.
 */
static int attach_second(struct km_recorder *recorder, unsigned kind)
{
	bool *has_second = &recorder->skel->bss->has_second[kind];
	int ret;

	if (!recorder->programs[KM_COPY_SECOND][kind] || recorder->links[KM_COPY_SECOND][kind])
		return 0;
	__atomic_store_n(has_second, true, __ATOMIC_SEQ_CST);
	km_recorder_wait();
	ret = attach_one(recorder, KM_COPY_SECOND, kind);
	if (!ret)
		km_watch_end(recorder, kind);
	return ret;
}

static int attach(struct km_recorder *recorder, struct km_err *err)
{
	int ret = 0;

	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		recorder->skel->bss->has_second[kind] =
			recovers(recorder, kind) && recorder->programs[KM_COPY_SECOND][kind];
	/* A tracepoint calls its programs in the order they came: all first copies, then second. */
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS && !ret; kind++)
		ret = attach_one(recorder, KM_COPY_FIRST, kind);
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS && !ret; kind++)
		if (recovers(recorder, kind))
			ret = attach_one(recorder, KM_COPY_SECOND, kind);
	return ret ? fail_load(err, ret, "to attach a program") : 0;
}

/* A number that no task has. */
#define NO_TASK UINT32_MAX

/* The recorder's number; a filter's numbers are not the kernel's either where it has another. */
static int measure_self(struct km_recorder *recorder, const struct km_filter *filter,
			struct km_err *err)
{
	struct record_bpf *skel = recorder->skel;
	int ret = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.probe_self), NULL);

	if (ret || !skel->bss->own_tgid)
		return fail_load(err, ret ? ret : -ENOENT, "to run a program");
	if (skel->bss->own_tgid == (uint32_t)getpid() || !filter ||
	    (!filter->tgids && !filter->tids))
		return 0;
	return km_fail(err, -ENOTSUP,
		       "--pid and --tid take the machine's numbers, and here is a PID namespace "
		       "with its own; record outside of it, or choose by --comm or --cgroup");
}

/* Where the per-CPU areas are. A CPU that is switched off tells when it is back. */
static void measure_cpus(struct km_recorder *recorder)
{
	for (unsigned cpu = 0; recorder->knows_percpu && cpu < recorder->nr_rings; cpu++)
		if (!recorder->states[cpu].percpu_area)
			km_probe_cpu(recorder->skel->progs.probe_cpu, cpu);
}

/* Without the contexts of the CPUs there are no levels, hence no tokens and no second copy. */
static int measure_contexts(struct km_recorder *recorder, struct km_err *err)
{
	bool found = !recorder->knows_percpu;

	measure_cpus(recorder);
	for (unsigned cpu = 0; cpu < recorder->nr_rings; cpu++)
		found |= recorder->states[cpu].percpu_area != 0;
	return found ? 0
		     : km_fail(err, -ENOTSUP,
			       "the per-CPU areas could not be found; this kernel does not lie in "
			       "memory as its BTF says");
}

void km_recorder_adapt(struct km_recorder *recorder)
{
	bool preemptible = recorder->skel->bss->preemptible;

	measure_cpus(recorder);
	km_watch_refresh(recorder);
	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		if ((preemptible && !km_is_watched(recorder, kind)) ||
		    km_recorder_missed_kind(recorder, kind))
			attach_second(recorder, kind);
}

static int measure_layout(struct km_recorder *recorder, struct km_err *err)
{
	struct record_bpf *skel = recorder->skel;
	struct km_probe_programs programs = {.page = skel->progs.probe_page,
					     .table = skel->progs.probe_table};
	int ret;

	if (!recorder->choice.by_kind[KM_REC_PAGE_ALLOC])
		return 0;
	if (recorder->choice.by_kind[KM_REC_KMALLOC])
		programs.kmalloc = skel->progs.probe_kmalloc;
	ret = km_probe_layout(&programs, (volatile struct km_probe *)&skel->bss->probe,
			      &recorder->layout, err);
	skel->bss->vmemmap_start = recorder->layout.vmemmap;
	return ret;
}

static int prepare(struct km_recorder *recorder, const struct km_recorder_options *options,
		   struct km_err *err)
{
	int cpus = libbpf_num_possible_cpus();
	long page = sysconf(_SC_PAGESIZE);
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
	ret = km_programs_choose(recorder->btf, options->groups,
				 !km_programs_try_function(recorder->btf), &recorder->choice, err);
	if (ret)
		return ret;
	recorder->cpus = cpus > 0 ? (unsigned)cpus : 0;
	ret = count_rings(recorder->cpus, &recorder->nr_rings, err);
	if (ret)
		return ret;
	recorder->ring_slots = ring_slots(options->ring_bytes, recorder->nr_rings);
	recorder->knows_percpu = !km_probe_offsets(recorder->btf, &recorder->percpu);
	recorder->recover = recorder->knows_percpu ? options->recover : KM_RECOVER_NONE;
	recorder->may_watch = recorder->recover == KM_RECOVER_AUTO && !km_watch_try() &&
			      km_has_capability(CAP_SYS_ADMIN);
	recorder->rings = calloc(recorder->nr_rings, sizeof(*recorder->rings));
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
	ret = load(recorder, options, err);
	if (!ret)
		ret = map_memory(recorder, err);
	if (!ret)
		ret = measure_self(recorder, options->filter, err);
	if (!ret)
		ret = measure_contexts(recorder, err);
	if (!ret)
		ret = measure_layout(recorder, err);
	if (!ret) {
		km_watch_open(recorder);
		ret = attach(recorder, err);
	}
	if (ret)
		goto fail;
	if (options->own)
		recorder->skel->bss->own_tgid = NO_TASK;
	km_recorder_adapt(recorder);
	*result = recorder;
	return 0;
fail:
	km_recorder_close(recorder);
	return ret;
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

int km_recorder_stack(const struct km_recorder *recorder, uint32_t number, uint64_t *frames)
{
	return bpf_map_lookup_elem(bpf_map__fd(recorder->skel->maps.stacks), &number, frames);
}

uint32_t km_recorder_sampling(const struct km_recorder *recorder)
{
	return recorder->skel->data->sample_n;
}

void km_recorder_sample(struct km_recorder *recorder, uint32_t n)
{
	__atomic_store_n(&recorder->skel->data->sample_n, n, __ATOMIC_RELEASE);
}

unsigned km_recorder_watched(const struct km_recorder *recorder)
{
	unsigned kinds = 0;

	for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
		kinds += km_is_watched(recorder, kind);
	return kinds;
}

void km_recorder_close(struct km_recorder *recorder)
{
	if (!recorder)
		return;
	for (int copy = KM_NR_COPIES - 1; copy >= 0; copy--)
		for (unsigned kind = 0; kind < KM_NR_RECORD_KINDS; kind++)
			bpf_link__destroy(recorder->links[copy][kind]);
	km_watch_close(recorder);
	if (recorder->ring_memory)
		munmap(recorder->ring_memory, ring_memory_bytes(recorder));
	if (recorder->states)
		munmap(recorder->states, (size_t)recorder->cpus * sizeof(struct km_cpu_state));
	free(recorder->rings);
	record_bpf__destroy(recorder->skel);
	btf__free(recorder->btf);
	free(recorder);
}
